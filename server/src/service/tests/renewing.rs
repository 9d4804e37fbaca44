//! What falls due by itself.

use perennial::calendar::Cadence;
use perennial::id::SubscriptionId;
use perennial::invoice::{BillingReason, InvoiceStatus};
use perennial::subscription::{
    CancellationReason, CollectionMethod, MissingPaymentMethod, Status, WhenExhausted,
};

use super::world::{START, World, after, at};
use crate::gateway::sandbox::Fault;
use crate::service::payments::PaymentResult;
use crate::service::subscriptions::{Cancel, NewItem, NewSubscription};
use crate::store::key;
use crate::store::tests::both;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn months_of_all_lengths_are_billed_from_the_anchors_day() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_visa").await;
        // An hour passes between the draft and the charge.
        world.live_until(at(2026, 2, 28)).await;
        let draft = world.latest(&id).await;
        assert_eq!(draft.status, InvoiceStatus::Draft);
        assert_eq!(draft.billing_reason, BillingReason::SubscriptionCycle);
        assert_eq!(
            draft.automatically_finalizes_at,
            Some(after(at(2026, 2, 28), HOUR))
        );
        assert_eq!(draft.number, None);
        world.live_until(after(at(2026, 2, 28), HOUR)).await;
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Paid);

        world.live_until(after(at(2026, 5, 31), HOUR)).await;
        let invoices = world.invoices(&customer).await;
        let starts: Vec<_> = invoices
            .iter()
            .map(|own| own.lines[0].period.start)
            .collect();
        let ends = [
            at(2026, 2, 28),
            at(2026, 3, 31),
            at(2026, 4, 30),
            at(2026, 5, 31),
        ];
        assert_eq!(starts[0], START);
        assert_eq!(starts[1..], ends);
        for (index, invoice) in invoices.iter().enumerate() {
            assert_eq!(invoice.status, InvoiceStatus::Paid);
            let number = invoice.number.as_deref().unwrap();
            assert!(number.ends_with(&format!("-{:04}", index + 1)), "{number}");
        }
        assert_eq!(world.charges().await, 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_renewal_is_past_due_until_it_is_paid() {
    both(|store| async move {
        let (world, customer, id) = World::with_one(store, "pm_card_visa").await;
        world.card(&customer, "pm_card_chargeCustomerFail").await;
        let charged = after(at(2026, 2, 28), HOUR);
        world.live_until(charged).await;
        assert_eq!(world.status(&id).await, Status::PastDue);
        let invoice = world.latest(&id).await;
        assert_eq!(
            (invoice.status, invoice.attempt_count),
            (InvoiceStatus::Open, 1)
        );
        assert_eq!(invoice.next_payment_attempt, Some(after(charged, DAY)));
        world.live_until(after(charged, 2 * DAY)).await;
        assert_eq!(world.latest(&id).await.attempt_count, 3);

        world.card(&customer, "pm_card_visa").await;
        let paid = world.pay(&invoice.id, None).await.unwrap();
        assert!(matches!(paid, PaymentResult::Paid { .. }));
        assert_eq!(world.status(&id).await, Status::Active);
        assert_eq!(world.latest(&id).await.attempt_count, 3);
        assert!(!world.find_customer(&customer).await.delinquent);
        world.live_until(after(charged, 20 * DAY)).await;
        assert_eq!(world.charges().await, 2);
    })
    .await;
}

/// Lives through all retries with a policy's end, and answers with the subscription.
async fn exhausted(world: &World, then: WhenExhausted, card: &str) -> SubscriptionId {
    let mut merchant = world.engine.merchant(&world.scope).await.unwrap();
    merchant.retries.then = then;
    let mut tx = world.engine.store.begin().await.unwrap();
    key::update_merchant(tx.connection(), &merchant)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let price = world.price(2_000, Cadence::MONTHLY).await;
    let customer = world.customer_with("pm_card_visa").await;
    let id = world.subscribe(&customer, &price).await;
    world.card(&customer, card).await;
    world
        .live_until(after(at(2026, 2, 28), HOUR + 15 * DAY))
        .await;
    assert_eq!(world.latest(&id).await.attempt_count, 8);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn when_retries_are_used_up_the_merchants_choice_follows() {
    both(|store| async move {
        for card in [
            "pm_card_chargeCustomerFail",
            "pm_card_chargeDeclinedStolenCard",
        ] {
            let world = World::new(store.clone()).await;
            let id = exhausted(&world, WhenExhausted::Cancel, card).await;
            let ended = world.find_subscription(&id).await;
            assert_eq!(ended.status, Status::Canceled, "{card}");
            let reason = ended.cancellation.as_ref().unwrap().reason;
            assert_eq!(reason, Some(CancellationReason::PaymentFailed));
            let invoice = world.latest(&id).await;
            assert_eq!(
                (invoice.status, invoice.auto_advance),
                (InvoiceStatus::Open, false)
            );
        }

        let world = World::new(store.clone()).await;
        let id = exhausted(
            &world,
            WhenExhausted::MarkUnpaid,
            "pm_card_chargeCustomerFail",
        )
        .await;
        let unpaid = world.find_subscription(&id).await;
        assert_eq!(unpaid.status, Status::Unpaid);
        // It goes on being billed, in drafts that nobody charges.
        world.live_until(after(at(2026, 3, 31), 2 * HOUR)).await;
        let draft = world.latest(&id).await;
        assert_eq!(
            (draft.status, draft.auto_advance),
            (InvoiceStatus::Draft, false)
        );
        world.card(&unpaid.customer, "pm_card_visa").await;
        let paid = world.pay(&draft.id, None).await.unwrap();
        assert!(matches!(paid, PaymentResult::Paid { .. }));
        assert_eq!(world.status(&id).await, Status::Active);

        let world = World::new(store).await;
        let id = exhausted(
            &world,
            WhenExhausted::LeavePastDue,
            "pm_card_chargeCustomerFail",
        )
        .await;
        assert_eq!(world.status(&id).await, Status::PastDue);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_told_and_then_billed() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let new = NewSubscription {
            trial_end: Some(at(2026, 2, 14)),
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id, 1)])
        };
        let id = world.create(new).await.unwrap().value.id;
        let told = |events: Vec<String>| {
            events
                .iter()
                .filter(|kind| *kind == "customer.subscription.trial_will_end")
                .count()
        };
        world.live_until(after(at(2026, 2, 11), -1)).await;
        assert_eq!(told(world.events().await), 0);
        world.live_until(at(2026, 2, 14)).await;
        assert_eq!(told(world.events().await), 1);
        assert_eq!(world.status(&id).await, Status::Active);
        world.live_until(after(at(2026, 2, 14), HOUR)).await;
        let invoice = world.latest(&id).await;
        assert_eq!(
            (invoice.status, invoice.totals.total_minor),
            (InvoiceStatus::Paid, 2_000)
        );
        assert_eq!(
            world.find_subscription(&id).await.items[0]
                .current_period
                .end,
            at(2026, 3, 14)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_without_a_card_ends_as_the_merchant_chose() {
    both(|store| async move {
        let cases = [
            (MissingPaymentMethod::Cancel, Status::Canceled),
            (MissingPaymentMethod::Pause, Status::Paused),
            (MissingPaymentMethod::CreateInvoice, Status::PastDue),
        ];
        for (choice, expected) in cases {
            let world = World::new(store.clone()).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let customer = world.customer().await;
            let new = NewSubscription {
                trial_end: Some(at(2026, 2, 14)),
                trial_missing_payment_method: choice,
                ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id, 1)])
            };
            let id = world.create(new).await.unwrap().value.id;
            world.live_until(after(at(2026, 2, 14), HOUR)).await;
            assert_eq!(world.status(&id).await, expected, "{choice:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_first_invoice_expires_after_23_hours() {
    both(|store| async move {
        let (world, _, id) = World::with_one(store, "pm_card_chargeCustomerFail").await;
        world.live_until(after(START, 23 * HOUR - 1)).await;
        assert_eq!(world.status(&id).await, Status::Incomplete);
        world.live_until(after(START, 23 * HOUR)).await;
        assert_eq!(world.status(&id).await, Status::IncompleteExpired);
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Void);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_period_unless_that_is_taken_back() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let (one, two) = (
            world.customer_with("pm_card_visa").await,
            world.customer_with("pm_card_visa").await,
        );
        let goes = world.subscribe(&one, &price).await;
        let stays = world.subscribe(&two, &price).await;
        let (engine, scope) = (&world.engine, &world.scope);
        for id in [&goes, &stays] {
            let ending = engine
                .cancel_at_period_end(scope, id, None, None)
                .await
                .unwrap();
            assert_eq!(ending.cancel_at, Some(at(2026, 2, 28)));
        }
        engine.keep_subscription(scope, &stays).await.unwrap();
        world.live_until(after(at(2026, 2, 28), HOUR)).await;
        let ended = world.find_subscription(&goes).await;
        assert_eq!(
            (ended.status, ended.ended_at),
            (Status::Canceled, Some(at(2026, 2, 28)))
        );
        assert_eq!(world.invoices(&one).await.len(), 1);
        assert_eq!(world.status(&stays).await, Status::Active);
        assert_eq!(world.invoices(&two).await.len(), 2);
        let events = world.events().await;
        assert!(
            events
                .iter()
                .any(|kind| kind == "customer.subscription.deleted")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_at_once_gives_credit_when_asked_to() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_800, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &price).await;
        world.live_until(at(2026, 2, 14)).await;
        let cancel = Cancel {
            prorate: true,
            invoice_now: true,
            ..Cancel::default()
        };
        let ended = world
            .engine
            .cancel_subscription(&world.scope, &id, cancel)
            .await
            .unwrap();
        assert_eq!(ended.status, Status::Canceled);
        // Half of 28 days is left.
        let invoice = world.latest(&id).await;
        assert_eq!(
            (invoice.totals.total_minor, invoice.amount_due_minor),
            (-1_400, 0)
        );
        assert_eq!(world.find_customer(&customer).await.balance_minor, -1_400);
        let ledger = world.ledger(&customer).await;
        assert_eq!(
            (ledger[0].amount_minor, ledger[0].ending_balance_minor),
            (-1_400, -1_400)
        );
        let again = world
            .engine
            .cancel_subscription(&world.scope, &id, Cancel::default())
            .await;
        assert!(matches!(
            again,
            Err(crate::service::Refused::NotFound { .. })
        ));

        // The credit pays the next thing.
        let next = world.subscribe(&customer, &price).await;
        let invoice = world.latest(&next).await;
        assert_eq!(
            (invoice.totals.total_minor, invoice.amount_due_minor),
            (2_800, 1_400)
        );
        assert_eq!(world.find_customer(&customer).await.balance_minor, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_sent_invoice_will_be_due_is_told_once_where_there_is_time() {
    for (days, paid, told) in [(14, false, 1), (14, true, 0), (5, false, 0)] {
        both(|store| async move {
            let world = World::new(store).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let customer = world.customer_with("pm_card_visa").await;
            let new = NewSubscription {
                collection_method: CollectionMethod::SendInvoice,
                days_until_due: Some(days),
                ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id, 1)])
            };
            let made = world.create(new).await.unwrap();
            let days = i64::from(days);
            let count =
                |events: Vec<String>, kind: &str| events.iter().filter(|own| *own == kind).count();
            world.live_until(after(START, (days - 3) * DAY - 1)).await;
            let early = count(world.events().await, "invoice.will_be_due");
            assert_eq!(early, 0, "more than three days before");
            if paid {
                let invoice = world.latest(&made.id).await;
                world.pay(&invoice.id, None).await.unwrap();
            }
            world.live_until(after(START, days * DAY + 2 * HOUR)).await;
            let events = world.events().await;
            let overdue = count(events.clone(), "invoice.overdue");
            assert_eq!(overdue, usize::from(!paid));
            assert_eq!(count(events, "invoice.will_be_due"), told);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_invoice_is_overdue_and_then_paid() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer().await;
        let new = NewSubscription {
            collection_method: CollectionMethod::SendInvoice,
            days_until_due: Some(7),
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id, 1)])
        };
        let made = world.create(new).await.unwrap();
        assert_eq!(made.status, Status::Active);
        assert_eq!(world.latest(&made.id).await.status, InvoiceStatus::Draft);
        world.live_until(after(START, HOUR)).await;
        let invoice = world.latest(&made.id).await;
        assert_eq!(invoice.status, InvoiceStatus::Open);
        assert_eq!(invoice.due_date, Some(after(START, 7 * DAY)));
        world.live_until(after(START, 7 * DAY)).await;
        assert_eq!(world.status(&made.id).await, Status::PastDue);
        world.card(&customer, "pm_card_visa").await;
        world.pay(&invoice.id, None).await.unwrap();
        assert_eq!(world.status(&made.id).await, Status::Active);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_finds_out_what_became_of_a_lost_charge() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
        both(|store| async move {
            let world = World::new(store).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let customer = world.customer_with("pm_card_visa").await;
            world.bank.inject(fault);
            let id = world.subscribe(&customer, &price).await;
            assert_eq!(world.status(&id).await, Status::Incomplete);
            world.live_until(after(START, 60)).await;
            world.sweep().await;
            assert_eq!(world.status(&id).await, Status::Active);
            assert_eq!(world.charges().await, 1);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_do_everything_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut ids = Vec::new();
        for _ in 0..6 {
            let customer = world.customer_with("pm_card_visa").await;
            ids.push(world.subscribe(&customer, &price).await);
        }
        for moment in [at(2026, 2, 28), after(at(2026, 2, 28), HOUR)] {
            world.clock.advance_to(moment);
            let sweeps = (0..3).map(|_| {
                let engine = world.engine.clone();
                tokio::spawn(async move { engine.run_due(moment, 100).await })
            });
            for sweep in sweeps.collect::<Vec<_>>() {
                sweep.await.unwrap().unwrap();
            }
        }
        for id in &ids {
            let customer = world.find_subscription(id).await.value.customer;
            let invoices = world.invoices(&customer).await;
            assert_eq!(invoices.len(), 2);
            assert!(invoices.iter().all(|own| own.status == InvoiceStatus::Paid));
        }
        assert_eq!(world.charges().await, 12);
    })
    .await;
}
