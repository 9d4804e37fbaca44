//! The rows of the double-entry ledger.

use perennial::ledger::{Account, Transfer};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Row};

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

/// Documents that one step of an audit reads.
pub const STEP_ROWS: i64 = 100;

/// Invoices after `$3`, in the order of their ids, at most `$4`.
pub const INVOICES_AFTER: &str = "select body, revision, sort from invoice \
    where merchant = $1 and livemode = $2 and id > $3 order by id limit cast($4 as bigint)";
/// Customers after `$3`, in the order of their ids, at most `$4`.
pub const CUSTOMERS_AFTER: &str = "select body, revision, sort from customer \
    where merchant = $1 and livemode = $2 and id > $3 order by id limit cast($4 as bigint)";
/// Subscriptions after `$3`, in the order of their ids, at most `$4`.
pub const SUBSCRIPTIONS_AFTER: &str = "select body, revision, sort from subscription \
    where merchant = $1 and livemode = $2 and id > $3 order by id limit cast($4 as bigint)";
/// Payment intents of the invoices from `$3` to `$4`.
pub const INTENTS_BETWEEN: &str = "select body, revision, sort from payment_intent \
    where merchant = $1 and livemode = $2 and invoice >= $3 and invoice <= $4";
/// Payment intents of the customers from `$3` to `$4` whose money is held for no invoice yet.
pub const UNAPPLIED_BETWEEN: &str = "select body, revision, sort from payment_intent \
    where merchant = $1 and livemode = $2 and customer >= $3 and customer <= $4 \
    and unapplied is not null";
/// Credit notes of the invoices from `$3` to `$4`.
pub const CREDIT_NOTES_BETWEEN: &str = "select body, revision, sort from credit_note \
    where merchant = $1 and livemode = $2 and invoice >= $3 and invoice <= $4";
/// Refunds of the invoices from `$3` to `$4`.
pub const REFUNDS_BETWEEN: &str = "select body, revision, sort from refund \
    where merchant = $1 and livemode = $2 and invoice >= $3 and invoice <= $4";
/// Changes of the balances of the customers from `$3` to `$4`.
pub const BALANCES_BETWEEN: &str = "select body, revision, sort from balance_transaction \
    where merchant = $1 and livemode = $2 and customer >= $3 and customer <= $4 \
    order by customer, sort";
/// Invoices of the subscriptions from `$3` to `$4`.
pub const INVOICES_BETWEEN: &str = "select body, revision, sort from invoice \
    where merchant = $1 and livemode = $2 and subscription >= $3 and subscription <= $4";
/// Pending items of the subscriptions from `$3` to `$4`.
pub const ITEMS_BETWEEN: &str = "select body, revision, sort from invoice_item \
    where merchant = $1 and livemode = $2 and subscription >= $3 and subscription <= $4 \
    and invoice is null";
/// Spans of usage of the subscriptions from `$3` to `$4`, settled or not.
pub const SPANS_BETWEEN: &str = "select body, revision, sort from usage_span \
    where merchant = $1 and livemode = $2 and subscription >= $3 and subscription <= $4";
const MERCHANTS_AFTER: &str =
    "select id from merchant where id > $1 order by id limit cast($2 as bigint)";
const ACCOUNTS: &str = "select currency, debit, credit, cast(sum(amount) as bigint) as amount \
    from ledger_transfer where merchant = $1 and livemode = $2 group by currency, debit, credit";
const DOCUMENTS_BETWEEN: &str = "select document, currency, debit, credit, \
    cast(sum(amount) as bigint) as amount from ledger_transfer where merchant = $1 \
    and livemode = $2 and document >= $3 and document <= $4 \
    group by document, currency, debit, credit";
// 4 is `Account::CustomerBalance`.
const CUSTOMERS_BETWEEN: &str = "select customer, \
    cast(sum(case when debit = 4 then amount else -amount end) as bigint) as amount \
    from ledger_transfer where merchant = $1 and livemode = $2 and customer is not null \
    and customer >= $3 and customer <= $4 group by customer";
const ORPHANS: &str = "select distinct document from ledger_transfer l where merchant = $1 \
    and livemode = $2 and not exists (select 1 from invoice i where i.merchant = l.merchant \
    and i.livemode = l.livemode and i.id = l.document) and not exists (select 1 from customer c \
    where c.merchant = l.merchant and c.livemode = l.livemode and c.id = l.document) \
    order by document limit 100";

/// Sums of transfers between two accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The document that they are about; '' where it is about all.
    pub document: String,
    /// Lower case.
    pub currency: String,
    /// Where the money went.
    pub debit: Account,
    /// Where it came from.
    pub credit: Account,
    /// Minor units, above zero.
    pub amount_minor: i64,
}

/// Begins to read as of one moment, however much is written meanwhile. Dropping it ends it.
///
/// # Errors
/// When the database fails.
pub async fn snapshot(
    connection: &mut AnyConnection,
) -> Result<sqlx::Transaction<'_, sqlx::Any>, StoreError> {
    let postgres = connection.backend_name() == "PostgreSQL";
    let mut tx = connection.begin().await?;
    // An SQLite transaction sees one moment from its first statement on; Postgres must be asked.
    if postgres {
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx)
}

/// The ids of merchants after `$1`, in order.
///
/// # Errors
/// When the database fails.
pub async fn merchants(
    connection: &mut AnyConnection,
    after: &str,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(MERCHANTS_AFTER)
        .bind(after.to_owned())
        .bind(STEP_ROWS)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// All flows of a merchant's mode.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn accounts(
    connection: &mut AnyConnection,
    scope: &Scope,
) -> Result<Vec<Flow>, StoreError> {
    let rows = sqlx::query(ACCOUNTS)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| flow(row, String::new())).collect()
}

/// The flows about the documents from `first` to `last`, each with its document.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn between(
    connection: &mut AnyConnection,
    scope: &Scope,
    (first, last): (&str, &str),
) -> Result<Vec<Flow>, StoreError> {
    let rows = sqlx::query(DOCUMENTS_BETWEEN)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(first.to_owned())
        .bind(last.to_owned())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| flow(row, row.try_get("document")?))
        .collect()
}

/// What was moved on the balances of the customers from `first` to `last`, in minor units.
///
/// # Errors
/// When the database fails.
pub async fn balances(
    connection: &mut AnyConnection,
    scope: &Scope,
    (first, last): (&str, &str),
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query(CUSTOMERS_BETWEEN)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(first.to_owned())
        .bind(last.to_owned())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("customer")?, row.try_get("amount")?)))
        .collect()
}

/// Up to a hundred names of documents that transfers are about and that are not there.
///
/// # Errors
/// When the database fails.
pub async fn orphans(
    connection: &mut AnyConnection,
    scope: &Scope,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(ORPHANS)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok(row.try_get("document")?))
        .collect()
}

fn flow(row: &AnyRow, document: String) -> Result<Flow, StoreError> {
    let account = |name: &str| -> Result<Account, StoreError> {
        let number: i64 = row.try_get(name)?;
        Account::of_number(number).ok_or_else(|| StoreError::Unreadable {
            kind: "ledger transfer",
            id: document.clone(),
            reason: format!("there is no account {number}"),
        })
    };
    Ok(Flow {
        currency: row.try_get("currency")?,
        debit: account("debit")?,
        credit: account("credit")?,
        amount_minor: row.try_get("amount")?,
        document,
    })
}

/// How far the booking of documents that are older than the ledger has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Whose.
    pub scope: Scope,
    /// The last invoice that is done.
    pub invoice: String,
    /// The last customer that is done.
    pub customer: String,
}

/// One merchant's mode whose documents are not all booked, if there is any.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn opening(connection: &mut AnyConnection) -> Result<Option<Opening>, StoreError> {
    let row = sqlx::query(
        "select merchant, livemode, invoice, customer from ledger_opening \
         order by merchant, livemode limit 1",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Opening {
        scope: super::key::scope(&row)?,
        invoice: row.try_get("invoice")?,
        customer: row.try_get("customer")?,
    }))
}

/// Notes how far it has come; `None` when all is done.
///
/// # Errors
/// [`StoreError::Conflict`] when another process has done this part.
pub async fn opened(
    connection: &mut AnyConnection,
    before: &Opening,
    after: Option<&Opening>,
) -> Result<(), StoreError> {
    const WHERE: &str = "where merchant = $1 and livemode = $2 and invoice = $3 and customer = $4";
    let sql = match after {
        Some(_) => format!("update ledger_opening set invoice = $5, customer = $6 {WHERE}"),
        None => format!("delete from ledger_opening {WHERE}"),
    };
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(before.scope.merchant.as_str())
        .bind(before.scope.mode())
        .bind(before.invoice.as_str())
        .bind(before.customer.as_str());
    if let Some(after) = after {
        query = query
            .bind(after.invoice.as_str())
            .bind(after.customer.as_str());
    }
    match query.execute(connection).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Conflict {
            kind: "ledger opening",
            id: before.scope.merchant.to_string(),
        }),
    }
}
