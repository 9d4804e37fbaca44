//! The first answer to each idempotency key, kept so that a repeated request gets it again.

use perennial::calendar::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row;

use super::{Scope, StoreError};

/// How long an answer is kept, in seconds (Stripe: at least 24 hours).
pub const KEEP_SECONDS: i64 = 24 * 3600;

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody used it; it is ours now.
    Fresh,
    /// The same request is under way.
    UnderWay,
    /// It was used for a request with other parameters.
    Mismatch,
    /// The same request stopped half-way, after it had done something.
    HalfDone,
    /// This was the answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The JSON body.
        body: String,
    },
}

/// Takes the key if nobody has, else tells what it stands for. A key that is under way for longer
/// than `stale_seconds` was left by a crash and is taken over.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    connection: &mut AnyConnection,
    scope: &Scope,
    key: &str,
    fingerprint: &str,
    now: Timestamp,
    stale_seconds: i64,
) -> Result<Found, StoreError> {
    let taken = sqlx::query(
        "insert into idempotency (merchant, livemode, key, fingerprint, created) \
         values ($1, $2, $3, $4, $5) on conflict (merchant, livemode, key) do nothing",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(key)
    .bind(fingerprint)
    .bind(now.0)
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(Found::Fresh);
    }
    let row = sqlx::query(
        "select fingerprint, status, body, created, began from idempotency \
         where merchant = $1 and livemode = $2 and key = $3",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(key)
    .fetch_one(&mut *connection)
    .await?;
    let first: String = row.try_get("fingerprint")?;
    if first != fingerprint {
        return Ok(Found::Mismatch);
    }
    let status: Option<i64> = row.try_get("status")?;
    let body: Option<String> = row.try_get("body")?;
    if let (Some(status), Some(body)) = (status, body) {
        return Ok(Found::Answer {
            status: u16::try_from(status).unwrap_or(500),
            body,
        });
    }
    let created: i64 = row.try_get("created")?;
    if created.saturating_add(stale_seconds) > now.0 {
        return Ok(Found::UnderWay);
    }
    if row.try_get::<i64, _>("began")? != 0 {
        return Ok(Found::HalfDone);
    }
    let renewed = sqlx::query(
        "update idempotency set created = $4 \
         where merchant = $1 and livemode = $2 and key = $3 and status is null and created = $5",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(key)
    .bind(now.0)
    .bind(created)
    .execute(connection)
    .await?;
    Ok(if renewed.rows_affected() == 1 {
        Found::Fresh
    } else {
        Found::UnderWay
    })
}

/// Notes, in the transaction of what a request does, that it has done something: `$1` merchant, `$2`
/// livemode, `$3` its key.
pub const BEGAN: &str = "update idempotency set began = 1 \
    where merchant = $1 and livemode = $2 and key = $3 and began = 0";

/// As [`BEGAN`], for transactions that are written by hand.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    connection: &mut AnyConnection,
    scope: &Scope,
    key: &str,
) -> Result<(), StoreError> {
    sqlx::query(BEGAN)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps the answer.
///
/// # Errors
/// When the database fails.
pub async fn keep(
    connection: &mut AnyConnection,
    scope: &Scope,
    key: &str,
    status: u16,
    body: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update idempotency set status = $4, body = $5 \
         where merchant = $1 and livemode = $2 and key = $3",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(key)
    .bind(i64::from(status))
    .bind(body)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives the key back: the request was refused before anything happened.
///
/// # Errors
/// When the database fails.
pub async fn release(
    connection: &mut AnyConnection,
    scope: &Scope,
    key: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "delete from idempotency where merchant = $1 and livemode = $2 and key = $3 and status is null",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(key)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what is older than [`KEEP_SECONDS`].
///
/// # Errors
/// When the database fails.
pub async fn prune(connection: &mut AnyConnection, now: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query("delete from idempotency where created < $1")
        .bind(now.0.saturating_sub(KEEP_SECONDS))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
