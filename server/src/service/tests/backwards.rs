//! A server's clock that jumps back, by an hour or by a month: nothing is billed, charged or sent twice, nothing is lost,
//! and the work goes on as soon as the time is caught up.

use perennial::calendar::{Cadence, Timestamp};
use perennial::id::{CustomerId, SubscriptionId};
use perennial::invoice::InvoiceStatus;
use perennial::subscription::{ProrationBehavior, Status};

use super::mails::Postal;
use super::money::holds;
use super::world::{World, after, at};
use crate::gateway::sandbox::Fault;
use crate::mail::Kind;
use crate::service::Refused;
use crate::service::payments::PaymentResult;
use crate::service::subscriptions::Cancel;
use crate::service::updates::{SubscriptionUpdate, UpdateItem};
use crate::store::tests::both;
use crate::store::{Store, lease};

const VISA: &str = "pm_card_visa";
const FAILING: &str = "pm_card_chargeCustomerFail";
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// How far the clock jumps, in seconds.
const JUMPS: [i64; 2] = [HOUR, 30 * DAY];

/// The clock jumps back, and the workers go on there, for a quarter of an hour. Answers where it stood before.
async fn jump_back(world: &World, seconds: i64) -> Timestamp {
    let from = world.engine.now();
    let earlier = after(from, -seconds);
    world.clock.set(earlier);
    world.live_until(after(earlier, HOUR / 4)).await;
    from
}

/// Runs a test on both databases, with each jump.
async fn jumping<F: Future<Output = ()>>(test: impl Fn(Store, i64) -> F) {
    for jump in JUMPS {
        both(|store| test(store, jump)).await;
    }
}

/// What was billed, charged and told so far.
async fn so_far(world: &World, customer: &CustomerId) -> (usize, i64, usize) {
    let invoices = world.invoices(customer).await.len();
    (invoices, world.charges().await, world.events().await.len())
}

/// Periods follow each other, and each invoice was paid by one charge.
async fn billed_once(world: &World, customer: &CustomerId, count: usize) {
    let invoices = world.invoices(customer).await;
    assert_eq!(invoices.len(), count);
    let charged = world.charged().await;
    for invoice in &invoices {
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        let taken = charged.get(invoice.id.as_str());
        assert_eq!(taken, Some(&vec![invoice.totals.total_minor]));
    }
    assert_eq!(charged.len(), count);
    holds(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_renewal_the_period_is_not_billed_again() {
    jumping(|store, jump| async move {
        let (world, customer, id) = World::with_one(store, VISA).await;
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        billed_once(&world, &customer, 2).await;
        let before = so_far(&world, &customer).await;
        let from = jump_back(&world, jump).await;
        assert_eq!(so_far(&world, &customer).await, before);
        world.live_until(from).await;
        assert_eq!(so_far(&world, &customer).await, before);
        world.live_until(after(at(2026, 3, 31), 2 * HOUR)).await;
        billed_once(&world, &customer, 3).await;
        assert_eq!(world.status(&id).await, Status::Active);
        let dates: Vec<_> = world.invoices(&customer).await;
        let dates: Vec<_> = dates.iter().map(|own| own.created).collect();
        assert_eq!(dates, [at(2026, 1, 31), at(2026, 2, 28), at(2026, 3, 31)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_draft_and_end_the_draft_waits_and_is_charged_once() {
    jumping(|store, jump| async move {
        let (world, customer, id) = World::with_one(store, VISA).await;
        world.live_until(after(at(2026, 2, 28), 60)).await;
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Draft);
        let before = so_far(&world, &customer).await;
        jump_back(&world, jump).await;
        assert_eq!(so_far(&world, &customer).await, before);
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        billed_once(&world, &customer, 2).await;

        // Made final by hand at the earlier time, it is not charged again when its moment comes.
        world.live_until(after(at(2026, 3, 31), 60)).await;
        let draft = world.latest(&id).await;
        let from = world.engine.now();
        world.clock.set(after(from, -jump));
        let (engine, scope) = (&world.engine, &world.scope);
        engine.finalize_invoice(scope, &draft.id).await.unwrap();
        if world.find_invoice(&draft.id).await.status == InvoiceStatus::Open {
            world.pay(&draft.id, None).await.unwrap();
        }
        world.live_until(after(from, 2 * HOUR)).await;
        billed_once(&world, &customer, 3).await;
    })
    .await;
}

/// How often the bank was asked for the renewal of a card that always fails, and what became of the subscription.
async fn dunned(store: Store, jump: Option<i64>) -> (i64, Status, u32) {
    let (world, customer, id) = World::with_one(store, VISA).await;
    world.card(&customer, FAILING).await;
    world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
    assert_eq!(world.latest(&id).await.attempt_count, 1);
    if let Some(jump) = jump {
        let asked = world.asked().await;
        let from = jump_back(&world, jump).await;
        assert_eq!(world.asked().await, asked, "it is not tried earlier");
        world.live_until(from).await;
        // Once more, after the second attempt.
        let next = world.latest(&id).await.next_payment_attempt.unwrap();
        world.live_until(next).await;
        assert_eq!(world.latest(&id).await.attempt_count, 2);
        jump_back(&world, jump).await;
        assert_eq!(world.latest(&id).await.attempt_count, 2);
    }
    world.live_until(after(at(2026, 2, 28), 40 * DAY)).await;
    holds(&world).await;
    let first = world
        .invoices(&customer)
        .await
        .get(1)
        .unwrap()
        .attempt_count;
    (world.asked().await, world.status(&id).await, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_midst_of_retries_none_is_made_twice_or_left_out() {
    jumping(|store, jump| async move {
        let plain = crate::store::tests::sqlite().await;
        let expected = dunned(plain.store.clone(), None).await;
        assert_eq!(dunned(store, Some(jump)).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_out_is_asked_after_and_not_made_again() {
    jumping(|store, jump| async move {
        let (world, customer, id) = World::with_one(store, VISA).await;
        world.bank.inject(Fault::LoseAnswer);
        world.live_until(after(at(2026, 2, 28), HOUR)).await;
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Open);
        let from = jump_back(&world, jump).await;
        world.live_until(after(from, HOUR)).await;
        billed_once(&world, &customer, 2).await;

        // A process that starts at the earlier time asks at once.
        world.bank.inject(Fault::LoseAnswer);
        world.live_until(after(at(2026, 3, 31), HOUR)).await;
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Open);
        world.clock.set(after(world.engine.now(), -jump));
        assert_eq!(world.engine.settle_outstanding(100).await.unwrap(), 1);
        billed_once(&world, &customer, 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_whatever_time_it_is() {
    jumping(|store, jump| async move {
        let (world, customer, id) = World::with_one(store, VISA).await;
        let asking = world
            .card(&customer, "pm_card_authenticationRequired")
            .await;
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        let invoice = world.latest(&id).await;
        let paid = world.pay(&invoice.id, Some(asking)).await.unwrap();
        let PaymentResult::RequiresAction { challenge_url, .. } = paid else {
            panic!("{paid:?}");
        };
        let from = jump_back(&world, jump).await;
        world.approve(&challenge_url).await;
        world.live_until(after(from, DAY)).await;
        let invoice = world.find_invoice(&invoice.id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(world.charges().await, 2);
        holds(&world).await;
    })
    .await;
}

async fn seats(world: &World, id: &SubscriptionId, quantity: u64) -> Result<(), Refused> {
    let item = world.find_subscription(id).await.items[0].id.clone();
    let update = SubscriptionUpdate {
        items: vec![UpdateItem {
            id: Some(item),
            quantity: Some(quantity),
            ..UpdateItem::default()
        }],
        proration_behavior: ProrationBehavior::AlwaysInvoice,
        ..SubscriptionUpdate::default()
    };
    let changed = world.engine.update_subscription(&world.scope, id, update);
    changed.await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_before_the_running_period_began_is_refused_until_it_has() {
    jumping(|store, jump| async move {
        let (world, customer, id) = World::with_one(store, VISA).await;
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        let before = so_far(&world, &customer).await;
        world.clock.set(after(at(2026, 2, 28), -jump));
        let refused = seats(&world, &id, 3).await;
        assert!(
            matches!(refused, Err(Refused::Invalid { .. })),
            "{refused:?}"
        );
        assert_eq!(so_far(&world, &customer).await, before);
        world.live_until(after(at(2026, 2, 28), 0)).await;
        seats(&world, &id, 3).await.unwrap();
        let billed: Vec<_> = world.invoices(&customer).await;
        let billed: Vec<_> = billed.iter().map(|own| own.totals.total_minor).collect();
        assert_eq!(billed, [2_000, 2_000, 4_000]);
        // To end is allowed at any time, and gives back no more than was paid.
        world.clock.set(after(at(2026, 2, 28), -jump));
        let end = Cancel {
            prorate: true,
            invoice_now: true,
            ..Cancel::default()
        };
        let (engine, scope) = (&world.engine, &world.scope);
        engine.cancel_subscription(scope, &id, end).await.unwrap();
        assert_eq!(world.find_customer(&customer).await.balance_minor, -6_000);
        world.live_until(after(at(2026, 3, 31), 2 * HOUR)).await;
        assert_eq!(world.invoices(&customer).await.len(), 4);
        assert_eq!(world.charges().await, 3);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trials_end_once_and_in_their_moment() {
    jumping(|store, jump| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with(VISA).await;
        let end = after(world.engine.now(), 10 * DAY);
        let id = world.trial(&customer, &price, end).await;
        world.live_until(after(end, -HOUR / 2)).await;
        jump_back(&world, jump).await;
        assert_eq!(world.status(&id).await, Status::Trialing);
        world.live_until(after(end, 2 * HOUR)).await;
        assert_eq!(world.status(&id).await, Status::Active);
        let told = |events: Vec<String>| {
            let soon = "customer.subscription.trial_will_end";
            events.iter().filter(|kind| *kind == soon).count()
        };
        assert_eq!(told(world.events().await), 1);
        let from = jump_back(&world, jump).await;
        assert_eq!(world.status(&id).await, Status::Active);
        world.live_until(from).await;
        assert_eq!(world.charges().await, 1);
        assert_eq!(told(world.events().await), 1);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_once_and_in_its_moment() {
    jumping(|store, jump| async move {
        let world = Postal::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let reader = world.reader(VISA).await;
        let end = after(world.engine.now(), 40 * DAY);
        world.trial(&reader, &price, end).await;
        world.subscribe(&reader, &price).await;
        world.send().await;
        assert_eq!(world.states(Kind::Receipt).await, ["sent"]);
        let waiting = world.states(Kind::TrialEnding).await;
        assert_eq!(waiting, ["waiting"]);
        // What was sent stays sent, and what is for later does not come earlier.
        jump_back(&world, jump).await;
        world.send().await;
        assert_eq!(world.kept().await.len(), 1);
        world.live_until(after(end, -DAY)).await;
        while world.send().await > 0 {}
        assert_eq!(world.states(Kind::TrialEnding).await, ["sent"]);
        let kept = world.kept().await.len();
        let from = jump_back(&world, jump).await;
        world.send().await;
        world.live_until(from).await;
        world.send().await;
        assert_eq!(world.kept().await.len(), kept);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_shared_anew_at_the_earlier_time_and_nobody_waits_for_the_dead() {
    jumping(|store, jump| async move {
        let begun = Timestamp(100 * DAY);
        let name = |id: &str| lease::Process {
            id: id.to_owned(),
            started: begun,
            until: begun,
        };
        let (one, two) = (name("one"), name("two"));
        let renew = |process: &lease::Process, seconds: i64, back: i64| {
            let (store, process) = (store.clone(), process.clone());
            let now = after(begun, seconds - back);
            async move {
                let held = lease::renew(&store, &process, now, false).await;
                held.unwrap().len()
            }
        };
        assert_eq!(renew(&one, 0, 0).await, 32);
        assert_eq!(renew(&two, 1, 0).await, 0);
        assert_eq!(renew(&one, 2, 0).await, 16);
        assert_eq!(renew(&two, 3, 0).await, 16);
        // At the earlier time nobody believes what was written later: who comes first takes all, and shares again.
        assert_eq!(renew(&one, 10, jump).await, 32);
        assert_eq!(renew(&two, 11, jump).await, 0);
        assert_eq!(renew(&one, 12, jump).await, 16);
        assert_eq!(renew(&two, 13, jump).await, 16);
        // One dies there: it is taken over from after the time of a lease, not of the jump.
        assert_eq!(renew(&two, 42, jump).await, 16);
        assert_eq!(renew(&two, 43, jump).await, 32);
        // Nor is anybody waited for who died before the jump.
        assert_eq!(renew(&one, 100, 0).await, 32);
        assert_eq!(renew(&two, 101, jump).await, 32);
    })
    .await;
}
