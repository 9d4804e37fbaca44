//! One thing that can't be worked on stops nothing else, also where work is not found by due rows.

use perennial::calendar::Cadence;
use perennial::id::CustomerId;
use perennial::pricing::Pricing;
use perennial::usage::Formula;

use super::metered::{decimal, metered, subscribe, used};
use super::metering::meter;
use super::world::{START, World, after, at};
use crate::service::metering::NewAlert;
use crate::store::failure::{self, SetAside};
use crate::store::tests::both;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Makes the row of `table` with this id unreadable, or readable again.
async fn spoil(world: &World, table: &str, id: &str, spoiled: bool) {
    let body = if spoiled {
        "'!' || body"
    } else {
        "substr(body, 2)"
    };
    let sql = format!("update {table} set body = {body} where id = $1");
    let mut tx = world.engine.store.begin().await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .execute(tx.connection())
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1, "{table} {id}");
    tx.commit().await.unwrap();
}

/// What is set aside, by kind.
async fn aside(world: &World) -> Vec<SetAside> {
    world.engine.status().await.unwrap().set_aside
}

async fn kinds_aside(world: &World) -> Vec<String> {
    aside(world).await.into_iter().map(|own| own.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_a_card_that_can_not_be_read_wait_and_those_behind_do_not() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut methods = Vec::new();
        for _ in 0..2 {
            let customer = world.customer_with("pm_card_reissued").await;
            world.subscribe(&customer, &price).await;
            let owner = world.find_customer(&customer).await;
            methods.push(owner.default_payment_method.clone().unwrap());
        }
        // The sandbox tells the news of a reissued card when the old one is charged in vain.
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        let told = world.events().await;
        let kind = "payment_method.automatically_updated";
        assert_eq!(told.iter().filter(|own| *own == kind).count(), 2);
        // It tells them again, as it may.
        let mut tx = world.engine.store.begin().await.unwrap();
        sqlx::query("update card_news set cursor = 0")
            .execute(tx.connection())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let first = methods.first().unwrap();
        spoil(&world, "payment_method", first.as_str(), true).await;
        assert_eq!(world.engine.update_cards().await.unwrap(), 1);
        assert_eq!(kinds_aside(&world).await, ["card_news"]);
        let text = world.engine.status().await.unwrap();
        let metric = "perennial_work_set_aside{kind=\"card_news\"} 1";
        assert!(text.metrics().contains(metric), "{}", text.metrics());
        // Before its pause is over it is not tried again, afterwards it is, and fails.
        assert_eq!(world.engine.update_cards().await.unwrap(), 0);
        assert_eq!(aside(&world).await.first().unwrap().attempts, 1);
        world.clock.advance_to(after(world.engine.now(), 61));
        assert_eq!(world.engine.update_cards().await.unwrap(), 0);
        assert_eq!(aside(&world).await.first().unwrap().attempts, 2);
        spoil(&world, "payment_method", first.as_str(), false).await;
        assert_eq!(failure::retry_all(&world.engine.store).await.unwrap(), 1);
        assert_eq!(world.engine.update_cards().await.unwrap(), 1);
        assert!(aside(&world).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_can_not_be_read_silences_no_other() {
    both(|store| async move {
        let world = World::new(store).await;
        let calls = meter(&world, "calls", Formula::Sum).await;
        let mut alerts = Vec::new();
        for gte in [5, 6] {
            let new = NewAlert {
                title: "Much".to_owned(),
                meter: calls.id.clone(),
                customer: None,
                gte,
            };
            let made = world.engine.create_alert(&world.scope, new).await.unwrap();
            alerts.push(made.value.id);
        }
        let customer = world.customer_with("pm_card_visa").await;
        let spoiled = alerts.first().unwrap();
        spoil(&world, "billing_alert", spoiled.as_str(), true).await;
        world.clock.advance_to(after(START, DAY));
        used(&world, &customer, "one", after(START, DAY - 1), "9").await;
        world.engine.look_at_usage().await.unwrap();
        world.engine.look_at_all_usage(None).await.unwrap();
        let told = || async {
            let told = world.events().await;
            let kind = "billing.alert.triggered";
            told.iter().filter(|own| *own == kind).count()
        };
        assert_eq!(told().await, 1);
        let ids: Vec<String> = aside(&world)
            .await
            .into_iter()
            .map(|own| own.place.id)
            .collect();
        assert_eq!(ids, [spoiled.to_string()]);
        spoil(&world, "billing_alert", spoiled.as_str(), false).await;
        world.engine.look_at_all_usage(None).await.unwrap();
        assert_eq!(told().await, 2);
        assert!(aside(&world).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_can_not_be_settled_is_set_aside_and_the_rest_is_settled() {
    both(|store| async move {
        let world = World::new(store).await;
        let calls = meter(&world, "calls", Formula::Sum).await;
        let price = metered(&world, &calls, Pricing::per_unit(decimal("10"))).await;
        let mut customers: Vec<CustomerId> = Vec::new();
        for _ in 0..3 {
            let customer = world.customer_with("pm_card_visa").await;
            subscribe(&world, &customer, &[&price]).await;
            customers.push(customer);
        }
        let end = at(2026, 2, 28);
        world.live_until(after(end, 2 * HOUR)).await;
        for (index, customer) in customers.iter().enumerate() {
            used(
                &world,
                customer,
                &format!("late {index}"),
                after(end, -1),
                "3",
            )
            .await;
        }
        let mut read = world.engine.store.read().await.unwrap();
        let spans: Vec<(String,)> = sqlx::query_as("select id from usage_span order by sort")
            .fetch_all(&mut *read)
            .await
            .unwrap();
        drop(read);
        assert_eq!(spans.len(), 3);
        let (spoiled,) = spans.first().unwrap();
        spoil(&world, "usage_span", spoiled, true).await;
        // Renewals read the spans of their own subscription; this is about settling.
        let mut tx = world.engine.store.begin().await.unwrap();
        sqlx::query("update subscription set due_at = null")
            .execute(tx.connection())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let settled = after(end, 37 * DAY);
        world.clock.advance_to(settled);
        let swept = world.engine.sweep(settled, 1_000, None).await.unwrap();
        assert_eq!((swept.done, swept.failed), (2, 1));
        assert_eq!(kinds_aside(&world).await, ["usage_span"]);
        let status = world.engine.status().await.unwrap();
        let metric = "perennial_work_due{kind=\"usage_span\"} 1";
        assert!(status.metrics().contains(metric), "{}", status.metrics());
        let waiting = async |index: usize| {
            let customer = customers.get(index).unwrap();
            let waiting = world.engine.pending(&world.scope, customer).await.unwrap();
            waiting.iter().map(|own| own.line.amount_minor).sum::<i64>()
        };
        assert_eq!((waiting(1).await, waiting(2).await), (30, 30));
        spoil(&world, "usage_span", spoiled, false).await;
        assert_eq!(failure::retry_all(&world.engine.store).await.unwrap(), 1);
        world.sweep().await;
        assert_eq!(waiting(0).await, 30);
        assert!(aside(&world).await.is_empty());
    })
    .await;
}
