//! How fast the store is, on a file on the disk of `target/`: commits a second by the number of
//! writers (they share commits), and reads while writers write. Set `BENCH_DATABASE_URL` to measure
//! another database. Prints one line a figure; nothing is asserted.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop at what it did not expect"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use perennial::calendar::Timestamp;
use perennial::customer::{Customer, MailPreferences, TaxExempt};
use perennial::id::{CustomerId, MerchantId};
use perennial::metadata::Metadata;
use perennial::theme::Theme;
use server::clock::{Ids, SystemEntropy};
use server::merchant::Merchant;
use server::store::document::{self, PageRequest};
use server::store::{Scope, Store, key, nouns};

const NOW: Timestamp = Timestamp(1_700_000_000);
const ROUND: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("store");
    let _ = std::fs::remove_dir_all(&folder);
    let url = std::env::var("BENCH_DATABASE_URL")
        .unwrap_or_else(|_| format!("sqlite:{}/store.db", folder.display()));
    let store = Store::open(&url).await.unwrap();
    let scope = Arc::new(merchant(&store).await);
    for writers in [1_u64, 8, 64, 256] {
        let commits = write_for(&store, &scope, writers).await;
        println!("{writers:>4} writers: {commits:>7} commits a second");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let background = {
        let (store, scope, stop) = (store.clone(), Arc::clone(&scope), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                write_one(&store, &scope).await;
            }
        })
    };
    let mut slowest = Duration::ZERO;
    let (start, mut reads) = (Instant::now(), 0_u64);
    while start.elapsed() < ROUND {
        let one = Instant::now();
        let mut read = store.read().await.unwrap();
        let page = PageRequest::first(20);
        document::list::<Customer>(&mut read, &scope, nouns::CUSTOMERS, &page, &[])
            .await
            .unwrap();
        slowest = slowest.max(one.elapsed());
        reads += 1;
    }
    stop.store(true, Ordering::Relaxed);
    background.await.unwrap();
    let each = start.elapsed().as_micros() / u128::from(reads.max(1));
    println!("pages of 20 beside a writer: {each} µs each, the slowest {slowest:?}");
}

async fn write_for(store: &Store, scope: &Arc<Scope>, writers: u64) -> u64 {
    let (count, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (store, scope, count) = (store.clone(), Arc::clone(scope), Arc::clone(&count));
            tokio::spawn(async move {
                while start.elapsed() < ROUND {
                    write_one(&store, &scope).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    count.load(Ordering::Relaxed) * 1000 / u64::try_from(start.elapsed().as_millis()).unwrap()
}

async fn write_one(store: &Store, scope: &Scope) {
    let mut tx = store.begin().await.unwrap();
    document::insert(store, tx.connection(), scope, customer(), NOW)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn merchant(store: &Store) -> Scope {
    let merchant = Merchant {
        id: MerchantId::new(&mut Ids(&SystemEntropy)),
        name: "Bench".to_owned(),
        address: None,
        support_email: None,
        tax_id: None,
        invoice_footer: None,
        theme: Theme::default(),
        frame_ancestors: Vec::new(),
        retries: perennial::dunning::RetryPolicy::default(),
        mail: server::mail::MailSettings::default(),
        draft_seconds: server::merchant::DRAFT_SECONDS,
        upcoming_days: 0,
        numbering: server::merchant::InvoiceNumbering::default(),
        invoice_prefix: None,
        currency: None,
        created: NOW,
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

fn customer() -> Customer {
    Customer {
        id: CustomerId::new(&mut Ids(&SystemEntropy)),
        name: Some("Bench".to_owned()),
        email: None,
        business_name: None,
        individual_name: None,
        phone: None,
        description: None,
        address: None,
        shipping: None,
        tax_ids: Vec::new(),
        tax_exempt: TaxExempt::None,
        preferred_locales: Vec::new(),
        currency: None,
        balance_minor: 0,
        invoice_prefix: "BENCH".to_owned(),
        next_invoice_sequence: 1,
        default_payment_method: None,
        backup: None,
        discount: None,
        delinquent: false,
        mail: MailPreferences::default(),
        metadata: Metadata::default(),
        created: NOW,
        deleted: false,
        test_clock: None,
    }
}
