//! Due work that failed by itself: set aside with its reason until it is tried again; and the count
//! of what was done.

use std::collections::HashMap;

use perennial::calendar::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{Scope, Store, StoreError, key};

/// The longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 500;

/// The next try of what is never tried again by itself.
pub const NEVER: Timestamp = Timestamp::MAX;

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whose.
    pub scope: Scope,
    /// Its id.
    pub id: String,
}

impl Place {
    /// A merchant's row.
    #[must_use]
    pub fn new(scope: &Scope, id: &str) -> Self {
        Self {
            scope: scope.clone(),
            id: id.to_owned(),
        }
    }
}

/// A row whose work failed just now.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which.
    pub place: Place,
    /// Why.
    pub reason: String,
    /// When.
    pub now: Timestamp,
    /// When it is tried again.
    pub next_at: Timestamp,
}

/// A row that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The kind of work.
    pub kind: String,
    /// Which row.
    pub place: Place,
    /// Why it failed the last time.
    pub reason: String,
    /// How often it failed.
    pub attempts: i64,
    /// When it failed first.
    pub since: Timestamp,
    /// When it is tried again.
    pub next_at: Timestamp,
}

/// The rows of a kind that failed before, and how often; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn known(
    connection: &mut AnyConnection,
    kind: &str,
    limit: i64,
) -> Result<HashMap<Place, i64>, StoreError> {
    let rows = sqlx::query(
        "select merchant, livemode, id, attempts from work_failure where kind = $1 \
         limit cast($2 as bigint)",
    )
    .bind(kind)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in &rows {
        let id: String = row.try_get("id")?;
        known.insert(Place::new(&key::scope(row)?, &id), row.try_get("attempts")?);
    }
    Ok(known)
}

/// What is set aside of a kind and may be tried again at `now`; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn ripe(
    connection: &mut AnyConnection,
    kind: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Place>, StoreError> {
    let rows = sqlx::query(
        "select merchant, livemode, id from work_failure where kind = $1 and next_at <= $2 \
         order by next_at limit cast($3 as bigint)",
    )
    .bind(kind)
    .bind(now.0)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let place = |row| {
        let id: String = Row::try_get(row, "id")?;
        Ok(Place::new(&key::scope(row)?, &id))
    };
    rows.iter().map(place).collect()
}

/// How often a note is written again when other processes write theirs at the same moment: where
/// transactions are serialisable, one of two is refused.
const TRIES_MAX: u32 = 20;

/// Notes what failed, and forgets what has been done after all.
///
/// # Errors
/// When the database fails.
pub async fn note(
    store: &Store,
    kind: &str,
    failed: &[Failed],
    mended: &[Place],
) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match note_once(store, kind, failed, mended).await {
            Err(error) if error.is_conflict() && tries < TRIES_MAX => {}
            result => return result,
        }
    }
}

async fn note_once(
    store: &Store,
    kind: &str,
    failed: &[Failed],
    mended: &[Place],
) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    for own in failed {
        let reason: String = own.reason.chars().take(REASON_CHARS_MAX).collect();
        sqlx::query(
            "insert into work_failure (merchant, livemode, kind, id, reason, attempts, since, next_at) \
             values ($1, $2, $3, $4, $5, 1, $6, $7) on conflict (merchant, livemode, kind, id) do update \
             set reason = excluded.reason, attempts = work_failure.attempts + 1, next_at = excluded.next_at",
        )
        .bind(own.place.scope.merchant.as_str())
        .bind(own.place.scope.mode())
        .bind(kind)
        .bind(own.place.id.as_str())
        .bind(reason)
        .bind(own.now.0)
        .bind(own.next_at.0)
        .execute(tx.connection())
        .await?;
    }
    for place in mended {
        sqlx::query(
            "delete from work_failure where merchant = $1 and livemode = $2 and kind = $3 and id = $4",
        )
        .bind(place.scope.merchant.as_str())
        .bind(place.scope.mode())
        .bind(kind)
        .bind(place.id.as_str())
        .execute(tx.connection())
        .await?;
    }
    tx.commit().await
}

/// Counts what was done.
///
/// # Errors
/// When the database fails.
pub async fn tally(
    store: &Store,
    kind: &str,
    done: usize,
    failed: usize,
) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match tally_once(store, kind, done, failed).await {
            Err(error) if error.is_conflict() && tries < TRIES_MAX => {}
            result => return result,
        }
    }
}

async fn tally_once(
    store: &Store,
    kind: &str,
    done: usize,
    failed: usize,
) -> Result<(), StoreError> {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut tx = store.begin().await?;
    sqlx::query(
        "insert into work_tally (kind, done, failed) values ($1, $2, $3) on conflict (kind) do update \
         set done = work_tally.done + excluded.done, failed = work_tally.failed + excluded.failed",
    )
    .bind(kind)
    .bind(count(done))
    .bind(count(failed))
    .execute(tx.connection())
    .await?;
    tx.commit().await
}

/// What was done and what failed, by kind, since the beginning.
///
/// # Errors
/// When the database fails.
pub async fn tallies(
    connection: &mut AnyConnection,
) -> Result<HashMap<String, (i64, i64)>, StoreError> {
    let rows = sqlx::query("select kind, done, failed from work_tally limit 1000")
        .fetch_all(connection)
        .await?;
    let mut tallies = HashMap::with_capacity(rows.len());
    for row in &rows {
        tallies.insert(
            row.try_get("kind")?,
            (row.try_get("done")?, row.try_get("failed")?),
        );
    }
    Ok(tallies)
}

/// What is set aside, the oldest first; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn set_aside(
    connection: &mut AnyConnection,
    limit: i64,
) -> Result<Vec<SetAside>, StoreError> {
    let rows = sqlx::query(
        "select merchant, livemode, kind, id, reason, attempts, since, next_at from work_failure \
         order by since, id limit cast($1 as bigint)",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let mut aside = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: String = row.try_get("id")?;
        aside.push(SetAside {
            kind: row.try_get("kind")?,
            place: Place::new(&key::scope(row)?, &id),
            reason: row.try_get("reason")?,
            attempts: row.try_get("attempts")?,
            since: Timestamp(row.try_get("since")?),
            next_at: Timestamp(row.try_get("next_at")?),
        });
    }
    Ok(aside)
}

/// Lets everything that is set aside be tried again at once, for after a fix. Answers with how many.
///
/// # Errors
/// When the database fails.
pub async fn retry_all(store: &Store) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    let done =
        sqlx::query("update work_failure set next_at = 0 where next_at > 0 and next_at < $1")
            .bind(NEVER.0)
            .execute(tx.connection())
            .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
