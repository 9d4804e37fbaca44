//! What is told before it happens, and what an older installation is given to tell it by.

use perennial::calendar::Cadence;
use perennial::id::SubscriptionItemId;

use super::world::{START, World, after, at};
use crate::service::customers::{CustomerUpdate, NewTaxId};
use crate::store::tests::both;
use crate::store::{Scope, key};

const DAY: i64 = 86_400;

async fn noticing(world: &World, days: u16) {
    let (engine, scope) = (&world.engine, &world.scope);
    let mut tx = engine.store.begin().await.unwrap();
    let found = key::load_merchant(tx.connection(), &scope.merchant).await;
    let mut merchant = found.unwrap().unwrap();
    merchant.upcoming_days = days;
    key::update_merchant(tx.connection(), &merchant)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coming_invoice_is_told_as_many_days_before_as_the_merchant_wants() {
    both(|store| async move {
        let world = World::new(store).await;
        noticing(&world, 7).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &price).await;
        let told = || async {
            let events = world.events().await;
            let ours = events.iter().filter(|kind| *kind == "invoice.upcoming");
            ours.count()
        };
        world.live_until(after(at(2026, 2, 21), -1)).await;
        assert_eq!(told().await, 0);
        world.live_until(at(2026, 2, 21)).await;
        assert_eq!(told().await, 1);
        world.live_until(at(2026, 3, 30)).await;
        assert_eq!(told().await, 2, "once a period");
        assert_eq!(world.invoices(&customer).await.len(), 2);
        noticing(&world, 0).await;
        world.live_until(at(2026, 6, 1)).await;
        assert_eq!(told().await, 2, "not any more");
        assert_eq!(world.find_subscription(&id).await.upcoming_days, 0);
        assert_eq!(world.invoices(&customer).await.len(), 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_before_their_table_are_found_after_a_start() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let mut items: Vec<SubscriptionItemId> = Vec::new();
        for _ in 0..205 {
            let id = world.trial(&customer, &price, after(START, DAY)).await;
            items.push(world.find_subscription(&id).await.items[0].id.clone());
        }
        let run = |sql: &'static str| {
            let store = world.engine.store.clone();
            async move {
                let mut tx = store.begin().await.unwrap();
                sqlx::query(sql).execute(tx.connection()).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        let engine = &world.engine;
        let found = engine.subscription_item(&world.scope, &items[7]).await;
        assert_eq!(found.unwrap().1.id, items[7]);
        run("delete from subscription_item").await;
        // What lists are narrowed by is as old.
        run("delete from subscription_price").await;
        run("update subscription set period_start = null, period_end = null").await;
        run(
            "insert into subscription_item_opening (merchant, livemode, subscription) \
             select distinct merchant, livemode, '' from subscription",
        )
        .await;
        let lost = engine.subscription_item(&world.scope, &items[7]).await;
        assert!(lost.is_err(), "the test forgets them");
        let (one, other) = (engine.clone(), engine.clone());
        let opened = tokio::join!(
            one.open_subscription_items(),
            other.open_subscription_items()
        );
        opened.0.unwrap();
        opened.1.unwrap();
        for item in &items {
            let found = engine.subscription_item(&world.scope, item).await;
            assert_eq!(found.unwrap().1.id, *item);
        }
        let count = async |sql: &'static str| -> i64 {
            let mut read = world.engine.store.read().await.unwrap();
            let row = sqlx::query(sql).fetch_one(&mut *read).await.unwrap();
            sqlx::Row::get(&row, "n")
        };
        let priced = "select count(*) as n from subscription_price where present = 1";
        assert_eq!(count(priced).await, 205);
        let lacking = "select count(*) as n from subscription where period_end is null";
        assert_eq!(count(lacking).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_ids_that_are_older_than_their_table_are_noted() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let german = |number: usize| NewTaxId {
            kind: "eu_vat".to_owned(),
            value: format!("DE{number:09}"),
        };
        let mut made = Vec::new();
        for number in 0..205 {
            let new = CustomerUpdate::default();
            let first = vec![german(number)];
            let customer = engine.create_customer(scope, new, first).await.unwrap();
            made.push((customer.value.id, customer.value.tax_ids[0].clone()));
        }
        let (owner, _) = made[7].clone();
        let later = engine.add_tax_id(scope, &owner, german(900)).await.unwrap();
        made.push((owner, later));
        let all_are_known = async || {
            for (owner, tax) in &made {
                let found = engine.tax_id_alone(scope, &tax.id).await.unwrap();
                assert_eq!(found, Some((owner.clone(), tax.clone())));
            }
        };
        all_are_known().await;
        let mut tx = engine.store.begin().await.unwrap();
        for sql in [
            "delete from customer_tax_id",
            "insert into customer_tax_id_opening (merchant, livemode, done_until) \
             select distinct merchant, livemode, '' from customer",
        ] {
            sqlx::query(sql).execute(tx.connection()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let lost = engine.tax_id_alone(scope, &made[7].1.id).await.unwrap();
        assert_eq!(lost, None, "the test forgets them");
        let (one, other) = tokio::join!(engine.open_tax_ids(), engine.open_tax_ids());
        one.unwrap();
        other.unwrap();
        all_are_known().await;
        let other = Scope {
            livemode: !scope.livemode,
            ..scope.clone()
        };
        let foreign = engine.tax_id_alone(&other, &made[7].1.id).await.unwrap();
        assert_eq!(foreign, None);
    })
    .await;
}
