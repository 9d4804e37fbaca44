//! Who works on which shard. Every process takes its fair share by conditional updates of single rows,
//! which need neither a coordinator nor any lock beyond the row's; it renews while it lives, gives
//! back when it stops, and is taken over from when it has been silent for [`LEASE_SECONDS`].
//!
//! A lease saves processes from doing the same work; that none of it is done twice is not up to
//! leases but to the revision of each row.

use perennial::calendar::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{Store, StoreError};

/// How long a silent process keeps its shards, in seconds.
pub const LEASE_SECONDS: i64 = 30;
/// A lease that ends later than this from now, in seconds, is not believed: no process takes one for so
/// long, so the clock that wrote it was wrong.
const AHEAD_SECONDS_MAX: i64 = 10 * LEASE_SECONDS;
/// How often it is tried again when others write the same rows.
const TRIES_MAX: u32 = 5;

/// A shard's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub shard: i64,
    /// Who has it, or had it.
    pub holder: Option<String>,
    /// Until when.
    pub until: Timestamp,
}

/// A process that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name, random.
    pub id: String,
    /// Since when.
    pub started: Timestamp,
    /// Until when it is believed to live.
    pub until: Timestamp,
}

/// All leases, by shard.
///
/// # Errors
/// When the database fails.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Lease>, StoreError> {
    let rows = sqlx::query("select shard, holder, until from work_lease order by shard")
        .fetch_all(connection)
        .await?;
    let mut leases = Vec::with_capacity(rows.len());
    for row in &rows {
        leases.push(Lease {
            shard: row.try_get("shard")?,
            holder: row.try_get("holder")?,
            until: Timestamp(row.try_get("until")?),
        });
    }
    Ok(leases)
}

/// The processes that are believed to live at `now`.
///
/// # Errors
/// When the database fails.
pub async fn processes(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<Process>, StoreError> {
    let rows = sqlx::query(
        "select id, started, until from work_process where until between $1 and $2 \
         order by started, id limit 1000",
    )
    .bind(now.0)
    .bind(now.0.saturating_add(AHEAD_SECONDS_MAX))
    .fetch_all(connection)
    .await?;
    let mut processes = Vec::with_capacity(rows.len());
    for row in &rows {
        processes.push(Process {
            id: row.try_get("id")?,
            started: Timestamp(row.try_get("started")?),
            until: Timestamp(row.try_get("until")?),
        });
    }
    Ok(processes)
}

/// Says that a process lives, renews what it holds, and takes what is free up to its fair share.
/// What it holds beyond that it gives back, unless `keep`: then it is in the midst of work. Answers
/// with the shards that it holds until `now` and [`LEASE_SECONDS`].
///
/// # Errors
/// When the database fails.
pub async fn renew(
    store: &Store,
    process: &Process,
    now: Timestamp,
    keep: bool,
) -> Result<Vec<i64>, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match renew_once(store, process, now, keep).await {
            Err(error) if error.is_conflict() && tries < TRIES_MAX => store.note_conflict(&error),
            result => return result,
        }
    }
}

async fn renew_once(
    store: &Store,
    process: &Process,
    now: Timestamp,
    keep: bool,
) -> Result<Vec<i64>, StoreError> {
    let me = process.id.as_str();
    let until = now.0.saturating_add(LEASE_SECONDS);
    let mut tx = store.begin().await?;
    sqlx::query(
        "insert into work_process (id, started, until) values ($1, $2, $3) \
         on conflict (id) do update set until = excluded.until",
    )
    .bind(me)
    .bind(process.started.0)
    .bind(until)
    .execute(tx.connection())
    .await?;
    let ahead = now.0.saturating_add(AHEAD_SECONDS_MAX);
    sqlx::query("delete from work_process where until < $1 or until > $2")
        .bind(now.0)
        .bind(ahead)
        .execute(tx.connection())
        .await?;
    let living = processes(tx.connection(), now).await?.len().max(1);
    let leases = all(tx.connection()).await?;
    let fair = leases.len().div_ceil(living);
    let mine = |lease: &Lease| lease.holder.as_deref() == Some(me);
    let mut held: Vec<i64> = leases
        .iter()
        .filter(|own| mine(own))
        .map(|own| own.shard)
        .collect();
    if !keep {
        for shard in held.split_off(held.len().min(fair)) {
            give_back_one(tx.connection(), me, shard).await?;
        }
    }
    // Somebody may have taken over what this process was silent about.
    let mut kept = Vec::with_capacity(held.len());
    for shard in held {
        let sql = "update work_lease set until = $3 where shard = $1 and holder = $2";
        let done = sqlx::query(sql).bind(shard).bind(me).bind(until);
        if done.execute(tx.connection()).await?.rows_affected() == 1 {
            kept.push(shard);
        }
    }
    for lease in leases.iter().filter(|own| !mine(own)) {
        if kept.len() >= fair {
            break;
        }
        let free = lease.holder.is_none() || lease.until < now || lease.until.0 > ahead;
        let sql = "update work_lease set holder = $2, until = $3 where shard = $1 \
                   and (holder is null or until < $4 or until > $5)";
        if free {
            let done = sqlx::query(sql)
                .bind(lease.shard)
                .bind(me)
                .bind(until)
                .bind(now.0)
                .bind(ahead)
                .execute(tx.connection())
                .await?;
            if done.rows_affected() == 1 {
                kept.push(lease.shard);
            }
        }
    }
    tx.commit().await?;
    kept.sort_unstable();
    Ok(kept)
}

/// Takes every shard from whoever has it, and forgets all processes: for one that knows that no other
/// lives.
///
/// # Errors
/// When the database fails.
pub async fn take_over(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    for sql in [
        "update work_lease set holder = null, until = 0 where holder is not null",
        "delete from work_process",
    ] {
        sqlx::query(sql).execute(tx.connection()).await?;
    }
    tx.commit().await
}

async fn give_back_one(
    connection: &mut AnyConnection,
    me: &str,
    shard: i64,
) -> Result<(), StoreError> {
    sqlx::query("update work_lease set holder = null, until = 0 where shard = $1 and holder = $2")
        .bind(shard)
        .bind(me)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives everything back: the process stops.
///
/// # Errors
/// When the database fails; the leases end by themselves then.
pub async fn give_back(store: &Store, process: &Process) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query("update work_lease set holder = null, until = 0 where holder = $1")
        .bind(process.id.as_str())
        .execute(tx.connection())
        .await?;
    sqlx::query("delete from work_process where id = $1")
        .bind(process.id.as_str())
        .execute(tx.connection())
        .await?;
    tx.commit().await
}
