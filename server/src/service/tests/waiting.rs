//! Challenges that stay open while other things happen, and what comes at the same moment.

use std::time::Duration;

use perennial::calendar::{Cadence, Timestamp};
use perennial::id::{CustomerId, InvoiceId, SubscriptionId};
use perennial::invoice::InvoiceStatus;
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::subscription::{Feedback, Status};
use tokio::task::JoinSet;

use super::world::{World, after, at};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::payment_methods::{Detaching, LAST_METHOD, live_subscriptions};
use crate::service::payments::PaymentResult;
use crate::service::subscriptions::{Cancel, NewItem, NewSubscription};
use crate::store::Store;
use crate::store::document::Stored;
use crate::store::tests::both;

/// The challenge of a customer who is here and pays.
async fn challenge(world: &World, invoice: &InvoiceId) -> String {
    match world.pay(invoice, None).await.unwrap() {
        PaymentResult::RequiresAction { challenge_url, .. } => challenge_url,
        other => panic!("{other:?}"),
    }
}

async fn intent_of(world: &World, invoice: &InvoiceId) -> Stored<PaymentIntent> {
    let invoice = world.find_invoice(invoice).await;
    let intent = invoice.payment_intent.as_ref().unwrap();
    world
        .engine
        .find(&world.scope, intent.as_str())
        .await
        .unwrap()
}

/// A subscription whose first payment waits for the customer's proof.
async fn beginning(store: Store) -> (World, CustomerId, SubscriptionId) {
    World::with_one(store, "pm_card_authenticationRequired").await
}

/// A subscription whose second payment does.
async fn renewing(store: Store) -> (World, CustomerId, SubscriptionId) {
    let (world, customer, id) = World::with_one(store, "pm_card_visa").await;
    world
        .card(&customer, "pm_card_authenticationRequired")
        .await;
    world.live_until(after(at(2026, 2, 28), 7_200)).await;
    assert_eq!(world.status(&id).await, Status::PastDue);
    (world, customer, id)
}

fn cancel() -> Cancel {
    Cancel {
        feedback: Some(Feedback::Unused),
        ..Cancel::default()
    }
}

/// Ends it while the challenge is open, then approves the challenge: nothing is taken.
async fn check_given_up(
    (world, customer, id): (World, CustomerId, SubscriptionId),
    delete: bool,
    expected: (Status, InvoiceStatus),
) {
    let invoice = world.latest(&id).await;
    let before = world.charges().await;
    let url = challenge(&world, &invoice.id).await;
    let (engine, scope) = (&world.engine, &world.scope);
    if delete {
        engine.delete_customer(scope, &customer).await.unwrap();
    } else {
        let ended = engine.cancel_subscription(scope, &id, cancel()).await;
        let ended = ended.unwrap();
        assert_eq!(ended.status, expected.0);
        let why = ended.cancellation.as_ref().unwrap();
        assert_eq!(why.feedback, Some(Feedback::Unused));
    }
    world.approve(&url).await;
    let intent = intent_of(&world, &invoice.id).await;
    assert!(!intent.status.is_out(), "{:?}", intent.status);
    let _ = world.finish(&intent.id).await.unwrap();
    world.live_until(after(engine.now(), 40 * 86_400)).await;
    assert_eq!(world.charges().await, before, "money after the end");
    assert_eq!(world.status(&id).await, expected.0);
    let invoice = world.find_invoice(&invoice.id).await;
    assert_eq!(invoice.status, expected.1);
    assert_eq!(invoice.next_payment_attempt, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_gives_up_the_challenges_that_are_open() {
    for delete in [false, true] {
        let expected = (Status::IncompleteExpired, InvoiceStatus::Void);
        both(|store| async move { check_given_up(beginning(store).await, delete, expected).await })
            .await;
        let expected = (Status::Canceled, InvoiceStatus::Open);
        both(|store| async move { check_given_up(renewing(store).await, delete, expected).await })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_approved_before_the_end_is_recorded() {
    both(|store| async move {
        let (world, _, id) = beginning(store).await;
        let invoice = world.latest(&id).await;
        let url = challenge(&world, &invoice.id).await;
        world.approve(&url).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let ended = engine.cancel_subscription(scope, &id, cancel()).await;
        assert_eq!(ended.unwrap().status, Status::Canceled);
        let invoice = world.find_invoice(&invoice.id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        let again = engine.cancel_subscription(scope, &id, cancel()).await;
        assert!(matches!(again, Err(Refused::NotFound { .. })), "{again:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_with_the_period_gives_up_nothing() {
    both(|store| async move {
        let (world, _, id) = renewing(store).await;
        let invoice = world.latest(&id).await;
        let url = challenge(&world, &invoice.id).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let ends = engine.cancel_at_period_end(scope, &id, None, None).await;
        assert!(ends.unwrap().cancel_at.is_some());
        world.approve(&url).await;
        let intent = intent_of(&world, &invoice.id).await;
        assert_eq!(intent.status, PaymentStatus::RequiresAction);
        let paid = world.finish(&intent.id).await.unwrap();
        assert!(matches!(paid, PaymentResult::Paid { .. }), "{paid:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sessions_at_once_share_one_default_configuration() {
    both(|store| async move {
        let world = World::new(store).await;
        let mut running = JoinSet::new();
        for _ in 0..16 {
            let (engine, scope) = (world.engine.clone(), world.scope.clone());
            running.spawn(async move { engine.default_portal_configuration(&scope).await });
        }
        let mut ids: Vec<String> = Vec::new();
        for made in running.join_all().await {
            ids.push(made.unwrap().id.to_string());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        let told = world.events().await;
        let told = told
            .iter()
            .filter(|kind| kind.starts_with("billing_portal"));
        assert_eq!(told.count(), 1);
    })
    .await;
}

/// The moments, in seconds after `start`, at which a worker looks until `end`.
async fn looks(world: &World, invoice: &InvoiceId, seconds: i64) -> Vec<i64> {
    let start = world.engine.now();
    let mut looks = Vec::new();
    loop {
        let due = intent_of(world, invoice).await.ask_at.unwrap();
        let age = due.0 - start.0;
        if age > seconds {
            return looks;
        }
        world.clock.advance_to(Timestamp(due.0 - 1));
        world.sweep().await;
        assert_eq!(intent_of(world, invoice).await.ask_at, Some(due), "early");
        world.clock.advance_to(due);
        world.sweep().await;
        looks.push(age);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_records_what_was_approved_though_nobody_came_back() {
    both(|store| async move {
        let (world, _, id) = beginning(store).await;
        let invoice = world.latest(&id).await;
        let url = challenge(&world, &invoice.id).await;
        world.clock.advance_to(after(world.engine.now(), 20));
        world.sweep().await;
        let waits = intent_of(&world, &invoice.id).await;
        assert_eq!(waits.status, PaymentStatus::RequiresAction);
        assert_eq!(waits.challenge.as_ref(), Some(&url), "it can still be met");
        world.approve(&url).await;
        world.clock.advance_to(waits.ask_at.unwrap());
        world.sweep().await;
        assert_eq!(world.status(&id).await, Status::Active);
        let paid = world.find_invoice(&invoice.id).await;
        assert_eq!(paid.status, InvoiceStatus::Paid);
        assert_eq!(world.charges().await, 1);
        let engine = &world.engine;
        world.clock.advance_to(after(engine.now(), 86_400));
        assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_looked_after_ever_more_rarely() {
    both(|store| async move {
        let (world, _, id) = beginning(store).await;
        let invoice = world.latest(&id).await;
        challenge(&world, &invoice.id).await;
        let looks = looks(&world, &invoice.id, 16_000).await;
        let expected = [
            20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 8_720, 12_320, 15_920,
        ];
        assert_eq!(looks, expected);
        // A gateway that does not answer is not asked more often.
        world.bank.inject(Fault::LoseAnswer);
        let due = intent_of(&world, &invoice.id).await.ask_at.unwrap();
        world.clock.advance_to(due);
        world.sweep().await;
        let next = intent_of(&world, &invoice.id).await.ask_at.unwrap();
        assert_eq!(next.0 - due.0, 3_600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_asks_after_every_challenge() {
    both(|store| async move {
        let (world, _, id) = beginning(store).await;
        let invoice = world.latest(&id).await;
        let url = challenge(&world, &invoice.id).await;
        world.approve(&url).await;
        let engine = &world.engine;
        assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 0);
        assert_eq!(engine.settle_outstanding(100).await.unwrap(), 1);
        assert_eq!(world.status(&id).await, Status::Active);
        assert_eq!(engine.settle_outstanding(100).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_removals_at_once_one_leaves_the_last_card() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        for _ in 0..5 {
            let customer = world.customer().await;
            let cards = [
                world.card(&customer, "pm_card_visa").await,
                world.card(&customer, "pm_card_mastercard").await,
            ];
            world.subscribe(&customer, &price).await;
            let mut running = JoinSet::new();
            for card in cards {
                let (engine, scope) = (world.engine.clone(), world.scope.clone());
                running.spawn(async move {
                    let removed = engine.detach(&scope, &card, Detaching::ByCustomer).await;
                    (card, removed.map(|_| ()))
                });
            }
            let (gone, kept): (Vec<_>, Vec<_>) = running
                .join_all()
                .await
                .into_iter()
                .partition(|(_, removed)| removed.is_ok());
            assert_eq!(gone.len(), 1, "{kept:?}");
            let (last, refused) = &kept[0];
            let refused = refused.as_ref().unwrap_err();
            let expected = Some(LAST_METHOD);
            assert!(
                matches!(refused, Refused::State { code, .. } if *code == expected),
                "{refused:?}"
            );
            let owner = world.find_customer(&customer).await;
            assert_eq!(owner.default_payment_method.as_ref(), Some(last));
            // The merchant may take it all the same.
            let taken = world.engine.detach_payment_method(&world.scope, last).await;
            assert_eq!(taken.unwrap().customer, None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_deleted_with_a_live_subscription() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        for round in 0..8 {
            let customer = world.customer_with("pm_card_visa").await;
            world.subscribe(&customer, &price).await;
            let mut running = JoinSet::new();
            for _ in 0..2 {
                let (engine, scope) = (world.engine.clone(), world.scope.clone());
                let items = vec![NewItem::new(price.id.clone(), 1)];
                let mut new = NewSubscription::new(customer.clone(), items);
                // With a trial nothing else about the customer changes.
                new.trial_end = Some(after(world.engine.now(), 30 * 86_400));
                running.spawn(async move {
                    tokio::time::sleep(Duration::from_millis(round)).await;
                    let made = engine.create_subscription(&scope, new).await;
                    made.map(|_| ())
                });
            }
            let (engine, scope) = (&world.engine, &world.scope);
            engine.delete_customer(scope, &customer).await.unwrap();
            for made in running.join_all().await {
                let fine = matches!(made, Ok(()) | Err(Refused::NotFound { .. }));
                assert!(fine, "{made:?}");
            }
            let mut read = engine.store.read().await.unwrap();
            let live = live_subscriptions(&mut read, scope, &customer).await;
            let live: Vec<_> = live.unwrap().into_iter().map(|row| row.status).collect();
            assert_eq!(live, [], "round {round}");
            assert!(world.find_customer(&customer).await.deleted);
        }
    })
    .await;
}
