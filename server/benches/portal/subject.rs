//! What is measured: the release binary, serving the demo from a database of its own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use crate::load::{Request, ask};

/// How long a first start may take, which lives through the demo's year.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long a stop may take.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How long an idle process is left alone before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// A database that is there for as long as it is measured.
pub struct Database {
    /// The address, as the server takes it.
    pub url: String,
    /// What it is called in the report.
    pub name: &'static str,
    /// Where it was made and under which name, for Postgres.
    made: Option<(String, String)>,
}

impl Database {
    /// A file in `folder`.
    pub fn sqlite(folder: &Path) -> Self {
        Self {
            url: format!("sqlite:{}/portal.db", folder.display()),
            name: "SQLite",
            made: None,
        }
    }

    /// A new database on the Postgres that `server` names.
    pub async fn postgres(server: &str) -> Self {
        sqlx::any::install_default_drivers();
        let name = format!("perennial_bench_{}", std::process::id());
        let mut connection = AnyConnection::connect(server).await.unwrap();
        let sql = AssertSqlSafe(format!("create database {name}"));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        let (base, query) = server.split_once('?').unwrap_or((server, ""));
        let (root, _) = base.rsplit_once('/').unwrap();
        Self {
            url: format!("{root}/{name}?{query}"),
            name: "Postgres",
            made: Some((server.to_owned(), name)),
        }
    }

    /// Removes it.
    pub async fn remove(self) {
        if let Some((server, name)) = self.made {
            let mut connection = AnyConnection::connect(&server).await.unwrap();
            let sql = AssertSqlSafe(format!("drop database {name} with (force)"));
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
    }
}

/// A serving process. Dropped without a stop, as after a panic, it is killed.
pub struct Subject {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it said of the demo.
    pub demo: Value,
}

impl Subject {
    /// Starts it and waits until it can serve. Logs go to a file, as they would in a deployment.
    pub async fn start(folder: &Path, database: &Database) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let demo = folder.join("demo.json");
        let log = File::create(folder.join("server.log")).unwrap();
        let child = Command::new(binary())
            .args(["serve", "--demo", "--no-rate-limits"])
            .args([
                "--listen",
                &address.to_string(),
                "--database",
                &database.url,
            ])
            .arg("--demo-json")
            .arg(&demo)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut subject = Self {
            child,
            address,
            demo: Value::Null,
        };
        subject.wait_until_ready(folder).await;
        subject.demo = serde_json::from_slice(&fs::read(demo).unwrap()).unwrap();
        subject
    }

    async fn wait_until_ready(&mut self, folder: &Path) {
        let started = Instant::now();
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            let log = || fs::read_to_string(folder.join("server.log")).unwrap_or_default();
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", log());
            }
            assert!(
                started.elapsed() < READY_MAX,
                "the server is not ready:\n{}",
                log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // It listens before the demo is there, and answers after.
        ask(self.address, &Request::get("/readyz", "")).await;
    }

    /// Lets it finish, as a deployment does, and waits for its end.
    pub async fn stop(mut self) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(killed.success());
        let asked = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(asked.elapsed() < STOP_MAX, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Resident memory after a rest, in MB.
    pub async fn rest_mb(&self) -> u64 {
        tokio::time::sleep(REST).await;
        self.memory_mb("VmRSS:")
    }

    /// Resident memory now, in MB.
    pub fn resident_mb(&self) -> u64 {
        self.memory_mb("VmRSS:")
    }

    /// The most memory that was ever resident, in MB.
    pub fn peak_mb(&self) -> u64 {
        self.memory_mb("VmHWM:")
    }

    fn memory_mb(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
        kibibytes * 1024 / 1_000_000
    }

    /// Processor time that it and this load tool have used.
    pub fn used(&self) -> Used {
        Used {
            server: ticks(&self.child.id().to_string()),
            tool: ticks("self"),
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a tick of Linux's accounts is, in microseconds.
pub const MICROS_A_TICK: u64 = 10_000;

/// Processor time, in ticks.
pub struct Used {
    /// By the server, without its database where that is another process.
    pub server: u64,
    /// By the load tool.
    pub tool: u64,
}

impl Used {
    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            server: self.server - earlier.server,
            tool: self.tool - earlier.tool,
        }
    }
}

/// User and system time of a process, in ticks.
fn ticks(process: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in parentheses, may hold spaces. After it, these are the 12th and the 13th.
    let (_, fields) = text.rsplit_once(')').unwrap();
    let fields = fields.split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
}

/// The binary: `PERENNIAL_BINARY`, or the one that was built with this.
fn binary() -> PathBuf {
    std::env::var_os("PERENNIAL_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_perennial").into(), PathBuf::from)
}
