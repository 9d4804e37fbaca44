//! What the accounts must come to, from the documents alone.

use std::collections::BTreeMap;

use super::{Account, Credited, Transfer};
use crate::invoice::{Invoice, InvoiceStatus};

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
    /// What refunds gave back that no credit note stands for.
    pub refunded_minor: i128,
    /// What refunds gave back that a credit note promised or was linked to.
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
    let elsewhere = wide(invoice.out_of_band_refunded_minor);
    standing.transfer(Account::Refunds, Account::OutOfBand, elsewhere);
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
