//! Whether what metered items used was billed: read from lines and spans alone, with none of the code
//! that made them.
//!
//! Every stretch of a metered item's time stands on a line or in a span, whatever was used in it. A
//! stretch that has neither is named together with its meter; it is for the caller to ask the meter
//! whether anything was used there. Not every such stretch is a fault: what stands before a pause or a
//! trial may have been forgiven, classic mode bills nothing of what a change ends, and an item may have
//! had a flat price for nothing until its period was over. So a stretch is named only where nothing but
//! a metered price can have run: after a period that was billed or a trial (in flexible mode, in which
//! each change leaves a span behind), and else where it makes up whole periods, in which a flat price
//! would have been billed.

use super::{Billing, Fault, Problem, stood_still};
use crate::calendar::{Period, Timestamp};
use crate::catalog::Price;
use crate::decimal::Decimal12;
use crate::id::{InvoiceId, MeterId, SubscriptionItemId};
use crate::invoice::{BillingReason, LineKind};
use crate::subscription::{BillingMode, Item, Subscription};
use crate::usage::Span;

/// A stretch of a metered item's time that stands nowhere: a fault if anything was used in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbilled {
    /// The item.
    pub item: SubscriptionItemId,
    /// What counts its usage.
    pub meter: MeterId,
    /// The time.
    pub period: Period,
}

/// A line of usage of which no span is left: what came late would never be billed. A fault if it
/// came to another quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unremembered {
    /// The stretch.
    pub stretch: Unbilled,
    /// How much of it the line bills.
    pub billed: Decimal12,
}

/// What there is to say about the usage of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageCoverage {
    /// Stretches that stand nowhere.
    pub unbilled: Vec<Unbilled>,
    /// Lines without a span.
    pub unremembered: Vec<Unremembered>,
    /// Stretches that were billed more than once.
    pub twice: Vec<Problem>,
}

/// Looks through all lines and spans of a subscription, in any order.
#[must_use]
pub fn check_usage(
    subscription: &Subscription,
    billings: &[Billing<'_>],
    spans: &[&Span],
) -> UsageCoverage {
    let mut coverage = UsageCoverage::default();
    let metered = subscription.items.iter().filter(|item| is_counted(item));
    let mut items: Vec<&SubscriptionItemId> = metered
        .map(|item| &item.id)
        .chain(spans.iter().map(|span| &span.item))
        .collect();
    items.sort_unstable();
    items.dedup();
    for id in items {
        let theirs = Theirs {
            subscription,
            item: subscription.items.iter().find(|item| item.id == *id),
            lines: billings
                .iter()
                .filter(|own| own.line.subscription_item.as_ref() == Some(id))
                .collect(),
            spans: spans
                .iter()
                .copied()
                .filter(|span| span.item == *id)
                .collect(),
        };
        let gaps = theirs.gaps();
        coverage.unbilled.extend(gaps.into_iter().filter_map(|gap| {
            let meter = theirs.meter_before(gap.end)?;
            let item = id.clone();
            Some(Unbilled {
                item,
                meter,
                period: gap,
            })
        }));
        theirs.unremembered(id, &mut coverage.unremembered);
        theirs.twice(id, &mut coverage.twice);
    }
    coverage
}

fn is_counted(item: &Item) -> bool {
    meter_of(&item.price).is_some()
}

fn meter_of(price: &Price) -> Option<&MeterId> {
    let meter = price.recurring.as_ref()?.meter.as_ref();
    meter.filter(|_| price.is_metered())
}

/// What one item has.
struct Theirs<'a> {
    subscription: &'a Subscription,
    item: Option<&'a Item>,
    lines: Vec<&'a Billing<'a>>,
    spans: Vec<&'a Span>,
}

/// What a stretch of time was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A pause: usage before it may have been forgiven.
    Pause,
    /// A trial: usage before it, in the same period, is free too.
    Trial,
    /// It stands on a line of a metered price, or in a span.
    Metered,
    /// A period of a metered price that a renewal billed.
    Renewed,
    /// It stands on a line of a flat price.
    Flat,
    /// From here on it is still running.
    Running,
}

impl Theirs<'_> {
    /// All stretches that are spoken for, by their starts.
    fn stretches(&self) -> Vec<(Period, Kind)> {
        let lines = self.lines.iter().filter_map(|own| {
            let renewed = own.invoice.is_some()
                && own.reason == Some(BillingReason::SubscriptionCycle)
                && own.line.invoice_item.is_none();
            let kind = match own.line.kind {
                LineKind::Usage if renewed => Kind::Renewed,
                LineKind::Usage => Kind::Metered,
                LineKind::Recurring | LineKind::RemainingTime => Kind::Flat,
                LineKind::Trial => Kind::Trial,
                LineKind::UnusedTime | LineKind::OneTime | LineKind::TrueUp => return None,
            };
            Some((own.line.period, kind))
        });
        let spans = self.spans.iter().map(|span| (span.period, Kind::Metered));
        let own = self.subscription;
        let pauses = stood_still(own).into_iter().map(|at| (at, Kind::Pause));
        let trial = own.trial_start.zip(own.trial_end);
        let trial = trial.map(|(start, end)| (Period { start, end }, Kind::Trial));
        let mut all: Vec<(Period, Kind)> = lines.chain(spans).chain(pauses).chain(trial).collect();
        all.retain(|(period, _)| period.start < period.end);
        all.extend(self.running());
        all.sort_unstable_by_key(|(period, kind)| (period.start, *kind));
        all
    }

    /// Where the item is now, if its time until there should have been spoken for: the start of what it
    /// has not billed yet, or the end of a subscription that ended as it was set to. (What ends at once
    /// bills its usage only if it is asked to.)
    fn running(&self) -> Option<(Period, Kind)> {
        let item = self.item.filter(|item| is_counted(item))?;
        let own = self.subscription;
        let start = match own.status.is_final() {
            true => own.ended_at.filter(|at| own.cancel_at == Some(*at))?,
            false => item.usage_start(),
        };
        let end = Timestamp::MAX;
        Some((Period { start, end }, Kind::Running))
    }

    /// The gaps in which nothing but a metered price can have run.
    fn gaps(&self) -> Vec<Period> {
        let stretches = self.stretches();
        let mut gaps = Vec::new();
        // Its first price may have been a flat one, for nothing until a period began.
        let mut reached = self.item.map(|item| (item.created, None));
        for (period, kind) in stretches {
            if let Some((until, last)) = reached
                && until < period.start
                && let Some(gap) = self.certain((until, last), (period.start, kind))
            {
                gaps.push(gap);
            }
            reached = match reached {
                Some((until, _)) if until > period.end => reached,
                // Of two that end together, the one that says more.
                Some((until, Some(Kind::Renewed))) if until == period.end => reached,
                _ => Some((period.end, Some(kind))),
            };
        }
        gaps
    }

    /// The part of a gap that cannot have been anything but metered.
    fn certain(
        &self,
        (from, last): (Timestamp, Option<Kind>),
        (until, next): (Timestamp, Kind),
    ) -> Option<Period> {
        if matches!(next, Kind::Pause | Kind::Trial) {
            return None;
        }
        let own = self.subscription;
        let ended = own.status.is_final() && next == Kind::Running;
        let known = self.item.filter(|_| ended).map(Item::usage_start);
        if let Some(start) = known {
            // Its last price ran from there on.
            let start = start.max(from);
            return (start < until).then_some(Period { start, end: until });
        }
        let since = own.billing_mode_since.is_none_or(|since| since <= from);
        let traced = own.billing_mode == BillingMode::Flexible && since;
        if traced && matches!(last, Some(Kind::Renewed | Kind::Trial)) {
            return Some(Period {
                start: from,
                end: until,
            });
        }
        if next == Kind::Flat {
            return None;
        }
        let cadence = self.price_before(until)?.cadence()?;
        let on = |t: Timestamp| cadence.boundary_at_or_after(own.billing_cycle_anchor, t);
        let start = on(from).ok().filter(|start| *start < until)?;
        (on(until) == Ok(until)).then_some(Period { start, end: until })
    }

    /// The price of the last stretch before a moment that says so; else the one that the item has.
    fn price_before(&self, at: Timestamp) -> Option<&Price> {
        let before = self.spans.iter().filter(|span| span.period.end <= at);
        let newest = before.max_by_key(|span| span.period.end);
        let own = self.item.map(|item| &item.price);
        let own = own.filter(|price| meter_of(price).is_some());
        newest.map(|span| &span.price).or(own).or_else(|| {
            let first = self.spans.iter().min_by_key(|span| span.period.start);
            first.map(|span| &span.price)
        })
    }

    fn meter_before(&self, at: Timestamp) -> Option<MeterId> {
        self.price_before(at).and_then(meter_of).cloned()
    }

    /// Lines of usage that no span remembers, where their price's meter is known.
    fn unremembered(&self, id: &SubscriptionItemId, found: &mut Vec<Unremembered>) {
        let prices = self.spans.iter().map(|span| &span.price);
        let prices: Vec<&Price> = prices
            .chain(self.item.map(|item| &item.price))
            .filter(|price| meter_of(price).is_some())
            .collect();
        for own in &self.lines {
            let line = own.line;
            let alone = line.kind == LineKind::Usage
                && line.invoice_item.is_none()
                && own.invoice.is_some()
                && line.period.start < line.period.end
                && !self.spans.iter().any(|span| span.period == line.period);
            let price = prices
                .iter()
                .find(|price| Some(&price.id) == line.price.as_ref());
            let Some(meter) = price.and_then(|price| meter_of(price)).filter(|_| alone) else {
                continue;
            };
            let whole = i64::try_from(line.quantity.unwrap_or(0)).unwrap_or(i64::MAX);
            found.push(Unremembered {
                stretch: Unbilled {
                    item: id.clone(),
                    meter: meter.clone(),
                    period: line.period,
                },
                billed: line
                    .quantity_decimal
                    .unwrap_or(Decimal12::from_integer(whole)),
            });
        }
    }

    /// Spans that have time in common: what was used in it was billed by each.
    fn twice(&self, id: &SubscriptionItemId, problems: &mut Vec<Problem>) {
        let mut spans: Vec<&&Span> = self
            .spans
            .iter()
            .filter(|span| span.period.start < span.period.end)
            .collect();
        spans.sort_by_key(|span| (span.period.start, span.period.end));
        for pair in spans.windows(2) {
            let [first, second] = pair else { continue };
            if first.period.end <= second.period.start {
                continue;
            }
            let of = |own: &&&Billing<'_>| {
                let period = own.line.period;
                own.line.kind == LineKind::Usage
                    && !own.void
                    && (period == first.period || period == second.period)
            };
            let invoices = self.lines.iter().filter(of);
            let mut invoices: Vec<InvoiceId> =
                invoices.filter_map(|own| own.invoice.cloned()).collect();
            invoices.dedup();
            problems.push(Problem {
                item: id.clone(),
                period: Period {
                    start: second.period.start,
                    end: second.period.end.min(first.period.end),
                },
                fault: Fault::Twice(invoices),
            });
        }
    }
}

#[cfg(test)]
mod tests;
