//! Whose time a call takes, and clocks that processes take over from each other, on both databases.

use std::collections::BTreeSet;

use perennial::calendar::Cadence;
use perennial::id::TestClockId;
use perennial::test_clock::ClockStatus;
use sqlx::Row;
use tokio::sync::watch;

use super::{Named, NewTestClock, advancing, following};
use crate::service::customers::CustomerUpdate;
use crate::service::tests::world::{World, at};
use crate::store::Store;
use crate::store::tests::both;

/// Tables with a column `customer` that no call names by an id of their rows.
const NEVER_NAMED: [&str; 6] = [
    "invoice_prefix",
    "ledger_opening",
    "ledger_transfer",
    "mail",
    "meter_account",
    "subscription_threshold",
];

/// The tables that have a column of this name.
async fn tables_with(store: &Store, column: &str) -> BTreeSet<String> {
    let sql = match store.is_sqlite() {
        true => {
            "select m.name as name from sqlite_master m join pragma_table_info(m.name) c \
             where m.type = 'table' and c.name = $1"
        }
        false => {
            "select cast(table_name as text) as name from information_schema.columns \
             where column_name = $1 and table_schema = current_schema()"
        }
    };
    let mut read = store.read().await.unwrap();
    let rows = sqlx::query(sql).bind(column).fetch_all(&mut *read).await;
    rows.unwrap().iter().map(|row| row.get("name")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_customers_holdings_is_followed() {
    both(|store| async move {
        let followed: BTreeSet<&str> = following::tables().chain(NEVER_NAMED).collect();
        let tables = tables_with(&store, "customer").await;
        assert!(
            tables.len() >= 7,
            "the question to the schema finds nothing"
        );
        for table in tables {
            assert!(
                followed.contains(table.as_str()),
                "calls that name a row of `{table}` must take its customer's time: add its \
                 prefix to HOLDINGS in service/test_clocks/following.rs"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_falls_due_by_a_test_clock_is_done_by_it() {
    both(|store| async move {
        let done: BTreeSet<String> = advancing::kinds()
            .map(|(table, _)| table.to_owned())
            .collect();
        assert_eq!(tables_with(&store, "clock_due_at").await, done);
    })
    .await;
}

async fn clock_with_customer(world: &World) -> (TestClockId, perennial::id::CustomerId) {
    let new = NewTestClock {
        frozen_time: at(2030, 1, 31),
        name: None,
        customer: None,
    };
    let clock = world.engine.create_test_clock(&world.scope, new).await;
    let id = clock.unwrap().value.id;
    let customer = world.customer_with("pm_card_visa").await;
    let mut stored = world
        .engine
        .edit_customer(&world.scope, &customer)
        .await
        .unwrap();
    stored.test_clock = Some(id.clone());
    let mut booking = crate::service::booking::Booking::begin(&world.engine, &world.scope)
        .await
        .unwrap();
    booking.save(&mut stored).await.unwrap();
    booking.commit().await.unwrap();
    (id, customer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_the_time_of_whom_it_names() {
    both(|store| async move {
        let world = World::new(store).await;
        let (clock, customer) = clock_with_customer(&world).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut then = world.clone();
        then.engine = world.engine.at(at(2030, 1, 31));
        let subscription = then.subscribe(&customer, &price).await;
        let invoice = then.latest(&subscription).await;
        let named = |id: &str| {
            let mut named = Named::default();
            named.note(id);
            named
        };
        let stranger = world.customer_with("pm_card_visa").await;
        let intent = invoice.payment_intent.clone().unwrap();
        for (id, follows) in [
            (customer.as_str(), true),
            (subscription.as_str(), true),
            (invoice.id.as_str(), true),
            (intent.as_str(), true),
            (stranger.as_str(), false),
            ("sub_none", false),
            ("some words", false),
            ("", false),
        ] {
            let found = world
                .engine
                .followed(&world.scope, &named(id))
                .await
                .unwrap();
            let found = found.map(|found| found.value.id);
            assert_eq!(found, follows.then(|| clock.clone()), "{id}");
        }
        let mut other = world.scope.clone();
        other.livemode = true;
        let found = world
            .engine
            .followed(&other, &named(customer.as_str()))
            .await;
        assert!(found.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_a_process_left_is_taken_over_and_nothing_is_done_twice() {
    both(|store| async move {
        let world = World::new(store).await;
        let (clock, customer) = clock_with_customer(&world).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut then = world.clone();
        then.engine = world.engine.at(at(2030, 1, 31));
        then.subscribe(&customer, &price).await;
        let target = at(2030, 7, 1);
        let engine = &world.engine;
        engine
            .advance_test_clock(&world.scope, &clock, target)
            .await
            .unwrap();
        // A process that is told to stop lets go at once, and one that died keeps its lease.
        let (stop, stopped) = watch::channel(true);
        assert_eq!(engine.tend_test_clocks(&stopped).await.unwrap(), 1);
        let left = engine.find::<perennial::test_clock::TestClock>(&world.scope, clock.as_str());
        let left = left.await.unwrap();
        assert_eq!(left.status, ClockStatus::Advancing { target });
        assert_eq!(left.lease_until, None);
        stop.send_replace(false);
        // Ordinary work, however late, leaves it alone.
        let far = world.engine.at(at(2031, 1, 1));
        far.run_due(at(2031, 1, 1), 100).await.unwrap();
        assert_eq!(world.invoices(&customer).await.len(), 1);
        // Two at once: one of them has the lease.
        let (one, other) = tokio::join!(
            engine.tend_test_clocks(&stopped),
            engine.tend_test_clocks(&stopped)
        );
        one.unwrap();
        other.unwrap();
        let there = engine.find::<perennial::test_clock::TestClock>(&world.scope, clock.as_str());
        let there = there.await.unwrap();
        assert_eq!(there.status, ClockStatus::Ready);
        assert_eq!(there.frozen_time, target);
        let invoices = world.invoices(&customer).await;
        assert_eq!(invoices.len(), 6);
        assert_eq!(world.charges().await, 6);
        assert!(engine.tend_test_clocks(&stopped).await.unwrap() == 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_is_deleted_by_itself_when_its_time_is_over() {
    both(|store| async move {
        let world = World::new(store).await;
        let (clock, customer) = clock_with_customer(&world).await;
        let (_stop, stopped) = watch::channel(false);
        let month = perennial::test_clock::KEPT_SECONDS;
        assert_eq!(world.engine.tend_test_clocks(&stopped).await.unwrap(), 0);
        let later = world.engine.now().add_seconds(month).unwrap();
        world.clock.advance_to(later);
        assert_eq!(world.engine.tend_test_clocks(&stopped).await.unwrap(), 1);
        let gone = world
            .engine
            .find::<perennial::test_clock::TestClock>(&world.scope, clock.as_str())
            .await;
        assert!(gone.is_err());
        let update = CustomerUpdate::default();
        let dead = world
            .engine
            .update_customer(&world.scope, &customer, update)
            .await;
        assert!(dead.is_err());
    })
    .await;
}
