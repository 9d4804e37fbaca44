//! What an operator sees of the workers, by the commands and the listener that they have: `status`,
//! `status --json`, `status --retry`, `/metrics`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::site::{PATIENCE, Site, free_port};

/// The text at `/metrics`, with the line of its status.
pub fn metrics(port: u16) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

/// The value of one line, such as `perennial_work_done_total{kind="subscription"}`.
pub fn value(text: &str, name: &str) -> i64 {
    let line = text.lines().find(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    let line = line.unwrap_or_else(|| panic!("{name} is not among\n{text}"));
    let (_, number) = line.rsplit_once(' ').unwrap();
    number.parse().unwrap()
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let started = SystemTime::now();
    while !so() {
        assert!(started.elapsed().unwrap() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

async fn a_row_that_cannot_be_billed(name: &str, postgres: bool) {
    let Some(mut site) = Site::new(name, postgres).await else {
        return;
    };
    let (_, said) = site.command(&["status"]);
    assert!(
        said.contains("none: nothing is done by itself now"),
        "{said}"
    );
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    site.env.push(("PERENNIAL_METRICS_LISTEN", listen));
    site.start("0");
    let (customer, price) = site.stock();
    let form = format!("customer={customer}&items[0][price]={price}");
    site.post("/v1/subscriptions", &form);
    let (head, text) = metrics(port).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("text/plain; version=0.0.4"),
        "what Prometheus wants: {head}"
    );
    assert_eq!(value(&text, "perennial_work_due{kind=\"subscription\"}"), 0);
    assert!(
        metrics(port).is_some() && site.get("/metrics").is_none_or(|(status, _)| status == 404),
        "customers don't reach it"
    );

    // Poison: a subscription that is due and can't be read.
    let poison = "update subscription set body = '{\"no\": 1}', due_at = 1";
    assert_eq!(site.run(poison).await, 1);
    let json = |site: &Site| -> Value {
        let (went, said) = site.command(&["status", "--json"]);
        assert!(went, "{said}");
        serde_json::from_str(&said).unwrap()
    };
    until("the poisoned row is not set aside", || {
        json(&site)["set_aside"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
    });
    let status = json(&site);
    let aside = &status["set_aside"][0];
    assert_eq!(aside["kind"], "subscription");
    assert!(!aside["reason"].as_str().unwrap().is_empty());
    assert_eq!(
        status["database"],
        if postgres { "Postgres" } else { "SQLite" }
    );
    assert_eq!(status["processes"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["shards_orphaned"], 0, "{status}");
    let (_, text) = metrics(port).unwrap();
    assert_eq!(value(&text, "perennial_work_due{kind=\"subscription\"}"), 1);
    assert!(value(&text, "perennial_work_failed_total{kind=\"subscription\"}") >= 1);
    assert!(value(&text, "perennial_work_lag_seconds{kind=\"subscription\"}") > 1_000_000);
    let (went, said) = site.command(&["status"]);
    assert!(went && said.contains("Set aside"), "{said}");
    assert!(said.contains(aside["id"].as_str().unwrap()), "{said}");

    // Mended (here: gone), and tried again at once instead of after its pause.
    assert_eq!(site.run("update subscription set due_at = null").await, 1);
    let pauses = "update work_failure set next_at = 99999999999";
    assert_eq!(site.run(pauses).await, 1);
    let (went, said) = site.command(&["status", "--retry", "--json"]);
    assert!(went, "{said}");
    let status: Value = serde_json::from_str(&said).unwrap();
    let next = &status["set_aside"][0]["next_at"];
    assert_eq!(next, 0, "it is tried by the next sweep: {status}");
    assert!(site.stop());
    let (_, said) = site.command(&["status", "--json"]);
    let status: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status["processes"].as_array().unwrap().len(), 0, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_cannot_be_billed_on_sqlite() {
    a_row_that_cannot_be_billed("operating_sqlite", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_cannot_be_billed_on_postgres() {
    a_row_that_cannot_be_billed("operating_postgres", true).await;
}
