//! What may be changed about an invoice, and a draft made from another invoice.

use super::{BillingReason, Invoice, InvoiceError, InvoiceEvent, InvoiceStatus};
use crate::calendar::Timestamp;
use crate::credit;
use crate::customer::Customer;
use crate::id::{InvoiceId, InvoiceLineId, Randomness};

impl Invoice {
    /// Makes sure that it may still be changed.
    ///
    /// # Errors
    /// When it is no draft.
    pub fn check_draft(&self) -> Result<(), InvoiceError> {
        if self.status == InvoiceStatus::Draft {
            return Ok(());
        }
        Err(InvoiceError::Transition {
            status: self.status,
            event: InvoiceEvent::Finalize,
        })
    }

    /// A draft that says the same: what replaces this invoice once it is final. It comes to exactly
    /// what this one does until it is changed.
    ///
    /// # Errors
    /// When this one can't be voided any more, or an amount does not fit.
    pub fn revision(
        &self,
        customer: &Customer,
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Self, InvoiceError> {
        self.status.transition(InvoiceEvent::Void)?;
        if self.amount_paid_minor != 0 {
            return Err(InvoiceError::PartlyPaid);
        }
        let mut draft = self.clone();
        draft.id = InvoiceId::new(ids);
        for line in &mut draft.lines {
            line.id = InvoiceLineId::new(ids);
            line.invoice_item = None;
        }
        draft.from_invoice = Some(self.id.clone());
        draft.latest_revision = None;
        draft.number = None;
        draft.status = InvoiceStatus::Draft;
        draft.billing_reason = BillingReason::Manual;
        // What this one took from the balance comes back before the revision is final.
        let ending = self.ending_balance_minor;
        let taken = ending
            .unwrap_or(self.starting_balance_minor)
            .saturating_sub(self.starting_balance_minor);
        let balance = customer.balance_minor.saturating_sub(taken);
        let settled = credit::settle(self.totals.total_minor, balance)?;
        draft.starting_balance_minor = balance;
        draft.ending_balance_minor = None;
        draft.amount_due_minor = settled.due_minor;
        draft.pre_payment_credit_minor = 0;
        draft.pre_payment_credit_tax_minor = 0;
        draft.post_payment_credit_minor = 0;
        draft.auto_advance = false;
        draft.automatically_finalizes_at = None;
        draft.next_payment_attempt = None;
        draft.attempt_count = 0;
        draft.due_date = match (self.due_date, self.finalized_at) {
            // As long to pay as there was.
            (Some(due), Some(from)) => now.add_seconds(due.0.saturating_sub(from.0)).ok(),
            (due, _) => due,
        };
        draft.payment_intent = None;
        draft.attached = Vec::new();
        draft.last_payment_error = None;
        draft.retrying = None;
        draft.created = now;
        draft.finalized_at = None;
        draft.paid_at = None;
        draft.voided_at = None;
        draft.marked_uncollectible_at = None;
        Ok(draft)
    }
}
