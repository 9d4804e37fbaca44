//! Whole lives at random: whatever a customer does, in any order.

use crate::calendar::Timestamp;
use crate::customer::Customer;
use crate::discount::Duration;
use crate::fixture::{customer, day, discount, metered, percent, price, rate, simple, usd, yearly};
use crate::id::InvoiceItemId;
use crate::invoice::{Invoice, InvoiceItem, Line};
use crate::portal::ScheduleCondition;
use crate::quote::{
    Applied, ChangeContext, Counter, apply, give_trial, price_change, restart, upcoming,
};
use crate::subscription::{
    CancelNow, Cancellation, Due, ItemChange, ItemExtras, NewItem, ProrationBehavior, Status,
    Subscription, SubscriptionError,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Change {
        price: u8,
        quantity: u64,
        waits: bool,
    },
    AddOrRemove,
    Restart,
    Trial {
        days: i64,
    },
    Next,
    Cancel,
    Keep,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0_u8..6, 0_u64..20, any::<bool>())
            .prop_map(|(price, quantity, waits)| Act::Change { price, quantity, waits }),
        2 => Just(Act::AddOrRemove),
        1 => Just(Act::Restart),
        1 => (1_i64..60).prop_map(|days| Act::Trial { days }),
        4 => Just(Act::Next),
        1 => Just(Act::Cancel),
        1 => Just(Act::Keep),
    ]
}

fn behavior() -> impl Strategy<Value = ProrationBehavior> {
    prop_oneof![
        Just(ProrationBehavior::None),
        Just(ProrationBehavior::CreateProrations),
        Just(ProrationBehavior::AlwaysInvoice),
    ]
}

/// A customer's account as a server would keep it.
struct Account {
    own: Subscription,
    payer: Customer,
    pending: Vec<InvoiceItem>,
    now: Timestamp,
    ids: Counter,
    /// All that was ever billed, net of discounts, without tax.
    net: i64,
    /// All that was ever billed, with tax: paid, or on the balance, or waiting.
    claimed: i64,
    paid: i64,
}

impl Account {
    fn issue(&mut self, invoice: Option<Invoice>, taken: &[InvoiceItemId]) -> i64 {
        self.pending.retain(|item| !taken.contains(&item.id));
        let Some(mut invoice) = invoice else { return 0 };
        let fresh = |line: &&Line| line.invoice_item.is_none();
        self.net += invoice.lines.iter().filter(fresh).map(net).sum::<i64>();
        self.claimed += invoice.totals.total_minor;
        invoice.finalize(&mut self.payer, self.now).unwrap();
        self.own.spend_discounts(&invoice);
        self.paid += invoice.amount_due_minor;
        invoice.amount_due_minor
    }

    fn take(&mut self, made: Applied) {
        let told = made.terms;
        self.own = made.subscription;
        self.net += made.pending.iter().map(|item| net(&item.line)).sum::<i64>();
        let charged = self.issue(made.invoice, &made.taken);
        self.pending.extend(made.pending);
        assert_eq!(charged, told.due_now_minor);
        let next = upcoming(&self.own, &self.payer, &self.pending).unwrap();
        let next = next.map_or(0, |next| next.invoice.totals.total_minor);
        assert_eq!(next, told.next_invoice_minor);
    }

    fn change(
        &mut self,
        act: &Act,
        behavior: ProrationBehavior,
    ) -> Result<Applied, SubscriptionError> {
        let context = ChangeContext {
            subscription: &self.own,
            customer: &self.payer,
            pending: &self.pending,
        };
        let (at, ids) = (self.now, &mut self.ids);
        match act {
            Act::Restart => restart(&context, &[], behavior, at, ids),
            Act::Trial { days } => {
                give_trial(&context, at.add_days(*days).unwrap(), behavior, at, ids)
            }
            Act::AddOrRemove => {
                let change = match self.own.item_of(&price("extra", 0).id) {
                    Some(item) => ItemChange::Remove {
                        item: item.id.clone(),
                    },
                    None => ItemChange::Add {
                        id: crate::id::SubscriptionItemId::new(ids),
                        price: price("extra", 777),
                        quantity: 2,
                        tax_rates: Vec::new(),
                        with: ItemExtras::default(),
                    },
                };
                apply(&context, &[change], behavior, &[], at, ids)
            }
            Act::Change {
                price: number,
                quantity,
                waits,
            } => {
                let new = match number {
                    0..=2 => price(&format!("m{number}"), i64::from(*number) * 1_001 + 500),
                    _ => yearly(&format!("y{number}"), i64::from(*number) * 5_003),
                };
                let item = self.own.items[0].id.clone();
                let wish = [ItemChange::Set {
                    item,
                    price: Some(new),
                    quantity: Some(*quantity),
                }];
                let all = [
                    ScheduleCondition::DecreasingItemAmount,
                    ScheduleCondition::ShorteningInterval,
                ];
                let conditions = if *waits { &all[..] } else { &[] };
                let told = price_change(&context, &wish, behavior, conditions, at);
                let made = apply(&context, &wish, behavior, conditions, at, ids);
                let same = |lines: &[Line]| -> Vec<i64> {
                    lines.iter().map(|line| line.amount_minor).collect()
                };
                if let (Ok(told), Ok(made)) = (&told, &made) {
                    assert_eq!(same(&told.lines), same(&made.terms.lines));
                    assert_eq!(told.totals, made.terms.totals);
                    assert_eq!(told.due_now_minor, made.terms.due_now_minor);
                }
                assert_eq!(told.is_ok(), made.is_ok());
                made
            }
            Act::Next | Act::Cancel | Act::Keep => Err(SubscriptionError::NotEnding),
        }
    }

    /// Goes to the next moment at which something is due, and does it.
    fn next(&mut self) {
        let Some((at, due)) = self.own.next_due() else {
            return;
        };
        assert!(at >= self.now, "nothing is due in the past");
        self.now = at;
        let told = upcoming(&self.own, &self.payer, &self.pending).unwrap();
        let (own, ids) = (&mut self.own, &mut self.ids);
        let done = match due {
            Due::Renewal => own.renew(&self.payer, &self.pending, &[], at, ids).unwrap(),
            Due::End => own
                .finish(&self.payer, &self.pending, &[], at, ids)
                .unwrap(),
            other => panic!("{other:?} is not due here"),
        };
        let charged = self.issue(done.invoice, &done.taken);
        assert_eq!(charged, told.map_or(0, |told| told.due_minor()));
    }

    fn check(&self) {
        assert!(
            self.net >= 0,
            "more was credited than debited: {}",
            self.net
        );
        // What was claimed is paid, or stands on the balance.
        assert_eq!(self.claimed, self.paid + self.payer.balance_minor);
        for item in &self.own.items {
            let outstanding = item
                .billed
                .iter()
                .filter(|entry| entry.credited.is_none() && entry.period.end > self.now);
            assert!(outstanding.count() <= 1);
            for entry in &item.billed {
                let credited = entry.credited.map_or(0, |credited| credited.net_minor);
                assert!((0..=entry.net_minor).contains(&credited));
            }
            assert!(item.current_period.end > item.current_period.start);
            assert!(self.own.status.is_final() || item.current_period.end >= self.now);
        }
    }
}

fn net(line: &Line) -> i64 {
    line.amount_minor - line.discount_minor()
}

proptest! {
    #[test]
    fn every_life_adds_up(
        acts in proptest::collection::vec((act(), behavior(), 0_i64..3_000_000), 1..25),
        on in any::<[bool; 6]>(),
        start in 0_i64..800,
    ) {
        let at = day(2026, 1, 1).add_days(start).unwrap();
        let mut creation = simple(price("m1", 1_501), 2, at);
        if on[0] {
            creation.items.push(NewItem { quantity: None, ..NewItem::new(metered("calls", 5), 0) });
        }
        if on[1] {
            creation.discounts.push(discount("once", usd(700), Duration::Once));
        }
        if on[2] {
            creation.discounts.push(discount("third", percent("33.3"), Duration::Forever));
        }
        if on[3] {
            creation.default_tax_rates = vec![rate("vat", "8.875", on[4])];
        }
        if on[5] {
            creation.trial_end = Some(at.add_days(14).unwrap());
        }
        let (payer, mut ids) = (customer(), Counter(0));
        let created = Subscription::create(creation, &payer, &[], &mut ids).unwrap();
        let mut account = Account {
            own: created.subscription,
            payer,
            pending: Vec::new(),
            now: at,
            ids,
            net: 0,
            claimed: 0,
            paid: 0,
        };
        account.issue(created.invoice, &[]);
        if account.own.status == Status::Incomplete {
            account.own.status = Status::Active;
        }
        for (act, behavior, later) in acts {
            let due = account.own.next_due_at().unwrap_or(account.now);
            account.now = Timestamp((account.now.0 + later).min(due.0 - 1).max(account.now.0));
            match act {
                Act::Next => account.next(),
                Act::Cancel => {
                    let _ = account.own.cancel_at_period_end(Cancellation::default(), account.now);
                }
                Act::Keep => {
                    let _ = account.own.keep();
                }
                act => {
                    let before = account.own.clone();
                    match account.change(&act, behavior) {
                        Ok(made) => account.take(made),
                        Err(_) => prop_assert_eq!(&account.own, &before),
                    }
                }
            }
            account.check();
        }
        let how = CancelNow { prorate: true, invoice_now: true, ..CancelNow::default() };
        let (own, now) = (&mut account.own, account.now);
        if let Ok(done) = own.cancel_now(&account.payer, &account.pending, &how, now, &mut account.ids) {
            account.issue(done.invoice, &done.taken);
            account.check();
            prop_assert!(account.pending.is_empty());
        }
    }
}
