//! Pricing a draft again after its lines have changed.

use super::{Invoice, InvoiceError, Line, LineDraft, draft_lines};
use crate::credit;
use crate::customer::Customer;
use crate::discount::Discount;
use crate::id::DiscountId;
use crate::subscription::Subscription;

impl Invoice {
    /// Computes discounts, taxes and totals of a draft anew from its lines. The discounts are those
    /// that took part so far, and those that the subscription has now: one may have had nothing to
    /// take its share from until a line grew.
    ///
    /// # Errors
    /// When an amount does not fit; nothing has changed then.
    pub fn reprice_cycle(
        &mut self,
        customer: &Customer,
        subscription: Option<&Subscription>,
    ) -> Result<(), InvoiceError> {
        let own = |line: &Line| -> Vec<Discount> {
            let items = subscription.map_or(&[][..], |own| own.items.as_slice());
            let item = items
                .iter()
                .find(|item| Some(&item.id) == line.subscription_item.as_ref());
            match item {
                Some(item) if line.discountable && line.invoice_item.is_none() => {
                    item.discounts.clone()
                }
                _ => Vec::new(),
            }
        };
        let drafts: Vec<LineDraft> = self
            .lines
            .iter()
            .map(|line| LineDraft {
                discounts: own(line),
                line: line.clone(),
            })
            .collect();
        let of_items: Vec<DiscountId> = drafts
            .iter()
            .flat_map(|draft| draft.discounts.iter().map(|discount| discount.id.clone()))
            .collect();
        let effective = match subscription {
            Some(subscription) => subscription.effective_discounts(customer),
            None => customer.discount.as_slice(),
        };
        let mut shared: Vec<Discount> = Vec::new();
        for discount in self.discounts.iter().chain(effective) {
            let known = shared.iter().any(|other| other.id == discount.id);
            if !known && !of_items.contains(&discount.id) {
                shared.push(discount.clone());
            }
        }
        let exempt = customer.tax_exempt;
        let (lines, used, totals) =
            draft_lines(drafts, &shared, exempt, self.period.end, self.currency)?;
        let settled = credit::settle(totals.total_minor, customer.balance_minor)?;
        self.lines = lines;
        self.discounts = used;
        self.totals = totals;
        self.amount_due_minor = settled.due_minor;
        Ok(())
    }
}
