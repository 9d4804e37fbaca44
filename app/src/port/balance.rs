//! What made a customer's balance, as pages show it.

use perennial::calendar::Timestamp;
use perennial::id::InvoiceId;
use perennial::money::Money;
use serde::{Deserialize, Serialize};

/// A change of the balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceRow {
    /// When.
    pub at: Timestamp,
    /// What the customer got (positive) or used (negative): the other way round than Stripe counts.
    pub amount: Money,
    /// Why.
    pub reason: BalanceReason,
    /// The merchant's own words, where there are any.
    pub note: Option<String>,
    /// The invoice that it has to do with, where the customer may see it.
    pub invoice: Option<InvoiceId>,
}

/// Why a balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BalanceReason {
    /// By the merchant's hand.
    Adjusted,
    /// Used for an invoice, or collected with it.
    Used,
    /// An invoice gave it.
    Credited,
    /// An invoice was too small to be charged.
    TooSmall,
    /// An invoice was taken back.
    TakenBack,
    /// More was paid than was owed.
    Overpaid,
    /// A credit note gave it.
    CreditNote,
}
