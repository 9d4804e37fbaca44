//! Whether each period of a subscription was invoiced exactly once: read from its lines alone, with
//! none of the code that made them. What metered items used is looked at by [`check_usage`].
//!
//! Time of an item is *billed* by lines for periods and rests of periods, *given back* by credits,
//! and *explained* by trials, by pauses, and by invoices that were voided. What is billed twice without having
//! been given back, and whole periods that nothing bills, are problems. A merchant may choose to
//! restart a period without giving anything back (`proration_behavior` none), to start or resume in
//! the middle of one, and to add items, or give a metered one a flat price, for free until the next
//! period; that is no problem.

use crate::calendar::{Cadence, Period, Timestamp};
use crate::id::{InvoiceId, PriceId, SubscriptionItemId};
use crate::invoice::{BillingReason, Line, LineKind};
use crate::subscription::{Item, Status, Subscription};

mod usage;

pub use usage::{Unbilled, Unremembered, UsageCoverage, check_usage};

/// A line of an invoice, or one that waits for the next.
#[derive(Clone, Copy, Debug)]
pub struct Billing<'a> {
    /// The invoice; `None` while it waits.
    pub invoice: Option<&'a InvoiceId>,
    /// Why the invoice was made.
    pub reason: Option<BillingReason>,
    /// Whether the invoice was voided.
    pub void: bool,
    /// The line.
    pub line: &'a Line,
}

impl Billing<'_> {
    fn effect(&self) -> Option<Effect> {
        match self.line.kind {
            LineKind::Trial => Some(Effect::Explains),
            LineKind::Recurring | LineKind::RemainingTime if self.void => Some(Effect::Explains),
            LineKind::Recurring if self.reason == Some(BillingReason::SubscriptionUpdate) => {
                Some(Effect::Bills)
            }
            LineKind::Recurring => Some(Effect::BillsAlone),
            LineKind::RemainingTime => Some(Effect::Bills),
            LineKind::UnusedTime if !self.void => Some(Effect::GivesBack),
            // The item was metered then: its time costs nothing.
            LineKind::Usage => Some(Effect::Explains),
            LineKind::UnusedTime | LineKind::OneTime | LineKind::TrueUp => None,
        }
    }
}

/// What a line does to the time that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// A period of its own: nothing else on the same terms may bill the same time.
    BillsAlone,
    /// Bills it, as a change asked.
    Bills,
    /// Takes back what was billed.
    GivesBack,
    /// Says why nothing is owed.
    Explains,
}

/// Time that was not invoiced exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The item.
    pub item: SubscriptionItemId,
    /// The time.
    pub period: Period,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Billed more than once; the invoices that do.
    Twice(Vec<InvoiceId>),
    /// Not billed at all.
    Never,
}

/// What there is to say about a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Periods that were invoiced.
    pub periods: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Looks through all lines of a subscription's items, in any order.
#[must_use]
pub fn check(subscription: &Subscription, billings: &[Billing<'_>]) -> Coverage {
    let mut coverage = Coverage::default();
    let mut items: Vec<&SubscriptionItemId> = billings
        .iter()
        .filter_map(|own| own.line.subscription_item.as_ref())
        .collect();
    items.sort_unstable();
    items.dedup();
    for id in items {
        let own = |billing: &&Billing<'_>| billing.line.subscription_item.as_ref() == Some(id);
        let theirs: Vec<Billing<'_>> = billings.iter().filter(own).copied().collect();
        let alone = |billing: &&Billing<'_>| {
            !billing.void && matches!(billing.line.kind, LineKind::Recurring | LineKind::Usage)
        };
        coverage.periods += theirs.iter().filter(alone).count() as u64;
        let item = subscription.items.iter().find(|item| item.id == *id);
        usage_once(id, &theirs, &mut coverage.problems);
        time_once(subscription, id, item, &theirs, &mut coverage.problems);
    }
    coverage
}

/// A metered period stands on one renewal only.
fn usage_once(id: &SubscriptionItemId, theirs: &[Billing<'_>], problems: &mut Vec<Problem>) {
    let cycle = |own: &&Billing<'_>| {
        own.line.kind == LineKind::Usage
            && !own.void
            && own.reason == Some(BillingReason::SubscriptionCycle)
    };
    let mut usage: Vec<&Billing<'_>> = theirs.iter().filter(cycle).collect();
    usage.sort_by_key(|own| (own.line.period.start, own.line.period.end));
    for pair in usage.windows(2) {
        let [first, second] = pair else { continue };
        if first.line.period == second.line.period && first.line.price == second.line.price {
            let invoices = [first, second].into_iter().filter_map(|own| own.invoice);
            problems.push(Problem {
                item: id.clone(),
                period: first.line.period,
                fault: Fault::Twice(invoices.cloned().collect()),
            });
        }
    }
}

/// Sweeps over the boundaries of an item's lines.
fn time_once(
    subscription: &Subscription,
    id: &SubscriptionItemId,
    item: Option<&Item>,
    theirs: &[Billing<'_>],
    problems: &mut Vec<Problem>,
) {
    let lines: Vec<(Effect, &Billing<'_>)> = theirs
        .iter()
        .filter_map(|own| Some((own.effect()?, own)))
        .filter(|(_, own)| own.line.period.start < own.line.period.end)
        .collect();
    let lines = cut_by_trials(lines);
    let still = stood_still(subscription);
    let mut moments: Vec<Timestamp> = lines
        .iter()
        .flat_map(|(_, own)| [own.line.period.start, own.line.period.end])
        .chain(still.iter().flat_map(|pause| [pause.start, pause.end]))
        .chain(item.map(|item| item.current_period.end))
        .collect();
    moments.sort_unstable();
    moments.dedup();
    let mut starts: Vec<usize> = (0..lines.len()).collect();
    starts.sort_by_key(|index| lines.get(*index).map(|(_, own)| own.line.period.start));
    let mut waiting = starts.into_iter().peekable();
    let mut open: Vec<(Effect, &Billing<'_>)> = Vec::new();
    // A metered item may get a flat price in mid-period, for nothing until the next one.
    let mut metered = false;
    for pair in moments.windows(2) {
        let [start, end] = pair else { continue };
        open.retain(|(_, own)| own.line.period.end > *start);
        // Before its first line, an item that was added for free in mid-period was not there.
        let begun = waiting.len() < lines.len();
        while let Some(next) = waiting.peek().and_then(|index| lines.get(*index))
            && next.1.line.period.start <= *start
        {
            open.push(*next);
            waiting.next();
        }
        let period = Period {
            start: *start,
            end: *end,
        };
        if !open.is_empty() {
            metered = open.iter().all(|(_, own)| own.line.kind == LineKind::Usage);
        }
        let fault = match twice(&open) {
            Some(invoices) => Some(Fault::Twice(invoices)),
            None if open.is_empty() && !metered && !paused(&still, period) => {
                let last = waiting.peek().is_none();
                let begun = begun || item.is_none_or(|item| item.created <= *start);
                (begun && missed(subscription, item, period, last)).then_some(Fault::Never)
            }
            None => None,
        };
        if let Some(fault) = fault {
            problems.push(Problem {
                item: id.clone(),
                period,
                fault,
            });
        }
    }
}

/// A period that a trial cut short while it ran does not stand alone any more: the merchant may have
/// given nothing back for it.
fn cut_by_trials<'a, 'b>(lines: Vec<(Effect, &'a Billing<'b>)>) -> Vec<(Effect, &'a Billing<'b>)> {
    let trials: Vec<Timestamp> = lines
        .iter()
        .filter(|(_, own)| own.line.kind == LineKind::Trial)
        .map(|(_, own)| own.line.period.start)
        .collect();
    let cut = |period: Period| {
        trials
            .iter()
            .any(|at| period.start <= *at && *at < period.end)
    };
    let told = lines.into_iter().map(|(effect, own)| match effect {
        Effect::BillsAlone if cut(own.line.period) => (Effect::Bills, own),
        effect => (effect, own),
    });
    told.collect()
}

/// The pauses of a subscription, with the one that goes on.
fn stood_still(subscription: &Subscription) -> Vec<Period> {
    let running = subscription.paused.as_ref().map(|pause| Period {
        start: pause.at,
        end: Timestamp::MAX,
    });
    let over = subscription.stood_still.iter().copied();
    over.chain(running).collect()
}

fn paused(still: &[Period], time: Period) -> bool {
    still
        .iter()
        .any(|pause| pause.start <= time.start && time.end <= pause.end)
}

/// The invoices that bill the same time on the same terms, where it was not given back.
fn twice(open: &[(Effect, &Billing<'_>)]) -> Option<Vec<InvoiceId>> {
    let count = |wanted: fn(Effect) -> bool| open.iter().filter(|(own, _)| wanted(*own)).count();
    let billed = count(|own| matches!(own, Effect::BillsAlone | Effect::Bills));
    let back = count(|own| own == Effect::GivesBack);
    if billed <= back + 1 {
        return None;
    }
    let alone: Vec<&Billing<'_>> = open
        .iter()
        .filter(|(own, _)| *own == Effect::BillsAlone)
        .map(|(_, own)| *own)
        .collect();
    let price = |own: &Billing<'_>| -> Option<PriceId> { own.line.price.clone() };
    let clash = |own: &&&Billing<'_>| {
        let same = alone.iter().filter(|other| price(other) == price(own));
        same.count() > 1
    };
    let invoices: Vec<InvoiceId> = alone
        .iter()
        .filter(clash)
        .filter_map(|own| own.invoice.cloned())
        .collect();
    (!invoices.is_empty()).then_some(invoices)
}

/// Whether time that no line covers should have been billed: whole periods between two that were, or
/// the running one.
fn missed(subscription: &Subscription, item: Option<&Item>, gap: Period, last: bool) -> bool {
    let Some(item) = item else {
        return false;
    };
    if item.price.is_metered() {
        return false;
    }
    if last {
        let running = matches!(
            subscription.status,
            Status::Active | Status::PastDue | Status::Unpaid
        );
        return running && gap.end <= item.current_period.end && item.created <= gap.start;
    }
    let anchor = subscription.billing_cycle_anchor;
    let whole = |cadence: Cadence| {
        let on = |t: Timestamp| cadence.boundary_at_or_after(anchor, t) == Ok(t);
        on(gap.start) && on(gap.end)
    };
    item.price.cadence().is_some_and(whole)
}

#[cfg(test)]
mod tests;
