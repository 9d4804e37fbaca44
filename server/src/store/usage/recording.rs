//! Writing events and what is added to running totals.

use perennial::calendar::Timestamp;
use perennial::usage::{Formula, split};
use sqlx::{AnyConnection, Row};

use super::{AnyQuery, EventRow, Places, TotalRow, parts, too_large};
use crate::store::{Scope, StoreError};

/// Adds events, sorted by key. Answers `false` as soon as an identifier is taken: the
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

/// Adds events, sorted by key; those whose identifier is taken are left out. Answers with the
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
    // SQLite keeps no copies of the pages that it changes then: one for each key. What it has done so
    // far goes with the transaction.
    let verb = match places {
        Places::Unnamed => "insert or fail",
        Places::Numbered => "insert",
    };
    let head = format!(
        "{verb} into meter_event (merchant, livemode, key, identifier, account, at, place, whole, \
         part, mark) values "
    );
    let tail = format!(" on conflict (key) do nothing{tail}");
    let sql = places.statement(&head, events.len(), 8, &tail);
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for (row, event) in events.iter().enumerate() {
        query = places.begin(query, scope, row);
        let (whole, part) = split(event.scaled).map_err(too_large)?;
        query = query
            .bind(event.key)
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
