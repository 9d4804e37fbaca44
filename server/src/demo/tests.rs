//! The demo, lived through on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::invoice::{Invoice, InvoiceStatus, Line, LineKind};
use perennial::subscription::{Status, Subscription};

use super::people::{ANA, ARCWELL, JONAS, KESSLER, LIN, MAYA, PRIYA, TOM};
use crate::clock::{MovingClock, SystemEntropy};
use crate::gateway::sandbox::Sandbox;
use crate::service::Engine;
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::tests::both;
use crate::store::{Scope, Store, key, nouns};

/// 2026-11-21 22:00:00 UTC, and days that end months.
const MOMENTS: [i64; 2] = [1_795_298_400, 1_740_830_400];

fn engine(store: &Store, now: i64) -> Engine {
    let (clock, entropy) = (MovingClock::new(Timestamp(now)), Arc::new(SystemEntropy));
    let bank = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), [1; 32]);
    Engine::new(store.clone(), Arc::new(bank), clock, entropy)
}

async fn all<T: document::Document>(
    engine: &Engine,
    scope: &Scope,
    sql: document::ListSql,
    filter: &[Column],
) -> Vec<Stored<T>> {
    let mut connection = engine.store.read().await.unwrap();
    let page = PageRequest::first(100);
    document::list(&mut connection, scope, sql, &page, filter)
        .await
        .unwrap()
        .rows
}

#[tokio::test(flavor = "multi_thread")]
async fn it_looks_like_a_business_and_is_made_once() {
    for now in MOMENTS {
        both(|store| async move {
            let engine = engine(&store, now);
            let report = super::open(&engine, "http://127.0.0.1:3000").await.unwrap();
            assert_eq!(report.links.len(), 12);
            let scope = Scope {
                merchant: report.merchant.clone(),
                livemode: false,
            };
            let customers: Vec<Stored<Customer>> =
                all(&engine, &scope, nouns::CUSTOMERS, &[]).await;
            assert_eq!(customers.len(), 12);
            let mut people = BTreeMap::new();
            for customer in &customers {
                let filter = [Column::text(&customer.id)];
                let own: Vec<Stored<Subscription>> =
                    all(&engine, &scope, nouns::SUBSCRIPTIONS_BY_CUSTOMER, &filter).await;
                let invoices: Vec<Stored<Invoice>> =
                    all(&engine, &scope, nouns::INVOICES_BY_CUSTOMER, &filter).await;
                assert_eq!(own.len(), 1);
                let key = customer.email.clone().unwrap();
                people.insert(key, (customer.clone(), own[0].value.clone(), invoices));
            }
            let (_, maya, invoices) = &people[MAYA];
            assert_eq!(maya.status, Status::Active);
            assert!(invoices.len() >= 15, "{}", invoices.len());
            let old = |own: &&Stored<Invoice>| own.status == InvoiceStatus::Paid;
            assert!(invoices.iter().filter(old).count() >= invoices.len() - 1);
            assert_eq!(people[TOM].1.status, Status::PastDue);
            assert!(
                people[TOM]
                    .2
                    .iter()
                    .any(|own| own.status == InvoiceStatus::Open)
            );
            assert_eq!(people[PRIYA].1.status, Status::Trialing);
            assert!(people[ANA].1.cancel_at.is_some());
            assert!(people[LIN].1.scheduled_change.is_some());
            assert_eq!(people[ARCWELL].1.items.len(), 3);
            assert!(people[JONAS].1.items[0].quantity == 5);
            // What ran is billed month by month, and there is something to see of the running one.
            let billed = people[ARCWELL].2.iter().filter(|own| {
                let usage = |line: &&Line| line.kind == LineKind::Usage;
                own.lines
                    .iter()
                    .filter(usage)
                    .any(|line| line.quantity.is_some_and(|runs| runs > 1_500))
            });
            assert!(billed.count() >= 10);
            let arcwell = &people[ARCWELL].1;
            let metered = engine
                .metered(&scope, arcwell, Timestamp(now))
                .await
                .unwrap();
            assert!(!metered.usage[0].quantity.is_zero());
            let reverse = people[KESSLER]
                .2
                .iter()
                .all(|own| own.totals.tax_exclusive_minor == 0);
            assert!(reverse);
            // Nothing lies in the future or waits.
            for (_, own, invoices) in people.values() {
                assert!(own.next_due_at().is_none_or(|at| at.0 > now), "{own:?}");
                assert!(invoices.iter().all(|invoice| invoice.created.0 <= now));
            }

            let again = super::open(&engine, "http://127.0.0.1:3000").await.unwrap();
            assert_eq!(again.merchant, report.merchant);
            assert_eq!(
                again.api_key, report.api_key,
                "what was tried goes on working"
            );
            let mut connection = engine.store.read().await.unwrap();
            let found = key::scope_of_api_key(&mut connection, &again.api_key).await;
            assert_eq!(found.unwrap(), Some(scope.clone()));
            let keys = sqlx::query("select hash from api_key where merchant = $1")
                .bind(scope.merchant.as_str())
                .fetch_all(&mut *connection)
                .await
                .unwrap();
            drop(connection);
            assert_eq!(keys.len(), 1, "keys pile up");
            let hash: &str = sqlx::Row::get(&keys[0], "hash");
            assert!(!again.api_key.contains(hash), "kept as it is");
            let customers: Vec<Stored<Customer>> =
                all(&engine, &scope, nouns::CUSTOMERS, &[]).await;
            assert_eq!(customers.len(), 12);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_away_from_the_data_of_others() {
    both(|store| async move {
        crate::store::tests::scope(&store).await;
        let engine = engine(&store, MOMENTS[0]);
        let refused = super::open(&engine, "http://127.0.0.1:3000").await;
        assert!(
            matches!(refused, Err(super::DemoError::OthersData)),
            "{refused:?}"
        );
    })
    .await;
}
