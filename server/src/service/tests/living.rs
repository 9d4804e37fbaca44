//! A business lives through fourteen months of chance: customers come, change, fail to pay and go,
//! the bank loses requests and answers. After every step the books must be in order.

use std::collections::{BTreeMap, BTreeSet};

use perennial::calendar::{Cadence, Timestamp};
use perennial::catalog::Price;
use perennial::id::{CustomerId, InvoiceId, SubscriptionId};
use perennial::invoice::{BillingReason, Invoice, InvoiceStatus, Line, LineKind};
use perennial::portal::ScheduleCondition;
use perennial::subscription::{ItemChange, ProrationBehavior};

use super::world::{START, World, after};
use crate::clock::{Entropy, SeededEntropy};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::subscriptions::{Cancel, NewItem, NewSubscription};
use crate::service::updates::{SubscriptionUpdate, TrialEnd, UpdateItem};
use crate::store::document::Stored;
use crate::store::tests::both;

/// A step moves on by three days on average.
const STEPS_MAX: usize = 400;
const LIFE_SECONDS: i64 = 425 * 86_400;
const CUSTOMERS_MAX: usize = 7;
const CARDS: [&str; 4] = [
    "pm_card_visa",
    "pm_card_chargeCustomerFail",
    "pm_card_authenticationRequired",
    "pm_card_mastercard",
];

/// The dice.
struct Dice(std::sync::Arc<SeededEntropy>);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        u64::try_from(self.0.bits() % u128::from(sides)).unwrap()
    }

    fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

struct Town {
    world: World,
    dice: Dice,
    prices: Vec<Price>,
    people: Vec<(CustomerId, SubscriptionId)>,
}

/// Rules may refuse; nothing may break.
fn allowed<T>(result: Result<T, Refused>) {
    if let Err(refused @ (Refused::Defect(_) | Refused::Store(_) | Refused::Busy)) = result {
        panic!("broken: {refused:?}");
    }
}

impl Town {
    async fn new(store: crate::store::Store, seed: u128) -> Self {
        let world = World::seeded(store, seed).await;
        let mut prices = Vec::new();
        for (minor, cadence) in [
            (1_999, Cadence::MONTHLY),
            (4_999, Cadence::MONTHLY),
            (999, Cadence::MONTHLY),
            (49_990, Cadence::YEARLY),
            (700, Cadence::WEEKLY),
            (0, Cadence::MONTHLY),
        ] {
            prices.push(world.price(minor, cadence).await);
        }
        Self {
            world,
            dice: Dice(SeededEntropy::new(seed ^ 0xd1ce)),
            prices,
            people: Vec::new(),
        }
    }

    async fn step(&mut self) {
        let (engine, scope) = (&self.world.engine, &self.world.scope);
        if self.dice.roll(6) == 0 {
            let fault = if self.dice.roll(2) == 0 {
                Fault::LoseAnswer
            } else {
                Fault::LoseRequest
            };
            self.world.bank.inject(fault);
        }
        if self.people.is_empty() || (self.people.len() < CUSTOMERS_MAX && self.dice.roll(5) == 0) {
            return self.join().await;
        }
        let (customer, id) = self.dice.pick(&self.people).clone();
        match self.dice.roll(14) {
            0..=2 => self.change(&id).await,
            3 | 4 => self.quantity(&id).await,
            5 => {
                let card: &str = self.dice.pick::<&str>(&CARDS);
                self.world.card(&customer, card).await;
            }
            6 | 7 => {
                for invoice in self.open(&customer).await {
                    self.world.card(&customer, "pm_card_visa").await;
                    allowed(engine.pay_invoice(scope, &invoice, None, true).await);
                }
            }
            8 => allowed(engine.cancel_at_period_end(scope, &id, None, None).await),
            9 => allowed(engine.keep_subscription(scope, &id).await),
            10 => allowed(engine.undo_scheduled_change(scope, &id).await),
            11 => {
                let (prorate, invoice_now) = (self.dice.roll(2) == 0, self.dice.roll(2) == 0);
                let cancel = Cancel {
                    prorate,
                    invoice_now,
                    ..Cancel::default()
                };
                if self.dice.roll(3) == 0 {
                    allowed(engine.cancel_subscription(scope, &id, cancel).await);
                    self.people.retain(|(_, other)| *other != id);
                }
            }
            12 => {
                for invoice in self.open(&customer).await {
                    if self.dice.roll(2) == 0 {
                        allowed(engine.void_invoice(scope, &invoice).await);
                    } else {
                        allowed(engine.mark_uncollectible(scope, &invoice).await);
                    }
                }
            }
            _ => {
                let update = SubscriptionUpdate {
                    trial_end: Some(match self.dice.roll(2) {
                        0 => TrialEnd::Now,
                        _ => TrialEnd::At(after(engine.now(), 86_400 * 5)),
                    }),
                    ..SubscriptionUpdate::default()
                };
                allowed(engine.update_subscription(scope, &id, update).await);
            }
        }
    }

    async fn join(&mut self) {
        let card: &str = self.dice.pick::<&str>(&CARDS);
        let customer = self.world.customer_with(card).await;
        let price = self.dice.pick(&self.prices).id.clone();
        let now = self.world.engine.now();
        let trial = self.dice.roll(4) == 0;
        let new = NewSubscription {
            trial_end: trial.then(|| after(now, 86_400 * 10)),
            ..NewSubscription::new(
                customer.clone(),
                vec![NewItem::new(price, 1 + self.dice.roll(4))],
            )
        };
        let made = self
            .world
            .engine
            .create_subscription(&self.world.scope, new)
            .await
            .unwrap();
        self.people.push((customer, made.value.id));
    }

    fn behavior(&self) -> ProrationBehavior {
        *self.dice.pick(&[
            ProrationBehavior::AlwaysInvoice,
            ProrationBehavior::CreateProrations,
            ProrationBehavior::None,
        ])
    }

    /// Another price, through a quote that must charge what it said.
    async fn change(&self, id: &SubscriptionId) {
        let (engine, scope) = (&self.world.engine, &self.world.scope);
        let own = self.world.find_subscription(id).await;
        let price = self.dice.pick(&self.prices).clone();
        let item = own.items[0].id.clone();
        let wish = vec![ItemChange::Set {
            item,
            price: Some(price),
            quantity: Some(1 + self.dice.roll(5)),
        }];
        let conditions: &[ScheduleCondition] = match self.dice.roll(2) {
            0 => &[
                ScheduleCondition::DecreasingItemAmount,
                ScheduleCondition::ShorteningInterval,
            ],
            _ => &[],
        };
        let quote = engine
            .quote_change(scope, id, wish, self.behavior(), conditions)
            .await;
        let Ok(quote) = quote else {
            return allowed(quote);
        };
        let confirmed = engine.confirm_quote(scope, &quote.id, true).await;
        let Ok(done) = confirmed else {
            return allowed(confirmed);
        };
        let due = done
            .invoice
            .as_ref()
            .map_or(0, |invoice| match invoice.status {
                InvoiceStatus::Paid if invoice.amount_paid_minor == 0 => 0,
                _ => invoice.amount_due_minor,
            });
        assert_eq!(due, quote.terms.due_now_minor, "{quote:?}");
        if let Some(invoice) = &done.invoice {
            assert_eq!(invoice.totals, quote.terms.totals);
        }
    }

    async fn quantity(&self, id: &SubscriptionId) {
        let (engine, scope) = (&self.world.engine, &self.world.scope);
        let own = self.world.find_subscription(id).await;
        let update = SubscriptionUpdate {
            items: vec![UpdateItem {
                id: Some(own.items[0].id.clone()),
                quantity: Some(1 + self.dice.roll(9)),
                ..UpdateItem::default()
            }],
            proration_behavior: self.behavior(),
            billing_cycle_anchor_now: self.dice.roll(8) == 0,
            on_session: self.dice.roll(2) == 0,
            ..SubscriptionUpdate::default()
        };
        allowed(engine.update_subscription(scope, id, update).await);
    }

    async fn open(&self, customer: &CustomerId) -> Vec<InvoiceId> {
        let invoices = self.world.invoices(customer).await;
        let open = invoices
            .into_iter()
            .filter(|own| own.status == InvoiceStatus::Open);
        open.map(|own| own.value.id).collect()
    }

    /// Some time passes, in which everything due happens in its moment.
    async fn pass(&self) {
        let now = self.world.engine.now();
        let seconds = match self.dice.roll(3) {
            0 => 600 + self.dice.roll(7_200),
            _ => 3_600 * self.dice.roll(24 * 9),
        };
        self.world
            .live_until(after(now, i64::try_from(seconds).unwrap()))
            .await;
        // Whatever the bank lost has been found by now, or will be.
        self.world
            .clock
            .advance_to(after(self.world.engine.now(), 60));
        self.world.sweep().await;
    }

    async fn check(&self, everybody: &BTreeSet<CustomerId>) {
        let charged = self.world.charged().await;
        for customer in everybody {
            let invoices = self.world.invoices(customer).await;
            for invoice in &invoices {
                check_invoice(invoice);
                // Once, or never; and exactly what the invoice says.
                let taken = charged
                    .get(invoice.id.as_str())
                    .cloned()
                    .unwrap_or_default();
                assert!(taken.len() <= 1, "charged twice: {invoice:?}");
                assert_eq!(
                    taken.iter().sum::<i64>(),
                    invoice.amount_paid_minor,
                    "{invoice:?}"
                );
            }
            check_numbers(&invoices);
            check_periods(&invoices);
            check_ledger(&self.world, customer).await;
        }
        let audit = self.world.engine.audit(&self.world.scope).await.unwrap();
        assert_eq!(audit.exceptions, []);
        for book in audit.books.values() {
            assert_eq!(book.explained_minor, book.moved_minor);
        }
        let now = self.world.engine.now();
        for (_, id) in &self.people {
            let own = self.world.find_subscription(id).await;
            assert!(
                own.next_due_at().is_none_or(|at| at > now),
                "overdue at {now:?}: {own:?}"
            );
        }
    }
}

/// The sums of an invoice are those of its lines.
fn check_invoice(invoice: &Invoice) {
    let exclusive = |line: &Line| -> i64 {
        line.taxes
            .iter()
            .filter(|tax| !tax.inclusive)
            .map(|tax| tax.amount_minor)
            .sum()
    };
    let lines: i64 = invoice
        .lines
        .iter()
        .map(|line| line.amount_minor - line.discount_minor() + exclusive(line))
        .sum();
    assert_eq!(lines, invoice.totals.total_minor, "{invoice:?}");
    if invoice.status == InvoiceStatus::Paid {
        assert_eq!(
            invoice.amount_paid_minor, invoice.amount_due_minor,
            "{invoice:?}"
        );
    } else {
        assert_eq!(invoice.amount_paid_minor, 0, "{invoice:?}");
    }
    if let (Some(ending), true) = (invoice.ending_balance_minor, invoice.finalized_at.is_some()) {
        // What was owed is due, waits on the balance, or was paid by it.
        let moved = ending - invoice.starting_balance_minor;
        assert_eq!(
            invoice.amount_due_minor,
            invoice.totals.total_minor - moved,
            "{invoice:?}"
        );
    }
}

/// Numbers have no gap.
fn check_numbers(invoices: &[Stored<Invoice>]) {
    let numbered = invoices.iter().filter_map(|own| own.number.as_deref());
    let mut last: Vec<u32> = numbered
        .map(|number| number.rsplit('-').next().unwrap().parse().unwrap())
        .collect();
    last.sort_unstable();
    let expected: Vec<u32> = (1..=u32::try_from(last.len()).unwrap()).collect();
    assert_eq!(last, expected);
}

/// Whole periods follow each other without a gap or an overlap; only a new cycle or a trial cuts one
/// short.
fn check_periods(invoices: &[Stored<Invoice>]) {
    let mut ends: BTreeMap<String, (Timestamp, LineKind)> = BTreeMap::new();
    for invoice in invoices {
        for line in &invoice.lines {
            let Some(item) = &line.subscription_item else {
                continue;
            };
            let end = match line.kind {
                LineKind::Recurring => line.period.end,
                // What was paid before is given back from here on.
                LineKind::Trial => line.period.start,
                _ => continue,
            };
            let Some((end, before)) = ends.insert(item.to_string(), (end, line.kind)) else {
                continue;
            };
            if line.kind == LineKind::Trial || before == LineKind::Trial {
                assert!(
                    line.kind == LineKind::Trial || line.period.start >= end,
                    "{invoice:?}"
                );
            } else if invoice.billing_reason == BillingReason::SubscriptionCycle {
                assert_eq!(line.period.start, end, "{invoice:?}");
            } else {
                assert!(line.period.start <= end, "a gap: {invoice:?}");
            }
        }
    }
}

/// The balance is the sum of its ledger.
async fn check_ledger(world: &World, customer: &CustomerId) {
    let ledger = world.ledger(customer).await;
    let mut balance = 0;
    for entry in &ledger {
        balance += entry.amount_minor;
        assert_eq!(balance, entry.ending_balance_minor, "{ledger:?}");
    }
    assert_eq!(
        balance,
        world.find_customer(customer).await.balance_minor,
        "{ledger:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fourteen_months_of_chance_leave_the_books_in_order() {
    // `SIMULATION_SEEDS=1-200` looks further.
    let seeds = match std::env::var("SIMULATION_SEEDS") {
        Ok(range) => {
            let (first, last) = range.split_once('-').unwrap();
            first.parse().unwrap()..=last.parse().unwrap()
        }
        Err(_) => 1..=2,
    };
    for seed in seeds {
        both(|store| async move {
            let mut town = Town::new(store, seed).await;
            let mut everybody = BTreeSet::new();
            let end = after(START, LIFE_SECONDS);
            for _ in 0..STEPS_MAX {
                town.step().await;
                everybody.extend(town.people.iter().map(|(customer, _)| customer.clone()));
                town.pass().await;
                town.check(&everybody).await;
                if town.world.engine.now() >= end {
                    break;
                }
            }
            assert!(
                town.world.engine.now() >= end,
                "seed {seed}: too short a life"
            );
            let charges = town.world.charges().await;
            assert!(
                charges > 40,
                "seed {seed}: too quiet a life, {charges} charges"
            );
        })
        .await;
    }
}
