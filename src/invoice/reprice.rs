//! Pricing a draft again after something about it has changed.

use super::{BillingReason, Invoice, InvoiceError, LINES_MAX, Line, LineDraft, draft_lines};
use crate::calendar::Timestamp;
use crate::credit;
use crate::customer::Customer;
use crate::discount::Discount;
use crate::id::DiscountId;
use crate::subscription::Subscription;

impl Invoice {
    /// Computes discounts, taxes and totals of a draft anew from its lines: each line with its own
    /// discounts, or those of its subscription's item; then the invoice's discounts; then taxes, with
    /// the default rates for lines without rates of their own.
    ///
    /// Where the invoice was given no discounts, they are those that took part so far, and those that
    /// the subscription or the customer has now: one may have had nothing to take its share from until
    /// a line grew. What is billed at the end of a period is priced for that moment, by hand for `now`.
    ///
    /// # Errors
    /// When it is no draft, has too many lines, or an amount does not fit. Nothing has changed then.
    pub fn reprice(
        &mut self,
        customer: &Customer,
        subscription: Option<&Subscription>,
        now: Timestamp,
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
                let discounts = own_discounts(&line, subscription);
                LineDraft { line, discounts }
            })
            .collect();
        let shared = match &self.own_discounts {
            Some(given) => given.clone(),
            None => self.shared_discounts(&drafts, customer, subscription),
        };
        let at = match self.billing_reason {
            BillingReason::Manual => now,
            _ => self.period.end,
        };
        let exempt = customer.tax_exempt;
        let (lines, used, totals) = draft_lines(drafts, &shared, exempt, at, self.currency)?;
        let settled = credit::settle(totals.total_minor, customer.balance_minor)?;
        self.lines = lines;
        self.discounts = used;
        self.totals = totals;
        self.starting_balance_minor = customer.balance_minor;
        self.amount_due_minor = settled.due_minor;
        Ok(())
    }

    /// Takes discounts off an invoice with the line that had them.
    pub fn forget_discounts(&mut self, gone: &[Discount]) {
        let of = |own: &Discount| gone.iter().any(|gone| gone.id == own.id);
        self.discounts.retain(|own| !of(own));
    }

    fn shared_discounts(
        &self,
        drafts: &[LineDraft],
        customer: &Customer,
        subscription: Option<&Subscription>,
    ) -> Vec<Discount> {
        let of_lines: Vec<&DiscountId> = drafts
            .iter()
            .flat_map(|draft| draft.discounts.iter().map(|discount| &discount.id))
            .collect();
        let effective = match subscription {
            Some(subscription) => subscription.effective_discounts(customer),
            None => customer.discount.as_slice(),
        };
        let mut shared: Vec<Discount> = Vec::new();
        for discount in self.discounts.iter().chain(effective) {
            let known = shared.iter().any(|other| other.id == discount.id);
            if !known && !of_lines.contains(&&discount.id) {
                shared.push(discount.clone());
            }
        }
        shared
    }
}

/// The discounts of a line alone: its own, or those of the item that it bills.
fn own_discounts(line: &Line, subscription: Option<&Subscription>) -> Vec<Discount> {
    if !line.discounts.is_empty() {
        return line.discounts.clone();
    }
    let items = subscription.map_or(&[][..], |own| own.items.as_slice());
    let item = items
        .iter()
        .find(|item| Some(&item.id) == line.subscription_item.as_ref());
    match item {
        Some(item) if line.discountable && line.invoice_item.is_none() => item.discounts.clone(),
        _ => Vec::new(),
    }
}
