//! What retries have taught, and what was declined of each card.

use std::collections::BTreeMap;

use perennial::calendar::Timestamp;
use perennial::dunning::schemes;
use perennial::dunning::smart::{Knowledge, Tally, Traits, tally_name, tally_place};
use sqlx::{AnyConnection, Row};

use super::document::Column;
use super::key;
use super::writes::{Table, Writes};
use super::{Scope, Store, StoreError};

/// Declines of cards.
pub static CARD_DECLINE: Table = Table {
    name: "card_decline",
    columns: &["fingerprint", "declined_at", "attempt", "hard"],
    after: " on conflict do nothing",
};

/// Outcomes of retries, until they are counted.
pub static RETRY_OUTCOME: Table = Table {
    name: "retry_outcome",
    columns: &["sort", "traits", "recovered"],
    after: "",
};

static RETRY_TALLY: Table = Table {
    name: "retry_tally",
    columns: &["name", "recovered", "failed"],
    after: " on conflict (merchant, livemode, name) do update set \
        recovered = retry_tally.recovered + excluded.recovered, \
        failed = retry_tally.failed + excluded.failed",
};

/// Outcomes that are read beside the counts, the newest first.
const UNCOUNTED_MAX: i64 = 500;
/// Outcomes that one step of counting takes.
const COUNTED_MAX: i64 = 2_000;
/// Merchants whose outcomes one round of counting takes.
const SCOPES_MAX: i64 = 200;
/// How long a decline is kept, in seconds: a hard one for as long as a card is valid at most.
const KEPT_SECONDS: i64 = 5 * 366 * 86_400;
/// Declines that are read of one card.
const DECLINES_MAX: i64 = 64;

/// A decline as a row of [`CARD_DECLINE`].
#[must_use]
pub fn decline_cells(fingerprint: &str, at: Timestamp, attempt: &str, hard: bool) -> Vec<Column> {
    vec![
        Column::text(fingerprint),
        Column::Number(Some(at.0)),
        Column::text(attempt),
        Column::Number(Some(i64::from(hard))),
    ]
}

/// An outcome as a row of [`RETRY_OUTCOME`].
#[must_use]
pub fn outcome_cells(
    store: &Store,
    traits: &Traits,
    recovered: bool,
    now: Timestamp,
) -> Vec<Column> {
    let names: Vec<String> = traits.places().filter_map(tally_name).collect();
    vec![
        Column::Number(Some(store.sort(now))),
        Column::text(names.join(" ")),
        Column::Number(Some(i64::from(recovered))),
    ]
}

/// What was declined of a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declines {
    /// When, in the longest window of any scheme, newest first.
    pub recent: Vec<Timestamp>,
    /// When the bank last said never.
    pub never: Option<Timestamp>,
}

/// Reads what was declined of a card.
///
/// # Errors
/// When the database fails.
pub async fn declines(
    connection: &mut AnyConnection,
    scope: &Scope,
    fingerprint: &str,
    now: Timestamp,
) -> Result<Declines, StoreError> {
    let since = now.0.saturating_sub(schemes::WINDOW_SECONDS_MAX);
    let rows = sqlx::query(
        "select declined_at, hard from card_decline where merchant = $1 and livemode = $2 \
         and fingerprint = $3 order by declined_at desc limit cast($4 as bigint)",
    )
    .bind(scope.merchant.as_str())
    .bind(i64::from(scope.livemode))
    .bind(fingerprint)
    .bind(DECLINES_MAX)
    .fetch_all(connection)
    .await?;
    let mut declines = Declines::default();
    for row in &rows {
        let at: i64 = row.try_get("declined_at")?;
        let hard: i64 = row.try_get("hard")?;
        if at > since {
            declines.recent.push(Timestamp(at));
        }
        if hard == 1 {
            declines.never.get_or_insert(Timestamp(at));
        }
    }
    Ok(declines)
}

/// Reads what a merchant's retries have taught: the counts, and what is not counted yet.
///
/// # Errors
/// When the database fails.
pub async fn knowledge(
    connection: &mut AnyConnection,
    scope: &Scope,
) -> Result<Knowledge, StoreError> {
    let mut knowledge = Knowledge::default();
    let rows = sqlx::query(
        "select name, recovered, failed from retry_tally where merchant = $1 and livemode = $2",
    )
    .bind(scope.merchant.as_str())
    .bind(i64::from(scope.livemode))
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let name: String = row.try_get("name")?;
        let (recovered, failed): (i64, i64) = (row.try_get("recovered")?, row.try_get("failed")?);
        if let Some(place) = tally_place(&name) {
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let (recovered, failed) = (count(recovered), count(failed));
            knowledge.add(place, Tally { recovered, failed });
        }
    }
    let rows = sqlx::query(
        "select sort, traits, recovered from retry_outcome where merchant = $1 and livemode = $2 \
         order by sort desc limit cast($3 as bigint)",
    )
    .bind(scope.merchant.as_str())
    .bind(i64::from(scope.livemode))
    .bind(UNCOUNTED_MAX)
    .fetch_all(connection)
    .await?;
    for (name, tally) in tallies(&rows)? {
        if let Some(place) = tally_place(&name) {
            knowledge.add(place, tally);
        }
    }
    Ok(knowledge)
}

/// How far a gateway's news of cards have been read; 0 at first.
///
/// # Errors
/// When the database fails.
pub async fn card_news_read(
    connection: &mut AnyConnection,
    gateway: &str,
) -> Result<i64, StoreError> {
    let row = sqlx::query("select cursor from card_news where gateway = $1")
        .bind(gateway)
        .fetch_optional(connection)
        .await?;
    Ok(row.map_or(Ok(0), |row| row.try_get("cursor"))?)
}

/// Notes how far a gateway's news of cards have been read; never goes back.
///
/// # Errors
/// When the database fails.
pub async fn read_card_news(
    connection: &mut AnyConnection,
    gateway: &str,
    cursor: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into card_news (gateway, cursor) values ($1, $2) on conflict (gateway) do update \
         set cursor = excluded.cursor where card_news.cursor < excluded.cursor",
    )
    .bind(gateway)
    .bind(cursor)
    .execute(connection)
    .await?;
    Ok(())
}

fn tallies(rows: &[sqlx::any::AnyRow]) -> Result<BTreeMap<String, Tally>, StoreError> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for row in rows {
        let traits: String = row.try_get("traits")?;
        let recovered: i64 = row.try_get("recovered")?;
        for name in traits.split(' ') {
            let tally = tallies.entry(name.to_owned()).or_default();
            match recovered {
                1 => tally.recovered += 1,
                _ => tally.failed += 1,
            }
        }
    }
    Ok(tallies)
}

/// Counts outcomes, of all merchants, and forgets declines that are too old to matter. Doing it twice
/// at once counts once. Answers with how many outcomes were counted.
///
/// # Errors
/// When the database fails.
pub async fn count(store: &Store, now: Timestamp) -> Result<usize, StoreError> {
    let mut connection = store.read().await?;
    let rows = sqlx::query(
        "select distinct merchant, livemode from retry_outcome limit cast($1 as bigint)",
    )
    .bind(SCOPES_MAX)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    let scopes = rows.iter().map(key::scope);
    let scopes = scopes.collect::<Result<Vec<Scope>, _>>()?;
    let mut counted = 0;
    for scope in &scopes {
        counted += count_one(store, scope).await?;
    }
    let mut tx = store.begin().await?;
    sqlx::query("delete from card_decline where declined_at < $1")
        .bind(now.0.saturating_sub(KEPT_SECONDS))
        .execute(tx.connection())
        .await?;
    tx.commit().await?;
    Ok(counted)
}

async fn count_one(store: &Store, scope: &Scope) -> Result<usize, StoreError> {
    let mut connection = store.read().await?;
    let rows = sqlx::query(
        "select sort, traits, recovered from retry_outcome where merchant = $1 and livemode = $2 \
         order by sort limit cast($3 as bigint)",
    )
    .bind(scope.merchant.as_str())
    .bind(i64::from(scope.livemode))
    .bind(COUNTED_MAX)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    let Some(last) = rows.last() else {
        return Ok(0);
    };
    let last: i64 = last.try_get("sort")?;
    let mut writes = Writes::new(scope);
    for (name, tally) in tallies(&rows)? {
        let count = |n: u64| Column::Number(i64::try_from(n).ok());
        let cells = vec![
            Column::text(name),
            count(tally.recovered),
            count(tally.failed),
        ];
        writes.add(&RETRY_TALLY, cells);
    }
    let touches = u64::try_from(rows.len()).ok();
    writes.statement(
        "delete from retry_outcome where merchant = $1 and livemode = $2 and sort <= $3",
        vec![Column::Number(Some(last))],
        touches,
    );
    let mut tx = store.begin().await?;
    match writes.write(store, tx.connection()).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(rows.len())
        }
        // Another process counts them, or one more came meanwhile: the next round takes it.
        Err(StoreError::Conflict { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}
