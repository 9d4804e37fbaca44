//! What is given back is never more than what was billed and paid: direct refunds beside credit notes,
//! and ending with credit while the last invoice is a draft.

use perennial::credit_note::{LinkWish, Wish};
use perennial::id::{InvoiceId, PaymentIntentId};
use perennial::invoice::InvoiceStatus;
use perennial::metadata::Metadata;

use super::money::{holds, paid};
use super::world::{World, after, at};
use crate::service::Refused;
use crate::service::credit_notes::NewCreditNote;
use crate::service::refunds::NewRefund;
use crate::service::subscriptions::Cancel;
use crate::store::tests::both;

fn refund(intent: &PaymentIntentId, amount_minor: i64) -> NewRefund {
    NewRefund {
        payment_intent: intent.clone(),
        amount_minor: Some(amount_minor),
        reason: None,
        metadata: Metadata::default(),
    }
}

fn note(invoice: &InvoiceId, wish: Wish) -> NewCreditNote {
    NewCreditNote {
        invoice: invoice.clone(),
        lines: Vec::new(),
        wish,
    }
}

fn param<T: std::fmt::Debug>(result: Result<T, Refused>) -> String {
    match result {
        Err(
            Refused::Invalid { param, .. }
            | Refused::NotFound {
                param: Some(param), ..
            },
        ) => param,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_and_credit_notes_together_never_give_more_than_was_paid() {
    for card in ["pm_card_visa", "pm_card_pendingRefund"] {
        both(|store| async move {
            let world = World::new(store).await;
            let (engine, scope) = (&world.engine, &world.scope);
            let customer = world.customer_with(card).await;
            let (id, intent) = paid(&world, &customer, 10_000).await;
            let direct = engine.create_refund(scope, refund(&intent, 4_000)).await;
            let direct = direct.unwrap().value.id;
            let all = |refund, balance, out_of_band, links: Vec<LinkWish>| Wish {
                amount_minor: Some(10_000),
                refund_minor: refund,
                balance_minor: balance,
                out_of_band_minor: out_of_band,
                links,
                ..Wish::default()
            };
            let link = |amount_minor| LinkWish {
                refund: direct.clone(),
                amount_minor,
            };
            // what is wished for -> the parameter that is refused
            for (wish, named) in [
                (all(None, Some(10_000), None, vec![]), "credit_amount"),
                (all(None, None, Some(10_000), vec![]), "out_of_band_amount"),
                (all(Some(10_000), None, None, vec![]), "refund_amount"),
                (all(Some(3_999), Some(6_001), None, vec![]), "credit_amount"),
                (
                    all(Some(5_999), None, None, vec![link(Some(4_001))]),
                    "refunds[0][amount_refunded]",
                ),
                (
                    all(
                        Some(4_000),
                        None,
                        None,
                        vec![link(Some(3_000)), link(Some(3_000))],
                    ),
                    "refunds[1][amount_refunded]",
                ),
                (
                    all(Some(5_000), None, None, vec![link(None)]),
                    "refund_amount",
                ),
            ] {
                let refused = engine.create_credit_note(scope, note(&id, wish)).await;
                assert_eq!(param(refused), named);
            }
            let other = paid(&world, &customer, 5_000).await.0;
            let strange = Wish {
                amount_minor: Some(4_000),
                links: vec![link(None)],
                ..Wish::default()
            };
            let refused = engine
                .create_credit_note(scope, note(&other, strange))
                .await;
            assert_eq!(param(refused), "refunds[0][refund]");
            holds(&world).await;

            // In two notes: one stands for a part of the refund, the other for its rest and gives more.
            let first = Wish {
                amount_minor: Some(1_000),
                links: vec![link(Some(1_000))],
                ..Wish::default()
            };
            let preview = engine
                .preview_credit_note(scope, note(&id, first.clone()))
                .await;
            assert_eq!(preview.unwrap().refunds, [(direct.clone(), 1_000)]);
            let made = engine.create_credit_note(scope, note(&id, first)).await;
            assert_eq!(made.unwrap().refunds, [(direct.clone(), 1_000)]);
            holds(&world).await;
            let second = Wish {
                amount_minor: Some(9_000),
                refund_minor: Some(2_000),
                balance_minor: Some(3_000),
                out_of_band_minor: Some(1_000),
                links: vec![link(None)],
                ..Wish::default()
            };
            let made = engine
                .create_credit_note(scope, note(&id, second))
                .await
                .unwrap();
            assert_eq!(made.refunds[0], (direct.clone(), 3_000));
            assert_eq!((made.refunds.len(), made.credited.refund_minor), (2, 5_000));
            holds(&world).await;
            // The card could give 4,000 more, but they are gone by other ways.
            let refused = engine.create_refund(scope, refund(&intent, 1)).await;
            assert_eq!(param(refused), "amount");
            world.live_until(after(engine.now(), 3 * 86_400)).await;
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_while_the_renewal_is_a_draft_credits_nothing_that_is_never_charged() {
    for later in [0, 1_200] {
        both(|store| async move {
            let (world, customer, id) = World::with_one(store, "pm_card_visa").await;
            let (engine, scope) = (&world.engine, &world.scope);
            world.live_until(after(at(2026, 2, 28), later)).await;
            let draft = world.latest(&id).await;
            assert_eq!(draft.status, InvoiceStatus::Draft);
            let cancel = Cancel {
                prorate: true,
                ..Cancel::default()
            };
            engine
                .cancel_subscription(scope, &id, cancel)
                .await
                .unwrap();
            world.live_until(at(2026, 4, 2)).await;
            let stopped = world.find_invoice(&draft.id).await;
            assert_eq!(
                (stopped.status, stopped.auto_advance),
                (InvoiceStatus::Draft, false)
            );
            assert!(engine.pending(scope, &customer).await.unwrap().is_empty());
            assert_eq!(world.charges().await, 1);
            holds(&world).await;
        })
        .await;
    }
}
