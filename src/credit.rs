//! The customer's balance: what an invoice takes from it and gives to it.

use crate::money::MoneyError;
use serde::{Deserialize, Serialize};

/// What an invoice does with a customer's balance. All in minor units of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// What is to be paid.
    pub due_minor: i64,
    /// The balance afterwards: negative is the customer's credit, positive is owed.
    pub balance_minor: i64,
}

/// How a total meets a balance (recorded from Stripe): credit pays first, what was owed is collected
/// with it, and a negative total becomes credit.
///
/// # Errors
/// When an amount does not fit.
pub fn settle(total_minor: i64, balance_minor: i64) -> Result<Settlement, MoneyError> {
    let (total, balance) = (i128::from(total_minor), i128::from(balance_minor));
    let (due, after) = if total < 0 {
        (0, balance + total)
    } else {
        let used = (-balance).max(0).min(total);
        let owed = balance.max(0);
        (total + owed - used, balance + used - owed)
    };
    Ok(Settlement {
        due_minor: i64::try_from(due).map_err(|_| MoneyError::Overflow)?,
        balance_minor: i64::try_from(after).map_err(|_| MoneyError::Overflow)?,
    })
}

/// One change of a customer's balance, as it is kept for good: `customer_balance_transaction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceChange {
    /// Why.
    pub kind: BalanceChangeKind,
    /// What was added to the balance, in minor units: negative gives the customer credit.
    pub amount_minor: i64,
    /// The balance afterwards.
    pub ending_balance_minor: i64,
}

/// Stripe's types of `customer_balance_transaction` that arise here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalanceChangeKind {
    /// By hand.
    Adjustment,
    /// An invoice took credit, collected a debt, or gave credit for its negative total.
    AppliedToInvoice,
    /// A voided invoice gave back what it had taken.
    UnappliedFromInvoice,
    /// Too little to charge: it waits for the next invoice.
    InvoiceTooSmall,
    /// Money came for an invoice that needed none any more.
    InvoiceOverpaid,
    /// A credit note gave it.
    CreditNote,
}

/// Adds to a balance.
///
/// # Errors
/// When the sum does not fit; the balance is unchanged then.
pub fn adjust(
    balance_minor: &mut i64,
    amount_minor: i64,
    kind: BalanceChangeKind,
) -> Result<BalanceChange, MoneyError> {
    let ending = balance_minor
        .checked_add(amount_minor)
        .ok_or(MoneyError::Overflow)?;
    *balance_minor = ending;
    Ok(BalanceChange {
        kind,
        amount_minor,
        ending_balance_minor: ending,
    })
}

#[cfg(test)]
mod tests;
