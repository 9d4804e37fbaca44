//! Starting a subscription.

use perennial::calendar::Cadence;
use perennial::invoice::{BillingReason, InvoiceStatus};
use perennial::subscription::{Status, Subscription, TRIAL_SECONDS_MAX};

use super::world::{START, World, at};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::payments::PaymentResult;
use crate::service::subscriptions::{NewItem, NewSubscription, PaymentBehavior};
use crate::store::tests::both;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_invoice_is_finalised_and_charged_at_once() {
    both(|store| async move {
        let (world, _, id) = World::with_one(store, "pm_card_visa").await;

        let subscription = world.find_subscription(&id).await;
        assert_eq!(subscription.status, Status::Active);
        assert_eq!(subscription.items[0].current_period.start, START);
        assert_eq!(subscription.items[0].current_period.end, at(2026, 2, 28));
        let invoice = world.latest(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(invoice.billing_reason, BillingReason::SubscriptionCreate);
        assert_eq!(
            (invoice.totals.total_minor, invoice.amount_paid_minor),
            (2_000, 2_000)
        );
        assert_eq!(invoice.attempt_count, 1);
        assert!(invoice.number.as_deref().unwrap().ends_with("-0001"));
        assert_eq!(world.charges().await, 1);
        assert_eq!(
            world.events().await,
            [
                "customer.subscription.created",
                "invoice.created",
                "invoice.finalized",
                "payment_intent.created",
                "customer.updated",
                "payment_intent.succeeded",
                "customer.subscription.updated",
                "invoice_payment.paid",
                "invoice.paid",
                "invoice.payment_succeeded",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_to_pay_with_nothing_is_written() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer().await;
        let before = world.events().await;
        let new = NewSubscription::new(customer.clone(), vec![NewItem::new(price.id, 1)]);
        let refused = world.create(new).await.unwrap_err();
        let Refused::State { code, message } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(code, Some("resource_missing"));
        assert!(message.starts_with("This customer has no attached payment source"));
        assert_eq!(world.events().await, before);
        assert!(world.invoices(&customer).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_first_charge_leaves_it_incomplete_until_it_is_paid() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_chargeCustomerFail").await;
        assert_eq!(world.status(&id).await, Status::Incomplete);
        let invoice = world.latest(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Open);
        assert_eq!(invoice.next_payment_attempt, None);
        assert_eq!(
            invoice.last_payment_error.as_ref().unwrap().code,
            "card_declined"
        );
        assert!(world.find_customer(&customer).await.delinquent);

        let card = world.card(&customer, "pm_card_visa").await;
        let paid = world.pay(&invoice.id, Some(card)).await;
        assert!(matches!(paid, Ok(PaymentResult::Paid { .. })), "{paid:?}");
        assert_eq!(world.status(&id).await, Status::Active);
        assert!(!world.find_customer(&customer).await.delinquent);
        assert_eq!(world.latest(&id).await.attempt_count, 1);
        let again = world.pay(&invoice.id, None).await;
        assert!(matches!(again, Err(Refused::State { .. })), "{again:?}");
        assert_eq!(world.charges().await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_owes_what_the_merchant_writes_off_is_not_delinquent() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_chargeCustomerFail").await;
        assert!(world.find_customer(&customer).await.delinquent);
        let invoice = world.latest(&id).await;
        let written_off = world
            .engine
            .mark_uncollectible(&world.scope, &invoice.id)
            .await;
        assert_eq!(written_off.unwrap().status, InvoiceStatus::Uncollectible);
        assert!(!world.find_customer(&customer).await.delinquent);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn error_if_incomplete_refuses_and_leaves_nothing_to_pay() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_chargeCustomerFail").await;
        let new = NewSubscription {
            payment_behavior: PaymentBehavior::ErrorIfIncomplete,
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id, 1)])
        };
        let refused = world.create(new).await.unwrap_err();
        assert!(matches!(refused, Refused::Card { .. }), "{refused:?}");
        let invoices = world.invoices(&customer).await;
        assert_eq!(invoices[0].status, InvoiceStatus::Void);
        let id = invoices[0].subscription.clone().unwrap();
        // The number is taken, so the void invoice stays; the subscription never was.
        let gone = world
            .engine
            .find::<Subscription>(&world.scope, id.as_str())
            .await;
        assert!(matches!(gone, Err(Refused::NotFound { .. })), "{gone:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_makes_a_paid_invoice_of_nothing() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer().await;
        let new = NewSubscription {
            trial_end: Some(at(2026, 2, 14)),
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id.clone(), 1)])
        };
        let made = world.create(new.clone()).await.unwrap();
        assert_eq!(made.status, Status::Trialing);
        let invoice = world.latest(&made.id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(invoice.totals.total_minor, 0);
        assert_eq!(invoice.lines[0].description, "Free trial for 1 × Pro");
        assert_eq!(world.charges().await, 0);

        let wrong = NewSubscription {
            trial_end: Some(START.add_seconds(TRIAL_SECONDS_MAX + 1).unwrap()),
            ..new
        };
        let refused = world.create(wrong).await.unwrap_err();
        assert!(matches!(refused, Refused::Invalid { param, .. } if param == "trial_end"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_and_nothing_is_charged_twice() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
        both(|store| async move {
            let world = World::new(store).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let customer = world.customer_with("pm_card_visa").await;
            world.bank.inject(fault);
            let id = world.subscribe(&customer, &price).await;
            // Nobody knows yet, so nobody may charge with another key.
            assert_eq!(world.status(&id).await, Status::Incomplete);
            let invoice = world.latest(&id).await;
            let paid = world.pay(&invoice.id, None).await;
            assert!(matches!(paid, Ok(PaymentResult::Paid { .. })), "{paid:?}");
            assert_eq!(world.status(&id).await, Status::Active);
            assert_eq!(world.charges().await, 1);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_or_given_up_but_never_both() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_authenticationRequired").await;
        assert_eq!(world.status(&id).await, Status::Incomplete);
        let invoice = world.latest(&id).await;
        let waits = world.pay(&invoice.id, None).await.unwrap();
        let PaymentResult::RequiresAction { challenge_url, .. } = waits else {
            panic!()
        };

        // Another card pays; the old challenge is worth nothing afterwards.
        let card = world.card(&customer, "pm_card_visa").await;
        let paid = world.pay(&invoice.id, Some(card)).await;
        assert!(matches!(paid, Ok(PaymentResult::Paid { .. })), "{paid:?}");
        world.approve(&challenge_url).await;
        let intent = invoice.payment_intent.clone().unwrap();
        let found = world.finish(&intent).await.unwrap();
        assert!(matches!(found, PaymentResult::Paid { .. }));
        assert_eq!(world.charges().await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_challenge_completes_it() {
    both(|store| async move {
        let (world, _, id) = World::with_one(store, "pm_card_authenticationRequired").await;
        let invoice = world.latest(&id).await;
        let intent = invoice.payment_intent.clone().unwrap();
        let waits = world.finish(&intent).await.unwrap();
        let PaymentResult::RequiresAction { challenge_url, .. } = waits else {
            panic!()
        };
        world.approve(&challenge_url).await;
        let done = world.finish(&intent).await.unwrap();
        assert!(matches!(done, PaymentResult::Paid { .. }), "{done:?}");
        assert_eq!(world.status(&id).await, Status::Active);
        assert_eq!(world.charges().await, 1);
    })
    .await;
}
