//! Events: written in the transaction of the change that they tell of, so that none is lost and
//! none tells of what did not happen.

use perennial::calendar::Timestamp;
use perennial::id::EventId;
use sqlx::AnyConnection;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::document::PageRequest;
use super::{Scope, Store, StoreError};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`
    pub id: EventId,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The id of what it happened to.
    pub object: String,
    /// When.
    pub created: Timestamp,
    /// `{"object": …, "previous_attributes": …}` as JSON, frozen in the API's shape.
    pub data: String,
    /// The API request that caused it, if one did.
    pub cause: Option<Cause>,
}

/// An API request that events tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `req_…`
    pub request: String,
    /// The key that it came with.
    pub idempotency_key: Option<String>,
}

/// The most events that one statement of [`append_many`] adds.
const ROWS_MAX: usize = 100;
/// Columns of an event.
const COLUMNS: usize = 10;

/// Adds an event.
///
/// # Errors
/// When the database fails.
pub async fn append(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    event: &Event,
) -> Result<(), StoreError> {
    append_many(store, connection, scope, std::slice::from_ref(event)).await
}

/// Adds events in the order in which they happened, a hundred with each statement.
///
/// # Errors
/// When the database fails.
pub async fn append_many(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    events: &[Event],
) -> Result<(), StoreError> {
    for events in events.chunks(ROWS_MAX) {
        let rows: Vec<String> = (0..events.len()).map(places).collect();
        let sql = format!(
            "insert into event (merchant, livemode, id, sort, type, object, created, body, request, \
             idempotency_key) values {}",
            rows.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for event in events {
            let cause = event.cause.as_ref();
            query = query
                .bind(scope.merchant.as_str())
                .bind(scope.mode())
                .bind(event.id.as_str())
                .bind(store.sort(event.created))
                .bind(event.kind.as_str())
                .bind(event.object.as_str())
                .bind(event.created.0)
                .bind(event.data.as_str())
                .bind(cause.map(|cause| cause.request.as_str()))
                .bind(cause.and_then(|cause| cause.idempotency_key.as_deref()));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The placeholders of one row: `($1, $2, …)`.
fn places(row: usize) -> String {
    let first = row * COLUMNS + 1;
    let names: Vec<String> = (first..first + COLUMNS).map(|n| format!("${n}")).collect();
    format!("({})", names.join(", "))
}

/// Reads one.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn load(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Option<Event>, StoreError> {
    let row = sqlx::query(
        "select id, type, object, created, body, request, idempotency_key from event \
         where merchant = $1 and livemode = $2 and id = $3",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(decode).transpose()
}

/// Which events a list is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Types, at most [`KINDS_MAX`]; a `*` at the end stands for anything. None means all.
    pub kinds: Vec<String>,
    /// The first second.
    pub from: i64,
    /// The first second after it.
    pub until: i64,
}

/// The most types of one [`Filter`].
pub const KINDS_MAX: usize = 20;

/// Reads a part of the list within a filter, newest first, and whether there is more.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn search(
    connection: &mut AnyConnection,
    scope: &Scope,
    page: &PageRequest,
    filter: &Filter,
) -> Result<(Vec<Event>, bool), StoreError> {
    let limit = page.limit.clamp(1, PageRequest::LIMIT_MAX) as usize;
    let newer = page.ending_before.is_some();
    let cursor = page.ending_before.as_ref().or(page.starting_after.as_ref());
    // Only placeholders depend on the filter. `sort` counts microseconds of `created`.
    let kinds = filter.kinds.iter().take(KINDS_MAX);
    let conditions: Vec<String> = kinds
        .clone()
        .enumerate()
        .map(|(index, kind)| match kind.ends_with('*') {
            true => format!("type like ${} escape '!'", index + 7),
            false => format!("type = ${}", index + 7),
        })
        .collect();
    let of_kinds = match conditions.is_empty() {
        true => String::new(),
        false => format!(" and ({})", conditions.join(" or ")),
    };
    let (beyond, order) = match newer {
        false => ("($3 = '' or sort < (", "desc"),
        true => ("($3 <> '' and sort > (", "asc"),
    };
    let sql = format!(
        "select id, type, object, created, body, request, idempotency_key from event \
         where merchant = $1 and livemode = $2 and sort >= $5 and sort < $6 and {beyond}\
         select sort from event where merchant = $1 and livemode = $2 and id = $3)){of_kinds} \
         order by sort {order} limit cast($4 as bigint)"
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(cursor.cloned().unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
        .bind(filter.from.saturating_mul(1_000_000))
        .bind(filter.until.saturating_mul(1_000_000));
    for kind in kinds {
        let pattern = kind.strip_suffix('*').map(|start| {
            let literal = start
                .replace('!', "!!")
                .replace('_', "!_")
                .replace('%', "!%");
            format!("{literal}%")
        });
        query = query.bind(pattern.unwrap_or_else(|| kind.clone()));
    }
    let rows = query.fetch_all(connection).await?;
    let more = rows.len() > limit;
    let mut events = rows
        .iter()
        .take(limit)
        .map(decode)
        .collect::<Result<Vec<_>, _>>()?;
    if newer {
        events.reverse();
    }
    Ok((events, more))
}

fn decode(row: &AnyRow) -> Result<Event, StoreError> {
    let id: String = row.try_get("id")?;
    Ok(Event {
        id: EventId::parse(&id).map_err(|error| StoreError::Unreadable {
            kind: "event",
            id: id.clone(),
            reason: error.to_string(),
        })?,
        kind: row.try_get("type")?,
        object: row.try_get("object")?,
        created: Timestamp(row.try_get("created")?),
        data: row.try_get("body")?,
        cause: match row.try_get::<Option<String>, _>("request")? {
            Some(request) => Some(Cause {
                request,
                idempotency_key: row.try_get("idempotency_key")?,
            }),
            None => None,
        },
    })
}
