//! Double entry: where money stands, and which transfers each happening brings.
//!
//! A [`Transfer`] takes an amount from one account (`credit`) to another (`debit`), so all accounts
//! together are always zero. What each account must come to, [`expected`] says from the documents
//! alone; the audit compares the two. Balances are debits minus credits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::id::{CustomerId, InvoiceId};
use crate::invoice::{Invoice, InvoiceStatus};
use crate::money::MoneyError;

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
}

impl Account {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 11] = [
        Self::Receivable,
        Self::CustomerBalance,
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
}

impl Cause {
    const ALL: [Self; 10] = [
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
        }
    }

    /// The cause with this number.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.number() == number)
    }
}

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

/// Money that the gateway gives back.
#[derive(Clone, Copy, Debug)]
pub struct GivenBack<'a> {
    /// To whom.
    pub customer: &'a CustomerId,
    /// The invoice that had been paid with it.
    pub invoice: Option<&'a InvoiceId>,
    /// The refund.
    pub refund: &'a str,
    /// Minor units; negative when a refund that had succeeded failed after all.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Whether a credit note promised it.
    pub promised: bool,
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
    let from = match given.promised {
        true => Account::Refundable,
        false => Account::Refunds,
    };
    entry.moves(from, Account::Cash, given.amount_minor, Cause::Refunded)?;
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

/// Balances of accounts: debits minus credits, in minor units of one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing(BTreeMap<Account, i128>);

impl Standing {
    /// Adds to an account; credits are negative.
    pub fn add(&mut self, account: Account, amount_minor: i128) {
        let sum = self.0.entry(account).or_default();
        *sum = sum.saturating_add(amount_minor);
        if *sum == 0 {
            self.0.remove(&account);
        }
    }

    /// Adds a transfer of `amount_minor` between two accounts.
    pub fn transfer(&mut self, debit: Account, credit: Account, amount_minor: i128) {
        self.add(debit, amount_minor);
        self.add(credit, -amount_minor);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (account, amount) in &other.0 {
            self.add(*account, *amount);
        }
    }

    /// What an account comes to.
    #[must_use]
    pub fn of(&self, account: Account) -> i128 {
        self.0.get(&account).copied().unwrap_or_default()
    }

    /// The accounts that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Account, i128)> {
        self.0.iter().map(|(account, amount)| (*account, *amount))
    }

    /// All accounts together: zero, always.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.0.values().sum()
    }
}

impl<'a> FromIterator<&'a Transfer> for Standing {
    fn from_iter<I: IntoIterator<Item = &'a Transfer>>(transfers: I) -> Self {
        let mut standing = Self::default();
        for transfer in transfers {
            let amount = i128::from(transfer.amount_minor);
            standing.transfer(transfer.debit, transfer.credit, amount);
        }
        standing
    }
}

/// What else there is about an invoice, from documents of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What payment intents of it took, in minor units.
    pub taken_minor: i128,
    /// What refunds without a credit note gave back.
    pub refunded_minor: i128,
    /// What refunds that a credit note promised gave back.
    pub promised_refunded_minor: i128,
    /// The sums of its credit notes that are not void.
    pub credited: Sums,
}

/// Sums of credit notes, in minor units; the fields are those of [`Credited`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Taken off what was to be paid.
    pub pre_payment_minor: i128,
    /// To the customer's balance.
    pub balance_minor: i128,
    /// By refunds of the gateway.
    pub refund_minor: i128,
    /// By other ways.
    pub out_of_band_minor: i128,
    /// The tax in all of it.
    pub tax_minor: i128,
}

impl Sums {
    /// Adds a credit note.
    pub fn add(&mut self, note: &Credited) {
        self.pre_payment_minor += i128::from(note.pre_payment_minor);
        self.balance_minor += i128::from(note.balance_minor);
        self.refund_minor += i128::from(note.refund_minor);
        self.out_of_band_minor += i128::from(note.out_of_band_minor);
        self.tax_minor += i128::from(note.tax_minor);
    }
}

/// What the ledger must come to about an invoice, from the documents alone.
#[must_use]
pub fn expected(invoice: &Invoice, around: &Around) -> Standing {
    let mut standing = Standing::default();
    let wide = i128::from;
    let paid = wide(invoice.amount_paid_minor);
    let outside = wide(invoice.out_of_band_minor);
    let overpaid = around.taken_minor - (paid - outside);
    standing.add(Account::Cash, around.taken_minor);
    standing.add(Account::OutOfBand, outside);
    standing.add(Account::CustomerBalance, -overpaid);
    standing.transfer(Account::Refunds, Account::Cash, around.refunded_minor);
    standing.transfer(
        Account::Refundable,
        Account::Cash,
        around.promised_refunded_minor,
    );
    let notes = &around.credited;
    let all = notes.pre_payment_minor
        + notes.balance_minor
        + notes.refund_minor
        + notes.out_of_band_minor;
    standing.add(Account::CustomerBalance, -notes.balance_minor);
    standing.add(Account::Refundable, -notes.refund_minor);
    standing.add(Account::OutOfBand, -notes.out_of_band_minor);
    standing.add(Account::CreditNotes, all - notes.tax_minor);
    standing.add(Account::Tax, notes.tax_minor);
    if invoice.status == InvoiceStatus::Draft {
        return standing;
    }
    let totals = &invoice.totals;
    let (mut total, mut tax) = (
        wide(totals.total_minor),
        wide(totals.tax_inclusive_minor) + wide(totals.tax_exclusive_minor),
    );
    let start = wide(invoice.starting_balance_minor);
    let mut moved = wide(invoice.ending_balance_minor.unwrap_or_default()) - start;
    let mut rest = wide(invoice.amount_due_minor) - paid;
    if invoice.status == InvoiceStatus::Void {
        total = wide(invoice.pre_payment_credit_minor);
        tax = wide(invoice.pre_payment_credit_tax_minor);
        (moved, rest) = (0, 0);
    }
    standing.add(Account::Revenue, -(total - tax));
    standing.add(Account::Tax, -tax);
    standing.add(Account::CustomerBalance, moved);
    let owed = match invoice.status {
        InvoiceStatus::Uncollectible => Account::WriteOff,
        _ => Account::Receivable,
    };
    standing.add(owed, rest);
    standing
}

#[cfg(test)]
mod tests;
