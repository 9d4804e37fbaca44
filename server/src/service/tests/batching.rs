//! Due work in batches: nothing twice, nothing lost, nobody delayed by one that can't be done.

use std::collections::BTreeSet;
use std::sync::Arc;

use perennial::calendar::{Cadence, Timestamp};
use perennial::id::{CustomerId, SubscriptionId};
use perennial::invoice::InvoiceStatus;
use perennial::subscription::Status;

use super::world::{World, after, at};
use crate::clock::SeededEntropy;
use crate::gateway::sandbox::{Fault, Sandbox};
use crate::rendering;
use crate::service::Engine;
use crate::service::payments::PaymentResult;
use crate::store::document::PageRequest;
use crate::store::tests::{both, sqlite};
use crate::store::{Store, event, failure};

const HOUR: i64 = 3_600;
pub(super) const RENEWAL: Timestamp = Timestamp(1_772_272_800);

/// So many customers with a subscription each, whose drafts become final at once.
pub(super) async fn business(
    store: Store,
    customers: usize,
) -> (World, Vec<(CustomerId, SubscriptionId)>) {
    business_over(store, customers, 0).await
}

/// As [`business`], where so many seconds pass between one customer and the next. All are due for renewal.
pub(super) async fn business_over(
    store: Store,
    customers: usize,
    seconds: i64,
) -> (World, Vec<(CustomerId, SubscriptionId)>) {
    let world = World::new(store).await;
    let id = world.scope.merchant.clone();
    let update = world
        .engine
        .update_merchant(&id, |own| own.draft_seconds = 0);
    update.await.unwrap();
    let price = world.price(2_000, Cadence::MONTHLY).await;
    let mut made = Vec::new();
    for _ in 0..customers {
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &price).await;
        made.push((customer, id));
        world.clock.advance_to(after(world.engine.now(), seconds));
    }
    assert_eq!(RENEWAL, at(2026, 2, 28));
    let whole = i64::try_from(customers).unwrap() * seconds;
    world.clock.advance_to(after(RENEWAL, whole));
    (world, made)
}

/// Another process on the same database, at the same time of day.
pub(super) async fn process(world: &World, store: Store, seed: u128) -> Engine {
    let (clock, entropy) = (world.clock.clone(), SeededEntropy::new(seed));
    let bank = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), [7; 32]);
    Engine::new(store, Arc::new(bank), clock, entropy)
}

/// Each subscription was invoiced once more, and each of those invoices was charged once.
pub(super) async fn all_renewed_once(world: &World, made: &[(CustomerId, SubscriptionId)]) {
    for (customer, _) in made {
        let invoices = world.invoices(customer).await;
        let paid = |own: &&crate::store::document::Stored<_>| {
            let own: &perennial::invoice::Invoice = own;
            own.status == InvoiceStatus::Paid
        };
        assert_eq!(invoices.iter().filter(paid).count(), 2, "{invoices:#?}");
        assert_eq!(invoices.len(), 2);
    }
    let charged = world.charged().await;
    assert_eq!(charged.len(), made.len() * 2);
    assert!(
        charged.values().all(|amounts| amounts == &[2_000]),
        "{charged:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_renews_finalises_and_charges() {
    both(|store| async move {
        let (world, made) = business(store, 12).await;
        assert_eq!(world.engine.run_due(RENEWAL, 1_000).await.unwrap(), 12);
        all_renewed_once(&world, &made).await;
        assert_eq!(world.engine.run_due(RENEWAL, 1_000).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_show_each_object_as_it_was() {
    both(|store| async move {
        let (world, made) = business(store, 3).await;
        world.sweep().await;
        let (customer, id) = made.first().unwrap();
        let latest = world.latest(id).await;
        let mut read = world.engine.store.read().await.unwrap();
        let all = event::Filter {
            kinds: Vec::new(),
            from: 0,
            until: i64::MAX / 2_000_000,
        };
        let page = PageRequest::first(100);
        let found = event::search(&mut read, &world.scope, &page, &all).await;
        let (events, _) = found.unwrap();
        drop(read);
        let told = |kind: &str, object: &str| {
            let mut own = events
                .iter()
                .filter(|event| event.kind == kind && event.object == object);
            let event = own
                .next()
                .unwrap_or_else(|| panic!("no {kind} of {object}"));
            rendering::event(event, false)["data"].clone()
        };
        let invoice = latest.id.as_str();
        let shown = |kind, field: &str| told(kind, invoice)["object"][field].clone();
        assert_eq!(shown("invoice.created", "status"), "draft");
        assert_eq!(shown("invoice.created", "number"), serde_json::Value::Null);
        assert_eq!(shown("invoice.finalized", "status"), "open");
        assert_eq!(
            shown("invoice.finalized", "number"),
            latest.number.clone().unwrap()
        );
        let paid = rendering::invoice(&latest, false);
        assert_eq!(told("invoice.paid", invoice)["object"], paid);
        assert_eq!(told("invoice.payment_succeeded", invoice)["object"], paid);
        let intent = latest.payment_intent.as_ref().unwrap().as_str();
        let status = |kind| told(kind, intent)["object"]["status"].clone();
        assert_eq!(status("payment_intent.created"), "processing");
        assert_eq!(status("payment_intent.succeeded"), "succeeded");
        let updated = told("customer.subscription.updated", id.as_str());
        let item = |side: &str| updated[side]["items"]["data"][0]["current_period_start"].clone();
        assert_eq!(item("object"), RENEWAL.0);
        assert_eq!(item("previous_attributes"), super::world::START.0);
        assert!(updated["previous_attributes"]["latest_invoice"].is_string());
        // That the next invoice gets another number is nobody's news.
        let news = events
            .iter()
            .filter(|event| event.object == customer.as_str() && event.created == RENEWAL);
        assert_eq!(news.count(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customers_invoices_get_numbers_without_gaps() {
    both(|store| async move {
        let (world, made) = business(store, 1).await;
        let (customer, _) = made.first().unwrap();
        let price = world.price(3_000, Cadence::MONTHLY).await;
        for _ in 0..20 {
            world.subscribe(customer, &price).await;
        }
        world.clock.advance_to(at(2026, 3, 28));
        world.sweep().await;
        let invoices = world.invoices(customer).await;
        // 21 first ones, and a renewal of each.
        assert_eq!(invoices.len(), 42);
        let numbers: BTreeSet<_> = invoices
            .iter()
            .filter_map(|own| own.number.clone())
            .collect();
        let newest = numbers.last().unwrap();
        assert_eq!(numbers.len(), 42);
        assert!(newest.ends_with("-0042"), "{newest}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_row_is_set_aside_and_done_once_it_is_mended() {
    both(|store| async move {
        let (world, made) = business(store, 9).await;
        let (_, poisoned) = made.get(4).unwrap();
        let body = |to: &'static str| {
            let (engine, id) = (world.engine.clone(), poisoned.clone());
            async move {
                let mut tx = engine.store.begin().await.unwrap();
                sqlx::query(to)
                    .bind(id.as_str())
                    .execute(tx.connection())
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
        };
        body("update subscription set body = '!' || body where id = $1").await;
        assert_eq!(world.engine.run_due(RENEWAL, 1_000).await.unwrap(), 8);
        let status = world.engine.status().await.unwrap();
        let [aside] = status.set_aside.as_slice() else {
            panic!("{status:?}");
        };
        assert_eq!(
            (aside.place.id.as_str(), aside.attempts),
            (poisoned.as_str(), 1)
        );
        assert!(aside.reason.contains("can't be read"), "{}", aside.reason);
        assert!(status.text().contains(poisoned.as_str()));
        assert!(
            status
                .metrics()
                .contains("perennial_work_set_aside{kind=\"subscription\"} 1")
        );
        // It is left alone for a while, then tried again, with growing pauses.
        assert_eq!(
            world
                .engine
                .sweep(RENEWAL, 1_000, None)
                .await
                .unwrap()
                .failed,
            0
        );
        let mut now = RENEWAL;
        for attempts in 2..5 {
            now = after(now, 60 << (attempts - 2));
            world.clock.advance_to(now);
            assert_eq!(
                world.engine.sweep(now, 1_000, None).await.unwrap().failed,
                1
            );
            let aside = world.engine.status().await.unwrap().set_aside;
            assert_eq!(aside.first().unwrap().attempts, attempts);
        }
        body("update subscription set body = substr(body, 2) where id = $1").await;
        assert_eq!(world.engine.run_due(now, 1_000).await.unwrap(), 0);
        assert_eq!(failure::retry_all(&world.engine.store).await.unwrap(), 1);
        world.sweep().await;
        assert!(world.engine.status().await.unwrap().set_aside.is_empty());
        all_renewed_once(&world, &made).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_always_fail_delay_nobody() {
    let fresh = sqlite().await;
    let (world, made) = business(fresh.store.clone(), 30).await;
    let mut tx = world.engine.store.begin().await.unwrap();
    for (_, id) in made.iter().take(25) {
        let poison = "update subscription set body = '!', due_at = due_at - 100 where id = $1";
        sqlx::query(poison)
            .bind(id.as_str())
            .execute(tx.connection())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    // A sweep that looks at five at a time comes to those behind.
    let mut done = 0;
    for _ in 0..8 {
        done += world.engine.run_due(RENEWAL, 5).await.unwrap();
    }
    assert_eq!(done, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn months_down_are_caught_up_with_invoices_dated_as_they_should_be() {
    both(|store| async move {
        let (world, customer, _) = World::with_one(store, "pm_card_visa").await;
        let now = after(at(2026, 5, 3), 0);
        world.clock.advance_to(now);
        world.sweep().await;
        let invoices = world.invoices(&customer).await;
        let dates: Vec<_> = invoices.iter().skip(1).map(|own| own.created).collect();
        assert_eq!(dates, [at(2026, 2, 28), at(2026, 3, 31), at(2026, 4, 30)]);
        for invoice in invoices.iter().skip(1) {
            assert_eq!(invoice.status, InvoiceStatus::Paid);
            assert_eq!(invoice.finalized_at, Some(now));
            assert_eq!(invoice.period.end, invoice.created);
            // What its document prints: when it would have become final.
            assert_eq!(invoice.issued_at(), after(invoice.created, HOUR));
        }
        assert_eq!(world.charges().await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_had_out_is_settled_and_charged_once() {
    both(|store| async move {
        let (world, made) = business(store, 6).await;
        // Some requests never arrive, some answers never come, and then the process dies.
        for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::LoseRequest] {
            world.bank.inject(fault);
        }
        assert_eq!(world.engine.run_due(RENEWAL, 1_000).await.unwrap(), 6);
        assert!(world.charges().await < 12);
        let store = world.engine.store.clone();
        let other = process(&world, store, 99).await;
        assert_eq!(other.settle_outstanding(100).await.unwrap(), 3);
        all_renewed_once(&world, &made).await;
        assert_eq!(other.run_due(after(RENEWAL, HOUR), 1_000).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_period_gives_up_the_challenges_that_are_open() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_visa").await;
        let (engine, scope) = (&world.engine, &world.scope);
        engine
            .cancel_at_period_end(scope, &id, None, None)
            .await
            .unwrap();
        // An invoice that is open, with a claim on it that the customer is to prove, and does not.
        let mut invoice = world.latest(&id).await.value;
        invoice.id = perennial::id::InvoiceId::new(&mut engine.ids());
        invoice.number = Some("OPEN-0001".to_owned());
        invoice.status = InvoiceStatus::Open;
        (invoice.amount_paid_minor, invoice.paid_at) = (0, None);
        invoice.payment_intent = None;
        let invoice = world.insert(invoice).await;
        let card = world
            .card(&customer, "pm_card_authenticationRequired")
            .await;
        let paid = world.pay(&invoice.id, Some(card)).await.unwrap();
        let PaymentResult::RequiresAction { challenge_url, .. } = paid else {
            panic!("{paid:?}");
        };
        world.live_until(RENEWAL).await;
        assert_eq!(world.status(&id).await, Status::Canceled);
        world.approve(&challenge_url).await;
        let intent = world.find_invoice(&invoice.id).await.payment_intent.clone();
        world.finish(&intent.unwrap()).await.unwrap();
        assert_eq!(
            world.find_invoice(&invoice.id).await.status,
            InvoiceStatus::Open
        );
    })
    .await;
}
