//! Which customers' usage may reach a threshold.

use perennial::calendar::Timestamp;
use perennial::id::TestClockId;
use perennial::subscription::Subscription;
use perennial::usage::HOUR_SECONDS;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::document::Column;
use super::writes::Table;
use super::{Scope, StoreError, key};

/// Customers that one statement asks for.
const CUSTOMERS_MAX: usize = 64;

/// Subscriptions with thresholds. Rows are added when a threshold is; one without a threshold any more
/// is found to have none when it is looked at, and one that is over is forgotten then.
pub static TABLE: Table = Table {
    name: "subscription_threshold",
    columns: &["customer", "subscription"],
    after: "on conflict do nothing",
};

/// The row of a subscription that has a threshold now and had none before.
#[must_use]
pub fn cells(before: Option<&Subscription>, own: &Subscription) -> Option<Vec<Column>> {
    let fresh = own.is_watched() && !before.is_some_and(Subscription::is_watched);
    fresh.then(|| vec![Column::text(&own.customer), Column::text(&own.id)])
}

/// The ids of these customers' subscriptions that may have a threshold.
///
/// # Errors
/// When the database fails.
pub async fn watched(
    connection: &mut AnyConnection,
    scope: &Scope,
    customers: &[&str],
) -> Result<Vec<String>, StoreError> {
    let any = sqlx::query(
        "select 1 from subscription_threshold where merchant = $1 and livemode = $2 limit 1",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .fetch_optional(&mut *connection)
    .await?;
    let mut found = Vec::new();
    if any.is_none() {
        return Ok(found);
    }
    let places: Vec<String> = (3..3 + CUSTOMERS_MAX).map(|n| format!("${n}")).collect();
    let sql = format!(
        "select subscription from subscription_threshold \
         where merchant = $1 and livemode = $2 and customer in ({})",
        places.join(", ")
    );
    for few in customers.chunks(CUSTOMERS_MAX) {
        let mut query = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(scope.merchant.as_str())
            .bind(scope.mode());
        for place in 0..CUSTOMERS_MAX {
            query = query.bind(few.get(place).copied().unwrap_or_default().to_owned());
        }
        for row in query.fetch_all(&mut *connection).await? {
            found.push(row.try_get("subscription")?);
        }
    }
    Ok(found)
}

/// The subscriptions that may have a threshold and whose customers follow a test clock, each after its
/// customer, from behind a pair of these on, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn of_clock(
    connection: &mut AnyConnection,
    scope: &Scope,
    clock: &TestClockId,
    after: &(String, String),
    limit: i64,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query(
        "select t.customer, t.subscription from subscription_threshold t \
         join customer c on c.merchant = t.merchant and c.livemode = t.livemode and c.id = t.customer \
         where t.merchant = $1 and t.livemode = $2 and c.test_clock = $3 \
         and (t.customer > $4 or (t.customer = $4 and t.subscription > $5)) \
         order by t.customer, t.subscription limit cast($6 as bigint)",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(clock.as_str())
    .bind(after.0.as_str())
    .bind(after.1.as_str())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |row| {
        let customer: String = Row::try_get(row, "customer")?;
        Ok((customer, Row::try_get(row, "subscription")?))
    };
    rows.iter().map(read).collect()
}

/// A place among the subscriptions with thresholds of all merchants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    merchant: String,
    livemode: i64,
    customer: String,
    subscription: String,
}

/// Subscriptions of all merchants that may have a threshold and whose customers used something since
/// a moment (the hour that it lies in counts whole), after a place, at most `limit`, each with its place.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn used_since(
    connection: &mut AnyConnection,
    after: &Place,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(Scope, String, Place)>, StoreError> {
    let rows = sqlx::query(
        "select s.merchant, s.livemode, s.customer, s.subscription from subscription_threshold s \
         where (s.merchant > $1 or (s.merchant = $1 and (s.livemode > $2 or (s.livemode = $2 \
              and (s.customer > $3 or (s.customer = $3 and s.subscription > $4)))))) \
         and exists (select 1 from meter_account a, meter_total t where a.merchant = s.merchant \
              and a.livemode = s.livemode and a.customer = s.customer and t.merchant = a.merchant \
              and t.livemode = a.livemode and t.account = a.account and t.step = $5 and t.start >= $6) \
         order by s.merchant, s.livemode, s.customer, s.subscription limit cast($7 as bigint)",
    )
    .bind(after.merchant.clone())
    .bind(after.livemode)
    .bind(after.customer.clone())
    .bind(after.subscription.clone())
    .bind(HOUR_SECONDS)
    .bind(since.0.saturating_sub(HOUR_SECONDS - 1))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |row| {
        let place = Place {
            merchant: Row::try_get(row, "merchant")?,
            livemode: Row::try_get(row, "livemode")?,
            customer: Row::try_get(row, "customer")?,
            subscription: Row::try_get(row, "subscription")?,
        };
        Ok((key::scope(row)?, place.subscription.clone(), place))
    };
    rows.iter().map(read).collect()
}

/// Forgets a subscription that is over: it can't reach a threshold any more.
///
/// # Errors
/// When the database fails.
pub async fn forget(
    connection: &mut AnyConnection,
    scope: &Scope,
    own: &Subscription,
) -> Result<(), StoreError> {
    sqlx::query(
        "delete from subscription_threshold \
         where merchant = $1 and livemode = $2 and customer = $3 and subscription = $4",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(own.customer.as_str())
    .bind(own.id.as_str())
    .execute(connection)
    .await?;
    Ok(())
}
