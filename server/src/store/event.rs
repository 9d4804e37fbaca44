//! Events: written in the transaction of the change that they tell of, so that none is lost and
//! none tells of what did not happen.

use std::collections::BTreeMap;

use perennial::calendar::Timestamp;
use perennial::id::EventId;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::document::{Column, PageRequest};
use super::writes::Table;
use super::{Scope, Store, StoreError, patch};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`
    pub id: EventId,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The id of what it happened to.
    pub object: String,
    /// When, by the clock of whom it concerns.
    pub created: Timestamp,
    /// When it was told, in real time: its place in the list, so that whoever reads on from the
    /// newest one misses none, whatever test clocks say.
    pub told: Timestamp,
    /// What it tells.
    pub data: Data,
    /// The API request that caused it, if one did.
    pub cause: Option<Cause>,
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `{"object": …, "previous_attributes": …}` as JSON, in the API's shape.
    Shown(String),
    /// An aggregate, which gets the API's shape when somebody reads the event.
    Kept(Kept),
}

/// An aggregate as it was when something happened to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// [`super::document::Document::KIND`].
    pub noun: String,
    /// The event that has the whole of it, by its `sort`; `None` when this one has.
    pub basis: Option<i64>,
    /// `{"object": …}` with the whole, or `{"changes": …}` beyond the basis; with `"before": …`, the
    /// old values of changed fields, on updates. Once read, always the whole.
    pub body: String,
}

/// What [`Kept::body`] says.
#[derive(Debug, Default, serde::Deserialize)]
struct Said {
    object: Option<Map<String, Value>>,
    changes: Option<Map<String, Value>>,
    before: Option<Map<String, Value>>,
}

/// The aggregate of an event, and what it was before, where that is told.
#[derive(Debug)]
pub struct Snapshot {
    /// As it was when it happened.
    pub object: Value,
    /// As it was before.
    pub before: Option<Value>,
}

impl Kept {
    /// The whole aggregate; `None` if it can't be read.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let said: Said = serde_json::from_str(&self.body).ok()?;
        let object = said.object?;
        let before = said.before.map(|changes| {
            let mut before = object.clone();
            patch::apply(&mut before, changes);
            Value::Object(before)
        });
        Some(Snapshot {
            object: Value::Object(object),
            before,
        })
    }
}

/// An API request that events tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `req_…`
    pub request: String,
    /// The key that it came with.
    pub idempotency_key: Option<String>,
}

/// The most events that one statement of [`append_many`] adds, and whose basis one statement reads.
const ROWS_MAX: usize = 100;
/// Columns of an event.
const COLUMNS: usize = 13;
/// The version of how aggregates are kept.
const FORM_KEPT: i64 = 1;

/// Events as rows that are added.
pub static TABLE: Table = Table {
    name: "event",
    columns: &[
        "id",
        "sort",
        "type",
        "object",
        "created",
        "body",
        "request",
        "idempotency_key",
        "form",
        "noun",
        "basis",
    ],
    after: "",
};

/// An event as a row of [`TABLE`], at its place in lists.
#[must_use]
pub fn cells(event: Event, sort: i64) -> Vec<Column> {
    let (request, key) = match event.cause {
        Some(cause) => (Some(cause.request), cause.idempotency_key),
        None => (None, None),
    };
    let (form, noun, basis, body) = match event.data {
        Data::Shown(body) => (0, None, None, body),
        Data::Kept(kept) => (FORM_KEPT, Some(kept.noun), kept.basis, kept.body),
    };
    vec![
        Column::Text(Some(event.id.into())),
        Column::Number(Some(sort)),
        Column::Text(Some(event.kind)),
        Column::Text(Some(event.object)),
        Column::Number(Some(event.created.0)),
        Column::Text(Some(body)),
        Column::Text(request),
        Column::Text(key),
        Column::Number(Some(form)),
        Column::Text(noun),
        Column::Number(basis),
    ]
}

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
            "insert into event (merchant, livemode, {}) values {}",
            TABLE.columns.join(", "),
            rows.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for event in events {
            query = query.bind(scope.merchant.as_str()).bind(scope.mode());
            for cell in cells(event.clone(), store.sort(event.told)) {
                query = match cell {
                    Column::Text(text) => query.bind(text),
                    Column::Number(number) => query.bind(number),
                };
            }
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
        "select id, type, object, created, body, request, idempotency_key, noun, basis from event \
         where merchant = $1 and livemode = $2 and id = $3",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut events = vec![decode(&row)?];
    complete(connection, scope, &mut events).await?;
    Ok(events.pop())
}

/// Puts the whole aggregate into events that have only what is different from another one's.
async fn complete(
    connection: &mut AnyConnection,
    scope: &Scope,
    events: &mut [Event],
) -> Result<(), StoreError> {
    let basis = |event: &Event| match &event.data {
        Data::Kept(kept) => kept.basis,
        Data::Shown(_) => None,
    };
    let mut wanted: Vec<i64> = events.iter().filter_map(basis).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut whole: BTreeMap<i64, String> = BTreeMap::new();
    for sorts in wanted.chunks(ROWS_MAX) {
        let places: Vec<String> = (0..sorts.len()).map(|n| format!("${}", n + 3)).collect();
        let sql = format!(
            "select sort, body from event where merchant = $1 and livemode = $2 and sort in ({})",
            places.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(scope.merchant.as_str())
            .bind(scope.mode());
        for sort in sorts {
            query = query.bind(*sort);
        }
        for row in query.fetch_all(&mut *connection).await? {
            whole.insert(row.try_get("sort")?, row.try_get("body")?);
        }
    }
    for event in events {
        let Data::Kept(kept) = &mut event.data else {
            continue;
        };
        let Some(basis) = kept.basis.take() else {
            continue;
        };
        let unreadable = |reason: &str| StoreError::Unreadable {
            kind: "event",
            id: event.id.to_string(),
            reason: reason.to_owned(),
        };
        let basis = whole
            .get(&basis)
            .ok_or_else(|| unreadable("its basis is gone"))?;
        kept.body = joined(basis, &kept.body).map_err(|error| unreadable(&error.to_string()))?;
    }
    Ok(())
}

/// The body of an event with the whole aggregate, from its basis' and its own.
fn joined(basis: &str, own: &str) -> Result<String, serde_json::Error> {
    let basis: Said = serde_json::from_str(basis)?;
    let own: Said = match own {
        "" => Said::default(),
        own => serde_json::from_str(own)?,
    };
    let mut object = basis.object.unwrap_or_default();
    patch::apply(&mut object, own.changes.unwrap_or_default());
    let mut body = json!({ "object": object });
    if let (Some(before), Some(body)) = (own.before, body.as_object_mut()) {
        body.insert("before".to_owned(), Value::Object(before));
    }
    Ok(body.to_string())
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
        "select id, type, object, created, body, request, idempotency_key, noun, basis from event \
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
    let rows = query.fetch_all(&mut *connection).await?;
    let more = rows.len() > limit;
    let mut events = rows
        .iter()
        .take(limit)
        .map(decode)
        .collect::<Result<Vec<_>, _>>()?;
    if newer {
        events.reverse();
    }
    complete(connection, scope, &mut events).await?;
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
        told: Timestamp(row.try_get("created")?),
        data: match row.try_get::<Option<String>, _>("noun")? {
            None => Data::Shown(row.try_get("body")?),
            Some(noun) => Data::Kept(Kept {
                noun,
                basis: row.try_get("basis")?,
                body: row.try_get("body")?,
            }),
        },
        cause: match row.try_get::<Option<String>, _>("request")? {
            Some(request) => Some(Cause {
                request,
                idempotency_key: row.try_get("idempotency_key")?,
            }),
            None => None,
        },
    })
}
