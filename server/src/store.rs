//! All SQL. One file a noun; here is what they share: connections, transactions, scopes, and how an
//! aggregate becomes a row.
//!
//! An aggregate (a subscription with its items, an invoice with its lines) is one row: its body is
//! JSON, and the columns beside it are what queries filter and sort by. So it is loaded and saved
//! whole, in one statement, and its `revision` makes two concurrent changes exclude each other.

pub(crate) mod body;
mod checkpoint;
pub mod customer_tax_id;
pub mod document;
pub mod due;
pub mod event;
pub mod failure;
pub mod holdings;
pub mod idempotency;
pub mod installation;
pub mod invoice_prefix;
pub mod key;
pub mod lease;
pub mod ledger;
pub mod listing;
pub mod logo;
pub mod mail;
pub mod narrowing;
pub mod nouns;
pub mod owners;
pub mod patch;
mod place;
mod reader;
pub mod retries;
pub mod subscription_item;
pub mod threshold;
pub mod usage;
mod writer;
pub mod writes;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::calendar::Timestamp;
use perennial::id::MerchantId;
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Row as _};

use crate::clock::{Entropy as _, SystemEntropy};
use place::Places;
pub use reader::Reading;
use reader::{Lent, Readers};
use writer::{Writer, WriterTx};

/// The migrations, embedded.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Connections to Postgres.
const POOL_CONNECTIONS_MAX: u32 = 16;
/// After such a rest, a connection to Postgres is asked whether it still lives before it is used.
const TRUSTED_REST: Duration = Duration::from_secs(1);
/// How long a request may wait for a connection.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(10);

/// Whose rows: part of every key, every query and every index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The merchant.
    pub merchant: MerchantId,
    /// Live or test.
    pub livemode: bool,
}

impl Scope {
    /// `livemode` as it stands in rows.
    #[must_use]
    pub fn mode(&self) -> i64 {
        i64::from(self.livemode)
    }
}

/// What can go wrong in the store. None of it is shown to people as it is.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row changed since it was read. Read again and decide again.
    #[error("{kind} {id} was changed by somebody else meanwhile")]
    Conflict {
        /// The kind of row.
        kind: &'static str,
        /// Which row.
        id: String,
    },
    /// A row with this key is there already.
    #[error("{kind} {id} exists already")]
    Exists {
        /// The kind of row.
        kind: &'static str,
        /// Which row.
        id: String,
    },
    /// A row that can't be read: written by a newer version, or damaged.
    #[error("{kind} {id} can't be read: {reason}")]
    Unreadable {
        /// The kind of row.
        kind: &'static str,
        /// Which row.
        id: String,
        /// What the decoder said.
        reason: String,
    },
    /// The database refused or is out of reach.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The shared commit failed; nothing of this transaction was kept.
    #[error("commit: {0}")]
    Commit(Arc<sqlx::Error>),
    /// The address is of no database that we know.
    #[error("{0}")]
    Address(String),
}

impl StoreError {
    /// Whether reading and deciding again may help.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Conflict { .. } => true,
            // 40001 serialisation failure, 40P01 deadlock: Postgres asks for another try.
            Self::Database(error) => {
                let asked = self
                    .code()
                    .is_some_and(|code| code == "40001" || code == "40P01");
                asked || error.as_database_error().is_some_and(is_sort_clash)
            }
            _ => false,
        }
    }

    /// The code that the database gave, if it did.
    fn code(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Database(error) => error.as_database_error()?.code(),
            _ => None,
        }
    }
}

/// Whether two processes took one place in a list at the same moment: the unique indexes that end
/// with `sort`. On SQLite, whose errors name columns, these are a process and the one before it, at
/// the second of a test clock that stood still meanwhile.
fn is_sort_clash(error: &dyn sqlx::error::DatabaseError) -> bool {
    let named = |name: &str| name.ends_with("_sort") || SORTS_BY_CUSTOMER.contains(&name);
    match error.constraint() {
        Some(name) => named(name),
        None => error.is_unique_violation() && error.message().ends_with(".sort"),
    }
}

/// Unique indexes with `sort` that are named after what they serve.
const SORTS_BY_CUSTOMER: [&str; 2] = ["balance_transaction_customer", "portal_session_customer"];

/// Where connections come from.
#[derive(Clone)]
enum Database {
    /// One writer beside several readers.
    Sqlite { writer: Writer, readers: Readers },
    /// A pool for everything.
    Postgres(AnyPool),
}

/// The database.
#[derive(Clone)]
pub struct Store {
    database: Database,
    sorts: Arc<Places>,
    slots: Arc<Places>,
    texts: Arc<writes::Texts>,
    conflicts: Arc<Conflicts>,
}

/// What was decided again since the process began, because somebody else was faster.
#[derive(Debug, Default)]
struct Conflicts {
    all: AtomicU64,
    unserialisable: AtomicU64,
}

impl Store {
    /// Opens `sqlite:PATH` (made if missing) or `postgres://…`, and brings the schema up to date.
    ///
    /// # Errors
    /// When the address is of neither kind, the database is out of reach, or a migration fails.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = pool_options()
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        prepare_postgres(connection).await;
                        Ok(())
                    })
                })
                .connect(url)
                .await?;
            MIGRATIONS.run(&pool).await?;
            return Self::over(Database::Postgres(pool)).completed().await;
        }
        let Some(path) = url.strip_prefix("sqlite:") else {
            return Err(StoreError::Address(
                "the database address must start with sqlite: or postgres://".to_owned(),
            ));
        };
        let path = path.trim_start_matches("//");
        if let Some(folder) = std::path::Path::new(path).parent()
            && !folder.as_os_str().is_empty()
        {
            std::fs::create_dir_all(folder).map_err(|e| {
                StoreError::Address(format!("can't make the folder {}: {e}", folder.display()))
            })?;
        }
        let url = format!("sqlite:{path}?mode=rwc");
        let mut connection = AnyConnection::connect(&url).await?;
        prepare_sqlite(&mut connection, false).await?;
        MIGRATIONS.run(&mut connection).await?;
        let database = Database::Sqlite {
            writer: Writer::new(connection, url.clone()),
            readers: Readers::new(url),
        };
        Self::over(database).completed().await
    }

    /// Does what a migration can't say in one SQL for both databases.
    async fn completed(self) -> Result<Self, StoreError> {
        if let Database::Postgres(_) = &self.database {
            self.drop_references().await?;
        }
        usage::add_keys(&self).await?;
        Ok(self)
    }

    /// Lets Postgres write rows without asking each time whether their merchant exists. Rows are only
    /// ever written in the scope of a merchant that was found, and no merchant is deleted; the question
    /// costs a look-up and a lock on the merchant's row for each row of a renewal run.
    async fn drop_references(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "select cast(c.relname as text) as relation, cast(k.conname as text) as name \
             from pg_constraint k join pg_class c on c.oid = k.conrelid \
             where k.contype = 'f' and k.confrelid = to_regclass('merchant') order by c.relname",
        )
        .fetch_all(tx.connection())
        .await?;
        // A few dozen at the first start after an update, none after that.
        for row in &rows {
            let (table, name): (String, String) = (row.try_get("relation")?, row.try_get("name")?);
            let sql = format!("alter table {table} drop constraint if exists {name}");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(tx.connection())
                .await?;
        }
        tx.commit().await
    }

    fn over(database: Database) -> Self {
        let lane = SystemEntropy.bits();
        Self {
            database,
            sorts: Arc::new(Places::new(1, lane)),
            slots: Arc::new(Places::new(event::SLOT, lane)),
            texts: Arc::default(),
            conflicts: Arc::default(),
        }
    }

    /// A connection to read with. It sees what is committed; it never waits for writers.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn read(&self) -> Result<Reading, StoreError> {
        Ok(Reading(match &self.database {
            Database::Sqlite { readers, .. } => Lent::Reader(readers.take(ACQUIRE_PATIENCE).await?),
            Database::Postgres(pool) => Lent::Pooled(pool.acquire().await?),
        }))
    }

    /// Starts a transaction. Dropping it undoes everything. Never call a gateway inside one.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.database {
            Database::Sqlite { writer, .. } => Tx(Inner::Shared(writer.begin().await?)),
            Database::Postgres(pool) => Tx(Inner::Own(pool.begin().await?)),
        })
    }

    /// Counts a conflict that leads to another try.
    pub fn note_conflict(&self, error: &StoreError) {
        self.conflicts.all.fetch_add(1, Ordering::Relaxed);
        if error.code().is_some_and(|code| code == "40001") {
            let count = &self.conflicts.unserialisable;
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Conflicts since the process began that led to another try, and how many of them were Postgres'
    /// 40001: transactions that no order of one after the other explains.
    #[must_use]
    pub fn conflicts(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.conflicts.all), of(&self.conflicts.unserialisable))
    }

    /// Whether it is SQLite: one process, one writer.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.database, Database::Sqlite { .. })
    }

    fn texts(&self) -> &writes::Texts {
        &self.texts
    }

    /// A number that sorts a new row after all older ones that this process wrote at the same or an
    /// earlier second: microseconds, made unique.
    #[must_use]
    pub fn sort(&self, now: Timestamp) -> i64 {
        self.sorts.next(now)
    }

    /// As [`Store::sort`] for all places of an [`event::SLOT`] at once: the first of places that
    /// begin at a multiple of that, so that no two overlap.
    #[must_use]
    pub fn slot(&self, now: Timestamp) -> i64 {
        self.slots.next(now)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it doesn't.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1")
            .execute(&mut *self.read().await?)
            .await?;
        Ok(())
    }

    /// Lets Postgres look at how its tables have grown, without waiting for its own housekeeping; at
    /// a tenth of the rows that it would read by itself, since how many there are is what matters.
    /// SQLite finds rows by their keys whatever it knows.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn refresh_statistics(&self) -> Result<(), StoreError> {
        if let Database::Postgres(pool) = &self.database {
            let mut tx = pool.begin().await?;
            for sql in ["set local default_statistics_target = 10", "analyze"] {
                sqlx::query(sql).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Lets the last writes finish and closes.
    pub async fn close(&self) {
        match &self.database {
            Database::Sqlite { writer, readers } => {
                writer.close().await;
                readers.close().await;
            }
            Database::Postgres(pool) => pool.close().await,
        }
    }
}

fn pool_options() -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(POOL_CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_PATIENCE)
        // It was asked when it was given back; asking again costs a page two ways to the server.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_REST {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// Asks for the quicker compression of long values where the server has it: its own default takes a
/// tenth of the time that a renewal run spends there. A server without it, or without such a setting,
/// goes on as it is.
async fn prepare_postgres(connection: &mut AnyConnection) {
    let asked = sqlx::query(
        "select set_config(name, 'lz4', false) from pg_settings \
         where name = 'default_toast_compression' and 'lz4' = any (enumvals)",
    );
    if let Err(error) = asked.execute(connection).await {
        tracing::debug!(%error, "long values are compressed as the server does by itself");
    }
}

async fn prepare_sqlite(
    connection: &mut AnyConnection,
    only_reads: bool,
) -> Result<(), sqlx::Error> {
    if !only_reads {
        // Of a new file only: an invoice and its like fit into a page several times, and a renewal run
        // writes half as many.
        sqlx::query("pragma page_size = 8192")
            .execute(&mut *connection)
            .await?;
    }
    for pragma in [
        "pragma journal_mode = wal",
        "pragma synchronous = full",
        // As on Postgres: see `Store::drop_references`.
        "pragma foreign_keys = off",
        "pragma busy_timeout = 10000",
        "pragma cache_size = -16000",
    ] {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    if !only_reads {
        // A renewal run changes the same pages again and again: they stay in memory.
        for pragma in [
            "pragma cache_size = -64000",
            checkpoint::PAGES_BEFORE_WRITER,
        ] {
            sqlx::query(pragma).execute(&mut *connection).await?;
        }
    }
    if only_reads {
        sqlx::query("pragma query_only = on")
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// A transaction.
pub struct Tx(Inner);

enum Inner {
    /// SQLite: a savepoint in a transaction that several share.
    Shared(WriterTx),
    /// Postgres: its own.
    Own(sqlx::Transaction<'static, Any>),
}

impl Tx {
    /// The connection to run statements on.
    pub fn connection(&mut self) -> &mut AnyConnection {
        match &mut self.0 {
            Inner::Shared(tx) => tx.connection(),
            Inner::Own(tx) => &mut *tx,
        }
    }

    /// Keeps everything. It has reached the disk when this returns.
    ///
    /// # Errors
    /// When it did not; nothing was kept then.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Inner::Shared(tx) => tx.commit().await,
            Inner::Own(tx) => Ok(tx.commit().await?),
        }
    }
}

#[cfg(test)]
pub mod tests;
