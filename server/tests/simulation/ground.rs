//! A database of a world's own.

use sqlx::{AnyConnection, Connection};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Taken away when the world is over.
pub struct Ground {
    pub url: String,
    left: Left,
}

enum Left {
    Folder(std::path::PathBuf),
    Database(String, String),
}

impl Ground {
    pub fn new(postgres: bool) -> Self {
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let unique = format!("perennial_world_{}_{number}", std::process::id());
        if postgres {
            let server = std::env::var("TEST_POSTGRES_URL").unwrap();
            administer(server.clone(), format!("create database {unique}"));
            let (root, _) = server.rsplit_once('/').unwrap();
            return Self {
                url: format!("{root}/{unique}"),
                left: Left::Database(server, unique),
            };
        }
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            url: format!("sqlite:{}/world.db", folder.display()),
            left: Left::Folder(folder),
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        match &self.left {
            Left::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            Left::Database(server, name) => {
                let sql = format!("drop database if exists {name} with (force)");
                administer(server.clone(), sql);
            }
        }
    }
}

/// Runs a statement on the Postgres server itself.
fn administer(server: String, sql: String) {
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        let mut connection = AnyConnection::connect(&server).await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}
