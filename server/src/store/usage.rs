//! Usage: events, the accounts they belong to, and running totals by hour and day.
//!
//! Rows of many events go through in few statements, each with places for 1, 8, 64, 256 or 1,024 rows,
//! so that the databases prepare few. Rows are given sorted: two processes that write the same rows
//! then wait for each other in one order.

mod upkeep;

pub use upkeep::{AccountPlace, AlertPlace, active_alerts, customers_after, prune_events};

use std::collections::HashMap;

use perennial::calendar::{Period, Timestamp};
use perennial::test_clock::TestClock;
use perennial::usage::{
    Cover, DAY_SECONDS, Formula, HOUR_SECONDS, Meter, Place, Span, Total, UsageError, joined, split,
};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};

use super::document::{self, Stored};
use super::{Scope, StoreError};

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

fn scoped(sql: String, scope: &Scope) -> AnyQuery<'static> {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.to_string())
        .bind(scope.mode())
}

/// Adds events, sorted by identifier. Answers `false` as soon as an identifier is taken: the
/// transaction must not be kept then, and [`insert_new_events`] is the way.
///
/// # Errors
/// When the database fails.
pub async fn insert_events(
    connection: &mut AnyConnection,
    scope: &Scope,
    events: &[EventRow],
) -> Result<bool, StoreError> {
    for part in parts(events) {
        let query = insert_query(Places::of(connection), scope, part, "")?;
        let done = query.execute(&mut *connection).await?.rows_affected();
        if done != part.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds events, sorted by identifier; those whose identifier is taken are left out. Answers with the
/// positions that were left out, rising. It costs more than [`insert_events`], because the database
/// tells each row that it took.
///
/// # Errors
/// When the database fails.
pub async fn insert_new_events(
    connection: &mut AnyConnection,
    scope: &Scope,
    events: &[EventRow],
) -> Result<Vec<usize>, StoreError> {
    let (mut left_out, mut first) = (Vec::new(), 0);
    for part in parts(events) {
        let query = insert_query(Places::of(connection), scope, part, " returning place")?;
        let rows = query.fetch_all(&mut *connection).await?;
        let mut ours = Vec::with_capacity(rows.len());
        for row in &rows {
            ours.push(row.try_get::<i64, _>("place")?);
        }
        ours.sort_unstable();
        let missing = part.iter().enumerate();
        let missing = missing.filter(|(_, event)| ours.binary_search(&event.place).is_err());
        left_out.extend(missing.map(|(index, _)| first + index));
        first += part.len();
    }
    Ok(left_out)
}

fn insert_query(
    places: Places,
    scope: &Scope,
    events: &[EventRow],
    tail: &str,
) -> Result<AnyQuery<'static>, StoreError> {
    let sql = places.statement(
        "insert into meter_event (merchant, livemode, identifier, account, at, place, whole, part, \
         mark) values ",
        events.len(),
        7,
        &format!(" on conflict (merchant, livemode, identifier) do nothing{tail}"),
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for (row, event) in events.iter().enumerate() {
        query = places.begin(query, scope, row);
        let (whole, part) = split(event.scaled).map_err(too_large)?;
        query = query
            .bind(event.identifier.clone())
            .bind(event.account)
            .bind(event.at.0)
            .bind(event.place)
            .bind(whole)
            .bind(part)
            .bind(event.mark.clone());
    }
    Ok(query)
}

/// Adds to running totals, sorted by account, step and start.
///
/// # Errors
/// When the database fails, or a sum grows beyond what can be kept.
pub async fn add_totals(
    connection: &mut AnyConnection,
    scope: &Scope,
    formula: Formula,
    totals: &[TotalRow],
) -> Result<(), StoreError> {
    for part in parts(totals) {
        let places = Places::of(connection);
        let sql = places.statement(
            "insert into meter_total (merchant, livemode, account, step, start, events, whole, part, at, \
             place) values ",
            part.len(),
            8,
            on_total_conflict(formula),
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for (number, row) in part.iter().enumerate() {
            query = places.begin(query, scope, number);
            let (whole, rest) = split(row.total.scaled).map_err(too_large)?;
            query = query
                .bind(row.account)
                .bind(row.step)
                .bind(row.start)
                .bind(row.total.events)
                .bind(whole)
                .bind(rest)
                .bind(row.total.newest.at)
                .bind(row.total.newest.order);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// How a total takes up another, as the domain's `Total::merge` does.
fn on_total_conflict(formula: Formula) -> &'static str {
    match formula {
        Formula::Sum | Formula::Count | Formula::Unique => {
            " on conflict (merchant, livemode, account, step, start) do update set \
             events = meter_total.events + excluded.events, \
             whole = meter_total.whole + excluded.whole \
             + (meter_total.part + excluded.part) / 1000000000000, \
             part = (meter_total.part + excluded.part) % 1000000000000"
        }
        Formula::Max => {
            " on conflict (merchant, livemode, account, step, start) do update set \
             events = meter_total.events + excluded.events, \
             whole = case when meter_total.events > 0 and (meter_total.whole > excluded.whole \
             or (meter_total.whole = excluded.whole and meter_total.part > excluded.part)) \
             then meter_total.whole else excluded.whole end, \
             part = case when meter_total.events > 0 and (meter_total.whole > excluded.whole \
             or (meter_total.whole = excluded.whole and meter_total.part > excluded.part)) \
             then meter_total.part else excluded.part end"
        }
        Formula::Last => {
            " on conflict (merchant, livemode, account, step, start) do update set \
             events = meter_total.events + excluded.events, \
             whole = case when meter_total.events > 0 and (meter_total.at > excluded.at \
             or (meter_total.at = excluded.at and meter_total.place > excluded.place)) \
             then meter_total.whole else excluded.whole end, \
             part = case when meter_total.events > 0 and (meter_total.at > excluded.at \
             or (meter_total.at = excluded.at and meter_total.place > excluded.place)) \
             then meter_total.part else excluded.part end, \
             at = case when meter_total.events > 0 and (meter_total.at > excluded.at \
             or (meter_total.at = excluded.at and meter_total.place > excluded.place)) \
             then meter_total.at else excluded.at end, \
             place = case when meter_total.events > 0 and (meter_total.at > excluded.at \
             or (meter_total.at = excluded.at and meter_total.place > excluded.place)) \
             then meter_total.place else excluded.place end"
        }
    }
}

/// Holds values of unique meters, sorted by account and mark, until the transaction ends, and answers
/// when each was seen last; `None` where it is new.
///
/// # Errors
/// When the database fails.
pub async fn hold_marks(
    connection: &mut AnyConnection,
    scope: &Scope,
    marks: &[(i64, String)],
) -> Result<Vec<((i64, String), Option<Timestamp>)>, StoreError> {
    let mut held = Vec::with_capacity(marks.len());
    for part in parts(marks) {
        let places = Places::of(connection);
        let sql = places.statement(
            "insert into meter_mark (merchant, livemode, account, mark, seen) values ",
            part.len(),
            3,
            " on conflict (merchant, livemode, account, mark) do update set seen = meter_mark.seen \
             returning account, mark, seen",
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for (number, (account, mark)) in part.iter().enumerate() {
            query = places.begin(query, scope, number);
            query = query.bind(*account).bind(mark.clone()).bind(NEVER);
        }
        for row in query.fetch_all(&mut *connection).await? {
            let seen: i64 = row.try_get("seen")?;
            let key = (row.try_get("account")?, row.try_get("mark")?);
            held.push((key, (seen != NEVER).then_some(Timestamp(seen))));
        }
    }
    Ok(held)
}

/// Stands in `meter_mark.seen` for a value that was never seen, or whose events were all cancelled.
const NEVER: i64 = i64::MIN;

/// Notes when values were seen last, sorted by account and mark. They must be held.
///
/// # Errors
/// When the database fails.
pub async fn set_marks(
    connection: &mut AnyConnection,
    scope: &Scope,
    marks: &[((i64, String), Option<Timestamp>)],
) -> Result<(), StoreError> {
    for part in parts(marks) {
        let places = Places::of(connection);
        let sql = places.statement(
            "insert into meter_mark (merchant, livemode, account, mark, seen) values ",
            part.len(),
            3,
            " on conflict (merchant, livemode, account, mark) do update set seen = excluded.seen",
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for (number, ((account, mark), seen)) in part.iter().enumerate() {
            query = places.begin(query, scope, number);
            let seen = seen.map_or(NEVER, |at| at.0);
            query = query.bind(*account).bind(mark.clone()).bind(seen);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
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
        let places = match names.len() {
            1 => 1,
            2..=10 => 10,
            _ => NAMES_MAX,
        };
        let listed: Vec<String> = (0..places).map(|place| format!("${}", place + 4)).collect();
        let mut query = scoped(sql.replace("{}", &listed.join(", ")), scope).bind(extra.to_owned());
        for place in 0..places {
            query = query.bind(names.get(place).cloned().unwrap_or_default());
        }
        found.extend(query.fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// Events by their identifiers, each with its meter's and customer's ids.
///
/// # Errors
/// When the database fails.
pub async fn events_by_identifier(
    connection: &mut AnyConnection,
    scope: &Scope,
    identifiers: Vec<String>,
) -> Result<Vec<(EventRow, (String, String))>, StoreError> {
    let sql = "select e.identifier, e.account, e.at, e.place, e.whole, e.part, e.mark, e.canceled, \
               a.meter, a.customer from meter_event e join meter_account a \
               on a.merchant = e.merchant and a.livemode = e.livemode and a.account = e.account \
               where e.merchant = $1 and e.livemode = $2 and e.identifier <> $3 and e.identifier in ({})";
    let rows = look_up(connection, scope, sql, "", &identifiers).await?;
    rows.iter()
        .map(|row| {
            let event = decode_event(row)?;
            Ok((event, (row.try_get("meter")?, row.try_get("customer")?)))
        })
        .collect()
}

fn decode_event(row: &AnyRow) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        identifier: row.try_get("identifier")?,
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
         where merchant = $1 and livemode = $2 and identifier = $3 and canceled = 0",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
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

/// What the events of a stretch `[from, until)` come to, looked at one by one in the database.
async fn of_events(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    formula: Formula,
    (from, until): (i64, i64),
) -> Result<Total, StoreError> {
    const STRETCH: &str = " from meter_event where merchant = $1 and livemode = $2 and account = $3 \
                           and at >= $4 and at < $5 and canceled = 0";
    let sql = match formula {
        Formula::Sum => format!(
            "select count(*) as events, cast(coalesce(sum(whole), 0) as bigint) as whole, \
             cast(coalesce(sum(part), 0) as bigint) as part, cast(0 as bigint) as at, \
             cast(0 as bigint) as place{STRETCH}"
        ),
        Formula::Count => format!(
            "select count(*) as events, cast(0 as bigint) as whole, cast(0 as bigint) as part, \
             cast(0 as bigint) as at, cast(0 as bigint) as place{STRETCH}"
        ),
        Formula::Unique => format!(
            "select count(distinct mark) as events, cast(0 as bigint) as whole, \
             cast(0 as bigint) as part, cast(0 as bigint) as at, cast(0 as bigint) as place{STRETCH}"
        ),
        Formula::Max => format!(
            "select cast(1 as bigint) as events, whole, part, at, place{STRETCH} \
             order by whole desc, part desc limit 1"
        ),
        Formula::Last => format!(
            "select cast(1 as bigint) as events, whole, part, at, place{STRETCH} \
             order by at desc, place desc limit 1"
        ),
    };
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(account)
        .bind(from)
        .bind(until)
        .fetch_optional(connection)
        .await?;
    row.as_ref()
        .map_or(Ok(Total::NONE), |row| decode_total(row, formula))
}

fn decode_total(row: &AnyRow, formula: Formula) -> Result<Total, StoreError> {
    let newest = match formula {
        Formula::Last => Place {
            at: row.try_get("at")?,
            order: row.try_get("place")?,
        },
        _ => Place::default(),
    };
    Ok(Total {
        events: row.try_get("events")?,
        scaled: joined(row.try_get("whole")?, row.try_get("part")?),
        newest,
    })
}

/// What an account used in a period: its running totals, and the events of the two ends that are
/// shorter than an hour.
///
/// # Errors
/// When the database fails.
pub async fn read(
    connection: &mut AnyConnection,
    scope: &Scope,
    question: Question,
) -> Result<Total, StoreError> {
    let mut answers = read_many(connection, scope, std::slice::from_ref(&question)).await?;
    Ok(answers.pop().unwrap_or(Total::NONE))
}

/// Questions of one statement of [`read_many`].
const QUESTIONS_MAX: usize = 100;

/// Answers several questions, a hundred with each statement, in their order.
///
/// # Errors
/// When the database fails.
pub async fn read_many(
    connection: &mut AnyConnection,
    scope: &Scope,
    questions: &[Question],
) -> Result<Vec<Total>, StoreError> {
    let mut answers = vec![Total::NONE; questions.len()];
    let asked: Vec<(usize, Question)> = questions.iter().copied().enumerate().collect();
    // A unique meter's totals answer for everything from a moment on. A period that events lie
    // behind is counted by itself.
    let mut closed = Vec::new();
    for asked in asked.chunks(QUESTIONS_MAX) {
        let unique: Vec<(usize, Question)> = asked
            .iter()
            .copied()
            .filter(|(_, question)| question.formula == Formula::Unique)
            .collect();
        if !unique.is_empty() {
            closed.extend(with_events_behind(&mut *connection, scope, &unique).await?);
        }
    }
    let (apart, together): (Vec<_>, Vec<_>) = asked
        .into_iter()
        .partition(|(index, _)| closed.contains(index));
    for (index, question) in apart {
        let stretch = (question.period.start.0, question.period.end.0);
        let (account, formula) = (question.account, question.formula);
        let total = of_events(&mut *connection, scope, account, formula, stretch).await?;
        if let Some(answer) = answers.get_mut(index) {
            *answer = total;
        }
    }
    for asked in together.chunks(QUESTIONS_MAX) {
        read_some(&mut *connection, scope, asked, &mut answers).await?;
    }
    Ok(answers)
}

/// Which of these periods have events of their accounts at or after their ends.
async fn with_events_behind(
    connection: &mut AnyConnection,
    scope: &Scope,
    asked: &[(usize, Question)],
) -> Result<Vec<usize>, StoreError> {
    let rows: Vec<String> = (0..asked.len())
        .map(|row| {
            let cells = (0..3).map(|place| format!("cast(${} as bigint)", 3 + row * 3 + place));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let sql = format!(
        "with q (n, account, until) as (values {}) select q.n as n from q where exists (select 1 \
         from meter_event t where t.merchant = $1 and t.livemode = $2 and t.account = q.account \
         and t.at >= q.until)",
        rows.join(", ")
    );
    let mut query = scoped(sql, scope);
    for (index, question) in asked {
        query = query
            .bind(i64::try_from(*index).unwrap_or(i64::MAX))
            .bind(question.account)
            .bind(question.period.end.0);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(usize::MAX)))
        .collect()
}

async fn read_some(
    connection: &mut AnyConnection,
    scope: &Scope,
    asked: &[(usize, Question)],
    answers: &mut [Total],
) -> Result<(), StoreError> {
    let places = match asked.len() {
        1 => 1,
        2..=10 => 10,
        _ => QUESTIONS_MAX,
    };
    let mut query = scoped(questions_sql(places), scope);
    let idle = (
        usize::MAX,
        Question {
            account: -1,
            formula: Formula::Sum,
            period: Period {
                start: Timestamp(0),
                end: Timestamp(0),
            },
        },
    );
    for place in 0..places {
        let (index, question) = asked.get(place).unwrap_or(&idle);
        let cover = Cover::of(question.period);
        let additive = !matches!(question.formula, Formula::Max | Formula::Last);
        query = query
            .bind(i64::try_from(*index).unwrap_or(i64::MAX))
            .bind(question.account)
            .bind(i64::from(additive))
            .bind(i64::from(question.formula == Formula::Unique));
        for (from, until) in [
            cover.days,
            cover.hours[0],
            cover.hours[1],
            cover.ends[0],
            cover.ends[1],
        ] {
            query = query.bind(from).bind(until);
        }
    }
    let rows = query.fetch_all(&mut *connection).await?;
    for row in &rows {
        let index = usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(usize::MAX);
        let found = asked.iter().find(|(place, _)| *place == index);
        if let (Some((_, question)), Some(answer)) = (found, answers.get_mut(index)) {
            let part = decode_total(row, question.formula)?;
            *answer = answer.merge(question.formula, part).map_err(too_large)?;
        }
    }
    Ok(())
}

/// The statement of [`read_some`] for `places` questions: sums where sums will do, else each total
/// by itself. The two ends of a unique meter's period count the values that were seen last in them.
/// The joins are crossed so that SQLite looks questions up in the tables, not tables in the questions.
fn questions_sql(places: usize) -> String {
    const WIDTH: usize = 14;
    const NAMES: [&str; WIDTH] = [
        "n", "account", "additive", "marks", "d0", "d1", "h0", "h1", "k0", "k1", "e0", "e1", "f0",
        "f1",
    ];
    let rows: Vec<String> = (0..places)
        .map(|row| {
            let cells =
                (0..WIDTH).map(|place| format!("cast(${} as bigint)", 3 + row * WIDTH + place));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let names = NAMES.join(", ");
    let total = |columns: &str, additive: i64, step: i64, from: &str, until: &str, group: &str| {
        format!(
            "select q.n as n, {columns} from q cross join meter_total t where t.merchant = $1 and t.livemode = $2 \
             and t.account = q.account and t.step = {step} and t.start >= q.{from} and t.start < q.{until} \
             and q.additive = {additive}{group}"
        )
    };
    let sums = "cast(coalesce(sum(t.events), 0) as bigint) as events, \
                cast(coalesce(sum(t.whole), 0) as bigint) as whole, \
                cast(coalesce(sum(t.part), 0) as bigint) as part, \
                cast(0 as bigint) as at, cast(0 as bigint) as place";
    let each = "t.events as events, t.whole as whole, t.part as part, t.at as at, t.place as place";
    let mut selects = Vec::new();
    for (step, from, until) in [
        (DAY_SECONDS, "d0", "d1"),
        (HOUR_SECONDS, "h0", "h1"),
        (HOUR_SECONDS, "k0", "k1"),
    ] {
        selects.push(total(sums, 1, step, from, until, " group by q.n"));
        selects.push(total(each, 0, step, from, until, " and t.events > 0"));
    }
    let event_sums = "count(*) as events, cast(coalesce(sum(t.whole), 0) as bigint) as whole, \
                      cast(coalesce(sum(t.part), 0) as bigint) as part, \
                      cast(0 as bigint) as at, cast(0 as bigint) as place";
    let event_each = "cast(1 as bigint) as events, t.whole as whole, t.part as part, t.at as at, \
                      t.place as place";
    for (from, until) in [("e0", "e1"), ("f0", "f1")] {
        for (columns, additive, group) in [(event_sums, 1, " group by q.n"), (event_each, 0, "")] {
            selects.push(format!(
                "select q.n as n, {columns} from q cross join meter_event t where t.merchant = $1 \
                 and t.livemode = $2 and t.account = q.account and t.at >= q.{from} and t.at < q.{until} \
                 and t.canceled = 0 and q.additive = {additive} and q.marks = 0{group}"
            ));
        }
        selects.push(format!(
            "select q.n as n, count(*) as events, cast(0 as bigint) as whole, cast(0 as bigint) as part, \
             cast(0 as bigint) as at, cast(0 as bigint) as place from q cross join meter_mark t \
             where t.merchant = $1 and t.livemode = $2 and t.account = q.account and t.seen >= q.{from} \
             and t.seen < q.{until} and q.marks = 1 group by q.n"
        ));
    }
    format!(
        "with q ({names}) as (values {}) {}",
        rows.join(", "),
        selects.join(" union all ")
    )
}

/// A part of the stretches of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretches {
    /// Hour or day, in seconds.
    pub step: i64,
    /// From where; a start of a step.
    pub from: i64,
    /// Until where; a start of a step.
    pub until: i64,
    /// Whether the oldest come first.
    pub rising: bool,
    /// At most so many.
    pub limit: i64,
}

/// What an account used in each hour or day, where it used any: start and total.
///
/// # Errors
/// When the database fails.
pub async fn stretches(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    formula: Formula,
    wanted: Stretches,
) -> Result<Vec<(i64, Total)>, StoreError> {
    let order = if wanted.rising { "asc" } else { "desc" };
    // The totals of a unique meter say when values were seen last; here each stretch counts its own.
    let sql = match formula {
        Formula::Unique => format!(
            "select at - (at % $4) as start, count(distinct mark) as events, cast(0 as bigint) as whole, \
             cast(0 as bigint) as part, cast(0 as bigint) as at, cast(0 as bigint) as place \
             from meter_event where merchant = $1 and livemode = $2 and account = $3 and at >= $5 \
             and at < $6 and canceled = 0 group by 1 order by 1 {order} limit cast($7 as bigint)"
        ),
        _ => format!(
            "select start, events, whole, part, at, place from meter_total where merchant = $1 \
             and livemode = $2 and account = $3 and step = $4 and start >= $5 and start < $6 \
             and events > 0 order by start {order} limit cast($7 as bigint)"
        ),
    };
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(account)
        .bind(wanted.step)
        .bind(wanted.from)
        .bind(wanted.until)
        .bind(wanted.limit)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("start")?, decode_total(row, formula)?)))
        .collect()
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
