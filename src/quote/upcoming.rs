//! The next ordinary invoice, before it is made.

use crate::calendar::Timestamp;
use crate::customer::Customer;
use crate::discount::Duration;
use crate::id::Randomness;
use crate::invoice::{BillingReason, Invoice, InvoiceItem, InvoiceStatus, LineKind, draft_lines};
use crate::proration;
use crate::subscription::{Due, Subscription, SubscriptionError, Usage};

/// Ids for what is only looked at: 1, 2, 3 … Never for anything that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter(pub u128);

impl Randomness for Counter {
    fn bits(&mut self) -> u128 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// The next invoice of a subscription as it stands today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// When it comes.
    pub at: Timestamp,
    /// The invoice as it would be finalised then, with usage so far where it was asked for. Its reason is
    /// `upcoming`, its status `draft`; its totals and `amount_due_minor` are those of the invoice
    /// that follows, if nothing changes.
    pub invoice: Invoice,
    /// Whether usage will come on top.
    pub plus_usage: bool,
    /// Whether it is the last one, because the subscription ends with it.
    pub last: bool,
}

impl Upcoming {
    /// What will be charged, in minor units.
    #[must_use]
    pub const fn due_minor(&self) -> i64 {
        self.invoice.amount_due_minor
    }
}

/// The next ordinary invoice: the very renewal that will happen, tried on copies, with the pending
/// items, discounts, taxes and the balance as they are. `None` when there will be none: the
/// subscription is over, paused, or ends with nothing left to bill.
///
/// # Errors
/// When an amount can't be computed.
pub fn upcoming(
    subscription: &Subscription,
    customer: &Customer,
    pending: &[InvoiceItem],
) -> Result<Option<Upcoming>, SubscriptionError> {
    upcoming_with(subscription, customer, pending, None)
}

/// The next ordinary invoice, with what was used so far of metered items where that is known. More
/// may still come: [`Upcoming::plus_usage`] says so all the same.
///
/// # Errors
/// When an amount can't be computed.
pub fn upcoming_with(
    subscription: &Subscription,
    customer: &Customer,
    pending: &[InvoiceItem],
    usage: Option<&[Usage]>,
) -> Result<Option<Upcoming>, SubscriptionError> {
    let used = usage.unwrap_or_default();
    let (mut next, mut payer, mut ids) =
        (subscription.clone(), customer.clone(), Counter::default());
    next.pause_collection = None;
    next.pending_update = None;
    // A first payment that is still open does not change what the second one will be.
    if next.status == crate::subscription::Status::Incomplete {
        next.status = crate::subscription::Status::Active;
    }
    let mut waiting: Vec<InvoiceItem> = pending.to_vec();
    // Phases that begin before the period ends are begun on the copy; each takes the next one off. What
    // waits may be billed between periods.
    while let Some((at, due @ (Due::Phase | Due::PendingItems))) = next.next_due() {
        if due == Due::PendingItems {
            let made = next.bill_pending_items(&payer, &waiting, at, &mut ids)?;
            if let Some(invoice) = made.invoice {
                let known = usage.is_some();
                return Ok(Some(shown(invoice, &mut payer, at, false, false, known)?));
            }
            continue;
        }
        let turned = next.turn(&payer, &waiting, at, &mut ids)?;
        waiting.retain(|item| !turned.taken.contains(&item.id));
        waiting.extend(
            turned
                .pending
                .into_iter()
                .filter(|item| item.invoice.is_none()),
        );
        if let Some(invoice) = turned.invoice {
            return Ok(Some(shown(
                invoice,
                &mut payer,
                at,
                false,
                false,
                usage.is_some(),
            )?));
        }
    }
    let pending = waiting.as_slice();
    let Some((at, due)) = next.next_due() else {
        return Ok(None);
    };
    let metered = |item: &&crate::subscription::Item| item.price.is_metered();
    let trialing = next.status == crate::subscription::Status::Trialing;
    let ends =
        |end: Timestamp| move |item: &&crate::subscription::Item| item.current_period.end == end;
    let last = due == Due::End;
    let plus_usage = !trialing
        && next
            .items
            .iter()
            .filter(metered)
            .any(|item| last || ends(at)(&item));
    let renewed = match due {
        Due::End => next.finish(&payer, pending, used, at, &mut ids)?,
        Due::Renewal => next.renew(&payer, pending, used, at, &mut ids)?,
        Due::FirstPaymentExpiry
        | Due::ResumeCollection
        | Due::Phase
        | Due::PendingItems
        | Due::PendingUpdateExpiry
        | Due::ResumptionExpiry
        | Due::Resume => {
            return Ok(None);
        }
    };
    let Some(invoice) = renewed.invoice else {
        return Ok(None);
    };
    if last
        && usage.is_none()
        && invoice
            .lines
            .iter()
            .all(|line| line.kind == LineKind::Usage)
    {
        return Ok(None);
    }
    Ok(Some(shown(
        invoice,
        &mut payer,
        at,
        plus_usage,
        last,
        usage.is_some(),
    )?))
}

/// A draft as it would be finalised, shown as what is to come.
fn shown(
    mut invoice: Invoice,
    payer: &mut Customer,
    at: Timestamp,
    plus_usage: bool,
    last: bool,
    usage_known: bool,
) -> Result<Upcoming, SubscriptionError> {
    invoice.finalize(payer, at)?;
    invoice.billing_reason = BillingReason::Upcoming;
    invoice.status = InvoiceStatus::Draft;
    invoice.number = None;
    invoice.finalized_at = None;
    invoice.paid_at = None;
    if !usage_known {
        invoice
            .lines
            .retain(|line| line.kind != LineKind::Usage || line.invoice_item.is_some());
    }
    Ok(Upcoming {
        at,
        invoice,
        plus_usage,
        last,
    })
}

/// What each period costs, in minor units: all licensed items once, with tax and the discounts that
/// last (forever, or repeating beyond `after`), without usage.
///
/// # Errors
/// When an amount can't be computed.
pub fn recurring(
    subscription: &Subscription,
    customer: &Customer,
    after: Timestamp,
) -> Result<i64, SubscriptionError> {
    let mut ids = Counter::default();
    let mut lines = Vec::new();
    for item in subscription
        .items
        .iter()
        .filter(|item| !item.price.is_metered())
    {
        let mut draft = proration::whole_period(subscription, item, &mut ids)?;
        draft.discounts.retain(lasts);
        lines.push(draft);
    }
    let shared: Vec<_> = subscription
        .effective_discounts(customer)
        .iter()
        .filter(|discount| lasts(discount))
        .cloned()
        .collect();
    let exempt = customer.tax_exempt;
    let (_, _, totals) = draft_lines(lines, &shared, exempt, after, subscription.currency)?;
    Ok(totals.total_minor)
}

fn lasts(discount: &crate::discount::Discount) -> bool {
    discount.coupon.duration != Duration::Once
}
