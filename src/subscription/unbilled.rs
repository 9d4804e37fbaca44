//! What was drafted and not billed.

use super::{BillingMode, Subscription};
use crate::invoice::{Invoice, InvoiceStatus, Line, LineKind};

/// The lines of a subscription's invoices that nobody has been billed for: of drafts and void ones.
#[must_use]
pub fn unbilled_lines<'a>(invoices: impl Iterator<Item = &'a Invoice>) -> Vec<Line> {
    let unbilled =
        |invoice: &&Invoice| matches!(invoice.status, InvoiceStatus::Draft | InvoiceStatus::Void);
    let lines = invoices.filter(unbilled).flat_map(|own| &own.lines);
    let debit = |line: &&Line| matches!(line.kind, LineKind::Recurring | LineKind::RemainingTime);
    lines.filter(debit).cloned().collect()
}

impl Subscription {
    /// Itself as if nothing on these lines had been billed, to find out what can be given back. In
    /// classic mode, where credits come from today's price, an item whose period is among them has
    /// nothing to give back.
    #[must_use]
    pub fn without(&self, unbilled: &[Line]) -> Self {
        let mut rest = self.clone();
        for line in unbilled {
            let net = line
                .amount_minor
                .saturating_sub(line.discount_minor())
                .max(0);
            let item = rest
                .items
                .iter_mut()
                .find(|item| Some(&item.id) == line.subscription_item.as_ref());
            let Some(item) = item else { continue };
            let place = item.billed.iter().position(|own| {
                own.credited.is_none()
                    && own.period == line.period
                    && own.net_minor == net
                    && Some(&own.price) == line.price.as_ref()
            });
            if let Some(place) = place {
                item.billed.remove(place);
            }
        }
        if rest.billing_mode == BillingMode::Classic {
            rest.items.retain(|item| {
                let mut whole = unbilled
                    .iter()
                    .filter(|line| line.kind == LineKind::Recurring);
                !whole.any(|line| {
                    Some(&item.id) == line.subscription_item.as_ref()
                        && line.period == item.current_period
                })
            });
        }
        rest
    }
}
