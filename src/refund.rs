//! Refunds: money that goes back the way it came.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::id::{CreditNoteId, CustomerId, InvoiceId, PaymentIntentId, RefundId, TestClockId};
use crate::metadata::Metadata;

/// Money given back from one payment. It is committed, with its idempotency key (its id), before the
/// gateway is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// `re_…`; also the gateway's idempotency key.
    pub id: RefundId,
    /// What it gives back.
    pub payment_intent: PaymentIntentId,
    /// To whom.
    pub customer: CustomerId,
    /// What had been paid.
    pub invoice: Option<InvoiceId>,
    /// The credit note that promised it.
    pub credit_note: Option<CreditNoteId>,
    /// Minor units.
    pub amount_minor: i64,
    /// What of it credit notes stand for that were linked to it later, in minor units; none where a
    /// note promised it.
    #[serde(default)]
    pub linked_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Where it stands.
    pub status: RefundStatus,
    /// Why.
    pub reason: Option<RefundReason>,
    /// Why it failed, in Stripe's words.
    pub failure_reason: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// The gateway's name for it, once it has one.
    pub gateway_refund: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
    /// When the gateway is asked next what became of it.
    pub ask_at: Option<Timestamp>,
}

impl Refund {
    /// What of it credit notes stand for, in minor units.
    #[must_use]
    pub const fn noted_minor(&self) -> i64 {
        match self.credit_note {
            Some(_) => self.amount_minor,
            None => self.linked_minor,
        }
    }

    /// What of it a credit note can still be linked to, in minor units.
    #[must_use]
    pub const fn unnoted_minor(&self) -> i64 {
        match self.status.holds() {
            true => self.amount_minor.saturating_sub(self.noted_minor()),
            false => 0,
        }
    }
}

/// Stripe's refund statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The gateway has not said yet, or its bank works on it.
    Pending,
    /// The money is on its way. A bank may still send it back.
    Succeeded,
    /// It did not arrive; the money is ours again.
    Failed,
    /// Called off.
    Canceled,
}

impl RefundStatus {
    /// Whether its money is given back, or promised to be.
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(self, Self::Pending | Self::Succeeded)
    }
}

/// Why money is given back, in Stripe's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// It was charged twice.
    Duplicate,
    /// Somebody else used the card.
    Fraudulent,
    /// The customer asked.
    RequestedByCustomer,
}

/// What a gateway says of a refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundOutcome {
    /// The gateway's name for it.
    pub refund: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// Why it failed.
    pub failure_reason: Option<String>,
}
