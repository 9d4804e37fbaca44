//! One SQLite writer that many share: each transaction is a savepoint, and one commit (one fsync)
//! serves all that came while the last one was on its way to the disk.

use std::ops::DerefMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::AnyConnection;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

use super::{StoreError, checkpoint};

/// The most transactions in one commit.
const SHARED_COMMITS_MAX: usize = 256;
/// A transaction whose commit was left to the next one looks after itself from then on.
const PATIENCE: Duration = Duration::from_millis(4);

#[derive(Clone)]
pub(super) struct Writer {
    slot: Arc<Mutex<Slot>>,
    waiting: Arc<AtomicUsize>,
}

pub(super) struct Slot {
    connection: Option<AnyConnection>,
    /// Whether a transaction is open on the connection.
    open: bool,
    /// Whether the one who writes is the first in it: then nobody else's work is undone with it, and it
    /// needs no savepoint, which would keep a copy of each page that it changes.
    first: bool,
    /// Whether work was left behind by one that was dropped.
    stale: bool,
    /// Those whose savepoints are released and who wait for the commit.
    pending: Vec<oneshot::Sender<Result<(), Arc<sqlx::Error>>>>,
    /// Commits since the bell rang.
    commits: u32,
    /// Rings when the log should go into the file.
    bell: Arc<Notify>,
}

/// Counts one more who waits, until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Writer {
    /// Writes with this connection to the file at `url`.
    pub(super) fn new(connection: AnyConnection, url: String) -> Self {
        let bell = Arc::new(Notify::new());
        let slot = Slot {
            connection: Some(connection),
            open: false,
            first: false,
            stale: false,
            pending: Vec::new(),
            commits: 0,
            bell: Arc::clone(&bell),
        };
        let slot = Arc::new(Mutex::new(slot));
        tokio::spawn(checkpoint::keep(url, Arc::downgrade(&slot), bell));
        Self {
            slot,
            waiting: Arc::default(),
        }
    }

    pub(super) async fn begin(&self) -> Result<WriterTx, StoreError> {
        let waiting = Waiting::new(&self.waiting);
        let mut guard = Arc::clone(&self.slot).lock_owned().await;
        drop(waiting);
        // A task of its own: a caller that goes away half-way must not leave the flags wrong.
        let guard = finish(async move {
            let result = guard.start().await;
            (guard, result)
        })
        .await?;
        let (guard, result) = guard;
        result?;
        Ok(WriterTx {
            guard: Some(guard),
            writer: self.clone(),
        })
    }

    /// Commits what is pending, unless somebody is about to join.
    async fn release(&self, mut guard: OwnedMutexGuard<Slot>) {
        let someone_joins = self.waiting.load(Ordering::SeqCst) > 0;
        if !someone_joins || guard.pending.len() >= SHARED_COMMITS_MAX {
            guard.commit().await;
        }
    }

    pub(super) async fn close(&self) {
        let mut guard = Arc::clone(&self.slot).lock_owned().await;
        guard.commit().await;
        if let Some(connection) = guard.connection.take() {
            let _ = sqlx::Connection::close(connection).await;
        }
    }
}

async fn finish<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work)
        .await
        .map_err(|_| StoreError::Database(sqlx::Error::WorkerCrashed))
}

impl Slot {
    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        sqlx::query(sql).execute(connection).await.map(|_| ())
    }

    async fn start(&mut self) -> Result<(), StoreError> {
        if self.stale {
            self.undo().await;
        }
        if !self.open {
            self.run("begin immediate").await?;
            self.open = true;
            self.first = true;
            self.stale = true;
            return Ok(());
        }
        self.first = false;
        self.stale = true;
        self.run("savepoint work").await?;
        Ok(())
    }

    /// Undoes what the one who writes has written; the others in the transaction stay.
    async fn undo(&mut self) {
        if self.first {
            // An error says that the database has undone it by itself.
            let _ = self.run("rollback").await;
            self.open = false;
            self.stale = false;
            return;
        }
        let undone = match self.run("rollback to work").await {
            Ok(()) => self.run("release work").await,
            Err(error) => Err(error),
        };
        self.stale = false;
        if let Err(error) = undone {
            // The database may have ended the whole transaction (full disk): nobody's is kept.
            let _ = self.run("rollback").await;
            self.open = false;
            self.answer(&Err(Arc::new(error)));
        }
    }

    /// Commits what is pending.
    pub(super) async fn commit(&mut self) {
        if self.stale {
            self.undo().await;
        }
        if !self.open {
            return;
        }
        let result = self.run("commit").await.map_err(Arc::new);
        if result.is_err() {
            let _ = self.run("rollback").await;
        }
        self.open = false;
        self.commits += 1;
        if self.commits >= checkpoint::COMMITS {
            self.commits = 0;
            self.bell.notify_one();
        }
        self.answer(&result);
    }

    fn answer(&mut self, result: &Result<(), Arc<sqlx::Error>>) {
        for sender in self.pending.drain(..) {
            let _ = sender.send(result.clone());
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Whoever copies the log finds that nobody writes any more.
        self.bell.notify_one();
    }
}

/// One transaction among several.
pub(super) struct WriterTx {
    guard: Option<OwnedMutexGuard<Slot>>,
    writer: Writer,
}

impl WriterTx {
    #[expect(
        clippy::expect_used,
        reason = "the guard is there until commit takes self, and the connection until close, which waits for the guard"
    )]
    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        let slot = self
            .guard
            .as_mut()
            .expect("a transaction holds the writer")
            .deref_mut();
        slot.connection
            .as_mut()
            .expect("the writer is open while a transaction holds it")
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let Some(mut guard) = self.guard.take() else {
            return Err(StoreError::Database(sqlx::Error::WorkerCrashed));
        };
        let writer = self.writer.clone();
        finish(async move {
            if !guard.first
                && let Err(error) = guard.run("release work").await
            {
                guard.undo().await;
                writer.release(guard).await;
                return Err(StoreError::Database(error));
            }
            guard.stale = false;
            let (sender, mut receiver) = oneshot::channel();
            guard.pending.push(sender);
            writer.release(guard).await;
            loop {
                tokio::select! {
                    answer = &mut receiver => return match answer {
                        Ok(result) => result.map_err(StoreError::Commit),
                        Err(_) => Err(StoreError::Database(sqlx::Error::WorkerCrashed)),
                    },
                    // Whoever was about to join may have gone away: then it is on us to commit.
                    () = tokio::time::sleep(PATIENCE) => {
                        if let Ok(guard) = Arc::clone(&writer.slot).try_lock_owned() {
                            writer.release(guard).await;
                        }
                    }
                }
            }
        })
        .await?
    }
}

impl Drop for WriterTx {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        let writer = self.writer.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    guard.undo().await;
                    writer.release(guard).await;
                });
            }
            // Without a runtime the next transaction undoes it: `stale` is still set.
            Err(_) => drop(guard),
        }
    }
}
