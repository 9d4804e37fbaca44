//! Invoices as pages show them, in lists and one by one.

use perennial::calendar::Timestamp;
use perennial::customer::Address;
use perennial::id::InvoiceId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::money::Money;
use serde::{Deserialize, Serialize};

use super::{PaymentMethodCard, UnpaidRow};

/// An invoice in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceRow {
    /// Which.
    pub id: InvoiceId,
    /// Its number.
    pub number: Option<String>,
    /// When it was finalised (or made).
    pub date: Timestamp,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Whether its last charge failed.
    pub failed: bool,
    /// Its total.
    pub total: Money,
    /// What is still to pay.
    pub remaining: Money,
    /// The products on it, in order, each once.
    pub products: Vec<String>,
    /// Whether it bills a change of a subscription in mid-period.
    pub of_change: bool,
}

/// A part of a longer list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceList {
    /// Newest first.
    pub rows: Vec<InvoiceRow>,
    /// Names the next part, if there is one.
    pub next: Option<InvoiceId>,
    /// Names the part before; `None` on a later part means that the one before is the first, which needs no name.
    pub previous: Option<InvoiceId>,
}

/// One invoice, to read, print and pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// The invoice.
    pub invoice: Invoice,
    /// Who claims.
    pub seller: Seller,
    /// What could pay it, the likeliest first; empty when it can't be paid here.
    pub payment_methods: Vec<PaymentMethodCard>,
    /// Whether the customer can pay it now.
    pub payable: bool,
    /// A proof of identity that the newest charge waits for.
    pub challenge: Option<String>,
    /// What was given back of it, oldest first.
    pub adjustments: Vec<Adjustment>,
    /// The change of a subscription that is made once it is paid.
    pub unpaid: Option<UnpaidRow>,
}

/// Something that was given back of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// When.
    pub at: Timestamp,
    /// How much in all.
    pub amount: Money,
    /// As what.
    pub kind: AdjustmentKind,
}

/// How something was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdjustmentKind {
    /// By a credit note. What is in none of its amounts was taken off what was still to be paid.
    CreditNote {
        /// Its number.
        number: String,
        /// Back to the card.
        refunded: Money,
        /// Whether that has left for the bank.
        arrived: bool,
        /// To the customer's credit.
        to_balance: Money,
        /// By other ways.
        otherwise: Money,
    },
    /// By the merchant, past the card: money that came that way.
    Reported,
    /// By a refund alone.
    Refund {
        /// Whether it has left for the bank.
        arrived: bool,
    },
}

/// The merchant on an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// The legal name.
    pub name: String,
    /// Where.
    pub address: Option<Address>,
    /// For questions.
    pub email: Option<String>,
    /// Tax registration, as it is to be printed.
    pub tax_id: Option<String>,
}

/// Invoices on one part of the list.
pub const INVOICES_A_PAGE: u32 = 12;
