//! The store, on both databases: `both` runs a test on a fresh SQLite file and, where
//! `TEST_POSTGRES_URL` names a server, on a fresh Postgres schema.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::id::{CustomerId, MerchantId};
use sqlx::Connection;

use super::document::{self, PageRequest};
use super::{Scope, Store, StoreError, key, nouns, writes};
use crate::clock::{Entropy, Ids, SystemEntropy};
use crate::merchant::Merchant;

/// A database of a test's own.
pub struct Fresh {
    /// The store.
    pub store: Store,
    /// Its address.
    pub url: String,
    left: Left,
}

/// What is to be taken away when a test is over, also when it failed.
enum Left {
    /// A folder with an SQLite file.
    Folder(std::path::PathBuf),
    /// A database of a Postgres server.
    Database { server: String, name: String },
}

impl Drop for Fresh {
    fn drop(&mut self) {
        match &self.left {
            Left::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            Left::Database { server, name } => drop_database(server.clone(), name),
        }
    }
}

/// Takes a database away, whoever is still connected. A thread of its own, because dropping can't wait
/// for the runtime that it happens in.
fn drop_database(server: String, name: &str) {
    let sql = format!("drop database if exists {name} with (force)");
    let work = async move {
        let mut connection = sqlx::AnyConnection::connect(&server).await?;
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    let dropped = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime
            .enable_all()
            .build()
            .map(|runtime| runtime.block_on(work))
    });
    match dropped.join() {
        Ok(Ok(Ok(()))) => {}
        failed => eprintln!("a test's database was left behind: {failed:?}"),
    }
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A fresh SQLite file.
pub async fn sqlite() -> Fresh {
    let n = COUNT.fetch_add(1, Ordering::SeqCst);
    let folder = std::env::temp_dir().join(format!("perennial-test-{}-{n}", std::process::id()));
    let url = format!("sqlite:{}/test.db", folder.display());
    Fresh {
        store: Store::open(&url).await.unwrap(),
        url,
        left: Left::Folder(folder),
    }
}

/// A fresh Postgres database, where a server is named.
pub async fn postgres() -> Option<Fresh> {
    let server = std::env::var("TEST_POSTGRES_URL").ok()?;
    sqlx::any::install_default_drivers();
    let name = format!("perennial_{:032x}", SystemEntropy.bits());
    let mut connection = sqlx::AnyConnection::connect(&server).await.unwrap();
    let sql = format!("create database {name}");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (base, query) = server
        .split_once('?')
        .map_or((server.as_str(), ""), |(b, q)| (b, q));
    let (root, _) = base.rsplit_once('/').unwrap();
    let url = format!("{root}/{name}?{query}");
    Some(Fresh {
        store: Store::open(&url).await.unwrap(),
        url,
        left: Left::Database { server, name },
    })
}

/// Runs a test on both databases.
pub async fn both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    let fresh = sqlite().await;
    test(fresh.store.clone()).await;
    if let Some(fresh) = postgres().await {
        test(fresh.store.clone()).await;
        fresh.store.close().await;
    }
}

/// A merchant in test mode.
pub async fn scope(store: &Store) -> Scope {
    let merchant = Merchant {
        id: MerchantId::new(&mut Ids(&SystemEntropy)),
        name: "Halden".to_owned(),
        address: None,
        support_email: None,
        tax_id: None,
        invoice_footer: None,
        theme: perennial::theme::Theme::default(),
        frame_ancestors: Vec::new(),
        retries: perennial::dunning::RetryPolicy::default(),
        mail: crate::mail::MailSettings::default(),
        draft_seconds: crate::merchant::DRAFT_SECONDS,
        upcoming_days: 0,
        numbering: crate::merchant::InvoiceNumbering::default(),
        invoice_prefix: None,
        currency: None,
        created: Timestamp(1_700_000_000),
    };
    let mut tx = store.begin().await.unwrap();
    key::insert_merchant(store, tx.connection(), &merchant)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Scope {
        merchant: merchant.id,
        livemode: false,
    }
}

/// A customer with nothing but a name.
pub fn customer(name: &str) -> Customer {
    Customer {
        id: CustomerId::new(&mut Ids(&SystemEntropy)),
        name: Some(name.to_owned()),
        email: None,
        business_name: None,
        individual_name: None,
        phone: None,
        description: None,
        address: None,
        shipping: None,
        tax_ids: Vec::new(),
        tax_exempt: perennial::customer::TaxExempt::None,
        preferred_locales: Vec::new(),
        currency: None,
        balance_minor: 0,
        invoice_prefix: "ABC".to_owned(),
        next_invoice_sequence: 1,
        default_payment_method: None,
        backup: None,
        discount: None,
        delinquent: false,
        mail: perennial::customer::MailPreferences::default(),
        metadata: perennial::metadata::Metadata::default(),
        created: Timestamp(1_700_000_000),
        deleted: false,
        test_clock: None,
    }
}

const NOW: Timestamp = Timestamp(1_700_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_document_comes_back_as_it_was_saved() {
    both(|store| async move {
        let scope = scope(&store).await;
        let mut tx = store.begin().await.unwrap();
        let saved = document::insert(&store, tx.connection(), &scope, customer("Ada"), NOW)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        let found: document::Stored<Customer> =
            document::load(&mut read, &scope, saved.id.as_str())
                .await
                .unwrap()
                .unwrap();
        assert_eq!(found, saved);
        let other = Scope {
            livemode: true,
            ..scope.clone()
        };
        assert!(
            document::load::<Customer>(&mut read, &other, saved.id.as_str())
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_leaves_nothing() {
    both(|store| async move {
        let scope = scope(&store).await;
        for round in 0..3 {
            let mut tx = store.begin().await.unwrap();
            document::insert(&store, tx.connection(), &scope, customer("Gone"), NOW)
                .await
                .unwrap();
            drop(tx);
            let mut tx = store.begin().await.unwrap();
            document::insert(&store, tx.connection(), &scope, customer("Kept"), NOW)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            let mut read = store.read().await.unwrap();
            let page = document::list::<Customer>(
                &mut read,
                &scope,
                nouns::CUSTOMERS,
                &PageRequest::first(100),
                &[],
            )
            .await
            .unwrap();
            assert_eq!(page.rows.len(), round + 1);
        }
    })
    .await;
}

/// The log is far from the length at which its writer would copy it.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_copies_its_log_into_the_file_while_nobody_waits() {
    let fresh = sqlite().await;
    let store = &fresh.store;
    let scope = scope(store).await;
    let path = fresh.url.trim_start_matches("sqlite:").to_owned();
    let size = || std::fs::metadata(&path).unwrap().len();
    let before = size();
    for _ in 0..2 * super::checkpoint::COMMITS {
        let mut tx = store.begin().await.unwrap();
        let name = "Ada ".repeat(2_000);
        document::insert(store, tx.connection(), &scope, customer(&name), NOW)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    for _ in 0..100 {
        if size() > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("nothing came into the file within ten seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_of_one_row_cannot_both_win() {
    both(|store| async move {
        let scope = scope(&store).await;
        let mut tx = store.begin().await.unwrap();
        let saved = document::insert(&store, tx.connection(), &scope, customer("Ada"), NOW)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (mut first, mut second) = (saved.clone(), saved);
        first.name = Some("First".to_owned());
        second.name = Some("Second".to_owned());
        let mut tx = store.begin().await.unwrap();
        document::update(tx.connection(), &scope, &mut first)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let refused = document::update(tx.connection(), &scope, &mut second)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                StoreError::Conflict {
                    kind: "customer",
                    ..
                }
            ),
            "{refused:?}"
        );
        assert!(refused.is_conflict());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_all_land_and_lists_page_in_order() {
    both(|store| async move {
        let scope = Arc::new(scope(&store).await);
        let tasks: Vec<_> = (0..60)
            .map(|n| {
                let (store, scope) = (store.clone(), Arc::clone(&scope));
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    let name = format!("c{n}");
                    document::insert(&store, tx.connection(), &scope, customer(&name), NOW)
                        .await
                        .unwrap();
                    if n % 10 == 9 {
                        return; // Changes its mind: only its own row goes.
                    }
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut read = store.read().await.unwrap();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let request = PageRequest {
                limit: 7,
                starting_after: cursor.clone(),
                ending_before: None,
            };
            let page =
                document::list::<Customer>(&mut read, &scope, nouns::CUSTOMERS, &request, &[])
                    .await
                    .unwrap();
            seen.extend(page.rows.iter().map(|c| c.sort));
            if !page.has_more {
                break;
            }
            cursor = page.rows.last().map(|c| c.id.to_string());
        }
        assert_eq!(seen.len(), 54);
        assert!(
            seen.windows(2).all(|w| w[0] > w[1]),
            "newest first, none twice"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_one_postgres_find_places_for_their_rows() {
    let Some(fresh) = postgres().await else {
        return;
    };
    let scope = scope(&fresh.store).await;
    let mut stores = vec![fresh.store.clone()];
    for _ in 0..3 {
        stores.push(Store::open(&fresh.url).await.unwrap());
    }
    let writers = stores.iter().map(|store| {
        let (store, scope) = (store.clone(), scope.clone());
        tokio::spawn(async move {
            for _ in 0..40 {
                // A clash is rare, and a matter of trying again.
                loop {
                    let mut tx = store.begin().await.unwrap();
                    let new = customer("Ada");
                    match document::insert(&store, tx.connection(), &scope, new, NOW).await {
                        Ok(_) => break tx.commit().await.unwrap(),
                        Err(error) => assert!(error.is_conflict(), "{error}"),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    // The same place on purpose.
    let taken = stores[0].sort(NOW);
    let sql = "update customer set sort = $1 where sort = (select max(sort) from customer)";
    let mut tx = stores[0].begin().await.unwrap();
    sqlx::query(sql)
        .bind(taken + 1)
        .execute(tx.connection())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = stores[0].begin().await.unwrap();
    let clash = document::insert(&stores[0], tx.connection(), &scope, customer("Bea"), NOW).await;
    assert!(clash.is_err_and(|error| error.is_conflict()));
    drop(tx);
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_half_way_takes_only_its_own_transaction_along() {
    both(|store| async move {
        let scope = scope(&store).await;
        let (ada, dora) = (customer("Ada"), customer("Dora"));
        let mut first = store.begin().await.unwrap();
        let mut writes = writes::Writes::new(&scope);
        writes.insert(&store, ada.clone(), NOW).unwrap();
        writes.write(&store, first.connection()).await.unwrap();
        let (own_store, own_scope) = (store.clone(), scope.clone());
        let (own_ada, own_dora) = (ada.clone(), dora.clone());
        // On SQLite it waits for the first one, whose commit then waits for this one.
        let second = tokio::spawn(async move {
            let mut tx = own_store.begin().await.unwrap();
            let mut writes = writes::Writes::new(&own_scope);
            for row in [own_dora, own_ada] {
                writes.insert(&own_store, row, NOW).unwrap();
            }
            writes.write(&own_store, tx.connection()).await
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        first.commit().await.unwrap();
        let refused = second.await.unwrap();
        assert!(
            matches!(refused, Err(StoreError::Exists { .. })),
            "{refused:?}"
        );
        let mut read = store.read().await.unwrap();
        let found = [&ada, &dora].map(|own| own.id.to_string());
        let found = document::load_many::<Customer>(&mut read, &scope, &found)
            .await
            .unwrap();
        let names: Vec<_> = found.iter().map(|own| own.name.as_deref()).collect();
        assert_eq!(names, [Some("Ada")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_saved_together_or_not_at_all() {
    both(|store| async move {
        let scope = scope(&store).await;
        let other = Scope {
            livemode: true,
            ..scope.clone()
        };
        let people = ["Ada", "Bob", "Cleo"].map(customer);
        let mut tx = store.begin().await.unwrap();
        let mut writes = writes::Writes::new(&scope);
        let made = people
            .iter()
            .map(|own| writes.insert(&store, own.clone(), NOW));
        let mut rows: Vec<_> = made.map(Result::unwrap).collect();
        writes.write(&store, tx.connection()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let twice = vec![customer("Dora"), people[0].clone()];
        let mut writes = writes::Writes::new(&scope);
        for own in twice {
            writes.insert(&store, own, NOW).unwrap();
        }
        let refused = writes.write(&store, tx.connection()).await;
        assert!(
            matches!(refused, Err(StoreError::Exists { .. })),
            "{refused:?}"
        );
        drop(tx);
        let stale = rows.clone();
        let emails = [
            Some("ada@example.com".to_owned()),
            None,
            Some("c@example.com".to_owned()),
        ];
        for (row, email) in rows.iter_mut().zip(emails) {
            row.email = email;
        }
        let mut tx = store.begin().await.unwrap();
        document::update_many(&store, tx.connection(), &other, &mut rows.clone())
            .await
            .expect_err("of another mode");
        document::update_many(&store, tx.connection(), &scope, &mut rows)
            .await
            .unwrap();
        document::update_many::<Customer>(&store, tx.connection(), &scope, &mut [])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        for row in &rows {
            let found = document::load(&mut read, &scope, row.id.as_str()).await;
            assert_eq!(found.unwrap().as_ref(), Some(row));
        }
        // The columns beside the bodies went along.
        let filter = [document::Column::text("ada@example.com")];
        let (sql, page) = (nouns::CUSTOMERS_BY_EMAIL, PageRequest::first(10));
        let found: document::Page<Customer> =
            document::list(&mut read, &scope, sql, &page, &filter)
                .await
                .unwrap();
        assert_eq!(found.rows, rows[..1]);
        drop(read);

        // One that somebody else changed meanwhile keeps all of them from being saved.
        let mut mixed = vec![rows[0].clone(), stale[1].clone()];
        let mut tx = store.begin().await.unwrap();
        let refused = document::update_many(&store, tx.connection(), &scope, &mut mixed).await;
        assert!(refused.unwrap_err().is_conflict());
        drop(tx);
        let mut read = store.read().await.unwrap();
        let found = document::load(&mut read, &scope, rows[0].id.as_str()).await;
        assert_eq!(found.unwrap().as_ref(), Some(&rows[0]));
        drop(read);

        let mut tx = store.begin().await.unwrap();
        let mut writes = writes::Writes::new(&scope);
        stale.iter().for_each(|row| writes.delete(row));
        let refused = writes.write(&store, tx.connection()).await;
        assert!(refused.unwrap_err().is_conflict());
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        let mut writes = writes::Writes::new(&scope);
        rows[1..].iter().for_each(|row| writes.delete(row));
        writes.write(&store, tx.connection()).await.unwrap();
        tx.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        let page = PageRequest::first(10);
        let left: document::Page<Customer> =
            document::list(&mut read, &scope, nouns::CUSTOMERS, &page, &[])
                .await
                .unwrap();
        assert_eq!(
            left.rows,
            rows[..1],
            "none of the refused was written either"
        );
    })
    .await;
}
