//! Double entry: where money stands, and which transfers each happening brings.
//!
//! A [`Transfer`] takes an amount from one account (`credit`) to another (`debit`), so all accounts
//! together are always zero. What each account must come to, [`expected`] says from the documents
//! alone; the audit compares the two. Balances are debits minus credits.

mod account;
mod expected;

pub use account::{Account, Cause};
pub use expected::{Around, Standing, Sums, expected};

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::id::{CustomerId, InvoiceId};
use crate::invoice::Invoice;
use crate::money::MoneyError;

/// An amount that goes from one account to another. It balances by construction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Where it goes.
    pub debit: Account,
    /// Where it comes from; another account than `debit`.
    pub credit: Account,
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Whose money.
    pub customer: CustomerId,
    /// The invoice that it is about; without one it is about the customer.
    pub invoice: Option<InvoiceId>,
    /// The payment intent, refund, credit note or balance transaction that brought it.
    pub object: Option<String>,
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// Transfers about one thing, as they are put together.
struct Entry<'a> {
    customer: &'a CustomerId,
    invoice: Option<&'a InvoiceId>,
    object: Option<&'a str>,
    currency: Currency,
    at: Timestamp,
    transfers: Vec<Transfer>,
}

impl<'a> Entry<'a> {
    fn about(invoice: &'a Invoice, object: Option<&'a str>, at: Timestamp) -> Self {
        Self {
            customer: &invoice.customer,
            invoice: Some(&invoice.id),
            object,
            currency: invoice.currency,
            at,
            transfers: Vec::new(),
        }
    }

    /// Moves `amount_minor` from `credit` to `debit`, or back when it is negative.
    fn moves(
        &mut self,
        debit: Account,
        credit: Account,
        amount_minor: i64,
        cause: Cause,
    ) -> Result<(), MoneyError> {
        if amount_minor == 0 {
            return Ok(());
        }
        let (debit, credit) = match amount_minor > 0 {
            true => (debit, credit),
            false => (credit, debit),
        };
        self.transfers.push(Transfer {
            debit,
            credit,
            amount_minor: amount_minor.checked_abs().ok_or(MoneyError::Overflow)?,
            currency: self.currency,
            customer: self.customer.clone(),
            invoice: self.invoice.cloned(),
            object: self.object.map(str::to_owned),
            cause,
            at: self.at,
        });
        Ok(())
    }

    fn done(self) -> Vec<Transfer> {
        self.transfers
    }
}

/// What an invoice moved on its customer's balance when it became final.
fn balance_moved_minor(invoice: &Invoice) -> Result<i64, MoneyError> {
    let ending = invoice.ending_balance_minor;
    ending
        .unwrap_or(invoice.starting_balance_minor)
        .checked_sub(invoice.starting_balance_minor)
        .ok_or(MoneyError::Overflow)
}

fn tax_minor(invoice: &Invoice) -> Result<i64, MoneyError> {
    let totals = &invoice.totals;
    totals
        .tax_inclusive_minor
        .checked_add(totals.tax_exclusive_minor)
        .ok_or(MoneyError::Overflow)
}

/// An invoice became final: the claim, its tax, and what its customer's balance did to it (credit
/// used, a debt collected, a negative total kept, an amount too small to charge put off).
///
/// # Errors
/// When an amount does not fit.
pub fn finalized(invoice: &Invoice, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{CustomerBalance, Receivable, Revenue, Tax};
    let mut entry = Entry::about(invoice, None, at);
    let total = invoice.totals.total_minor;
    entry.moves(Receivable, Revenue, total, Cause::Finalized)?;
    entry.moves(Revenue, Tax, tax_minor(invoice)?, Cause::Finalized)?;
    let moved = balance_moved_minor(invoice)?;
    entry.moves(CustomerBalance, Receivable, moved, Cause::Balanced)?;
    Ok(entry.done())
}

/// By which way money comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    /// Through the gateway, by this payment intent.
    Gateway(&'a str),
    /// Past it.
    OutOfBand,
    /// Past it, as this payment record says.
    Record(&'a str),
}

impl Way<'_> {
    const fn account(self) -> Account {
        match self {
            Self::Gateway(_) => Account::Cash,
            Self::OutOfBand | Self::Record(_) => Account::OutOfBand,
        }
    }

    /// The object that brought it, where there is one.
    const fn object(&self) -> Option<&str> {
        match self {
            Self::Gateway(object) | Self::Record(object) => Some(object),
            Self::OutOfBand => None,
        }
    }
}

/// An invoice was paid, or a part of it. What was written off is owed again first.
///
/// # Errors
/// When an amount does not fit.
pub fn paid(
    invoice: &Invoice,
    amount_minor: i64,
    way: Way<'_>,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    let mut entry = Entry::about(invoice, way.object(), at);
    owe_again(&mut entry, invoice, amount_minor)?;
    entry.moves(
        way.account(),
        Account::Receivable,
        amount_minor,
        Cause::Paid,
    )?;
    Ok(entry.done())
}

/// Before something happens to `amount_minor` of an invoice that was written off.
fn owe_again(
    entry: &mut Entry<'_>,
    invoice: &Invoice,
    amount_minor: i64,
) -> Result<(), MoneyError> {
    use Account::{Receivable, WriteOff};
    if invoice.marked_uncollectible_at.is_none() {
        return Ok(());
    }
    entry.moves(Receivable, WriteOff, amount_minor, Cause::WrittenOff)
}

/// Money came for an invoice that needs none any more: it becomes the customer's credit.
///
/// # Errors
/// When an amount does not fit.
pub fn overpaid(
    invoice: &Invoice,
    amount_minor: i64,
    way: Way<'_>,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    let mut entry = Entry::about(invoice, way.object(), at);
    let credit = Account::CustomerBalance;
    entry.moves(way.account(), credit, amount_minor, Cause::Overpaid)?;
    Ok(entry.done())
}

/// An invoice was written off with what remains to be paid.
///
/// # Errors
/// When an amount does not fit.
pub fn written_off(invoice: &Invoice, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{Receivable, WriteOff};
    let mut entry = Entry::about(invoice, None, at);
    let rest = invoice.amount_remaining_minor();
    entry.moves(WriteOff, Receivable, rest, Cause::WrittenOff)?;
    Ok(entry.done())
}

/// An invoice was voided: its claim is gone, as far as credit notes left any, and the balance has
/// back what it gave.
///
/// # Errors
/// When an amount does not fit.
pub fn voided(invoice: &Invoice, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{CustomerBalance, Receivable, Revenue, Tax};
    let mut entry = Entry::about(invoice, None, at);
    owe_again(&mut entry, invoice, invoice.amount_remaining_minor())?;
    let moved = balance_moved_minor(invoice)?;
    entry.moves(Receivable, CustomerBalance, moved, Cause::Voided)?;
    let (total, tax) = left_to_void(invoice)?;
    entry.moves(Revenue, Receivable, total, Cause::Voided)?;
    entry.moves(Tax, Revenue, tax, Cause::Voided)?;
    Ok(entry.done())
}

/// What voiding takes back of total and tax: credit notes took the rest before.
fn left_to_void(invoice: &Invoice) -> Result<(i64, i64), MoneyError> {
    let total = invoice
        .totals
        .total_minor
        .checked_sub(invoice.pre_payment_credit_minor);
    let tax = tax_minor(invoice)?.checked_sub(invoice.pre_payment_credit_tax_minor);
    match (total, tax) {
        (Some(total), Some(tax)) => Ok((total, tax)),
        _ => Err(MoneyError::Overflow),
    }
}

/// What a credit note gives, in minor units: what it takes off the invoice (`pre_payment`), and
/// what it gives back of a paid one, in three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credited {
    /// Taken off what is still to be paid.
    pub pre_payment_minor: i64,
    /// To the customer's balance.
    pub balance_minor: i64,
    /// By refunds of the gateway.
    pub refund_minor: i64,
    /// By other ways.
    pub out_of_band_minor: i64,
    /// The tax in all of it.
    pub tax_minor: i64,
}

impl Credited {
    /// What was paid and is given back.
    #[must_use]
    pub fn post_payment_minor(&self) -> i64 {
        self.balance_minor
            .saturating_add(self.refund_minor)
            .saturating_add(self.out_of_band_minor)
    }

    /// All of it, with tax.
    #[must_use]
    pub fn total_minor(&self) -> i64 {
        self.pre_payment_minor
            .saturating_add(self.post_payment_minor())
    }
}

/// A credit note (`note`) was issued on an invoice.
///
/// # Errors
/// When an amount does not fit.
pub fn credited(
    invoice: &Invoice,
    note: &str,
    credited: &Credited,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{CreditNotes, CustomerBalance, OutOfBand, Receivable, Refundable, Tax};
    let mut entry = Entry::about(invoice, Some(note), at);
    owe_again(&mut entry, invoice, credited.pre_payment_minor)?;
    for (credit, amount) in [
        (Receivable, credited.pre_payment_minor),
        (CustomerBalance, credited.balance_minor),
        (Refundable, credited.refund_minor),
        (OutOfBand, credited.out_of_band_minor),
    ] {
        entry.moves(CreditNotes, credit, amount, Cause::Credited)?;
    }
    entry.moves(Tax, CreditNotes, credited.tax_minor, Cause::Credited)?;
    Ok(entry.done())
}

/// A credit note stands for money that a refund gave back before: what had gone without a note is what
/// the note promised.
///
/// # Errors
/// When an amount does not fit.
pub fn linked(
    invoice: &Invoice,
    note: &str,
    amount_minor: i64,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{Refundable, Refunds};
    let mut entry = Entry::about(invoice, Some(note), at);
    entry.moves(Refundable, Refunds, amount_minor, Cause::Credited)?;
    Ok(entry.done())
}

/// A credit note on an invoice that is not paid was voided: that much is owed again.
///
/// # Errors
/// When an amount does not fit.
pub fn credit_voided(
    invoice: &Invoice,
    note: &str,
    credited: &Credited,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{CreditNotes, Receivable, Tax, WriteOff};
    let mut entry = Entry::about(invoice, Some(note), at);
    let amount = credited.pre_payment_minor;
    entry.moves(Receivable, CreditNotes, amount, Cause::CreditVoided)?;
    entry.moves(CreditNotes, Tax, credited.tax_minor, Cause::CreditVoided)?;
    if invoice.marked_uncollectible_at.is_some() {
        entry.moves(WriteOff, Receivable, amount, Cause::WrittenOff)?;
    }
    Ok(entry.done())
}

/// Money that the gateway took, or had taken, for no invoice.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// Whose.
    pub customer: &'a CustomerId,
    /// The payment intent.
    pub intent: &'a str,
    /// Minor units.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
}

impl Held<'_> {
    fn moved(&self, cause: Cause, way: i64, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
        let mut entry = Entry {
            customer: self.customer,
            invoice: None,
            object: Some(self.intent),
            currency: self.currency,
            at,
            transfers: Vec::new(),
        };
        let amount = self.amount_minor.checked_mul(way);
        let amount = amount.ok_or(MoneyError::Overflow)?;
        entry.moves(Account::Cash, Account::Unapplied, amount, cause)?;
        Ok(entry.done())
    }
}

/// Money was taken for no invoice: it is held for the customer.
///
/// # Errors
/// When an amount does not fit.
pub fn held(held: &Held<'_>, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
    held.moved(Cause::Paid, 1, at)
}

/// Held money is attached to an invoice: it leaves the customer's account as it came, and is the
/// invoice's from then on ([`paid`], [`overpaid`]).
///
/// # Errors
/// When an amount does not fit.
pub fn released(held: &Held<'_>, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
    held.moved(Cause::Attached, -1, at)
}

/// Money that the gateway gives back.
#[derive(Clone, Copy, Debug)]
pub struct GivenBack<'a> {
    /// To whom.
    pub customer: &'a CustomerId,
    /// The invoice that had been paid with it; without one it was held.
    pub invoice: Option<&'a InvoiceId>,
    /// The refund.
    pub refund: &'a str,
    /// Minor units; negative when a refund that had succeeded failed after all.
    pub amount_minor: i64,
    /// Of it, what credit notes stand for; of the same sign.
    pub promised_minor: i64,
    /// Of the amounts.
    pub currency: Currency,
}

/// The gateway gave money back.
///
/// # Errors
/// When an amount does not fit.
pub fn refunded(given: &GivenBack<'_>, at: Timestamp) -> Result<Vec<Transfer>, MoneyError> {
    let mut entry = Entry {
        customer: given.customer,
        invoice: given.invoice,
        object: Some(given.refund),
        currency: given.currency,
        at,
        transfers: Vec::new(),
    };
    let aside = match given.invoice {
        Some(_) => Account::Refunds,
        None => Account::Unapplied,
    };
    let alone = given.amount_minor.checked_sub(given.promised_minor);
    let alone = alone.ok_or(MoneyError::Overflow)?;
    for (from, amount) in [(Account::Refundable, given.promised_minor), (aside, alone)] {
        entry.moves(from, Account::Cash, amount, Cause::Refunded)?;
    }
    Ok(entry.done())
}

/// Money that had come past the gateway for an invoice went back past it, without a credit note.
///
/// # Errors
/// When an amount does not fit.
pub fn refunded_elsewhere(
    invoice: &Invoice,
    record: &str,
    amount_minor: i64,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{OutOfBand, Refunds};
    let mut entry = Entry::about(invoice, Some(record), at);
    entry.moves(Refunds, OutOfBand, amount_minor, Cause::Refunded)?;
    Ok(entry.done())
}

/// A customer's balance was changed by hand: positive is owed by the customer.
///
/// # Errors
/// When an amount does not fit.
pub fn adjusted(
    customer: &CustomerId,
    amount_minor: i64,
    currency: Currency,
    transaction: &str,
    at: Timestamp,
) -> Result<Vec<Transfer>, MoneyError> {
    use Account::{Adjustments, CustomerBalance};
    let mut entry = Entry {
        customer,
        invoice: None,
        object: Some(transaction),
        currency,
        at,
        transfers: Vec::new(),
    };
    entry.moves(CustomerBalance, Adjustments, amount_minor, Cause::Adjusted)?;
    Ok(entry.done())
}

#[cfg(test)]
mod tests;
