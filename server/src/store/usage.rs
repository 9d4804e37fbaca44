//! Usage: events, the accounts they belong to, and running totals by hour and day.
//!
//! Rows of many events go through in few statements, each with places for 1, 8, 64, 256 or 1,024 rows,
//! so that the databases prepare few. Rows are given sorted: two processes that write the same rows
//! then wait for each other in one order.

mod reading;
mod recording;
mod upkeep;

pub use reading::{Stretches, read, read_many, stretches};
pub use recording::{add_totals, hold_marks, insert_events, insert_new_events, set_marks};
pub use upkeep::{
    AccountPlace, AlertPlace, active_alerts, add_keys, customers_after, prune_events,
};

use std::collections::HashMap;

use perennial::calendar::{Period, Timestamp};
use perennial::test_clock::TestClock;
use perennial::usage::{
    DAY_SECONDS, Formula, HOUR_SECONDS, Meter, Span, Total, UsageError, joined, split,
};
use sha2::{Digest, Sha256};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};

use super::document::{self, Stored};
use super::{Scope, StoreError};
use reading::of_events;

/// Rows of one statement, largest first.
const STATEMENT_ROWS: [usize; 5] = [1_024, 256, 64, 8, 1];
/// Names of one statement of a look-up.
const NAMES_MAX: usize = 100;

type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Unique for the merchant and mode.
    pub identifier: String,
    /// The [`key`] of that.
    pub key: i64,
    /// The customer at the meter.
    pub account: i64,
    /// Its moment.
    pub at: Timestamp,
    /// Its order of receipt, in microseconds.
    pub place: i64,
    /// Its value times 10^12.
    pub scaled: i128,
    /// Its value at a meter of formula unique.
    pub mark: Option<String>,
    /// Whether it was taken back.
    pub canceled: bool,
}

/// A running total to be added to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotalRow {
    /// The customer at the meter.
    pub account: i64,
    /// Hour or day, in seconds.
    pub step: i64,
    /// Where it starts.
    pub start: i64,
    /// What is added.
    pub total: Total,
}

/// What is asked of [`read_many`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The customer at the meter.
    pub account: i64,
    /// How the meter adds up.
    pub formula: Formula,
    /// From when until when.
    pub period: Period,
}

fn too_large(error: UsageError) -> StoreError {
    StoreError::Unreadable {
        kind: "billing.meter",
        id: "usage".to_owned(),
        reason: error.to_string(),
    }
}

/// How a database wants the places of a statement with many rows.
///
/// SQLite looks for the name of each place in a list, so thousands of named places cost the square
/// of their number (measured: 60 µs a row at 1,024 rows). Places without a name cost nothing, but
/// can't be used twice, so each row brings its merchant and mode along. Postgres knows only numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    Unnamed,
    Numbered,
}

impl Places {
    fn of(connection: &AnyConnection) -> Self {
        match connection.backend_name() {
            "PostgreSQL" => Self::Numbered,
            _ => Self::Unnamed,
        }
    }

    /// A statement for `rows` rows of `width` values beside merchant and mode.
    fn statement(self, head: &str, rows: usize, width: usize, tail: &str) -> String {
        use std::fmt::Write as _;
        let mut sql = String::with_capacity(head.len() + tail.len() + rows * width * 7);
        sql.push_str(head);
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            sql.push_str(match self {
                Self::Unnamed => "?, ?",
                Self::Numbered => "$1, $2",
            });
            for place in 0..width {
                // Writing to a text can't fail.
                let _ = match self {
                    Self::Unnamed => sql.write_str(", ?"),
                    Self::Numbered => write!(sql, ", ${}", 3 + row * width + place),
                };
            }
            sql.push(')');
        }
        sql.push_str(tail);
        sql
    }

    /// Binds a row's merchant and mode, where its places are its own or it is the first.
    fn begin(self, query: AnyQuery<'static>, scope: &Scope, row: usize) -> AnyQuery<'static> {
        if self == Self::Numbered && row > 0 {
            return query;
        }
        query.bind(scope.merchant.to_string()).bind(scope.mode())
    }
}

/// Cuts rows into parts of the sizes of [`STATEMENT_ROWS`].
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = STATEMENT_ROWS.iter().find(|size| **size <= rows.len())?;
        let (part, rest) = rows.split_at(*size);
        rows = rest;
        Some(part)
    })
}

/// How many places a look-up of so many gets, so that the databases prepare few statements.
const fn few_or_many(wanted: usize) -> usize {
    match wanted {
        1 => 1,
        2..=10 => 10,
        _ => NAMES_MAX,
    }
}

fn scoped(sql: String, scope: &Scope) -> AnyQuery<'static> {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.to_string())
        .bind(scope.mode())
}

/// A look-up of names, a hundred with each statement: `sql` has `{}` where they stand, and binds
/// `$1` merchant, `$2` livemode and `$3` `extra` before them.
async fn look_up(
    connection: &mut AnyConnection,
    scope: &Scope,
    sql: &str,
    extra: &str,
    names: &[String],
) -> Result<Vec<AnyRow>, StoreError> {
    let mut found = Vec::with_capacity(names.len());
    for names in names.chunks(NAMES_MAX) {
        let places = few_or_many(names.len());
        let listed: Vec<String> = (0..places).map(|place| format!("${}", place + 4)).collect();
        let mut query = scoped(sql.replace("{}", &listed.join(", ")), scope).bind(extra.to_owned());
        for place in 0..places {
            query = query.bind(names.get(place).cloned().unwrap_or_default());
        }
        found.extend(query.fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// What tells an event apart: the first 64 bits of the SHA-256 of merchant, mode and identifier. Two
/// identifiers share one with a chance of one in 18 million million for each million events that are
/// kept; whoever looks one up compares the identifier too.
#[must_use]
pub fn key(scope: &Scope, identifier: &str) -> i64 {
    let digest = Sha256::new()
        .chain_update(scope.merchant.as_str())
        .chain_update([0, u8::from(scope.livemode)])
        .chain_update(identifier)
        .finalize();
    let first = digest.iter().take(8);
    first.fold(0, |key, byte| (key << 8) | i64::from(*byte))
}

/// Events by the keys of their identifiers, each with its meter's and customer's ids.
///
/// # Errors
/// When the database fails.
pub async fn events_by_key(
    connection: &mut AnyConnection,
    scope: &Scope,
    keys: &[i64],
) -> Result<Vec<(EventRow, (String, String))>, StoreError> {
    let mut found = Vec::with_capacity(keys.len());
    for keys in keys.chunks(NAMES_MAX) {
        let Some(first) = keys.first() else { break };
        let places = few_or_many(keys.len());
        let listed: Vec<String> = (0..places).map(|place| format!("${}", place + 3)).collect();
        let sql = format!(
            "select e.identifier, e.key, e.account, e.at, e.place, e.whole, e.part, e.mark, \
             e.canceled, a.meter, a.customer from meter_event e join meter_account a \
             on a.merchant = e.merchant and a.livemode = e.livemode and a.account = e.account \
             where e.merchant = $1 and e.livemode = $2 and e.key in ({})",
            listed.join(", ")
        );
        let mut query = scoped(sql, scope);
        for place in 0..places {
            query = query.bind(*keys.get(place).unwrap_or(first));
        }
        for row in query.fetch_all(&mut *connection).await? {
            let event = decode_event(&row)?;
            found.push((event, (row.try_get("meter")?, row.try_get("customer")?)));
        }
    }
    Ok(found)
}

fn decode_event(row: &AnyRow) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        identifier: row.try_get("identifier")?,
        key: row.try_get("key")?,
        account: row.try_get("account")?,
        at: Timestamp(row.try_get("at")?),
        place: row.try_get("place")?,
        scaled: joined(row.try_get("whole")?, row.try_get("part")?),
        mark: row.try_get("mark")?,
        canceled: row.try_get::<i64, _>("canceled")? != 0,
    })
}

/// Active meters, and else the newest inactive one, by event names.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn meters_by_event_name(
    connection: &mut AnyConnection,
    scope: &Scope,
    names: &[String],
) -> Result<Vec<Stored<Meter>>, StoreError> {
    let sql = "select body, revision, sort from meter \
               where merchant = $1 and livemode = $2 and event_name <> $3 and event_name in ({}) \
               order by status, sort desc";
    let rows = look_up(connection, scope, sql, "", names).await?;
    rows.iter().map(document::decode).collect()
}

/// The accounts of customers at a meter: customer and number.
///
/// # Errors
/// When the database fails.
pub async fn accounts(
    connection: &mut AnyConnection,
    scope: &Scope,
    meter: &str,
    customers: &[String],
) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "select customer, account from meter_account \
               where merchant = $1 and livemode = $2 and meter = $3 and customer in ({})";
    let rows = look_up(connection, scope, sql, meter, customers).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("customer")?, row.try_get("account")?)))
        .collect()
}

/// Which of these customers are there and not deleted.
///
/// # Errors
/// When the database fails.
pub async fn living_customers(
    connection: &mut AnyConnection,
    scope: &Scope,
    customers: &[String],
) -> Result<Vec<String>, StoreError> {
    let sql = "select id from customer \
               where merchant = $1 and livemode = $2 and id <> $3 and id in ({}) and deleted = 0";
    let rows = look_up(connection, scope, sql, "", customers).await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// Opens accounts, sorted by customer; one that is there already stays as it is.
///
/// # Errors
/// When the database fails, or a number is taken.
pub async fn open_accounts(
    connection: &mut AnyConnection,
    scope: &Scope,
    meter: &str,
    accounts: &[(String, i64)],
) -> Result<(), StoreError> {
    for part in parts(accounts) {
        let places = Places::of(connection);
        let sql = places.statement(
            "insert into meter_account (merchant, livemode, meter, customer, account) values ",
            part.len(),
            3,
            " on conflict (merchant, livemode, meter, customer) do nothing",
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for (number, (customer, account)) in part.iter().enumerate() {
            query = places.begin(query, scope, number);
            query = query
                .bind(meter.to_owned())
                .bind(customer.clone())
                .bind(*account);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes an event back. Answers whether it stood until now.
///
/// # Errors
/// When the database fails.
pub async fn cancel_event(
    connection: &mut AnyConnection,
    scope: &Scope,
    identifier: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update meter_event set canceled = 1 \
         where merchant = $1 and livemode = $2 and key = $3 and identifier = $4 and canceled = 0",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(key(scope, identifier))
    .bind(identifier)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts an hour and its day of an account again, from its events. Adding nothing first makes
/// whoever adds to them at the same moment wait.
///
/// # Errors
/// When the database fails.
pub async fn recount(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    formula: Formula,
    at: Timestamp,
) -> Result<(), StoreError> {
    for step in [HOUR_SECONDS, DAY_SECONDS] {
        let start = perennial::usage::step_start(at, step).0;
        let nothing = TotalRow {
            account,
            step,
            start,
            total: Total::NONE,
        };
        add_totals(&mut *connection, scope, Formula::Sum, &[nothing]).await?;
        let total = of_events(
            &mut *connection,
            scope,
            account,
            formula,
            (start, start + step),
        )
        .await?;
        let (whole, part) = split(total.scaled).map_err(too_large)?;
        sqlx::query(
            "update meter_total set events = $6, whole = $7, part = $8, at = $9, place = $10 \
             where merchant = $1 and livemode = $2 and account = $3 and step = $4 and start = $5",
        )
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(account)
        .bind(step)
        .bind(start)
        .bind(total.events)
        .bind(whole)
        .bind(part)
        .bind(total.newest.at)
        .bind(total.newest.order)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Spans of usage of subscriptions that are not settled for good, oldest first.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn open_spans(
    connection: &mut AnyConnection,
    scope: &Scope,
    subscriptions: &[String],
) -> Result<Vec<Stored<Span>>, StoreError> {
    let sql = "select body, revision, sort from usage_span \
               where merchant = $1 and livemode = $2 and subscription <> $3 \
               and subscription in ({}) and open = 1 order by sort";
    let rows = look_up(connection, scope, sql, "", subscriptions).await?;
    rows.iter().map(document::decode).collect()
}

/// Spans whose lines stand on these drafts.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn drafted_spans(
    connection: &mut AnyConnection,
    scope: &Scope,
    invoices: &[String],
) -> Result<Vec<Stored<Span>>, StoreError> {
    let sql = "select body, revision, sort from usage_span \
               where merchant = $1 and livemode = $2 and draft <> $3 and draft in ({}) order by sort";
    let rows = look_up(connection, scope, sql, "", invoices).await?;
    rows.iter().map(document::decode).collect()
}

/// The times by which customers with test clocks live.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn clocks_of(
    connection: &mut AnyConnection,
    scope: &Scope,
    customers: &[String],
) -> Result<HashMap<String, Timestamp>, StoreError> {
    let sql = "select id, test_clock from customer where merchant = $1 and livemode = $2 \
               and test_clock <> $3 and id in ({})";
    let rows = look_up(&mut *connection, scope, sql, "", customers).await?;
    let mut follow = Vec::with_capacity(rows.len());
    for row in &rows {
        let pair: (String, String) = (row.try_get("id")?, row.try_get("test_clock")?);
        follow.push(pair);
    }
    let mut names: Vec<String> = follow.iter().map(|(_, clock)| clock.clone()).collect();
    names.sort();
    names.dedup();
    let clocks = document::load_many::<TestClock>(connection, scope, &names).await?;
    let times = follow.into_iter().filter_map(|(customer, clock)| {
        let found = clocks.iter().find(|own| own.id.as_str() == clock)?;
        Some((customer, found.frozen_time))
    });
    Ok(times.collect())
}
