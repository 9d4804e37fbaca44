//! SQLite's log goes into the database file beside the writer, not in its way: a connection of its own
//! copies what is committed while the next transactions are written. Only the last few pages are copied
//! while the writer waits, once the log is long, so that it begins at its start again.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use sqlx::{AnyConnection, Connection, Row};
use tokio::sync::{Mutex, Notify};

use super::writer::Slot;

/// Commits after which the log is copied.
pub(super) const COMMITS: u32 = 16;
/// The shortest pause between two times.
const PAUSE: Duration = Duration::from_millis(500);
/// Pages in the log after which it is to begin at its start again: 64 MB of pages of 8 kB.
const PAGES_MAX: i64 = 8_000;
/// Pages after which the writer does it by itself, should this not keep up.
pub(super) const PAGES_BEFORE_WRITER: &str = "pragma wal_autocheckpoint = 32000";

/// Copies the log whenever `bell` rings, until the writer is closed.
pub(super) async fn keep(url: String, slot: Weak<Mutex<Slot>>, bell: Arc<Notify>) {
    let mut connection = None;
    loop {
        bell.notified().await;
        if slot.strong_count() == 0 {
            break;
        }
        if let Err(error) = once(&url, &mut connection, &slot).await {
            // The writer copies it by itself if this goes on.
            tracing::warn!(%error, "the log of SQLite could not be copied into its file");
            connection = None;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if let Some(connection) = connection {
        let _ = connection.close().await;
    }
}

async fn once(
    url: &str,
    kept: &mut Option<AnyConnection>,
    slot: &Weak<Mutex<Slot>>,
) -> Result<(), sqlx::Error> {
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let mut new = AnyConnection::connect(url).await?;
            for pragma in ["pragma synchronous = full", "pragma cache_size = -256"] {
                sqlx::query(pragma).execute(&mut new).await?;
            }
            kept.insert(new)
        }
    };
    if copy(connection).await? < PAGES_MAX {
        return Ok(());
    }
    let Some(slot) = slot.upgrade() else {
        return Ok(());
    };
    let mut slot = slot.lock_owned().await;
    slot.commit().await;
    // Nobody writes now, so that all of it is copied, unless a reader still looks at an old state.
    copy(connection).await?;
    Ok(())
}

/// Copies what can be copied now; how many pages the log has.
async fn copy(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("pragma wal_checkpoint(passive)")
        .fetch_one(connection)
        .await?;
    row.try_get(1)
}
