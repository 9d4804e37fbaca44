//! What falls due, of any kind: rows with a moment and a shard, found by an index that starts with
//! both. Processes share the shards between them (`store::lease`).
//!
//! A table takes part with the columns `merchant, livemode, id, shard` and a moment that is null while
//! nothing is due, an index on `(shard, <moment>, merchant, livemode, id)`, and [`due_sql`].

use perennial::calendar::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Scope, StoreError, key};

/// How many parts the work is cut into. Rows keep the number of theirs, so it never changes.
pub const SHARDS: i64 = 32;
/// Digits of an id that its shard follows from: those of the time in which it was made, to some
/// thousand ids. Neighbours in a table share a shard, so that a batch finds its rows side by side.
const SHARD_DIGITS: usize = 7;

/// The shard of everything that belongs to a customer (or to whatever this id is of): one process
/// works for one customer.
#[must_use]
pub fn shard(id: &str) -> i64 {
    let digits = id.rsplit_once('_').map_or(id, |(_, digits)| digits);
    let digits = digits.as_bytes().iter().take(SHARD_DIGITS);
    // FNV-1a: the same in every process and for ever.
    let hash = digits.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    i64::try_from((hash >> 32) % SHARDS.unsigned_abs()).unwrap_or(0)
}

/// The statements of a kind of due work; [`due_sql`] writes them.
#[derive(Clone, Copy, Debug)]
pub struct DueSql {
    /// Due rows of a shard (`$1`) by `$2`, after a row (`$3` moment, `$4` merchant, `$5` livemode,
    /// `$6` id) and not set aside at `$7`; at most `$8`.
    pub rows: &'static str,
    /// The shards that have a due row by `$1`.
    pub shards: &'static str,
    /// The next moment after `$1`.
    pub next: &'static str,
    /// How many are due by `$1` (counting to [`COUNT_MAX`]), and the oldest moment.
    pub lag: &'static str,
}

/// So far does `perennial status` count.
pub const COUNT_MAX: i64 = 100_000;

/// Writes the statements of a kind of due work: its name, its table, the moment's column, and the
/// columns beyond the key that its rows are read with (such as `customer, body, revision, sort`).
#[macro_export]
macro_rules! due_sql {
    ($kind:literal, $table:literal, $moment:literal, $columns:literal) => {
        $crate::store::due::DueSql {
            rows: concat!(
                "select merchant, livemode, id, ", $moment, " as due_at, ", $columns, " from ", $table,
                " as d where shard = $1 and ", $moment, " <= $2 and (", $moment,
                ", merchant, livemode, id) > ($3, $4, $5, $6) and not exists (select 1 from work_failure as f \
                 where f.merchant = d.merchant and f.livemode = d.livemode and f.kind = '", $kind,
                "' and f.id = d.id and f.next_at > $7) order by ", $moment,
                ", merchant, livemode, id limit cast($8 as bigint)"
            ),
            shards: concat!(
                "select shard from work_lease as l where exists (select 1 from ", $table,
                " as d where d.shard = l.shard and d.", $moment, " <= $1) order by shard"
            ),
            next: concat!(
                "select min((select min(d.", $moment, ") from ", $table,
                " as d where d.shard = l.shard and d.", $moment, " > $1)) as due_at from work_lease as l"
            ),
            lag: concat!(
                "select count(*) as n, min(due_at) as due_at from (select d.", $moment, " as due_at from work_lease \
                 as l join ", $table, " as d on d.shard = l.shard where d.", $moment, " <= $1 \
                 limit 100000) as due"
            ),
        }
    };
}
pub use due_sql;

/// A due row.
pub struct DueRow {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub id: String,
    /// Since when.
    pub at: Timestamp,
    /// The row with the columns that its kind asked for.
    pub row: AnyRow,
}

/// After which row a part of a list begins.
#[derive(Clone, Debug)]
pub struct Cursor {
    at: i64,
    merchant: String,
    mode: i64,
    id: String,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            at: i64::MIN,
            merchant: String::new(),
            mode: 0,
            id: String::new(),
        }
    }
}

impl Cursor {
    /// After this one.
    #[must_use]
    pub fn after(row: &DueRow) -> Self {
        Self {
            at: row.at.0,
            merchant: row.scope.merchant.to_string(),
            mode: row.scope.mode(),
            id: row.id.clone(),
        }
    }
}

/// Reads due rows of a shard, in the order of their moments.
///
/// # Errors
/// When the database fails.
pub async fn rows(
    connection: &mut AnyConnection,
    sql: &DueSql,
    shard: i64,
    now: Timestamp,
    until: Timestamp,
    after: &Cursor,
    limit: usize,
) -> Result<Vec<DueRow>, StoreError> {
    let rows = sqlx::query(sql.rows)
        .bind(shard)
        .bind(until.0)
        .bind(after.at)
        .bind(after.merchant.as_str())
        .bind(after.mode)
        .bind(after.id.as_str())
        .bind(now.0)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut due = Vec::with_capacity(rows.len());
    for row in rows {
        due.push(DueRow {
            scope: key::scope(&row)?,
            id: row.try_get("id")?,
            at: Timestamp(row.try_get("due_at")?),
            row,
        });
    }
    Ok(due)
}

/// The shards that have something due by `until`.
///
/// # Errors
/// When the database fails.
pub async fn shards(
    connection: &mut AnyConnection,
    sql: &DueSql,
    until: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query(sql.shards)
        .bind(until.0)
        .fetch_all(connection)
        .await?;
    let shards = rows.iter().map(|row| row.try_get("shard"));
    Ok(shards.collect::<Result<Vec<i64>, _>>()?)
}

/// The next moment of a kind after `now`.
///
/// # Errors
/// When the database fails.
pub async fn next(
    connection: &mut AnyConnection,
    sql: &DueSql,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(sql.next)
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    let at: Option<i64> = row.try_get("due_at")?;
    Ok(at.map(Timestamp))
}

/// How many are due by `now`, counting to [`COUNT_MAX`], and since when the oldest is.
///
/// # Errors
/// When the database fails.
pub async fn lag(
    connection: &mut AnyConnection,
    sql: &DueSql,
    now: Timestamp,
) -> Result<(i64, Option<Timestamp>), StoreError> {
    let row = sqlx::query(sql.lag)
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    let at: Option<i64> = row.try_get("due_at")?;
    Ok((row.try_get("n")?, at.map(Timestamp)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Entropy as _, SeededEntropy};
    use perennial::id::CustomerId;

    #[test]
    fn shards_are_even_and_neighbours_share_one() {
        let source = SeededEntropy::new(7);
        let mut counts = vec![0_u32; 32];
        for _ in 0..32_000 {
            let id = CustomerId::from_random(source.bits());
            let at = usize::try_from(shard(id.as_str())).unwrap();
            *counts.get_mut(at).unwrap() += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1_200).contains(count)),
            "{counts:?}"
        );
        let time = 1_769_853_600_u128 << 94;
        let one = CustomerId::from_random(time | 5);
        let other = CustomerId::from_random(time | (1 << 79));
        assert_eq!(shard(one.as_str()), shard(other.as_str()));
        assert_eq!(shard("cus_1"), shard("1"));
    }
}
