//! How fast the portal is: drives the release binary, on SQLite and, where `TEST_POSTGRES_URL` names
//! a server, on Postgres. Each figure is the best of some rounds, since whatever else the machine
//! does can only make it slower. The load tool runs on the same processors; its share is printed.
//!
//! `BENCH_ROUNDS` (3) and `BENCH_SECONDS` (2, of each round) make it quicker or steadier; an argument
//! names the figures to take, by any part of their names.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop at what it did not expect"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock"
)]

mod load;
mod subject;

use std::path::Path;
use std::time::Duration;

use load::{Request, Round, ask, drive};
use serde_json::Value;
use subject::{Database, MICROS_A_TICK, Subject, Used};

/// The customer of the demo whose portal is asked for: a plan with seats, and a year of invoices.
const CUSTOMER: &str = "Maya Okafor";
/// How many connections ask at once.
const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// What is not counted, before each figure.
const WARM_UP: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("portal");
    let plan = Plan {
        // Cargo adds options of its own.
        only: std::env::args()
            .skip(1)
            .find(|word| !word.starts_with("--")),
        rounds: number("BENCH_ROUNDS", 3),
        time: Duration::from_secs(number("BENCH_SECONDS", 2)),
    };
    let cores = std::thread::available_parallelism().unwrap();
    println!(
        "The best of {} rounds of {:?}, on {cores} cores, which the load tool shares.",
        plan.rounds, plan.time
    );
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    measure(&plan, &folder, Database::sqlite(&folder)).await;
    match std::env::var("TEST_POSTGRES_URL") {
        Ok(server) => measure(&plan, &folder, Database::postgres(&server).await).await,
        Err(_) => println!("\nPostgres: not measured, since TEST_POSTGRES_URL names none."),
    }
}

/// How long to measure.
struct Plan {
    only: Option<String>,
    rounds: u64,
    time: Duration,
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Measures everything on one database.
async fn measure(plan: &Plan, folder: &Path, database: Database) {
    // The demo's year is lived through by another process than the one that is measured.
    Subject::start(folder, &database).await.stop().await;
    let subject = Subject::start(folder, &database).await;
    let rest_mb = subject.rest_mb().await;
    let asked = Asked::of(&subject).await;

    let page = ask(subject.address, &asked.plain).await;
    let packed = ask(subject.address, &asked.home).await;
    for page in [&page, &packed] {
        let shown = page.text().contains(&asked.subscription);
        assert!(shown, "the subscription is not on the page");
    }
    println!(
        "\n{}: the first page has {} bytes, packed {}",
        database.name,
        page.body.len(),
        packed.body.len()
    );
    println!(
        "  {:<30} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "conns", "a second", "p50 ms", "p99 ms", "CPU µs", "load tool"
    );

    let bench = Bench {
        plan,
        subject: &subject,
    };
    bench
        .figure("/healthz: nothing but HTTP", &asked.health, &CONNECTIONS)
        .await;
    bench
        .figure("first page, packed", &asked.home, &CONNECTIONS)
        .await;
    bench
        .figure("first page, plain", &asked.plain, &CONNECTIONS)
        .await;
    let loaded_mb = subject.resident_mb();
    bench
        .figure("a quote that binds, saved", &asked.quote, &CONNECTIONS)
        .await;
    bench
        .figure("API: preview an invoice", &asked.preview, &CONNECTIONS)
        .await;
    bench
        .figure("API: list 10 customers", &asked.customers, &CONNECTIONS)
        .await;
    bench
        .figure(
            "API: retrieve a subscription",
            &asked.retrieve,
            &CONNECTIONS,
        )
        .await;
    println!(
        "  resident memory: {rest_mb} MB at rest, {loaded_mb} MB after the pages, {} MB at most",
        subject.peak_mb()
    );
    subject.stop().await;
    database.remove().await;
}

/// What is asked of the server, as the customer's browser or the merchant's program does.
struct Asked {
    subscription: String,
    health: Request,
    home: Request,
    plain: Request,
    quote: Request,
    preview: Request,
    customers: Request,
    retrieve: Request,
}

impl Asked {
    /// Opens the customer's link and looks up their subscription.
    async fn of(subject: &Subject) -> Self {
        let key = format!(
            "authorization: Bearer {}\r\n",
            text(&subject.demo, "/api_key")
        );
        let links = subject
            .demo
            .pointer("/links")
            .and_then(Value::as_array)
            .unwrap();
        let link = links
            .iter()
            .find(|link| text(link, "/name") == CUSTOMER)
            .unwrap();
        let visit = visit(subject, text(link, "/url")).await;
        let customer = text(link, "/customer");

        let list = Request::get(
            &format!("/v1/subscriptions?customer={customer}&limit=1"),
            &key,
        );
        let list = ask(subject.address, &list).await;
        let list: Value = serde_json::from_slice(&list.body).unwrap();
        let subscription = text(&list, "/data/0/id").to_owned();
        let item = list.pointer("/data/0/items/data/0").unwrap();
        let (id, product) = (text(item, "/id"), text(item, "/price/product"));
        let quantity = item.pointer("/quantity").and_then(Value::as_u64).unwrap() + 1;

        let browser = format!(
            "cookie: {visit}\r\naccept: text/html,application/xhtml+xml\r\naccept-language: en\r\n"
        );
        let packed = format!("{browser}accept-encoding: gzip, deflate, br\r\n");
        let form =
            format!("subscription={subscription}&item={id}&plan={product}&quantity={quantity}");
        let change = format!(
            "subscription={subscription}&subscription_details[items][0][id]={id}\
             &subscription_details[items][0][quantity]={quantity}"
        );
        let posted = format!("{browser}sec-fetch-site: same-origin\r\n");
        Self {
            health: Request::get("/healthz", ""),
            home: Request::get("/portal", &packed),
            plain: Request::get("/portal", &browser),
            quote: Request::post("/api/portal/quote", &posted, &form).answered(302),
            preview: Request::post("/v1/invoices/create_preview", &key, &change),
            customers: Request::get("/v1/customers?limit=10", &key),
            retrieve: Request::get(&format!("/v1/subscriptions/{subscription}"), &key),
            subscription,
        }
    }
}

/// Exchanges a link for the cookie of a visit.
async fn visit(subject: &Subject, url: &str) -> String {
    let path = url.splitn(4, '/').nth(3).unwrap();
    let opened = ask(
        subject.address,
        &Request::get(&format!("/{path}"), "").answered(303),
    )
    .await;
    let cookie = opened.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap()
}

/// Takes figures.
struct Bench<'a> {
    plan: &'a Plan,
    subject: &'a Subject,
}

impl Bench<'_> {
    /// Prints one line for each number of connections.
    async fn figure(&self, name: &str, request: &Request, connections: &[usize]) {
        if self
            .plan
            .only
            .as_ref()
            .is_some_and(|only| !name.contains(only))
        {
            return;
        }
        for count in connections {
            let (round, used) = self.best(request, *count).await;
            println!(
                "  {name:<30} {count:>5} {:>9} {:>9} {:>9} {:>9} {:>7} %",
                round.per_second(),
                millis(round.within_micros(500)),
                millis(round.within_micros(990)),
                used.server * MICROS_A_TICK / round.answers(),
                used.tool * 100 / (used.server + used.tool).max(1),
            );
        }
    }

    /// The best round, and what it used.
    async fn best(&self, request: &Request, connections: usize) -> (Round, Used) {
        let address = self.subject.address;
        drive(address, request, connections, WARM_UP).await;
        let mut best: Option<(Round, Used)> = None;
        for _ in 0..self.plan.rounds {
            let before = self.subject.used();
            let round = drive(address, request, connections, self.plan.time).await;
            let used = self.subject.used().since(&before);
            if best
                .as_ref()
                .is_none_or(|(best, _)| best.per_second() < round.per_second())
            {
                best = Some((round, used));
            }
        }
        best.unwrap()
    }
}

/// Microseconds as milliseconds with two decimals.
fn millis(micros: u32) -> String {
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}
