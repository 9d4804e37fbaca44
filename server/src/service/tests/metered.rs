//! What metered items bill: at renewal, late, on change, at the end.

use perennial::calendar::{Cadence, Timestamp};
use perennial::catalog::{Price, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, SubscriptionId};
use perennial::invoice::{Invoice, InvoiceStatus, LineKind};
use perennial::pricing::{Pricing, RoundDirection, Tier, TiersMode, TransformQuantity};
use perennial::subscription::{ItemChange, ItemExtras, ProrationBehavior};
use perennial::usage::{Formula, Meter};

use super::metering::{event, meter};
use super::world::{START, World, after, at};
use crate::service::previews::PreviewRequest;
use crate::service::subscriptions::{Cancel, NewItem, NewSubscription};
use crate::service::supposing::Supposed;
use crate::store::tests::both;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

pub(super) fn decimal(text: &str) -> Decimal12 {
    Decimal12::parse(text).unwrap()
}

/// Does what is due now, the settling of usage among it.
async fn settle(world: &World) {
    world
        .engine
        .run_due(world.engine.now(), 1_000)
        .await
        .unwrap();
}

pub(super) async fn metered(world: &World, meter: &Meter, pricing: Pricing) -> Price {
    let price = world
        .price_in(1, Cadence::MONTHLY, Currency::USD, UsageType::Metered)
        .await;
    let mut row = world
        .engine
        .find::<Price>(&world.scope, price.id.as_str())
        .await
        .unwrap();
    row.value.recurring.as_mut().unwrap().meter = Some(meter.id.clone());
    row.value.pricing = pricing;
    row.value.tax_behavior = TaxBehavior::Exclusive;
    world.update(&mut row).await;
    row.value
}

pub(super) async fn begun(
    world: &World,
    pricing: Pricing,
) -> (Meter, CustomerId, SubscriptionId, Price) {
    let meter = meter(world, "calls", Formula::Sum).await;
    let price = metered(world, &meter, pricing).await;
    let customer = world.customer_with("pm_card_visa").await;
    let id = subscribe(world, &customer, &[&price]).await;
    (meter, customer, id, price)
}

pub(super) async fn subscribe(
    world: &World,
    customer: &CustomerId,
    prices: &[&Price],
) -> SubscriptionId {
    let items = prices.iter().map(|price| NewItem {
        quantity: (!price.is_metered()).then_some(1),
        ..NewItem::new(price.id.clone(), 1)
    });
    let new = NewSubscription::new(customer.clone(), items.collect());
    world.create(new).await.unwrap().value.id
}

pub(super) async fn used(
    world: &World,
    customer: &CustomerId,
    id: &str,
    at: Timestamp,
    value: &str,
) {
    assert_eq!(
        world
            .report(vec![event("calls", id, customer, at, value)])
            .await,
        1,
        "{id}"
    );
}

/// Kind, quantity and amount of an invoice's lines.
fn lines(invoice: &Invoice) -> Vec<(LineKind, String, i64)> {
    let quantity = |line: &perennial::invoice::Line| {
        let whole = line.quantity.map_or(String::new(), |n| n.to_string());
        line.quantity_decimal
            .map_or(whole, |exact| exact.to_string())
    };
    invoice
        .lines
        .iter()
        .map(|line| (line.kind, quantity(line), line.amount_minor))
        .collect()
}

fn tiers(mode: TiersMode) -> Pricing {
    let tier = |up_to, unit: &str, flat: &str| Tier {
        up_to,
        unit_amount: Some(decimal(unit)),
        flat_amount: Some(decimal(flat)),
    };
    let tiers = vec![
        tier(Some(10), "0", "0"),
        tier(Some(20), "2.5", "100"),
        tier(None, "1", "0"),
    ];
    Pricing::Tiered { mode, tiers }
}

/// Every price model over usage: the preview shows it at once, and the renewal bills the same.
#[tokio::test(flavor = "multi_thread")]
async fn usage_is_previewed_at_once_and_billed_at_renewal_by_every_model() {
    let package = |round| Pricing::PerUnit {
        unit_amount: decimal("4"),
        transform_quantity: Some(TransformQuantity {
            divide_by: 10,
            round,
        }),
    };
    let table = [
        (Pricing::per_unit(decimal("0.125")), "25.5", 3),
        (Pricing::per_unit(decimal("7")), "3", 21),
        (package(RoundDirection::Up), "25.5", 12),
        (package(RoundDirection::Down), "25.5", 8),
        (tiers(TiersMode::Graduated), "25.5", 100 + 25 + 6),
        (tiers(TiersMode::Volume), "15", 100 + 38),
        (tiers(TiersMode::Graduated), "0", 0),
        (tiers(TiersMode::Graduated), "-3", 0),
    ];
    for (pricing, quantity, amount) in table {
        let pricing = &pricing;
        both(|store| async move {
            let world = World::new(store).await;
            let (_, customer, id, _) = begun(&world, pricing.clone()).await;
            world.clock.advance_to(after(START, DAY));
            used(&world, &customer, "one", after(START, DAY), quantity).await;
            let request = PreviewRequest::Next(id.clone());
            let preview = world
                .engine
                .preview_invoice(&world.scope, request, &Supposed::default())
                .await
                .unwrap();
            world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
            let invoice = world.latest(&id).await;
            let billed = quantity.strip_prefix('-').map_or(quantity, |_| "0");
            assert_eq!(
                lines(&invoice),
                [(LineKind::Usage, billed.to_owned(), amount)]
            );
            assert_eq!(lines(&preview), lines(&invoice));
            assert_eq!(preview.totals, invoice.totals);
            assert_eq!(invoice.status, InvoiceStatus::Paid);
            assert_eq!(
                (invoice.lines[0].period.start, invoice.lines[0].period.end),
                (START, at(2026, 2, 28))
            );
        })
        .await;
    }
}

/// Events of an invoiced period: on the draft while it is one, on the next invoice as a line of
/// their own after that, and in the end with the customer's next invoice of any kind. Never twice.
#[tokio::test(flavor = "multi_thread")]
async fn late_events_are_billed_once_wherever_the_invoice_stands() {
    both(|store| async move {
        let world = World::new(store).await;
        let (_, customer, id, _) = begun(&world, tiers(TiersMode::Graduated)).await;
        let end = at(2026, 2, 28);
        world.clock.advance_to(after(end, -HOUR));
        used(&world, &customer, "in time", after(end, -HOUR), "8").await;
        // The next period's first second is not this period's last.
        world.live_until(end).await;
        used(&world, &customer, "next", end, "1").await;
        let draft = world.latest(&id).await;
        assert_eq!(
            (draft.status, lines(&draft)),
            (
                InvoiceStatus::Draft,
                vec![(LineKind::Usage, "8".to_owned(), 0)]
            )
        );
        // While the invoice is a draft.
        world.clock.advance_to(after(end, HOUR / 2));
        used(&world, &customer, "onto the draft", after(end, -1), "4").await;
        world.live_until(after(end, 2 * HOUR)).await;
        let february = world.latest(&id).await;
        assert_eq!(lines(&february), [(LineKind::Usage, "12".to_owned(), 105)]);
        assert_eq!(
            (february.status, february.amount_paid_minor),
            (InvoiceStatus::Paid, 105)
        );
        // After it was final: ten days later, and a cancelled one.
        world.clock.advance_to(after(end, 10 * DAY));
        used(&world, &customer, "late", after(end, -DAY), "3").await;
        used(&world, &customer, "mistake", after(end, -DAY), "100").await;
        world
            .engine
            .cancel_usage(&world.scope, "calls", "mistake")
            .await
            .unwrap();
        let request = PreviewRequest::Next(id.clone());
        let preview = world
            .engine
            .preview_invoice(&world.scope, request, &Supposed::default())
            .await
            .unwrap();
        world.live_until(after(at(2026, 3, 31), 2 * HOUR)).await;
        let march = world.latest(&id).await;
        let wanted = [
            (LineKind::Usage, "1".to_owned(), 0),
            // 15 in all would have cost 100 + 12.5, rounded; 105 of it was billed.
            (LineKind::OneTime, "3".to_owned(), 113 - 105),
        ];
        assert_eq!(lines(&march), wanted);
        assert_eq!(lines(&preview), wanted);
        assert_eq!(march.lines[1].period, february.lines[0].period);
        // Nothing more comes of either period, whoever looks how often.
        world.live_until(after(at(2026, 4, 30), 2 * HOUR)).await;
        settle(&world).await;
        assert_eq!(
            lines(&*world.latest(&id).await),
            [(LineKind::Usage, "0".to_owned(), 0)]
        );
        let sum: i64 = world
            .invoices(&customer)
            .await
            .iter()
            .map(|own| own.totals.total_minor)
            .sum();
        assert_eq!(sum, 113);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_for_an_ended_subscription_waits_for_the_next_invoice() {
    both(|store| async move {
        let world = World::new(store).await;
        let (_, customer, id, _) = begun(&world, Pricing::per_unit(decimal("10"))).await;
        let end = after(START, 5 * DAY);
        world.clock.advance_to(end);
        used(&world, &customer, "one", after(START, DAY), "5").await;
        let cancel = Cancel {
            invoice_now: true,
            ..Cancel::default()
        };
        world
            .engine
            .cancel_subscription(&world.scope, &id, cancel)
            .await
            .unwrap();
        let last = world.latest(&id).await;
        assert_eq!(lines(&last), [(LineKind::Usage, "5".to_owned(), 50)]);
        world.clock.advance_to(after(end, 20 * DAY));
        used(&world, &customer, "late", after(end, -1), "7").await;
        used(&world, &customer, "after the end", end, "9").await;
        settle(&world).await;
        let waiting = async || world.engine.pending(&world.scope, &customer).await.unwrap();
        assert!(waiting().await.is_empty());
        world.clock.advance_to(after(end, 40 * DAY));
        settle(&world).await;
        assert_eq!(waiting().await.len(), 1);
        settle(&world).await;
        assert_eq!(waiting().await.len(), 1);
        let licensed = world.price(500, Cadence::MONTHLY).await;
        let other = subscribe(&world, &customer, &[&licensed]).await;
        world.live_until(after(world.engine.now(), 32 * DAY)).await;
        let mut billed = world.invoices(&customer).await;
        billed.retain(|own| own.subscription.as_ref() == Some(&other));
        let late: Vec<_> = billed
            .iter()
            .flat_map(|own| lines(own))
            .filter(|line| line.0 == LineKind::OneTime)
            .collect();
        assert_eq!(late, [(LineKind::OneTime, "7".to_owned(), 70)]);
    })
    .await;
}

/// P14: each price bills the usage of its own time; what goes is still billed.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_price_bills_from_its_own_time_on() {
    both(|store| async move {
        let world = World::new(store).await;
        let hundred = |minor: &str| Pricing::PerUnit {
            unit_amount: decimal(minor),
            transform_quantity: Some(TransformQuantity {
                divide_by: 100,
                round: RoundDirection::Up,
            }),
        };
        let (meter, customer, id, _) = begun(&world, hundred("10")).await;
        let dearer = metered(&world, &meter, hundred("15")).await;
        let change = after(START, 10 * DAY);
        world.clock.advance_to(change);
        used(&world, &customer, "old", after(change, -1), "1000").await;
        used(&world, &customer, "new", change, "500").await;
        let item = world.find_subscription(&id).await.items[0].id.clone();
        swap(
            &world,
            &id,
            vec![ItemChange::Set {
                item,
                price: Some(dearer.clone()),
                quantity: None,
            }],
        )
        .await;
        let request = PreviewRequest::Next(id.clone());
        let preview = world
            .engine
            .preview_invoice(&world.scope, request, &Supposed::default())
            .await
            .unwrap();
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        let invoice = world.latest(&id).await;
        let wanted = [
            (LineKind::Usage, "500".to_owned(), 75),
            (LineKind::Usage, "1000".to_owned(), 100),
        ];
        assert_eq!(lines(&invoice), wanted);
        assert_eq!(lines(&preview), wanted);
        assert_eq!(invoice.totals.total_minor, 175);
        assert_eq!(
            (invoice.lines[1].period.start, invoice.lines[1].period.end),
            (START, change)
        );
        // The item goes; what it used is billed with the next invoice, once.
        let licensed = world.price(900, Cadence::MONTHLY).await;
        let gone = after(at(2026, 2, 28), 5 * DAY);
        world.clock.advance_to(gone);
        used(
            &world,
            &customer,
            "before it goes",
            after(gone, -DAY),
            "150",
        )
        .await;
        let item = world.find_subscription(&id).await.items[0].id.clone();
        let add = ItemChange::Add {
            id: perennial::id::SubscriptionItemId::new(&mut world.engine.ids()),
            price: licensed,
            quantity: 1,
            tax_rates: Vec::new(),
            with: ItemExtras::default(),
        };
        swap(&world, &id, vec![add, ItemChange::Remove { item }]).await;
        world.live_until(after(at(2026, 3, 31), 2 * HOUR)).await;
        let invoice = world.latest(&id).await;
        let usage: Vec<_> = lines(&invoice)
            .into_iter()
            .filter(|line| line.0 == LineKind::Usage)
            .collect();
        assert_eq!(usage, [(LineKind::Usage, "150".to_owned(), 30)]);
        world.live_until(after(at(2026, 5, 31), 2 * HOUR)).await;
        settle(&world).await;
        let all = world.invoices(&customer).await;
        let usage: i64 = all
            .iter()
            .flat_map(|own| lines(own))
            .filter(|line| line.0 != LineKind::Recurring)
            .filter(|line| matches!(line.0, LineKind::Usage | LineKind::OneTime))
            .map(|line| line.2)
            .sum();
        assert_eq!(usage, 175 + 30);
    })
    .await;
}

async fn swap(world: &World, id: &SubscriptionId, changes: Vec<ItemChange>) {
    let (engine, scope) = (&world.engine, &world.scope);
    let quote = engine
        .quote_change(scope, id, changes, ProrationBehavior::CreateProrations, &[])
        .await
        .unwrap();
    engine.confirm_quote(scope, &quote.id, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_a_trial_is_free_and_a_plain_cancellation_discards_it() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Sum).await;
        let price = metered(&world, &meter, Pricing::per_unit(decimal("10"))).await;
        let customer = world.customer_with("pm_card_visa").await;
        let end = after(START, 7 * DAY);
        let new = NewSubscription {
            trial_end: Some(end),
            ..NewSubscription::new(
                customer.clone(),
                vec![NewItem {
                    quantity: None,
                    ..NewItem::new(price.id.clone(), 1)
                }],
            )
        };
        let id = world.create(new).await.unwrap().value.id;
        world.clock.advance_to(after(START, 6 * DAY));
        used(
            &world,
            &customer,
            "in the trial",
            after(START, 5 * DAY),
            "1000",
        )
        .await;
        world.live_until(after(end, HOUR)).await;
        used(&world, &customer, "after it", end, "2").await;
        world.live_until(after(end, 40 * DAY)).await;
        let billed: i64 = world
            .invoices(&customer)
            .await
            .iter()
            .map(|own| own.totals.total_minor)
            .sum();
        assert_eq!(billed, 20);
        used(&world, &customer, "unbilled", world.engine.now(), "3").await;
        world
            .engine
            .cancel_subscription(&world.scope, &id, Cancel::default())
            .await
            .unwrap();
        world.clock.advance_to(after(world.engine.now(), 60 * DAY));
        settle(&world).await;
        let pending = world.engine.pending(&world.scope, &customer).await.unwrap();
        assert!(pending.is_empty(), "{pending:?}");
    })
    .await;
}

/// The process dies after the commit of a group, or before it: sending again counts once.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_heard_no_answer_sends_again() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Sum).await;
        let customer = world.customer().await;
        for n in 0..30 {
            let one = event("calls", &format!("e{n}"), &customer, START, "1");
            let (engine, scope, sent) = (world.engine.clone(), world.scope.clone(), one.clone());
            let asking = tokio::spawn(async move {
                engine
                    .report_usage(&scope, vec![sent], crate::service::metering::Naming::Single)
                    .await
            });
            // The client goes away at any moment.
            tokio::task::yield_now().await;
            asking.abort();
            let again = world.engine.report_usage(
                &world.scope,
                vec![one],
                crate::service::metering::Naming::Single,
            );
            assert_eq!(again.await.unwrap().len(), 1);
        }
        let (start, end) = (after(START, -DAY), after(START, DAY));
        assert_eq!(world.used(&meter, &customer, start, end).await, "30");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_are_forgotten_and_what_is_billed_stays() {
    both(|store| async move {
        let world = World::new(store).await;
        let tokens = meter(&world, "tokens", Formula::Sum).await;
        let customer = world.customer().await;
        let old = world.engine.now();
        let events = vec![event("tokens", "old", &customer, old, "40")];
        assert_eq!(world.report(events).await, 1);
        assert_eq!(world.engine.forget_usage().await.unwrap(), 0);
        world.clock.advance_to(after(old, 4 * 366 * DAY));
        let late = after(world.engine.now(), -30 * DAY);
        let events = vec![event("tokens", "late", &customer, late, "2")];
        assert_eq!(world.report(events).await, 1);
        assert_eq!(world.engine.forget_usage().await.unwrap(), 1);
        assert_eq!(world.engine.forget_usage().await.unwrap(), 0);
        // Whole hours are known from their totals; the late event counts as ever, and once.
        let hour = Timestamp(old.0 - old.0.rem_euclid(3_600));
        let now = world.engine.now();
        assert_eq!(world.used(&tokens, &customer, hour, now).await, "42");
        let again = vec![event("tokens", "late", &customer, late, "2")];
        assert_eq!(world.report(again).await, 0);
    })
    .await;
}
