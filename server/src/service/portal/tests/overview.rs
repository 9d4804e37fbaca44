//! The first page.

use app::port::{Attention, Portal};
use app::refusal::DeclineReason;
use perennial::calendar::Timestamp;
use perennial::payment::PaymentMethod;
use perennial::subscription::Status;

use super::house::House;
use crate::service::subscriptions::{NewItem, NewSubscription};
use crate::service::tests::world::START;
use crate::store::document::Stored;
use crate::store::tests::both;

#[tokio::test(flavor = "multi_thread")]
async fn the_next_payment_is_the_next_invoice() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer_with("pm_card_visa").await;
        let id = house.world.subscribe(&customer, &house.basic).await;
        let (portal, viewer) = house.enter(&customer).await;
        let home = portal.home(&viewer).await.unwrap();
        let card = &home.subscriptions[0];
        assert_eq!((card.status, card.recurring.minor), (Status::Active, 2_000));
        let scope = &house.world.scope;
        let upcoming = house
            .world
            .engine
            .upcoming(scope, &id)
            .await
            .unwrap()
            .unwrap();
        let next = card.next_payment.as_ref().unwrap();
        assert_eq!(
            (next.at, next.amount.minor),
            (upcoming.at, upcoming.due_minor())
        );
        assert_eq!(next.amount.minor, 2_000);
        assert!(card.may.change && card.may.cancel && !card.may.keep);
        assert_eq!(home.invoices.len(), 1);
        assert_eq!(home.attention, None);
        assert!(home.payment_methods[0].is_default && !home.payment_methods[0].removable);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_payment_comes_first() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house
            .world
            .customer_with("pm_card_chargeCustomerFail")
            .await;
        house.world.subscribe(&customer, &house.basic).await;
        let (portal, viewer) = house.enter(&customer).await;
        let home = portal.home(&viewer).await.unwrap();
        match home.attention {
            Some(Attention::PaymentFailed { amount, reason, .. }) => {
                assert_eq!((amount.minor, reason), (2_000, DeclineReason::Generic));
            }
            other => panic!("{other:?}"),
        }
        assert!(home.invoices[0].failed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_the_bank_is_no_failure() {
    both(|store| async move {
        let house = House::new(store).await;
        let card = "pm_card_authenticationRequired";
        let customer = house.world.customer_with(card).await;
        house.world.subscribe(&customer, &house.basic).await;
        let (portal, viewer) = house.enter(&customer).await;
        let home = portal.home(&viewer).await.unwrap();
        let asked = matches!(home.attention, Some(Attention::NeedsAuthentication { .. }));
        assert!(asked, "{:?}", home.attention);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trials_and_cards_that_end() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let unpayable = world.customer().await;
        let payable = world.customer_with("pm_card_visa").await;
        let ends = Timestamp(START.0 + 3 * 86_400);
        for customer in [&unpayable, &payable] {
            let items = vec![NewItem::new(house.basic.id.clone(), 1)];
            let mut new = NewSubscription::new(customer.clone(), items);
            new.trial_end = Some(ends);
            let made = world.engine.create_subscription(&world.scope, new).await;
            made.unwrap();
        }
        let (portal, viewer) = house.enter(&unpayable).await;
        let attention = portal.home(&viewer).await.unwrap().attention;
        let unpaid = matches!(
            &attention,
            Some(Attention::TrialEndsWithoutPaymentMethod { at, .. }) if *at == ends
        );
        assert!(unpaid, "{attention:?}");
        let (portal, viewer) = house.enter(&payable).await;
        let attention = portal.home(&viewer).await.unwrap().attention;
        let soon = matches!(
            &attention,
            Some(Attention::TrialEnds { at, amount, .. }) if *at == ends && amount.minor == 2_000
        );
        assert!(soon, "{attention:?}");
        // The card can pay through January, and has to in February.
        let id = world
            .find_customer(&payable)
            .await
            .default_payment_method
            .clone();
        let mut method: Stored<PaymentMethod> = world
            .engine
            .find(&world.scope, id.unwrap().as_str())
            .await
            .unwrap();
        (method.card.exp_year, method.card.exp_month) = (2026, 1);
        world.update(&mut method).await;
        let attention = portal.home(&viewer).await.unwrap().attention;
        let expires = matches!(
            &attention,
            Some(Attention::CardExpires { expired: false, .. })
        );
        assert!(expires, "{attention:?}");
    })
    .await;
}
