//! Why something about a subscription was refused. Nothing has changed then.

use super::state::IllegalTransition;
use super::{ITEMS_MAX, Status};
use crate::calendar::{CalendarError, Timestamp};
use crate::currency::Currency;
use crate::discount::DiscountError;
use crate::id::{PriceId, SubscriptionItemId, SubscriptionScheduleId};
use crate::invoice::InvoiceError;
use crate::money::MoneyError;
use crate::pricing::PricingError;
use crate::tax::TaxRateError;

/// Why something about a subscription was refused. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// No items would be left.
    #[error("a subscription needs at least one item")]
    NoItems,
    /// More than [`ITEMS_MAX`].
    #[error("a subscription can have at most {ITEMS_MAX} items")]
    TooManyItems,
    /// One price on two items.
    #[error("the price {0} can stand on one item only; change its quantity instead")]
    DuplicatePrice(PriceId),
    /// Two wishes about one item.
    #[error("the item {0} is named twice")]
    DuplicateItem(SubscriptionItemId),
    /// No such item on this subscription.
    #[error("there is no item {0} on this subscription")]
    UnknownItem(SubscriptionItemId),
    /// The price is in another currency than the subscription.
    #[error("the price is in {price}, the subscription in {subscription}")]
    CurrencyMismatch {
        /// Of the price.
        price: Currency,
        /// Of the subscription (or of all that the customer pays).
        subscription: Currency,
    },
    /// A one-time price.
    #[error("the price {0} is not recurring")]
    NotRecurring(PriceId),
    /// A price that is not sold any more.
    #[error("the price {0} is not active")]
    PriceInactive(PriceId),
    /// From a price with tax to one without, or the other way round.
    #[error("the price {0} has another tax behavior than the one it would replace")]
    TaxBehaviorMismatch(PriceId),
    /// Items of different intervals, which classic billing mode does not have.
    #[error("all prices must have the same billing interval in classic billing mode")]
    MixedIntervals,
    /// More than [`super::QUANTITY_MAX`].
    #[error("quantity can be at most {}", super::QUANTITY_MAX)]
    QuantityTooLarge,
    /// A quantity for a metered price.
    #[error("a metered price has no quantity; it follows the reported usage")]
    QuantityOfMetered,
    /// The status does not allow it.
    #[error("this can't be done while the subscription is {0:?}")]
    Status(Status),
    /// The moment lies outside a running period.
    #[error("the moment lies outside the running period, which ends at {}", ends.0)]
    OutsidePeriod {
        /// When the period ends.
        ends: Timestamp,
    },
    /// Nothing is due yet.
    #[error("nothing is due before {}", due.0)]
    NotDue {
        /// When something is.
        due: Timestamp,
    },
    /// The subscription ends at that moment and is not renewed.
    #[error("the subscription ends at {} and is not renewed", at.0)]
    EndsInstead {
        /// When it ends.
        at: Timestamp,
    },
    /// There is no pause to end.
    #[error("You can only resume a subscription if it is `paused`.")]
    NotPaused,
    /// A pause that would end before it begins.
    #[error("resumes_at must lie in the future")]
    ResumesAt,
    /// `backdate_start_date` in the future.
    #[error("backdate_start_date must lie in the past")]
    Backdate,
    /// There is no cancellation to take back.
    #[error("this subscription is not set to end")]
    NotEnding,
    /// A schedule says what happens to it.
    #[error(
        "The subscription is managed by the subscription schedule `{0}`, and updating any \
         cancelation behavior directly is not allowed. Please update the schedule instead."
    )]
    UnderContract(SubscriptionScheduleId),
    /// A schedule says what happens to it, and no phase has a pause.
    #[error(
        "The subscription is managed by the subscription schedule `{0}`, and pausing it is not \
         allowed. Please release the subscription from the schedule first."
    )]
    PauseUnderContract(SubscriptionScheduleId),
    /// A schedule says what it changes to.
    #[error(
        "The subscription is managed by the subscription schedule `{0}`, and taking back a change \
         that waits is not allowed. Please update the schedule instead."
    )]
    ChangeUnderContract(SubscriptionScheduleId),
    /// There is no change to take back.
    #[error("no change waits for this subscription")]
    NoScheduledChange,
    /// `trial_end` in the past or too far away.
    #[error("trial_end must lie in the future, at most two years away")]
    TrialEnd,
    /// An anchor in the past or beyond the first period.
    #[error("billing_cycle_anchor must lie in the future, at most one period away")]
    AnchorOutOfRange,
    /// `cancel_at` in the past.
    #[error("cancel_at must lie in the future")]
    CancelAtPassed,
    /// `days_until_due` without `send_invoice`, or the other way round.
    #[error("days_until_due belongs to collection_method send_invoice, and only there")]
    DaysUntilDue,
    /// The customer was deleted.
    #[error("this customer was deleted and can't be billed")]
    CustomerDeleted,
    /// The status machine refuses.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// A discount is refused.
    #[error(transparent)]
    Discount(#[from] DiscountError),
    /// A tax rate is refused.
    #[error(transparent)]
    TaxRate(#[from] TaxRateError),
    /// A price has no amount for a quantity.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// An amount does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A date does not exist.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The invoice is refused.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
}

impl SubscriptionError {
    /// The parameter of the API that is at fault, if one is.
    #[must_use]
    pub const fn param(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoItems
            | Self::TooManyItems
            | Self::DuplicatePrice(_)
            | Self::DuplicateItem(_)
            | Self::UnknownItem(_)
            | Self::CurrencyMismatch { .. }
            | Self::NotRecurring(_)
            | Self::PriceInactive(_)
            | Self::TaxBehaviorMismatch(_)
            | Self::MixedIntervals
            | Self::QuantityTooLarge
            | Self::QuantityOfMetered
            | Self::Pricing(_) => "items",
            Self::OutsidePeriod { .. } => "proration_date",
            Self::TrialEnd => "trial_end",
            Self::AnchorOutOfRange => "billing_cycle_anchor",
            Self::CancelAtPassed => "cancel_at",
            Self::ResumesAt => "resumes_at",
            Self::Backdate => "backdate_start_date",
            Self::DaysUntilDue => "days_until_due",
            Self::CustomerDeleted => "customer",
            Self::Discount(error) => error.param(),
            Self::TaxRate(error) => error.param(),
            _ => return None,
        })
    }
}
