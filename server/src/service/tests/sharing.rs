//! Several processes on one database. They share what is due by leases, without any lock of a database beyond the row's,
//! and where all of them come to the same rows at once, nothing is done twice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, SubscriptionId};

use super::batching::{RENEWAL, all_renewed_once, business, business_over, process};
use super::money::holds;
use super::world::{World, after};
use crate::service::payments::Starter;
use crate::service::{Engine, Refused};
use crate::store::tests::{Fresh, both, postgres};
use crate::store::{Store, lease};

const HOUR: i64 = 3_600;
/// Processes beside the one whose world it is.
const OTHERS: u128 = 3;

/// Engines on stores of their own, as so many more processes have them.
async fn others(world: &World, url: &str) -> Vec<Engine> {
    let mut engines = Vec::new();
    for seed in 0..OTHERS {
        let store = Store::open(url).await.unwrap();
        engines.push(process(world, store, 99 + seed).await);
    }
    engines
}

/// What was due is done, once, and the books are right.
async fn done_once(world: &World, made: &[(CustomerId, SubscriptionId)]) {
    world.clock.advance_to(after(world.engine.now(), HOUR));
    world.sweep().await;
    all_renewed_once(world, made).await;
    assert!(world.engine.status().await.unwrap().set_aside.is_empty());
    holds(world).await;
}

/// All processes sweep the same rows at the same time, without leases to keep them apart. Answers with the decisions that
/// were made again, and how many of them because of 40001.
async fn race(url: &str) -> (u64, u64) {
    let (world, made) = business(Store::open(url).await.unwrap(), 40).await;
    let mut engines = others(&world, url).await;
    engines.push(world.engine.clone());
    let rounds = engines.iter().cloned().map(|engine| {
        tokio::spawn(async move {
            for _ in 0..4 {
                engine.run_due(RENEWAL, 1_000).await.unwrap();
            }
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        round.await.unwrap();
    }
    done_once(&world, &made).await;
    let (mut all, mut unserialisable) = (0, 0);
    for engine in &engines {
        let (own, of_them) = engine.store.conflicts();
        (all, unserialisable) = (all + own, unserialisable + of_them);
        engine.store.close().await;
    }
    (all, unserialisable)
}

/// The address of a database whose transactions are serialisable.
fn serialisable(fresh: &Fresh) -> String {
    let glue = if fresh.url.ends_with('?') { "" } else { "&" };
    format!(
        "{}{glue}options[default_transaction_isolation]=serializable",
        fresh.url
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_at_the_same_rows_do_nothing_twice() {
    if let Some(fresh) = postgres().await {
        let (all, unserialisable) = race(&fresh.url).await;
        assert!(all > 0, "they never met");
        assert_eq!(unserialisable, 0, "read committed knows no 40001");
        fresh.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_transactions_are_serialisable_and_refused_with_40001() {
    if let Some(fresh) = postgres().await {
        let url = serialisable(&fresh);
        let store = Store::open(&url).await.unwrap();
        let row = sqlx::query("show transaction_isolation");
        let row = row
            .fetch_one(&mut *store.read().await.unwrap())
            .await
            .unwrap();
        assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "serializable");
        store.close().await;
        let (_, unserialisable) = race(&url).await;
        assert!(unserialisable > 0, "nothing was refused with 40001");
        fresh.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_share_what_is_due_by_leases() {
    if let Some(fresh) = postgres().await {
        // Neighbours in time share a shard.
        let (world, made) = business_over(fresh.store.clone(), 64, HOUR).await;
        let now = world.engine.now();
        let mut engines = others(&world, &fresh.url).await;
        engines.push(world.engine.clone());
        let names = ["one", "two", "three", "four"].map(|id| lease::Process {
            id: id.to_owned(),
            started: now,
            until: now,
        });
        // Each says that it lives; then those that came first give back what is more than their share.
        for _ in 0..2 {
            for (engine, name) in engines.iter().zip(&names) {
                lease::renew(&engine.store, name, now, false).await.unwrap();
            }
        }
        let over = Arc::new(AtomicBool::new(false));
        let watch = tokio::spawn(locks(fresh.store.clone(), Arc::clone(&over)));
        let working = engines
            .iter()
            .cloned()
            .zip(names.clone())
            .map(|(engine, name)| {
                tokio::spawn(async move {
                    let held = lease::renew(&engine.store, &name, now, false)
                        .await
                        .unwrap();
                    assert_eq!(held.len(), 8);
                    engine.sweep(now, 1_000, Some(&held)).await.unwrap().done
                })
            });
        let mut done = Vec::new();
        for working in working.collect::<Vec<_>>() {
            done.push(working.await.unwrap());
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(watch.await.unwrap(), 0, "somebody took an advisory lock");
        assert!(done.iter().all(|own| *own > 0), "{done:?}");
        // A renewal that is alone in its shard is one piece of work, and its invoice another.
        let all: usize = done.iter().sum();
        assert!((made.len()..=2 * made.len()).contains(&all), "{done:?}");
        for engine in &engines {
            assert_eq!(
                engine.store.conflicts(),
                (0, 0),
                "they met in spite of leases"
            );
        }
        done_once(&world, &made).await;
        for engine in &engines {
            engine.store.close().await;
        }
    }
}

/// The advisory locks that are seen in this database until it is `over`.
async fn locks(store: Store, over: Arc<AtomicBool>) -> i64 {
    let sql = "select count(*) as n from pg_locks where locktype = 'advisory' \
               and database = (select oid from pg_database where datname = current_database())";
    let mut seen = 0;
    while !over.load(Ordering::SeqCst) {
        let mut read = store.read().await.unwrap();
        let row = sqlx::query(sql).fetch_one(&mut *read).await.unwrap();
        drop(read);
        seen += sqlx::Row::get::<i64, _>(&row, "n");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    seen
}

/// The files below a folder that hold SQL.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "sql")
        {
            found.push(path);
        }
    }
}

#[test]
fn no_statement_locks_or_skips_rows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "migrations"] {
        files(&root.join(folder), &mut found);
    }
    assert!(found.len() > 200, "where is the source? {}", found.len());
    for path in found {
        if path.ends_with(file!().rsplit('/').next().unwrap()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
        // A statement may go over several lines of a text.
        let text: Vec<_> = text
            .split_whitespace()
            .filter(|word| *word != "\\")
            .collect();
        let text = text.join(" ");
        for lock in [
            "skip locked",
            "pg_advisory",
            "pg_try_advisory",
            "lock table",
        ] {
            assert!(!text.contains(lock), "{}: {lock}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_shards_and_take_over_from_the_dead() {
    both(|store| async move {
        let start = Timestamp(1_000);
        let name = |id: &str| lease::Process {
            id: id.to_owned(),
            started: start,
            until: start,
        };
        let (one, two) = (name("one"), name("two"));
        let renew = |process: lease::Process, at: i64, busy: bool| {
            let store = store.clone();
            async move {
                lease::renew(&store, &process, Timestamp(at), busy)
                    .await
                    .unwrap()
                    .len()
            }
        };
        assert_eq!(renew(one.clone(), 1_000, false).await, 32);
        // Whoever comes later gets what the first gives back, which it does not in the midst of work.
        assert_eq!(renew(two.clone(), 1_001, false).await, 0);
        assert_eq!(renew(one.clone(), 1_010, true).await, 32);
        assert_eq!(renew(one.clone(), 1_011, false).await, 16);
        assert_eq!(renew(two.clone(), 1_012, false).await, 16);
        assert_eq!(renew(one.clone(), 1_013, false).await, 16);
        // One is silent until its lease is over.
        assert_eq!(renew(two.clone(), 1_043, false).await, 16);
        assert_eq!(renew(two.clone(), 1_044, false).await, 32);
        // It comes back, and finds that its shards are another's.
        assert_eq!(renew(one.clone(), 1_045, true).await, 0);
        lease::give_back(&store, &two).await.unwrap();
        assert_eq!(renew(one, 1_046, false).await, 32);
    })
    .await;
}

/// Two processes find the same attempt due. Where the bank has declined it for the one by the time the
/// other decides, the other does not try once more.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_another_process_has_made_is_not_due_any_more() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_visa").await;
        world.card(&customer, "pm_card_chargeCustomerFail").await;
        world
            .live_until(crate::service::tests::world::at(2026, 3, 1))
            .await;
        let open = world.latest(&id).await;
        assert!(
            open.next_payment_attempt
                .is_some_and(|at| at > world.engine.now())
        );
        let (asked, engine) = (world.asked().await, &world.engine);
        let again = engine
            .pay(&world.scope, &open.id, None, Starter::Schedule)
            .await;
        assert!(matches!(again, Err(Refused::State { .. })), "{again:?}");
        assert_eq!(world.asked().await, asked);
        assert_eq!(world.latest(&id).await.attempt_count, open.attempt_count);
    })
    .await;
}
