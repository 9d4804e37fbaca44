//! How a subscription and its schedule keep together: whoever saves the one saves the other.
//!
//! The subscription is the truth about what waits ([`Subscription::scheduled_change`]); a schedule
//! keeps the phases after that. Here the schedule follows: it goes to the phase that has begun and
//! puts the next one on the subscription, it takes over what was changed on the subscription directly,
//! and it ends with it. A change that a customer lets wait gets a schedule of its own, so that the API
//! shows one kind of thing for everything that waits.

use perennial::calendar::Timestamp;
use perennial::id::SubscriptionScheduleId;
use perennial::schedule::{DefaultSettings, EndBehavior, Origin, Phase, Schedule, ScheduleStatus};
use perennial::subscription::{CancellationReason, ScheduledChange, Subscription, items_after};

use super::booking::{Booking, Edit};
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// A schedule that is to be written with its subscription.
pub(crate) enum Led {
    /// It is new.
    New(Box<Schedule>),
    /// It changed; what happened to it may have an event of its own.
    Changed(Box<Edit<Schedule>>, Option<&'static str>),
}

impl Led {
    pub(crate) async fn write(self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        match self {
            Self::New(schedule) => booking.insert(*schedule).await.map(|_| ()),
            Self::Changed(mut edit, None) => booking.save(&mut edit).await,
            Self::Changed(mut edit, Some(kind)) => {
                booking.save_quietly(&mut edit).await?;
                booking.tell(kind, &**edit).await
            }
        }
    }
}

impl Engine {
    /// Lets the schedule follow a subscription that is about to be saved. `None` when there is none
    /// and none is needed.
    pub(crate) async fn led(
        &self,
        scope: &Scope,
        subscription: &mut Edit<Subscription>,
    ) -> Result<Option<Led>, Refused> {
        let before = subscription.before().schedule.clone();
        let Some(id) = before.or_else(|| subscription.schedule.clone()) else {
            return self
                .waiting_schedule(subscription)
                .map(|new| new.map(Led::New));
        };
        let row: Stored<Schedule> = self.find(scope, id.as_str()).await?;
        let mut schedule = Edit::of(row);
        if !schedule.status.is_live() {
            return Ok(None);
        }
        let now = self.now();
        let mut told = None;
        if subscription.status.is_final() {
            told = Some(ended(&mut schedule, subscription, now));
        } else if schedule.origin == Origin::Waiting {
            match subscription.scheduled_change.clone() {
                Some(change) if change.phase.is_none() => {
                    schedule.phases = phases_of(subscription, &change)?;
                }
                // It happened, or was taken back.
                _ => {
                    schedule.release(None, false, now)?;
                    subscription.schedule = None;
                    told = Some("subscription_schedule.released");
                }
            }
        } else {
            if subscription.schedule.is_none() {
                return Ok(None);
            }
            let waits = |own: &Subscription| own.scheduled_change.is_some();
            let entered = waits(subscription.before()) && !waits(subscription);
            if !entered && differs(subscription.before(), subscription) {
                let own = (**subscription).clone();
                schedule.note(&own);
            }
            schedule.follow(subscription, now, &mut self.ids());
        }
        Ok(Some(Led::Changed(Box::new(schedule), told)))
    }

    /// The schedule of a change that a customer lets wait, where it has none yet.
    fn waiting_schedule(
        &self,
        subscription: &mut Edit<Subscription>,
    ) -> Result<Option<Box<Schedule>>, Refused> {
        let Some(change) = subscription.scheduled_change.clone() else {
            return Ok(None);
        };
        let schedule = Schedule {
            id: SubscriptionScheduleId::new(&mut self.ids()),
            customer: subscription.customer.clone(),
            subscription: Some(subscription.id.clone()),
            status: ScheduleStatus::Active,
            phases: phases_of(subscription, &change)?,
            current: Some(0),
            end_behavior: EndBehavior::Release,
            defaults: DefaultSettings::default(),
            billing_mode: subscription.billing_mode,
            origin: Origin::Waiting,
            expiring_told: None,
            released_subscription: None,
            canceled_at: None,
            completed_at: None,
            released_at: None,
            metadata: perennial::metadata::Metadata::default(),
            test_clock: subscription.test_clock.clone(),
            created: self.now(),
        };
        subscription.schedule = Some(schedule.id.clone());
        Ok(Some(Box::new(schedule)))
    }
}

/// The phase that runs, and the one that waits: an interval of it, after which nothing changes.
fn phases_of(subscription: &Subscription, change: &ScheduledChange) -> Result<Vec<Phase>, Refused> {
    let starts = subscription
        .items
        .iter()
        .map(|item| item.current_period.start);
    let start = starts.min().unwrap_or(change.requested_at).min(change.at);
    let now = Phase::of(subscription, start, change.at);
    let mut after = subscription.clone();
    after.items = items_after(subscription, change)?;
    let cadence = after.items.first().and_then(|item| item.price.cadence());
    let end = cadence.and_then(|cadence| cadence.boundary(change.at, 1).ok());
    let mut then = Phase::of(&after, change.at, end.unwrap_or(change.at));
    then.proration_behavior = perennial::subscription::ProrationBehavior::None;
    Ok(vec![now, then])
}

/// Its subscription is over.
fn ended(schedule: &mut Schedule, subscription: &mut Subscription, now: Timestamp) -> &'static str {
    schedule.close(subscription.ended_at.unwrap_or(now));
    let unpaid = subscription
        .cancellation
        .as_ref()
        .is_some_and(|why| why.reason == Some(CancellationReason::PaymentFailed));
    match schedule.status {
        ScheduleStatus::Completed => "subscription_schedule.completed",
        _ if unpaid => "subscription_schedule.aborted",
        _ => "subscription_schedule.canceled",
    }
}

/// Whether what a phase says about a subscription was changed on the subscription itself. Discounts
/// that were used up are no change.
fn differs(before: &Subscription, after: &Subscription) -> bool {
    let items = |own: &Subscription| -> Vec<_> {
        let items = own.items.iter();
        items
            .map(|item| (item.price.id.clone(), item.quantity, item.tax_rates.clone()))
            .collect()
    };
    let gained = after
        .discounts
        .iter()
        .any(|one| before.discounts.iter().all(|other| other.id != one.id));
    gained
        || items(before) != items(after)
        || before.default_tax_rates != after.default_tax_rates
        || before.collection_method != after.collection_method
        || before.days_until_due != after.days_until_due
        || before.default_payment_method != after.default_payment_method
        || before.description != after.description
        || before.billing_thresholds != after.billing_thresholds
}
