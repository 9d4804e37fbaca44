//! What usage sets off before it is billed: alerts, and thresholds at which an invoice is made early.

use perennial::invoice::{BillingReason, InvoiceStatus};
use perennial::pricing::Pricing;
use perennial::subscription::BillingThresholds;
use perennial::usage::{Alert, Formula, Meter};

use super::metered::{begun, decimal, used};
use super::metering::{event, meter};
use super::world::{START, World, after};
use crate::service::Refused;
use crate::service::metering::NewAlert;
use crate::service::subscriptions::Cancel;
use crate::service::updates::SubscriptionUpdate;
use crate::store::document::Stored;
use crate::store::tests::both;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// An alert for every customer.
async fn alert(world: &World, title: &str, meter: &Meter, gte: i64) -> Stored<Alert> {
    let new = NewAlert {
        title: title.to_owned(),
        meter: meter.id.clone(),
        customer: None,
        gte,
    };
    world.engine.create_alert(&world.scope, new).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_tells_once_for_each_customer() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Sum).await;
        let (ada, bob) = (world.customer().await, world.customer().await);
        let alert = alert(&world, "Much", &meter, 100).await;
        let told = || async {
            world.engine.look_at_usage().await.unwrap();
            let events = world.events().await;
            events
                .iter()
                .filter(|kind| *kind == "billing.alert.triggered")
                .count()
        };
        used(&world, &ada, "a1", after(START, -1), "500").await;
        assert_eq!(told().await, 0, "before the alert was made");
        used(&world, &ada, "a2", START, "99.5").await;
        assert_eq!(told().await, 0);
        used(&world, &ada, "a3", START, "0.5").await;
        used(&world, &bob, "b1", START, "250").await;
        assert_eq!(told().await, 2);
        used(&world, &ada, "a4", START, "1000").await;
        assert_eq!(told().await, 2);
        use perennial::usage::AlertStatus::{Active, Archived, Inactive};
        world
            .engine
            .turn_alert(&world.scope, &alert.id, Inactive)
            .await
            .unwrap();
        world.clock.advance_to(after(START, HOUR));
        world
            .engine
            .turn_alert(&world.scope, &alert.id, Active)
            .await
            .unwrap();
        used(&world, &bob, "b2", after(START, HOUR), "100").await;
        assert_eq!(told().await, 3, "it tells again");
        world
            .engine
            .turn_alert(&world.scope, &alert.id, Archived)
            .await
            .unwrap();
        let gone = world
            .engine
            .turn_alert(&world.scope, &alert.id, Active)
            .await;
        assert!(matches!(gone, Err(Refused::NotFound { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_although_the_process_died_before_it_looked() {
    both(|store| async move {
        let mut world = World::new(store).await;
        let tokens = meter(&world, "tokens", Formula::Sum).await;
        let customer = world.customer().await;
        alert(&world, "Much", &tokens, 100).await;
        let now = world.engine.now();
        let events = vec![event("tokens", "one", &customer, now, "150")];
        assert_eq!(world.report(events).await, 1);
        // The process dies: what it had in mind is gone.
        world.engine.metering = std::sync::Arc::default();
        assert!(world.engine.look_at_usage().await.unwrap().is_empty());
        // Who used nothing since then is not looked at.
        let lately = Some(after(now, 2 * HOUR));
        assert_eq!(world.engine.look_at_all_usage(lately).await.unwrap(), 0);
        for since in [None, Some(now)] {
            assert_eq!(world.engine.look_at_all_usage(since).await.unwrap(), 1);
        }
        let told = world.events().await;
        let told = told
            .iter()
            .filter(|kind| *kind == "billing.alert.triggered");
        assert_eq!(told.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_different_values_is_found_by_their_newest() {
    both(|store| async move {
        let mut world = World::new(store).await;
        let people = meter(&world, "people", Formula::Unique).await;
        let customer = world.customer().await;
        alert(&world, "Many", &people, 2).await;
        let now = world.engine.now();
        let events = vec![
            event("people", "one", &customer, now, "7"),
            event("people", "two", &customer, now, "8"),
        ];
        assert_eq!(world.report(events).await, 2);
        world.engine.metering = std::sync::Arc::default();
        let lately = Some(after(now, 2 * HOUR));
        assert_eq!(world.engine.look_at_all_usage(lately).await.unwrap(), 0);
        assert_eq!(world.engine.look_at_all_usage(Some(now)).await.unwrap(), 1);
        let told = world.events().await;
        let told = told
            .iter()
            .filter(|kind| *kind == "billing.alert.triggered");
        assert_eq!(told.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_is_billed_although_the_process_died_before_it_looked() {
    for recent in [false, true] {
        both(|store| async move {
            let mut world = World::new(store).await;
            let (_, customer, id, _) = begun(&world, Pricing::per_unit(decimal("10"))).await;
            let thresholds = BillingThresholds {
                amount_gte: Some(1_000),
                reset_billing_cycle_anchor: false,
            };
            let update = SubscriptionUpdate {
                billing_thresholds: Some(Some(thresholds)),
                ..SubscriptionUpdate::default()
            };
            let (engine, scope) = (world.engine.clone(), world.scope.clone());
            engine
                .update_subscription(&scope, &id, update)
                .await
                .unwrap();
            world.clock.advance_to(after(START, 5 * DAY));
            let now = world.engine.now();
            used(&world, &customer, "enough", now, "150").await;
            // The process dies: what it had in mind is gone.
            world.engine.metering = std::sync::Arc::default();
            let engine = world.engine.clone();
            assert!(engine.look_at_usage().await.unwrap().is_empty());
            world.clock.advance_to(after(now, DAY));
            let lately = Some(after(now, 2 * HOUR));
            assert_eq!(engine.look_at_all_thresholds(lately).await.unwrap(), 0);
            let since = recent.then_some(now);
            for _ in 0..2 {
                assert_eq!(engine.look_at_all_thresholds(since).await.unwrap(), 1);
                let billed = world.latest(&id).await;
                assert_eq!(billed.billing_reason, BillingReason::SubscriptionThreshold);
                assert_eq!(billed.totals.total_minor, 1_500);
                assert_eq!(billed.status, InvoiceStatus::Paid);
                assert_eq!(world.invoices(&customer).await.len(), 1);
            }
            // Once it is over it is not looked at any more.
            engine
                .cancel_subscription(&scope, &id, Cancel::default())
                .await
                .unwrap();
            assert_eq!(engine.look_at_all_thresholds(since).await.unwrap(), 1);
            assert_eq!(engine.look_at_all_thresholds(since).await.unwrap(), 0);
        })
        .await;
    }
}
