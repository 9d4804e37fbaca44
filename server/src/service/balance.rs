//! The ledger of a customer's balance.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::id::{CustomerBalanceTransactionId, CustomerId, InvoiceId};
use serde::{Deserialize, Serialize};

/// One entry. Entries are never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceTransaction {
    /// `cbtxn_…`
    pub id: CustomerBalanceTransactionId,
    /// Whose.
    pub customer: CustomerId,
    /// Minor units: negative adds to the customer's credit.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// The balance after it.
    pub ending_balance_minor: i64,
    /// Why.
    pub kind: BalanceTransactionKind,
    /// The invoice that took or gave it.
    pub invoice: Option<InvoiceId>,
    /// The credit note that gave it.
    #[serde(default)]
    pub credit_note: Option<perennial::id::CreditNoteId>,
    /// The merchant's own keys.
    #[serde(default)]
    pub metadata: perennial::metadata::Metadata,
    /// The merchant's note.
    pub description: Option<String>,
    /// When.
    pub created: Timestamp,
}

impl BalanceTransaction {
    /// Whether an invoice brought it: the ledger has it there.
    #[must_use]
    pub fn is_of_invoice(&self) -> bool {
        self.invoice.is_some()
    }
}

/// Why a balance changed, in Stripe's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalanceTransactionKind {
    /// By hand.
    Adjustment,
    /// An invoice used or collected it.
    AppliedToInvoice,
    /// The balance at the beginning.
    Initial,
    /// An invoice was below what can be charged.
    InvoiceTooSmall,
    /// A voided invoice gave it back.
    UnappliedFromInvoice,
    /// Money came for an invoice that needed none any more.
    InvoiceOverpaid,
    /// A credit note gave it.
    CreditNote,
}
