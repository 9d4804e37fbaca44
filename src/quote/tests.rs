//! A preview binds: what is told is what follows.

use super::{
    Applied, ChangeContext, Counter, apply, give_trial, price_change, restart, upcoming, waits,
};
use crate::calendar::Timestamp;
use crate::catalog::Price;
use crate::decimal::Decimal12;
use crate::discount::Duration;
use crate::fixture::{
    customer, day, discount, metered, percent, price, rate, running, set, simple, waiting, yearly,
};
use crate::id::SubscriptionItemId;
use crate::invoice::InvoiceStatus;
use crate::portal::ScheduleCondition::{self, DecreasingItemAmount, ShorteningInterval};
use crate::subscription::{
    BillingMode, Cancellation, ItemChange, ItemExtras, NewItem, ProrationBehavior, Status,
    Subscription, SubscriptionError, Usage,
};

mod binding;

const ALL: [ScheduleCondition; 2] = [DecreasingItemAmount, ShorteningInterval];

fn plan(price: Price, quantity: u64) -> Subscription {
    running(simple(price, quantity, day(2026, 4, 1)))
}

fn changed(
    subscription: &Subscription,
    changes: &[ItemChange],
    conditions: &[ScheduleCondition],
    at: Timestamp,
) -> Applied {
    let customer = customer();
    let context = ChangeContext {
        subscription,
        customer: &customer,
        pending: &[],
    };
    let behavior = ProrationBehavior::AlwaysInvoice;
    apply(&context, changes, behavior, conditions, at, &mut Counter(0)).unwrap()
}

#[test]
fn decreases_and_shorter_intervals_wait() {
    let monthly = plan(price("basic", 1_000), 3);
    let year = plan(yearly("yearly", 10_000), 1);
    let cases = [
        ("fewer", &monthly, set(&monthly, 0, None, 2), [true, false]),
        ("more", &monthly, set(&monthly, 0, None, 4), [false, false]),
        (
            "cheaper",
            &monthly,
            set(&monthly, 0, Some(price("mini", 500)), 3),
            [true, false],
        ),
        (
            "dearer",
            &monthly,
            set(&monthly, 0, Some(price("pro", 1_001)), 3),
            [false, false],
        ),
        // 25000 a year is less than 3000 a month, and more than 2000.
        (
            "longer, cheaper",
            &monthly,
            set(&monthly, 0, Some(yearly("y", 25_000)), 1),
            [true, false],
        ),
        (
            "longer, dearer",
            &monthly,
            set(&monthly, 0, Some(yearly("y", 36_001)), 1),
            [false, false],
        ),
        (
            "shorter, dearer",
            &year,
            set(&year, 0, Some(price("m", 1_000)), 1),
            [false, true],
        ),
        (
            "shorter, cheaper",
            &year,
            set(&year, 0, Some(price("m", 800)), 1),
            [true, true],
        ),
        (
            "gone",
            &monthly,
            ItemChange::Remove {
                item: monthly.items[0].id.clone(),
            },
            [true, false],
        ),
    ];
    for (name, own, wish, wanted) in cases {
        let end = own.items[0].current_period.end;
        for (condition, waiting) in ALL.into_iter().zip(wanted) {
            let found = waits(own, std::slice::from_ref(&wish), &[condition]).unwrap();
            assert_eq!(found, waiting.then_some(end), "{name} {condition:?}");
        }
        assert_eq!(waits(own, &[wish], &[]), Ok(None), "{name}");
    }
}

#[test]
fn a_change_that_waits_is_made_at_the_period_end() {
    let own = plan(yearly("yearly", 12_000), 1);
    let wish = set(&own, 0, Some(price("monthly", 1_200)), 2);
    let applied = changed(&own, &[wish], &ALL, day(2026, 6, 1));
    let terms = &applied.terms;
    assert!(terms.scheduled && terms.lines.is_empty() && applied.invoice.is_none());
    assert_eq!(
        (terms.effective_at, terms.due_now_minor),
        (day(2027, 4, 1), 0)
    );
    assert_eq!(
        (terms.next_invoice_at, terms.next_invoice_minor),
        (day(2027, 4, 1), 2_400)
    );
    assert_eq!(terms.recurring_minor, 2_400);
    let mut later = applied.subscription;
    assert_eq!(later.items, own.items);
    let renewed = later
        .renew(&customer(), &[], &[], day(2027, 4, 1), &mut Counter(0))
        .unwrap();
    assert_eq!(renewed.invoice.unwrap().totals.total_minor, 2_400);
    assert_eq!(later.items[0].current_period.end, day(2027, 5, 1));
    assert_eq!(later.scheduled_change, None);
}

#[test]
fn a_change_now_replaces_one_that_waits() {
    let mut own = plan(price("basic", 1_000), 3);
    let fewer = set(&own, 0, None, 1);
    own = changed(&own, &[fewer], &ALL, day(2026, 4, 5)).subscription;
    assert!(own.scheduled_change.is_some());
    let more = set(&own, 0, None, 5);
    own = changed(&own, &[more], &ALL, day(2026, 4, 6)).subscription;
    assert_eq!(own.scheduled_change, None);
    let told = upcoming(&own, &customer(), &[]).unwrap().unwrap();
    assert_eq!(told.due_minor(), 5_000);
}

#[test]
fn a_waiting_change_to_a_year_starts_it_at_the_boundary() {
    let mut own = running(simple(price("monthly", 9_000), 1, day(2026, 1, 31)));
    let wish = set(&own, 0, Some(yearly("yearly", 50_000)), 1);
    own = changed(&own, &[wish], &ALL, day(2026, 2, 10)).subscription;
    let told = upcoming(&own, &customer(), &[]).unwrap().unwrap();
    assert_eq!((told.at, told.due_minor()), (day(2026, 2, 28), 50_000));
    own.renew(&customer(), &[], &[], day(2026, 2, 28), &mut Counter(0))
        .unwrap();
    assert_eq!(own.items[0].current_period.end, day(2027, 2, 28));
    // A year to a month keeps the remembered day.
    let mut own = running(simple(yearly("yearly", 50_000), 1, day(2026, 1, 31)));
    let wish = set(&own, 0, Some(price("monthly", 1_000)), 1);
    own = changed(&own, &[wish], &ALL, day(2026, 2, 10)).subscription;
    own.renew(&customer(), &[], &[], day(2027, 1, 31), &mut Counter(0))
        .unwrap();
    assert_eq!(own.items[0].current_period.end, day(2027, 2, 28));
    own.renew(&customer(), &[], &[], day(2027, 2, 28), &mut Counter(0))
        .unwrap();
    assert_eq!(own.items[0].current_period.end, day(2027, 3, 31));
}

#[test]
fn terms_tell_now_next_and_after() {
    let mut own = plan(price("basic", 1_000), 1);
    own.default_tax_rates = vec![rate("vat", "20", false)];
    own.discounts = vec![discount("once", percent("50"), Duration::Once)];
    let mut owner = customer();
    owner.balance_minor = -100;
    let pending = [waiting(1, 40)];
    let context = ChangeContext {
        subscription: &own,
        customer: &owner,
        pending: &pending,
    };
    let wish = [set(&own, 0, Some(price("pro", 2_000)), 1)];
    let at = day(2026, 4, 21);
    let told = |behavior| price_change(&context, &wish, behavior, &[], at).unwrap();

    // -334 (untaxed), 666 + 133 tax, 40 waiting at half price; 100 of credit.
    let now = told(ProrationBehavior::AlwaysInvoice);
    assert_eq!(now.lines.len(), 3);
    assert_eq!(now.totals.total_minor, -334 + 799 + 20);
    assert_eq!(
        (
            now.balance_applied_minor,
            now.due_now_minor,
            now.credited_minor
        ),
        (-100, 385, 0)
    );
    assert_eq!(
        (now.next_invoice_minor, now.recurring_minor),
        (2_400, 2_400)
    );

    let later = told(ProrationBehavior::CreateProrations);
    assert_eq!((later.due_now_minor, later.lines.len()), (0, 2));
    assert_eq!(later.totals.total_minor, 465);
    // 2000 and 40 at half price, the first with tax, and what waits.
    assert_eq!(later.next_invoice_minor, 1_200 + 20 + 465);
    assert_eq!(later.next_invoice_at, day(2026, 5, 1));

    let none = told(ProrationBehavior::None);
    assert_eq!(
        (
            none.due_now_minor,
            none.lines.len(),
            none.totals.total_minor
        ),
        (0, 0, 0)
    );
    assert_eq!(none.next_invoice_minor, 1_220);

    let cheaper = [set(&own, 0, Some(price("mini", 100)), 1)];
    let behavior = ProrationBehavior::AlwaysInvoice;
    let context = ChangeContext {
        pending: &[],
        ..context
    };
    let credit = price_change(&context, &cheaper, behavior, &[], at).unwrap();
    assert_eq!((credit.totals.total_minor, credit.due_now_minor), (-294, 0));
    assert_eq!(
        (credit.credited_minor, credit.balance_applied_minor),
        (294, 0)
    );
}

#[test]
fn a_wish_that_breaks_a_rule_is_refused_by_name() {
    let own = plan(price("basic", 1_000), 1);
    let item = own.items[0].id.clone();
    let at = day(2026, 4, 10);
    let add = |price: Price, quantity| ItemChange::Add {
        id: SubscriptionItemId::from_random(9),
        price,
        quantity,
        tax_rates: Vec::new(),
        with: ItemExtras::default(),
    };
    let mut euros = price("euros", 1_000);
    euros.currency = crate::currency::Currency::EUR;
    let mut old = price("old", 1_000);
    old.active = false;
    let mut once = price("once", 1_000);
    once.recurring = None;
    let many: Vec<_> = (0..20)
        .map(|n| ItemChange::Add {
            id: SubscriptionItemId::from_random(n),
            price: price(&format!("p{n}"), 1),
            quantity: 1,
            tax_rates: Vec::new(),
            with: ItemExtras::default(),
        })
        .collect();
    let refused = |changes: Vec<ItemChange>, at| {
        let customer = customer();
        let context = ChangeContext {
            subscription: &own,
            customer: &customer,
            pending: &[],
        };
        let behavior = ProrationBehavior::AlwaysInvoice;
        price_change(&context, &changes, behavior, &[], at).unwrap_err()
    };
    use SubscriptionError as E;
    let unknown = SubscriptionItemId::from_random(5);
    let remove = |item: &SubscriptionItemId| ItemChange::Remove { item: item.clone() };
    let cases = [
        (vec![remove(&item)], at, E::NoItems),
        (vec![remove(&unknown)], at, E::UnknownItem(unknown.clone())),
        (
            vec![remove(&item), set(&own, 0, None, 2)],
            at,
            E::DuplicateItem(item.clone()),
        ),
        (many, at, E::TooManyItems),
        (
            vec![add(price("basic", 1), 1)],
            at,
            E::DuplicatePrice(own.items[0].price.id.clone()),
        ),
        (vec![add(old.clone(), 1)], at, E::PriceInactive(old.id)),
        (vec![add(once.clone(), 1)], at, E::NotRecurring(once.id)),
        (
            vec![set(&own, 0, None, 1_000_000_000)],
            at,
            E::QuantityTooLarge,
        ),
        (vec![add(metered("calls", 1), 1)], at, E::QuantityOfMetered),
        (
            vec![set(&own, 0, None, 2)],
            day(2026, 5, 1),
            E::OutsidePeriod {
                ends: day(2026, 5, 1),
            },
        ),
        (
            vec![set(&own, 0, None, 2)],
            day(2026, 3, 1),
            E::OutsidePeriod {
                ends: day(2026, 5, 1),
            },
        ),
    ];
    for (changes, at, wanted) in cases {
        assert_eq!(refused(changes, at), wanted);
    }
    assert!(matches!(
        refused(vec![add(euros, 1)], at),
        E::CurrencyMismatch { .. }
    ));
    let mut classic = own.clone();
    classic.billing_mode = BillingMode::Classic;
    let mixed = crate::subscription::apply_changes(&classic, &[add(yearly("y", 1), 1)], at);
    assert_eq!(mixed, Err(E::MixedIntervals));
    for status in [
        Status::Incomplete,
        Status::IncompleteExpired,
        Status::Canceled,
    ] {
        let mut over = own.clone();
        over.status = status;
        let changes = [set(&own, 0, None, 2)];
        assert_eq!(
            crate::subscription::apply_changes(&over, &changes, at),
            Err(E::Status(status))
        );
    }
}

#[test]
fn a_new_price_without_a_quantity_means_one() {
    let own = plan(price("basic", 1_000), 5);
    let item = own.items[0].id.clone();
    let wish = ItemChange::Set {
        item,
        price: Some(price("pro", 2_000)),
        quantity: None,
    };
    let after = changed(&own, &[wish], &[], day(2026, 4, 10)).subscription;
    assert_eq!(after.items[0].quantity, 1);
}

#[test]
fn the_next_invoice_is_told_as_it_will_be() {
    let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
    creation.items.push(NewItem {
        quantity: None,
        ..NewItem::new(metered("calls", 5), 0)
    });
    let mut own = running(creation);
    let told = upcoming(&own, &customer(), &[waiting(1, 70)])
        .unwrap()
        .unwrap();
    assert_eq!((told.at, told.due_minor()), (day(2026, 5, 1), 1_070));
    assert!(told.plus_usage && !told.last);
    assert_eq!(told.invoice.status, InvoiceStatus::Draft);
    own.cancel_at_period_end(Cancellation::default(), day(2026, 4, 2))
        .unwrap();
    assert_eq!(upcoming(&own, &customer(), &[]), Ok(None));
    let last = upcoming(&own, &customer(), &[waiting(1, 70)])
        .unwrap()
        .unwrap();
    assert_eq!((last.due_minor(), last.last), (70, true));
    own.status = Status::Canceled;
    assert_eq!(upcoming(&own, &customer(), &[waiting(1, 70)]), Ok(None));
}

#[test]
fn a_restart_bills_whole_periods_now_and_loses_no_usage() {
    let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
    creation.items.push(NewItem {
        quantity: None,
        ..NewItem::new(metered("calls", 5), 0)
    });
    let own = running(creation);
    let owner = customer();
    let context = ChangeContext {
        subscription: &own,
        customer: &owner,
        pending: &[],
    };
    let at = day(2026, 4, 21);
    for (behavior, due) in [
        (ProrationBehavior::CreateProrations, 1_000 - 334),
        (ProrationBehavior::AlwaysInvoice, 1_000 - 334),
        (ProrationBehavior::None, 1_000),
    ] {
        let made = restart(&context, &[], behavior, at, &mut Counter(0)).unwrap();
        assert_eq!(made.terms.due_now_minor, due, "{behavior:?}");
        let mut later = made.subscription;
        assert_eq!(later.billing_cycle_anchor, at);
        let periods: Vec<_> = later
            .items
            .iter()
            .map(|i| (i.current_period.start, i.current_period.end))
            .collect();
        assert_eq!(
            periods,
            [(at, day(2026, 5, 21)), (day(2026, 4, 1), day(2026, 5, 21))]
        );
        let usage = [Usage {
            item: later.items[1].id.clone(),
            quantity: Decimal12::from_integer(10),
        }];
        let next = day(2026, 5, 21);
        let renewed = later
            .renew(&owner, &[], &usage, next, &mut Counter(0))
            .unwrap();
        assert_eq!(renewed.invoice.unwrap().totals.total_minor, 1_050);
    }
    let mut trialing = own.clone();
    trialing.status = Status::Trialing;
    let context = ChangeContext {
        subscription: &trialing,
        ..context
    };
    let refused = restart(&context, &[], ProrationBehavior::None, at, &mut Counter(0));
    assert_eq!(refused, Err(SubscriptionError::Status(Status::Trialing)));
}

#[test]
fn a_trial_in_between_moves_the_cycle() {
    // Renews on the 23rd; on July 15 a trial until August 1.
    let own = running(simple(price("basic", 3_100), 1, day(2026, 6, 23)));
    let owner = customer();
    let context = ChangeContext {
        subscription: &own,
        customer: &owner,
        pending: &[],
    };
    let (at, end) = (day(2026, 7, 15), day(2026, 8, 1));
    let give = |behavior, end| give_trial(&context, end, behavior, at, &mut Counter(0));
    let made = give(ProrationBehavior::None, end).unwrap();
    assert_eq!(
        made.invoice
            .as_ref()
            .map(|invoice| invoice.totals.total_minor),
        Some(0)
    );
    assert_eq!(
        (made.terms.next_invoice_at, made.terms.next_invoice_minor),
        (end, 3_100)
    );
    let mut later = made.subscription;
    assert_eq!(later.status, Status::Trialing);
    let renewed = later.renew(&owner, &[], &[], end, &mut Counter(0)).unwrap();
    assert_eq!(renewed.invoice.unwrap().totals.total_minor, 3_100);
    assert_eq!(later.items[0].current_period.end, day(2026, 9, 1));

    // 8 of 30 days are left: 826.67.
    let credited = give(ProrationBehavior::CreateProrations, end).unwrap();
    assert_eq!(credited.pending[0].line.amount_minor, -827);
    assert_eq!(credited.terms.next_invoice_minor, 3_100 - 827);
    let now = give(ProrationBehavior::AlwaysInvoice, end).unwrap();
    assert_eq!(
        (now.terms.credited_minor, now.terms.due_now_minor),
        (827, 0)
    );

    // The same trial, longer: nothing is billed.
    let context = ChangeContext {
        subscription: &now.subscription,
        ..context
    };
    let longer = day(2026, 8, 10);
    let behavior = ProrationBehavior::CreateProrations;
    let made = give_trial(
        &context,
        longer,
        behavior,
        day(2026, 7, 20),
        &mut Counter(0),
    )
    .unwrap();
    assert!(made.invoice.is_none() && made.pending.is_empty());
    assert_eq!(
        (made.subscription.trial_start, made.terms.next_invoice_at),
        (Some(at), longer)
    );
    for wrong in [
        at,
        day(2028, 7, 20),
        Timestamp(i64::MAX),
        Timestamp(i64::MIN),
    ] {
        assert_eq!(give(behavior, wrong), Err(SubscriptionError::TrialEnd));
    }
}

#[test]
fn who_is_late_renews_before_changing() {
    let mut creation = simple(yearly("plan", 12_000), 1, day(2026, 4, 1));
    creation.items.push(NewItem::new(price("seats", 500), 2));
    let own = running(creation);
    let changes = [set(&own, 0, None, 2)];
    let refused = crate::subscription::apply_changes(&own, &changes, day(2026, 5, 1));
    assert_eq!(
        refused,
        Err(SubscriptionError::OutsidePeriod {
            ends: day(2026, 5, 1)
        })
    );
}
