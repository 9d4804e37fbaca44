//! Which customer a tax id is of. The tax ids themselves are in the customers.

use perennial::customer::Customer;
use sqlx::{AnyConnection, Row};

use super::document::Column;
use super::writes::{Table, Writes};
use super::{Scope, Store, StoreError, key};

/// Tax ids with their customers. Rows are only added.
pub static TABLE: Table = Table {
    name: "customer_tax_id",
    columns: &["id", "customer"],
    after: "on conflict do nothing",
};

/// The rows of the tax ids that a customer has now and had not before.
#[must_use]
pub fn cells(before: Option<&Customer>, own: &Customer) -> Vec<Vec<Column>> {
    let known = before.map_or(&[][..], |before| &before.tax_ids);
    let fresh = own
        .tax_ids
        .iter()
        .filter(|tax| known.iter().all(|other| other.id != tax.id));
    fresh
        .map(|tax| vec![Column::text(&tax.id), Column::text(&own.id)])
        .collect()
}

/// Notes a customer's new tax ids, for those who write the customer without a booking.
///
/// # Errors
/// When the database fails.
pub async fn note(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    (before, own): (&Customer, &Customer),
) -> Result<(), StoreError> {
    let fresh = cells(Some(before), own);
    if fresh.is_empty() {
        return Ok(());
    }
    let mut writes = Writes::new(scope);
    for cells in fresh {
        writes.add(&TABLE, cells);
    }
    writes.write(store, connection).await
}

/// The id of the customer whose tax id it is, or was.
///
/// # Errors
/// When the database fails.
pub async fn customer_of(
    connection: &mut AnyConnection,
    scope: &Scope,
    tax_id: &str,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "select customer from customer_tax_id \
         where merchant = $1 and livemode = $2 and id = $3",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(tax_id)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.try_get("customer")).transpose()?)
}

/// One merchant's mode whose tax ids are not all noted, with the last customer that is done.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn opening(
    connection: &mut AnyConnection,
) -> Result<Option<(Scope, String)>, StoreError> {
    let row = sqlx::query(
        "select merchant, livemode, done_until from customer_tax_id_opening \
         order by merchant, livemode limit 1",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((key::scope(&row)?, row.try_get("done_until")?)))
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
            "update customer_tax_id_opening set done_until = $4 \
             where merchant = $1 and livemode = $2 and done_until = $3"
        }
        None => {
            "delete from customer_tax_id_opening \
             where merchant = $1 and livemode = $2 and done_until = $3"
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
            kind: "customer tax id opening",
            id: scope.merchant.to_string(),
        }),
    }
}
