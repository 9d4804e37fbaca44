//! How fast usage is taken in and read, on a file on the disk of `target/` and, where
//! `TEST_POSTGRES_URL` names a server, on Postgres. Beside each figure stands its physical limit: the
//! same rows inserted raw with a prepared statement, in one transaction a batch, in the same run.
//! Prints one line a figure, with the processor time of this process; nothing is asserted.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop at what it did not expect"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use perennial::calendar::{Cadence, Period, Timestamp};
use perennial::catalog::{Recurring, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::customer::{Customer, MailPreferences, TaxExempt};
use perennial::decimal::Decimal12;
use perennial::id::CustomerId;
use perennial::metadata::Metadata;
use perennial::pricing::Pricing;
use perennial::usage::{Formula, Meter};
use server::clock::{Clock, Entropy, Ids, SystemClock, SystemEntropy};
use server::gateway::sandbox::Sandbox;
use server::service::Engine;
use server::service::catalog::{NewPrice, NewProduct, PriceProduct};
use server::service::metering::{Naming, NewEvent, NewMeter};
use server::service::subscriptions::{NewItem, NewSubscription};
use server::store::usage::{self, Question};
use server::store::{Scope, Store, document};
use sqlx::{AnyConnection, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Customers that events are of.
const CUSTOMERS: usize = 1_000;
/// Events of a client's batch.
const BATCH: usize = 1_000;
/// Clients that send batches at the same time.
const CLIENTS: usize = 16;
/// Clients that send single events at the same time.
const SINGLES: usize = 64;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let mut runtime = runtime;
    runtime.enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let events: usize = std::env::var("BENCH_EVENTS").map_or(1_000_000, |n| n.parse().unwrap());
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("usage");
    let _ = std::fs::remove_dir_all(&folder);
    let file = format!("sqlite:{}/usage.db", folder.display());
    one_database("SQLite", &file, events).await;
    if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
        sqlx::any::install_default_drivers();
        let name = format!("usage_bench_{:x}", SystemEntropy.bits());
        let (root, _) = server.rsplit_once('/').unwrap();
        let mut admin = AnyConnection::connect(&server).await.unwrap();
        let sql = format!("create database {name}");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut admin)
            .await
            .unwrap();
        one_database("Postgres", &format!("{root}/{name}"), events).await;
        let sql = format!("drop database {name} with (force)");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut admin)
            .await
            .unwrap();
    }
}

async fn one_database(name: &str, url: &str, events: usize) {
    println!("{name}");
    let store = Store::open(url).await.unwrap();
    let bench = Bench::new(store).await;
    raw(url, events.min(100_000), BATCH).await;
    raw_together(url, events.min(400_000)).await;
    bench.batches(events).await;
    raw_singles(url).await;
    bench.singles(Duration::from_secs(4)).await;
    bench.singles_over_http(Duration::from_secs(4)).await;
    bench.heavy_customer(events).await;
    bench.engine.store.close().await;
}

/// Processor time of this process so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |place: usize| {
        fields
            .get(place)
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn say(what: &str, count: usize, took: Duration, used: Duration) {
    let rate = u128::try_from(count).unwrap() * 1_000_000 / took.as_micros().max(1);
    let each = used.as_micros() * 1_000 / u128::try_from(count).unwrap().max(1);
    println!("  {what:<58} {rate:>8}/s   {each:>6} ns of processor each");
}

/// The physical limit of batches: rows alone, each by a prepared statement, a transaction a batch.
async fn raw(url: &str, events: usize, batch: usize) {
    let mut connection = raw_table(url).await;
    let (start, used) = (Instant::now(), processor_time());
    for first in (0..events).step_by(batch) {
        let mut tx = connection.begin().await.unwrap();
        for row in first..(first + batch).min(events) {
            raw_row(&mut tx, row).await;
        }
        tx.commit().await.unwrap();
    }
    say(
        &format!("limit: rows raw, {batch} a transaction"),
        events,
        start.elapsed(),
        processor_time() - used,
    );
    connection.close().await.unwrap();
}

/// The same with a hundred rows in each statement, ten statements a transaction: without the way to
/// the database and back for each row.
async fn raw_together(url: &str, events: usize) {
    const ROWS: usize = 100;
    let mut connection = raw_table(url).await;
    let sqlite = url.starts_with("sqlite");
    let places: Vec<String> = (0..ROWS)
        .map(|row| {
            let cells = (0..8).map(|n| match sqlite {
                true => "?".to_owned(),
                false => format!("${}", row * 8 + n + 1),
            });
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let sql = format!(
        "insert into raw_event (merchant, livemode, identifier, account, at, place, whole, part) values {}",
        places.join(", ")
    );
    let (start, used) = (Instant::now(), processor_time());
    for first in (0..events).step_by(BATCH) {
        let mut tx = connection.begin().await.unwrap();
        for part in (first..first + BATCH).step_by(ROWS) {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
            for row in part..part + ROWS {
                let row = i64::try_from(row).unwrap();
                query = query
                    .bind("acct_0000000000000000000000")
                    .bind(0_i64)
                    .bind(format!("{:032x}", SystemEntropy.bits()))
                    .bind(row.wrapping_mul(7_919) % 1_000)
                    .bind(1_700_000_000 + row / 1_000)
                    .bind(row)
                    .bind(row % 50)
                    .bind(500_000_000_000_i64);
            }
            query.execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let what = format!("limit: rows raw, {ROWS} a statement, {BATCH} a transaction");
    say(&what, events, start.elapsed(), processor_time() - used);
    connection.close().await.unwrap();
}

async fn raw_table(url: &str) -> AnyConnection {
    let mut connection = AnyConnection::connect(url).await.unwrap();
    if url.starts_with("sqlite") {
        for pragma in [
            "pragma journal_mode = wal",
            "pragma synchronous = full",
            "pragma busy_timeout = 10000",
        ] {
            sqlx::query(pragma).execute(&mut connection).await.unwrap();
        }
    }
    for sql in [
        "drop table if exists raw_event",
        "create table raw_event (merchant text not null, livemode bigint not null, identifier text not null, \
         account bigint not null, at bigint not null, place bigint not null, whole bigint not null, \
         part bigint not null, mark text, canceled bigint not null default 0, \
         primary key (merchant, livemode, identifier))",
        "create index raw_event_at on raw_event (merchant, livemode, account, at)",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection
}

async fn raw_row(connection: &mut AnyConnection, row: usize) {
    let row = i64::try_from(row).unwrap();
    sqlx::query(
        "insert into raw_event (merchant, livemode, identifier, account, at, place, whole, part) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind("acct_0000000000000000000000")
    .bind(0_i64)
    .bind(format!("{:032x}", SystemEntropy.bits()))
    .bind(row.wrapping_mul(7_919) % 1_000)
    .bind(1_700_000_000 + row / 1_000)
    .bind(row)
    .bind(row % 50)
    .bind(500_000_000_000_i64)
    .execute(connection)
    .await
    .unwrap();
}

/// The physical limit of single events without shared commits.
async fn raw_singles(url: &str) {
    let mut connection = raw_table(url).await;
    let (start, used) = (Instant::now(), processor_time());
    let mut rows = 0;
    while start.elapsed() < Duration::from_secs(2) {
        let mut tx = connection.begin().await.unwrap();
        raw_row(&mut tx, rows).await;
        tx.commit().await.unwrap();
        rows += 1;
    }
    say(
        "limit: rows raw, one a transaction, one writer",
        rows,
        start.elapsed(),
        processor_time() - used,
    );
    connection.close().await.unwrap();
}

struct Bench {
    engine: Engine,
    scope: Scope,
    meter: Meter,
    customers: Arc<Vec<CustomerId>>,
    key: String,
}

impl Bench {
    async fn new(store: Store) -> Self {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let bank = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), [7; 32]);
        let engine = Engine::new(store, Arc::new(bank), clock, entropy);
        let (merchant, keys) = engine.create_merchant("Bench").await.unwrap();
        let scope = Scope {
            merchant: merchant.id,
            livemode: true,
        };
        let mut customers = Vec::new();
        let mut tx = engine.store.begin().await.unwrap();
        for _ in 0..CUSTOMERS {
            let customer = customer();
            customers.push(customer.id.clone());
            document::insert(
                &engine.store,
                tx.connection(),
                &scope,
                customer,
                engine.now(),
            )
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        let meter = engine
            .create_meter(
                &scope,
                NewMeter {
                    display_name: "API calls".to_owned(),
                    event_name: "api_call".to_owned(),
                    formula: Formula::Sum,
                    customer_key: None,
                    value_key: None,
                    event_time_window: None,
                },
            )
            .await
            .unwrap()
            .value;
        Self {
            engine,
            scope,
            meter,
            customers: Arc::new(customers),
            key: keys.live,
        }
    }

    async fn batches(&self, events: usize) {
        let sent = Arc::new(AtomicUsize::new(0));
        let (start, used) = (Instant::now(), processor_time());
        let mut marked = (start, used, 0);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (engine, scope) = (self.engine.clone(), self.scope.clone());
                let (sent, customers) = (Arc::clone(&sent), Arc::clone(&self.customers));
                tokio::spawn(async move {
                    loop {
                        let first = sent.fetch_add(BATCH, Ordering::Relaxed);
                        if first >= events {
                            return;
                        }
                        let batch = (first..first + BATCH)
                            .map(|n| {
                                event(
                                    &customers[n * 7_919 % customers.len()],
                                    n,
                                    SystemClock.now(),
                                )
                            })
                            .collect();
                        engine
                            .report_usage(&scope, batch, Naming::Listed)
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = sent.load(Ordering::Relaxed).min(events);
            if now >= marked.2 + events / 4 {
                let what = format!("batches of {BATCH}, {CLIENTS} clients, until event {now}");
                let used = processor_time();
                say(&what, now - marked.2, marked.0.elapsed(), used - marked.1);
                marked = (Instant::now(), used, now);
            }
        }
        for client in clients {
            client.await.unwrap();
        }
        let what = format!("batches of {BATCH}, {CLIENTS} clients, all");
        say(&what, events, start.elapsed(), processor_time() - used);
    }

    async fn singles(&self, long: Duration) {
        let sent = Arc::new(AtomicUsize::new(0));
        let (start, used) = (Instant::now(), processor_time());
        let clients: Vec<_> = (0..SINGLES)
            .map(|_| {
                let (engine, scope) = (self.engine.clone(), self.scope.clone());
                let (sent, customers) = (Arc::clone(&sent), Arc::clone(&self.customers));
                tokio::spawn(async move {
                    while start.elapsed() < long {
                        let n = sent.fetch_add(1, Ordering::Relaxed);
                        let one = event(&customers[n % customers.len()], n, SystemClock.now());
                        engine
                            .report_usage(&scope, vec![one], Naming::Single)
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let count = sent.load(Ordering::Relaxed);
        say(
            &format!("single events, {SINGLES} clients"),
            count,
            start.elapsed(),
            processor_time() - used,
        );
    }

    /// The same as calls of the API, over connections that stay open.
    async fn singles_over_http(&self, long: Duration) {
        let api = server::api::Api {
            engine: self.engine.clone(),
            public_url: "http://127.0.0.1".to_owned(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            axum::serve(listener, server::api::router(api))
                .await
                .unwrap();
        });
        let sent = Arc::new(AtomicUsize::new(0));
        let (start, used) = (Instant::now(), processor_time());
        let clients: Vec<_> = (0..SINGLES)
            .map(|_| {
                let (key, sent) = (self.key.clone(), Arc::clone(&sent));
                let customers = Arc::clone(&self.customers);
                tokio::spawn(async move {
                    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut buffer = vec![0; 4_096];
                    while start.elapsed() < long {
                        let n = sent.fetch_add(1, Ordering::Relaxed);
                        let body = format!(
                            "event_name=api_call&identifier={:032x}&payload[stripe_customer_id]={}&payload[value]={}",
                            SystemEntropy.bits(),
                            customers[n % customers.len()],
                            n % 50
                        );
                        let request = format!(
                            "POST /v1/billing/meter_events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
                             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        stream.write_all(request.as_bytes()).await.unwrap();
                        answered(&mut stream, &mut buffer).await;
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let count = sent.load(Ordering::Relaxed);
        let what = format!("single events over HTTP, {SINGLES} connections (with the clients)");
        say(&what, count, start.elapsed(), processor_time() - used);
        serving.abort();
    }

    /// The next invoice of a customer with many events in the period, as `createPreview` asks for it.
    async fn upcoming(&self, customer: &CustomerId, began: Timestamp) {
        let new = NewPrice {
            product: PriceProduct::New(Box::new(NewProduct {
                name: "API calls".to_owned(),
                ..NewProduct::default()
            })),
            currency: Currency::USD,
            pricing: Pricing::per_unit(Decimal12::from_integer(1)),
            recurring: Some(Recurring {
                cadence: Cadence::MONTHLY,
                usage_type: UsageType::Metered,
                meter: Some(self.meter.id.clone()),
                trial_period_days: None,
            }),
            active: None,
            nickname: None,
            lookup_key: None,
            transfer_lookup_key: false,
            tax_behavior: TaxBehavior::Unspecified,
            metadata: None,
        };
        let price = self.engine.create_price(&self.scope, new).await.unwrap();
        let items = vec![NewItem::metered(price.id.clone())];
        let new = NewSubscription::new(customer.clone(), items);
        let then = self.engine.at(began);
        let own = then.create_subscription(&self.scope, new).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..200 {
            let one = Instant::now();
            let coming = self
                .engine
                .upcoming(&self.scope, &own.id)
                .await
                .unwrap()
                .unwrap();
            times.push(one.elapsed());
            assert!(coming.due_minor() > 0, "the usage is on it");
        }
        times.sort();
        println!(
            "  upcoming invoice of that customer: median {:?}, 99 of 100 within {:?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
    }

    /// One customer with a million events in the period: what reading their usage takes.
    async fn heavy_customer(&self, events: usize) {
        let customer = &self.customers[0];
        let now = SystemClock.now();
        let month = 27 * 86_400;
        let start = Instant::now();
        for first in (0..events).step_by(10_000) {
            let batch = (first..first + 10_000)
                .map(|n| {
                    let back = i64::try_from(n).unwrap() * month / i64::try_from(events).unwrap();
                    event(customer, n, Timestamp(now.0 - back))
                })
                .collect();
            self.engine
                .report_usage(&self.scope, batch, Naming::Listed)
                .await
                .unwrap();
        }
        println!(
            "  (one customer's {events} events of 27 days reported in {:?})",
            start.elapsed()
        );
        let mut read = self.engine.store.read().await.unwrap();
        let names = [customer.to_string()];
        let accounts = usage::accounts(&mut read, &self.scope, self.meter.id.as_str(), &names)
            .await
            .unwrap();
        let account = accounts[0].1;
        let mut times = Vec::new();
        for round in 0..200 {
            let question = Question {
                account,
                formula: Formula::Sum,
                period: Period {
                    start: Timestamp(now.0 - month + 1_234 + round),
                    end: Timestamp(now.0 + 86_400),
                },
            };
            let one = Instant::now();
            usage::read(&mut read, &self.scope, question).await.unwrap();
            times.push(one.elapsed());
        }
        times.sort();
        println!(
            "  current usage of a customer with {events} events: median {:?}, 99 of 100 within {:?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
        drop(read);
        self.upcoming(customer, Timestamp(now.0 - month - 60)).await;
    }
}

/// Reads one answer to its end; it must be a good one.
async fn answered(stream: &mut tokio::net::TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the connection broke off");
        filled += read;
        let text = String::from_utf8_lossy(&buffer[..filled]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap() {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            return;
        }
    }
}

fn event(customer: &CustomerId, n: usize, at: Timestamp) -> NewEvent {
    NewEvent {
        event_name: "api_call".to_owned(),
        identifier: Some(format!("{:032x}", SystemEntropy.bits())),
        at: Some(at),
        payload: vec![
            ("stripe_customer_id".to_owned(), customer.to_string()),
            ("value".to_owned(), format!("{}.5", n % 50)),
        ],
        now: None,
    }
}

fn customer() -> Customer {
    let id = CustomerId::new(&mut Ids(&SystemEntropy));
    Customer {
        invoice_prefix: id.as_str()[4..12].to_uppercase(),
        id,
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
        next_invoice_sequence: 1,
        default_payment_method: None,
        backup: None,
        discount: None,
        delinquent: false,
        mail: MailPreferences::default(),
        metadata: Metadata::default(),
        created: Timestamp(1_700_000_000),
        deleted: false,
        test_clock: None,
    }
}
