//! Over random changes: what is told is what follows.

use super::ALL;
use crate::calendar::Timestamp;
use crate::customer::Customer;
use crate::decimal::Decimal12;
use crate::discount::Duration;
use crate::fixture::{
    customer, day, discount, metered, percent, price, rate, running, set, simple, usd, waiting,
    yearly,
};
use crate::invoice::InvoiceItem;
use crate::portal::ScheduleCondition;
use crate::quote::{ChangeContext, Counter, apply, price_change, upcoming};
use crate::subscription::{
    BillingMode, ItemChange, NewItem, ProrationBehavior, Subscription, Usage,
};
use proptest::prelude::*;

/// Everything that may bear on an amount.
#[derive(Clone, Debug)]
struct Case {
    own: Subscription,
    owner: Customer,
    pending: Vec<InvoiceItem>,
    changes: Vec<ItemChange>,
    behavior: ProrationBehavior,
    conditions: Vec<ScheduleCondition>,
    at: Timestamp,
}

fn case() -> impl Strategy<Value = Case> {
    let plan = (0_i64..1_000_000, 0_u64..50, any::<bool>());
    let wish = (0_i64..1_000_000, 0_u64..50, any::<bool>(), any::<bool>());
    let bools = any::<[bool; 8]>();
    let amounts = (
        -500_000_i64..500_000,
        -100_000_i64..100_000,
        0_i64..2_592_000,
    );
    (plan, wish, bools, amounts, 0_u8..3).prop_map(|(plan, wish, on, amounts, behavior)| {
        let named = |name: &str, unit, year| {
            if year {
                yearly(name, unit)
            } else {
                price(name, unit)
            }
        };
        let mut creation = simple(named("old", plan.0, plan.2), plan.1, day(2026, 4, 1));
        if on[0] {
            creation.items.push(NewItem::new(price("extra", 777), 3));
        }
        if on[1] {
            creation
                .discounts
                .push(discount("once", usd(1_234), Duration::Once));
        }
        if on[2] {
            creation
                .discounts
                .push(discount("half", percent("33.3"), Duration::Forever));
        }
        if on[3] {
            creation.default_tax_rates = vec![rate("vat", "8.875", on[4])];
        }
        if on[5] && !on[0] {
            creation.billing_mode = BillingMode::Classic;
        }
        let own = running(creation);
        let mut owner = customer();
        owner.balance_minor = amounts.0;
        let new = wish.3.then(|| named("new", wish.0, wish.2));
        Case {
            changes: vec![set(&own, 0, new, wish.1)],
            behavior: match behavior {
                0 => ProrationBehavior::None,
                1 => ProrationBehavior::CreateProrations,
                _ => ProrationBehavior::AlwaysInvoice,
            },
            conditions: if on[6] { ALL.to_vec() } else { Vec::new() },
            pending: if on[7] {
                vec![waiting(1, amounts.1)]
            } else {
                Vec::new()
            },
            at: Timestamp(day(2026, 4, 1).0 + amounts.2),
            own,
            owner,
        }
    })
}

proptest! {
    #[test]
    fn what_is_told_is_what_follows(case in case()) {
        let Case { own, mut owner, pending, changes, behavior, conditions, at } = case;
        let context = ChangeContext { subscription: &own, customer: &owner, pending: &pending };
        let told = price_change(&context, &changes, behavior, &conditions, at).unwrap();
        let mut ids = Counter(1 << 64);
        let made = apply(&context, &changes, behavior, &conditions, at, &mut ids).unwrap();

        // Now.
        let (mut later, mut charged) = (made.subscription, 0);
        if let Some(mut invoice) = made.invoice {
            invoice.finalize(&mut owner, at).unwrap();
            later.spend_discounts(&invoice);
            prop_assert_eq!(invoice.totals, told.totals);
            charged = invoice.amount_due_minor;
            let total = told.totals.total_minor;
            prop_assert_eq!(total.max(0) + told.balance_applied_minor, charged);
            prop_assert_eq!(total.min(0), -told.credited_minor);
        }
        prop_assert_eq!(charged, told.due_now_minor);

        // With the next invoice.
        let mut waiting: Vec<_> =
            pending.into_iter().filter(|item| !made.taken.contains(&item.id)).collect();
        waiting.extend(made.pending);
        let next = upcoming(&later, &owner, &waiting).unwrap().unwrap();
        let renewed = later.renew(&owner, &waiting, &[], told.next_invoice_at, &mut ids).unwrap();
        let mut invoice = renewed.invoice.unwrap();
        prop_assert_eq!(invoice.totals.total_minor, told.next_invoice_minor);
        invoice.finalize(&mut owner, renewed.at).unwrap();
        prop_assert_eq!(invoice.amount_due_minor, next.due_minor());
        later.spend_discounts(&invoice);

        // After it, with nothing waiting: what each period costs, where all items share an interval.
        let cadences: Vec<_> = later.items.iter().map(|item| item.price.cadence()).collect();
        if cadences.windows(2).all(|pair| pair[0] == pair[1]) {
            let after = later.period_end().unwrap();
            let again = later.renew(&owner, &[], &[], after, &mut ids).unwrap();
            prop_assert_eq!(again.invoice.unwrap().totals.total_minor, told.recurring_minor);
        }
    }

    #[test]
    fn usage_comes_on_top_of_what_is_told(units in 0_u64..1_000_000) {
        let mut creation = simple(price("basic", 1_000), 1, day(2026, 4, 1));
        creation.items.push(NewItem { quantity: None, ..NewItem::new(metered("calls", 5), 0) });
        let mut own = running(creation);
        let told = upcoming(&own, &customer(), &[]).unwrap().unwrap();
        let usage = [Usage { item: own.items[1].id.clone(), quantity: Decimal12::from_integer(i64::try_from(units).unwrap()) }];
        let renewed = own.renew(&customer(), &[], &usage, told.at, &mut Counter(0)).unwrap();
        let total = renewed.invoice.unwrap().totals.total_minor;
        prop_assert_eq!(total, told.due_minor() + i64::try_from(units).unwrap() * 5);
    }
}
