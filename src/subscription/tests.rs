//! The state machine, whole, and the life of subscriptions from start to end.

use super::{
    Anchor, BillingMode, CancelNow, Cancellation, CancellationReason, CollectionMethod, Creation,
    Due, ItemChange, MissingPaymentMethod, NewItem, ProrationBehavior, ResumeTerms, Status,
    Subscription, SubscriptionError, Usage,
};
use crate::calendar::{AnchorConfig, Cadence, Interval, Timestamp};
use crate::decimal::Decimal12;
use crate::discount::Duration;
use crate::fixture::{
    customer, day, discount, metered, percent, price, priced, running, set, simple, started,
    waiting, yearly,
};
use crate::invoice::{Invoice, LineKind};
use crate::quote::{ChangeContext, Counter, apply};
use proptest::prelude::*;

mod life;
mod matrix;
mod state;

use state::STATUSES;

fn total(invoice: &Option<Invoice>) -> Option<i64> {
    invoice.as_ref().map(|invoice| invoice.totals.total_minor)
}

fn kinds(invoice: &Option<Invoice>) -> Vec<LineKind> {
    let lines = invoice.iter().flat_map(|invoice| &invoice.lines);
    lines.map(|line| line.kind).collect()
}

#[test]
fn starting_bills_what_is_paid_in_advance() {
    let at = day(2026, 4, 1);
    let paid = started(simple(price("basic", 1_000), 2, at));
    assert_eq!(total(&paid.invoice), Some(2_000));
    assert_eq!(paid.subscription.status, Status::Incomplete);
    assert_eq!(paid.subscription.items[0].billed[0].net_minor, 2_000);
    assert_eq!(
        paid.subscription.items[0].current_period.end,
        day(2026, 5, 1)
    );

    let free = started(simple(price("free", 0), 1, at));
    assert_eq!(
        (free.subscription.status, total(&free.invoice)),
        (Status::Active, Some(0))
    );

    let mut creation = simple(price("basic", 1_000), 1, at);
    creation.collection_method = CollectionMethod::SendInvoice;
    creation.days_until_due = Some(14);
    let sent = started(creation);
    assert_eq!(sent.subscription.status, Status::Active);
    assert_eq!(sent.invoice.unwrap().due_date, Some(day(2026, 4, 15)));

    let usage = started(Creation::new(
        vec![NewItem {
            quantity: None,
            ..NewItem::new(metered("calls", 5), 0)
        }],
        at,
    ));
    assert_eq!(
        (usage.subscription.status, usage.invoice),
        (Status::Active, None)
    );
}

#[test]
fn a_trial_is_free_and_says_so() {
    for (mode, words) in [
        (BillingMode::Flexible, "Free trial for 1 × basic"),
        (BillingMode::Classic, "Trial period for basic"),
    ] {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        creation.billing_mode = mode;
        creation.trial_end = Some(day(2026, 4, 15));
        let made = started(creation);
        let mut own = made.subscription;
        let invoice = made.invoice.unwrap();
        assert_eq!(
            (own.status, invoice.totals.total_minor),
            (Status::Trialing, 0)
        );
        assert_eq!(invoice.lines[0].description, words);
        assert_eq!(own.next_due(), Some((day(2026, 4, 15), Due::Renewal)));
        let renewed = own
            .renew(&customer(), &[], &[], day(2026, 4, 15), &mut Counter(0))
            .unwrap();
        assert_eq!(total(&renewed.invoice), Some(1_000));
        assert_eq!(
            (own.status, own.billing_cycle_anchor),
            (Status::Active, day(2026, 4, 15))
        );
        assert_eq!(own.items[0].current_period.end, day(2026, 5, 15));
    }
}

#[test]
fn a_trial_can_end_early_or_without_means() {
    let trial = |choice| {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        creation.trial_end = Some(day(2026, 4, 15));
        creation.trial_missing_payment_method = choice;
        running(creation)
    };
    let mut early = trial(MissingPaymentMethod::CreateInvoice);
    early.end_trial(day(2026, 4, 3)).unwrap();
    let renewed = early
        .renew(&customer(), &[], &[], day(2026, 4, 3), &mut Counter(0))
        .unwrap();
    assert_eq!(total(&renewed.invoice), Some(1_000));
    assert_eq!(early.items[0].current_period.end, day(2026, 5, 3));
    assert!(early.end_trial(day(2026, 4, 4)).is_err());

    let at = day(2026, 4, 15);
    for (choice, wanted) in [
        (MissingPaymentMethod::Cancel, Some(Status::Canceled)),
        (MissingPaymentMethod::Pause, Some(Status::Paused)),
        (MissingPaymentMethod::CreateInvoice, None),
    ] {
        let mut own = trial(choice);
        assert_eq!(own.end_trial_unpayable(at).ok(), wanted, "{choice:?}");
        assert_eq!(own.ended_at.is_some(), wanted == Some(Status::Canceled));
    }
    let mut paused = trial(MissingPaymentMethod::Pause);
    paused.end_trial_unpayable(at).unwrap();
    assert_eq!(paused.next_due(), None);
    let resumed = paused
        .resume(
            &customer(),
            &[],
            ResumeTerms::default(),
            day(2026, 6, 10),
            &mut Counter(0),
        )
        .unwrap();
    assert_eq!(total(&resumed.0.invoice), Some(1_000));
    assert_eq!(paused.items[0].current_period.end, day(2026, 7, 10));
    let before = paused.clone();
    assert!(
        paused
            .resume(
                &customer(),
                &[],
                ResumeTerms::default(),
                day(2026, 6, 11),
                &mut Counter(0)
            )
            .is_err()
    );
    assert_eq!(paused, before);
}

#[test]
fn a_stub_leads_to_the_merchants_day() {
    let on_first = AnchorConfig {
        day_of_month: 1,
        month: None,
        hour: None,
        minute: None,
        second: None,
    };
    let mut creation = simple(price("basic", 3_000), 1, day(2026, 4, 16));
    creation.anchor = Anchor::Config(on_first);
    let made = started(creation.clone());
    let mut own = made.subscription;
    // 15 of April's 30 days.
    assert_eq!(
        (kinds(&made.invoice), total(&made.invoice)),
        (vec![LineKind::RemainingTime], Some(1_500))
    );
    assert_eq!(own.items[0].current_period.end, day(2026, 5, 1));
    own.status = Status::Active;
    // A change in the stub is priced by the whole month, and credits the stub's debit.
    let wish = [set(&own, 0, Some(price("pro", 6_000)), 1)];
    let payer = customer();
    let context = ChangeContext {
        subscription: &own,
        customer: &payer,
        pending: &[],
    };
    let behavior = ProrationBehavior::AlwaysInvoice;
    let ids = &mut Counter(0);
    let told = apply(&context, &wish, behavior, &[], day(2026, 4, 21), ids)
        .unwrap()
        .terms;
    let amounts: Vec<_> = told.lines.iter().map(|line| line.amount_minor).collect();
    assert_eq!(amounts, [-1_000, 2_000]);
    let renewed = own.renew(&payer, &[], &[], day(2026, 5, 1), ids).unwrap();
    assert_eq!(
        (kinds(&renewed.invoice), total(&renewed.invoice)),
        (vec![LineKind::Recurring], Some(3_000))
    );

    creation.proration_behavior = ProrationBehavior::None;
    assert_eq!(started(creation.clone()).invoice, None);
    // A trial of 7 days, then a stub to the first.
    creation.proration_behavior = ProrationBehavior::CreateProrations;
    creation.trial_end = Some(day(2026, 4, 23));
    let mut own = running(creation);
    let renewed = own.renew(&payer, &[], &[], day(2026, 4, 23), ids).unwrap();
    assert_eq!(total(&renewed.invoice), Some(800));
    assert_eq!(own.items[0].current_period.end, day(2026, 5, 1));
}

#[test]
fn anchors_remember_their_day() {
    let mut own = running(simple(price("basic", 1_000), 1, day(2026, 1, 31)));
    for (month, date) in [(2, 28), (3, 31), (4, 30), (5, 31), (6, 30)] {
        let at = day(2026, month, date);
        assert_eq!(own.next_due_at(), Some(at));
        own.renew(&customer(), &[], &[], at, &mut Counter(0))
            .unwrap();
        assert_eq!(own.items[0].current_period.start, at);
        assert_eq!(
            own.items[0].billed.len(),
            1,
            "the period before is forgotten"
        );
    }
}

#[test]
fn items_of_different_intervals_renew_by_themselves() {
    let mut creation = simple(yearly("plan", 12_000), 1, day(2026, 4, 1));
    creation.items.push(NewItem::new(price("seats", 500), 2));
    creation.items.push(NewItem {
        quantity: None,
        ..NewItem::new(metered("calls", 1), 0)
    });
    let mut own = running(creation);
    let usage = [Usage {
        item: own.items[2].id.clone(),
        quantity: Decimal12::from_integer(70),
    }];
    let may = own
        .renew(&customer(), &[], &usage, day(2026, 5, 1), &mut Counter(0))
        .unwrap();
    assert_eq!(kinds(&may.invoice), [LineKind::Usage, LineKind::Recurring]);
    assert_eq!(total(&may.invoice), Some(1_070));
    let invoice = may.invoice.unwrap();
    assert_eq!(
        (invoice.period.start, invoice.period.end),
        (day(2026, 4, 1), day(2026, 5, 1))
    );
    assert_eq!(invoice.lines[0].period.end, day(2026, 5, 1));
    assert_eq!(invoice.lines[1].period.start, day(2026, 5, 1));
    for month in 6..=12 {
        own.renew(&customer(), &[], &[], day(2026, month, 1), &mut Counter(0))
            .unwrap();
    }
    for month in 1..=3 {
        own.renew(&customer(), &[], &[], day(2027, month, 1), &mut Counter(0))
            .unwrap();
    }
    let april = own
        .renew(&customer(), &[], &[], day(2027, 4, 1), &mut Counter(0))
        .unwrap();
    assert_eq!(total(&april.invoice), Some(13_000));
}

#[test]
fn who_is_late_catches_up_period_by_period() {
    let mut own = running(simple(price("basic", 1_000), 1, day(2026, 1, 1)));
    let (now, mut ids) = (day(2026, 4, 10), Counter(0));
    let mut boundaries = Vec::new();
    while own.next_due_at().is_some_and(|at| at <= now) {
        boundaries.push(own.renew(&customer(), &[], &[], now, &mut ids).unwrap().at);
    }
    assert_eq!(
        boundaries,
        [day(2026, 2, 1), day(2026, 3, 1), day(2026, 4, 1)]
    );
    let before = own.clone();
    let early = own.renew(&customer(), &[], &[], now, &mut ids);
    assert_eq!(
        early,
        Err(SubscriptionError::NotDue {
            due: day(2026, 5, 1)
        })
    );
    assert_eq!(own, before);
}

#[test]
fn once_and_repeating_discounts_come_to_an_end() {
    let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
    let mut repeating = discount("r", percent("10"), Duration::Forever);
    repeating.end = Some(day(2026, 6, 1));
    creation.discounts = vec![discount("once", percent("50"), Duration::Once), repeating];
    let made = started(creation);
    let (mut own, mut payer) = (made.subscription, customer());
    own.status = Status::Active;
    let mut invoice = made.invoice.unwrap();
    let mut totals = Vec::new();
    loop {
        totals.push(invoice.totals.total_minor);
        invoice
            .finalize(&mut payer, own.items[0].current_period.start)
            .unwrap();
        own.spend_discounts(&invoice);
        if totals.len() == 3 {
            break;
        }
        let at = own.next_due_at().unwrap();
        invoice = own
            .renew(&payer, &[], &[], at, &mut Counter(0))
            .unwrap()
            .invoice
            .unwrap();
    }
    assert_eq!(totals, [450, 900, 1_000]);
}

#[test]
fn it_ends_with_the_period_unless_that_is_taken_back() {
    for (mode, flag) in [(BillingMode::Flexible, false), (BillingMode::Classic, true)] {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        creation.billing_mode = mode;
        let mut own = running(creation);
        assert_eq!(own.keep(), Err(SubscriptionError::NotEnding));
        let end = own
            .cancel_at_period_end(Cancellation::default(), day(2026, 4, 5))
            .unwrap();
        assert_eq!((end, own.cancel_at_period_end), (day(2026, 5, 1), flag));
        let why = own.cancellation.as_ref().and_then(|why| why.reason);
        assert_eq!(why, Some(CancellationReason::CancellationRequested));
        let kept = {
            let mut kept = own.clone();
            kept.keep().unwrap();
            kept
        };
        assert_eq!((kept.cancel_at, kept.cancellation.clone()), (None, None));
        assert_eq!(kept.next_due(), Some((end, Due::Renewal)));

        assert_eq!(own.next_due(), Some((end, Due::End)));
        let renewed = own.renew(&customer(), &[], &[], end, &mut Counter(0));
        assert_eq!(renewed, Err(SubscriptionError::EndsInstead { at: end }));
        assert!(
            own.finish(&customer(), &[], &[], day(2026, 4, 30), &mut Counter(0))
                .is_err()
        );
        let ended = own
            .finish(&customer(), &[], &[], end, &mut Counter(0))
            .unwrap();
        assert_eq!(
            (ended.invoice, own.status, own.ended_at),
            (None, Status::Canceled, Some(end))
        );
        assert_eq!((own.next_due(), own.keep().is_err()), (None, true));
    }
}

#[test]
fn it_can_end_at_any_later_moment() {
    let mut own = running(simple(price("basic", 1_000), 1, day(2026, 4, 1)));
    let (now, end) = (day(2026, 4, 5), day(2026, 5, 10));
    let before = own.clone();
    let past = own.end_at(now, Cancellation::default(), now);
    assert_eq!(past, Err(SubscriptionError::CancelAtPassed));
    assert_eq!(own, before);
    own.end_at(end, Cancellation::default(), now).unwrap();
    assert_eq!(own.next_due(), Some((day(2026, 5, 1), Due::Renewal)));
    own.renew(&customer(), &[], &[], end, &mut Counter(0))
        .unwrap();
    assert_eq!(own.next_due(), Some((end, Due::End)));
    own.finish(&customer(), &[], &[], end, &mut Counter(0))
        .unwrap();
    assert_eq!((own.status, own.ended_at), (Status::Canceled, Some(end)));
}

#[test]
fn the_last_invoice_bills_usage_and_what_waits() {
    let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
    creation.items.push(NewItem {
        quantity: None,
        ..NewItem::new(metered("calls", 2), 0)
    });
    let mut own = running(creation);
    own.cancel_at_period_end(Cancellation::default(), day(2026, 4, 5))
        .unwrap();
    let usage = [Usage {
        item: own.items[1].id.clone(),
        quantity: Decimal12::from_integer(30),
    }];
    let pending = [waiting(1, 5)];
    let ended = own
        .finish(
            &customer(),
            &pending,
            &usage,
            day(2026, 5, 2),
            &mut Counter(0),
        )
        .unwrap();
    assert_eq!(
        (total(&ended.invoice), ended.at),
        (Some(65), day(2026, 5, 1))
    );
    assert_eq!(ended.taken, [pending[0].id.clone()]);
}

#[test]
fn ending_at_once_credits_only_when_asked() {
    let own = running(simple(price("basic", 1_000), 1, day(2026, 4, 1)));
    let mut old = waiting(1, 200);
    old.proration = true;
    old.line.subscription = Some(own.id.clone());
    let at = day(2026, 4, 16);
    // prorate, invoice now -> total of the invoice, waiting credits, dropped items
    for (prorate, invoice_now, wanted, credits, dropped) in [
        (false, false, None, 0, 1),
        (true, false, None, 1, 0),
        (false, true, Some(200), 0, 0),
        (true, true, Some(-300), 0, 0),
    ] {
        let how = CancelNow {
            prorate,
            invoice_now,
            ..CancelNow::default()
        };
        let mut ended = own.clone();
        let pending = std::slice::from_ref(&old);
        let done = ended
            .cancel_now(&customer(), pending, &how, at, &mut Counter(0))
            .unwrap();
        let told = (total(&done.invoice), done.pending.len(), done.dropped.len());
        assert_eq!(told, (wanted, credits, dropped), "{prorate} {invoice_now}");
        assert_eq!((ended.status, ended.ended_at), (Status::Canceled, Some(at)));
        assert!(
            done.pending
                .iter()
                .all(|item| item.line.amount_minor == -500)
        );
        let before = ended.clone();
        assert!(
            ended
                .cancel_now(&customer(), &[], &how, at, &mut Counter(0))
                .is_err()
        );
        assert_eq!(ended, before);
    }
}

#[test]
fn what_is_only_drafted_is_not_given_back() {
    use crate::invoice::InvoiceStatus::{Draft, Open, Paid, Uncollectible, Void};
    let (start, turn) = (day(2026, 4, 1), day(2026, 5, 1));
    // the renewal's invoice, seconds after the renewal -> what is given back
    for (status, later, flexible, classic) in [
        (Draft, 0, 0, 0),
        (Draft, 1_800, 0, 0),
        (Void, 0, 0, 0),
        (Open, 0, -1_000, -1_000),
        (Paid, 0, -1_000, -1_000),
        (Uncollectible, 0, -1_000, -1_000),
        (Paid, 1_339_200, -500, -500),
        (Draft, 1_339_200, 0, 0),
    ] {
        for (mode, wanted) in [
            (BillingMode::Flexible, flexible),
            (BillingMode::Classic, classic),
        ] {
            let mut own = running(simple(price("basic", 1_000), 1, start));
            own.billing_mode = mode;
            let renewed = own.renew(&customer(), &[], &[], turn, &mut Counter(50));
            let mut invoice = renewed.unwrap().invoice.unwrap();
            invoice.status = status;
            let at = turn.add_seconds(later).unwrap();
            let how = CancelNow {
                prorate: true,
                unbilled: super::unbilled_lines(std::iter::once(&invoice)),
                ..CancelNow::default()
            };
            let done = own.cancel_now(&customer(), &[], &how, at, &mut Counter(99));
            let pending = done.unwrap().pending;
            let given: i64 = pending.iter().map(|item| item.line.amount_minor).sum();
            assert_eq!(given, wanted, "{status:?} {later} {mode:?}");
        }
    }
}

#[test]
fn a_first_payment_has_its_time() {
    let own = started(simple(price("basic", 1_000), 1, day(2026, 4, 1))).subscription;
    let expiry = Timestamp(day(2026, 4, 1).0 + 23 * 3_600);
    assert_eq!(own.next_due(), Some((expiry, Due::FirstPaymentExpiry)));
    let mut late = own.clone();
    let refused = late.renew(&customer(), &[], &[], day(2026, 5, 1), &mut Counter(0));
    assert_eq!(refused, Err(SubscriptionError::Status(Status::Incomplete)));
    assert_eq!(late, own);
}

#[test]
fn what_cannot_start_is_refused_by_name() {
    let at = day(2026, 4, 1);
    let with = |change: fn(&mut Creation)| {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        change(&mut creation);
        creation
    };
    use SubscriptionError as E;
    let cases = [
        (with(|c| c.items.clear()), E::NoItems),
        (with(|c| c.trial_end = Some(c.at)), E::TrialEnd),
        (
            with(|c| c.trial_end = Some(Timestamp(i64::MAX))),
            E::TrialEnd,
        ),
        (with(|c| c.cancel_at = Some(c.at)), E::CancelAtPassed),
        (with(|c| c.days_until_due = Some(1)), E::DaysUntilDue),
        (
            with(|c| c.collection_method = CollectionMethod::SendInvoice),
            E::DaysUntilDue,
        ),
        (
            with(|c| c.anchor = Anchor::At(Timestamp(c.at.0 - 1))),
            E::AnchorOutOfRange,
        ),
        (
            with(|c| c.anchor = Anchor::At(day(2026, 5, 2))),
            E::AnchorOutOfRange,
        ),
        (
            with(|c| c.items[0].quantity = Some(u64::MAX)),
            E::QuantityTooLarge,
        ),
    ];
    for (creation, wanted) in cases {
        let made = Subscription::create(creation, &customer(), &[], &mut Counter(0));
        assert_eq!(made.map(|_| ()), Err(wanted));
    }
    let create = |creation, payer| {
        Subscription::create(creation, &payer, &[], &mut Counter(0))
            .map(|_| ())
            .unwrap_err()
    };
    let creation = simple(price("basic", 1_000), 1, at);
    let mut deleted = customer();
    deleted.deleted = true;
    assert_eq!(create(creation.clone(), deleted), E::CustomerDeleted);
    let mut european = customer();
    european.currency = Some(crate::currency::Currency::EUR);
    assert!(matches!(
        create(creation, european),
        E::CurrencyMismatch { .. }
    ));
}

fn cadence() -> impl Strategy<Value = Cadence> {
    prop_oneof![
        (1_u16..60).prop_map(|n| Cadence::new(Interval::Day, n).unwrap()),
        (1_u16..9).prop_map(|n| Cadence::new(Interval::Week, n).unwrap()),
        (1_u16..=36).prop_map(|n| Cadence::new(Interval::Month, n).unwrap()),
        (1_u16..=3).prop_map(|n| Cadence::new(Interval::Year, n).unwrap()),
    ]
}

proptest! {
    #[test]
    fn periods_tile_time(
        first in cadence(), second in cadence(), start in 0_i64..4_000_000_000,
        trial in proptest::option::of(1_i64..5_000_000), day_of_month in proptest::option::of(1_u8..=31),
    ) {
        let unit = Decimal12::from_integer(1_000);
        let mut creation = simple(priced("one", unit, first), 1, Timestamp(start));
        creation.items.push(NewItem::new(priced("two", unit, second), 1));
        creation.trial_end = trial.map(|seconds| Timestamp(start + seconds));
        if let (Some(day_of_month), true) = (day_of_month, first.interval >= Interval::Month) {
            creation.anchor = Anchor::Config(AnchorConfig {
                day_of_month, month: None, hour: None, minute: None, second: None,
            });
        }
        let mut own = running(creation);
        for _ in 0..12 {
            let before = own.clone();
            let at = own.next_due_at().unwrap();
            own.renew(&customer(), &[], &[], at, &mut Counter(0)).unwrap();
            for (old, new) in before.items.iter().zip(&own.items) {
                if old.current_period.end == at {
                    prop_assert_eq!(new.current_period.start, at);
                    prop_assert!(new.current_period.end > at);
                } else {
                    prop_assert_eq!(new.current_period, old.current_period);
                }
            }
        }
    }

    #[test]
    fn nothing_panics(
        unit in any::<i64>(), quantity in any::<u64>(), start in any::<i64>(), now in any::<i64>(),
        trial in proptest::option::of(any::<i64>()), anchor in proptest::option::of(any::<i64>()),
        status in 0_usize..8, units in any::<u64>(),
    ) {
        let mut creation = simple(price("one", unit), quantity, Timestamp(start));
        creation.items.push(NewItem { quantity: None, ..NewItem::new(metered("calls", unit), 0) });
        creation.trial_end = trial.map(Timestamp);
        creation.anchor = anchor.map_or(Anchor::Start, |at| Anchor::At(Timestamp(at)));
        let (payer, now, mut ids) = (customer(), Timestamp(now), Counter(0));
        if let Ok(made) = Subscription::create(creation, &payer, &[], &mut ids) {
            let mut own = made.subscription;
            own.status = STATUSES[status];
            let usage = [Usage { item: own.items[1].id.clone(), quantity: Decimal12::from_integer(i64::try_from(units).unwrap()) }];
            let _ = crate::quote::upcoming(&own, &payer, &[]);
            let _ = own.clone().renew(&payer, &[], &usage, now, &mut ids);
            let _ = own.clone().resume(&payer, &[], ResumeTerms::default(), now, &mut ids);
            let _ = own.clone().end_trial(now);
            let _ = own.clone().end_trial_unpayable(now);
            let how = CancelNow { prorate: true, invoice_now: true, usage: usage.to_vec(), ..CancelNow::default() };
            let _ = own.clone().cancel_now(&payer, &[], &how, now, &mut ids);
            let remove = [ItemChange::Remove { item: own.items[1].id.clone() }];
            let _ = super::apply_changes(&own, &remove, now);
            if own.cancel_at_period_end(Cancellation::default(), now).is_ok() {
                let _ = own.finish(&payer, &[], &usage, now, &mut ids);
            }
        }
    }
}

#[test]
fn waiting_amounts_are_billed_at_their_interval_and_no_earlier() {
    let at = day(2026, 1, 31);
    let mut creation = simple(yearly("pro", 12_000), 1, at);
    creation.pending_items = Some(Cadence::MONTHLY);
    let mut own = started(creation).subscription;
    own.status = Status::Active;
    let (payer, mut ids) = (customer(), Counter::default());
    // Counted from the anchor, whose day outlives February.
    assert_eq!(own.next_due(), Some((day(2026, 2, 28), Due::PendingItems)));
    let early = own.bill_pending_items(&payer, &[], day(2026, 2, 27), &mut ids);
    assert!(matches!(early, Err(SubscriptionError::NotDue { .. })));
    let mut item = waiting(7, 700);
    item.date = day(2026, 2, 10);
    let mut later = waiting(77, 900);
    later.date = day(2026, 3, 5);
    let pending = [item.clone(), later.clone()];
    let made = own
        .bill_pending_items(&payer, &pending, day(2026, 3, 6), &mut ids)
        .unwrap();
    // A worker that is late bills as of the day that it was to be: what began to wait after it waits on.
    assert_eq!((made.at, made.taken), (day(2026, 2, 28), vec![item.id]));
    let invoice = made.invoice.unwrap();
    assert_eq!(invoice.totals.total_minor, 700);
    assert_eq!(own.latest_invoice, Some(invoice.id));
    assert_eq!(own.next_due(), Some((day(2026, 3, 31), Due::PendingItems)));
    let made = own
        .bill_pending_items(&payer, &[later], day(2026, 3, 31), &mut ids)
        .unwrap();
    assert_eq!(total(&made.invoice), Some(900));
    // Where nothing waits, all that has passed is passed over at once.
    let made = own
        .bill_pending_items(&payer, &[], day(2026, 11, 2), &mut ids)
        .unwrap();
    assert_eq!(total(&made.invoice), None);
    assert_eq!(own.next_due(), Some((day(2026, 11, 30), Due::PendingItems)));
    // At the renewal's own moment that comes first, and takes what waits.
    let settings = own.settings.as_mut().unwrap();
    let every = settings.pending_items.as_mut().unwrap();
    every.next_at = day(2027, 1, 31);
    assert_eq!(own.next_due(), Some((day(2027, 1, 31), Due::Renewal)));
}
