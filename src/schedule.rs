//! Subscription schedules: agreements in phases, and what a phase does to its subscription.
//!
//! There is one mechanism for whatever waits. The next phase stands on the subscription as its
//! [`ScheduledChange`], so that renewals, previews and pages need nothing else; the schedule keeps all
//! phases and puts the next one there when one begins. A change that a customer lets wait for the end
//! of the period is a schedule of two phases ([`Origin::Waiting`]), released when it has happened.

mod commitment;
mod phase;

pub use commitment::{Commitment, CommitmentPeriod, MinimumCommitment, TRUE_UP};
pub use phase::{
    AddedItem, Duration, Phase, PhaseAnchor, PhaseDraft, PhaseItem, PhaseTerms, lay_out,
};

use serde::{Deserialize, Serialize};

use crate::calendar::{CalendarError, Period, Timestamp};
use crate::id::{
    CustomerId, PaymentMethodId, Randomness, SubscriptionId, SubscriptionScheduleId, TestClockId,
};
use crate::metadata::Metadata;
use crate::subscription::{
    BillingMode, BillingThresholds, CollectionMethod, ScheduledChange, Subscription,
    SubscriptionError,
};

/// The most phases that are running or to come (Stripe: 10).
pub const PHASES_MAX: usize = 10;
/// The longest phase, in seconds (Stripe: five years).
pub const PHASE_SECONDS_MAX: i64 = 5 * 366 * 86_400;
/// How long before the end it is told, in seconds (Stripe: 7 days).
pub const EXPIRING_SECONDS: i64 = 7 * 86_400;

/// An agreement in phases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// `sub_sched_…`
    pub id: SubscriptionScheduleId,
    /// With whom.
    pub customer: CustomerId,
    /// What it drives; `None` before it starts and after it was released.
    pub subscription: Option<SubscriptionId>,
    /// Where it stands.
    pub status: ScheduleStatus,
    /// In order, each starting where the one before ends. Never empty.
    pub phases: Vec<Phase>,
    /// The place of the running phase, once it has started.
    pub current: Option<usize>,
    /// What follows the last phase.
    pub end_behavior: EndBehavior,
    /// For phases that don't say.
    pub defaults: DefaultSettings,
    /// How credits are computed.
    pub billing_mode: BillingMode,
    /// Who made it.
    pub origin: Origin,
    /// The end whose coming has been told.
    pub expiring_told: Option<Timestamp>,
    /// What it drove, once released.
    pub released_subscription: Option<SubscriptionId>,
    /// When it was canceled.
    pub canceled_at: Option<Timestamp>,
    /// When its last phase ended.
    pub completed_at: Option<Timestamp>,
    /// When it let its subscription go.
    pub released_at: Option<Timestamp>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
    /// When it was made.
    pub created: Timestamp,
}

/// Stripe's statuses of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// Its first phase lies ahead.
    NotStarted,
    /// It drives a subscription.
    Active,
    /// Its phases are over, and the subscription with them. Final.
    Completed,
    /// The subscription goes on without it. Final.
    Released,
    /// It was canceled. Final.
    Canceled,
}

impl ScheduleStatus {
    /// Whether it still does something.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::NotStarted | Self::Active)
    }
}

/// What follows the last phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndBehavior {
    /// The subscription goes on as it is.
    #[default]
    Release,
    /// The subscription ends.
    Cancel,
}

/// Who made a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The merchant: a contract, which only the merchant changes.
    #[default]
    Agreed,
    /// A change that waits for the end of the period. Whoever asked for it may take it back.
    Waiting,
}

/// What holds for phases that say nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultSettings {
    /// Where periods are counted from.
    pub anchor: PhaseAnchor,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: Option<CollectionMethod>,
    /// Days to pay a sent invoice.
    pub days_until_due: Option<u16>,
    /// Pays before the customer's default.
    pub default_payment_method: Option<PaymentMethodId>,
    /// For the customer's eyes.
    pub description: Option<String>,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<BillingThresholds>,
}

/// Why something about a schedule was refused. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No phases.
    #[error("a subscription schedule needs at least one phase")]
    NoPhases,
    /// More than [`PHASES_MAX`].
    #[error("a subscription schedule can have at most {PHASES_MAX} current and future phases")]
    TooManyPhases,
    /// A phase that ends before it starts, or lasts too long.
    #[error("phase {place} must end after it starts, at most five years later")]
    PhaseEnd {
        /// Which, from 0.
        place: usize,
    },
    /// Both a duration and an end, or neither where one is needed.
    #[error("phase {place} needs either a duration or an end_date")]
    PhaseLength {
        /// Which, from 0.
        place: usize,
    },
    /// A gap or an overlap.
    #[error("phase {place} must start where the phase before it ends")]
    NotContiguous {
        /// Which, from 0.
        place: usize,
    },
    /// A trial that ends outside its phase.
    #[error("the trial of phase {place} must end within the phase")]
    TrialEnd {
        /// Which, from 0.
        place: usize,
    },
    /// It is over.
    #[error("this can't be done to a subscription schedule that is {0:?}")]
    Status(ScheduleStatus),
    /// A date does not exist.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The subscription refuses.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
}

impl ScheduleError {
    /// The parameter of the API that is at fault, if one is.
    #[must_use]
    pub fn param(&self) -> Option<String> {
        Some(match self {
            Self::NoPhases | Self::TooManyPhases => "phases".to_owned(),
            Self::PhaseEnd { place } | Self::PhaseLength { place } => {
                format!("phases[{place}][end_date]")
            }
            Self::NotContiguous { place } => format!("phases[{place}][start_date]"),
            Self::TrialEnd { place } => format!("phases[{place}][trial_end]"),
            Self::Status(_) | Self::Calendar(_) => return None,
            Self::Subscription(error) => error.param()?.to_owned(),
        })
    }
}

impl Schedule {
    /// When its first phase starts.
    #[must_use]
    pub fn starts_at(&self) -> Option<Timestamp> {
        self.phases.first().map(|phase| phase.start)
    }

    /// When its last phase ends.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.phases.last().map(|phase| phase.end)
    }

    /// The running phase.
    #[must_use]
    pub fn current_phase(&self) -> Option<&Phase> {
        self.current.and_then(|place| self.phases.get(place))
    }

    /// The next moment at which it needs a worker of its own: to start, to tell that it will end, to
    /// let go. Its phases change with its subscription.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status {
            ScheduleStatus::NotStarted => self.starts_at(),
            ScheduleStatus::Active if self.origin == Origin::Agreed => {
                let end = self.ends_at()?;
                if self.expiring_told != Some(end) {
                    return Some(Timestamp(end.0.saturating_sub(EXPIRING_SECONDS)));
                }
                (self.end_behavior == EndBehavior::Release).then_some(end)
            }
            _ => None,
        }
    }

    /// What the phase at a place gives to the subscription.
    #[must_use]
    pub fn terms_of(&self, place: usize) -> Option<PhaseTerms> {
        self.phases
            .get(place)
            .map(|phase| phase.terms(&self.defaults))
    }

    /// Takes hold of a subscription in its first phase that has begun, at `at`.
    pub fn take_hold(
        &mut self,
        subscription: &mut Subscription,
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) {
        self.status = ScheduleStatus::Active;
        self.subscription = Some(subscription.id.clone());
        subscription.schedule = Some(self.id.clone());
        self.current = Some(self.phases.iter().rposition(|p| p.start <= at).unwrap_or(0));
        self.aim(subscription, at, ids);
    }

    /// Goes to the phase that has begun by `at`, if a new one has, and puts the next one on the
    /// subscription: called whenever the subscription moved or either was changed. Answers whether a
    /// new phase has begun.
    pub fn follow(
        &mut self,
        subscription: &mut Subscription,
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> bool {
        if self.status != ScheduleStatus::Active {
            return false;
        }
        let next = self.current.map_or(0, |place| place.saturating_add(1));
        // The subscription takes its change off when it has made it.
        let waits = subscription
            .scheduled_change
            .as_ref()
            .is_some_and(|change| change.phase.is_some());
        let begun = !waits && self.phases.get(next).is_some_and(|phase| phase.start <= at);
        if begun {
            self.current = Some(next);
        }
        self.aim(subscription, at, ids);
        begun
    }

    /// Puts the next phase, or the end, on the subscription.
    fn aim(&self, subscription: &mut Subscription, at: Timestamp, ids: &mut dyn Randomness) {
        if self.origin == Origin::Waiting {
            return;
        }
        let place = self.current.map_or(0, |place| place.saturating_add(1));
        subscription.scheduled_change = self.terms_of(place).map(|terms| ScheduledChange {
            at: self.phases.get(place).map_or(at, |phase| phase.start),
            items: Vec::new(),
            requested_at: at,
            phase: Some(Box::new(terms)),
        });
        subscription.aim_again(ids);
        if self.end_behavior == EndBehavior::Cancel {
            subscription.cancel_at = self.ends_at();
            subscription.canceled_at.get_or_insert(at);
        }
    }

    /// Lets the subscription go: it stays as it is, and what waited for it is taken back.
    ///
    /// # Errors
    /// When the schedule is over.
    pub fn release(
        &mut self,
        subscription: Option<&mut Subscription>,
        keep_cancel_date: bool,
        now: Timestamp,
    ) -> Result<(), ScheduleError> {
        if !self.status.is_live() {
            return Err(ScheduleError::Status(self.status));
        }
        self.status = ScheduleStatus::Released;
        self.released_at = Some(now);
        self.released_subscription = self.subscription.take();
        if let Some(own) = subscription {
            self.let_go(own);
            if self.end_behavior == EndBehavior::Cancel && !keep_cancel_date {
                own.cancel_at = None;
                own.canceled_at = None;
            }
        }
        Ok(())
    }

    /// Ends it with what it drives; the caller ends the subscription.
    ///
    /// # Errors
    /// When the schedule is over.
    pub fn cancel(&mut self, now: Timestamp) -> Result<(), ScheduleError> {
        if !self.status.is_live() {
            return Err(ScheduleError::Status(self.status));
        }
        self.status = ScheduleStatus::Canceled;
        self.canceled_at = Some(now);
        Ok(())
    }

    /// Notes that its subscription is over: it is completed where that is its own last phase's end,
    /// else canceled with it.
    pub fn close(&mut self, at: Timestamp) {
        let as_agreed =
            self.end_behavior == EndBehavior::Cancel && self.ends_at().is_some_and(|end| at >= end);
        if as_agreed {
            self.status = ScheduleStatus::Completed;
            self.completed_at = Some(at);
        } else {
            self.status = ScheduleStatus::Canceled;
            self.canceled_at = Some(at);
        }
    }

    fn let_go(&self, own: &mut Subscription) {
        if own.schedule.as_ref() == Some(&self.id) {
            own.schedule = None;
            own.scheduled_change = None;
        }
    }

    /// The running phase follows what was changed on the subscription directly.
    pub fn note(&mut self, subscription: &Subscription) {
        let place = self.current.unwrap_or(0);
        if let Some(phase) = self.phases.get_mut(place) {
            phase.mirror(subscription);
        }
    }

    /// The period of the running phase.
    #[must_use]
    pub fn current_period(&self) -> Option<Period> {
        let phase = self.current_phase().filter(|_| self.status.is_live())?;
        Some(Period {
            start: phase.start,
            end: phase.end,
        })
    }
}
