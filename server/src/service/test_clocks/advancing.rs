//! Moving a test clock: everything that is due on the way is done in order, each piece at its own
//! moment. A process that moves a clock holds it by a lease; if the process dies, another goes on
//! from where the clock stands, and what was done already is not due any more.

use std::collections::HashMap;
use std::time::Duration;

use perennial::calendar::Timestamp;
use perennial::id::TestClockId;
use perennial::test_clock::{ClockStatus, TestClock};
use sqlx::Row;
use tokio::sync::watch;

use crate::rendering;
use crate::service::billing::Work;
use crate::service::duties::{KINDS, Working};
use crate::service::invoices::defect;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Stored};
use crate::store::failure::{self, Failed, Place};
use crate::store::{Scope, key, nouns};

/// Says when a process is to stop.
pub type Stop = watch::Receiver<bool>;

/// What else can be due by a test clock, after the [`KINDS`] of real time: there, mails have a worker
/// of their own.
const KINDS_OF_CLOCKS: [(&str, Working); 1] = [("mail", Work::mail)];

/// Tables of which rows can be due by a test clock, and how a row is worked on. Those first do first
/// what is due at the same moment.
pub(super) fn kinds() -> impl Iterator<Item = (&'static str, Working)> {
    let by_real_time = KINDS.iter().map(|kind| (kind.name, kind.work));
    by_real_time.chain(KINDS_OF_CLOCKS)
}

/// What test clocks are called among what is done and set aside.
pub(in crate::service) const CLOCK: &str = "test_clock";
/// How long the process that moves a clock may be silent, in seconds.
const LEASE_SECONDS: i64 = 60;
/// How often, in seconds, it says how far the clock has come.
const PROGRESS_SECONDS: i64 = 1;
/// Rows of one kind that one query finds.
const BATCH: i64 = 64;
/// Clocks that one look finds.
const CLOCKS_MAX: i64 = 16;
/// How often a piece of work is tried before the clock is given up.
const TRIES_MAX: u32 = 3;
/// How often a row may be due again at the same moment before the clock is given up: work that
/// leaves its row due would never end.
const REPEATS_MAX: u32 = 20;

impl Engine {
    /// Looks after the test clocks that need it: moves those that are to move, to the end, one after
    /// another, and deletes those whose time is over. Answers with how many there were. When `stop`
    /// says so, it lets go of a clock between two pieces of work.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn tend_test_clocks(&self, stop: &Stop) -> Result<usize, Refused> {
        let due = {
            let mut read = self.store.read().await?;
            let rows = sqlx::query(nouns::TEST_CLOCKS_DUE)
                .bind(self.real_now().0)
                .bind(CLOCKS_MAX)
                .fetch_all(&mut *read)
                .await?;
            let mut due = Vec::with_capacity(rows.len());
            for row in &rows {
                let id: String = row.try_get("id")?;
                let id = TestClockId::parse(&id).map_err(defect)?;
                due.push((key::scope(row)?, id));
            }
            due
        };
        let found = due.len();
        for (scope, id) in due {
            if let Err(error) = self.tend(&scope, &id, stop).await {
                tracing::error!(%id, %error, "a test clock could not be looked after");
            }
        }
        Ok(found)
    }

    /// The next moment of real time at which a test clock needs a worker.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn next_test_clock_due_at(&self) -> Result<Option<Timestamp>, Refused> {
        let mut read = self.store.read().await?;
        let row = sqlx::query(nouns::TEST_CLOCKS_NEXT_DUE)
            .fetch_one(&mut *read)
            .await?;
        let at: Option<i64> = row.try_get("due_at")?;
        Ok(at.map(Timestamp))
    }

    async fn tend(&self, scope: &Scope, id: &TestClockId, stop: &Stop) -> Result<(), Refused> {
        let clock: Stored<TestClock> = match self.find(scope, id.as_str()).await {
            Err(Refused::NotFound { .. }) => return Ok(()),
            found => found?,
        };
        let now = self.real_now();
        if clock.due_at() > now {
            return Ok(());
        }
        if !clock.is_advancing() {
            return self.delete_test_clock(scope, id).await;
        }
        let Some(clock) = self.keep(scope, clock, |_| {}, None).await? else {
            return Ok(());
        };
        self.move_clock(scope, clock, stop).await
    }

    /// Saves a clock that this process moves, with its lease prolonged. `None` when somebody else
    /// changed it: then it is theirs.
    async fn keep(
        &self,
        scope: &Scope,
        mut clock: Stored<TestClock>,
        change: impl FnOnce(&mut TestClock),
        event: Option<&str>,
    ) -> Result<Option<Stored<TestClock>>, Refused> {
        let until = self.real_now().0.saturating_add(LEASE_SECONDS);
        clock.value.lease_until = Some(Timestamp(until));
        change(&mut clock.value);
        let mut tx = self.store.begin().await?;
        match document::update(tx.connection(), scope, &mut clock).await {
            Err(error) if error.is_conflict() => return Ok(None),
            saved => saved?,
        }
        if let Some(kind) = event {
            let object = rendering::test_clock(&clock, scope.livemode);
            let then = self.at(clock.frozen_time);
            then.emit(tx.connection(), scope, kind, object, None)
                .await?;
        }
        tx.commit().await?;
        Ok(Some(clock))
    }

    /// Does what is due until the clock's target, and lets it stand there.
    async fn move_clock(
        &self,
        scope: &Scope,
        clock: Stored<TestClock>,
        stop: &Stop,
    ) -> Result<(), Refused> {
        let ClockStatus::Advancing { target } = clock.status else {
            return Ok(());
        };
        match self.bill_before_leaving(scope, &clock).await {
            Ok(()) => {}
            Err(error) if error.is_outage() || error.is_overtaken() => return Err(error),
            Err(error) => {
                let (reached, reason) = (clock.frozen_time, error.to_string());
                return self
                    .stop_for_good(scope, clock, reached, "billing thresholds", &reason)
                    .await;
            }
        }
        let mut clock = clock;
        let mut said_at = self.real_now();
        let mut reached = clock.frozen_time;
        // Rows that were worked on at the moment that was reached, and how often.
        let mut repeats: HashMap<String, u32> = HashMap::new();
        loop {
            let due = self.due_by_clock(scope, &clock.id, target).await?;
            let Some(moment) = due.iter().map(|(at, ..)| *at).min() else {
                break;
            };
            if moment > reached {
                reached = moment;
                repeats.clear();
            }
            if self.real_now().0.saturating_sub(said_at.0) >= PROGRESS_SECONDS {
                said_at = self.real_now();
                let kept = self.keep(scope, clock, |own| own.reach(reached), None);
                match kept.await? {
                    Some(kept) => clock = kept,
                    None => return Ok(()),
                }
            }
            if *stop.borrow() {
                // Whoever comes next goes on at once.
                let let_go = |own: &mut TestClock| own.lease_until = None;
                self.keep(scope, clock, let_go, None).await?;
                return Ok(());
            }
            let then = self.at(reached);
            for (at, id, work) in due {
                if at > moment {
                    continue;
                }
                let times = repeats.entry(id.clone()).or_default();
                *times += 1;
                let failed = if *times > REPEATS_MAX {
                    Some("It stays due at the same moment, however often it is done.".to_owned())
                } else {
                    then.tried(&work).await.err().map(|error| error.to_string())
                };
                if let Some(reason) = failed {
                    return self
                        .stop_for_good(scope, clock, reached, &id, &reason)
                        .await;
                }
            }
        }
        let kind = "test_helpers.test_clock.ready";
        let kept = self.keep(scope, clock, TestClock::arrive, Some(kind));
        if kept.await?.is_some() {
            failure::tally(&self.store, CLOCK, 1, 0).await?;
        }
        Ok(())
    }

    /// Lets a clock stand where a row's work failed, for ever; says so by an event and among what is set
    /// aside.
    async fn stop_for_good(
        &self,
        scope: &Scope,
        clock: Stored<TestClock>,
        reached: Timestamp,
        row: &str,
        reason: &str,
    ) -> Result<(), Refused> {
        let place = Place::new(scope, clock.id.as_str());
        let kind = "test_helpers.test_clock.internal_failure";
        let fail = |own: &mut TestClock| {
            own.reach(reached);
            own.fail();
        };
        if self.keep(scope, clock, fail, Some(kind)).await?.is_none() {
            return Ok(());
        }
        tracing::error!(clock = %place.id, row, reason, "a test clock stopped for good");
        let failed = Failed {
            place,
            reason: format!("{row}: {reason}"),
            now: self.real_now(),
            next_at: failure::NEVER,
        };
        failure::note(&self.store, CLOCK, &[failed], &[]).await?;
        failure::tally(&self.store, CLOCK, 0, 1).await?;
        Ok(())
    }

    /// Does a piece of work, again after a while when it fails.
    async fn tried(&self, work: &Work) -> Result<(), Refused> {
        let mut attempt = 1;
        loop {
            let error = match self.do_one(work).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            tracing::error!(?work, attempt, %error, "due work of a test clock failed");
            if attempt == TRIES_MAX {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 200)).await;
            attempt += 1;
        }
    }

    /// What is due by a clock until `target`, in the order in which it is done; some of it, but
    /// always all kinds' earliest.
    async fn due_by_clock(
        &self,
        scope: &Scope,
        clock: &TestClockId,
        target: Timestamp,
    ) -> Result<Vec<(Timestamp, String, Work)>, Refused> {
        let mut read = self.store.read().await?;
        let mut due = Vec::new();
        // A handful of kinds.
        for (table, work) in kinds() {
            let sql = format!(
                "select id, clock_due_at from {table} where merchant = $1 and livemode = $2 \
                 and test_clock = $3 and clock_due_at <= $4 order by clock_due_at, id \
                 limit cast($5 as bigint)"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(scope.merchant.as_str())
                .bind(scope.mode())
                .bind(clock.as_str())
                .bind(target.0)
                .bind(BATCH)
                .fetch_all(&mut *read)
                .await?;
            for row in &rows {
                let id: String = row.try_get("id")?;
                let at = Timestamp(row.try_get("clock_due_at")?);
                let work = work(scope.clone(), &id)?;
                due.push((at, id, work));
            }
        }
        // Stable: kinds stay in order where moments are equal.
        due.sort_by_key(|(at, ..)| *at);
        Ok(due)
    }
}
