//! Two processes share the work on one Postgres; one of them dies in the middle of a run.

use sqlx::Row as _;

use crate::business::{CHARGED, OUT, PAID, assert_all_billed_once, fall_due};
use crate::operating::until;
use crate::site::Site;

const SUBSCRIPTIONS: usize = 2_000;
/// How long the bank takes on each way: long enough to die with charges on the way.
const BANK_MILLIS: &str = "200";

/// How many shards each process works on.
fn shares(site: &Site) -> Vec<i64> {
    let (went, said) = site.command(&["status", "--json"]);
    assert!(went, "{said}");
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    let processes = status["processes"].as_array().unwrap().iter();
    processes
        .map(|own| own["shards"].as_i64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_in_the_middle_of_a_run_is_taken_over() {
    let Some(mut first) = Site::new("together", true).await else {
        return;
    };
    fall_due(&first, SUBSCRIPTIONS).await;
    let subscriptions = i64::try_from(SUBSCRIPTIONS).unwrap();
    let mut second = first.beside();
    // The first takes half of the shards only, because another one is believed to live, which is gone
    // when the second comes. Otherwise sharing takes until the first renews its leases.
    let other = "insert into work_process (id, started, until) \
                 values ('other', 1, extract(epoch from now())::bigint + 30)";
    first.run(other).await;
    first.start(BANK_MILLIS);
    let mine = first.row("select id from work_process where id <> 'other'");
    let mine: String = mine.await.get("id");
    let gone = "delete from work_process where id = 'other'";
    first.run(gone).await;
    second.start(BANK_MILLIS);
    until("both have a share", || shares(&first) == [16, 16]);

    first.wait_for_at_least(CHARGED, subscriptions / 10).await;
    first.kill();
    let (paid, out) = (second.count(PAID).await, second.count(OUT).await);
    assert!(
        paid < subscriptions && out > 0,
        "the run was not under way: {paid} paid, {out} on the way"
    );
    // Thirty seconds of silence: the dead process' leases are over.
    for table in [
        format!("update work_lease set until = 1 where holder = '{mine}'"),
        format!("update work_process set until = 1 where id = '{mine}'"),
    ] {
        assert!(second.run(&table).await > 0, "{table}");
    }
    second.wait_for(PAID, subscriptions + 1).await;
    second.wait_for(OUT, 0).await;
    assert_eq!(shares(&second), [32]);
    assert_all_billed_once(&second, subscriptions).await;
    assert!(second.stop());
}
