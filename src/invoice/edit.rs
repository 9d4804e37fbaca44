//! Changing a draft: whatever changed, all of it is priced anew.

use super::{
    Invoice, InvoiceError, InvoiceEvent, InvoiceStatus, LINES_MAX, LineDraft, draft_lines,
};
use crate::calendar::Timestamp;
use crate::credit;
use crate::customer::Customer;
use crate::discount::Discount;

impl Invoice {
    /// Prices a draft anew: its lines with their own discounts, then the invoice's (or else
    /// `inherited`), then taxes, with the default rates for lines without rates of their own.
    ///
    /// # Errors
    /// When it is no draft, has too many lines, or an amount does not fit. Nothing has changed then.
    pub fn reprice(
        &mut self,
        customer: &Customer,
        inherited: &[Discount],
        at: Timestamp,
    ) -> Result<(), InvoiceError> {
        self.check_draft()?;
        if self.lines.len() > LINES_MAX {
            return Err(InvoiceError::TooManyLines);
        }
        let drafts: Vec<LineDraft> = self
            .lines
            .iter()
            .map(|line| {
                let mut line = line.clone();
                if line.default_taxed || line.tax_rates.is_empty() {
                    line.tax_rates.clone_from(&self.default_tax_rates);
                    line.default_taxed = !line.tax_rates.is_empty();
                }
                let discounts = line.discounts.clone();
                LineDraft { line, discounts }
            })
            .collect();
        let shared = self.own_discounts.as_deref().unwrap_or(inherited);
        let exempt = customer.tax_exempt;
        let priced = draft_lines(drafts, shared, exempt, at, self.currency)?;
        let (lines, discounts, totals) = priced;
        let settled = credit::settle(totals.total_minor, customer.balance_minor)?;
        self.lines = lines;
        self.discounts = discounts;
        self.totals = totals;
        self.starting_balance_minor = customer.balance_minor;
        self.amount_due_minor = settled.due_minor;
        Ok(())
    }

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
}
