//! Phases: what holds from when to when.

use serde::{Deserialize, Serialize};

use super::{DefaultSettings, MinimumCommitment, PHASE_SECONDS_MAX, PHASES_MAX, ScheduleError};
use crate::calendar::{Cadence, Period, Timestamp};
use crate::catalog::Price;
use crate::currency::Currency;
use crate::discount::Discount;
use crate::id::PaymentMethodId;
use crate::metadata::Metadata;
use crate::subscription::{
    BillingMode, BillingThresholds, CollectionMethod, Creation, NewItem, ProrationBehavior,
    Subscription,
};
use crate::tax::TaxRate;

/// A stretch of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// The first second.
    pub start: Timestamp,
    /// The first second after it.
    pub end: Timestamp,
    /// Of all its prices.
    pub currency: Currency,
    /// What the subscription has meanwhile.
    pub items: Vec<PhaseItem>,
    /// One-off amounts, billed with the phase's first invoice.
    pub added: Vec<AddedItem>,
    /// How the step into it is billed.
    pub proration_behavior: ProrationBehavior,
    /// Where periods are counted from; `None` leaves it to the defaults.
    pub anchor: Option<PhaseAnchor>,
    /// `None` leaves it to the defaults.
    pub collection_method: Option<CollectionMethod>,
    /// Days to pay a sent invoice.
    pub days_until_due: Option<u16>,
    /// `None` leaves it to the defaults.
    pub default_payment_method: Option<PaymentMethodId>,
    /// For lines without rates of their own.
    pub default_tax_rates: Vec<TaxRate>,
    /// On the whole subscription; none lets the customer's own apply.
    pub discounts: Vec<Discount>,
    /// `None` leaves it to the defaults.
    pub description: Option<String>,
    /// Until when nothing is owed; within the phase.
    pub trial_end: Option<Timestamp>,
    /// When to bill before the period ends; `None` leaves it to the defaults.
    pub billing_thresholds: Option<BillingThresholds>,
    /// What is to be spent at least: an extension of ours.
    #[serde(default)]
    pub minimum_commitment: Option<MinimumCommitment>,
    /// Set on the subscription when the phase begins.
    pub metadata: Metadata,
}

/// A price on a phase, in some quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseItem {
    /// The terms, copied when agreed: they hold even if the price is no longer sold by then.
    pub price: Price,
    /// Units; 0 for a metered price.
    pub quantity: u64,
    /// Instead of the phase's default rates.
    pub tax_rates: Vec<TaxRate>,
    /// Applied before the phase's own.
    pub discounts: Vec<Discount>,
    /// Bill once this much was used.
    pub usage_gte: Option<u64>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// A one-off amount of a phase, or of a subscription's start or change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedItem {
    /// A one-time price.
    pub price: Price,
    /// Units.
    pub quantity: u64,
    /// Instead of the default rates.
    pub tax_rates: Vec<TaxRate>,
    /// Applied before the invoice's own.
    pub discounts: Vec<Discount>,
    /// Whether the invoice's discounts touch it.
    pub discountable: bool,
    /// What it covers; the moment it is billed, if not said.
    pub period: Option<Period>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// Where the periods of a phase are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseAnchor {
    /// From where they were counted before.
    #[default]
    Automatic,
    /// From the phase's start: new periods begin there.
    PhaseStart,
}

/// All that the beginning of a phase changes on a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTerms {
    /// The phase's own stretch.
    pub period: Period,
    /// What the subscription has from then on.
    pub items: Vec<PhaseItem>,
    /// One-off amounts.
    pub added: Vec<AddedItem>,
    /// How the step is billed.
    pub proration_behavior: ProrationBehavior,
    /// Where periods are counted from.
    pub anchor: PhaseAnchor,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: CollectionMethod,
    /// Days to pay a sent invoice.
    pub days_until_due: Option<u16>,
    /// `None` keeps what pays.
    pub default_payment_method: Option<PaymentMethodId>,
    /// For lines without rates of their own.
    pub default_tax_rates: Vec<TaxRate>,
    /// On the whole subscription.
    pub discounts: Vec<Discount>,
    /// `None` keeps it.
    pub description: Option<String>,
    /// Until when nothing is owed.
    pub trial_end: Option<Timestamp>,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<BillingThresholds>,
    /// What is to be spent at least.
    pub minimum_commitment: Option<MinimumCommitment>,
    /// Set on the subscription.
    pub metadata: Metadata,
}

/// How long a phase lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub Cadence);

/// A phase as it is asked for: everything but its dates is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseDraft {
    /// The phase; its start and end are filled in.
    pub phase: Phase,
    /// Where it is to start, if that is said; it must be where the one before ends.
    pub start: Option<Timestamp>,
    /// Where it ends, if that is said.
    pub end: Option<Timestamp>,
    /// How long it lasts, if that is said.
    pub duration: Option<Duration>,
    /// The whole phase is a trial.
    pub trial: bool,
}

/// Gives dates to phases that start at `start`: each begins where the one before ends. A phase that
/// says neither its end nor its duration lasts one interval of its first item.
///
/// # Errors
/// Names the first phase that can't stand.
pub fn lay_out(start: Timestamp, drafts: Vec<PhaseDraft>) -> Result<Vec<Phase>, ScheduleError> {
    if drafts.is_empty() {
        return Err(ScheduleError::NoPhases);
    }
    if drafts.len() > PHASES_MAX {
        return Err(ScheduleError::TooManyPhases);
    }
    let mut phases: Vec<Phase> = Vec::with_capacity(drafts.len());
    let mut at = start;
    for (place, draft) in drafts.into_iter().enumerate() {
        if draft.start.is_some_and(|own| own != at) {
            return Err(ScheduleError::NotContiguous { place });
        }
        let mut phase = draft.phase;
        let own = phase.items.first().and_then(|item| item.price.cadence());
        let end = match (draft.end, draft.duration) {
            (Some(_), Some(_)) => return Err(ScheduleError::PhaseLength { place }),
            (Some(end), None) => end,
            (None, Some(Duration(cadence))) => cadence.boundary(at, 1)?,
            (None, None) => own
                .ok_or(ScheduleError::PhaseLength { place })?
                .boundary(at, 1)?,
        };
        if end <= at || end.0.saturating_sub(at.0) > PHASE_SECONDS_MAX {
            return Err(ScheduleError::PhaseEnd { place });
        }
        (phase.start, phase.end) = (at, end);
        if draft.trial {
            phase.trial_end = Some(end);
        }
        if phase
            .trial_end
            .is_some_and(|trial| trial <= at || trial > end)
        {
            return Err(ScheduleError::TrialEnd { place });
        }
        at = end;
        phases.push(phase);
    }
    Ok(phases)
}

impl Phase {
    /// All that its beginning changes.
    #[must_use]
    pub fn terms(&self, defaults: &DefaultSettings) -> PhaseTerms {
        let method = self.collection_method.or(defaults.collection_method);
        let collection_method = method.unwrap_or_default();
        let days = self.days_until_due.or(defaults.days_until_due);
        PhaseTerms {
            period: Period {
                start: self.start,
                end: self.end,
            },
            items: self.items.clone(),
            added: self.added.clone(),
            proration_behavior: self.proration_behavior,
            anchor: self.anchor.unwrap_or(defaults.anchor),
            collection_method,
            days_until_due: days.filter(|_| collection_method == CollectionMethod::SendInvoice),
            default_payment_method: self
                .default_payment_method
                .clone()
                .or_else(|| defaults.default_payment_method.clone()),
            default_tax_rates: self.default_tax_rates.clone(),
            discounts: self.discounts.clone(),
            description: self
                .description
                .clone()
                .or_else(|| defaults.description.clone()),
            trial_end: self.trial_end,
            billing_thresholds: self.billing_thresholds.or(defaults.billing_thresholds),
            minimum_commitment: self.minimum_commitment,
            metadata: self.metadata.clone(),
        }
    }

    /// A phase that is what a subscription is now.
    #[must_use]
    pub fn of(subscription: &Subscription, start: Timestamp, end: Timestamp) -> Self {
        let mut phase = Self {
            start,
            end,
            currency: subscription.currency,
            items: Vec::new(),
            added: Vec::new(),
            proration_behavior: ProrationBehavior::CreateProrations,
            anchor: None,
            collection_method: None,
            days_until_due: None,
            default_payment_method: None,
            default_tax_rates: Vec::new(),
            discounts: Vec::new(),
            description: None,
            trial_end: subscription
                .trial_end
                .filter(|trial| *trial > start && *trial <= end),
            billing_thresholds: None,
            minimum_commitment: None,
            metadata: Metadata::default(),
        };
        phase.mirror(subscription);
        phase
    }

    /// Takes over what a subscription is now.
    pub(super) fn mirror(&mut self, subscription: &Subscription) {
        let items = subscription.items.iter().map(|item| PhaseItem {
            price: item.price.clone(),
            quantity: item.quantity,
            tax_rates: item.tax_rates.clone(),
            discounts: item.discounts.clone(),
            usage_gte: item.usage_gte,
            metadata: item.metadata.clone(),
        });
        self.items = items.collect();
        self.discounts.clone_from(&subscription.discounts);
        self.default_tax_rates
            .clone_from(&subscription.default_tax_rates);
        self.collection_method = Some(subscription.collection_method);
        self.days_until_due = subscription.days_until_due;
        self.default_payment_method
            .clone_from(&subscription.default_payment_method);
        self.description.clone_from(&subscription.description);
        self.billing_thresholds = subscription.billing_thresholds;
    }
}

impl PhaseTerms {
    /// A subscription that begins with this phase, at its start.
    #[must_use]
    pub fn creation(&self, billing_mode: BillingMode) -> Creation {
        let items = self.items.iter().map(|item| NewItem {
            price: item.price.clone(),
            quantity: (!item.price.is_metered()).then_some(item.quantity),
            discounts: item.discounts.clone(),
            tax_rates: item.tax_rates.clone(),
            usage_gte: item.usage_gte,
            metadata: item.metadata.clone(),
        });
        Creation {
            trial_end: self.trial_end,
            proration_behavior: self.proration_behavior,
            billing_mode,
            collection_method: self.collection_method,
            days_until_due: self.days_until_due,
            default_payment_method: self.default_payment_method.clone(),
            default_tax_rates: self.default_tax_rates.clone(),
            discounts: self.discounts.clone(),
            added: self.added.clone(),
            billing_thresholds: self.billing_thresholds,
            minimum_commitment: self.minimum_commitment.map(|own| (own, self.period.end)),
            description: self.description.clone(),
            metadata: self.metadata.clone(),
            ..Creation::new(items.collect(), self.period.start)
        }
    }
}
