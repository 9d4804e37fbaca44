//! Which customer a tax id is of. The tax ids themselves are in the customers.

use perennial::customer::Customer;
use sqlx::AnyConnection;

use super::document::Column;
use super::owners::Owners;
use super::writes::{Table, Writes};
use super::{Scope, Store, StoreError};

/// Tax ids with their customers. Rows are only added.
pub static TABLE: Table = Table {
    name: "customer_tax_id",
    columns: &["id", "customer"],
    after: "on conflict do nothing",
};

/// Finds the customer of a tax id.
pub static OWNERS: Owners = Owners {
    table: "customer_tax_id",
    owner: "customer",
    opening: "customer_tax_id_opening",
    done: "done_until",
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
