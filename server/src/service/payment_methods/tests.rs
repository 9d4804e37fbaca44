//! Attaching and detaching, on both databases.

use perennial::calendar::Cadence;
use perennial::id::PaymentMethodId;
use perennial::payment::BillingDetails;

use crate::gateway::CardDetails;
use crate::service::Refused;
use crate::service::subscriptions::{NewItem, NewSubscription};
use crate::service::tests::world::World;
use crate::store::Scope;
use crate::store::tests::both;

pub(crate) fn code(refused: Refused) -> String {
    match refused {
        Refused::Card { decline, .. } => decline.code,
        Refused::State { code, .. } => code.unwrap_or_default().to_owned(),
        Refused::NotFound { kind, .. } => format!("no {kind}"),
        Refused::Invalid { param, .. } => format!("bad {param}"),
        Refused::Gateway(_) => "gateway".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_is_attached_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let (ada, bob) = (world.customer().await, world.customer().await);
        let method = engine
            .resolve_payment_method(scope, "pm_card_visa")
            .await
            .unwrap();
        assert_eq!(method.customer, None);
        let same = engine
            .resolve_payment_method(scope, method.id.as_str())
            .await
            .unwrap();
        assert_eq!(same, method);
        engine
            .attach_payment_method(scope, &method.id, &ada)
            .await
            .unwrap();
        engine
            .attach_payment_method(scope, &method.id, &ada)
            .await
            .unwrap();
        let refused = engine.attach_payment_method(scope, &method.id, &bob).await;
        assert_eq!(
            code(refused.unwrap_err()),
            "payment_method_unexpected_state"
        );
        let refused = engine
            .set_default_payment_method(scope, &bob, &method.id)
            .await;
        assert_eq!(code(refused.unwrap_err()), "no payment_method");
        engine
            .detach_payment_method(scope, &method.id)
            .await
            .unwrap();
        let refused = engine.detach_payment_method(scope, &method.id).await;
        assert_eq!(
            code(refused.unwrap_err()),
            "payment_method_unexpected_state"
        );
        let attached = |kind: &&String| *kind == "payment_method.attached";
        assert_eq!(world.events().await.iter().filter(attached).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_is_wrong() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let ada = world.customer().await;
        let method = engine
            .resolve_payment_method(scope, "pm_card_chargeDeclined")
            .await
            .unwrap();
        let refused = engine.attach_payment_method(scope, &method.id, &ada).await;
        assert_eq!(code(refused.unwrap_err()), "card_declined");
        for name in ["pm_card_nobody", "pm_1", ""] {
            let refused = engine.resolve_payment_method(scope, name).await;
            assert_eq!(code(refused.unwrap_err()), "no payment_method", "{name}");
        }
        let live = Scope {
            livemode: true,
            ..scope.clone()
        };
        let refused = engine.resolve_payment_method(&live, "pm_card_visa").await;
        assert_eq!(
            code(refused.unwrap_err()),
            "no payment_method",
            "test names in live mode"
        );
        let refused = engine
            .attach_payment_method(scope, &PaymentMethodId::from_random(1), &ada)
            .await;
        assert_eq!(code(refused.unwrap_err()), "no payment_method");
        let card = CardDetails {
            number: "4242424242424241".to_owned(),
            exp_month: 12,
            exp_year: 2034,
            cvc: None,
            name: None,
        };
        let refused = engine
            .create_payment_method(scope, card, BillingDetails::default())
            .await;
        assert_eq!(code(refused.unwrap_err()), "incorrect_number");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn detaching_takes_it_from_all_that_it_paid() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer().await;
        let gone = world.card(&customer, "pm_card_visa").await;
        let stays = world.card(&customer, "pm_card_mastercard").await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut paid_by = Vec::new();
        for method in [Some(&gone), Some(&stays), Some(&gone), None] {
            let items = vec![NewItem::new(price.id.clone(), 1)];
            let new = NewSubscription {
                default_payment_method: method.cloned(),
                ..NewSubscription::new(customer.clone(), items)
            };
            let made = engine.create_subscription(scope, new).await.unwrap();
            paid_by.push((made.value.id, method.filter(|own| **own != gone).cloned()));
        }
        let updated = "customer.subscription.updated";
        let count = |events: Vec<String>| events.iter().filter(|kind| *kind == updated).count();
        let before = count(world.events().await);
        engine.detach_payment_method(scope, &gone).await.unwrap();
        for (id, method) in paid_by {
            let now = world.find_subscription(&id).await;
            assert_eq!(now.default_payment_method, method);
        }
        assert_eq!(count(world.events().await) - before, 2);
    })
    .await;
}
