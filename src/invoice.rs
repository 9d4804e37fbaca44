//! Invoices: lines, totals, states.

mod attached;
mod draft;
mod edit;
mod minimum;
mod presentation;
mod reprice;
mod state;

pub use attached::{AttachedPayment, AttachedStatus, PaymentSource};
pub use draft::{Draft, LineDraft, draft, draft_lines};
pub use minimum::{charge_step_minor, minimum_charge_minor};
pub use presentation::{AmountTaxDisplay, MethodType, PageSize, Presentation};
pub use state::{InvoiceError, InvoiceEvent};

use serde::{Deserialize, Serialize};

use crate::calendar::{Period, Timestamp};
use crate::currency::Currency;
use crate::customer::{Address, TaxExempt, TaxId};
use crate::decimal::Decimal12;
use crate::discount::Discount;
use crate::id::{
    CustomerId, DiscountId, InvoiceId, InvoiceItemId, InvoiceLineId, PaymentIntentId,
    PaymentMethodId, PriceId, ProductId, SubscriptionId, SubscriptionItemId, TestClockId,
};
use crate::metadata::Metadata;
use crate::subscription::CollectionMethod;
use crate::tax::TaxRate;

/// The most lines on one invoice (Stripe: 250).
pub const LINES_MAX: usize = 250;

/// A claim on a customer. Amounts are minor units of `currency`; every total is the sum of its
/// lines' rounded amounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// `in_…`
    pub id: InvoiceId,
    /// Who owes.
    pub customer: CustomerId,
    /// The subscription that caused it.
    pub subscription: Option<SubscriptionId>,
    /// `{customer prefix}-{0001…}`, given when it is finalised; gapless for each customer.
    pub number: Option<String>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Why it was made.
    pub billing_reason: BillingReason,
    /// Of all amounts.
    pub currency: Currency,
    /// At most [`LINES_MAX`].
    pub lines: Vec<Line>,
    /// What the lines refer to, in the order of application.
    pub discounts: Vec<Discount>,
    /// The sums.
    pub totals: Totals,
    /// The customer's balance before finalising; drafts show today's.
    pub starting_balance_minor: i64,
    /// The customer's balance after finalising; `None` on drafts.
    pub ending_balance_minor: Option<i64>,
    /// What is to be paid after the balance.
    pub amount_due_minor: i64,
    /// What was paid.
    pub amount_paid_minor: i64,
    /// What did not come through the gateway: of what was paid, and of what was overpaid.
    #[serde(default)]
    pub out_of_band_minor: i64,
    /// What of it was given back the same way without a credit note, as the merchant reports.
    #[serde(default)]
    pub out_of_band_refunded_minor: i64,
    /// What came although nothing was to be paid any more; it is the customer's credit now.
    #[serde(default)]
    pub amount_overpaid_minor: i64,
    /// What credit notes took off what is to be paid; `amount_due_minor` is less by it.
    #[serde(default)]
    pub pre_payment_credit_minor: i64,
    /// The tax in `pre_payment_credit_minor`.
    #[serde(default)]
    pub pre_payment_credit_tax_minor: i64,
    /// What credit notes gave back of what was paid.
    #[serde(default)]
    pub post_payment_credit_minor: i64,
    /// The period before the invoice for cycles (usage), or the moment of the change.
    pub period: Period,
    /// Who starts the payment.
    pub collection_method: CollectionMethod,
    /// Whether finalising, charging and retrying go on by themselves.
    pub auto_advance: bool,
    /// When a draft finalises by itself.
    pub automatically_finalizes_at: Option<Timestamp>,
    /// When the next charge is tried.
    pub next_payment_attempt: Option<Timestamp>,
    /// Charges tried: the first of any kind, then only automatic ones.
    pub attempt_count: u32,
    /// When a sent invoice is due.
    pub due_date: Option<Timestamp>,
    /// The due date whose coming has been told.
    #[serde(default)]
    pub will_be_due_told: Option<Timestamp>,
    /// Pays before the subscription's and the customer's default.
    pub default_payment_method: Option<PaymentMethodId>,
    /// The newest payment intent of its own.
    pub payment_intent: Option<PaymentIntentId>,
    /// Payments that were attached to it beside its own, oldest first; at most [`ATTACHED_MAX`].
    #[serde(default)]
    pub attached: Vec<AttachedPayment>,
    /// What the newest failed charge said.
    pub last_payment_error: Option<crate::payment::Decline>,
    /// Where its collection stands since it first failed.
    #[serde(default)]
    pub retrying: Option<crate::dunning::Retrying>,
    /// Who the customer was when it was finalised.
    pub bill_to: BillTo,
    /// Apply to every line without rates of its own.
    #[serde(default)]
    pub default_tax_rates: Vec<TaxRate>,
    /// Discounts given to this invoice; `None` takes the subscription's or the customer's.
    #[serde(default)]
    pub own_discounts: Option<Vec<Discount>>,
    /// Printed in its head: at most [`CUSTOM_FIELDS_MAX`] names with values.
    #[serde(default)]
    pub custom_fields: Vec<CustomField>,
    /// What stands on the customer's bank statement.
    #[serde(default)]
    pub statement_descriptor: Option<String>,
    /// What is said of its payment, its document and the goods that it is for.
    #[serde(default)]
    pub presentation: Option<Box<Presentation>>,
    /// The date that is printed on it instead of the one on which it became final.
    #[serde(default)]
    pub effective_at: Option<Timestamp>,
    /// The invoice that it is a revision of.
    #[serde(default)]
    pub from_invoice: Option<InvoiceId>,
    /// The newest final revision of it.
    #[serde(default)]
    pub latest_revision: Option<InvoiceId>,
    /// The merchant's tax registrations that stand on it; none prints the merchant's usual one.
    #[serde(default)]
    pub seller_tax_ids: Vec<TaxId>,
    /// Printed below the lines.
    pub footer: Option<String>,
    /// The merchant's note, printed above the lines.
    pub description: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// When it got its number.
    pub finalized_at: Option<Timestamp>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it was voided.
    pub voided_at: Option<Timestamp>,
    /// When it was written off.
    pub marked_uncollectible_at: Option<Timestamp>,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
}

impl Invoice {
    /// All lines before any discount, as they stand above the sums. Where items have discounts of
    /// their own, Stripe's subtotal is smaller than this.
    #[must_use]
    pub fn lines_minor(&self) -> i64 {
        let amounts = self.lines.iter().map(|line| line.amount_minor);
        amounts.fold(0_i64, i64::saturating_add)
    }

    /// What is still to be paid.
    #[must_use]
    pub fn amount_remaining_minor(&self) -> i64 {
        self.amount_due_minor
            .saturating_sub(self.amount_paid_minor)
            .max(0)
    }
}

/// The most payments that can be attached to one invoice.
pub const ATTACHED_MAX: usize = 50;

/// The most custom fields on one invoice (Stripe: 4).
pub const CUSTOM_FIELDS_MAX: usize = 4;

/// A name and a value that the merchant prints on an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// At most 40 characters.
    pub name: String,
    /// At most 140 characters.
    pub value: String,
}

/// The customer as an invoice names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillTo {
    /// Name or company.
    pub name: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Billing address.
    pub address: Option<Address>,
    /// Tax registrations.
    pub tax_ids: Vec<TaxId>,
    /// Whether tax applied.
    pub tax_exempt: TaxExempt,
}

/// Stripe's invoice statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// May still change; owes nothing yet.
    Draft,
    /// Final, to be paid.
    Open,
    /// Paid. Final.
    Paid,
    /// Written off; may still be paid or voided.
    Uncollectible,
    /// As if it had never been. Final.
    Void,
}

/// Why an invoice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingReason {
    /// A new subscription.
    SubscriptionCreate,
    /// A renewal.
    SubscriptionCycle,
    /// A change in mid-period.
    SubscriptionUpdate,
    /// A threshold was reached in mid-period.
    SubscriptionThreshold,
    /// What waited was billed between periods, as its subscription says.
    AutomaticPendingInvoiceItemInvoice,
    /// By hand.
    Manual,
    /// A preview.
    Upcoming,
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `il_…`
    pub id: InvoiceLineId,
    /// What for, in the merchant's language; pages say it in the reader's from the other fields.
    pub description: String,
    /// What it is, for rendering in any language.
    pub kind: LineKind,
    /// Before discounts (except on proration lines, which are net already) and exclusive tax.
    /// Negative on credits.
    pub amount_minor: i64,
    /// Units, where the line has any; whole ones, rounded down.
    pub quantity: Option<u64>,
    /// The exact quantity, where whole units don't say it: parts of units, or fewer than none.
    #[serde(default)]
    pub quantity_decimal: Option<Decimal12>,
    /// The price it came from.
    pub price: Option<PriceId>,
    /// The product it came from.
    pub product: Option<ProductId>,
    /// The product's name when billed.
    pub product_name: Option<String>,
    /// Minor units for one unit, where there is one such amount.
    pub unit_amount: Option<Decimal12>,
    /// What it covers.
    pub period: Period,
    /// Whether later discounts may touch it.
    pub discountable: bool,
    /// Taken off, by discount, in order. Positive amounts.
    pub discount_amounts: Vec<DiscountAmount>,
    /// The rates that apply.
    pub tax_rates: Vec<TaxRate>,
    /// Whether those are the invoice's default rates, for want of own ones.
    #[serde(default)]
    pub default_taxed: bool,
    /// The line's own discounts, in order; they apply before the invoice's.
    #[serde(default)]
    pub discounts: Vec<Discount>,
    /// The tax, by rate. Negative on credits.
    pub taxes: Vec<TaxAmount>,
    /// The subscription it belongs to.
    pub subscription: Option<SubscriptionId>,
    /// The item it belongs to.
    pub subscription_item: Option<SubscriptionItemId>,
    /// The pending invoice item that became it.
    pub invoice_item: Option<InvoiceItemId>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl Line {
    /// All that discounts took off; positive.
    #[must_use]
    pub fn discount_minor(&self) -> i64 {
        self.discount_amounts
            .iter()
            .fold(0_i64, |sum, d| sum.saturating_add(d.amount_minor))
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A period of a licensed price.
    Recurring,
    /// The metered usage of a period.
    Usage,
    /// A free trial, 0.
    Trial,
    /// Time given back in a change.
    UnusedTime,
    /// The rest of a period on new terms.
    RemainingTime,
    /// Anything else.
    OneTime,
    /// What is short of a minimum commitment.
    TrueUp,
}

/// What one discount took off one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountAmount {
    /// Which.
    pub discount: DiscountId,
    /// Minor units, positive.
    pub amount_minor: i64,
}

/// One rate's tax on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxAmount {
    /// Which (stands in the line's `tax_rates`).
    pub rate: crate::id::TaxRateId,
    /// Minor units, rounded half up for each line.
    pub amount_minor: i64,
    /// Minor units that it was computed on.
    pub taxable_minor: i64,
    /// Whether the line's amount contains it.
    pub inclusive: bool,
    /// Why it is what it is.
    pub reason: TaxabilityReason,
}

/// Why a tax amount is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxabilityReason {
    /// The rate applied.
    StandardRated,
    /// The customer is exempt.
    CustomerExempt,
    /// The customer accounts for it.
    ReverseCharge,
}

/// The sums of an invoice, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Lines after item discounts, before invoice discounts and exclusive tax.
    pub subtotal_minor: i64,
    /// All discounts; positive.
    pub discount_minor: i64,
    /// Tax inside the amounts.
    pub tax_inclusive_minor: i64,
    /// Tax on top.
    pub tax_exclusive_minor: i64,
    /// After discounts and taxes. May be negative.
    pub total_minor: i64,
}

impl Totals {
    /// After discounts, without any tax.
    #[must_use]
    pub fn total_excluding_tax_minor(&self) -> i64 {
        self.total_minor
            .saturating_sub(self.tax_inclusive_minor)
            .saturating_sub(self.tax_exclusive_minor)
    }
}

/// An amount that waits for the customer's next invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceItem {
    /// `ii_…`
    pub id: InvoiceItemId,
    /// Who owes.
    pub customer: CustomerId,
    /// Of the line's amounts.
    pub currency: Currency,
    /// The line that it becomes (its `invoice_item` names this item).
    pub line: Line,
    /// Whether a change in mid-period caused it.
    pub proration: bool,
    /// When it was made, or the moment of the change.
    pub date: Timestamp,
    /// The invoice that took it up; `None` while pending.
    pub invoice: Option<InvoiceId>,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
    /// Whether it was made for that invoice: it goes when the draft goes.
    #[serde(default)]
    pub made_for_invoice: bool,
}

#[cfg(test)]
mod tests;
