//! Money that came past the gateway, as the merchant reports it: a cheque, a transfer, another
//! processor. Attached to an invoice, it pays a part of it or the whole.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::id::{CustomerId, InvoiceId, PaymentRecordId, TestClockId};
use crate::metadata::Metadata;

/// A payment that the merchant reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// `pr_…`
    pub id: PaymentRecordId,
    /// What was asked for, in minor units.
    pub amount_requested_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Who paid, as far as the merchant says.
    pub customer: PaidBy,
    /// Whether the customer was there; `None` where the merchant does not say.
    pub on_session: Option<bool>,
    /// The merchant's note.
    pub description: Option<String>,
    /// What the way of paying is called, such as "Cheque".
    pub method_name: Option<String>,
    /// The merchant's number for that way of paying.
    pub method_type: Option<String>,
    /// The processor's reference of the payment.
    pub reference: Option<String>,
    /// What became of it.
    pub outcome: RecordOutcome,
    /// When it was begun.
    pub initiated_at: Timestamp,
    /// When that outcome was.
    pub decided_at: Option<Timestamp>,
    /// The invoice that it was attached to.
    pub invoice: Option<InvoiceId>,
    /// When it was attached.
    pub attached_at: Option<Timestamp>,
    /// What of it went to the invoice, in minor units.
    pub applied_minor: i64,
    /// What the merchant gave back of it, oldest first.
    #[serde(default)]
    pub refunds: Vec<RecordRefund>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was reported.
    pub created: Timestamp,
    /// The test clock that its time follows.
    pub test_clock: Option<TestClockId>,
}

impl PaymentRecord {
    /// What was given back of it, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        let amounts = self.refunds.iter().map(|own| own.amount_minor);
        amounts.fold(0, i64::saturating_add)
    }

    /// What can still be given back of it, in minor units.
    #[must_use]
    pub fn left_minor(&self) -> i64 {
        match self.outcome {
            RecordOutcome::Guaranteed => self
                .amount_requested_minor
                .saturating_sub(self.refunded_minor())
                .max(0),
            RecordOutcome::Pending | RecordOutcome::Failed | RecordOutcome::Canceled => 0,
        }
    }
}

/// Money that the merchant says to have given back by the way that it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRefund {
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// The processor's reference of it.
    pub reference: Option<String>,
    /// When it was begun.
    pub initiated_at: Timestamp,
    /// When the money went back.
    pub refunded_at: Timestamp,
    /// When it was reported.
    pub created: Timestamp,
}

/// Who paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidBy {
    /// Which customer.
    pub customer: Option<CustomerId>,
    /// Their e-mail.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Their phone.
    pub phone: Option<String>,
}

/// What became of a reported payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordOutcome {
    /// Not known yet.
    Pending,
    /// The money is there, or sure to come.
    Guaranteed,
    /// It did not come.
    Failed,
    /// It was called off.
    Canceled,
}
