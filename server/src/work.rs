//! The worker: does what falls due by itself, and forgets what is over.
//!
//! It sleeps until something is due, until somebody rings, or for half a minute. Any number of them
//! may work on one Postgres: they share the shards by leases, and each row's revision lets one of
//! them win where two meet all the same.

mod clocks;
pub mod metrics;
pub mod post;
mod share;

use std::sync::Arc;
use std::time::Duration;

use perennial::calendar::Timestamp;
use tokio::sync::watch;

use crate::service::{Engine, Refused, Swept, UPKEEP_SHARD};
use crate::store::{idempotency, key, mail, nouns};
use share::Share;

/// The longest sleep, in seconds: other processes don't ring here.
const SLEEP_SECONDS_MAX: u64 = 30;
/// The sleep after a sweep that the database did not let happen, in seconds: a short outage makes nothing
/// late. Each further one is twice as long, up to [`SLEEP_SECONDS_MAX`].
const OUTAGE_SECONDS: u64 = 1;
/// The shortest pause between two sweeps, in milliseconds, so that a busy server is not swept for
/// each of its commits.
const PAUSE_MILLIS: u64 = 1_000;
/// Pieces of work of one kind in one sweep: as many as let the other kinds wait for a second or two.
const SWEEP_MAX: u32 = 8_192;
/// How often what is over is forgotten, in seconds.
const PRUNE_SECONDS: i64 = 3_600;
/// How often all usage is compared with alerts and thresholds, in seconds; in between only that of
/// customers who used something lately.
const LOOK_SECONDS: i64 = 86_400;
/// How far back lately goes, in seconds: rounds come every [`PRUNE_SECONDS`], or somewhat later.
const LATELY_SECONDS: i64 = 3 * PRUNE_SECONDS;
/// How long a quote is kept after its end, in seconds: somebody may still look at it.
const QUOTE_KEPT_SECONDS: i64 = 7 * 86_400;

/// Works until `stop` says so; what is under way then is finished first.
pub async fn run(engine: Engine, stop: watch::Receiver<bool>) {
    let clocks = tokio::spawn(clocks::run(engine.clone(), stop.clone()));
    run_due(engine, stop).await;
    if let Err(error) = clocks.await {
        tracing::error!(%error, "looking after test clocks broke off");
    }
}

/// Does what is due in real time, until `stop` says so.
async fn run_due(engine: Engine, stop: watch::Receiver<bool>) {
    let share = Share::new(engine.clone());
    let keeper = tokio::spawn(share.clone().keep());
    run_share(&engine, &share, stop).await;
    keeper.abort();
    share.give_back().await;
}

async fn run_share(engine: &Engine, share: &Share, mut stop: watch::Receiver<bool>) {
    let bell = Arc::clone(&engine.due);
    let mut rounds = Rounds::default();
    let shards = share.take().await;
    match engine.settle_outstanding_of(SWEEP_MAX, Some(&shards)).await {
        Ok(0) => {}
        Ok(found) => tracing::info!(
            found,
            "found out what became of charges and set-ups that were out"
        ),
        Err(error) => {
            tracing::error!(%error, "charges and set-ups that are out could not be looked up")
        }
    }
    while !*stop.borrow() {
        let shards = share.take().await;
        let nap = sweep(engine, &shards, &mut rounds).await;
        share.rest();
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = rung(&bell) => {}
            // An error means that nobody is left to say stop.
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Waits until somebody rings, but not shorter than the pause between two sweeps.
async fn rung(bell: &tokio::sync::Notify) {
    tokio::time::sleep(Duration::from_millis(PAUSE_MILLIS)).await;
    bell.notified().await;
}

/// When the rounds of upkeep were made, and how sweeps went.
#[derive(Default)]
struct Rounds {
    pruned_at: Option<Timestamp>,
    looked_at: Option<Timestamp>,
    /// Sweeps in a row that the database did not let happen.
    outages: u32,
}

impl Rounds {
    /// Whether it is time for a round of upkeep; it begins then. A clock that was set back does not
    /// keep it waiting.
    fn begins(&mut self, now: Timestamp) -> bool {
        let due = self
            .pruned_at
            .is_none_or(|at| now.0.saturating_sub(at.0).saturating_abs() >= PRUNE_SECONDS);
        if due {
            self.pruned_at = Some(now);
        }
        due
    }

    /// Since when usage is compared with alerts and thresholds; `None` for all of it. That is when the
    /// process starts, because another may have died long ago with news of usage, and once a day,
    /// because usage may be reported late.
    fn looks_since(&self, now: Timestamp) -> Option<Timestamp> {
        let lately = Timestamp(now.0.saturating_sub(LATELY_SECONDS));
        let all = self.looked_at?;
        (now.0.saturating_sub(all.0).saturating_abs() < LOOK_SECONDS).then_some(lately)
    }

    /// How long to sleep after a sweep that the database did not let happen.
    fn after_outage(&mut self) -> Duration {
        // Beyond the fifth the longest sleep is shorter than twice the one before.
        let seconds = OUTAGE_SECONDS << self.outages.min(5);
        self.outages = self.outages.saturating_add(1);
        Duration::from_secs(seconds.min(SLEEP_SECONDS_MAX))
    }

    /// Notes that usage was looked at.
    fn looked(&mut self, now: Timestamp, since: Option<Timestamp>) {
        if since.is_none() {
            self.looked_at = Some(now);
        }
    }
}

/// What is done once for all processes, every now and then: by the one that holds the first shard.
/// Nothing here stops anything else, and each is safe to repeat.
async fn upkeep(engine: &Engine, rounds: &mut Rounds, now: Timestamp) {
    if let Err(error) = engine.count_retries().await {
        tracing::error!(%error, "outcomes of retries could not be counted");
    }
    if let Err(error) = prune(engine, now).await {
        tracing::error!(%error, "what is over could not be forgotten");
    }
    let since = rounds.looks_since(now);
    let alerts = engine.look_at_all_usage(since).await;
    let thresholds = engine.look_at_all_thresholds(since).await;
    match alerts.and(thresholds) {
        Ok(_) => rounds.looked(now, since),
        Err(error) => {
            tracing::error!(%error, "usage could not be compared with all alerts and thresholds");
        }
    }
    if let Err(error) = engine.forget_usage().await {
        tracing::error!(%error, "old events of usage could not be forgotten");
    }
}

/// Does what is due, and says how long to sleep.
async fn sweep(engine: &Engine, shards: &[i64], rounds: &mut Rounds) -> Duration {
    let now = engine.now();
    let longest = Duration::from_secs(SLEEP_SECONDS_MAX);
    if shards.contains(&UPKEEP_SHARD) && rounds.begins(now) {
        upkeep(engine, rounds, now).await;
    }
    if let Err(error) = engine.look_at_usage().await {
        tracing::error!(%error, "usage could not be compared with alerts");
    }
    let swept = match engine.sweep(now, SWEEP_MAX, Some(shards)).await {
        Ok(swept) => swept,
        Err(error) => {
            tracing::error!(%error, "what is due could not be done");
            return rounds.after_outage();
        }
    };
    // What can't be done now is tried again later, not at once.
    if swept.done > 0 {
        rounds.outages = 0;
        let Swept { done, failed } = swept;
        tracing::debug!(done, failed, "swept");
        // There may be more. What stays due, such as a charge of which the gateway says nothing,
        // is not asked after all the time.
        let full = done >= SWEEP_MAX as usize;
        return Duration::from_millis(if full { 0 } else { PAUSE_MILLIS });
    }
    match engine.next_due_at().await {
        Ok(next) => {
            rounds.outages = 0;
            let ahead = next.filter(|at| *at > now);
            ahead.map_or(longest, |at| {
                let seconds =
                    u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(SLEEP_SECONDS_MAX);
                Duration::from_secs(seconds.clamp(1, SLEEP_SECONDS_MAX))
            })
        }
        Err(error) => {
            tracing::error!(%error, "the next piece of work can't be found");
            rounds.after_outage()
        }
    }
}

/// Forgets answers to old requests, dead links and visits, and quotes that ended.
async fn prune(engine: &Engine, now: Timestamp) -> Result<(), Refused> {
    let mut tx = engine.store.begin().await?;
    let connection = tx.connection();
    idempotency::prune(&mut *connection, now).await?;
    key::prune(&mut *connection, now).await?;
    mail::prune(&mut *connection, now).await?;
    sqlx::query(nouns::QUOTES_PRUNE)
        .bind(now.0.saturating_sub(QUOTE_KEPT_SECONDS))
        .execute(&mut *connection)
        .await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests;
