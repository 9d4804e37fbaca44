//! No two customers count their invoices with the same prefix.

use std::collections::BTreeSet;

use perennial::calendar::Cadence;
use perennial::customer::Customer;
use perennial::id::CustomerId;

use super::world::World;
use crate::service::Refused;
use crate::service::customers::CustomerUpdate;
use crate::store::document::Stored;
use crate::store::tests::both;

fn named(prefix: &str) -> CustomerUpdate {
    CustomerUpdate {
        invoice_prefix: Some(prefix.to_owned()),
        ..CustomerUpdate::default()
    }
}

fn is_taken<T: std::fmt::Debug>(result: Result<T, Refused>) -> bool {
    match result {
        Ok(_) => false,
        Err(Refused::Invalid { param, .. }) => param == "invoice_prefix",
        Err(other) => panic!("{other}"),
    }
}

impl World {
    async fn make(&self, prefix: &str) -> Result<Stored<Customer>, Refused> {
        let (engine, scope) = (&self.engine, &self.scope);
        engine.create_customer(scope, named(prefix), vec![]).await
    }

    async fn rename(&self, id: &CustomerId, prefix: &str) -> Result<Stored<Customer>, Refused> {
        let (engine, scope) = (&self.engine, &self.scope);
        engine.update_customer(scope, id, named(prefix)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_one_customers_for_ever() {
    both(|store| async move {
        let world = World::new(store).await;
        let ada = world.make("ADA").await.unwrap().id.clone();
        assert!(is_taken(world.make("ADA").await));
        let bob = world.make("BOB").await.unwrap().id.clone();
        assert!(is_taken(world.rename(&bob, "ADA").await));
        let own = world.rename(&bob, "BOB").await.unwrap();
        assert_eq!(own.invoice_prefix, "BOB", "its own is no double");
        world.rename(&ada, "ADA2").await.unwrap();
        assert!(
            is_taken(world.rename(&bob, "ADA").await),
            "invoices may bear it"
        );
        world.rename(&ada, "ADA").await.unwrap();
        let other = crate::store::Scope {
            livemode: !world.scope.livemode,
            ..world.scope.clone()
        };
        let made = world.engine.create_customer(&other, named("ADA"), vec![]);
        assert_eq!(made.await.unwrap().invoice_prefix, "ADA", "another mode");
        let account = world.engine.merchant(&world.scope).await.unwrap();
        assert!(is_taken(world.make(&account.number_prefix()).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_ask_for_a_prefix_at_once_one_gets_it() {
    both(|store| async move {
        let world = std::sync::Arc::new(World::new(store).await);
        let eve = world.make("EVE").await.unwrap().id.clone();
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (world, eve) = (std::sync::Arc::clone(&world), eve.clone());
            asking.spawn(async move {
                match number {
                    0 => world.rename(&eve, "SAME").await,
                    _ => world.make("SAME").await,
                }
            });
        }
        let all = asking.join_all().await;
        let refused = all.into_iter().map(is_taken);
        assert_eq!(refused.filter(|taken| !taken).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_customers_with_the_same_prefix_can_be_billed_on() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut made = Vec::new();
        // More than a page. The second of each pair has a number already where `billed`.
        for (prefix, billed) in [("QUIET", false), ("BILLED", true)] {
            for turn in 0..3 {
                let id = world.customer_with("pm_card_visa").await;
                let mut row = world.find_customer(&id).await;
                row.invoice_prefix = prefix.to_owned();
                row.next_invoice_sequence = 1 + turn;
                world.update(&mut row).await;
                if billed && turn == 1 {
                    world.subscribe(&id, &price).await;
                }
                made.push(id);
            }
        }
        for _ in 0..210 {
            world.customer().await;
        }
        let mut tx = engine.store.begin().await.unwrap();
        for sql in [
            "delete from invoice_prefix",
            "delete from invoice_prefix_opening",
            "insert into invoice_prefix_opening (merchant, livemode, done_until) \
             select distinct merchant, livemode, '' from customer",
        ] {
            sqlx::query(sql).execute(tx.connection()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let (one, other) = tokio::join!(
            engine.open_invoice_prefixes(),
            engine.open_invoice_prefixes()
        );
        one.unwrap();
        other.unwrap();

        let mut prefixes = Vec::new();
        for id in &made {
            prefixes.push(world.find_customer(id).await.invoice_prefix.clone());
        }
        let distinct: BTreeSet<&String> = prefixes.iter().collect();
        assert_eq!(distinct.len(), prefixes.len(), "{prefixes:?}");
        assert_eq!(prefixes[0], "QUIET", "the first keeps it");
        assert!(!prefixes.contains(&"BILLED".to_owned()), "{prefixes:?}");
        assert!(is_taken(world.make("BILLED").await), "invoices bear it");
        assert!(is_taken(world.make("QUIET").await));
        for id in &made {
            for _ in 0..3 {
                let subscription = world.subscribe(id, &price).await;
                let invoice = world.latest(&subscription).await;
                assert!(invoice.number.is_some());
            }
        }
        let all = engine.create_customer(scope, CustomerUpdate::default(), vec![]);
        assert_eq!(all.await.unwrap().invoice_prefix.len(), 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_counts_with_no_customers_prefix() {
    both(|store| async move {
        let world = World::new(store).await;
        let ada = world.make("ADA").await.unwrap().id.clone();
        world.rename(&ada, "ADA2").await.unwrap();
        let account = &world.scope.merchant;
        let set = async |prefix: Option<&str>| {
            let change = |own: &mut crate::merchant::Merchant| {
                own.invoice_prefix = prefix.map(str::to_owned);
                own.tax_id = Some("changed".to_owned());
            };
            world.engine.update_merchant(account, change).await
        };
        let plain = world.engine.merchant(&world.scope).await.unwrap();
        for theirs in ["ADA", "ADA2"] {
            assert!(is_taken(set(Some(theirs)).await), "{theirs}");
            let same = world.engine.merchant(&world.scope).await.unwrap();
            assert_eq!(same, plain, "a refused change changes nothing");
        }
        let named = set(Some("HALDEN")).await.unwrap();
        assert_eq!(named.number_prefix(), "HALDEN");
        assert!(is_taken(world.make("HALDEN").await));
        // An older prefix of the account stays its own: invoices may bear it.
        set(None).await.unwrap();
        assert!(is_taken(world.make("HALDEN").await));
        let again = set(Some("HALDEN")).await.unwrap();
        assert_eq!(again.number_prefix(), "HALDEN");
    })
    .await;
}
