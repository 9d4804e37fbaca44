//! A subscription as pages show it.

use perennial::calendar::{Cadence, Period, Timestamp};
use perennial::decimal::Decimal12;
use perennial::id::{InvoiceId, SubscriptionId};
use perennial::money::Money;
use perennial::subscription::Status;
use serde::{Deserialize, Serialize};

use super::PaymentMethodCard;

/// A subscription as the first page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionCard {
    /// Which.
    pub id: SubscriptionId,
    /// Stripe's status.
    pub status: Status,
    /// Its items.
    pub items: Vec<ItemRow>,
    /// What each period costs, with tax and lasting discounts, without usage.
    pub recurring: Money,
    /// How often that is; `None` when items differ.
    pub cadence: Option<Cadence>,
    /// The period that is running (the earliest to end).
    pub current_period: Period,
    /// When the trial ends, while in one.
    pub trial_end: Option<Timestamp>,
    /// When it ends, if it is to end.
    pub cancel_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the failed payment is tried again.
    pub retry_at: Option<Timestamp>,
    /// When a pause ends by itself.
    pub resumes_at: Option<Timestamp>,
    /// Whether invoices are not collected for now, and until when, where that is known.
    pub collection_rests: Option<Option<Timestamp>>,
    /// The next ordinary payment; `None` when there is none.
    pub next_payment: Option<NextPayment>,
    /// What was used of metered items so far.
    pub usage: Vec<UsageRow>,
    /// When usage is billed before its period ends.
    pub bills_early: Vec<EarlyBilling>,
    /// What pays it.
    pub payment_method: Option<PaymentMethodCard>,
    /// Discounts in force: name and until when.
    pub discounts: Vec<DiscountRow>,
    /// A change that waits: its moment and what the items will be.
    pub scheduled: Option<ScheduledRow>,
    /// A change that is made once it is paid.
    pub unpaid: Option<UnpaidRow>,
    /// What was agreed for a time, where that is so.
    pub contract: Option<ContractRow>,
    /// What was promised to be spent at least.
    pub commitments: Vec<CommitmentRow>,
    /// What the merchant's rules allow now.
    pub may: May,
}

/// What can be done with a subscription now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent permissions")]
pub struct May {
    /// Change plan or quantity.
    pub change: bool,
    /// Cancel.
    pub cancel: bool,
    /// Take a cancellation back.
    pub keep: bool,
    /// Take a waiting change back.
    pub undo_change: bool,
    /// Let it stand still.
    pub pause: bool,
    /// Let it go on.
    pub resume: bool,
}

/// An item in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The product's name.
    pub product_name: String,
    /// What one is called.
    pub unit_label: Option<String>,
    /// Units; `None` for metered prices.
    pub quantity: Option<u64>,
    /// For one period, before tax and discounts; `None` for metered prices.
    pub amount: Option<Money>,
    /// How often.
    pub cadence: Option<Cadence>,
}

/// The next ordinary payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextPayment {
    /// When.
    pub at: Timestamp,
    /// How much, as it stands today: with pending items, tax, discounts and balance.
    pub amount: Money,
    /// Whether usage comes on top.
    pub plus_usage: bool,
}

/// What was used of a metered item in its running period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The product's name.
    pub product_name: String,
    /// How much.
    pub used: Decimal12,
    /// How many units cost nothing, where the first ones do.
    pub included: Option<u64>,
    /// What it comes to so far, before tax and discounts.
    pub amount: Money,
    /// What a unit costs by now.
    pub price: UsagePrice,
    /// Since when.
    pub since: Timestamp,
}

/// What lets usage be billed before its period ends: Stripe's `billing_thresholds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EarlyBilling {
    /// So much has come together, before tax and discounts.
    Amount(Money),
    /// So many units of an item were used.
    Units {
        /// The product's name.
        product_name: String,
        /// How many.
        units: u64,
    },
}

/// What metered units cost at the level that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsagePrice {
    /// So much each, in minor units.
    Each(Decimal12),
    /// So much for each package, in minor units.
    Package {
        /// For one.
        amount: Decimal12,
        /// Units in it.
        units: u64,
    },
    /// By ranges of quantity: what a unit costs in the one that was reached, in minor units.
    Tier {
        /// For one unit.
        each: Decimal12,
        /// The range's last unit; none in the last range.
        up_to: Option<u64>,
        /// Whether all units cost what the range says.
        of_all: bool,
    },
}

/// An amount that was promised to be spent at least, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitmentRow {
    /// What was promised, before tax.
    pub committed: Money,
    /// What counts for it so far: what was billed, and usage that will be.
    pub counted: Money,
    /// What is billed at its end if nothing more comes; zero once it is met.
    pub missing: Money,
    /// Its end.
    pub until: Timestamp,
}

/// A discount in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountRow {
    /// The coupon's name or id.
    pub name: String,
    /// How much.
    pub off: perennial::discount::Off,
    /// Until when; `None` for good (or once).
    pub until: Option<Timestamp>,
}

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledRow {
    /// When it happens; `None` for a paused subscription that goes on when somebody says so: then.
    pub at: Option<Timestamp>,
    /// The items after it.
    pub items: Vec<ItemRow>,
    /// What each period costs then.
    pub recurring: Money,
}

/// A change that is made once its invoice is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpaidRow {
    /// The invoice to pay.
    pub invoice: InvoiceId,
    /// How much of it is to be paid.
    pub amount: Money,
    /// The items after it.
    pub items: Vec<ItemRow>,
    /// What each period costs then.
    pub recurring: Money,
    /// Until when it waits; then it is forgotten.
    pub until: Timestamp,
}

/// What a merchant and a customer agreed for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractRow {
    /// What comes after the change that is next ([`SubscriptionCard::scheduled`]), in order.
    pub steps: Vec<ScheduledRow>,
    /// Until when it holds.
    pub until: Timestamp,
    /// Whether the subscription ends then, instead of going on as it is.
    pub ends: bool,
}
