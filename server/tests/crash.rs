//! The real process is killed between a charge's commit and its outcome, and told to stop in the
//! middle of one. The next start settles everything; the bank takes the money once.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop at what it did not expect, and waits by the machine's clock"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sqlx::{AnyConnection, Connection, Row};

const BINARY: &str = env!("CARGO_BIN_EXE_perennial");
/// How long the bank takes on each way while it is slow.
const SLOW_MILLIS: &str = "3000";
const PATIENCE: Duration = Duration::from_secs(60);

/// A Perennial in a process of its own, on a fresh database.
struct Site {
    database: String,
    folder: std::path::PathBuf,
    /// The server and the database's name there.
    postgres: Option<(String, String)>,
    port: u16,
    key: String,
    child: Option<Child>,
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
fn administer(server: String, sql: String) {
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

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The attempt is committed; the bank has not heard of it.
    BeforeTheBank,
    /// The bank has taken the money; nobody has heard of it.
    AfterTheBank,
}

impl Site {
    async fn new(name: &str, postgres: bool) -> Option<Self> {
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
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Some(Self {
            database,
            folder,
            postgres: own,
            port,
            key,
            child: None,
        })
    }

    fn start(&mut self, delay_millis: &str) {
        let listen = format!("127.0.0.1:{}", self.port);
        let child = Command::new(BINARY)
            .args(["serve", "--listen", &listen, "--database", &self.database])
            .env("PERENNIAL_SANDBOX_DELAY_MILLIS", delay_millis)
            .env("PERENNIAL_LOG", "warn")
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
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and whether it left in order.
    fn stop(&mut self) -> bool {
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

    fn get(&self, path: &str) -> Option<(u16, Value)> {
        ask(self.port, &self.key, "GET", path, "")
    }

    fn post(&self, path: &str, form: &str) -> Value {
        let (status, answer) = ask(self.port, &self.key, "POST", path, form).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A customer with a good card, and a price.
    fn stock(&self) -> (String, String) {
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
    fn subscribe(&self, customer: &str, price: &str) -> std::thread::JoinHandle<Option<Value>> {
        let (port, key) = (self.port, self.key.clone());
        let form = format!("customer={customer}&items[0][price]={price}");
        std::thread::spawn(move || {
            ask(port, &key, "POST", "/v1/subscriptions", &form).map(|(_, answer)| answer)
        })
    }

    /// A number that the database answers with, when it becomes `wanted`.
    async fn wait_for(&self, sql: &'static str, wanted: i64) {
        let started = SystemTime::now();
        while self.count(sql).await != wanted {
            assert!(
                started.elapsed().unwrap() < PATIENCE,
                "{sql} does not become {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row.get("n")
    }
}

const OUT: &str = "select count(*) as n from payment_intent where asked_at is not null";
const TAKEN: &str =
    "select count(*) as n from sandbox_attempt where kind = 'charge' and status = 'succeeded'";
const ACTIVE: &str = "select count(*) as n from subscription where status = 'active'";
const PAID: &str = "select count(*) as n from invoice where status = 'paid'";

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

async fn dies_at(moment: Moment, postgres: bool) {
    let name = format!("{moment:?}_{postgres}").to_lowercase();
    let Some(mut site) = Site::new(&name, postgres).await else {
        return;
    };
    site.start(SLOW_MILLIS);
    let (customer, price) = site.stock();
    let asked = site.subscribe(&customer, &price);
    match moment {
        Moment::BeforeTheBank => site.wait_for(OUT, 1).await,
        Moment::AfterTheBank => site.wait_for(TAKEN, 1).await,
    }
    site.kill();
    assert!(
        asked.join().unwrap().is_none(),
        "it answered before it died"
    );
    let taken = i64::from(moment == Moment::AfterTheBank);
    assert_eq!(site.count(TAKEN).await, taken);
    assert_eq!(site.count(ACTIVE).await, 0);

    site.start("0");
    site.wait_for(ACTIVE, 1).await;
    assert_eq!(site.count(TAKEN).await, 1);
    assert_eq!(site.count(PAID).await, 1);
    assert_eq!(site.count(OUT).await, 0);
    let (_, list) = site.get("/v1/subscriptions").unwrap();
    assert_eq!(list["data"][0]["status"], "active");
    assert!(site.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_bank_hears_of_a_charge() {
    for postgres in [false, true] {
        dies_at(Moment::BeforeTheBank, postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_bank_took_the_money() {
    for postgres in [false, true] {
        dies_at(Moment::AfterTheBank, postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_the_charge_and_answers() {
    let mut site = Site::new("drains", false).await.unwrap();
    site.start("700");
    let (customer, price) = site.stock();
    let asked = site.subscribe(&customer, &price);
    site.wait_for(OUT, 1).await;
    assert!(site.stop());
    let answer = asked.join().unwrap().unwrap();
    assert_eq!(answer["status"], "active", "{answer}");
    assert_eq!(site.count(TAKEN).await, 1);
    assert_eq!(site.count(PAID).await, 1);
}
