//! What happens to an invoice, and what may not.

use super::{BillTo, Invoice, InvoiceStatus, charge_step_minor, minimum_charge_minor};
use crate::calendar::Timestamp;
use crate::credit::{self, BalanceChange, BalanceChangeKind};
use crate::customer::Customer;
use crate::ledger::Credited;
use crate::money::MoneyError;

/// Something that happens to an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvoiceEvent {
    /// It becomes final.
    Finalize,
    /// It is paid in full.
    Pay,
    /// It is written off.
    MarkUncollectible,
    /// It is declared never to have been.
    Void,
}

/// Why something about an invoice was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// There is no such transition.
    #[error("{event:?} can't happen to an invoice that is {status:?}")]
    Transition {
        /// Where it stands.
        status: InvoiceStatus,
        /// What was to happen.
        event: InvoiceEvent,
    },
    /// More than [`super::LINES_MAX`].
    #[error("an invoice can have at most 250 lines")]
    TooManyLines,
    /// The customer pays in another currency.
    #[error("the customer pays in another currency")]
    CurrencyMismatch,
    /// Another customer's.
    #[error("the invoice belongs to another customer")]
    WrongCustomer,
    /// A payment that is not positive, or more than is owed.
    #[error("a payment must be positive and at most what is still to be paid")]
    PaymentAmount,
    /// Something was paid on it; it needs a refund, not a void.
    #[error("something has been paid on this invoice; it can't be voided")]
    PartlyPaid,
    /// The customer has no number left.
    #[error("there are no invoice numbers left for this customer")]
    NumbersUsedUp,
    /// An amount does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl InvoiceStatus {
    /// Where `event` leads from here. Total over all pairs.
    ///
    /// # Errors
    /// When there is no such transition.
    pub fn transition(self, event: InvoiceEvent) -> Result<Self, InvoiceError> {
        match (self, event) {
            (Self::Draft, InvoiceEvent::Finalize) => Ok(Self::Open),
            (Self::Open | Self::Uncollectible, InvoiceEvent::Pay) => Ok(Self::Paid),
            (Self::Open, InvoiceEvent::MarkUncollectible) => Ok(Self::Uncollectible),
            (Self::Open | Self::Uncollectible, InvoiceEvent::Void) => Ok(Self::Void),
            _ => Err(InvoiceError::Transition {
                status: self,
                event,
            }),
        }
    }
}

impl Invoice {
    /// The date of issue that its document prints: the merchant's (or that of the boundary which a late
    /// worker billed), else when it became final; of a draft, when it was made.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        let own = self.effective_at.or(self.finalized_at);
        own.unwrap_or(self.created)
    }

    /// Makes a draft final: number, the customer as they are now, their balance. Nothing to pay, or
    /// less than can be charged, makes it paid at once; the latter waits on the balance.
    ///
    /// The customer's balance, invoice sequence, currency and a spent `once` discount change with
    /// it. Answers with the changes of the balance, in order.
    ///
    /// # Errors
    /// When it is not a draft, belongs to another customer, or an amount does not fit. Then neither
    /// it nor the customer has changed.
    pub fn finalize(
        &mut self,
        customer: &mut Customer,
        now: Timestamp,
    ) -> Result<Vec<BalanceChange>, InvoiceError> {
        let status = self.status.transition(InvoiceEvent::Finalize)?;
        if self.customer != customer.id {
            return Err(InvoiceError::WrongCustomer);
        }
        if customer.currency.is_some_and(|own| own != self.currency) {
            return Err(InvoiceError::CurrencyMismatch);
        }
        let sequence = customer.next_invoice_sequence;
        // A number that the merchant gave takes none of the customer's.
        let step = u32::from(self.number.is_none());
        let following = sequence
            .checked_add(step)
            .ok_or(InvoiceError::NumbersUsedUp)?;
        let starting = customer.balance_minor;
        let settled = credit::settle(self.totals.total_minor, starting)?;
        let (mut due, mut balance, mut changes) = (settled.due_minor, starting, Vec::new());
        if settled.balance_minor != starting {
            let moved = settled
                .balance_minor
                .checked_sub(starting)
                .ok_or(MoneyError::Overflow)?;
            let kind = BalanceChangeKind::AppliedToInvoice;
            changes.push(credit::adjust(&mut balance, moved, kind)?);
        }
        // Rounded down to what can be charged: the customer pays the rest with the next invoice.
        let too_small = match due < minimum_charge_minor(self.currency) {
            true => due,
            false => due % charge_step_minor(self.currency),
        };
        if too_small > 0 {
            let kind = BalanceChangeKind::InvoiceTooSmall;
            changes.push(credit::adjust(&mut balance, too_small, kind)?);
            due = due.checked_sub(too_small).ok_or(MoneyError::Overflow)?;
        }

        self.status = if due == 0 {
            status.transition(InvoiceEvent::Pay)?
        } else {
            status
        };
        self.paid_at = (due == 0).then_some(now);
        if self.number.is_none() {
            self.number = Some(format!("{}-{sequence:04}", customer.invoice_prefix));
        }
        self.finalized_at = Some(now);
        self.automatically_finalizes_at = None;
        self.bill_to = BillTo::of(customer);
        self.starting_balance_minor = starting;
        self.ending_balance_minor = Some(balance);
        self.amount_due_minor = due;
        customer.balance_minor = balance;
        customer.next_invoice_sequence = following;
        customer.currency = Some(self.currency);
        let used = |id| self.discounts.iter().any(|discount| discount.id == id);
        if customer
            .discount
            .as_ref()
            .is_some_and(|own| own.is_once() && used(own.id.clone()))
        {
            customer.discount = None;
        }
        Ok(changes)
    }

    /// Takes a payment of `amount_minor`; what is paid in full becomes paid. A written-off invoice
    /// may still be paid.
    ///
    /// # Errors
    /// When it is not open or uncollectible, or the amount is not within what is still to be paid.
    pub fn settle(&mut self, amount_minor: i64, now: Timestamp) -> Result<(), InvoiceError> {
        let paid = self.status.transition(InvoiceEvent::Pay)?;
        let remaining = self.amount_remaining_minor();
        if amount_minor <= 0 || amount_minor > remaining {
            return Err(InvoiceError::PaymentAmount);
        }
        let sum = self
            .amount_paid_minor
            .checked_add(amount_minor)
            .ok_or(MoneyError::Overflow)?;
        self.amount_paid_minor = sum;
        if amount_minor == remaining {
            self.status = paid;
            self.paid_at = Some(now);
            self.next_payment_attempt = None;
            self.last_payment_error = None;
        }
        Ok(())
    }

    /// Declares it never to have been, and gives back to the balance what it took from it.
    ///
    /// # Errors
    /// When it is not open or uncollectible, something was paid on it, or it belongs to another
    /// customer. Nothing has changed then.
    pub fn void(
        &mut self,
        customer: &mut Customer,
        now: Timestamp,
    ) -> Result<Option<BalanceChange>, InvoiceError> {
        let status = self.status.transition(InvoiceEvent::Void)?;
        if self.customer != customer.id {
            return Err(InvoiceError::WrongCustomer);
        }
        if self.amount_paid_minor != 0 {
            return Err(InvoiceError::PartlyPaid);
        }
        let ending = self
            .ending_balance_minor
            .unwrap_or(self.starting_balance_minor);
        let back = self
            .starting_balance_minor
            .checked_sub(ending)
            .ok_or(MoneyError::Overflow)?;
        let mut change = None;
        if back != 0 {
            let kind = BalanceChangeKind::UnappliedFromInvoice;
            change = Some(credit::adjust(&mut customer.balance_minor, back, kind)?);
        }
        self.status = status;
        self.voided_at = Some(now);
        self.auto_advance = false;
        self.next_payment_attempt = None;
        Ok(change)
    }

    /// Writes it off. It may still be paid or voided.
    ///
    /// # Errors
    /// When it is not open.
    pub fn mark_uncollectible(&mut self, now: Timestamp) -> Result<(), InvoiceError> {
        self.status = self.status.transition(InvoiceEvent::MarkUncollectible)?;
        self.marked_uncollectible_at = Some(now);
        self.auto_advance = false;
        self.next_payment_attempt = None;
        Ok(())
    }
}

impl Invoice {
    /// Takes a credit note's effect: what is taken off may settle it.
    ///
    /// # Errors
    /// When it takes more off than is still to be paid, or an amount does not fit. Nothing has
    /// changed then.
    pub fn take_credit(&mut self, credited: &Credited, now: Timestamp) -> Result<(), MoneyError> {
        let pre = credited.pre_payment_minor;
        if pre < 0 || pre > self.amount_remaining_minor() {
            return Err(MoneyError::Overflow);
        }
        let tax = match pre {
            0 => 0,
            _ => credited.tax_minor,
        };
        let sum = |a: i64, b: i64| a.checked_add(b).ok_or(MoneyError::Overflow);
        let credit = sum(self.pre_payment_credit_minor, pre)?;
        let credit_tax = sum(self.pre_payment_credit_tax_minor, tax)?;
        let post = sum(
            self.post_payment_credit_minor,
            credited.post_payment_minor(),
        )?;
        let due = self
            .amount_due_minor
            .checked_sub(pre)
            .ok_or(MoneyError::Overflow)?;
        self.amount_due_minor = due;
        self.pre_payment_credit_minor = credit;
        self.pre_payment_credit_tax_minor = credit_tax;
        self.post_payment_credit_minor = post;
        if pre > 0
            && self.amount_remaining_minor() == 0
            && let Ok(paid) = self.status.transition(InvoiceEvent::Pay)
        {
            self.status = paid;
            self.paid_at = Some(now);
            self.next_payment_attempt = None;
            self.last_payment_error = None;
        }
        Ok(())
    }

    /// Takes the effect of a credit note back: that much is owed again.
    ///
    /// # Errors
    /// When an amount does not fit.
    pub fn give_credit_back(&mut self, credited: &Credited) -> Result<(), MoneyError> {
        let less = |a: i64, b: i64| a.checked_sub(b).ok_or(MoneyError::Overflow);
        let credit = less(self.pre_payment_credit_minor, credited.pre_payment_minor)?;
        let tax = less(self.pre_payment_credit_tax_minor, credited.tax_minor)?;
        let due = self
            .amount_due_minor
            .checked_add(credited.pre_payment_minor)
            .ok_or(MoneyError::Overflow)?;
        self.amount_due_minor = due;
        self.pre_payment_credit_minor = credit;
        self.pre_payment_credit_tax_minor = tax;
        Ok(())
    }
}
