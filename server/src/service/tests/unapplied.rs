//! Payments that belong to no invoice: held once whatever is lost on the way, given back, attached once.

use perennial::currency::Currency;
use perennial::id::{CustomerId, PaymentIntentId};
use perennial::invoice::InvoiceStatus;
use perennial::metadata::Metadata;
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::refund::RefundStatus;

use super::money::{drafted, holds};
use super::world::{World, after};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::payments::{NewIntent, ParticularsUpdate};
use crate::service::refunds::NewRefund;
use crate::store::document::Stored;
use crate::store::tests::both;

const DAY: i64 = 86_400;

/// A confirmed payment of so many cents.
async fn taken(world: &World, customer: &CustomerId, minor: i64) -> Stored<PaymentIntent> {
    let owner = world.find_customer(customer).await;
    let new = NewIntent {
        shipping: None,
        particulars: ParticularsUpdate::default(),
        customer: customer.clone(),
        amount_minor: minor,
        currency: Currency::USD,
        payment_method: owner.default_payment_method.clone(),
        description: None,
        metadata: Metadata::default(),
    };
    let (engine, scope) = (&world.engine, &world.scope);
    let made = engine.create_intent(scope, new).await.unwrap();
    let confirmed = engine.confirm_unapplied(scope, &made.id, None, true);
    confirmed.await.unwrap()
}

async fn found(world: &World, id: &PaymentIntentId) -> Stored<PaymentIntent> {
    world.engine.find(&world.scope, id.as_str()).await.unwrap()
}

fn refund(intent: &PaymentIntentId, amount_minor: Option<i64>) -> NewRefund {
    NewRefund {
        payment_intent: intent.clone(),
        amount_minor,
        reason: None,
        metadata: Metadata::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_without_an_invoice_is_taken_once_whatever_is_lost() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
        for attached_early in [false, true] {
            both(|store| async move {
                let world = World::new(store).await;
                let (engine, scope) = (&world.engine, &world.scope);
                let customer = world.customer_with("pm_card_visa").await;
                let invoice = drafted(&world, &customer, 5_000).await;
                engine.finalize_invoice(scope, &invoice).await.unwrap();
                world.bank.inject(fault);
                let out = taken(&world, &customer, 3_000).await;
                assert_eq!(
                    (out.status, out.unapplied_minor),
                    (PaymentStatus::Processing, 0)
                );
                holds(&world).await;
                if attached_early {
                    engine
                        .attach_intent(scope, &invoice, &out.id)
                        .await
                        .unwrap();
                }
                world.live_until(after(engine.now(), 120)).await;
                let known = found(&world, &out.id).await;
                let held = if attached_early { 0 } else { 3_000 };
                assert_eq!(
                    (known.status, known.unapplied_minor),
                    (PaymentStatus::Succeeded, held)
                );
                holds(&world).await;
                if !attached_early {
                    engine
                        .attach_intent(scope, &invoice, &out.id)
                        .await
                        .unwrap();
                }
                let now = world.find_invoice(&invoice).await;
                assert_eq!(
                    (now.status, now.amount_paid_minor),
                    (InvoiceStatus::Open, 3_000)
                );
                assert_eq!(world.charges().await, 1);
                holds(&world).await;
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn held_money_is_given_back_and_attached_only_when_that_is_decided() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let slow = world.customer_with("pm_card_pendingRefund").await;
        let held = taken(&world, &slow, 3_000).await;
        let waits = engine
            .create_refund(scope, refund(&held.id, Some(1_000)))
            .await
            .unwrap();
        assert_eq!(waits.status, RefundStatus::Pending);
        let invoice = drafted(&world, &slow, 1_500).await;
        engine.finalize_invoice(scope, &invoice).await.unwrap();
        let early = engine.attach_intent(scope, &invoice, &held.id).await;
        assert!(matches!(early, Err(Refused::Invalid { .. })), "{early:?}");
        world.live_until(after(engine.now(), 2 * DAY)).await;
        assert_eq!(found(&world, &held.id).await.unapplied_minor, 2_000);
        holds(&world).await;
        let paid = engine
            .attach_intent(scope, &invoice, &held.id)
            .await
            .unwrap();
        assert_eq!(
            (paid.status, paid.amount_overpaid_minor),
            (InvoiceStatus::Paid, 500)
        );
        assert_eq!(found(&world, &held.id).await.unapplied_minor, 0);
        assert_eq!(world.find_customer(&slow).await.balance_minor, -500);
        holds(&world).await;

        // A refund that the bank sends back after the rest was attached is held again.
        let bad = world.customer_with("pm_card_refundFail").await;
        let held = taken(&world, &bad, 3_000).await;
        engine
            .create_refund(scope, refund(&held.id, Some(1_000)))
            .await
            .unwrap();
        let invoice = drafted(&world, &bad, 5_000).await;
        engine.finalize_invoice(scope, &invoice).await.unwrap();
        engine
            .attach_intent(scope, &invoice, &held.id)
            .await
            .unwrap();
        holds(&world).await;
        world.live_until(after(engine.now(), 3 * DAY)).await;
        assert_eq!(found(&world, &held.id).await.unapplied_minor, 1_000);
        holds(&world).await;

        // It is given back before what the invoice was paid with, and not together with it.
        for too_much in [None, Some(2_000)] {
            let mixed = engine
                .create_refund(scope, refund(&held.id, too_much))
                .await;
            assert!(matches!(&mixed, Err(Refused::Invalid { param, .. }) if param == "amount"));
        }
        let give = async |minor| {
            let given = engine.create_refund(scope, refund(&held.id, Some(minor)));
            let given = given.await.unwrap();
            assert_eq!(given.status, RefundStatus::Succeeded);
            holds(&world).await;
            given.invoice.clone()
        };
        assert_eq!(give(400).await, None);
        assert_eq!(give(600).await, None);
        assert_eq!(found(&world, &held.id).await.unapplied_minor, 0);
        assert_eq!(give(2_000).await, Some(invoice));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_attach_one_payment_at_once_one_does() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let held = taken(&world, &customer, 2_000).await;
        let mut invoices = Vec::new();
        for _ in 0..4 {
            let id = drafted(&world, &customer, 2_000).await;
            world
                .engine
                .finalize_invoice(&world.scope, &id)
                .await
                .unwrap();
            invoices.push(id);
        }
        let writers: Vec<_> = invoices
            .iter()
            .map(|invoice| {
                let (engine, scope) = (world.engine.clone(), world.scope.clone());
                let (invoice, intent) = (invoice.clone(), held.id.clone());
                tokio::spawn(async move { engine.attach_intent(&scope, &invoice, &intent).await })
            })
            .collect();
        let mut attached = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(_) => attached += 1,
                Err(Refused::Invalid { .. } | Refused::Busy) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(attached, 1);
        holds(&world).await;
    })
    .await;
}
