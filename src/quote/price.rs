//! Pricing a change and making it: one path for both.

use super::upcoming::{Counter, recurring, upcoming};
use super::{Terms, waits};
use crate::calendar::{Period, Timestamp};
use crate::customer::Customer;
use crate::id::{InvoiceItemId, Randomness};
use crate::invoice::{
    BillingReason, Draft, Invoice, InvoiceItem, InvoiceStatus, LineDraft, Totals, draft,
    draft_lines,
};
use crate::portal::ScheduleCondition;
use crate::proration::{self, prorate};
use crate::subscription::{
    Changed, ItemChange, ProrationBehavior, ScheduledChange, Subscription, SubscriptionError,
    Turned, apply_changes,
};

/// Why a change was refused.
pub type ChangeError = SubscriptionError;

/// What a change starts from.
#[derive(Clone, Copy, Debug)]
pub struct ChangeContext<'a> {
    /// As it is.
    pub subscription: &'a Subscription,
    /// Whose balance, discount and tax status count.
    pub customer: &'a Customer,
    /// Everything of theirs that waits for an invoice.
    pub pending: &'a [InvoiceItem],
}

/// A change, made: everything that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The subscription afterwards.
    pub subscription: Subscription,
    /// The draft to finalise and charge now, if there is one.
    pub invoice: Option<Invoice>,
    /// Waiting items that the draft took up.
    pub taken: Vec<InvoiceItemId>,
    /// New items that wait for the next invoice.
    pub pending: Vec<InvoiceItem>,
    /// What the customer was told, or would be.
    pub terms: Terms,
}

/// Prices a change without making it. It is [`apply`], tried with made-up ids.
///
/// # Errors
/// As [`apply`].
pub fn price_change(
    context: &ChangeContext<'_>,
    changes: &[ItemChange],
    behavior: ProrationBehavior,
    conditions: &[ScheduleCondition],
    at: Timestamp,
) -> Result<Terms, ChangeError> {
    let mut ids = Counter::default();
    apply(context, changes, behavior, conditions, at, &mut ids).map(|applied| applied.terms)
}

/// Makes a change at `at`, or lets it wait for the period's end where a condition says so.
///
/// With [`ProrationBehavior::AlwaysInvoice`], and whenever new periods start now, the lines are
/// drafted on an invoice together with everything that waits; else they wait as invoice items. A
/// change that is made replaces one that waited.
///
/// # Errors
/// When a rule is broken (see [`apply_changes`]) or an amount can't be computed. Nothing has
/// changed then: this function only computes.
pub fn apply(
    context: &ChangeContext<'_>,
    changes: &[ItemChange],
    behavior: ProrationBehavior,
    conditions: &[ScheduleCondition],
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Applied, ChangeError> {
    if context.customer.deleted {
        return Err(SubscriptionError::CustomerDeleted);
    }
    let changed = apply_changes(context.subscription, changes, at)?;
    if let Some(ends) = waits(context.subscription, changes, conditions)? {
        return scheduled(context, changes, ends, at);
    }
    make(context, changed, behavior, at, ids)
}

/// Makes a change whose items are known.
pub(super) fn make(
    context: &ChangeContext<'_>,
    changed: Changed,
    behavior: ProrationBehavior,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Applied, ChangeError> {
    let (resets, anchor) = (changed.resets, changed.billing_cycle_anchor);
    let before = context.subscription;
    let discounts = before.effective_discounts(context.customer);
    let proration = prorate(before, changed, discounts, behavior, at, ids)?;
    let mut next = before.clone();
    next.billing_cycle_anchor = anchor;
    next.items = proration.items;
    // A phase still comes; what a customer let wait is replaced.
    next.scheduled_change = next.scheduled_change.filter(|own| own.phase.is_some());
    next.aim_again(ids);
    let mut made = unpriced(next, at);
    made.terms.anchor_reset = resets;
    if behavior == ProrationBehavior::AlwaysInvoice || resets {
        invoice_now(context, &mut made, proration.lines, at, ids)?;
    } else {
        made.pending = waiting_items(&made.subscription, proration.lines, at, ids);
    }
    tell(context, &mut made, at)?;
    Ok(made)
}

impl Applied {
    /// A phase that was entered, to be written the way that changes are. Nobody was quoted for it.
    #[must_use]
    pub fn of_phase(subscription: Subscription, turned: Turned) -> Self {
        Self {
            invoice: turned.invoice,
            taken: turned.taken,
            pending: turned.pending,
            ..unpriced(subscription, turned.at)
        }
    }
}

/// A change that has not been priced yet.
pub(super) fn unpriced(subscription: Subscription, effective_at: Timestamp) -> Applied {
    let terms = empty_terms(&subscription, effective_at);
    Applied {
        subscription,
        invoice: None,
        taken: Vec::new(),
        pending: Vec::new(),
        terms,
    }
}

/// The lines on an invoice of their own, together with what waits. No lines, no invoice.
pub(super) fn invoice_now(
    context: &ChangeContext<'_>,
    made: &mut Applied,
    lines: Vec<LineDraft>,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<(), ChangeError> {
    if lines.is_empty() {
        return Ok(());
    }
    let input = Draft {
        customer: context.customer,
        subscription: Some(&made.subscription),
        currency: made.subscription.currency,
        billing_reason: BillingReason::SubscriptionUpdate,
        lines,
        pending: context.pending,
        period: Period { start: at, end: at },
        at,
    };
    let invoice = draft(input, ids)?;
    proration::note_billed(&mut made.subscription.items, &invoice.lines)?;
    for own in &mut made.subscription.commitments {
        own.count(&invoice.lines)?;
    }
    made.subscription.latest_invoice = Some(invoice.id.clone());
    made.taken = invoice
        .lines
        .iter()
        .filter_map(|line| line.invoice_item.clone())
        .collect();
    made.invoice = Some(invoice);
    Ok(())
}

/// Lines as items that wait for the next invoice.
pub(crate) fn waiting_items(
    subscription: &Subscription,
    lines: Vec<LineDraft>,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Vec<InvoiceItem> {
    let items = lines.into_iter().map(|draft| {
        let id = InvoiceItemId::new(ids);
        let mut line = draft.line;
        line.invoice_item = Some(id.clone());
        InvoiceItem {
            id,
            customer: subscription.customer.clone(),
            currency: subscription.currency,
            line,
            proration: true,
            date: at,
            invoice: None,
            test_clock: subscription.test_clock.clone(),
            made_for_invoice: false,
        }
    });
    items.collect()
}

/// A change that waits: nothing is billed for it now.
fn scheduled(
    context: &ChangeContext<'_>,
    changes: &[ItemChange],
    ends: Timestamp,
    at: Timestamp,
) -> Result<Applied, ChangeError> {
    let mut next = context.subscription.clone();
    next.scheduled_change = Some(ScheduledChange {
        at: ends,
        items: changes.to_vec(),
        requested_at: at,
        phase: None,
    });
    let mut made = unpriced(next, ends);
    made.terms.scheduled = true;
    tell(context, &mut made, at)?;
    Ok(made)
}

fn empty_terms(subscription: &Subscription, effective_at: Timestamp) -> Terms {
    Terms {
        currency: subscription.currency,
        effective_at,
        scheduled: false,
        anchor_reset: false,
        lines: Vec::new(),
        totals: Totals::default(),
        balance_applied_minor: 0,
        due_now_minor: 0,
        credited_minor: 0,
        next_invoice_at: effective_at,
        next_invoice_minor: 0,
        recurring_minor: 0,
    }
}

/// Says what was made in amounts: now, with the next invoice, and after it.
pub(super) fn tell(
    context: &ChangeContext<'_>,
    made: &mut Applied,
    at: Timestamp,
) -> Result<(), ChangeError> {
    let mut payer = context.customer.clone();
    let mut later = made.subscription.clone();
    let mut waiting: Vec<InvoiceItem> = context.pending.to_vec();
    waiting.retain(|item| !made.taken.contains(&item.id));
    waiting.extend(made.pending.iter().cloned());
    let terms = &mut made.terms;
    if let Some(draft) = &made.invoice {
        // The copy goes the way that the real one goes.
        let mut invoice = draft.clone();
        let changes = invoice.finalize(&mut payer, at)?;
        later.spend_discounts(&invoice);
        let open = invoice.status == InvoiceStatus::Open;
        terms.due_now_minor = if open { invoice.amount_due_minor } else { 0 };
        terms.credited_minor = invoice.totals.total_minor.min(0).saturating_neg();
        let settled: i64 = changes
            .iter()
            .fold(0, |sum, c| sum.saturating_add(c.amount_minor));
        terms.balance_applied_minor = settled
            .saturating_add(terms.credited_minor)
            .saturating_neg();
        terms.totals = invoice.totals;
        terms.lines = invoice.lines;
    } else {
        let drafts = made.pending.iter().map(|item| LineDraft {
            line: item.line.clone(),
            discounts: Vec::new(),
        });
        let exempt = payer.tax_exempt;
        let (lines, _, totals) = draft_lines(drafts.collect(), &[], exempt, at, later.currency)?;
        (terms.lines, terms.totals) = (lines, totals);
    }
    let upcoming = upcoming(&later, &payer, &waiting)?;
    let ends = later.cancel_at.or(later.period_end()).unwrap_or(at);
    terms.next_invoice_at = upcoming.as_ref().map_or(ends, |next| next.at);
    terms.next_invoice_minor = upcoming
        .as_ref()
        .map_or(0, |next| next.invoice.totals.total_minor);
    // The terms that hold once the change is made, also where it waits.
    let mut lasting = later;
    if let Some(change) = lasting.scheduled_change.take() {
        lasting.items = crate::subscription::items_after(&lasting, &change)?;
    }
    let after = Timestamp(terms.next_invoice_at.0.saturating_add(1));
    terms.recurring_minor = recurring(&lasting, &payer, after)?;
    Ok(())
}
