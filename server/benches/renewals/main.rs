//! How fast a renewal run is: monthly subscriptions that are all due, each drafted, finalised and
//! charged at the sandbox, with ledger and events written, durable. Beside it the physical limit: the
//! same rows inserted raw, with the same prepared statements, into an empty database on the same disk.
//!
//! `RENEWALS` names the numbers of subscriptions (`10000,100000`), `RENEWALS_TOGETHER` how many one
//! customer has (`30000`; 0 for none), `BENCH_FOLDER` where the files go (`target/`). Postgres is
//! measured where `TEST_POSTGRES_URL` names a server. Prints one line a figure; nothing is asserted.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop at what it did not expect"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock"
)]

mod business;
mod raw;

use std::path::{Path, PathBuf};
use std::time::Instant;

use business::Business;
use sqlx::{AnyConnection, Connection};

#[tokio::main]
async fn main() {
    let folder = std::env::var("BENCH_FOLDER").map_or_else(
        |_| Path::new(env!("CARGO_TARGET_TMPDIR")).join("renewals"),
        PathBuf::from,
    );
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let sizes = std::env::var("RENEWALS").unwrap_or_else(|_| "10000,100000".to_owned());
    let sizes: Vec<usize> = sizes
        .split(',')
        .map(|n| n.trim().parse().unwrap())
        .collect();
    let together = std::env::var("RENEWALS_TOGETHER").map_or(30_000, |n| n.parse().unwrap());
    let server = std::env::var("TEST_POSTGRES_URL").ok();
    let mut databases = vec![Database::Sqlite(folder)];
    match server {
        Some(server) => databases.push(Database::Postgres(server)),
        None => println!("Postgres: not measured, since TEST_POSTGRES_URL names none."),
    }
    if let Ok(only) = std::env::var("RENEWALS_ON") {
        databases.retain(|database| database.name().eq_ignore_ascii_case(&only));
    }
    for database in databases {
        println!("\n{}", database.name());
        for size in &sizes {
            measure(&database, *size, *size).await;
        }
        if together > 0 {
            measure(&database, together, 1).await;
        }
    }
}

/// Where it is measured.
enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "Postgres",
        }
    }

    /// The address of an empty database.
    async fn fresh(&self, name: &str) -> String {
        match self {
            Self::Sqlite(folder) => {
                let path = folder.join(name);
                let _ = std::fs::remove_dir_all(&path);
                std::fs::create_dir_all(&path).unwrap();
                format!("sqlite:{}/renewals.db", path.display())
            }
            Self::Postgres(server) => {
                sqlx::any::install_default_drivers();
                let mut connection = AnyConnection::connect(server).await.unwrap();
                for statement in [
                    format!("drop database if exists renewals_{name}"),
                    format!("create database renewals_{name}"),
                ] {
                    sqlx::query(sqlx::AssertSqlSafe(statement))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                }
                connection.close().await.unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                format!("{base}/renewals_{name}")
            }
        }
    }

    async fn forget(&self, name: &str) {
        match self {
            Self::Sqlite(folder) => {
                let _ = std::fs::remove_dir_all(folder.join(name));
            }
            Self::Postgres(server) => {
                let mut connection = AnyConnection::connect(server).await.unwrap();
                let statement = format!("drop database if exists renewals_{name}");
                sqlx::query(sqlx::AssertSqlSafe(statement))
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
        }
    }
}

async fn measure(database: &Database, subscriptions: usize, customers: usize) {
    let url = database.fresh("run").await;
    let business = Business::open(&url, subscriptions, customers).await;
    let bytes_before = business.bytes().await;
    // From here on the peak is the run's own. Where Linux does not let it be forgotten, it is all there was.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (cpu, written) = (cpu_millis(), bytes_written());
    let start = Instant::now();
    let done = business.renew().await;
    let took = start.elapsed();
    let (cpu, written) = (cpu_millis() - cpu, bytes_written() - written);
    let bytes_after = business.bytes().await;
    let peak = peak_megabytes();
    business.check(subscriptions).await;
    let n = u128::try_from(subscriptions).unwrap();
    let rate = n * 1_000_000 / took.as_micros().max(1);
    let limit = raw::limit(database, &business, subscriptions).await;
    let share = rate * 100 / limit.max(1);
    let of = match customers {
        1 => "of one customer ",
        _ => "",
    };
    println!(
        "{subscriptions:>8} subscriptions {of}in {:.2?} ({done} pieces of work): {rate} a second, {} µs of this process' \
         processor time each; raw {limit} a second: {share} %; {} bytes kept, {} bytes written by this process each; \
         peak {peak} MB",
        took,
        cpu * 1_000 / n,
        bytes_after.saturating_sub(bytes_before) / n,
        written / n,
    );
    business.close().await;
    database.forget("run").await;
}

/// User and system time of this process.
fn cpu_millis() -> u128 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<u128>().ok());
    // A tick is a hundredth of a second on Linux.
    (ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)) * 10
}

fn bytes_written() -> u128 {
    line("/proc/self/io", "write_bytes:")
}

fn peak_megabytes() -> u128 {
    line("/proc/self/status", "VmHWM:") / 1_024
}

/// The number in a line of a file that begins so.
fn line(file: &str, name: &str) -> u128 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}
