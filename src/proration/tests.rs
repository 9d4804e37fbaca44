//! The worked examples of the reference (P1 to P11), and the laws of prorating.

use crate::calendar::{Cadence, Timestamp};
use crate::catalog::Price;
use crate::decimal::Decimal12;
use crate::discount::Duration;
use crate::fixture::{
    customer, day, discount, percent, price, priced, rate, running, set, simple, usd, yearly,
};
use crate::id::SubscriptionItemId;
use crate::invoice::{InvoiceItem, LineKind};
use crate::quote::{Applied, ChangeContext, Counter, apply};
use crate::subscription::{
    BillingMode, Creation, ItemChange, ItemExtras, NewItem, ProrationBehavior, Status, Subscription,
};
use proptest::prelude::*;

const BOTH: [BillingMode; 2] = [BillingMode::Classic, BillingMode::Flexible];
/// April has 30 days: 10 days before its end a third is left.
const THIRD_LEFT: u8 = 21;

/// Makes a change and keeps the subscription that it leads to.
fn change(
    subscription: &mut Subscription,
    changes: &[ItemChange],
    behavior: ProrationBehavior,
    at: Timestamp,
) -> Applied {
    let customer = customer();
    let context = ChangeContext {
        subscription,
        customer: &customer,
        pending: &[],
    };
    let mut ids = Counter(u128::from(at.0.unsigned_abs()) << 32);
    let applied = apply(&context, changes, behavior, &[], at, &mut ids).unwrap();
    *subscription = applied.subscription.clone();
    applied
}

/// The net amounts of what a change billed, now or later.
fn amounts(applied: &Applied) -> Vec<i64> {
    applied
        .terms
        .lines
        .iter()
        .map(|line| line.amount_minor - line.discount_minor())
        .collect()
}

fn april(mode: BillingMode, price: Price, quantity: u64) -> Subscription {
    let mut creation = simple(price, quantity, day(2026, 4, 1));
    creation.billing_mode = mode;
    running(creation)
}

fn seconds_left(seconds: i64) -> Timestamp {
    Timestamp(day(2026, 5, 1).0 - seconds)
}

#[test]
fn one_item_changes() {
    let (half, third) = (day(2026, 4, 16), day(2026, 4, THIRD_LEFT));
    // 30 days are 2,592,000 seconds.
    let part = seconds_left(2_592_000 / 400);
    for (name, from, to, at, wanted) in [
        ("P1", (1_000, 1), (2_000, 1), half, [-500, 1_000]),
        ("P4", (2_000, 1), (1_000, 1), third, [-667, 333]),
        ("P5", (1_000, 1), (1_800, 1), part, [-3, 4]),
        ("P6", (1_000, 1), (1_000, 3), part, [-3, 7]),
        ("P7", (1_000, 1), (2_000, 1), third, [-334, 666]),
        ("P9", (1_000, 1), (1_800, 1), seconds_left(60), [-1, 0]),
    ] {
        for mode in BOTH {
            let mut own = april(mode, price("basic", from.0), from.1);
            let to_price = (to.0 != from.0).then(|| price("pro", to.0));
            let wish = set(&own, 0, to_price, to.1);
            let applied = change(&mut own, &[wish], ProrationBehavior::AlwaysInvoice, at);
            assert_eq!(amounts(&applied), wanted, "{name} {mode:?}");
            assert_eq!(applied.terms.totals.total_minor, wanted.iter().sum::<i64>());
        }
    }
}

#[test]
fn p2_and_p3_a_change_that_was_not_billed_is_taken_back() {
    for (mode, wanted) in [
        (BillingMode::Classic, [-667, 333]),
        // What was billed is credited; nothing was billed for the way there.
        (BillingMode::Flexible, [-334, 334]),
    ] {
        let mut own = april(mode, price("basic", 1_000), 1);
        let there = set(&own, 0, Some(price("pro", 2_000)), 1);
        let unbilled = change(
            &mut own,
            &[there],
            ProrationBehavior::None,
            day(2026, 4, 11),
        );
        assert!(unbilled.terms.lines.is_empty() && unbilled.invoice.is_none());
        let back = set(&own, 0, Some(price("basic", 1_000)), 1);
        let applied = change(
            &mut own,
            &[back],
            ProrationBehavior::AlwaysInvoice,
            day(2026, 4, THIRD_LEFT),
        );
        assert_eq!(amounts(&applied), wanted, "{mode:?}");
    }
}

#[test]
fn only_the_same_second_on_the_same_terms_is_taken_back() {
    let behavior = ProrationBehavior::CreateProrations;
    let go = |own: &mut Subscription, name: &str, unit, at| {
        let wish = set(own, 0, Some(price(name, unit)), 1);
        amounts(&change(own, &[wish], behavior, at))
    };
    // Ten days later, what is left is less than what was credited.
    let mut own = april(BillingMode::Flexible, price("basic", 1_000), 1);
    assert_eq!(go(&mut own, "pro", 2_000, day(2026, 4, 11)), [-667, 1_333]);
    assert_eq!(go(&mut own, "basic", 1_000, day(2026, 4, 21)), [-667, 333]);
    // At the same second, but with a tax that was not there before.
    let at = day(2026, 4, THIRD_LEFT);
    let mut own = april(BillingMode::Flexible, price("basic", 1_000), 1);
    assert_eq!(go(&mut own, "pro", 2_000, at), [-334, 666]);
    own.default_tax_rates = vec![rate("vat", "20", false)];
    assert_eq!(go(&mut own, "basic", 1_000, at), [-666, 333]);
    // The same terms, the same second.
    let mut own = april(BillingMode::Flexible, price("basic", 1_000), 1);
    assert_eq!(go(&mut own, "pro", 2_000, at), [-334, 666]);
    assert_eq!(go(&mut own, "basic", 1_000, at), [-666, 334]);
}

#[test]
fn p8_items_go_and_come() {
    let at = day(2026, 4, THIRD_LEFT);
    for mode in BOTH {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        creation.items.push(NewItem::new(price("extra", 1_000), 1));
        creation.billing_mode = mode;
        let mut own = running(creation);
        let remove = ItemChange::Remove {
            item: own.items[1].id.clone(),
        };
        let gone = change(&mut own, &[remove], ProrationBehavior::CreateProrations, at);
        assert_eq!(amounts(&gone), [-334], "{mode:?}");
        let add = ItemChange::Add {
            id: SubscriptionItemId::from_random(7),
            price: price("other", 1_000),
            quantity: 1,
            tax_rates: Vec::new(),
            with: ItemExtras::default(),
        };
        let come = change(&mut own, &[add], ProrationBehavior::CreateProrations, at);
        assert_eq!(amounts(&come), [333], "{mode:?}");
        assert_eq!(own.items[1].current_period, own.items[0].current_period);
    }
}

#[test]
fn p10_and_p11_credits_know_their_discounts() {
    for (mode, wanted) in [(BillingMode::Classic, -250), (BillingMode::Flexible, -417)] {
        let mut creation = simple(price("ten", 1_000), 1, day(2026, 4, 1));
        creation.items.push(NewItem::new(price("twenty", 2_000), 1));
        creation.billing_mode = mode;
        creation.discounts = vec![discount("five", usd(500), Duration::Forever)];
        let mut own = running(creation);
        let remove = ItemChange::Remove {
            item: own.items[0].id.clone(),
        };
        let applied = change(
            &mut own,
            &[remove],
            ProrationBehavior::AlwaysInvoice,
            day(2026, 4, 16),
        );
        assert_eq!(amounts(&applied), [wanted], "{mode:?}");
    }
}

#[test]
fn lines_say_what_they_are() {
    let mut own = april(BillingMode::Flexible, price("basic", 1_000), 3);
    own.default_tax_rates = vec![rate("vat", "20", false)];
    let wish = set(&own, 0, Some(price("pro", 2_000)), 1);
    let at = day(2026, 4, THIRD_LEFT);
    let applied = change(&mut own, &[wish], ProrationBehavior::CreateProrations, at);
    let lines = &applied.terms.lines;
    let words: Vec<_> = lines.iter().map(|line| line.description.as_str()).collect();
    assert_eq!(
        words,
        [
            "Unused time on 3 × basic after 21 Apr 2026",
            "Remaining time on pro after 21 Apr 2026"
        ],
    );
    assert_eq!(
        [lines[0].kind, lines[1].kind],
        [LineKind::UnusedTime, LineKind::RemainingTime]
    );
    assert!(
        lines
            .iter()
            .all(|line| !line.discountable && line.period.start == at)
    );
    assert!(lines.iter().all(|line| line.period.end == day(2026, 5, 1)));
    // The first invoice had no tax on it; so hasn't its credit.
    assert!(lines[0].taxes.is_empty());
    assert_eq!(lines[1].taxes[0].amount_minor, 133);
    assert_eq!(applied.pending.len(), 2);
    assert!(
        applied
            .pending
            .iter()
            .all(|item| item.proration && item.date == at)
    );
}

#[test]
fn nothing_is_prorated_in_a_trial() {
    for mode in BOTH {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        creation.billing_mode = mode;
        creation.trial_end = Some(day(2026, 4, 15));
        let mut own = running(creation);
        assert_eq!(own.status, Status::Trialing);
        let wish = set(&own, 0, Some(yearly("pro", 20_000)), 1);
        let applied = change(
            &mut own,
            &[wish],
            ProrationBehavior::AlwaysInvoice,
            day(2026, 4, 8),
        );
        assert!(applied.terms.lines.is_empty() && applied.invoice.is_none());
        assert_eq!(own.items[0].current_period.end, day(2026, 4, 15));
        assert_eq!(applied.terms.next_invoice_at, day(2026, 4, 15));
        assert_eq!(applied.terms.next_invoice_minor, 20_000);
    }
}

#[test]
fn another_interval_starts_a_whole_period() {
    for mode in BOTH {
        let mut own = april(mode, price("basic", 1_000), 1);
        let at = day(2026, 4, THIRD_LEFT);
        let wish = set(&own, 0, Some(yearly("basic_yearly", 10_000)), 1);
        let applied = change(&mut own, &[wish], ProrationBehavior::CreateProrations, at);
        assert_eq!(amounts(&applied), [-334, 10_000], "{mode:?}");
        assert!(applied.terms.anchor_reset);
        assert_eq!(applied.terms.due_now_minor, 9_666);
        assert_eq!(own.billing_cycle_anchor, at);
        assert_eq!(own.items[0].current_period.end, day(2027, 4, THIRD_LEFT));
        assert_eq!(own.items[0].billed.len(), 1);
        assert_eq!(own.items[0].billed[0].net_minor, 10_000);
        assert_eq!(applied.terms.next_invoice_at, day(2027, 4, THIRD_LEFT));
    }
}

#[test]
fn one_of_several_items_takes_up_another_interval_within_the_anchor() {
    let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
    creation.items.push(NewItem::new(price("seats", 500), 2));
    let mut own = running(creation);
    let wish = set(&own, 0, Some(yearly("basic_yearly", 36_500)), 1);
    let at = day(2026, 4, 16);
    let applied = change(&mut own, &[wish], ProrationBehavior::AlwaysInvoice, at);
    // 350 of 365 days are left of the year that started with the anchor.
    assert_eq!(amounts(&applied), [-500, 35_000]);
    assert!(!applied.terms.anchor_reset);
    assert_eq!(own.items[1].current_period.end, day(2026, 5, 1));
}

#[test]
fn a_once_discount_waits_for_a_whole_period() {
    let mut own = april(BillingMode::Flexible, price("basic", 1_000), 1);
    own.discounts = vec![discount("once", percent("50"), Duration::Once)];
    let wish = set(&own, 0, Some(price("pro", 2_000)), 1);
    let applied = change(
        &mut own,
        &[wish],
        ProrationBehavior::AlwaysInvoice,
        day(2026, 4, THIRD_LEFT),
    );
    assert_eq!(amounts(&applied), [-334, 666]);
    assert_eq!(applied.terms.next_invoice_minor, 1_000);
    assert_eq!(applied.terms.recurring_minor, 2_000);
}

/// A subscription of two items with discounts and taxes of all kinds, in April 2026.
fn any_creation() -> impl Strategy<Value = Creation> {
    let money = 0_i64..100_000_000;
    (
        money.clone(),
        money,
        0_u64..500,
        0_u64..500,
        1_i64..2_000,
        any::<[bool; 5]>(),
    )
        .prop_map(
            |(one, two, many, more, off, [once, half, vat, inside, own])| {
                let mut creation = simple(price("one", one), many, day(2026, 4, 1));
                creation.items.push(NewItem::new(price("two", two), more));
                if own {
                    creation.items[0].discounts =
                        vec![discount("own", usd(off), Duration::Forever)];
                }
                if half {
                    creation
                        .discounts
                        .push(discount("half", percent("33.3"), Duration::Forever));
                }
                if once {
                    creation
                        .discounts
                        .push(discount("once", usd(off), Duration::Once));
                }
                if vat {
                    creation.default_tax_rates = vec![rate("vat", "8.875", inside)];
                }
                creation
            },
        )
}

fn other_price() -> impl Strategy<Value = Price> {
    (0_i128..1_000_000_000_000_000_000, 0_u8..4).prop_map(|(scaled, name)| {
        let unit = Decimal12::from_scaled(scaled).unwrap();
        priced(&format!("other{name}"), unit, Cadence::MONTHLY)
    })
}

/// What waits, as one sum with tax.
fn sum_of(items: &[InvoiceItem], applied: &Applied) -> i64 {
    assert_eq!(items.len(), applied.terms.lines.len());
    applied.terms.totals.total_minor
}

proptest! {
    #[test]
    fn there_and_back_at_one_second_costs_nothing(
        creation in any_creation(),
        to in other_price(),
        quantities in (0_u64..500, 0_u64..500),
        second in 0_i64..2_592_000,
        detour in proptest::option::of(other_price()),
    ) {
        let mut own = running(creation);
        let before = own.clone();
        let at = Timestamp(day(2026, 4, 1).0 + second);
        let (index, behavior) = (0, ProrationBehavior::CreateProrations);
        let mut total = 0;
        let mut steps = vec![set(&own, index, Some(to.clone()), quantities.0)];
        if let Some(detour) = detour.filter(|detour| detour.id != to.id) {
            steps.push(set(&own, index, Some(detour), quantities.1));
        }
        let home = &before.items[index];
        steps.push(set(&own, index, Some(home.price.clone()), home.quantity));
        for step in steps {
            let applied = change(&mut own, &[step], behavior, at);
            total += sum_of(&applied.pending, &applied);
        }
        prop_assert_eq!(total, 0);
        let outstanding = |own: &Subscription| -> Vec<_> {
            let billed = own.items[index].billed.iter();
            billed.filter(|entry| entry.credited.is_none()).cloned().collect()
        };
        prop_assert_eq!(outstanding(&own), outstanding(&before));
    }

    #[test]
    fn never_is_more_credited_than_was_debited(
        creation in any_creation(),
        steps in proptest::collection::vec(
            (other_price(), 0_u64..500, 0_i64..400_000, 0_u8..3, 0_usize..2), 1..12),
    ) {
        let created = crate::fixture::started(creation);
        let lines = created.invoice.map(|invoice| invoice.lines).unwrap_or_default();
        let mut sum: i64 = lines.iter().map(|line| line.amount_minor - line.discount_minor()).sum();
        let mut own = created.subscription;
        own.status = Status::Active;
        let mut at = day(2026, 4, 1);
        for (price, quantity, later, behavior, index) in steps {
            at = Timestamp((at.0 + later).min(day(2026, 5, 1).0 - 1));
            let behavior = match behavior {
                0 => ProrationBehavior::None,
                1 => ProrationBehavior::CreateProrations,
                _ => ProrationBehavior::AlwaysInvoice,
            };
            let taken = own.items.iter().any(|item| item.price.id == price.id);
            let price = (!taken).then_some(price);
            let wish = set(&own, index, price, quantity);
            let applied = change(&mut own, &[wish], behavior, at);
            sum += amounts(&applied).iter().sum::<i64>();
            prop_assert!(sum >= 0, "{}", sum);
            for entry in own.items.iter().flat_map(|item| &item.billed) {
                let credited = entry.credited.map_or(0, |credited| credited.net_minor);
                prop_assert!((0..=entry.net_minor).contains(&credited));
            }
            let left = own.items[index].billed.iter().filter(|e| e.credited.is_none()).count();
            prop_assert!(left <= 1, "one debit stands for one item");
        }
    }

    #[test]
    fn nothing_panics(
        unit in any::<i64>(), other in any::<i64>(), quantity in any::<u64>(), at in any::<i64>(),
        start in any::<i64>(), classic in any::<bool>(),
    ) {
        let mut creation = simple(price("one", unit), quantity, Timestamp(start));
        creation.billing_mode = if classic { BillingMode::Classic } else { BillingMode::Flexible };
        creation.discounts = vec![discount("off", usd(i64::MAX), Duration::Forever)];
        let made = Subscription::create(creation, &customer(), &[], &mut Counter(0));
        if let Ok(mut created) = made {
            created.subscription.status = Status::Active;
            let own = &created.subscription;
            let wish = set(own, 0, Some(price("two", other)), quantity);
            let customer = customer();
            let context = ChangeContext { subscription: own, customer: &customer, pending: &[] };
            let behavior = ProrationBehavior::AlwaysInvoice;
            let _ = apply(&context, &[wish], behavior, &[], Timestamp(at), &mut Counter(0));
        }
    }
}
