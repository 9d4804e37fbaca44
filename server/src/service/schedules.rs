//! Subscription schedules: making, changing, releasing and cancelling them, and what they do by
//! themselves.

mod going;
mod phases;

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::discount::Discount;
use perennial::id::{CustomerId, PaymentMethodId, SubscriptionId, SubscriptionScheduleId};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::quote::Applied;
use perennial::schedule::{
    DefaultSettings, EndBehavior, Origin, Phase, PhaseAnchor, Schedule, ScheduleError,
    ScheduleStatus,
};
use perennial::subscription::{
    BillingMode, BillingThresholds, CollectionMethod, ProrationBehavior, Status, Subscription,
};

pub use phases::{NewPhase, PhaseMoment};

use super::billing::schedule_draft;
use super::booking::{Booking, Edit};
use super::changes::Ground;
use super::choices::Choices;
use super::find::values;
use super::invoices::{Collect, book_taken};
use super::payments::Claim;
use super::saving::edit_metadata;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// A new schedule, by ids.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// With whom.
    pub customer: CustomerId,
    /// When it starts; now if not said. In the past, the subscription begins then, and what has
    /// fallen due since is billed.
    pub start: Option<Timestamp>,
    /// 1 to 10.
    pub phases: Vec<NewPhase>,
    /// What follows the last one.
    pub end_behavior: EndBehavior,
    /// For phases that don't say.
    pub defaults: DefaultSettings,
    /// How credits are computed.
    pub billing_mode: BillingMode,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// What is to be different about a schedule; `None` keeps.
#[derive(Clone, Debug, Default)]
pub struct ScheduleUpdate {
    /// The running phase and those to come.
    pub phases: Option<Vec<NewPhase>>,
    /// What follows the last one.
    pub end_behavior: Option<EndBehavior>,
    /// For phases that don't say.
    pub defaults: DefaultsChange,
    /// How a change of the running phase is billed.
    pub proration_behavior: ProrationBehavior,
    /// The merchant's own keys.
    pub metadata: Option<MetadataChange>,
}

/// What is to be different about the defaults; `None` keeps, `Some(None)` takes away.
#[derive(Clone, Debug, Default)]
pub struct DefaultsChange {
    /// Where periods are counted from.
    pub anchor: Option<PhaseAnchor>,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: Option<CollectionMethod>,
    /// Days to pay a sent invoice.
    pub days_until_due: Option<u16>,
    /// Pays before the customer's default.
    pub default_payment_method: Option<Option<PaymentMethodId>>,
    /// For the customer's eyes.
    pub description: Option<Option<String>>,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<Option<BillingThresholds>>,
}

impl DefaultsChange {
    /// Makes the changes.
    pub fn apply(self, defaults: &mut DefaultSettings) {
        if let Some(anchor) = self.anchor {
            defaults.anchor = anchor;
        }
        if self.collection_method.is_some() {
            defaults.collection_method = self.collection_method;
        }
        if self.days_until_due.is_some() {
            defaults.days_until_due = self.days_until_due;
        }
        if let Some(method) = self.default_payment_method {
            defaults.default_payment_method = method;
        }
        if let Some(description) = self.description {
            defaults.description = description;
        }
        if let Some(thresholds) = self.billing_thresholds {
            defaults.billing_thresholds = thresholds;
        }
    }
}

impl Engine {
    /// Makes a schedule. One that has started by now begins its subscription, whose first invoice is
    /// a draft for an hour (as at Stripe).
    ///
    /// # Errors
    /// Names the parameter that can't be used.
    pub async fn create_schedule(
        &self,
        scope: &Scope,
        new: NewSchedule,
    ) -> Result<Stored<Schedule>, Refused> {
        let made = self
            .retrying(|| self.create_schedule_once(scope, &new))
            .await?;
        if made.status == ScheduleStatus::Active {
            self.catch_up(scope, &made).await?;
        }
        self.find(scope, made.id.as_str()).await
    }

    async fn create_schedule_once(
        &self,
        scope: &Scope,
        new: &NewSchedule,
    ) -> Result<Schedule, Refused> {
        let now = self.now();
        let id = new.customer.as_str();
        let owner: Stored<Customer> = self.find_named(scope, id, "customer").await?;
        let (mut schedule, mut choices) = self.drafted_schedule(scope, new, &owner).await?;
        if schedule.starts_at().is_some_and(|start| start > now) {
            self.check_creation(scope, &schedule).await?;
            // Whatever else the customer buys until then must be in the currency that is agreed.
            let mut owner: Edit<Customer> = Edit::of(owner);
            owner.currency = owner
                .currency
                .or(schedule.phases.first().map(|phase| phase.currency));
            let mut booking = Booking::begin(self, scope).await?;
            choices.write(&mut booking).await?;
            booking.save(&mut owner).await?;
            booking.insert(schedule.clone()).await?;
            booking.commit().await?;
            return Ok(schedule);
        }
        let begun = self.begun(scope, &mut schedule).await?;
        let mut booking = Booking::begin(self, scope).await?;
        begun.write(&mut booking).await?;
        choices.write(&mut booking).await?;
        booking.insert(schedule.clone()).await?;
        booking.commit().await?;
        Ok(schedule)
    }

    /// A new schedule, in memory.
    pub(super) async fn drafted_schedule(
        &self,
        scope: &Scope,
        new: &NewSchedule,
        owner: &Customer,
    ) -> Result<(Schedule, Choices), Refused> {
        let now = self.now();
        let start = new.start.unwrap_or(now);
        if let Some(method) = &new.defaults.default_payment_method {
            self.own_method(scope, method, &new.customer).await?;
        }
        let (phases, choices) = self
            .phases(
                scope,
                (&new.customer, new.billing_mode),
                start,
                &new.phases,
                &[],
            )
            .await?;
        let schedule = Schedule {
            id: SubscriptionScheduleId::new(&mut self.ids()),
            customer: new.customer.clone(),
            subscription: None,
            status: ScheduleStatus::NotStarted,
            phases,
            current: None,
            end_behavior: new.end_behavior,
            defaults: new.defaults.clone(),
            billing_mode: new.billing_mode,
            origin: Origin::Agreed,
            expiring_told: None,
            released_subscription: None,
            canceled_at: None,
            completed_at: None,
            released_at: None,
            metadata: new.metadata.clone(),
            test_clock: owner.test_clock.clone(),
            created: now,
        };
        Ok((schedule, choices))
    }

    /// Tries what the first phase will begin, so that nothing is agreed that can't be.
    async fn check_creation(&self, scope: &Scope, schedule: &Schedule) -> Result<(), Refused> {
        let id = schedule.customer.as_str();
        let customer: Stored<Customer> = self.find_named(scope, id, "customer").await?;
        let terms = schedule.terms_of(0).ok_or(ScheduleError::NoPhases)?;
        let creation = terms.creation(schedule.billing_mode);
        Subscription::create(creation, &customer, &[], &mut self.ids())?;
        Ok(())
    }

    /// The subscription that a schedule begins with its first phase, in memory.
    async fn begun(&self, scope: &Scope, schedule: &mut Schedule) -> Result<Begun, Refused> {
        let now = self.now();
        let id = schedule.customer.as_str();
        let row = self.find_named(scope, id, "customer").await?;
        let mut customer: Edit<Customer> = Edit::of(row);
        let pending = self.pending(scope, &customer.id).await?;
        let terms = schedule.terms_of(0).ok_or(ScheduleError::NoPhases)?;
        let creation = terms.creation(schedule.billing_mode);
        let at = creation.at;
        let mut ids = self.ids();
        let created = Subscription::create(creation, &customer, &values(&pending), &mut ids)?;
        let (mut subscription, mut invoice) = (created.subscription, created.invoice);
        // Its first invoice is a draft, so nothing has been tried yet.
        if subscription.status == Status::Incomplete {
            subscription.status = Status::Active;
        }
        customer.currency = Some(subscription.currency);
        if let Some(invoice) = &mut invoice {
            let draft_seconds = self.merchant(scope).await?.draft_seconds;
            schedule_draft(invoice, &subscription, now, draft_seconds, now)?;
        }
        schedule.take_hold(&mut subscription, at, &mut ids);
        Ok(Begun {
            customer,
            subscription,
            invoice,
            added: created.added,
            pending,
        })
    }

    /// Puts a schedule on a subscription that runs: one phase, as it is now, until its period ends.
    ///
    /// # Errors
    /// When there is none, it is over, or a schedule has it already.
    pub async fn schedule_from_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        metadata: &Metadata,
    ) -> Result<Stored<Schedule>, Refused> {
        self.retrying(|| async move {
            let now = self.now();
            let param = "from_subscription";
            let row = self.find_named(scope, id.as_str(), param).await?;
            let mut subscription: Edit<Subscription> = Edit::of(row);
            if !subscription.status.is_changeable() {
                let message = "You can't create a schedule from a subscription that is incomplete \
                               or over.";
                return Err(Refused::invalid(param, message));
            }
            if let Some(taken) = &subscription.schedule {
                let message = format!(
                    "You cannot migrate a subscription that is already attached to a schedule: \
                     {taken}"
                );
                return Err(Refused::invalid(param, message));
            }
            let end = subscription.period_end().unwrap_or(now);
            let starts = subscription
                .items
                .iter()
                .map(|item| item.current_period.start);
            let start = starts.min().unwrap_or(now);
            let phase = Phase::of(&subscription, start, end);
            let mut ids = self.ids();
            let mut schedule = Schedule {
                id: SubscriptionScheduleId::new(&mut ids),
                customer: subscription.customer.clone(),
                subscription: Some(id.clone()),
                status: ScheduleStatus::Active,
                phases: vec![phase],
                current: Some(0),
                end_behavior: EndBehavior::Release,
                defaults: DefaultSettings::default(),
                billing_mode: subscription.billing_mode,
                origin: Origin::Agreed,
                expiring_told: None,
                released_subscription: None,
                canceled_at: None,
                completed_at: None,
                released_at: None,
                metadata: metadata.clone(),
                test_clock: subscription.test_clock.clone(),
                created: now,
            };
            if subscription.cancel_at.is_some_and(|at| at == end) {
                schedule.end_behavior = EndBehavior::Cancel;
            }
            schedule.take_hold(&mut subscription, now, &mut ids);
            let mut booking = Booking::begin(self, scope).await?;
            let stored = booking.insert(schedule).await?;
            booking.save(&mut subscription).await?;
            booking.commit().await?;
            Ok(stored)
        })
        .await
    }

    /// Changes a schedule. What differs in the running phase is changed on its subscription at once,
    /// and billed by the update's `proration_behavior`; a phase that ends now is left now.
    ///
    /// # Errors
    /// Names the parameter that can't be used; [`Refused::State`] when the schedule is over.
    pub async fn update_schedule(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
        update: ScheduleUpdate,
    ) -> Result<Stored<Schedule>, Refused> {
        let claim = self
            .retrying(|| self.update_schedule_once(scope, id, &update))
            .await?;
        if let Some(claim) = claim {
            self.send(scope, claim).await?;
        }
        let found: Stored<Schedule> = self.find(scope, id.as_str()).await?;
        self.catch_up(scope, &found).await?;
        self.find(scope, id.as_str()).await
    }

    async fn update_schedule_once(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
        update: &ScheduleUpdate,
    ) -> Result<Option<Claim>, Refused> {
        let now = self.now();
        let mut schedule: Edit<Schedule> = Edit::of(self.find(scope, id.as_str()).await?);
        if !schedule.status.is_live() {
            return Err(over(&schedule));
        }
        let was_canceling = schedule.end_behavior == EndBehavior::Cancel;
        let mut choices = self
            .change_schedule(scope, &mut schedule, update, now)
            .await?;
        let Some(subscription) = schedule.subscription.clone() else {
            self.check_creation(scope, &schedule).await?;
            let mut booking = Booking::begin(self, scope).await?;
            choices.write(&mut booking).await?;
            booking.save(&mut schedule).await?;
            booking.commit().await?;
            return Ok(None);
        };
        let mut ground = self.ground(scope, &subscription).await?;
        let applied = self.reentered(&mut ground, &mut schedule, update, was_canceling)?;
        ground.schedule = Some(schedule);
        let collect = Collect::Now { on_session: false };
        let prepared = self
            .prepare(scope, &mut ground, applied, collect, None)
            .await?;
        let mut booking = Booking::begin(self, scope).await?;
        choices.write(&mut booking).await?;
        let made = prepared.write(&mut booking, ground).await?;
        booking.commit().await?;
        Ok(made.claim)
    }

    /// Changes a schedule as an update says, in memory.
    pub(super) async fn change_schedule(
        &self,
        scope: &Scope,
        schedule: &mut Edit<Schedule>,
        update: &ScheduleUpdate,
        now: Timestamp,
    ) -> Result<Choices, Refused> {
        edit_metadata(&mut schedule.metadata, update.metadata.as_ref())?;
        if let Some(behavior) = update.end_behavior {
            schedule.end_behavior = behavior;
        }
        if let Some(Some(method)) = &update.defaults.default_payment_method {
            self.own_method(scope, method, &schedule.customer).await?;
        }
        update.defaults.clone().apply(&mut schedule.defaults);
        let mut choices = Choices::default();
        if let Some(wanted) = &update.phases {
            choices = self.set_phases(scope, schedule, wanted, now).await?;
        }
        // What a customer let wait is the merchant's from here on.
        schedule.origin = Origin::Agreed;
        Ok(choices)
    }

    /// Replaces the running phase and those to come. Past ones may be sent again, unchanged.
    async fn set_phases(
        &self,
        scope: &Scope,
        schedule: &mut Edit<Schedule>,
        wanted: &[NewPhase],
        now: Timestamp,
    ) -> Result<Choices, Refused> {
        let current = schedule.current.unwrap_or(0);
        let running = schedule.current_phase().cloned();
        let start = match &running {
            Some(phase) => phase.start,
            None => wanted
                .first()
                .and_then(|phase| phase.start)
                .map(|moment| moment.at(now))
                .or(schedule.starts_at())
                .unwrap_or(now),
        };
        let sent_again = wanted.iter().take_while(|phase| {
            phase.start.is_some_and(|own| own.at(now) < start)
                && schedule.status == ScheduleStatus::Active
        });
        let past = sent_again.count();
        let wanted = wanted.get(past..).unwrap_or_default();
        let present: Vec<Discount> = schedule
            .phases
            .iter()
            .skip(current)
            .flat_map(|phase| {
                let own = phase.items.iter().flat_map(|item| &item.discounts);
                phase
                    .discounts
                    .iter()
                    .chain(own)
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect();
        let customer = schedule.customer.clone();
        let (mut phases, choices) = self
            .phases(
                scope,
                (&customer, schedule.billing_mode),
                start,
                wanted,
                &present,
            )
            .await?;
        if let (Some(first), Some(running)) = (phases.first_mut(), &running) {
            // What was billed with its beginning is not billed again.
            first.added.clone_from(&running.added);
            if first.end < now {
                let message = "The running phase can't end in the past.";
                return Err(Refused::invalid("phases[0][end_date]", message));
            }
        }
        schedule.phases.truncate(current);
        schedule.phases.extend(phases);
        Ok(choices)
    }

    /// The subscription as its running phase now says.
    pub(super) fn reentered(
        &self,
        ground: &mut Ground,
        schedule: &mut Schedule,
        update: &ScheduleUpdate,
        was_canceling: bool,
    ) -> Result<Applied, Refused> {
        let now = self.now();
        let mut ids = self.ids();
        let mut next = (*ground.subscription).clone();
        let pending = ground.waiting();
        let mut turned = perennial::subscription::Turned {
            at: now,
            invoice: None,
            taken: Vec::new(),
            pending: Vec::new(),
        };
        if update.phases.is_some() || schedule.current_phase().is_some() {
            let place = schedule.current.unwrap_or(0);
            let mut terms = schedule.terms_of(place).ok_or(ScheduleError::NoPhases)?;
            terms.proration_behavior = update.proration_behavior;
            terms.anchor = PhaseAnchor::Automatic;
            terms.added.clear();
            terms.trial_end = terms.trial_end.filter(|end| next.trial_end != Some(*end));
            let same = next
                .commitments
                .iter()
                .any(|own| Some(own.terms) == terms.minimum_commitment);
            if same {
                terms.minimum_commitment = None;
            } else {
                next.commitments.retain(|own| own.period.end <= now);
            }
            let steps = next.steps_to(&terms, &mut ids);
            turned = next.enter(&terms, &steps, &ground.customer, &pending, now, &mut ids)?;
        }
        if was_canceling && schedule.end_behavior == EndBehavior::Release {
            next.cancel_at = None;
            next.canceled_at = None;
        }
        next.schedule = Some(schedule.id.clone());
        schedule.follow(&mut next, now, &mut ids);
        Ok(Applied::of_phase(next, turned))
    }

    /// Does at once what is due to the subscription of a schedule.
    async fn catch_up(&self, scope: &Scope, schedule: &Schedule) -> Result<(), Refused> {
        match &schedule.subscription {
            Some(id) if schedule.status == ScheduleStatus::Active => {
                self.advance_subscription(scope, id).await
            }
            _ => Ok(()),
        }
    }
}

/// A subscription that a schedule begins, to be written.
struct Begun {
    customer: Edit<Customer>,
    subscription: Subscription,
    invoice: Option<perennial::invoice::Invoice>,
    added: Vec<perennial::invoice::InvoiceItem>,
    pending: Vec<Stored<perennial::invoice::InvoiceItem>>,
}

impl Begun {
    async fn write(mut self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        booking.hold(&mut self.customer).await?;
        booking.insert(self.subscription).await?;
        if let Some(invoice) = self.invoice {
            let taken: Vec<_> = invoice
                .lines
                .iter()
                .filter_map(|line| line.invoice_item.clone())
                .collect();
            let invoice = booking.insert(invoice).await?;
            book_taken(booking, self.pending, &taken, &invoice.id).await?;
        }
        booking.insert_all(self.added).await?;
        booking.save(&mut self.customer).await
    }
}

/// Stripe's refusal of a schedule that is over.
pub(super) fn over(schedule: &Schedule) -> Refused {
    let status = super::due::schedule_status_name(schedule.status);
    Refused::State {
        code: None,
        message: format!(
            "You cannot change a subscription schedule that is currently in the `{status}` status. \
             Its status must be `not_started` or `active`."
        ),
    }
}

impl From<ScheduleError> for Refused {
    fn from(error: ScheduleError) -> Self {
        match (error, ()) {
            (ScheduleError::Subscription(inner), ()) => inner.into(),
            (error, ()) => match error.param() {
                Some(param) => Self::invalid(param, error.to_string()),
                None => Self::State {
                    code: None,
                    message: error.to_string(),
                },
            },
        }
    }
}
