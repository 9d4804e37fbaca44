//! Looking through all alerts and accounts, page by page, forgetting old events, and bringing those of older
//! versions up to date.

use perennial::calendar::Timestamp;
use perennial::usage::{Alert, HOUR_SECONDS};
use sqlx::{AnyConnection, Row};

use crate::store::document::{self, Stored};
use crate::store::{Scope, Store, StoreError, key};

/// A place among the alerts of all merchants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertPlace {
    merchant: String,
    livemode: i64,
    /// The alert's.
    pub id: String,
}

/// A place among the accounts of all merchants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPlace {
    merchant: String,
    livemode: i64,
    account: i64,
}

/// Active alerts of all merchants after a place, at most `limit`, each with its place, or why it can't be
/// read.
///
/// # Errors
/// When the database fails.
pub async fn active_alerts(
    connection: &mut AnyConnection,
    after: &AlertPlace,
    limit: i64,
) -> Result<Vec<(Scope, AlertPlace, Result<Stored<Alert>, StoreError>)>, StoreError> {
    let rows = sqlx::query(
        "select merchant, livemode, id, body, revision, sort from billing_alert \
         where status = 'active' and (merchant > $1 or (merchant = $1 and livemode > $2) \
         or (merchant = $1 and livemode = $2 and id > $3)) \
         order by merchant, livemode, id limit cast($4 as bigint)",
    )
    .bind(after.merchant.clone())
    .bind(after.livemode)
    .bind(after.id.clone())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |row| {
        let place = AlertPlace {
            merchant: Row::try_get(row, "merchant")?,
            livemode: Row::try_get(row, "livemode")?,
            id: Row::try_get(row, "id")?,
        };
        Ok((key::scope(row)?, place, document::decode(row)))
    };
    rows.iter().map(read).collect()
}

/// The customers of a meter after one of them who used something since a moment, in order, at most
/// `limit`. The hour that the moment lies in counts whole.
///
/// # Errors
/// When the database fails.
pub async fn customers_after(
    connection: &mut AnyConnection,
    scope: &Scope,
    meter: &str,
    after: &str,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    // Different values are noted by their newest appearance; everything else adds up by the hour.
    let rows = sqlx::query(
        "select customer from meter_account a \
         where merchant = $1 and livemode = $2 and meter = $3 and customer > $4 \
         and (exists (select 1 from meter_total t where t.merchant = a.merchant \
              and t.livemode = a.livemode and t.account = a.account and t.step = $5 and t.start >= $6) \
         or exists (select 1 from meter_mark m where m.merchant = a.merchant \
              and m.livemode = a.livemode and m.account = a.account and m.seen >= $6)) \
         order by customer limit cast($7 as bigint)",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(meter)
    .bind(after)
    .bind(HOUR_SECONDS)
    .bind(since.0.saturating_sub(HOUR_SECONDS - 1))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(row.try_get("customer")?))
        .collect()
}

/// Deletes the events before a moment (in seconds) of the next `limit` accounts after a place. Answers
/// with how many went, and the place to go on from: the first one after the last account.
///
/// # Errors
/// When the database fails.
pub async fn prune_events(
    connection: &mut AnyConnection,
    after: &AccountPlace,
    limit: i64,
    before: i64,
) -> Result<(u64, AccountPlace), StoreError> {
    let rows = sqlx::query(
        "select merchant, livemode, account from meter_account \
         where merchant > $1 or (merchant = $1 and livemode > $2) \
         or (merchant = $1 and livemode = $2 and account > $3) \
         order by merchant, livemode, account limit cast($4 as bigint)",
    )
    .bind(after.merchant.clone())
    .bind(after.livemode)
    .bind(after.account)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        places.push(AccountPlace {
            merchant: row.try_get("merchant")?,
            livemode: row.try_get("livemode")?,
            account: row.try_get("account")?,
        });
    }
    let mut gone = 0;
    // Accounts with neighbouring numbers go together: few statements for many accounts.
    let mut from = 0;
    while let Some(first) = places.get(from) {
        let same = |place: &&AccountPlace| {
            place.merchant == first.merchant && place.livemode == first.livemode
        };
        let run = places.iter().skip(from).take_while(same);
        let (count, last) = run.fold((0, first), |(count, _), place| (count + 1, place));
        let done = sqlx::query(
            "delete from meter_event where merchant = $1 and livemode = $2 \
             and account >= $3 and account <= $4 and at < $5",
        )
        .bind(first.merchant.clone())
        .bind(first.livemode)
        .bind(first.account)
        .bind(last.account)
        .bind(before)
        .execute(&mut *connection)
        .await?;
        gone += done.rows_affected();
        from += count;
    }
    let full = i64::try_from(places.len()).is_ok_and(|count| count >= limit);
    let next = places.pop().filter(|_| full);
    Ok((gone, next.unwrap_or_default()))
}

/// Events of before keys that one transaction gives theirs.
const KEYED_TOGETHER: i64 = 1_000;

/// Gives events of an older installation their keys, before anything is added: so that none counts
/// twice.
///
/// # Errors
/// When the database fails.
pub async fn add_keys(store: &Store) -> Result<(), StoreError> {
    loop {
        let mut tx = store.begin().await?;
        let rows = sqlx::query(
            "select merchant, livemode, identifier from meter_event where key is null \
             order by merchant, livemode, identifier limit cast($1 as bigint)",
        )
        .bind(KEYED_TOGETHER)
        .fetch_all(tx.connection())
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let (scope, identifier): (_, String) = (key::scope(row)?, row.try_get("identifier")?);
            sqlx::query(
                "update meter_event set key = $4 where merchant = $1 and livemode = $2 \
                 and identifier = $3 and key is null",
            )
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(identifier.as_str())
            .bind(super::key(&scope, &identifier))
            .execute(tx.connection())
            .await?;
        }
        tx.commit().await?;
    }
}
