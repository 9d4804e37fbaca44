//! Metered subscriptions that are due together: billed in one go, each what was used of it.

use perennial::catalog::Price;
use perennial::id::{CustomerId, SubscriptionId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::usage::Formula;
use sqlx::Row as _;

use super::metered::{decimal, metered, subscribe, used};
use super::metering::meter;
use super::world::{START, World, after, at};
use crate::store::tests::both;
use perennial::pricing::Pricing;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// Customers who are due together.
const CUSTOMERS: i64 = 6;

struct Both {
    world: World,
    owners: Vec<(CustomerId, SubscriptionId)>,
}

/// Customers with a metered subscription each; the first has two, by the same meter.
async fn begun(world: World) -> Both {
    let meter = meter(&world, "calls", Formula::Sum).await;
    let price: Price = metered(&world, &meter, Pricing::per_unit(decimal("10"))).await;
    let mut owners = Vec::new();
    for _ in 0..CUSTOMERS {
        let customer = world.customer_with("pm_card_visa").await;
        let id = subscribe(&world, &customer, &[&price]).await;
        owners.push((customer, id));
    }
    let first = owners[0].0.clone();
    let second = subscribe(&world, &first, &[&price]).await;
    owners.push((first, second));
    Both { world, owners }
}

impl Both {
    /// What each subscription's latest invoice takes, and whether it is paid.
    async fn billed(&self) -> Vec<(i64, InvoiceStatus)> {
        let mut billed = Vec::new();
        for (_, id) in &self.owners {
            let invoice: Invoice = self.world.latest(id).await.value;
            billed.push((invoice.totals.total_minor, invoice.status));
        }
        billed
    }

    /// How many transactions told of something.
    async fn groups(&self) -> i64 {
        let mut read = self.world.engine.store.read().await.unwrap();
        let row = sqlx::query("select count(*) as n from event_group")
            .fetch_one(&mut *read)
            .await
            .unwrap();
        row.get("n")
    }

    /// Usage of each customer at a moment: its number times `times`.
    async fn use_of_each(&self, name: &str, moment: perennial::calendar::Timestamp, times: i64) {
        for (n, (customer, _)) in self.owners.iter().take(6).enumerate() {
            let n = i64::try_from(n).unwrap() + 1;
            let (id, value) = (format!("{name} {n}"), (n * times).to_string());
            used(&self.world, customer, &id, moment, &value).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_are_due_at_once_bill_each_its_own_usage_in_one_transaction() {
    both(|store| async move {
        let own = begun(World::new(store).await).await;
        let (world, end) = (&own.world, at(2026, 2, 28));
        world.clock.advance_to(after(START, DAY));
        own.use_of_each("early", after(START, DAY), 1).await;
        world.clock.advance_to(end);
        let before = own.groups().await;
        world.sweep().await;
        let drafted = own.groups().await - before;
        assert!(
            drafted <= 2,
            "{drafted} transactions drafted seven invoices"
        );
        // What comes while they are drafts is billed on them.
        world.clock.advance_to(after(end, HOUR / 2));
        own.use_of_each("late", after(end, -HOUR), 10).await;
        world.clock.advance_to(after(end, 2 * HOUR));
        let before = own.groups().await;
        world.sweep().await;
        let paid = own.groups().await - before;
        assert!(paid <= 4, "{paid} transactions finalised and charged");
        let one = |n: i64| (n * 110, InvoiceStatus::Paid);
        let wanted = [1, 2, 3, 4, 5, 6, 1].map(one);
        assert_eq!(own.billed().await, wanted);
        // What comes after that is owed, and stands on the next ones, once.
        world.clock.advance_to(after(end, DAY));
        own.use_of_each("too late", after(end, -HOUR), 100).await;
        world.live_until(after(at(2026, 3, 31), 2 * HOUR)).await;
        let one = |n: i64| (n * 1_000, InvoiceStatus::Paid);
        assert_eq!(own.billed().await, [1, 2, 3, 4, 5, 6, 1].map(one));
        world.live_until(after(at(2026, 4, 30), 2 * HOUR)).await;
        let nothing = [(0, InvoiceStatus::Paid); 7];
        assert_eq!(own.billed().await, nothing);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_window_they_are_billed_and_charged_at_once() {
    both(|store| async move {
        let own = begun(World::new(store).await).await;
        let (world, end) = (&own.world, at(2026, 2, 28));
        let id = &world.scope.merchant;
        let update = world
            .engine
            .update_merchant(id, |own| own.draft_seconds = 0);
        update.await.unwrap();
        world.clock.advance_to(after(START, DAY));
        own.use_of_each("early", after(START, DAY), 7).await;
        world.clock.advance_to(end);
        let before = own.groups().await;
        world.sweep().await;
        let told = own.groups().await - before;
        assert!(told <= 4, "{told} transactions for seven invoices");
        let one = |n: i64| (n * 70, InvoiceStatus::Paid);
        assert_eq!(own.billed().await, [1, 2, 3, 4, 5, 6, 1].map(one));
        let mut read = world.engine.store.read().await.unwrap();
        let row = sqlx::query("select count(*) as n from usage_span where draft is not null")
            .fetch_one(&mut *read)
            .await
            .unwrap();
        assert_eq!(row.get::<i64, _>("n"), 0, "none stands on a draft");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_that_were_missed_are_billed_one_after_another() {
    both(|store| async move {
        let own = begun(World::new(store).await).await;
        let world = &own.world;
        world.clock.advance_to(after(START, DAY));
        own.use_of_each("january", after(START, DAY), 1).await;
        world.clock.advance_to(after(at(2026, 2, 28), DAY));
        own.use_of_each("march", after(at(2026, 2, 28), DAY), 2)
            .await;
        // Nobody worked for two months.
        world.live_until(after(at(2026, 4, 30), 2 * HOUR)).await;
        for (n, (customer, _)) in own.owners.iter().take(6).enumerate() {
            let n = i64::try_from(n).unwrap() + 1;
            let mut totals: Vec<i64> = world
                .invoices(customer)
                .await
                .iter()
                .map(|own| own.totals.total_minor)
                .filter(|total| *total > 0)
                .collect();
            totals.sort_unstable();
            let wanted = match n {
                1 => vec![10, 10, 20, 20],
                n => vec![n * 10, n * 20],
            };
            assert_eq!(totals, wanted, "customer {n}");
        }
    })
    .await;
}
