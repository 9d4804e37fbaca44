//! Which customers' usage may reach a threshold.

use perennial::subscription::Subscription;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::document::Column;
use super::writes::Table;
use super::{Scope, StoreError};

/// Customers that one statement asks for.
const CUSTOMERS_MAX: usize = 64;

/// Subscriptions with thresholds. Rows are only added: one without a threshold any more is found to
/// have none when it is looked at.
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
