//! What makes up for a process that died between keeping usage and looking at its alerts and thresholds,
//! and what forgets events that nobody needs any more.

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, MeterId, SubscriptionId};
use perennial::usage::{Alert, EVENT_AGE_SECONDS_MAX};

use crate::service::aside::Aside;
use crate::service::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::failure::Place;
use crate::store::{Scope, threshold, usage};

/// Customers of a meter that are looked at together.
const TOGETHER: usize = 500;
/// Alerts that are read together.
const ALERTS_TOGETHER: i64 = 100;
/// Subscriptions with thresholds that are found together.
const THRESHOLDS_TOGETHER: i64 = 500;
/// How old an event is at least when it is forgotten, in seconds: the longest period is three years, and
/// its usage may change for 35 days after its end. Running totals stay.
pub const EVENT_KEPT_SECONDS: i64 = 3 * 366 * 86_400 + EVENT_AGE_SECONDS_MAX + 31 * 86_400;
/// What alerts that can't be looked at are called where they are set aside.
pub(in crate::service) const ALERT: &str = "billing_alert";
/// What subscriptions are called there whose usage can't be billed early.
pub(in crate::service) const THRESHOLD: &str = "billing_threshold";
/// Accounts that one round of forgetting goes through.
const ACCOUNTS_TOGETHER: i64 = 2_000;

impl Engine {
    /// Compares usage with all alerts, for a worker, when it starts and once an hour: news of usage
    /// are kept in memory only, and a process may have died with some. What was told is not told again.
    /// With `since`, only customers who used something since then are looked at. Answers with how many
    /// were.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn look_at_all_usage(&self, since: Option<Timestamp>) -> Result<usize, Refused> {
        let since = since.unwrap_or(Timestamp(0));
        let mut after = usage::AlertPlace::default();
        let (mut looking, mut looked) = (self.looking(ALERT).await?, 0);
        loop {
            let mut read = self.store.read().await?;
            let found = usage::active_alerts(&mut read, &after, ALERTS_TOGETHER).await?;
            drop(read);
            let Some((_, last, _)) = found.last() else {
                looking.write().await?;
                return Ok(looked);
            };
            after = last.clone();
            let mut meters: Vec<(Scope, MeterId, Vec<Stored<Alert>>)> = Vec::new();
            for (scope, place, alert) in found {
                let alert = match alert {
                    Ok(alert) => alert,
                    Err(error) => {
                        let place = Place::new(&scope, &place.id);
                        looking.note(place, Err::<(), _>(error.into()))?;
                        continue;
                    }
                };
                let known = meters
                    .iter_mut()
                    .find(|(own, meter, _)| *own == scope && *meter == alert.meter);
                match known {
                    Some((_, _, alerts)) => alerts.push(alert),
                    None => meters.push((scope, alert.meter.clone(), vec![alert])),
                }
            }
            for (scope, meter, alerts) in &meters {
                looking.note(Place::new(scope, meter.as_str()), Ok(()))?;
                looked += self
                    .look_at(scope, meter, alerts, since, &mut looking)
                    .await?;
            }
        }
    }

    /// Compares alerts of one meter: its customers are found once for all of them.
    async fn look_at(
        &self,
        scope: &Scope,
        meter: &MeterId,
        alerts: &[Stored<Alert>],
        since: Timestamp,
        looking: &mut Aside<'_>,
    ) -> Result<usize, Refused> {
        let (mut after, mut looked) = (String::new(), 0);
        let place = |alert: &Stored<Alert>| Place::new(scope, alert.id.as_str());
        for alert in alerts {
            if let Some(only) = &alert.customer {
                let compared = self.compare(scope, alert, &[only.as_str()]).await;
                looking.note(place(alert), compared)?;
                looked += 1;
            }
        }
        if alerts.iter().all(|alert| alert.customer.is_some()) {
            return Ok(looked);
        }
        loop {
            let mut read = self.store.read().await?;
            let meter = meter.as_str();
            let found =
                usage::customers_after(&mut read, scope, meter, &after, since, TOGETHER).await?;
            drop(read);
            let Some(last) = found.last() else {
                return Ok(looked);
            };
            after.clone_from(last);
            let names = found.iter().map(String::as_str);
            let known = names.filter(|name| CustomerId::parse(name).is_ok());
            let known: Vec<&str> = known.collect();
            for alert in alerts.iter().filter(|alert| alert.customer.is_none()) {
                looked += found.len();
                let compared = self.compare(scope, alert, &known).await;
                looking.note(place(alert), compared)?;
            }
        }
    }

    /// Bills subscriptions that have reached a threshold while nobody looked, as
    /// [`Engine::look_at_all_usage`] does with alerts. Answers with how many were looked at.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn look_at_all_thresholds(&self, since: Option<Timestamp>) -> Result<usize, Refused> {
        let since = since.unwrap_or(Timestamp(0));
        let mut after = threshold::Place::default();
        let (mut looking, mut looked) = (self.looking(THRESHOLD).await?, 0);
        loop {
            let mut read = self.store.read().await?;
            let found =
                threshold::used_since(&mut read, &after, since, THRESHOLDS_TOGETHER).await?;
            drop(read);
            let Some((_, _, last)) = found.last() else {
                looking.write().await?;
                return Ok(looked);
            };
            after = last.clone();
            looked += found.len();
            for (scope, id, _) in &found {
                let Ok(id) = SubscriptionId::parse(id) else {
                    continue;
                };
                let billed = self.bill_at_threshold(scope, &id).await;
                looking.note(Place::new(scope, id.as_str()), billed)?;
            }
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
