//! Subscriptions: what a customer has, and the state machine it lives through.

mod cancel;
mod change;
mod create;
mod due;
mod ends;
mod pause;
mod pending;
mod phases;
mod refusal;
mod renew;
mod settings;
mod state;
mod threshold;
mod unbilled;

pub use cancel::{CancelNow, CanceledNow};
pub(crate) use change::restarted;
pub use change::{Changed, QUANTITY_MAX, apply_changes, items_after};
pub(crate) use create::trial_line;
pub use create::{Anchor, Created, Creation, NewItem, TRIAL_SECONDS_MAX};
pub use due::Due;
pub use pause::{
    PauseReason, PauseTerms, Paused, RESUMPTION_SECONDS, ResumeTerms, Resuming, STILL_MAX, Stopped,
    UnusedTimeFrom,
};
pub use pending::{PENDING_UPDATE_SECONDS, PendingUpdate};
pub use phases::{Turned, added_items};
pub use refusal::SubscriptionError;
pub use renew::{Renewed, Usage};
pub use settings::{PendingItems, Settings};
pub use state::{Event, IllegalTransition, WhenExhausted};
pub use unbilled::unbilled_lines;

use serde::{Deserialize, Serialize};

use crate::calendar::{AnchorConfig, Period, Timestamp};
use crate::catalog::Price;
use crate::currency::Currency;
use crate::decimal::Decimal12;
use crate::discount::Discount;
use crate::id::{
    CustomerId, InvoiceId, PaymentMethodId, PriceId, ProductId, SubscriptionId, SubscriptionItemId,
    SubscriptionScheduleId, TestClockId,
};
use crate::metadata::Metadata;
use crate::schedule::{Commitment, PhaseTerms};
use crate::tax::TaxRate;

/// The most items on one subscription (Stripe: 20).
pub const ITEMS_MAX: usize = 20;
/// How long a first payment may stay open, in seconds (Stripe: 23 hours).
pub const INCOMPLETE_SECONDS: i64 = 23 * 3600;

/// A customer's standing order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `sub_…`
    pub id: SubscriptionId,
    /// Whose.
    pub customer: CustomerId,
    /// Where it stands.
    pub status: Status,
    /// The currency of all its prices.
    pub currency: Currency,
    /// At most [`ITEMS_MAX`], no price twice. Each has its own period.
    pub items: Vec<Item>,
    /// The moment that all periods are counted from. It remembers its day over short months.
    pub billing_cycle_anchor: Timestamp,
    /// How credits are computed.
    pub billing_mode: BillingMode,
    /// Since when it is in this mode, where it was in another before.
    #[serde(default)]
    pub billing_mode_since: Option<Timestamp>,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: CollectionMethod,
    /// Days to pay a sent invoice; only with [`CollectionMethod::SendInvoice`].
    pub days_until_due: Option<u16>,
    /// Pays this subscription before the customer's default does.
    pub default_payment_method: Option<PaymentMethodId>,
    /// Apply to every line without rates of its own.
    pub default_tax_rates: Vec<TaxRate>,
    /// In the order in which they apply, after the items' own.
    pub discounts: Vec<Discount>,
    /// For the customer's eyes.
    pub description: Option<String>,
    /// When it began to exist (may lie before `created` when backdated).
    pub start_date: Timestamp,
    /// How many days before its next invoice that is told; 0 for not at all. The merchant's choice, as
    /// it was when the running period began.
    #[serde(default)]
    pub upcoming_days: u16,
    /// The end of a period whose next invoice has been told.
    #[serde(default)]
    pub upcoming_told: Option<Timestamp>,
    /// The newest trial's beginning.
    pub trial_start: Option<Timestamp>,
    /// The newest trial's end.
    pub trial_end: Option<Timestamp>,
    /// The trial end whose coming has been told.
    #[serde(default)]
    pub trial_end_told: Option<Timestamp>,
    /// What happens when a trial ends and there is no payment method.
    pub trial_missing_payment_method: MissingPaymentMethod,
    /// Ends at this moment.
    pub cancel_at: Option<Timestamp>,
    /// Classic mode's flag: ends with the period.
    pub cancel_at_period_end: bool,
    /// When its cancellation was asked for or happened.
    pub canceled_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it was cancelled.
    pub cancellation: Option<Cancellation>,
    /// Collection stands still while the status goes on.
    pub pause_collection: Option<PauseCollection>,
    /// Why and since when it stands still, with [`Status::Paused`].
    #[serde(default)]
    pub paused: Option<Paused>,
    /// Time in which nothing was billed, oldest first: pauses that are over, each with what was left
    /// of its period where the merchant gave that away when it went on, and trials that another one
    /// followed. At most [`STILL_MAX`].
    #[serde(default)]
    pub stood_still: Vec<Period>,
    /// The billing day that the merchant asked for, where the anchor came from one.
    #[serde(default)]
    pub anchor_config: Option<AnchorConfig>,
    /// Whether the end of a trial leaves the anchor where it is, instead of moving it there.
    #[serde(default)]
    pub trial_keeps_anchor: bool,
    /// A change that waits for its moment.
    pub scheduled_change: Option<ScheduledChange>,
    /// A metered item went or got another price: what it used until then is billed with the next
    /// invoice.
    #[serde(default)]
    pub owes_usage: bool,
    /// The schedule that drives it, or holds the change that waits.
    #[serde(default)]
    pub schedule: Option<SubscriptionScheduleId>,
    /// A change that waits for its payment.
    #[serde(default)]
    pub pending_update: Option<Box<PendingUpdate>>,
    /// When to bill before the period ends.
    #[serde(default)]
    pub billing_thresholds: Option<BillingThresholds>,
    /// What is to be spent at least, as far as it is not settled.
    #[serde(default)]
    pub commitments: Vec<Commitment>,
    /// What is settled about its invoices, if anything is.
    #[serde(default)]
    pub settings: Option<Box<Settings>>,
    /// The newest invoice.
    pub latest_invoice: Option<InvoiceId>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
}

/// One price on a subscription, in some quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `si_…`
    pub id: SubscriptionItemId,
    /// The terms, copied when agreed.
    pub price: Price,
    /// Units; ignored (and 0) for a metered price.
    pub quantity: u64,
    /// The period that is running.
    pub current_period: Period,
    /// From when a metered item bills usage, where that is later than its period began: it was added
    /// or got its price in mid-period.
    #[serde(default)]
    pub usage_from: Option<Timestamp>,
    /// What was used, and billed early, in the running period before that: tiers go on from there.
    #[serde(default)]
    pub usage_before: Option<Decimal12>,
    /// Applied before the subscription's own.
    pub discounts: Vec<Discount>,
    /// Instead of the subscription's default rates.
    pub tax_rates: Vec<TaxRate>,
    /// What has been billed for the running period, in order. Flexible credits come from here.
    pub billed: Vec<Billed>,
    /// Bill once this much was used in the running period: Stripe's `usage_gte`.
    #[serde(default)]
    pub usage_gte: Option<u64>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was added.
    pub created: Timestamp,
}

/// A debit that the customer was billed for an item: the source of a flexible credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billed {
    /// The terms it stood for.
    pub price: PriceId,
    /// What was sold on those terms.
    pub product: ProductId,
    /// The product's name when billed; the credit is described with it.
    pub product_name: String,
    /// The quantity it stood for.
    pub quantity: u64,
    /// What it covers.
    pub period: Period,
    /// Minor units before exclusive tax, after discounts; never negative.
    pub net_minor: i64,
    /// The rates that were on the line, so that a credit gives the same tax back.
    pub tax_rates: Vec<TaxRate>,
    /// What was given back of it. A debit is credited at most once.
    pub credited: Option<Credited>,
}

/// A credit given for a debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credited {
    /// From when the time is given back.
    pub at: Timestamp,
    /// Minor units given back; positive.
    pub net_minor: i64,
}

/// Stripe's subscription statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In a trial: nothing is owed yet.
    Trialing,
    /// In good standing.
    Active,
    /// The first payment is still open.
    Incomplete,
    /// The first payment did not come in time. Final.
    IncompleteExpired,
    /// A renewal was not paid.
    PastDue,
    /// Retries are used up; invoices are drafted and not charged.
    Unpaid,
    /// Ended. Final.
    Canceled,
    /// A trial ended without a payment method, or it was paused.
    Paused,
}

/// How credits for unused time are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingMode {
    /// From today's price, tax and discount.
    Classic,
    /// From what was really debited.
    #[default]
    Flexible,
}

/// Who starts the payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectionMethod {
    /// We charge the default payment method.
    #[default]
    ChargeAutomatically,
    /// The customer pays by the due date.
    SendInvoice,
}

/// What a trial's end does without a payment method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingPaymentMethod {
    /// Ends the subscription.
    Cancel,
    /// Bills all the same.
    #[default]
    CreateInvoice,
    /// Pauses until resumed.
    Pause,
}

/// Why a subscription was cancelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// The customer's own words.
    pub comment: Option<String>,
    /// The reason they picked.
    pub feedback: Option<Feedback>,
    /// What ended it.
    pub reason: Option<CancellationReason>,
}

/// Stripe's eight reasons a customer may pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// Customer service was less than expected.
    CustomerService,
    /// Quality was less than expected.
    LowQuality,
    /// More features are needed.
    MissingFeatures,
    /// Another reason.
    Other,
    /// An alternative was found.
    SwitchedService,
    /// Ease of use was less than expected.
    TooComplex,
    /// It is too expensive.
    TooExpensive,
    /// It is no longer needed.
    Unused,
}

/// What ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancellationReason {
    /// Somebody asked.
    CancellationRequested,
    /// A payment was disputed.
    PaymentDisputed,
    /// Payments failed to the end.
    PaymentFailed,
}

/// Invoices go on being made, but are not collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseCollection {
    /// What happens to invoices meanwhile.
    pub behavior: PauseBehavior,
    /// When collection goes on by itself.
    pub resumes_at: Option<Timestamp>,
}

/// What happens to invoices while collection is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseBehavior {
    /// They stay drafts.
    KeepAsDraft,
    /// They are written off.
    MarkUncollectible,
    /// They are voided.
    Void,
}

/// A change of items that waits for the end of the period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledChange {
    /// When it happens.
    pub at: Timestamp,
    /// What happens, as it was confirmed.
    pub items: Vec<ItemChange>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// The phase of a schedule that begins with it, if it is one: then `items` is what stands
    /// between the subscription as it is and that phase.
    #[serde(default)]
    pub phase: Option<Box<PhaseTerms>>,
}

/// When to bill before the period ends: Stripe's `billing_thresholds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingThresholds {
    /// Minor units that have come together.
    pub amount_gte: Option<i64>,
    /// Whether a new period starts then.
    pub reset_billing_cycle_anchor: bool,
}

/// One wish about one item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemChange {
    /// A new item.
    Add {
        /// Its id, minted by the caller.
        id: SubscriptionItemId,
        /// Its terms.
        price: Price,
        /// Its units.
        quantity: u64,
        /// Its own tax rates.
        tax_rates: Vec<TaxRate>,
        /// What else it has.
        #[serde(default)]
        with: ItemExtras,
    },
    /// Other terms or another quantity for an item.
    Set {
        /// Which.
        item: SubscriptionItemId,
        /// The new terms; `None` keeps them.
        price: Option<Price>,
        /// The new units; `None` keeps them, or means 1 with a new price (as at Stripe).
        quantity: Option<u64>,
    },
    /// The item goes.
    Remove {
        /// Which.
        item: SubscriptionItemId,
    },
}

/// What a new item has beside its price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemExtras {
    /// Applied before the subscription's own.
    pub discounts: Vec<Discount>,
    /// Bill once this much was used in the running period.
    pub usage_gte: Option<u64>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// How the difference of a change is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProrationBehavior {
    /// As pending items on the next invoice.
    #[default]
    CreateProrations,
    /// On an invoice now.
    AlwaysInvoice,
    /// Not at all.
    None,
}

#[cfg(test)]
mod tests;
