//! The accounts, and what moves money between them.

use serde::{Deserialize, Serialize};

/// An account, one for each merchant, mode and currency. Debits minus credits come to what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What is still to be paid on open invoices.
    Receivable,
    /// What invoices claim without tax, as a negative number: final invoices that are not void.
    Revenue,
    /// Tax that is owed to the state, as a negative number.
    Tax,
    /// Customers' balances: negative is their credit, positive what waits for their next invoice.
    CustomerBalance,
    /// What the gateway has taken for us, less what it gave back.
    Cash,
    /// What came and went by other ways: cheques, transfers, credit notes settled by hand.
    OutOfBand,
    /// Promised back by credit notes and not yet given back by the gateway, as a negative number.
    Refundable,
    /// Given back without a credit note.
    Refunds,
    /// What credit notes took off revenue, without tax.
    CreditNotes,
    /// What uncollectible invoices are still owed.
    WriteOff,
    /// The other side of changes of balances by hand.
    Adjustments,
    /// Customers' payments that belong to no invoice yet, as a negative number.
    Unapplied,
}

impl Account {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 12] = [
        Self::Receivable,
        Self::CustomerBalance,
        Self::Unapplied,
        Self::Cash,
        Self::OutOfBand,
        Self::Refundable,
        Self::Tax,
        Self::Revenue,
        Self::CreditNotes,
        Self::Refunds,
        Self::WriteOff,
        Self::Adjustments,
    ];

    /// Its number in kept rows; never changes.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Receivable => 1,
            Self::Revenue => 2,
            Self::Tax => 3,
            Self::CustomerBalance => 4,
            Self::Cash => 5,
            Self::OutOfBand => 6,
            Self::Refundable => 7,
            Self::Refunds => 8,
            Self::CreditNotes => 9,
            Self::WriteOff => 10,
            Self::Adjustments => 11,
            Self::Unapplied => 12,
        }
    }

    /// The account with this number.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.number() == number)
    }

    /// What reports call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::CustomerBalance => "customer_balance",
            Self::Cash => "cash",
            Self::OutOfBand => "out_of_band",
            Self::Refundable => "refundable",
            Self::Refunds => "refunds",
            Self::CreditNotes => "credit_notes",
            Self::WriteOff => "write_off",
            Self::Adjustments => "adjustments",
            Self::Unapplied => "unapplied_payments",
        }
    }
}

/// What brought a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An invoice became final.
    Finalized,
    /// An invoice met the customer's balance, or was too small to charge.
    Balanced,
    /// Somebody paid.
    Paid,
    /// Somebody paid more than was owed.
    Overpaid,
    /// An invoice was voided.
    Voided,
    /// An invoice was written off, or owed again before it was paid, voided or credited.
    WrittenOff,
    /// A credit note was issued.
    Credited,
    /// A credit note was voided.
    CreditVoided,
    /// The gateway gave money back, or failed to after all.
    Refunded,
    /// A customer's balance was changed by hand.
    Adjusted,
    /// A payment that had belonged to no invoice was attached to one.
    Attached,
}

impl Cause {
    pub(super) const ALL: [Self; 11] = [
        Self::Finalized,
        Self::Balanced,
        Self::Paid,
        Self::Overpaid,
        Self::Voided,
        Self::WrittenOff,
        Self::Credited,
        Self::CreditVoided,
        Self::Refunded,
        Self::Adjusted,
        Self::Attached,
    ];

    /// Its number in kept rows; never changes.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Finalized => 1,
            Self::Balanced => 2,
            Self::Paid => 3,
            Self::Overpaid => 4,
            Self::Voided => 5,
            Self::WrittenOff => 6,
            Self::Credited => 7,
            Self::CreditVoided => 8,
            Self::Refunded => 9,
            Self::Adjusted => 10,
            Self::Attached => 11,
        }
    }

    /// The cause with this number.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.number() == number)
    }
}
