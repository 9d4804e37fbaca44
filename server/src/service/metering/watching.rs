//! What makes up for a process that died between keeping usage and looking at its alerts, and what
//! forgets events that nobody needs any more.

use perennial::id::CustomerId;
use perennial::usage::{Alert, EVENT_AGE_SECONDS_MAX};

use crate::service::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::{Scope, usage};

/// Customers of a meter that are looked at together.
const TOGETHER: usize = 500;
/// Alerts that are read together.
const ALERTS_TOGETHER: i64 = 100;
/// How old an event is at least when it is forgotten, in seconds: the longest period is three years, and
/// its usage may change for 35 days after its end. Running totals stay.
pub const EVENT_KEPT_SECONDS: i64 = 3 * 366 * 86_400 + EVENT_AGE_SECONDS_MAX + 31 * 86_400;
/// Accounts that one round of forgetting goes through.
const ACCOUNTS_TOGETHER: i64 = 2_000;

impl Engine {
    /// Compares all usage with all alerts, for a worker, when it starts and once an hour: news of usage
    /// are kept in memory only, and a process may have died with some. What was told is not told again.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn look_at_all_usage(&self) -> Result<usize, Refused> {
        let mut after = usage::AlertPlace::default();
        let mut looked = 0;
        loop {
            let mut read = self.store.read().await?;
            let found = usage::active_alerts(&mut read, &after, ALERTS_TOGETHER).await?;
            drop(read);
            let Some((_, _, last)) = found.last() else {
                return Ok(looked);
            };
            after = last.clone();
            for (scope, alert, _) in &found {
                looked += self.look_at(scope, alert).await?;
            }
        }
    }

    async fn look_at(&self, scope: &Scope, alert: &Stored<Alert>) -> Result<usize, Refused> {
        if let Some(only) = &alert.customer {
            self.compare(scope, alert, &[only.as_str()]).await?;
            return Ok(1);
        }
        let (mut after, mut looked) = (String::new(), 0);
        loop {
            let mut read = self.store.read().await?;
            let meter = alert.meter.as_str();
            let found = usage::customers_after(&mut read, scope, meter, &after, TOGETHER).await?;
            drop(read);
            let Some(last) = found.last() else {
                return Ok(looked);
            };
            after.clone_from(last);
            looked += found.len();
            let names = found.iter().map(String::as_str);
            let known = names.filter(|name| CustomerId::parse(name).is_ok());
            let known: Vec<&str> = known.collect();
            self.compare(scope, alert, &known).await?;
        }
    }

    /// Forgets events that no bill can need any more, some accounts at a time; answers with how many.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn forget_usage(&self) -> Result<u64, Refused> {
        let before = self.now().0.saturating_sub(EVENT_KEPT_SECONDS);
        let after = self.metering.forgetting();
        let mut tx = self.store.begin().await?;
        let (gone, next) =
            usage::prune_events(tx.connection(), &after, ACCOUNTS_TOGETHER, before).await?;
        tx.commit().await?;
        self.metering.forget_from(next);
        Ok(gone)
    }
}
