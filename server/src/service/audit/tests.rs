//! The audit holds after ordinary business, and finds what is amiss.

use perennial::calendar::Cadence;
use perennial::currency::Currency;
use perennial::invoice::InvoiceStatus;
use perennial::metadata::Metadata;

use super::ExceptionKind;
use crate::service::tests::world::{START, World, after, at};
use crate::store::tests::both;

const DAY: i64 = 86_400;

/// Some business: paid, declined, written off and paid late, voided, balances in both directions.
async fn business(store: crate::store::Store) -> World {
    let (world, good, _) = World::with_one(store, "pm_card_visa").await;
    let (engine, scope) = (&world.engine, &world.scope);
    let price = world.price(2_000, Cadence::MONTHLY).await;
    let credit = (-1_500, Currency::USD);
    engine
        .adjust_balance(scope, &good, credit, None, Metadata::default())
        .await
        .unwrap();
    let bad = world.customer_with("pm_card_visa").await;
    world.subscribe(&bad, &price).await;
    let gone = world.customer_with("pm_card_visa").await;
    world.subscribe(&gone, &price).await;
    world.card(&bad, "pm_card_chargeCustomerFail").await;
    world.card(&gone, "pm_card_chargeCustomerFail").await;
    let small = world.customer_with("pm_card_visa").await;
    let cheap = world.price(20, Cadence::MONTHLY).await;
    world.subscribe(&small, &cheap).await;
    world.live_until(at(2026, 3, 1)).await;
    for (customer, void) in [(&bad, false), (&gone, true)] {
        for invoice in world.invoices(customer).await {
            if invoice.status != InvoiceStatus::Open {
                continue;
            }
            match void {
                true => engine.void_invoice(scope, &invoice.id).await.unwrap(),
                false => engine.mark_uncollectible(scope, &invoice.id).await.unwrap(),
            };
        }
    }
    world.live_until(after(at(2026, 3, 1), 5 * DAY)).await;
    world.card(&bad, "pm_card_visa").await;
    for invoice in world.invoices(&bad).await {
        if invoice.status == InvoiceStatus::Uncollectible {
            world.pay(&invoice.id, None).await.unwrap();
        }
    }
    world.live_until(at(2026, 4, 15)).await;
    world
}

async fn run(world: &World, sql: &'static str) {
    let mut tx = world.engine.store.begin().await.unwrap();
    sqlx::query(sql).execute(tx.connection()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_business_is_explained_to_the_last_unit() {
    both(|store| async move {
        let world = business(store).await;
        let audit = world.engine.audit(&world.scope).await.unwrap();
        assert_eq!(audit.exceptions, [], "{audit:?}");
        assert!(audit.holds());
        let book = &audit.books[&Currency::USD];
        assert_eq!(book.explained_minor, book.moved_minor);
        assert!(book.moved_minor > 10_000, "{book:?}");
        assert_eq!(book.explained_share(), 10_000);
        assert_eq!(audit.customers, 4);
        assert_eq!(audit.subscriptions, 4);
        assert!(audit.periods >= 10, "{audit:?}");
        assert!(world.engine.now() > START);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_amiss_is_named() {
    use ExceptionKind::{Account, Balance, Ledger, Orphan, Payment, Period};
    let amiss: &[(&str, &[ExceptionKind])] = &[
        (
            "update ledger_transfer set amount = amount + 1 where cause = 3",
            &[Account, Ledger],
        ),
        (
            "update customer set body = replace(body, '\"balance_minor\":0', '\"balance_minor\":7')",
            &[Balance],
        ),
        (
            "update payment_intent set body = replace(body, '\"succeeded\"', '\"canceled\"')",
            &[Account, Ledger, Payment],
        ),
        (
            "update ledger_transfer set document = 'in_elsewhere' where cause = 1",
            &[Ledger, Orphan],
        ),
        (
            "update invoice set body = replace(body, '\"recurring\"', '\"one_time\"') \
             where body like '%subscription_cycle%'",
            &[Period],
        ),
    ];
    for (sql, kinds) in amiss {
        both(|store| async move {
            let world = business(store).await;
            run(&world, sql).await;
            let audit = world.engine.audit(&world.scope).await.unwrap();
            assert!(!audit.holds(), "{sql}");
            for kind in *kinds {
                let found = audit.exceptions.iter().any(|own| own.kind == *kind);
                assert!(found, "{sql}: no {kind:?} in {:?}", audit.exceptions);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_ledger_is_booked_once() {
    both(|store| async move {
        let world = business(store).await;
        let before = world.engine.audit(&world.scope).await.unwrap();
        run(&world, "delete from ledger_transfer").await;
        let without = world.engine.audit(&world.scope).await.unwrap();
        assert!(!without.holds());
        let sql = "insert into ledger_opening (merchant, livemode, invoice, customer) \
                   select distinct merchant, livemode, '', '' from invoice";
        run(&world, sql).await;
        let (one, other) = (world.engine.clone(), world.engine.clone());
        let (one, other) = tokio::join!(one.open_ledger(), other.open_ledger());
        one.unwrap();
        other.unwrap();
        let audit = world.engine.audit(&world.scope).await.unwrap();
        assert_eq!(audit, before);
    })
    .await;
}
