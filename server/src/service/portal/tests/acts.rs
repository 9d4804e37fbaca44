//! Changing, cancelling and paying.

use app::port::{Portal, Settled, Wish};
use app::refusal::{DeclineReason, Field, Refusal, Rule};
use perennial::calendar::Timestamp;
use perennial::catalog::Price;
use perennial::customer::Customer;
use perennial::id::SubscriptionId;
use perennial::invoice::InvoiceStatus;
use perennial::portal::{CancelMode, CancelRules};
use perennial::subscription::{Feedback, ProrationBehavior, Status};

use super::house::{House, all_features};
use crate::service::tests::world::START;
use crate::store::document::Stored;
use crate::store::tests::both;

const HALF_OF_FEBRUARY: Timestamp = Timestamp(START.0 + 14 * 86_400);

async fn wish(house: &House, id: &SubscriptionId, price: &Price, quantity: u64) -> Vec<Wish> {
    let own = house.world.find_subscription(id).await;
    vec![Wish {
        item: Some(own.items[0].id.clone()),
        price: Some(price.id.clone()),
        quantity,
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_quoted_is_what_is_charged() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        world.clock.advance_to(HALF_OF_FEBRUARY);
        let (portal, viewer) = house.enter(&customer).await;
        let wishes = wish(&house, &id, &house.pro, 2).await;
        let page = portal.quote(&viewer, &id, wishes, None).await.unwrap();
        assert_eq!(
            (page.before[0].quantity, page.after[0].quantity),
            (Some(1), Some(2))
        );
        let due = page.quote.terms.due_now_minor;
        assert!(due > 0);
        let again = portal.quote_page(&viewer, &page.quote.id).await.unwrap();
        assert_eq!(again.quote, page.quote);
        let charges = world.charges().await;
        let settled = portal.confirm(&viewer, &page.quote.id).await.unwrap();
        match &settled {
            Settled::Done { charged, invoice } => {
                assert_eq!(charged.minor, due);
                let invoice = world.find_invoice(invoice.as_ref().unwrap()).await;
                assert_eq!(invoice.status, InvoiceStatus::Paid);
                assert_eq!(invoice.amount_paid_minor, due);
            }
            other => panic!("{other:?}"),
        }
        // A double click charges once and hears the same.
        assert_eq!(
            portal.confirm(&viewer, &page.quote.id).await.unwrap(),
            settled
        );
        assert_eq!(world.charges().await, charges + 1);
        let own = world.find_subscription(&id).await;
        assert_eq!(
            (&own.items[0].price.id, own.items[0].quantity),
            (&house.pro.id, 2)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_of_yesterday_is_stale() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let (portal, viewer) = house.enter(&customer).await;
        let wishes = wish(&house, &id, &house.pro, 1).await;
        let first = portal
            .quote(&viewer, &id, wishes.clone(), None)
            .await
            .unwrap()
            .quote;
        let second = portal
            .quote(&viewer, &id, wishes, None)
            .await
            .unwrap()
            .quote;
        portal.confirm(&viewer, &first.id).await.unwrap();
        let stale = Some(Refusal::Stale);
        assert_eq!(portal.quote_page(&viewer, &second.id).await.err(), stale);
        assert_eq!(portal.confirm(&viewer, &second.id).await.err(), stale);
        let wishes = wish(&house, &id, &house.basic, 1).await;
        let third = portal
            .quote(&viewer, &id, wishes, None)
            .await
            .unwrap()
            .quote;
        world.clock.advance_to(Timestamp(third.expires_at.0));
        assert_eq!(portal.quote_page(&viewer, &third.id).await.err(), stale);
        assert_eq!(portal.confirm(&viewer, &third.id).await.err(), stale);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_beyond_the_rules() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let hidden = world.price(1, super::house::monthly()).await;
        let (portal, viewer) = house.enter(&customer).await;
        let invalid = |field, rule| Refusal::Invalid(vec![(field, rule)]);
        let basic = &house.basic;
        let cases = [
            (basic, 51, invalid(Field::Quantity, Rule::TooLarge(50))),
            (
                basic,
                u64::MAX,
                invalid(Field::Quantity, Rule::TooLarge(50)),
            ),
            (basic, 1, invalid(Field::Price, Rule::Duplicate)),
            (&hidden, 1, invalid(Field::Price, Rule::Unknown)),
        ];
        for (price, quantity, expected) in cases {
            let wishes = wish(&house, &id, price, quantity).await;
            let refused = portal.quote(&viewer, &id, wishes, None).await.err();
            assert_eq!(refused, Some(expected), "{quantity}");
        }
        let own = wish(&house, &id, &house.pro, 2).await;
        let add = Wish {
            item: None,
            ..own[0].clone()
        };
        let remove = Wish {
            price: None,
            ..own[0].clone()
        };
        for wish in [add, remove] {
            let refused = portal.quote(&viewer, &id, vec![wish], None).await.err();
            assert_eq!(refused, Some(Refusal::NotAllowed));
        }
        let twice = vec![own[0].clone(), own[0].clone()];
        let refused = portal.quote(&viewer, &id, twice, None).await.err();
        assert_eq!(refused, Some(invalid(Field::Price, Rule::Duplicate)));
        let mut fixed = all_features(&[&house.basic, &house.pro]);
        fixed.subscription_update.as_mut().unwrap().quantity = false;
        let (portal, viewer) = house.enter_under(&customer, fixed).await;
        let refused = portal.quote(&viewer, &id, own, None).await.err();
        assert_eq!(refused, Some(Refusal::NotAllowed), "quantities are fixed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_card_nothing_is_changed() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let mut owner: Stored<Customer> = world.find_customer(&customer).await;
        let method = owner.default_payment_method.take().unwrap();
        world.update(&mut owner).await;
        let (portal, viewer) = house.enter(&customer).await;
        let wishes = wish(&house, &id, &house.pro, 1).await;
        let quote = portal
            .quote(&viewer, &id, wishes, None)
            .await
            .unwrap()
            .quote;
        let refused = portal.confirm(&viewer, &quote.id).await.err();
        assert_eq!(refused, Some(Refusal::NeedsPaymentMethod));
        let own = world.find_subscription(&id).await;
        assert_eq!(own.items[0].price.id, house.basic.id);
        portal.make_default(&viewer, &method).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_change_and_its_undo() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.pro).await;
        let mut features = all_features(&[&house.basic, &house.pro]);
        let rules = features.subscription_update.as_mut().unwrap();
        rules.schedule_at_period_end =
            vec![perennial::portal::ScheduleCondition::DecreasingItemAmount];
        let (portal, viewer) = house.enter_under(&customer, features).await;
        let wishes = wish(&house, &id, &house.basic, 1).await;
        let quote = portal
            .quote(&viewer, &id, wishes, None)
            .await
            .unwrap()
            .quote;
        let settled = portal.confirm(&viewer, &quote.id).await.unwrap();
        let end = world.find_subscription(&id).await.items[0]
            .current_period
            .end;
        assert_eq!(settled, Settled::Scheduled { at: end });
        let card = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
        let scheduled = card.scheduled.unwrap();
        assert_eq!(
            (scheduled.at, scheduled.recurring.minor),
            (Some(end), 2_000)
        );
        assert_eq!(card.next_payment.unwrap().amount.minor, 2_000);
        assert!(card.may.undo_change);
        portal.undo_change(&viewer, &id).await.unwrap();
        let card = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
        assert_eq!(card.scheduled, None);
        let refused = portal.undo_change(&viewer, &id).await.err();
        assert_eq!(refused, Some(Refusal::WrongState));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_at_the_periods_end_and_back() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let (portal, viewer) = house.enter(&customer).await;
        let page = portal.cancel_page(&viewer, &id).await.unwrap();
        assert_eq!((page.mode, page.credit), (CancelMode::AtPeriodEnd, None));
        let long = Some("x".repeat(1_001));
        let refused = portal.cancel(&viewer, &id, None, long).await.err();
        let expected = Refusal::Invalid(vec![(Field::Comment, Rule::TooLong(1_000))]);
        assert_eq!(refused, Some(expected));
        let other = Some(Feedback::Unused);
        let refused = portal.cancel(&viewer, &id, other, None).await.err();
        let expected = Refusal::Invalid(vec![(Field::Reason, Rule::Unknown)]);
        assert_eq!(refused, Some(expected));
        let reason = Some(Feedback::TooExpensive);
        let ends = portal.cancel(&viewer, &id, reason, None).await.unwrap();
        assert_eq!(ends, page.ends_at);
        let card = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
        assert_eq!((card.cancel_at, card.next_payment), (Some(ends), None));
        assert!(card.may.keep && !card.may.cancel && !card.may.change);
        let refused = portal.cancel(&viewer, &id, None, None).await.err();
        assert_eq!(refused, Some(Refusal::WrongState));
        portal.keep(&viewer, &id).await.unwrap();
        let card = portal.home(&viewer).await.unwrap().subscriptions.remove(0);
        assert_eq!(card.cancel_at, None);
        assert!(card.next_payment.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_now_credits_what_the_page_said() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let mut features = all_features(&[&house.basic, &house.pro]);
        features.subscription_cancel = Some(CancelRules {
            mode: CancelMode::Immediately,
            proration_behavior: ProrationBehavior::AlwaysInvoice,
            reasons: Vec::new(),
        });
        world.clock.advance_to(HALF_OF_FEBRUARY);
        let (portal, viewer) = house.enter_under(&customer, features).await;
        let page = portal.cancel_page(&viewer, &id).await.unwrap();
        let credit = page.credit.unwrap();
        assert!(credit.minor > 0);
        let ended = portal.cancel(&viewer, &id, None, None).await.unwrap();
        assert_eq!(ended, HALF_OF_FEBRUARY);
        let own = world.find_subscription(&id).await;
        assert_eq!(own.status, Status::Canceled);
        let invoice = world.latest(&id).await;
        assert_eq!(invoice.totals.total_minor, -credit.minor);
        assert_eq!(
            world.find_customer(&customer).await.balance_minor,
            -credit.minor
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paying_an_open_invoice() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_chargeCustomerFail").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let invoice = world.latest(&id).await.value.id;
        let (portal, viewer) = house.enter(&customer).await;
        let page = portal.invoice(&viewer, &invoice).await.unwrap();
        assert!(page.payable);
        let bad = Some(page.payment_methods[0].method.id.clone());
        match portal.pay(&viewer, &invoice, bad).await.unwrap() {
            Settled::Unpaid {
                invoice: named,
                reason,
            } => {
                assert_eq!((named, reason), (invoice.clone(), DeclineReason::Generic));
            }
            other => panic!("{other:?}"),
        }
        let good = world.card(&customer, "pm_card_visa").await;
        let settled = portal.pay(&viewer, &invoice, Some(good)).await.unwrap();
        let paid = matches!(&settled, Settled::Done { charged, .. } if charged.minor == 2_000);
        assert!(paid, "{settled:?}");
        let refused = portal.pay(&viewer, &invoice, None).await.err();
        assert_eq!(refused, Some(Refusal::WrongState));
        assert!(!portal.invoice(&viewer, &invoice).await.unwrap().payable);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paying_with_a_proof() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let card = "pm_card_authenticationRequired";
        let customer = world.customer_with(card).await;
        let id = world.subscribe(&customer, &house.basic).await;
        let invoice = world.latest(&id).await.value.id;
        let (portal, viewer) = house.enter(&customer).await;
        let Settled::Challenge { url } = portal.pay(&viewer, &invoice, None).await.unwrap() else {
            panic!("no challenge");
        };
        let shown = portal.invoice(&viewer, &invoice).await.unwrap();
        assert_eq!(shown.challenge.as_ref(), Some(&url));
        let intent = world
            .find_invoice(&invoice)
            .await
            .payment_intent
            .clone()
            .unwrap();
        let (settled, _) = portal.finish_payment(&viewer, &intent).await.unwrap();
        assert!(
            matches!(settled, Settled::Challenge { .. }),
            "not answered yet"
        );
        use crate::gateway::{ChallengeAnswer, Gateway};
        let answer = ChallengeAnswer::Approved;
        world
            .bank
            .answer_challenge(&world.scope, &url, answer)
            .await
            .unwrap();
        let (settled, named) = portal.finish_payment(&viewer, &intent).await.unwrap();
        assert!(matches!(settled, Settled::Done { .. }), "{settled:?}");
        assert_eq!(named, Some(invoice));
        let stranger = world.customer_with("pm_card_visa").await;
        let (portal, viewer) = house.enter(&stranger).await;
        let refused = portal.finish_payment(&viewer, &intent).await.err();
        assert_eq!(refused, Some(Refusal::NotFound));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_in_parts() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        for _ in 0..30 {
            world.subscribe(&customer, &house.basic).await;
        }
        let (portal, viewer) = house.enter(&customer).await;
        let (mut seen, mut after, mut starts) = (Vec::new(), None, Vec::new());
        loop {
            let part = portal.invoices(&viewer, after.clone()).await.unwrap();
            seen.extend(part.rows.iter().map(|row| row.id.clone()));
            // The way back leads to where the part before began.
            let expected = starts.last().cloned().flatten();
            assert_eq!(part.previous, expected);
            starts.push(after);
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), starts.len()), (30, 3));
        seen.dedup();
        assert_eq!(seen.len(), 30);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_merchants_notes_stay_at_home() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.basic).await;
        let secret = || {
            let own = [("note".to_owned(), "do-not-show".to_owned())];
            perennial::metadata::Metadata(own.into_iter().collect())
        };
        let mut owner = world.find_customer(&customer).await;
        owner.metadata = secret();
        owner.description = Some("do-not-show".to_owned());
        let method = owner.default_payment_method.clone().unwrap();
        world.update(&mut owner).await;
        let mut own = world.find_subscription(&id).await;
        own.metadata = secret();
        own.items[0].metadata = secret();
        own.items[0].price.metadata = secret();
        own.items[0].price.nickname = Some("do-not-show".to_owned());
        world.update(&mut own).await;
        let mut invoice = world.latest(&id).await;
        invoice.metadata = secret();
        world.update(&mut invoice).await;
        let mut method: Stored<perennial::payment::PaymentMethod> = world
            .engine
            .find(&world.scope, method.as_str())
            .await
            .unwrap();
        method.metadata = secret();
        let token = method.gateway_token.clone();
        world.update(&mut method).await;
        let (portal, viewer) = house.enter(&customer).await;
        let wishes = wish(&house, &id, &house.pro, 1).await;
        let pages = [
            serde_json::to_string(&portal.home(&viewer).await.unwrap()).unwrap(),
            serde_json::to_string(&portal.change_page(&viewer, &id, None).await.unwrap()).unwrap(),
            serde_json::to_string(&portal.quote(&viewer, &id, wishes, None).await.unwrap())
                .unwrap(),
            serde_json::to_string(&portal.invoice(&viewer, &invoice.id).await.unwrap()).unwrap(),
            serde_json::to_string(&portal.payment_methods(&viewer).await.unwrap()).unwrap(),
        ];
        for page in pages {
            assert!(
                !page.contains("do-not-show") && !page.contains(&token),
                "{page}"
            );
        }
    })
    .await;
}
