//! Usage that stands nowhere, and time that is none of it.

use super::check_usage;
use crate::calendar::{Period, Timestamp};
use crate::coverage::Billing;
use crate::decimal::Decimal12;
use crate::fixture::{line, metered, price, running, simple};
use crate::id::{InvoiceId, MeterId, UsageSpanId};
use crate::invoice::{BillingReason, Line, LineKind};
use crate::quote::Counter;
use crate::subscription::{BillingMode, Status, Subscription};
use crate::usage::Span;

const DAY: i64 = 86_400;
// 2026-01-01 00:00:00 UTC.
const START: i64 = 1_767_225_600;

fn at(day: i64) -> Timestamp {
    Timestamp(START + day * DAY)
}

fn period(from: i64, until: i64) -> Period {
    Period {
        start: at(from),
        end: at(until),
    }
}

/// A subscription to calls since the first of January 2026, of which nothing is billed yet.
fn subscription() -> Subscription {
    let mut calls = metered("calls", 1);
    let meter = MeterId::from_random(1);
    calls.recurring.as_mut().unwrap().meter = Some(meter);
    running(simple(calls, 0, at(0)))
}

/// What stands somewhere: from and until in days.
#[derive(Clone, Copy)]
enum Told {
    /// A line of a renewal, with its span.
    Renewed(i64, i64),
    /// The span of a change, with its line.
    Changed(i64, i64),
    /// A line of a renewal alone.
    Line(i64, i64),
    /// A line of a flat price.
    Flat(i64, i64),
    /// A span alone.
    Span(i64, i64),
}

/// Gaps, lines without a span, and time that was billed twice, in days.
type Found = (Vec<(i64, i64)>, Vec<(i64, i64)>, Vec<(i64, i64)>);

fn found(own: &Subscription, told: &[Told]) -> Found {
    use Told::{Changed, Flat, Renewed, Span as Alone};
    let item = &own.items[0];
    let (mut lines, mut spans): (Vec<(Line, BillingReason)>, Vec<Span>) = (Vec::new(), Vec::new());
    for own_told in told {
        let (Renewed(from, until)
        | Changed(from, until)
        | Told::Line(from, until)
        | Flat(from, until)
        | Alone(from, until)) = *own_told;
        let mut own_line = line("calls", 0);
        own_line.kind = LineKind::Usage;
        own_line.price = Some(item.price.id.clone());
        own_line.subscription_item = Some(item.id.clone());
        own_line.period = period(from, until);
        own_line.quantity = Some(5);
        let mut reason = BillingReason::SubscriptionCycle;
        match own_told {
            Flat(..) => {
                own_line.kind = LineKind::Recurring;
                own_line.price = Some(price("flat", 1).id);
            }
            Changed(..) => reason = BillingReason::SubscriptionUpdate,
            _ => {}
        }
        if matches!(own_told, Renewed(..) | Changed(..) | Alone(..)) {
            let mut ids = Counter(spans.len() as u128);
            let span = Span::of(own, item, own_line.period, at(until), &mut ids);
            spans.push(Span {
                id: UsageSpanId::from_random(spans.len() as u128),
                ..span
            });
        }
        if !matches!(own_told, Alone(..)) {
            lines.push((own_line, reason));
        }
    }
    let ids: Vec<InvoiceId> = (0..lines.len())
        .map(|n| InvoiceId::from_random(n as u128))
        .collect();
    let billings: Vec<Billing<'_>> = lines
        .iter()
        .zip(&ids)
        .map(|((line, reason), id)| Billing {
            invoice: Some(id),
            reason: Some(*reason),
            void: false,
            line,
        })
        .collect();
    let spans: Vec<&Span> = spans.iter().collect();
    let coverage = check_usage(own, &billings, &spans);
    let days = |period: Period| {
        let days = |t: Timestamp| (t.0 - START) / DAY;
        (days(period.start), days(period.end))
    };
    let gaps = coverage.unbilled.iter().map(|own| days(own.period));
    let alone = coverage.unremembered.iter();
    assert!(
        alone
            .clone()
            .all(|own| own.billed == Decimal12::from_integer(5))
    );
    let alone = alone.map(|own| days(own.stretch.period));
    let twice = coverage.twice.iter().map(|own| days(own.period));
    (gaps.collect(), alone.collect(), twice.collect())
}

/// What happened to a subscription, beside what stands somewhere.
#[derive(Clone, Copy)]
enum Lived {
    /// It runs; the item's period began on this day.
    Runs(i64),
    /// It runs, and bills usage from this day on.
    From(i64),
    /// It has a flat price by now, since this day.
    Flat(i64),
    /// It ended on this day as it was set to; the item's period had begun on the other.
    Ended(i64, i64),
    /// It ended at once, on this day.
    Cut(i64),
    /// It stood still between these days, and has a period since the second.
    Still(i64, i64),
    /// It was in a trial between these days, and has a period since the third.
    Trial(i64, i64, i64),
}

fn lived(lived: Lived) -> Subscription {
    let mut own = subscription();
    let begins = |own: &mut Subscription, day: i64| {
        own.items[0].current_period = period(day, day + 31);
    };
    match lived {
        Lived::Runs(day) => begins(&mut own, day),
        Lived::From(day) => own.items[0].usage_from = Some(at(day)),
        Lived::Flat(day) => {
            begins(&mut own, day);
            own.items[0].price = price("flat", 1);
        }
        Lived::Ended(day, began) => {
            begins(&mut own, began);
            own.status = Status::Canceled;
            (own.cancel_at, own.ended_at) = (Some(at(day)), Some(at(day)));
        }
        Lived::Cut(day) => {
            begins(&mut own, day - 10);
            own.status = Status::Canceled;
            own.ended_at = Some(at(day));
        }
        Lived::Still(from, until) => {
            own.stood_still = vec![period(from, until)];
            begins(&mut own, until);
        }
        Lived::Trial(from, until, began) => {
            (own.trial_start, own.trial_end) = (Some(at(from)), Some(at(until)));
            begins(&mut own, began);
        }
    }
    own
}

#[test]
fn time_that_stands_nowhere_is_named() {
    use Lived::{Cut, Ended, Flat, From, Runs, Still, Trial};
    use Told::{Changed, Renewed};
    // January has 31 days, February 28, March 31.
    let (january, february, march) = (Renewed(0, 31), Renewed(31, 59), Renewed(59, 90));
    // A name, what happened, what stands somewhere, and the gaps.
    type Case<'a> = (&'a str, Lived, &'a [Told], &'a [(i64, i64)]);
    let cases: &[Case<'_>] = &[
        ("all is billed", Runs(59), &[january, february], &[]),
        (
            "a span that waits is enough",
            Runs(59),
            &[january, Told::Span(31, 59)],
            &[],
        ),
        ("the first period is lost", Runs(31), &[], &[(0, 31)]),
        (
            "one between is lost",
            Runs(90),
            &[january, march],
            &[(31, 59)],
        ),
        (
            "the last is lost",
            Runs(90),
            &[january, february],
            &[(59, 90)],
        ),
        ("two are lost", Runs(90), &[january], &[(31, 90)]),
        (
            "what a change ends is lost",
            From(40),
            &[january],
            &[(31, 40)],
        ),
        (
            "a change is billed",
            From(40),
            &[january, Changed(31, 40)],
            &[],
        ),
        (
            "a renewal after a change is lost",
            Runs(90),
            &[Changed(0, 12)],
            &[(31, 90)],
        ),
        (
            "before a flat price it is lost",
            Runs(90),
            &[january, Told::Flat(59, 90)],
            &[(31, 59)],
        ),
        (
            "flat for nothing from the middle on",
            Runs(31),
            &[Changed(0, 12)],
            &[],
        ),
        (
            "it has a flat price now",
            Flat(90),
            &[january, Changed(31, 40)],
            &[],
        ),
        (
            "it ended, and its last period is lost",
            Ended(45, 31),
            &[january],
            &[(31, 45)],
        ),
        (
            "it ended, and two are lost",
            Ended(70, 59),
            &[january],
            &[(59, 70)],
        ),
        (
            "it ended as it was set to",
            Ended(45, 31),
            &[january, Renewed(31, 45)],
            &[],
        ),
        ("it ended at once", Cut(45), &[january], &[]),
        (
            "a pause forgave what was before",
            Still(40, 50),
            &[january],
            &[],
        ),
        (
            "what follows a pause may have been flat",
            Still(31, 40),
            &[january, Renewed(71, 99)],
            &[],
        ),
        ("a trial at first", Trial(0, 31, 31), &[], &[]),
        ("a trial in mid-period", Trial(40, 59, 59), &[january], &[]),
        (
            "after a trial one is lost",
            Trial(0, 31, 59),
            &[],
            &[(31, 59)],
        ),
    ];
    for (name, happened, told, gaps) in cases {
        let own = lived(*happened);
        assert_eq!(found(&own, told).0, *gaps, "{name}");
    }
}

/// Classic mode bills nothing of what a change ends, as at Stripe; whole periods it does bill.
#[test]
fn classic_mode_leaves_what_a_change_ends() {
    let classic = |mut own: Subscription| {
        own.billing_mode = BillingMode::Classic;
        own
    };
    let changed = classic(lived(Lived::From(40)));
    assert_eq!(found(&changed, &[Told::Renewed(0, 31)]).0, []);
    let lost = classic(lived(Lived::Runs(90)));
    assert_eq!(found(&lost, &[Told::Renewed(0, 31)]).0, [(31, 90)]);
}

#[test]
fn lines_without_a_span_and_spans_with_common_time_are_named() {
    use Told::{Line as Alone, Renewed, Span as Span_};
    let own = lived(Lived::Runs(59));
    let whole = [Renewed(0, 31), Alone(31, 59)];
    assert_eq!(found(&own, &whole), (vec![], vec![(31, 59)], vec![]));
    let twice = [Renewed(0, 31), Renewed(31, 59), Span_(20, 31)];
    assert_eq!(found(&own, &twice), (vec![], vec![], vec![(20, 31)]));
}
