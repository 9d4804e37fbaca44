//! The physical limit: the rows that renewals left behind, inserted again into an empty database.

use std::time::{Duration, Instant};

use perennial::id::MerchantId;
use server::store::document::Column;
use server::store::writes::{Table, Writes};
use server::store::{Scope, Store};
use sqlx::{Column as _, Row, TypeInfo};

use crate::Database;
use crate::business::Business;

/// Renewals whose rows are inserted.
const SAMPLE: usize = 10_000;
/// Renewals in one transaction: as many as in a batch.
const BATCH: usize = 512;
/// The tables that a renewal writes to.
const TABLES: [&str; 7] = [
    "subscription",
    "invoice",
    "payment_intent",
    "sandbox_attempt",
    "ledger_transfer",
    "event_group",
    "event_kind",
];

/// How many renewals a second their rows could be inserted at.
pub async fn limit(database: &Database, business: &Business, renewals: usize) -> u128 {
    let url = database.fresh("raw").await;
    let store = Store::open(&url).await.unwrap();
    let scope = &business.scope;
    copy_merchant(business, &store).await;
    let sample = renewals.min(SAMPLE);
    let mut tables = Vec::new();
    for name in TABLES {
        tables.push(rows(business, name, renewals, sample).await);
    }
    let mut took = Duration::ZERO;
    let batches = sample.div_ceil(BATCH);
    for batch in 0..batches {
        let mut writes = Writes::new(scope);
        for (table, rows) in &mut tables {
            let each = rows.len().div_ceil(batches - batch);
            for cells in rows.drain(..each.min(rows.len())) {
                writes.add(table, cells);
            }
        }
        let start = Instant::now();
        let mut tx = store.begin().await.unwrap();
        writes.write(&store, tx.connection()).await.unwrap();
        tx.commit().await.unwrap();
        took += start.elapsed();
    }
    store.close().await;
    database.forget("raw").await;
    u128::try_from(sample).unwrap() * 1_000_000 / took.as_micros().max(1)
}

async fn copy_merchant(business: &Business, store: &Store) {
    let mut read = business.engine.store.read().await.unwrap();
    let id: &MerchantId = &business.scope.merchant;
    let merchant = server::store::key::load_merchant(&mut read, id)
        .await
        .unwrap()
        .unwrap();
    let mut tx = store.begin().await.unwrap();
    server::store::key::insert_merchant(store, tx.connection(), &merchant)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The newest rows of a table, as many as `sample` of `renewals` left.
async fn rows(
    business: &Business,
    name: &'static str,
    renewals: usize,
    sample: usize,
) -> (&'static Table, Vec<Vec<Column>>) {
    let Scope { merchant, .. } = &business.scope;
    let mut read = business.engine.store.read().await.unwrap();
    let order = match name {
        "sandbox_attempt" => "idempotency_key",
        _ => "sort",
    };
    let count = format!("select count(*) as n from {name}");
    let row = sqlx::query(sqlx::AssertSqlSafe(count)).fetch_one(&mut *read);
    let count: i64 = row.await.unwrap().get("n");
    let limit = usize::try_from(count).unwrap() * sample / renewals;
    let sql =
        format!("select * from {name} where merchant = $1 order by {order} desc limit {limit}");
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(merchant.as_str())
        .fetch_all(&mut *read)
        .await
        .unwrap();
    let mut columns: Vec<&'static str> = Vec::new();
    if let Some(row) = found.first() {
        let names = row.columns().iter().map(|column| column.name().to_owned());
        columns.extend(names.map(|name| &*Box::leak(name.into_boxed_str())));
    }
    let own = columns.iter().filter(|name| !is_scope(name));
    let table = Table {
        name,
        columns: Box::leak(own.copied().collect::<Vec<_>>().into_boxed_slice()),
        after: "",
    };
    let table: &'static Table = Box::leak(Box::new(table));
    let cells = found.iter().rev().map(|row| {
        let columns = columns
            .iter()
            .enumerate()
            .filter(|(_, name)| !is_scope(name));
        columns.map(|(at, _)| cell(row, at)).collect()
    });
    (table, cells.collect())
}

fn is_scope(name: &str) -> bool {
    name == "merchant" || name == "livemode"
}

fn cell(row: &sqlx::any::AnyRow, at: usize) -> Column {
    let kind = row.column(at).type_info().name().to_owned();
    match kind.as_str() {
        "TEXT" => Column::Text(row.get(at)),
        "NULL" => row
            .try_get::<Option<i64>, _>(at)
            .map_or_else(|_| Column::Text(row.get(at)), Column::Number),
        _ => Column::Number(row.get(at)),
    }
}
