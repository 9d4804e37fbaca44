//! The rows of the double-entry ledger.

use perennial::ledger::{Account, Transfer};
use sqlx::AnyConnection;

use super::document::Column;
use super::writes::{Table, Writes};
use super::{Scope, Store, StoreError};

/// Transfers as rows that are added.
pub static TABLE: Table = Table {
    name: "ledger_transfer",
    columns: &[
        "document", "sort", "debit", "credit", "amount", "currency", "cause", "object", "customer",
        "at",
    ],
    after: "",
};

/// A transfer as a row of [`TABLE`].
#[must_use]
pub fn cells(store: &Store, own: &Transfer) -> Vec<Column> {
    let customer = moves_balance(own).then(|| own.customer.to_string());
    vec![
        Column::Text(Some(document(own).to_owned())),
        Column::Number(Some(store.sort(own.at))),
        Column::Number(Some(own.debit.number())),
        Column::Number(Some(own.credit.number())),
        Column::Number(Some(own.amount_minor)),
        Column::Text(Some(own.currency.lower().to_owned())),
        Column::Number(Some(own.cause.number())),
        Column::Text(own.object.as_ref().map(ToString::to_string)),
        Column::Text(customer),
        Column::Number(Some(own.at.0)),
    ]
}

/// Writes transfers.
///
/// # Errors
/// [`StoreError::Conflict`] when another process wrote about the same document at the same moment.
pub async fn append(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    transfers: &[Transfer],
) -> Result<(), StoreError> {
    let mut writes = Writes::new(scope);
    for own in transfers {
        writes.add(&TABLE, cells(store, own));
    }
    writes.write(store, connection).await
}

/// What a transfer is kept under.
fn document(transfer: &Transfer) -> &str {
    match &transfer.invoice {
        Some(invoice) => invoice.as_str(),
        None => transfer.customer.as_str(),
    }
}

fn moves_balance(transfer: &Transfer) -> bool {
    [transfer.debit, transfer.credit].contains(&Account::CustomerBalance)
}
