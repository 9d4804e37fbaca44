//! The real process is killed between a charge's commit and its outcome, and told to stop in the
//! middle of one. The next start settles everything; the bank takes the money once.

use crate::site::Site;

/// How long the bank takes on each way while it is slow.
const SLOW_MILLIS: &str = "3000";

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The attempt is committed; the bank has not heard of it.
    BeforeTheBank,
    /// The bank has taken the money; nobody has heard of it.
    AfterTheBank,
}

const OUT: &str = "select count(*) as n from payment_intent where asked_at is not null";
const TAKEN: &str =
    "select count(*) as n from sandbox_attempt where kind = 'charge' and status = 'succeeded'";
const ACTIVE: &str = "select count(*) as n from subscription where status = 'active'";
const PAID: &str = "select count(*) as n from invoice where status = 'paid'";

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
