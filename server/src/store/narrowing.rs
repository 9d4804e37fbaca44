//! What lists are narrowed by beside the columns of a row's own: the prices of subscriptions. And what
//! rows of older installations lack.

use perennial::invoice::Invoice;
use perennial::subscription::{CollectionMethod, Item, Subscription};
use sqlx::{AnyConnection, Row};

use super::document::{self, Column, Stored};
use super::writes::Table;
use super::{Scope, StoreError, key};

/// Subscriptions by price. A price that goes stays as one that was there.
pub static TABLE: Table = Table {
    name: "subscription_price",
    columns: &["price", "subscription", "present"],
    after: "on conflict (merchant, livemode, price, subscription) \
            do update set present = excluded.present",
};

/// How many rows a filter may name to be found by them; with more, a list is walked in its order, where
/// they are not far apart.
pub const FEW: i64 = 2_000;

/// A filter that may name few rows of many, or many.
#[derive(Clone, Copy, Debug)]
pub enum Choosy<'a> {
    /// Subscriptions with a price.
    Price(&'a str),
    /// Subscriptions of which the earliest end of a running period is within these bounds, in seconds.
    PeriodEnd(i64, i64),
    /// Subscriptions of which the latest start of a running period is.
    PeriodStart(i64, i64),
    /// Invoices whose due date is.
    DueDate(i64, i64),
}

impl Choosy<'_> {
    /// Whether it names at most [`FEW`] rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_few(
        self,
        connection: &mut AnyConnection,
        scope: &Scope,
    ) -> Result<bool, StoreError> {
        let sql = match self {
            Self::Price(_) => {
                "select count(*) as n from (select 1 as one from subscription_price \
                 where merchant = $1 and livemode = $2 and price = $4 and present = 1 \
                 limit cast($3 as bigint)) as few"
            }
            Self::PeriodEnd(..) => {
                "select count(*) as n from (select 1 as one from subscription \
                 where merchant = $1 and livemode = $2 and period_end >= $4 and period_end < $5 \
                 limit cast($3 as bigint)) as few"
            }
            Self::PeriodStart(..) => {
                "select count(*) as n from (select 1 as one from subscription \
                 where merchant = $1 and livemode = $2 and period_start >= $4 and period_start < $5 \
                 limit cast($3 as bigint)) as few"
            }
            Self::DueDate(..) => {
                "select count(*) as n from (select 1 as one from invoice \
                 where merchant = $1 and livemode = $2 and due_date is not null \
                 and due_date >= $4 and due_date < $5 limit cast($3 as bigint)) as few"
            }
        };
        let query = sqlx::query(sql)
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(FEW.saturating_add(1));
        let query = match self {
            Self::Price(price) => query.bind(price.to_owned()),
            Self::PeriodEnd(from, until)
            | Self::PeriodStart(from, until)
            | Self::DueDate(from, until) => query.bind(from).bind(until),
        };
        let found: i64 = query.fetch_one(connection).await?.try_get("n")?;
        Ok(found <= FEW)
    }
}

/// Some sent invoices, of any merchants, whose day is not noted beside them: what an older installation
/// has.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn invoices_without_day(
    connection: &mut AnyConnection,
    most: i64,
) -> Result<Vec<(Scope, Stored<Invoice>)>, StoreError> {
    let rows = sqlx::query(
        "select merchant, livemode, body, revision, sort from invoice \
         where collection_method = 'send_invoice' and due_date is null \
         and body not like '%\"due_date\":null%' limit cast($1 as bigint)",
    )
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((key::scope(row)?, document::decode(row)?)))
        .collect()
}

/// The rows of the prices that a subscription has now and had not before, or the other way round.
#[must_use]
pub fn cells(before: Option<&Subscription>, own: &Subscription) -> Vec<Vec<Column>> {
    let known = before.map_or(&[][..], |before| &before.items);
    let has =
        |items: &[Item], price: &str| items.iter().any(|item| item.price.id.as_str() == price);
    let row = |price: &str, present: i64| {
        vec![
            Column::text(price),
            Column::text(&own.id),
            Column::Number(Some(present)),
        ]
    };
    let mut rows = Vec::new();
    let mut noted: Vec<&str> = Vec::new();
    for item in own.items.iter().chain(known) {
        let price = item.price.id.as_str();
        if noted.contains(&price) {
            continue;
        }
        noted.push(price);
        let (was, is) = (has(known, price), has(&own.items, price));
        if was != is {
            rows.push(row(price, i64::from(is)));
        }
    }
    rows
}

/// Stripe's name of it.
fn collection_name(method: CollectionMethod) -> &'static str {
    match method {
        CollectionMethod::ChargeAutomatically => "charge_automatically",
        CollectionMethod::SendInvoice => "send_invoice",
    }
}

/// The columns by which subscriptions are narrowed: `collection_method`, `period_start`, `period_end`.
#[must_use]
pub fn subscription_columns(own: &Subscription) -> [Column; 3] {
    let starts = own.items.iter().map(|item| item.current_period.start);
    [
        Column::text(collection_name(own.collection_method)),
        Column::moment(starts.max()),
        Column::moment(own.period_end()),
    ]
}

/// The columns by which invoices are narrowed: `collection_method`, `due_date`.
#[must_use]
pub fn invoice_columns(own: &Invoice) -> [Column; 2] {
    [
        Column::text(collection_name(own.collection_method)),
        Column::moment(own.due_date),
    ]
}

/// Notes the columns of a subscription that is older than they are. Its revision stays: nothing about it
/// has changed.
///
/// # Errors
/// When the database fails.
pub async fn note_subscription(
    connection: &mut AnyConnection,
    scope: &Scope,
    own: &Stored<Subscription>,
) -> Result<(), StoreError> {
    let sql = "update subscription set collection_method = $5, period_start = $6, period_end = $7 \
               where merchant = $1 and livemode = $2 and id = $3 and revision = $4";
    let id = own.id.as_str();
    note(
        connection,
        scope,
        sql,
        (id, own.revision),
        subscription_columns(own),
    )
    .await
}

/// Notes the columns of an invoice that is older than they are.
///
/// # Errors
/// When the database fails.
pub async fn note_invoice(
    connection: &mut AnyConnection,
    scope: &Scope,
    own: &Stored<Invoice>,
) -> Result<(), StoreError> {
    let sql = "update invoice set collection_method = $5, due_date = $6 \
               where merchant = $1 and livemode = $2 and id = $3 and revision = $4";
    let id = own.id.as_str();
    note(
        connection,
        scope,
        sql,
        (id, own.revision),
        invoice_columns(own),
    )
    .await
}

async fn note<const N: usize>(
    connection: &mut AnyConnection,
    scope: &Scope,
    sql: &'static str,
    (id, revision): (&str, i64),
    columns: [Column; N],
) -> Result<(), StoreError> {
    let mut query = sqlx::query(sql)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(id)
        .bind(revision);
    for column in columns {
        query = match column {
            Column::Text(text) => query.bind(text),
            Column::Number(number) => query.bind(number),
        };
    }
    query.execute(connection).await?;
    Ok(())
}
