//! The kinds of work that fall due by themselves, and how a sweep does them.
//!
//! **To add a kind**: a table as `store::due` wants it, and a [`Kind`] in [`KINDS`]: its name, its
//! statements by `due_sql!`, and what does one row. Everything else is here: finding rows by shard,
//! doing several at a time, setting aside what fails, counting, `perennial status`, the sleep until
//! the next moment.
//!
//! What is done must be safe to repeat: it looks at the row again, does what is due then, and saves
//! it under its revision. A row that stays due is found again in the next sweep.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use perennial::calendar::Timestamp;
use sqlx::Row as _;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};

use super::aside::{self, FAILURES_KNOWN_MAX};
use super::billing::Work;
use super::invoices::defect;
use super::{Engine, Refused};
use crate::store::due::{self, Cursor, DueRow, DueSql, due_sql};
use crate::store::{Scope, failure};

/// What became of a row.
pub(crate) type Done = (String, Result<(), Refused>);

type Future<T> = Pin<Box<dyn std::future::Future<Output = T> + Send>>;
/// Says what is to be done to a row, by its id.
pub(crate) type Working = fn(Scope, &str) -> Result<Work, Refused>;
type Many = fn(Engine, Scope, Vec<DueRow>, oneshot::Sender<()>) -> Future<Vec<Done>>;

/// A kind of due work.
pub(crate) struct Kind {
    /// As `perennial status` and the metrics call it: its table.
    pub(crate) name: &'static str,
    /// How its rows are found.
    pub(crate) sql: DueSql,
    /// What is done to one row. By a test clock it is due too, by its column `clock_due_at`.
    pub(crate) work: Working,
    /// Does many rows of one merchant better than one by one. Their rows are read with the column
    /// `customer`; the sender says when others may decide about the same customers.
    pub(crate) many: Option<Many>,
}

/// All kinds, in the order in which a sweep does them.
pub(crate) static KINDS: &[Kind] = &[
    Kind {
        name: "payment_intent",
        sql: due_sql!("payment_intent", "payment_intent", "asked_at", "customer"),
        work: Work::intent,
        many: None,
    },
    Kind {
        name: "setup_intent",
        sql: due_sql!("setup_intent", "setup_intent", "asked_at", "customer"),
        work: Work::set_up,
        many: None,
    },
    Kind {
        name: "refund",
        sql: due_sql!("refund", "refund", "asked_at", "customer"),
        work: Work::refund,
        many: None,
    },
    Kind {
        name: "subscription",
        sql: due_sql!(
            "subscription",
            "subscription",
            "due_at",
            "customer, body, revision, sort"
        ),
        work: Work::subscription,
        many: Some(|engine, scope, rows, begun| Box::pin(engine.advance_many(scope, rows, begun))),
    },
    Kind {
        name: "invoice",
        sql: due_sql!(
            "invoice",
            "invoice",
            "due_at",
            "customer, body, revision, sort"
        ),
        work: Work::invoice,
        many: Some(|engine, scope, rows, begun| Box::pin(engine.collect_many(scope, rows, begun))),
    },
    Kind {
        name: "subscription_schedule",
        sql: due_sql!(
            "subscription_schedule",
            "subscription_schedule",
            "due_at",
            "customer"
        ),
        work: Work::schedule,
        many: None,
    },
    Kind {
        name: "usage_span",
        sql: due_sql!("usage_span", "usage_span", "settles_at", "subscription"),
        work: Work::span,
        many: None,
    },
];

/// The shard whose holder does what is done once for all: taking news of cards, counting what retries
/// brought, forgetting what is over.
pub(crate) const UPKEEP_SHARD: i64 = 0;

/// Rows in one batch.
const BATCH_ROWS: usize = 512;
/// Batches that are under way at once: while one is written, others are decided.
const BATCHES_AT_ONCE: usize = 3;
/// Rows of a kind without batches that are under way at once. On SQLite their commits share one trip
/// to the disk.
const ONES_AT_ONCE: usize = 8;
/// Rows of a sweep after which the database looks at its statistics again, at first; then after each
/// four times as many.
const STATISTICS_ROWS: usize = 1_024;

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were done.
    pub done: usize,
    /// Rows that failed by themselves and were set aside.
    pub failed: usize,
}

impl Engine {
    /// Does what is due by `now`, of all merchants: at most `limit` of each kind. Answers with how
    /// many pieces of work were done; what fails by itself is set aside and tried again later.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn run_due(&self, now: Timestamp, limit: u32) -> Result<usize, Refused> {
        Ok(self.sweep(now, limit, None).await?.done)
    }

    /// As [`Engine::run_due`], of these shards only.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn sweep(
        &self,
        now: Timestamp,
        limit: u32,
        shards: Option<&[i64]>,
    ) -> Result<Swept, Refused> {
        let mut all = Swept::default();
        if shards.is_none_or(|held| held.contains(&UPKEEP_SHARD)) {
            match self.update_cards().await {
                Ok(taken) => all.done += taken,
                Err(error) => {
                    tracing::warn!(%error, "the gateway's news of cards could not be taken");
                }
            }
        }
        for kind in KINDS {
            let swept = self.sweep_kind(kind, now, now, limit, shards).await?;
            all.done += swept.done;
            all.failed += swept.failed;
        }
        Ok(all)
    }

    /// Asks after every charge, set-up and refund that is out, however young, and after every
    /// challenge: for a start, when whoever sent them may be dead. Answers with how many were asked
    /// after.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn settle_outstanding(&self, limit: u32) -> Result<usize, Refused> {
        self.settle_outstanding_of(limit, None).await
    }

    /// As [`Engine::settle_outstanding`], of these shards only.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn settle_outstanding_of(
        &self,
        limit: u32,
        shards: Option<&[i64]>,
    ) -> Result<usize, Refused> {
        let (mut done, now) = (0, self.now());
        const OUT: [&str; 3] = ["payment_intent", "setup_intent", "refund"];
        for kind in KINDS.iter().filter(|kind| OUT.contains(&kind.name)) {
            let ever = Timestamp(i64::MAX);
            let swept = self.sweep_kind(kind, now, ever, limit, shards).await?;
            done += swept.done;
        }
        Ok(done)
    }

    /// The next moment, after this one, at which anything is due.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn next_due_at(&self) -> Result<Option<Timestamp>, Refused> {
        let (mut connection, now) = (self.store.read().await?, self.now());
        let mut next: Option<Timestamp> = None;
        for kind in KINDS {
            let at = due::next(&mut connection, &kind.sql, now).await?;
            next = match (next, at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        Ok(next)
    }

    async fn sweep_kind(
        &self,
        kind: &'static Kind,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
        shards: Option<&[i64]>,
    ) -> Result<Swept, Refused> {
        let mut connection = self.store.read().await?;
        let mut busy = due::shards(&mut connection, &kind.sql, until).await?;
        busy.retain(|shard| shards.is_none_or(|held| held.contains(shard)));
        if busy.is_empty() {
            return Ok(Swept::default());
        }
        let known = failure::known(&mut connection, kind.name, FAILURES_KNOWN_MAX).await?;
        drop(connection);
        let mut run = Run::new(self, kind, now, known);
        let mut left = limit as usize;
        for shard in busy {
            let mut after = Cursor::default();
            while left > 0 && !run.broken() {
                let wanted = left.min(BATCH_ROWS);
                let mut connection = self.store.read().await?;
                let sql = &kind.sql;
                let rows =
                    due::rows(&mut connection, sql, shard, now, until, &after, wanted).await?;
                drop(connection);
                let count = rows.len();
                left = left.saturating_sub(count);
                if let Some(last) = rows.last() {
                    after = Cursor::after(last);
                }
                for (scope, rows) in by_scope(rows) {
                    run.start(scope, rows).await;
                }
                if count < wanted {
                    break;
                }
            }
        }
        run.finish().await
    }
}

/// Rows of one merchant each, in their order.
fn by_scope(rows: Vec<DueRow>) -> Vec<(Scope, Vec<DueRow>)> {
    let mut scopes: Vec<(Scope, Vec<DueRow>)> = Vec::new();
    let mut places: HashMap<Scope, usize> = HashMap::new();
    for row in rows {
        match places.get(&row.scope).and_then(|at| scopes.get_mut(*at)) {
            Some((_, own)) => own.push(row),
            None => {
                places.insert(row.scope.clone(), scopes.len());
                scopes.push((row.scope.clone(), vec![row]));
            }
        }
    }
    scopes
}

/// A batch that is under way.
struct Flight {
    scope: Scope,
    ids: Vec<String>,
    customers: HashSet<String>,
    begun: Option<oneshot::Receiver<()>>,
}

/// One kind's work in a sweep.
struct Run<'a> {
    engine: &'a Engine,
    kind: &'static Kind,
    now: Timestamp,
    /// Rows that failed before, with how often.
    known: HashMap<failure::Place, i64>,
    batches: JoinSet<Vec<Done>>,
    flights: HashMap<Id, Flight>,
    swept: Swept,
    /// How many rows must be done before the statistics are refreshed.
    statistics_at: usize,
    outage: Option<Refused>,
}

impl<'a> Run<'a> {
    fn new(
        engine: &'a Engine,
        kind: &'static Kind,
        now: Timestamp,
        known: HashMap<failure::Place, i64>,
    ) -> Self {
        Self {
            engine,
            kind,
            now,
            known,
            batches: JoinSet::new(),
            flights: HashMap::new(),
            swept: Swept::default(),
            statistics_at: STATISTICS_ROWS,
            outage: None,
        }
    }

    fn broken(&self) -> bool {
        self.outage.is_some()
    }

    /// Starts a batch as soon as it may.
    async fn start(&mut self, scope: Scope, rows: Vec<DueRow>) {
        while self.batches.len() >= BATCHES_AT_ONCE {
            self.land().await;
        }
        let engine = self.engine.clone();
        let ids = rows.iter().map(|row| row.id.clone()).collect();
        let (sender, begun) = oneshot::channel();
        let mut customers = HashSet::new();
        let task = match self.kind.many {
            Some(many) if rows.len() > 1 => {
                let named = rows.iter().map(|due| due.row.try_get("customer"));
                customers = named.filter_map(Result::ok).collect();
                self.wait_for(&customers).await;
                self.batches
                    .spawn(many(engine, scope.clone(), rows, sender))
            }
            _ => {
                let work = self.kind.work;
                let (own, rows) = (scope.clone(), rows.into_iter().map(|row| row.id).collect());
                self.batches.spawn(one_by_one(engine, own, rows, work))
            }
        };
        let flight = Flight {
            scope,
            ids,
            customers,
            begun: Some(begun),
        };
        self.flights.insert(task.id(), flight);
    }

    /// Waits until no batch decides about one of these customers: both would change them.
    async fn wait_for(&mut self, customers: &HashSet<String>) {
        for flight in self.flights.values_mut() {
            if !flight.customers.is_disjoint(customers)
                && let Some(begun) = flight.begun.take()
            {
                // An error means that it is over.
                let _ = begun.await;
            }
        }
    }

    /// Waits for a batch to end and notes what became of it.
    async fn land(&mut self) {
        match self.batches.join_next_with_id().await {
            None => {}
            Some(Ok((task, done))) => {
                if let Some(flight) = self.flights.remove(&task) {
                    self.note(&flight.scope, done).await;
                }
            }
            Some(Err(error)) => {
                tracing::error!(kind = self.kind.name, %error, "a batch broke off");
                if let Some(flight) = self.flights.remove(&error.id()) {
                    self.each(flight).await;
                }
            }
        }
    }

    /// Does the rows of a batch that broke off one by one, so that only the guilty one fails.
    async fn each(&mut self, flight: Flight) {
        for id in flight.ids {
            let (engine, own) = (self.engine.clone(), flight.scope.clone());
            let work = do_row(engine, own, id.clone(), self.kind.work);
            let result = match tokio::spawn(work).await {
                Ok(result) => result,
                Err(error) => Err(defect(error)),
            };
            self.note(&flight.scope, vec![(id, result)]).await;
        }
    }

    async fn note(&mut self, scope: &Scope, done: Vec<Done>) {
        let (mut failed, mut mended) = (Vec::new(), Vec::new());
        for (id, result) in done {
            let place = failure::Place::new(scope, &id);
            match result {
                Ok(()) => {
                    self.swept.done += 1;
                    if self.known.contains_key(&place) {
                        mended.push(place);
                    }
                }
                // Somebody else is at it.
                Err(error) if error.is_overtaken() => {}
                Err(error) if error.is_outage() => self.outage = Some(error),
                Err(error) => {
                    self.swept.failed += 1;
                    let before = self.known.get(&place).copied().unwrap_or(0);
                    failed.push(aside::failed(
                        self.kind.name,
                        place,
                        before,
                        self.now,
                        &error,
                    ));
                }
            }
        }
        self.refresh_statistics().await;
        if failed.is_empty() && mended.is_empty() {
            return;
        }
        let kind = self.kind.name;
        let noted = failure::note(&self.engine.store, kind, &failed, &mended).await;
        if let Err(error) = noted {
            tracing::error!(kind, %error, "what failed could not be set aside");
        }
    }

    /// Lets the database see how its tables have grown, so that it goes on to find rows by their keys:
    /// a run adds more in seconds than its own housekeeping looks at in minutes.
    async fn refresh_statistics(&mut self) {
        if self.kind.many.is_none() || self.swept.done < self.statistics_at {
            return;
        }
        self.statistics_at = self.statistics_at.saturating_mul(4);
        if let Err(error) = self.engine.store.refresh_statistics().await {
            tracing::warn!(%error, "the database's statistics could not be refreshed");
        }
    }

    async fn finish(mut self) -> Result<Swept, Refused> {
        while !self.batches.is_empty() {
            self.land().await;
        }
        if self.swept != Swept::default() {
            let (done, failed) = (self.swept.done, self.swept.failed);
            failure::tally(&self.engine.store, self.kind.name, done, failed).await?;
        }
        match self.outage {
            Some(error) => Err(error),
            None => Ok(self.swept),
        }
    }
}

/// Does what is due to one row.
async fn do_row(engine: Engine, scope: Scope, id: String, work: Working) -> Result<(), Refused> {
    engine.do_one(&work(scope, &id)?).await
}

/// Does rows without a batch, several at a time.
async fn one_by_one(engine: Engine, scope: Scope, ids: Vec<String>, work: Working) -> Vec<Done> {
    let mut done = Vec::with_capacity(ids.len());
    let mut waiting = ids.into_iter();
    let mut running = JoinSet::new();
    let mut names: HashMap<Id, String> = HashMap::new();
    loop {
        while running.len() < ONES_AT_ONCE
            && let Some(id) = waiting.next()
        {
            let task = running.spawn(do_row(engine.clone(), scope.clone(), id.clone(), work));
            names.insert(task.id(), id);
        }
        let (task, result) = match running.join_next_with_id().await {
            None => return done,
            Some(Ok((task, result))) => (task, result),
            Some(Err(error)) => (error.id(), Err(defect(error))),
        };
        if let Some(id) = names.remove(&task) {
            done.push((id, result));
        }
    }
}
