//! Payment methods.

use app::port::{Added, CardInput, Portal};
use app::refusal::{DeclineReason, Field, Refusal, Rule};
use perennial::payment::{SetupIntent, SetupStatus};

use super::house::House;
use crate::gateway::{ChallengeAnswer, Gateway};
use crate::service::subscriptions::Cancel;
use crate::store::document::{PageRequest, Stored};
use crate::store::tests::both;
use crate::store::{document, nouns};

fn card(number: &str) -> CardInput {
    CardInput {
        number: number.to_owned(),
        expiry: "12/34".to_owned(),
        cvc: "123".to_owned(),
        name: "Ada Lovelace".to_owned(),
    }
}

async fn newest_setup(house: &House) -> Stored<SetupIntent> {
    let mut read = house.world.engine.store.read().await.unwrap();
    let page = PageRequest::first(1);
    let scope = &house.world.scope;
    let found: document::Page<SetupIntent> =
        document::list(&mut read, scope, nouns::SETUP_INTENTS, &page, &[])
            .await
            .unwrap();
    found.rows.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_card_pays_and_others_wait() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        let add = async |number: &str, default| {
            portal
                .add_card(&viewer, card(number), default, None)
                .await
                .unwrap()
        };
        let Added::Saved { id: first, .. } = add("4242 4242 4242 4242", false).await else {
            panic!("a challenge")
        };
        let Added::Saved { id: second, .. } = add("5555555555554444", false).await else {
            panic!("a challenge")
        };
        let order = async || -> Vec<_> {
            let cards = portal.payment_methods(&viewer).await.unwrap();
            cards
                .into_iter()
                .map(|card| (card.method.id, card.is_default))
                .collect()
        };
        assert_eq!(
            order().await,
            [(first.clone(), true), (second.clone(), false)]
        );
        let Added::Saved { id: third, .. } = add("6011111111111117", true).await else {
            panic!("a challenge")
        };
        assert_eq!(order().await[0], (third.clone(), true));
        portal.make_default(&viewer, &first).await.unwrap();
        assert_eq!(order().await[0], (first.clone(), true));
        // The newest of the others takes over from a default that goes.
        portal.remove_payment_method(&viewer, &first).await.unwrap();
        assert_eq!(order().await, [(third, true), (second, false)]);
        let refused = portal.remove_payment_method(&viewer, &first).await.err();
        assert_eq!(refused, Some(Refusal::NotFound));
        let events = house.world.events().await;
        for kind in [
            "setup_intent.succeeded",
            "payment_method.attached",
            "payment_method.detached",
            "customer.updated",
        ] {
            assert!(
                events.iter().any(|event| event == kind),
                "{kind}: {events:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_cards_name_their_fields() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        let invalid = |faults: &[(Field, Rule)]| Refusal::Invalid(faults.to_vec());
        let long_ago = CardInput {
            expiry: "01/20".to_owned(),
            ..card("4242424242424242")
        };
        let empty = CardInput {
            number: String::new(),
            expiry: String::new(),
            cvc: String::new(),
            name: String::new(),
        };
        let nameless = CardInput {
            name: "x".repeat(300),
            ..card("4242424242424242")
        };
        let cases = [
            (
                card("4242424242424241"),
                invalid(&[(Field::CardNumber, Rule::Malformed)]),
            ),
            (long_ago, invalid(&[(Field::CardExpiry, Rule::Expired)])),
            (
                empty,
                invalid(&[
                    (Field::CardNumber, Rule::Required),
                    (Field::CardExpiry, Rule::Required),
                    (Field::CardCvc, Rule::Required),
                ]),
            ),
            (nameless, invalid(&[(Field::CardName, Rule::TooLong(256))])),
            (
                card("4000000000000002"),
                Refusal::Declined(DeclineReason::Generic),
            ),
            (
                card("4000000000009995"),
                Refusal::Declined(DeclineReason::InsufficientFunds),
            ),
            (
                card("4000000000000069"),
                Refusal::Declined(DeclineReason::ExpiredCard),
            ),
        ];
        for (card, expected) in cases {
            let last4: String = card.number.chars().rev().take(4).collect();
            let refused = portal.add_card(&viewer, card, true, None).await.err();
            assert_eq!(refused, Some(expected), "{last4}");
        }
        assert_eq!(portal.payment_methods(&viewer).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_asks_for_a_proof() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        for (answer, saved) in [
            (ChallengeAnswer::Failed, false),
            (ChallengeAnswer::Approved, true),
        ] {
            let added = portal
                .add_card(&viewer, card("4000002760003184"), true, None)
                .await;
            let Added::Challenge { url } = added.unwrap() else {
                panic!("no challenge");
            };
            let intent = newest_setup(&house).await;
            assert_eq!(intent.status, SetupStatus::RequiresAction);
            let (waiting, _) = portal.finish_setup(&viewer, &intent.id, true).await;
            assert_eq!(waiting, Ok(Added::Challenge { url: url.clone() }));
            world
                .bank
                .answer_challenge(&world.scope, &url, answer)
                .await
                .unwrap();
            let (outcome, _) = portal.finish_setup(&viewer, &intent.id, true).await;
            let cards = portal.payment_methods(&viewer).await.unwrap();
            if saved {
                assert_eq!(
                    outcome,
                    Ok(Added::Saved {
                        id: cards[0].method.id.clone(),
                        charging: false
                    })
                );
                assert!(cards[0].is_default);
            } else {
                let failed = Refusal::Declined(DeclineReason::AuthenticationFailed);
                assert_eq!(outcome, Err(failed));
                assert_eq!(cards, []);
            }
        }
        let stranger = world.customer().await;
        let (portal, viewer) = house.enter(&stranger).await;
        let intent = newest_setup(&house).await;
        let refused = portal.finish_setup(&viewer, &intent.id, true).await;
        assert_eq!(refused, (Err(Refusal::NotFound), None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_card_stays_while_it_is_needed() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let method = world
            .find_customer(&customer)
            .await
            .default_payment_method
            .clone();
        let method = method.unwrap();
        let (portal, viewer) = house.enter(&customer).await;
        let refused = portal.remove_payment_method(&viewer, &method).await.err();
        assert_eq!(refused, Some(Refusal::LastPaymentMethod));
        let cancel = Cancel::default();
        world
            .engine
            .cancel_subscription(&world.scope, &id, cancel)
            .await
            .unwrap();
        portal
            .remove_payment_method(&viewer, &method)
            .await
            .unwrap();
        assert_eq!(
            world.find_customer(&customer).await.default_payment_method,
            None
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_a_backup_only_where_the_customer_says_so() {
    use app::port::BackupWish::{Allow, Earlier, Withdraw};
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let second = world.card(&customer, "pm_card_mastercard").await;
        let third = world.card(&customer, "pm_card_amex").await;
        let (portal, viewer) = house.enter(&customer).await;
        let order = async || {
            let cards = portal.payment_methods(&viewer).await.unwrap();
            let mut backups: Vec<_> = cards
                .into_iter()
                .filter_map(|card| Some((card.backup?, card.method.id)))
                .collect();
            backups.sort();
            backups.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        };
        assert!(order().await.is_empty());
        for (method, wish, expected) in [
            (&second, Allow, vec![&second]),
            (&second, Allow, vec![&second]),
            (&second, Earlier, vec![&second]),
            (&third, Earlier, vec![&second]),
            (&third, Withdraw, vec![&second]),
            (&third, Allow, vec![&second, &third]),
            (&third, Earlier, vec![&third, &second]),
            (&third, Earlier, vec![&third, &second]),
            (&second, Withdraw, vec![&third]),
            (&second, Allow, vec![&third, &second]),
        ] {
            portal.back_up(&viewer, method, wish).await.unwrap();
            let expected: Vec<_> = expected.into_iter().cloned().collect();
            assert_eq!(order().await, expected, "{method} {wish:?}");
        }
        let own = world.find_customer(&customer).await;
        let consent = own.backup.as_ref().unwrap();
        assert_eq!(consent.through, perennial::customer::ConsentThrough::Portal);
        // A card that is removed takes its leave with it, and the others move up.
        portal.remove_payment_method(&viewer, &third).await.unwrap();
        assert_eq!(order().await, vec![second.clone()]);
        portal.back_up(&viewer, &second, Withdraw).await.unwrap();
        assert_eq!(world.find_customer(&customer).await.backup, None);
    })
    .await;
}
