//! A Perennial in a process of its own, with a database of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sqlx::{AnyConnection, Connection, Row};

const BINARY: &str = env!("CARGO_BIN_EXE_perennial");
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A Perennial in a process of its own, on a fresh database.
pub struct Site {
    pub database: String,
    pub folder: std::path::PathBuf,
    /// The server and the database's name there.
    pub postgres: Option<(String, String)>,
    port: u16,
    key: String,
    child: Option<Child>,
    /// Settings beyond the usual ones.
    pub env: Vec<(&'static str, String)>,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        if let Some((server, name)) = self.postgres.take() {
            let sql = format!("drop database if exists {name} with (force)");
            administer(server, sql);
        }
    }
}

/// Runs a statement on the Postgres server itself, on a thread of its own: dropping can't wait for the
/// runtime that it happens in.
pub fn administer(server: String, sql: String) {
    let work = async move {
        let mut connection = AnyConnection::connect(&server).await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    let done = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(work);
    });
    if done.join().is_err() {
        eprintln!("a test's database was left behind, or could not be made");
    }
}

impl Site {
    pub async fn new(name: &str, postgres: bool) -> Option<Self> {
        let unique = format!("{name}_{}", std::process::id());
        let folder = std::env::temp_dir().join(format!("perennial-crash-{unique}"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut own = None;
        let database = if postgres {
            let server = std::env::var("TEST_POSTGRES_URL").ok()?;
            sqlx::any::install_default_drivers();
            let name = format!("crash_{unique}");
            administer(server.clone(), format!("create database {name}"));
            let (root, _) = server.rsplit_once('/').unwrap();
            let url = format!("{root}/{name}");
            own = Some((server, name));
            url
        } else {
            format!("sqlite:{}/perennial.db", folder.display())
        };
        let made = Command::new(BINARY)
            .args([
                "merchant",
                "create",
                "--name",
                "Halden",
                "--database",
                &database,
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(made.stdout).unwrap();
        let key = said
            .split_whitespace()
            .find(|word| word.starts_with("sk_test_"));
        let key = key.unwrap().to_owned();
        Some(Self {
            database,
            folder,
            postgres: own,
            port: free_port(),
            key,
            child: None,
            env: Vec::new(),
        })
    }

    /// Another process on the same database, not started yet. It must go before this one does.
    pub fn beside(&self) -> Self {
        let folder = self.folder.join("beside");
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            database: self.database.clone(),
            folder,
            postgres: None,
            port: free_port(),
            key: self.key.clone(),
            child: None,
            env: self.env.clone(),
        }
    }

    /// The folder that this process' mail lies in.
    pub fn mail(&self) -> std::path::PathBuf {
        self.folder.join("mail")
    }

    pub fn start(&mut self, delay_millis: &str) {
        let listen = format!("127.0.0.1:{}", self.port);
        let child = Command::new(BINARY)
            .args(["serve", "--listen", &listen, "--database", &self.database])
            .env("PERENNIAL_SANDBOX_DELAY_MILLIS", delay_millis)
            .env("PERENNIAL_LOG", "warn")
            .env("PERENNIAL_MAIL_FOLDER", self.mail())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let started = SystemTime::now();
        while !matches!(self.get("/readyz"), Some((200, _))) {
            assert!(
                started.elapsed().unwrap() < PATIENCE,
                "the server does not come up"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGKILL: nothing of the process runs any more when this returns.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and whether it left in order.
    pub fn stop(&mut self) -> bool {
        let mut child = self.child.take().unwrap();
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        child.wait().unwrap().success()
    }

    pub fn get(&self, path: &str) -> Option<(u16, Value)> {
        ask(self.port, &self.key, "GET", path, "")
    }

    /// What comes of a call, whatever that is.
    pub fn try_post(&self, path: &str, form: &str) -> Option<(u16, Value)> {
        ask(self.port, &self.key, "POST", path, form)
    }

    /// The operator's command, on the same database; answers with whether it went well and what it said.
    pub fn command(&self, words: &[&str]) -> (bool, String) {
        let done = Command::new(BINARY)
            .args(words)
            .args(["--database", &self.database])
            .env("PERENNIAL_LOG", "off")
            .output()
            .unwrap();
        // What it says beside its answer is of interest where it gives none.
        let said = match done.status.success() {
            true => done.stdout,
            false => [done.stdout, done.stderr].concat(),
        };
        let said = String::from_utf8_lossy(&said).into_owned();
        (done.status.success(), said)
    }

    pub fn post(&self, path: &str, form: &str) -> Value {
        let (status, answer) = ask(self.port, &self.key, "POST", path, form).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A customer with a good card, and a price.
    pub fn stock(&self) -> (String, String) {
        let price = self.post(
            "/v1/prices",
            "currency=usd&unit_amount=1900&recurring[interval]=month&product_data[name]=Pro",
        );
        let customer = self.post("/v1/customers", "name=Ada");
        let customer = customer["id"].as_str().unwrap().to_owned();
        let form = format!("customer={customer}");
        let card = self.post("/v1/payment_methods/pm_card_visa/attach", &form);
        let form = format!(
            "invoice_settings[default_payment_method]={}",
            card["id"].as_str().unwrap()
        );
        self.post(&format!("/v1/customers/{customer}"), &form);
        (customer, price["id"].as_str().unwrap().to_owned())
    }

    /// Asks for a subscription without waiting for the answer.
    pub fn subscribe(&self, customer: &str, price: &str) -> std::thread::JoinHandle<Option<Value>> {
        let (port, key) = (self.port, self.key.clone());
        let form = format!("customer={customer}&items[0][price]={price}");
        std::thread::spawn(move || {
            ask(port, &key, "POST", "/v1/subscriptions", &form).map(|(_, answer)| answer)
        })
    }

    /// A number that the database answers with, when it becomes `wanted`.
    pub async fn wait_for(&self, sql: &'static str, wanted: i64) {
        let started = SystemTime::now();
        while self.count(sql).await != wanted {
            assert!(
                started.elapsed().unwrap() < PATIENCE,
                "{sql} does not become {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// As [`Self::wait_for`], until the number is at least `wanted`.
    pub async fn wait_for_at_least(&self, sql: &'static str, wanted: i64) {
        let started = SystemTime::now();
        while self.count(sql).await < wanted {
            assert!(
                started.elapsed().unwrap() < PATIENCE,
                "{sql} does not reach {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        self.row(sql).await.get("n")
    }

    /// The first row that the database answers with.
    pub async fn row(&self, sql: &'static str) -> sqlx::any::AnyRow {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row
    }

    /// Changes rows behind the process' back; answers with how many.
    pub async fn run(&self, sql: &str) -> u64 {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        done.rows_affected()
    }
}

/// A port that nobody listens at now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// One request over a connection of its own; `None` when the connection breaks.
fn ask(port: u16, key: &str, method: &str, path: &str, form: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let encoded = form.replace('[', "%5B").replace(']', "%5D");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{encoded}",
        encoded.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}
