//! The database goes away under the running process, and comes back.

use std::time::Duration;

use crate::site::{Site, administer};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_is_used_again_when_it_is_back() {
    let Some(mut site) = Site::new("outage", true).await else {
        return;
    };
    site.start("0");
    let (customer, price) = site.stock();
    let form = format!("customer={customer}&items[0][price]={price}");
    site.post("/v1/subscriptions", &form);

    let (server, name) = site.postgres.clone().unwrap();
    let gone = format!("alter database {name} with allow_connections false");
    administer(server.clone(), gone);
    let cut =
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    administer(server.clone(), cut);
    let (status, answer) = site.try_post("/v1/subscriptions", &form).unwrap();
    assert!(status >= 500, "{status} {answer}");
    assert_eq!(answer["error"]["type"], "api_error", "{answer}");
    // The worker looks for what is due meanwhile, too.
    tokio::time::sleep(Duration::from_secs(2)).await;

    administer(
        server,
        format!("alter database {name} with allow_connections true"),
    );
    site.post("/v1/subscriptions", &form);
    let (_, list) = site.get("/v1/subscriptions").unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), 2, "{list}");
    let (holds, said) = site.command(&["audit"]);
    assert!(holds, "{said}");
    assert!(site.stop());
}
