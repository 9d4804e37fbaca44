//! Finding events: by id, and in lists by time and type.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row as _};

use super::{Data, Event, Lying, SLOT, joined, place_in, slot_of};
use crate::store::document::PageRequest;
use crate::store::{Scope, StoreError};

/// Places of lists in a second.
const MICROS: i64 = 1_000_000;
/// Groups that one statement reads.
const GROUPS_MAX: usize = 100;
/// Groups more than there are events wanted that are looked at: the first and the last one may have
/// none within the bounds.
const GROUPS_SPARE: i64 = 2;

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

/// The most types of one [`Filter`] (Stripe: 20).
pub const KINDS_MAX: usize = 20;

/// Reads one.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn load(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Option<Event>, StoreError> {
    let Some(place) = place_of(connection, scope, id).await? else {
        return Ok(None);
    };
    let mut found = at_places(connection, scope, &[place]).await?;
    let Some(event) = found.remove(&place).filter(|own| own.id.as_str() == id) else {
        return Ok(None);
    };
    let mut events = vec![event];
    complete(connection, scope, &mut events).await?;
    Ok(events.pop())
}

/// Where the event of an id would lie.
async fn place_of(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Option<i64>, StoreError> {
    if let Some(place) = place_in(scope, id) {
        return Ok(Some(place));
    }
    let sql = "select sort from event_former where merchant = $1 and livemode = $2 and id = $3";
    let row = scoped(sql.to_owned(), scope)
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get("sort")).transpose()?)
}

/// The events at these places, as they lie.
async fn at_places(
    connection: &mut AnyConnection,
    scope: &Scope,
    places: &[i64],
) -> Result<HashMap<i64, Event>, StoreError> {
    // Groups begin where their slot does, or, those from before, at their only event.
    let mut groups: Vec<i64> = places
        .iter()
        .flat_map(|own| [slot_of(*own), *own])
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let found = in_groups(connection, scope, &groups).await?;
    let wanted: HashSet<&i64> = places.iter().collect();
    let found = found.into_iter().filter(|(own, _)| wanted.contains(own));
    Ok(found.collect())
}

/// The events of groups, with their places.
async fn in_groups(
    connection: &mut AnyConnection,
    scope: &Scope,
    groups: &[i64],
) -> Result<Vec<(i64, Event)>, StoreError> {
    let mut events = Vec::new();
    for groups in groups.chunks(GROUPS_MAX) {
        let places: Vec<String> = (0..groups.len()).map(|n| format!("${}", n + 3)).collect();
        let sql = format!(
            "select sort, body from event_group where merchant = $1 and livemode = $2 and sort in ({})",
            places.join(", ")
        );
        let query = groups
            .iter()
            .fold(scoped(sql, scope), |query, sort| query.bind(*sort));
        for row in query.fetch_all(&mut *connection).await? {
            let (sort, body): (i64, String) = (row.try_get("sort")?, row.try_get("body")?);
            let lying: Vec<Lying<'_>> =
                serde_json::from_str(&body).map_err(|error| StoreError::Unreadable {
                    kind: "event",
                    id: sort.to_string(),
                    reason: error.to_string(),
                })?;
            events.extend(lying.into_iter().map(|own| {
                let place = sort.saturating_add(own.n);
                (place, own.event(scope, place))
            }));
        }
    }
    Ok(events)
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
    let whole = at_places(connection, scope, &wanted).await?;
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
        let Some(Data::Kept(basis)) = whole.get(&basis).map(|own| &own.data) else {
            return Err(unreadable("its basis is gone"));
        };
        kept.body =
            joined(&basis.body, &kept.body).map_err(|error| unreadable(&error.to_string()))?;
    }
    Ok(())
}

/// What a list may have.
struct Bounds {
    /// The first place.
    from: i64,
    /// The first place after it.
    until: i64,
    /// Whether the oldest come first.
    newer: bool,
    /// How many events.
    wanted: usize,
}

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
    let mut bounds = Bounds {
        from: filter.from.saturating_mul(MICROS),
        until: filter.until.saturating_mul(MICROS),
        newer: page.ending_before.is_some(),
        wanted: limit.saturating_add(1),
    };
    if let Some(id) = page.ending_before.as_ref().or(page.starting_after.as_ref()) {
        let Some(place) = place_of(connection, scope, id).await? else {
            return Ok((Vec::new(), false));
        };
        match bounds.newer {
            true => bounds.from = bounds.from.max(place.saturating_add(1)),
            false => bounds.until = bounds.until.min(place),
        }
    }
    let kinds = match filter.kinds.is_empty() {
        true => None,
        false => Some(kinds_like(connection, scope, &filter.kinds).await?),
    };
    let groups = groups(connection, scope, &bounds, kinds.as_deref()).await?;
    let mut found = in_groups(connection, scope, &groups).await?;
    found.retain(|(place, event)| {
        let known = kinds.as_ref().is_none_or(|own| own.contains(&event.kind));
        (bounds.from..bounds.until).contains(place) && known
    });
    found.sort_by_key(|(place, _)| *place);
    if !bounds.newer {
        found.reverse();
    }
    let more = found.len() > limit;
    found.truncate(limit);
    if bounds.newer {
        found.reverse();
    }
    let mut events: Vec<Event> = found.into_iter().map(|(_, event)| event).collect();
    complete(connection, scope, &mut events).await?;
    Ok((events, more))
}

/// The types that these patterns mean: themselves, or what is there and begins so.
async fn kinds_like(
    connection: &mut AnyConnection,
    scope: &Scope,
    patterns: &[String],
) -> Result<Vec<String>, StoreError> {
    let patterns: Vec<&str> = patterns
        .iter()
        .map(String::as_str)
        .take(KINDS_MAX)
        .collect();
    if !patterns.iter().any(|pattern| pattern.ends_with('*')) {
        return Ok(patterns.into_iter().map(str::to_owned).collect());
    }
    // From one type to the next, so that it is a look into the index for each.
    let own = "from event_kind where merchant = $1 and livemode = $2";
    let sql = format!(
        "with recursive found (type) as (select min(type) {own} union all \
         select (select min(type) {own} and type > found.type) from found where found.type is not null) \
         select type from found where type is not null"
    );
    let rows = scoped(sql, scope).fetch_all(connection).await?;
    let mut kinds = Vec::with_capacity(rows.len());
    for row in rows {
        let kind: String = row.try_get("type")?;
        let meant = patterns
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => kind == *pattern,
            });
        if meant {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// The groups that have the events of a list.
async fn groups(
    connection: &mut AnyConnection,
    scope: &Scope,
    bounds: &Bounds,
    kinds: Option<&[String]>,
) -> Result<Vec<i64>, StoreError> {
    let order = if bounds.newer { "asc" } else { "desc" };
    let part = |of: &str| {
        format!(
            "select sort, events {of} and sort > $3 and sort < $4 \
             order by sort {order} limit cast($5 as bigint)"
        )
    };
    let sql = match kinds {
        None => part("from event_group where merchant = $1 and livemode = $2"),
        Some([]) => return Ok(Vec::new()),
        // Each type by itself is in order in the index.
        Some(kinds) => {
            let parts = (0..kinds.len()).map(|n| {
                let own = format!(
                    "from event_kind where merchant = $1 and livemode = $2 and type = ${}",
                    n + 6
                );
                format!("select * from ({}) as kind_{n}", part(&own))
            });
            let parts: Vec<String> = parts.collect();
            let all = parts.join(" union all ");
            format!("{all} order by sort {order} limit cast($5 as bigint)")
        }
    };
    let wanted = i64::try_from(bounds.wanted).unwrap_or(i64::MAX);
    let query = scoped(sql, scope)
        // A group that begins before the first place may have it.
        .bind(bounds.from.saturating_sub(SLOT))
        .bind(bounds.until)
        .bind(wanted.saturating_add(GROUPS_SPARE));
    let kinds = kinds.unwrap_or_default().iter();
    let query = kinds.fold(query, |query, kind| query.bind(kind.clone()));
    let (mut groups, mut sure) = (BTreeSet::new(), 0);
    for row in query.fetch_all(connection).await? {
        let (sort, events): (i64, i64) = (row.try_get("sort")?, row.try_get("events")?);
        if sure >= wanted && !groups.contains(&sort) {
            break;
        }
        groups.insert(sort);
        // Of a group on the edge it is not known how many of its events are within.
        if sort >= bounds.from && sort.saturating_add(SLOT) <= bounds.until {
            sure = sure.saturating_add(events);
        }
    }
    Ok(groups.into_iter().collect())
}

/// A statement that binds `$1` merchant and `$2` livemode first.
fn scoped(sql: String, scope: &Scope) -> Query<'static, Any, AnyArguments> {
    sqlx::query(AssertSqlSafe(sql))
        .bind(scope.merchant.to_string())
        .bind(scope.mode())
}
