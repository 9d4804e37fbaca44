//! The database goes away under the running process, and comes back.

use std::time::Duration;

use crate::business::{CHARGED, OUT, PAID, assert_all_billed_once, fall_due};
use crate::operating::metrics;
use crate::site::{Site, administer, free_port};

/// The database takes no connections, and those that there are end.
fn go_away(site: &Site) {
    let (server, name) = site.postgres.clone().unwrap();
    let gone = format!("alter database {name} with allow_connections false");
    administer(server.clone(), gone);
    let cut =
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    administer(server, cut);
}

fn come_back(site: &Site) {
    let (server, name) = site.postgres.clone().unwrap();
    let back = format!("alter database {name} with allow_connections true");
    administer(server, back);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_is_used_again_when_it_is_back() {
    let Some(mut site) = Site::new("outage", true).await else {
        return;
    };
    site.start("0");
    let (customer, price) = site.stock();
    let form = format!("customer={customer}&items[0][price]={price}");
    site.post("/v1/subscriptions", &form);

    go_away(&site);
    let (status, answer) = site.try_post("/v1/subscriptions", &form).unwrap();
    assert_eq!(status, 503, "{answer}");
    assert_eq!(answer["error"]["type"], "api_error", "{answer}");
    // The worker looks for what is due meanwhile, too.
    tokio::time::sleep(Duration::from_secs(2)).await;

    come_back(&site);
    site.post("/v1/subscriptions", &form);
    let (_, list) = site.get("/v1/subscriptions").unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), 2, "{list}");
    let (holds, said) = site.command(&["audit"]);
    assert!(holds, "{said}");
    assert!(site.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_a_database_left_in_the_middle_of_is_done_once_when_it_is_back() {
    const SUBSCRIPTIONS: i64 = 400;
    let Some(mut site) = Site::new("outage_due", true).await else {
        return;
    };
    fall_due(&site, usize::try_from(SUBSCRIPTIONS).unwrap()).await;
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    site.env.push(("PERENNIAL_METRICS_LISTEN", listen));
    site.start("200");
    site.wait_for_at_least(CHARGED, SUBSCRIPTIONS / 8).await;
    go_away(&site);
    // Sweeps come after one, two and four seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (went, said) = site.command(&["status"]);
    assert!(
        !went && said.contains("the database can't be used"),
        "{said}"
    );
    let (head, _) = metrics(port).unwrap();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(site.get("/readyz").unwrap().0, 503);

    come_back(&site);
    let (went, said) = site.command(&["status", "--json"]);
    assert!(went, "{said}");
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    let due = status["kinds"].as_array().unwrap().iter();
    let due: i64 = due.map(|kind| kind["due"].as_i64().unwrap()).sum();
    assert!(due > 0, "{status}");
    site.wait_for(PAID, SUBSCRIPTIONS + 1).await;
    site.wait_for(OUT, 0).await;
    assert_all_billed_once(&site, SUBSCRIPTIONS).await;
    assert!(site.stop());
}
