//! How an aggregate becomes a row and comes back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use sqlx::{Any, Row};

use super::body::Body;
use super::writes::Writes;
use super::{Scope, Store, StoreError, due};
use perennial::calendar::Timestamp;

/// A column beside the body, to filter or sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// TEXT.
    Text(Option<String>),
    /// BIGINT.
    Number(Option<i64>),
}

impl Column {
    /// Binds it to the next place of a statement. A text that is there is given away by itself: an
    /// option of one would be copied.
    pub(crate) fn bind(self, query: AnyQuery<'_>) -> AnyQuery<'_> {
        match self {
            Self::Text(Some(text)) => query.bind(text),
            Self::Text(None) => query.bind(None::<String>),
            Self::Number(number) => query.bind(number),
        }
    }

    /// A text that is always there.
    #[must_use]
    pub fn text(value: impl ToString) -> Self {
        Self::Text(Some(value.to_string()))
    }

    /// A text that may be missing.
    #[must_use]
    pub fn text_or_null<T: ToString>(value: Option<&T>) -> Self {
        Self::Text(value.map(T::to_string))
    }

    /// The shard of whatever belongs to this customer.
    #[must_use]
    pub fn shard<T: AsRef<str>>(customer: Option<&T>) -> Self {
        Self::Number(Some(customer.map_or(0, |id| due::shard(id.as_ref()))))
    }

    /// A moment that may be missing.
    #[must_use]
    pub fn moment(value: Option<Timestamp>) -> Self {
        Self::Number(value.map(|t| t.0))
    }
}

/// An aggregate that is kept as a row. Statements bind `$1` merchant, `$2` livemode, `$3` id; see
/// each constant for what follows.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync + Unpin + 'static {
    /// What errors call it; Stripe's object name.
    const KIND: &'static str;
    /// `select body, revision, sort … where merchant = $1 and livemode = $2 and id = $3`.
    const SELECT: &'static str;
    /// `insert into … (merchant, livemode, id, revision, sort, body, <columns>) values ($1, $2, $3,
    /// 1, $4, $5, $6 …)`.
    const INSERT: &'static str;
    /// `update … set revision = revision + 1, body = $5, <column> = $6 … where merchant = $1 and
    /// livemode = $2 and id = $3 and revision = $4`.
    const UPDATE: &'static str;
    /// The id.
    fn key(&self) -> &str;
    /// The columns beside the body, in the statements' order.
    fn columns(&self) -> Vec<Column>;
}

/// A document as it was read: saving it again needs the revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The aggregate.
    pub value: T,
    /// Counts the saves; another number in the row means that somebody else was faster.
    pub revision: i64,
    /// Its place in lists.
    pub sort: i64,
}

impl<T> std::ops::Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Decodes a row of `body, revision, sort`.
pub(crate) fn decode<T: Document>(row: &AnyRow) -> Result<Stored<T>, StoreError> {
    let body: &str = row.try_get("body")?;
    let value = serde_json::from_str(body).map_err(|error| StoreError::Unreadable {
        kind: T::KIND,
        id: body.chars().take(48).collect(),
        reason: error.to_string(),
    })?;
    Ok(Stored {
        value,
        revision: row.try_get("revision")?,
        sort: row.try_get("sort")?,
    })
}

/// Reads one; not finding it is no error.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn load<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Option<Stored<T>>, StoreError> {
    let row = sqlx::query(T::SELECT)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(decode).transpose()
}

/// The most ids that one statement of [`load_many`] names.
const IDS_MAX: usize = 100;

/// Reads several by their ids, a hundred with each statement; those that are not there are left out.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn load_many<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    ids: &[String],
) -> Result<Vec<Stored<T>>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS_MAX) {
        // Few different lengths, so that the databases prepare few statements: 1, 10 or 100 places.
        let places = match ids.len() {
            1 => 1,
            2..=10 => 10,
            _ => IDS_MAX,
        };
        let names: Vec<String> = (0..places).map(|place| format!("${}", place + 3)).collect();
        let sql = T::SELECT.replace("id = $3", &format!("id in ({})", names.join(", ")));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(scope.merchant.as_str())
            .bind(scope.mode());
        for place in 0..places {
            query = query.bind(ids.get(place).cloned().unwrap_or_default());
        }
        for row in &query.fetch_all(&mut *connection).await? {
            found.push(decode(row)?);
        }
    }
    Ok(found)
}

/// Writes a new one.
///
/// # Errors
/// [`StoreError::Exists`] when its key or a unique column is taken.
pub async fn insert<T: Document>(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    value: T,
    now: Timestamp,
) -> Result<Stored<T>, StoreError> {
    let sort = store.sort(now);
    let body = encode(&value)?;
    let query = sqlx::query(T::INSERT)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(value.key())
        .bind(sort)
        .bind(body.as_str());
    match bind_columns(query, &value).execute(connection).await {
        Ok(_) => Ok(Stored {
            value,
            revision: 1,
            sort,
        }),
        Err(error) => Err(not_inserted(error, T::KIND, value.key())),
    }
}

/// Why rows of a kind were not written.
pub(super) fn not_inserted(error: sqlx::Error, kind: &'static str, id: &str) -> StoreError {
    let id = id.to_owned();
    match error {
        // A place in a list that another process took at this moment: the next one is free.
        error if error.as_database_error().is_some_and(super::is_sort_clash) => {
            StoreError::Conflict { kind, id }
        }
        error if is_unique(&error) => StoreError::Exists { kind, id },
        error => error.into(),
    }
}

/// Saves one that was read before, and counts its revision up.
///
/// # Errors
/// [`StoreError::Conflict`] when the row changed since.
pub async fn update<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    stored: &mut Stored<T>,
) -> Result<(), StoreError> {
    let body = encode(&stored.value)?;
    let query = sqlx::query(T::UPDATE)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(stored.value.key())
        .bind(stored.revision)
        .bind(body.as_str());
    let done = bind_columns(query, &stored.value)
        .execute(connection)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::Conflict {
            kind: T::KIND,
            id: stored.value.key().to_owned(),
        });
    }
    stored.revision += 1;
    Ok(())
}

/// Saves several that were read before, with few statements, and counts their revisions up.
///
/// # Errors
/// [`StoreError::Conflict`] when one of the rows changed since; the transaction must not be kept then.
pub async fn update_many<T: Document>(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    rows: &mut [Stored<T>],
) -> Result<(), StoreError> {
    let mut writes = Writes::new(scope);
    for row in rows {
        writes.update(row, None)?;
    }
    writes.write(store, connection).await
}

/// Deletes one that was read before.
///
/// # Errors
/// [`StoreError::Conflict`] when the row changed since.
pub async fn delete<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    stored: &Stored<T>,
) -> Result<(), StoreError> {
    let sql = T::SELECT.replace("select body, revision, sort from", "delete from");
    let done = sqlx::query(sqlx::AssertSqlSafe(format!("{sql} and revision = $4")))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(stored.value.key())
        .bind(stored.revision)
        .execute(connection)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::Conflict {
            kind: T::KIND,
            id: stored.value.key().to_owned(),
        });
    }
    Ok(())
}

/// A document as its row's body.
pub(crate) fn encode<T: Document>(value: &T) -> Result<Body, StoreError> {
    Body::of(value).map_err(|error| StoreError::Unreadable {
        kind: T::KIND,
        id: value.key().to_owned(),
        reason: error.to_string(),
    })
}

pub(super) type AnyQuery<'q> = Query<'q, Any, sqlx::any::AnyArguments>;

fn bind_columns<'q, T: Document>(mut query: AnyQuery<'q>, value: &T) -> AnyQuery<'q> {
    for column in value.columns() {
        query = column.bind(query);
    }
    query
}

pub(crate) fn is_unique(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A part of a list, newest first, as Stripe pages it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to 100.
    pub limit: u32,
    /// After this id (older).
    pub starting_after: Option<String>,
    /// Before this id (newer).
    pub ending_before: Option<String>,
}

impl PageRequest {
    /// The most rows in one part (Stripe: 100).
    pub const LIMIT_MAX: u32 = 100;

    /// The first `limit` rows.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self {
            limit,
            starting_after: None,
            ending_before: None,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Newest first.
    pub rows: Vec<Stored<T>>,
    /// Whether there is more in the direction of paging.
    pub has_more: bool,
}

/// The statements of a list: `$1` merchant, `$2` livemode, `$3` the cursor's id or null, `$4` the
/// limit, `$5 …` the filter. Limits are cast: a bare parameter after `limit` makes SQLite parse and
/// plan the statement anew each time it runs.
#[derive(Clone, Copy, Debug)]
pub struct ListSql {
    /// Rows older than the cursor, newest first.
    pub older: &'static str,
    /// Rows newer than the cursor, oldest first.
    pub newer: &'static str,
}

/// Builds the two statements of a list over table `$table` with `$filter` (which may use `$5 …`).
#[macro_export]
macro_rules! list_sql {
    ($table:literal, $filter:literal) => {
        $crate::store::document::ListSql {
            older: concat!(
                "select body, revision, sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and ($3 = '' or sort < (select sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and id = $3))",
                $filter,
                " order by sort desc limit cast($4 as bigint)"
            ),
            newer: concat!(
                "select body, revision, sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and sort > (select sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and id = $3)",
                $filter,
                " order by sort asc limit cast($4 as bigint)"
            ),
        }
    };
}

/// Reads a part of a list.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn list<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    sql: ListSql,
    page: &PageRequest,
    filter: &[Column],
) -> Result<Page<T>, StoreError> {
    let limit = page.limit.clamp(1, PageRequest::LIMIT_MAX);
    let (text, cursor, newer) = match (&page.ending_before, &page.starting_after) {
        (Some(id), _) => (sql.newer, id.as_str(), true),
        (None, Some(id)) => (sql.older, id.as_str(), false),
        (None, None) => (sql.older, "", false),
    };
    let mut query = sqlx::query(text)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(cursor.to_owned())
        .bind(i64::from(limit) + 1);
    for column in filter {
        query = column.clone().bind(query);
    }
    let rows = query.fetch_all(connection).await?;
    let has_more = rows.len() > limit as usize;
    let mut rows = rows
        .iter()
        .take(limit as usize)
        .map(decode)
        .collect::<Result<Vec<_>, StoreError>>()?;
    if newer {
        rows.reverse();
    }
    Ok(Page { rows, has_more })
}

/// Reads all rows of a statement that binds `$1` merchant, `$2` livemode and then `filter`.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn select<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    sql: &'static str,
    filter: &[Column],
) -> Result<Vec<Stored<T>>, StoreError> {
    let mut query = sqlx::query(sql)
        .bind(scope.merchant.as_str())
        .bind(scope.mode());
    for column in filter {
        query = column.clone().bind(query);
    }
    query
        .fetch_all(connection)
        .await?
        .iter()
        .map(decode)
        .collect()
}
