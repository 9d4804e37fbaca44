//! Connections to SQLite that only read. A pool for servers asks a connection whether it still
//! lives, each time it is given back; a file does not hang up, and asking costs two changes of
//! threads, as much as a statement.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::prepare_sqlite;

/// The most that are open at once.
const READERS_MAX: usize = 16;

/// The connections, opened as they are needed.
#[derive(Clone)]
pub(super) struct Readers(Arc<Inner>);

struct Inner {
    url: String,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<AnyConnection>>,
}

impl Readers {
    pub(super) fn new(url: String) -> Self {
        Self(Arc::new(Inner {
            url,
            places: Arc::new(Semaphore::new(READERS_MAX)),
            idle: Mutex::default(),
        }))
    }

    /// One that nobody else uses meanwhile.
    pub(super) async fn take(&self, patience: Duration) -> Result<Reader, sqlx::Error> {
        let place = Arc::clone(&self.0.places).acquire_owned();
        let place = match timeout(patience, place).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(sqlx::Error::PoolClosed),
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        };
        let idle = self.0.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let mut connection = AnyConnection::connect(&self.0.url).await?;
                prepare_sqlite(&mut connection, true).await?;
                connection
            }
        };
        Ok(Reader {
            connection: Some(connection),
            readers: self.clone(),
            _place: place,
        })
    }

    /// Closes those that are idle; those in use close when they are given back.
    pub(super) async fn close(&self) {
        self.0.places.close();
        let idle = std::mem::take(&mut *self.0.idle());
        for connection in idle {
            // What only read has nothing to lose.
            let _ = connection.close().await;
        }
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<AnyConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is given back when it is dropped.
pub(super) struct Reader {
    /// There until it is given back.
    connection: Option<AnyConnection>,
    readers: Readers,
    _place: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.readers.0.places.is_closed()
        {
            // Before the place is free, so that who gets it finds the connection.
            self.readers.0.idle().push(connection);
        }
    }
}

/// A connection to read with, given back when it is dropped.
pub struct Reading(pub(super) Lent);

pub(super) enum Lent {
    /// SQLite.
    Reader(Reader),
    /// Postgres.
    Pooled(PoolConnection<Any>),
}

impl Deref for Reading {
    type Target = AnyConnection;

    #[expect(clippy::expect_used, reason = "it is there until the drop takes it")]
    fn deref(&self) -> &AnyConnection {
        match &self.0 {
            Lent::Reader(reader) => reader.connection.as_ref().expect("a reader reads"),
            Lent::Pooled(connection) => connection,
        }
    }
}

impl DerefMut for Reading {
    #[expect(clippy::expect_used, reason = "it is there until the drop takes it")]
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.0 {
            Lent::Reader(reader) => reader.connection.as_mut().expect("a reader reads"),
            Lent::Pooled(connection) => connection,
        }
    }
}
