//! Standing still and going on, by the customer.

use app::port::{Portal, Settled};
use app::refusal::{Field, Refusal, Rule};
use perennial::portal::PauseRules;
use perennial::subscription::{PauseBehavior, PauseCollection, Status};

use super::house::{House, all_features};
use crate::service::subscriptions::Pause;
use crate::service::tests::world::{START, after};
use crate::store::tests::both;

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_gives_back_and_going_on_costs_what_was_said() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        world.clock.advance_to(after(START, 14 * 86_400));
        let (portal, viewer) = house.enter(&customer).await;
        let page = portal.pause_page(&viewer, &id).await.unwrap();
        let credit = page.credit.unwrap().minor;
        assert!(
            (900..1_100).contains(&credit),
            "{credit} of 20 dollars for half a month"
        );
        assert_eq!(page.options.len(), 1);
        let end = page.options[0].resumes_at.unwrap();
        assert_eq!(
            portal.pause(&viewer, &id, 1).await.err(),
            Some(Refusal::Invalid(vec![(Field::Reason, Rule::Unknown)]))
        );
        assert_eq!(
            portal.resume_page(&viewer, &id, None).await.err(),
            Some(Refusal::WrongState)
        );
        portal.pause(&viewer, &id, 0).await.unwrap();
        let card = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
        assert_eq!((card.status, card.resumes_at), (Status::Paused, Some(end)));
        assert_eq!(card.next_payment, None);
        assert!(card.may.resume && !card.may.pause && !card.may.change);

        let page = portal.resume_page(&viewer, &id, None).await.unwrap();
        assert_eq!(page.due.minor, 2_000 - credit);
        let charges = world.charges().await;
        let stale = portal.resume(&viewer, &id, 2_000, None).await;
        assert_eq!(stale.err(), Some(Refusal::Stale));
        let settled = portal
            .resume(&viewer, &id, page.due.minor, None)
            .await
            .unwrap();
        assert!(
            matches!(&settled, Settled::Done { charged, .. } if *charged == page.due),
            "{settled:?}"
        );
        assert_eq!(world.charges().await, charges + 1);
        assert_eq!(world.status(&id).await, Status::Active);
        assert_eq!(
            portal.resume(&viewer, &id, 0, None).await.err(),
            Some(Refusal::WrongState)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_pause_and_who_may_go_on() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let mut features = all_features(&[&house.basic]);
        features.subscription_pause = Some(PauseRules::default());
        let (open, viewer) = house.enter_under(&customer, features.clone()).await;
        let page = open.pause_page(&viewer, &id).await.unwrap();
        assert_eq!(
            page.options[0].resumes_at, None,
            "until somebody lets it go on"
        );
        features.subscription_pause = None;
        let (closed, stranger) = house.enter_under(&customer, features).await;
        let no = Some(Refusal::NotAllowed);
        assert_eq!(closed.pause_page(&stranger, &id).await.err(), no);
        assert_eq!(closed.pause(&stranger, &id, 0).await.err(), no);
        // What the merchant paused is not the customer's to take up where pausing is switched off.
        let engine = &world.engine;
        engine
            .pause_subscription(&world.scope, &id, Pause::default())
            .await
            .unwrap();
        assert_eq!(
            closed.resume_page(&stranger, &id, None).await.err(),
            Some(Refusal::WrongState)
        );
        // Without anything to pay with, nothing goes on.
        let mut own = world.find_customer(&customer).await;
        own.value.default_payment_method = None;
        world.update(&mut own).await;
        let (open, viewer) = house.enter(&customer).await;
        let due = open
            .resume_page(&viewer, &id, None)
            .await
            .unwrap()
            .due
            .minor;
        assert_eq!(
            open.resume(&viewer, &id, due, None).await.err(),
            (due > 0).then_some(Refusal::NeedsPaymentMethod)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_collection_rests_no_payment_is_announced() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let (portal, viewer) = house.enter(&customer).await;
        let next = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
        let at = next.next_payment.unwrap().at;
        for (resumes_at, announced) in [
            (None, false),
            (Some(after(at, 1)), false),
            (Some(after(at, -1)), true),
        ] {
            let mut own = world.find_subscription(&id).await;
            own.value.pause_collection = Some(PauseCollection {
                behavior: PauseBehavior::Void,
                resumes_at,
            });
            world.update(&mut own).await;
            let card = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
            assert_eq!(card.collection_rests, Some(resumes_at));
            assert_eq!(card.next_payment.is_some(), announced, "{resumes_at:?}");
        }
    })
    .await;
}
