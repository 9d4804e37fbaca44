//! The rows of the double-entry ledger.

use perennial::ledger::{Account, Transfer};
use sqlx::AnyConnection;

use super::document::is_unique;
use super::{Scope, Store, StoreError};

/// Rows that one statement writes.
const ROWS_MAX: usize = 50;
/// Values of one row beside merchant and mode.
const COLUMNS: usize = 10;

/// Writes transfers, fifty with each statement.
///
/// # Errors
/// [`StoreError::Conflict`] when another process wrote about the same document at the same moment.
pub async fn append(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    transfers: &[Transfer],
) -> Result<(), StoreError> {
    for transfers in transfers.chunks(ROWS_MAX) {
        let rows: Vec<String> = (0..transfers.len()).map(places).collect();
        let sql = format!(
            "insert into ledger_transfer (merchant, livemode, document, sort, debit, credit, amount, \
             currency, cause, object, customer, at) values {}",
            rows.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(scope.merchant.as_str())
            .bind(scope.mode());
        for own in transfers {
            query = query
                .bind(document(own))
                .bind(store.sort(own.at))
                .bind(own.debit.number())
                .bind(own.credit.number())
                .bind(own.amount_minor)
                .bind(own.currency.lower())
                .bind(own.cause.number())
                .bind(own.object.as_deref())
                .bind(moves_balance(own).then(|| own.customer.as_str()))
                .bind(own.at.0);
        }
        if let Err(error) = query.execute(&mut *connection).await {
            let id = transfers.first().map(document).unwrap_or_default();
            return Err(match is_unique(&error) {
                true => StoreError::Conflict {
                    kind: "ledger transfer",
                    id: id.to_owned(),
                },
                false => error.into(),
            });
        }
    }
    Ok(())
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

/// The placeholders of one row: `($1, $2, $3, …)`.
fn places(row: usize) -> String {
    let first = 3 + row * COLUMNS;
    let names: Vec<String> = (first..first + COLUMNS).map(|n| format!("${n}")).collect();
    format!("($1, $2, {})", names.join(", "))
}
