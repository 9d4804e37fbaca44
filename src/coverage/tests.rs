//! Each period once: what is found, and what is no fault.

use super::{Billing, Fault, check};
use crate::calendar::{Period, Timestamp};
use crate::fixture::{line, running, simple};
use crate::id::InvoiceId;
use crate::invoice::{BillingReason, Line, LineKind};
use crate::subscription::Subscription;

const DAY: i64 = 86_400;
// 2026-01-01 00:00:00 UTC.
const START: i64 = 1_767_225_600;

fn at(day: i64) -> Timestamp {
    Timestamp(START + day * DAY)
}

fn subscription() -> Subscription {
    let price = crate::fixture::price("pro", 1_000);
    running(simple(price, 1, at(0)))
}

fn of(own: &Subscription, kind: LineKind, from: i64, until: i64) -> Line {
    let mut line = line("x", 1_000);
    line.kind = kind;
    line.price = Some(own.items[0].price.id.clone());
    line.subscription_item = Some(own.items[0].id.clone());
    line.period = Period {
        start: at(from),
        end: at(until),
    };
    line
}

/// A line: kind, from and until in days, reason, void.
type Row = (LineKind, i64, i64, BillingReason, bool);
/// A name, what was billed, until when, and what is wrong with it: from, to, whether twice.
type Case<'a> = (&'a str, &'a [Row], i64, &'a [(i64, i64, bool)]);

fn faults(rows: &[Row], until: i64) -> Vec<(i64, i64, bool)> {
    faults_of(subscription(), rows, until)
}

fn faults_of(mut own: Subscription, rows: &[Row], until: i64) -> Vec<(i64, i64, bool)> {
    own.items[0].current_period.end = at(until);
    let lines: Vec<Line> = rows
        .iter()
        .map(|row| of(&own, row.0, row.1, row.2))
        .collect();
    let ids: Vec<InvoiceId> = (0..rows.len())
        .map(|n| InvoiceId::from_random(n as u128))
        .collect();
    let billings: Vec<Billing<'_>> = (0..rows.len())
        .map(|n| Billing {
            invoice: Some(&ids[n]),
            reason: Some(rows[n].3),
            void: rows[n].4,
            line: &lines[n],
        })
        .collect();
    let found = check(&own, &billings).problems;
    let days = |t: Timestamp| (t.0 - START) / DAY;
    found
        .iter()
        .map(|own| {
            let twice = matches!(own.fault, Fault::Twice(_));
            (days(own.period.start), days(own.period.end), twice)
        })
        .collect()
}

#[test]
fn periods_are_found_billed_twice_or_never() {
    use BillingReason::{SubscriptionCreate, SubscriptionCycle, SubscriptionUpdate};
    use LineKind::{Recurring, RemainingTime, Trial, UnusedTime};
    // January has 31 days, February 28, March 31.
    let first = (Recurring, 0, 31, SubscriptionCreate, false);
    let second = (Recurring, 31, 59, SubscriptionCycle, false);
    let third = (Recurring, 59, 90, SubscriptionCycle, false);
    let cases: &[Case] = &[
        ("one after another", &[first, second, third], 90, &[]),
        (
            "a renewal twice",
            &[first, second, second],
            59,
            &[(31, 59, true)],
        ),
        (
            "metered, and then flat for nothing until the next period",
            &[(LineKind::Usage, 0, 31, SubscriptionCycle, false), third],
            90,
            &[],
        ),
        (
            "metered, and then a flat one missing",
            &[(LineKind::Usage, 0, 31, SubscriptionCycle, false), second],
            90,
            &[(59, 90, false)],
        ),
        ("a renewal missing", &[first, third], 90, &[(31, 59, false)]),
        (
            "the running one missing",
            &[first, second],
            90,
            &[(59, 90, false)],
        ),
        (
            "one that was voided",
            &[first, (Recurring, 31, 59, SubscriptionCycle, true), third],
            90,
            &[],
        ),
        (
            "one voided and billed again",
            &[first, (Recurring, 31, 59, SubscriptionCycle, true), second],
            59,
            &[],
        ),
        (
            "a change in the middle",
            &[
                first,
                (UnusedTime, 10, 31, SubscriptionUpdate, false),
                (RemainingTime, 10, 31, SubscriptionUpdate, false),
            ],
            31,
            &[],
        ),
        (
            "a restart that gives nothing back, as asked",
            &[first, (Recurring, 10, 38, SubscriptionUpdate, false)],
            38,
            &[],
        ),
        (
            "a renewal within a period",
            &[first, (Recurring, 10, 38, SubscriptionCycle, false)],
            38,
            &[(10, 31, true)],
        ),
        (
            "a trial first",
            &[
                (Trial, 0, 31, SubscriptionCreate, false),
                (Recurring, 31, 59, SubscriptionCycle, false),
            ],
            59,
            &[],
        ),
        (
            "a trial in mid-period that gave nothing back, as asked",
            &[
                first,
                (Trial, 10, 20, SubscriptionUpdate, false),
                (Recurring, 20, 48, SubscriptionCycle, false),
            ],
            48,
            &[],
        ),
        (
            "a trial in the second in which a period began",
            &[
                first,
                (Trial, 0, 20, SubscriptionUpdate, false),
                (Recurring, 20, 51, SubscriptionCycle, false),
            ],
            51,
            &[],
        ),
        (
            "a renewal twice after a trial",
            &[(Trial, 0, 31, SubscriptionCreate, false), second, second],
            59,
            &[(31, 59, true)],
        ),
        (
            "a pause that ended within a period",
            &[first, (Recurring, 45, 76, SubscriptionCycle, false)],
            76,
            &[],
        ),
        // It was metered until then, or its subscription went on from a pause before it was added.
        ("a first period late", &[third], 90, &[]),
        (
            "a metered price, then one by the period",
            &[
                first,
                (LineKind::Usage, 31, 59, SubscriptionCycle, false),
                third,
            ],
            90,
            &[],
        ),
        (
            "the end given back",
            &[first, (UnusedTime, 10, 31, SubscriptionUpdate, false)],
            31,
            &[],
        ),
    ];
    for (name, rows, until, expected) in cases {
        assert_eq!(faults(rows, *until), *expected, "{name}");
    }
}

#[test]
fn a_pause_explains_its_own_time_only() {
    use BillingReason::{SubscriptionCreate, SubscriptionUpdate};
    let rows = [
        (LineKind::Recurring, 0, 31, SubscriptionCreate, false),
        (LineKind::Recurring, 90, 120, SubscriptionUpdate, false),
    ];
    // February and March are missing.
    assert_eq!(faults(&rows, 120), [(31, 90, false)]);
    let mut paused = subscription();
    let still = |from, until| Period {
        start: at(from),
        end: at(until),
    };
    paused.stood_still = vec![still(31, 90)];
    assert_eq!(faults_of(paused.clone(), &rows, 120), []);
    paused.stood_still = vec![still(31, 59)];
    assert_eq!(faults_of(paused, &rows, 120), [(59, 90, false)]);
}

#[test]
fn an_item_that_came_for_free_is_not_missed_in_the_period_it_came_in() {
    use BillingReason::SubscriptionCycle;
    let mut own = subscription();
    // It stood still in December, went on with the year, and the item came on the 20th.
    own.stood_still = vec![Period {
        start: at(-10),
        end: at(0),
    }];
    let rows = [(LineKind::Recurring, 31, 59, SubscriptionCycle, false)];
    own.items[0].created = at(20);
    assert_eq!(faults_of(own.clone(), &rows, 59), []);
    // Had it been there, it would have been missed.
    own.items[0].created = at(-20);
    assert_eq!(faults_of(own, &rows, 59), [(0, 31, false)]);
}
