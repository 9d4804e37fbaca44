//! A process' share of the work: the shards that it holds, renewed while it lives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial::calendar::Timestamp;

use crate::service::Engine;
use crate::store::lease::{self, LEASE_SECONDS, Process};

/// How often a share is renewed, in seconds.
const RENEWAL_SECONDS: i64 = 10;

/// The share. Clones are the same one.
#[derive(Clone)]
pub(super) struct Share {
    engine: Engine,
    process: Arc<Process>,
    held: Arc<Mutex<Held>>,
}

struct Held {
    shards: Vec<i64>,
    renewed_at: Option<Timestamp>,
    /// A sweep is in the midst of these shards.
    busy: bool,
}

impl Share {
    pub(super) fn new(engine: Engine) -> Self {
        let now = engine.real_now();
        let process = Process {
            id: format!("{:032x}", engine.entropy.bits()),
            started: now,
            until: now,
        };
        Self {
            engine,
            process: Arc::new(process),
            held: Arc::new(Mutex::new(Held {
                shards: Vec::new(),
                renewed_at: None,
                busy: false,
            })),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shards to sweep now; none where the database does not let this process renew them.
    pub(super) async fn take(&self) -> Vec<i64> {
        self.held().busy = false;
        if self.is_old() {
            self.renew().await;
        }
        let (now, mut held) = (self.engine.real_now(), self.held());
        held.busy = true;
        let valid = held
            .renewed_at
            .is_some_and(|at| now.0.saturating_sub(at.0) < LEASE_SECONDS);
        match valid {
            true => held.shards.clone(),
            false => Vec::new(),
        }
    }

    /// A sweep is over: shards may be given back.
    pub(super) fn rest(&self) {
        self.held().busy = false;
    }

    fn is_old(&self) -> bool {
        let (now, held) = (self.engine.real_now(), self.held());
        held.renewed_at
            .is_none_or(|at| now.0.saturating_sub(at.0).abs() >= RENEWAL_SECONDS)
    }

    async fn renew(&self) {
        let (now, busy) = (self.engine.real_now(), self.held().busy);
        let first = self.held().renewed_at.is_none();
        // A SQLite file has one process: whoever held shards before this one is dead, however short a
        // time ago it said that it lives.
        if first
            && self.engine.store.is_sqlite()
            && let Err(error) = lease::take_over(&self.engine.store).await
        {
            tracing::warn!(%error, "the shards of a process before this one are waited for");
        }
        match lease::renew(&self.engine.store, &self.process, now, busy).await {
            Ok(shards) => {
                let mut held = self.held();
                if held.shards.len() != shards.len() {
                    tracing::info!(shards = shards.len(), "the share of the work changed");
                }
                // Something may be due there since long: the sleep between sweeps knows nothing of it.
                if !first && shards.iter().any(|shard| !held.shards.contains(shard)) {
                    self.engine.due.notify_one();
                }
                held.shards = shards;
                held.renewed_at = Some(now);
            }
            Err(error) => tracing::error!(%error, "the share of the work could not be renewed"),
        }
    }

    /// Renews for ever, beside the sweeps, which may take long.
    pub(super) async fn keep(self) {
        let pause = Duration::from_secs(RENEWAL_SECONDS.unsigned_abs());
        loop {
            tokio::time::sleep(pause).await;
            self.renew().await;
        }
    }

    /// Gives everything back.
    pub(super) async fn give_back(&self) {
        if let Err(error) = lease::give_back(&self.engine.store, &self.process).await {
            tracing::warn!(%error, "the share of the work was not given back; it ends by itself");
        }
    }
}
