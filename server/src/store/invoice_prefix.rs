//! Whose the beginnings of invoice numbers are, so that no two customers count with the same.

use std::collections::HashMap;

use perennial::customer::Customer;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::document::{Column, Stored};
use super::owners::Owners;
use super::writes::{Table, Writes};
use super::{Scope, Store, StoreError};

/// Prefixes with their customers, for many at once: who came first keeps theirs.
static TABLE: Table = Table {
    name: "invoice_prefix",
    columns: &["id", "customer"],
    after: "on conflict do nothing",
};

/// Finds the customer of a prefix.
pub static OWNERS: Owners = Owners {
    table: "invoice_prefix",
    owner: "customer",
    opening: "invoice_prefix_opening",
    done: "done_until",
};

/// Gives a prefix (`$3`) to a customer (`$4`), who may have it already. Touches no row where it is
/// another's.
pub const TAKE: &str = "insert into invoice_prefix (merchant, livemode, id, customer) \
     values ($1, $2, $3, $4) on conflict (merchant, livemode, id) do update \
     set customer = excluded.customer where invoice_prefix.customer = excluded.customer";
/// Lets nobody use a prefix (`$3`) any more.
pub const CLOSE: &str = "update invoice_prefix set customer = '' \
     where merchant = $1 and livemode = $2 and id = $3";
/// Invoices of a customer (`$3`) whose numbers are like `$4`.
const NUMBERED: &str = "select cast(count(*) as bigint) as n from invoice \
     where merchant = $1 and livemode = $2 and customer = $3 and number is not null \
     and number like $4";

/// The cells of [`TAKE`].
#[must_use]
pub fn cells(customer: &Customer) -> Vec<Column> {
    vec![
        Column::text(&customer.invoice_prefix),
        Column::text(&customer.id),
    ]
}

/// Notes the prefixes of customers from before there was this table; answers with those whose prefix is
/// somebody else's.
///
/// # Errors
/// When the database fails.
pub async fn note(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    customers: Vec<Stored<Customer>>,
) -> Result<Vec<Stored<Customer>>, StoreError> {
    if customers.is_empty() {
        return Ok(customers);
    }
    let mut writes = Writes::new(scope);
    for own in &customers {
        writes.add(&TABLE, cells(own));
    }
    writes.write(store, &mut *connection).await?;
    let places: Vec<String> = (0..customers.len())
        .map(|place| format!("${}", place + 3))
        .collect();
    let sql = format!(
        "select id, customer from invoice_prefix where merchant = $1 and livemode = $2 and id in ({})",
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode());
    for own in &customers {
        query = query.bind(own.invoice_prefix.as_str());
    }
    let mut owners: HashMap<String, String> = HashMap::new();
    for row in &query.fetch_all(connection).await? {
        owners.insert(row.try_get("id")?, row.try_get("customer")?);
    }
    let is_theirs = |own: &Stored<Customer>| {
        let owner = owners.get(&own.invoice_prefix);
        owner.is_none_or(|owner| owner != own.id.as_str())
    };
    Ok(customers.into_iter().filter(is_theirs).collect())
}

/// Whether invoices of a customer have numbers with its prefix.
///
/// # Errors
/// When the database fails.
pub async fn is_in_use(
    connection: &mut AnyConnection,
    scope: &Scope,
    customer: &Customer,
) -> Result<bool, StoreError> {
    // A prefix has letters and digits only, none of which means anything to `like`.
    let beginning = format!("{}-%", customer.invoice_prefix);
    let row = sqlx::query(NUMBERED)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(customer.id.as_str())
        .bind(beginning)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<i64, _>("n")? > 0)
}
