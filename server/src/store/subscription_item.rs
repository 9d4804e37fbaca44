//! Which subscription an item is of. The items themselves are in the subscriptions.

use perennial::subscription::Subscription;
use sqlx::{AnyConnection, Row};

use super::document::Column;
use super::writes::Table;
use super::{Scope, StoreError, key};

/// Items with their subscriptions. Rows are only added.
pub static TABLE: Table = Table {
    name: "subscription_item",
    columns: &["id", "subscription", "customer"],
    after: "on conflict do nothing",
};

/// The rows of the items that a subscription has now and had not before.
#[must_use]
pub fn cells(before: Option<&Subscription>, own: &Subscription) -> Vec<Vec<Column>> {
    let known = before.map_or(&[][..], |before| &before.items);
    let fresh = own
        .items
        .iter()
        .filter(|item| known.iter().all(|other| other.id != item.id));
    fresh
        .map(|item| {
            vec![
                Column::text(&item.id),
                Column::text(&own.id),
                Column::text(&own.customer),
            ]
        })
        .collect()
}

/// The id of the subscription that an item is, or was, of.
///
/// # Errors
/// When the database fails.
pub async fn subscription_of(
    connection: &mut AnyConnection,
    scope: &Scope,
    item: &str,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "select subscription from subscription_item \
         where merchant = $1 and livemode = $2 and id = $3",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(item)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.try_get("subscription")).transpose()?)
}

/// One merchant's mode whose items are not all noted, with the last subscription that is done.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn opening(
    connection: &mut AnyConnection,
) -> Result<Option<(Scope, String)>, StoreError> {
    let row = sqlx::query(
        "select merchant, livemode, subscription from subscription_item_opening \
         order by merchant, livemode limit 1",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((key::scope(&row)?, row.try_get("subscription")?)))
}

/// Notes how far it has come; `None` when all is done.
///
/// # Errors
/// [`StoreError::Conflict`] when another process has done this part.
pub async fn opened(
    connection: &mut AnyConnection,
    scope: &Scope,
    before: &str,
    after: Option<&str>,
) -> Result<(), StoreError> {
    let sql = match after {
        Some(_) => {
            "update subscription_item_opening set subscription = $4 \
             where merchant = $1 and livemode = $2 and subscription = $3"
        }
        None => {
            "delete from subscription_item_opening \
             where merchant = $1 and livemode = $2 and subscription = $3"
        }
    };
    let mut query = sqlx::query(sql)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(before);
    if let Some(after) = after {
        query = query.bind(after);
    }
    match query.execute(connection).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Conflict {
            kind: "subscription item opening",
            id: scope.merchant.to_string(),
        }),
    }
}
