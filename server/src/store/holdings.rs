//! All that a customer has, in one statement. The portal's first page is asked for more than any
//! other, and each statement costs a change of threads (SQLite) or a way to the server and back
//! (Postgres).

use perennial::id::CustomerId;
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::payment::PaymentMethod;
use perennial::subscription::Subscription;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::document::{Document, Stored, decode};
use super::{Scope, StoreError};

/// What a customer has. Newest first, but for the pending items.
pub struct Holdings {
    /// Subscriptions, ended ones too.
    pub subscriptions: Vec<Stored<Subscription>>,
    /// Open invoices.
    pub open: Vec<Stored<Invoice>>,
    /// Invoices that are no drafts; open ones stand here too.
    pub invoices: Vec<Stored<Invoice>>,
    /// Saved payment methods.
    pub methods: Vec<Stored<PaymentMethod>>,
    /// Amounts that wait for the next invoice, oldest first.
    pub pending: Vec<Stored<InvoiceItem>>,
}

/// The most that is read of each.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Subscriptions.
    pub subscriptions: u32,
    /// Open invoices.
    pub open: u32,
    /// Invoices; none with 0.
    pub invoices: u32,
    /// Payment methods.
    pub methods: u32,
    /// Pending items.
    pub pending: u32,
}

/// `$1` merchant, `$2` livemode, `$3` customer, then the limits in the order of [`Most`], cast as
/// those of lists are.
const HOLDINGS: &str = "\
select 'subscription' as noun, body, revision, sort from (\
    select body, revision, sort from subscription \
    where merchant = $1 and livemode = $2 and customer = $3 order by sort desc limit cast($4 as bigint)) as a \
union all select 'open', body, revision, sort from (\
    select body, revision, sort from invoice \
    where merchant = $1 and livemode = $2 and customer = $3 and status = 'open' \
    order by sort desc limit cast($5 as bigint)) as b \
union all select 'invoice', body, revision, sort from (\
    select body, revision, sort from invoice \
    where merchant = $1 and livemode = $2 and customer = $3 and status <> 'draft' \
    order by sort desc limit cast($6 as bigint)) as c \
union all select 'method', body, revision, sort from (\
    select body, revision, sort from payment_method \
    where merchant = $1 and livemode = $2 and customer = $3 order by sort desc limit cast($7 as bigint)) as d \
union all select 'pending', body, revision, sort from (\
    select body, revision, sort from invoice_item \
    where merchant = $1 and livemode = $2 and customer = $3 and invoice is null \
    order by sort limit cast($8 as bigint)) as e";

/// Reads what a customer has.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn load(
    connection: &mut AnyConnection,
    scope: &Scope,
    customer: &CustomerId,
    most: Most,
) -> Result<Holdings, StoreError> {
    let rows = sqlx::query(HOLDINGS)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(customer.as_str())
        .bind(i64::from(most.subscriptions))
        .bind(i64::from(most.open))
        .bind(i64::from(most.invoices))
        .bind(i64::from(most.methods))
        .bind(i64::from(most.pending))
        .fetch_all(connection)
        .await?;
    Ok(Holdings {
        subscriptions: newest_first(of(&rows, "subscription")?),
        open: newest_first(of(&rows, "open")?),
        invoices: newest_first(of(&rows, "invoice")?),
        methods: newest_first(of(&rows, "method")?),
        pending: oldest_first(of(&rows, "pending")?),
    })
}

/// The rows of one noun.
fn of<T: Document>(rows: &[AnyRow], noun: &str) -> Result<Vec<Stored<T>>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        if row.try_get::<&str, _>("noun")? == noun {
            found.push(decode(row)?);
        }
    }
    Ok(found)
}

// SQL promises no order across the parts of a union.

fn newest_first<T>(mut rows: Vec<Stored<T>>) -> Vec<Stored<T>> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.sort));
    rows
}

fn oldest_first<T>(mut rows: Vec<Stored<T>>) -> Vec<Stored<T>> {
    rows.sort_by_key(|row| row.sort);
    rows
}
