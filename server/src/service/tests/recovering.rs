//! What brings failed money back: smart retries, the schemes' limits, other cards, new cards, and
//! news of cards.

use perennial::calendar::Cadence;
use perennial::customer::{BackupConsent, ConsentThrough};
use perennial::dunning::{RetryMode, RetryPolicy};
use perennial::id::{CustomerId, SubscriptionId};
use perennial::invoice::InvoiceStatus;
use perennial::payment::{CardBrand, Decline, Outcome, PaymentMethod};
use perennial::subscription::Status;
use sqlx::Row;

use super::world::{World, after, at};
use crate::gateway::sandbox::Fault;
use crate::service::payments::PaymentResult;
use crate::store::document::Stored;
use crate::store::tests::both;
use crate::store::{key, retries};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

async fn set_policy(world: &World, policy: RetryPolicy) {
    let mut merchant = world.engine.merchant(&world.scope).await.unwrap();
    merchant.retries = policy;
    let mut tx = world.engine.store.begin().await.unwrap();
    key::update_merchant(tx.connection(), &merchant)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A subscription whose first renewal, on 28 February, will be charged to `card`.
async fn renewing_with(world: &World, card: &str) -> (CustomerId, SubscriptionId) {
    let price = world.price(2_000, Cadence::MONTHLY).await;
    let customer = world.customer_with("pm_card_visa").await;
    let id = world.subscribe(&customer, &price).await;
    world.card(&customer, card).await;
    (customer, id)
}

/// How often the bank was asked to charge, whatever it said.
async fn asked(world: &World) -> i64 {
    world.asked().await
}

async fn count(world: &World, table: &str, more: &str) -> i64 {
    let sql = format!("select count(*) as n from {table} where merchant = $1{more}");
    let mut connection = world.engine.store.read().await.unwrap();
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(world.scope.merchant.as_str())
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    row.get("n")
}

#[tokio::test(flavor = "multi_thread")]
async fn smart_retries_keep_to_their_window_and_are_learned_from() {
    both(|store| async move {
        let world = World::new(store).await;
        let policy = RetryPolicy {
            mode: RetryMode::Smart {
                window_days: 14,
                retries_max: 4,
            },
            ..RetryPolicy::default()
        };
        set_policy(&world, policy).await;
        let (_, id) = renewing_with(&world, "pm_card_chargeCustomerFail").await;
        let charged = after(at(2026, 2, 28), HOUR);
        world.live_until(after(charged, 13 * DAY)).await;
        let invoice = world.latest(&id).await;
        assert_eq!(world.status(&id).await, Status::PastDue);
        assert!(
            (2..=5).contains(&invoice.attempt_count),
            "{}",
            invoice.attempt_count
        );
        assert!(invoice.next_payment_attempt.is_some());
        world.live_until(after(charged, 15 * DAY)).await;
        assert_eq!(world.status(&id).await, Status::Canceled);
        let attempts = asked(&world).await;
        assert!(attempts <= 6, "{attempts}");

        let outcomes = count(&world, "retry_outcome", "").await;
        assert!(outcomes > 0);
        let mut connection = world.engine.store.read().await.unwrap();
        let before = retries::knowledge(&mut connection, &world.scope)
            .await
            .unwrap();
        drop(connection);
        assert!(world.engine.count_retries().await.unwrap() > 0);
        assert_eq!(count(&world, "retry_outcome", "").await, 0);
        let mut connection = world.engine.store.read().await.unwrap();
        let counted = retries::knowledge(&mut connection, &world.scope).await;
        assert_eq!(counted.unwrap(), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_rests_when_its_scheme_says_so() {
    both(|store| async move {
        let world = World::new(store).await;
        let (customer, id) = renewing_with(&world, "pm_card_chargeCustomerFail").await;
        let charged = after(at(2026, 2, 28), HOUR);
        world.live_until(charged).await;
        let method = world.find_customer(&customer).await;
        let method = method.default_payment_method.clone().unwrap();
        let method: Stored<PaymentMethod> = world
            .engine
            .find(&world.scope, method.as_str())
            .await
            .unwrap();
        assert_eq!(method.card.brand, CardBrand::Visa);
        // Other invoices were declined 14 times on the same card.
        let mut tx = world.engine.store.begin().await.unwrap();
        for n in 1..15 {
            sqlx::query(
                "insert into card_decline (merchant, livemode, fingerprint, declined_at, attempt, hard) \
                 values ($1, 0, $2, $3, $4, 0)",
            )
            .bind(world.scope.merchant.as_str())
            .bind(method.card.fingerprint.as_str())
            .bind(charged.0 - n * HOUR)
            .bind(format!("pi_{n}"))
            .execute(tx.connection())
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        let before = asked(&world).await;
        world.live_until(after(charged, 20 * DAY)).await;
        assert_eq!(asked(&world).await, before);
        let invoice = world.latest(&id).await;
        assert_eq!(invoice.attempt_count, 1);
        let free = after(charged, 30 * DAY - 14 * HOUR);
        assert_eq!(invoice.next_payment_attempt, Some(free));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_card_pays_what_is_open() {
    both(|store| async move {
        let world = World::new(store).await;
        let (customer, id) = renewing_with(&world, "pm_card_chargeDeclinedStolenCard").await;
        let charged = after(at(2026, 2, 28), HOUR);
        world.live_until(after(charged, HOUR)).await;
        assert_eq!(world.status(&id).await, Status::PastDue);
        let (engine, scope) = (&world.engine, &world.scope);
        let method = engine
            .resolve_payment_method(scope, "pm_card_mastercard")
            .await
            .unwrap();
        engine
            .attach_payment_method(scope, &method.id, &customer)
            .await
            .unwrap();
        engine
            .set_default_payment_method(scope, &customer, &method.id)
            .await
            .unwrap();
        world.sweep().await;
        let invoice = world.latest(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(world.status(&id).await, Status::Active);
        assert_eq!(world.charges().await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_cards_pay_only_with_the_customers_leave() {
    both(|store| async move {
        for (leave, fault) in [
            (false, None),
            (true, None),
            (true, Some(Fault::LoseAnswer)),
            (true, Some(Fault::LoseRequest)),
        ] {
            let world = World::new(store.clone()).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let customer = world.customer_with("pm_card_visa").await;
            let id = world.subscribe(&customer, &price).await;
            let broken = world.card(&customer, "pm_card_chargeCustomerFail").await;
            let other = world.card(&customer, "pm_card_mastercard").await;
            let first = world.card(&customer, "pm_card_chargeCustomerFail").await;
            let mut row = world.find_customer(&customer).await;
            row.backup = leave.then(|| BackupConsent {
                methods: vec![first, broken, other.clone()],
                given_at: world.engine.now(),
                through: ConsentThrough::Portal,
            });
            world.update(&mut row).await;
            world.live_until(at(2026, 2, 28)).await;
            // The first card and one of the others answer; then something goes wrong.
            if let Some(fault) = fault {
                world.bank.inject(Fault::Delay(std::time::Duration::ZERO));
                world.bank.inject(Fault::Delay(std::time::Duration::ZERO));
                world.bank.inject(fault);
            }
            world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
            let invoice = world.latest(&id).await;
            let paid = invoice.status == InvoiceStatus::Paid;
            assert_eq!(paid, leave, "{fault:?}");
            assert_eq!(invoice.attempt_count, 1, "{fault:?}");
            assert_eq!(world.charges().await, 1 + i64::from(leave), "{fault:?}");
            let status = if leave {
                Status::Active
            } else {
                Status::PastDue
            };
            assert_eq!(world.status(&id).await, status, "{fault:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reissued_card_is_taken_over_and_charged() {
    both(|store| async move {
        let world = World::new(store).await;
        let (customer, id) = renewing_with(&world, "pm_card_reissued").await;
        let charged = after(at(2026, 2, 28), HOUR);
        world.live_until(after(charged, HOUR)).await;
        let invoice = world.latest(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(world.status(&id).await, Status::Active);
        let owner = world.find_customer(&customer).await;
        let method: Stored<PaymentMethod> = world
            .engine
            .find(
                &world.scope,
                owner.default_payment_method.as_ref().unwrap().as_str(),
            )
            .await
            .unwrap();
        assert_eq!(method.card.last4, "4242");
        let told = world.events().await;
        let kind = "payment_method.automatically_updated";
        assert_eq!(told.iter().filter(|own| *own == kind).count(), 1);
        // Once read, news stay read.
        assert_eq!(world.engine.update_cards().await.unwrap(), 0);
        assert_eq!(world.charges().await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_may_come_early_twice_and_late() {
    both(|store| async move {
        let world = World::new(store).await;
        let (customer, id) = renewing_with(&world, "pm_card_chargeCustomerFail").await;
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        world.card(&customer, "pm_card_visa").await;
        let invoice = world.latest(&id).await.id.clone();
        // The bank has decided, and its answer to the call is on its way for a second.
        let delay = std::time::Duration::from_secs(1);
        world.bank.inject(Fault::Delay(delay));
        let (engine, scope) = (world.engine.clone(), world.scope.clone());
        let paying = invoice.clone();
        let call =
            tokio::spawn(async move { engine.pay_invoice(&scope, &paying, None, false).await });
        tokio::time::sleep(delay / 3).await;
        let intent = world.find_invoice(&invoice).await.payment_intent.clone();
        let intent = intent.unwrap();
        for _ in 0..2 {
            let early = world.finish(&intent).await.unwrap();
            assert!(matches!(early, PaymentResult::Paid { .. }));
        }
        let answered = call.await.unwrap().unwrap();
        assert!(matches!(answered, PaymentResult::Paid { .. }));
        // A notice of the attempt before, and one that contradicts what is known.
        for attempt in [1, 2] {
            let decline = Decline {
                code: "card_declined".to_owned(),
                decline_code: None,
            };
            let late = Outcome::Declined(decline);
            let (engine, scope) = (&world.engine, &world.scope);
            engine
                .commit_outcome(scope, &intent, attempt, late)
                .await
                .unwrap();
        }
        assert_eq!(
            world.find_invoice(&invoice).await.status,
            InvoiceStatus::Paid
        );
        assert_eq!(world.status(&id).await, Status::Active);
        assert_eq!(world.charges().await, 2);
        let told = world.events().await;
        let paid = told.iter().filter(|kind| *kind == "invoice.paid").count();
        assert_eq!(paid, 2);
    })
    .await;
}

/// A customer with a subscription whose renewal is charged to a broken card, and who allows another one.
async fn with_backup(world: &World, backup: &str) -> SubscriptionId {
    let policy = RetryPolicy {
        mode: RetryMode::Schedule { wait_days: vec![1] },
        ..RetryPolicy::default()
    };
    set_policy(world, policy).await;
    let price = world.price(2_000, Cadence::MONTHLY).await;
    let customer = world.customer_with("pm_card_visa").await;
    let id = world.subscribe(&customer, &price).await;
    let other = world.card(&customer, backup).await;
    world.card(&customer, "pm_card_chargeCustomerFail").await;
    let mut row = world.find_customer(&customer).await;
    row.backup = Some(BackupConsent {
        methods: vec![other],
        given_at: world.engine.now(),
        through: ConsentThrough::Portal,
    });
    world.update(&mut row).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_attempt_tries_the_other_cards_before_anything_ends() {
    // What the other card does -> the subscription, the invoice, how often the bank took money.
    for (backup, status, invoice, charges) in [
        ("pm_card_visa", Status::Active, InvoiceStatus::Paid, 2),
        (
            "pm_card_chargeCustomerFail",
            Status::Canceled,
            InvoiceStatus::Open,
            1,
        ),
    ] {
        both(|store| async move {
            let world = World::new(store).await;
            let id = with_backup(&world, "pm_card_chargeCustomerFail").await;
            // The first attempt fails with both; the other card gets better before the last one.
            world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
            assert_eq!(world.status(&id).await, Status::PastDue);
            let customer = world.find_subscription(&id).await.customer.clone();
            let better = world.card(&customer, backup).await;
            world.card(&customer, "pm_card_chargeCustomerFail").await;
            let mut row = world.find_customer(&customer).await;
            row.backup = Some(BackupConsent {
                methods: vec![better],
                given_at: world.engine.now(),
                through: ConsentThrough::Portal,
            });
            world.update(&mut row).await;
            world.live_until(after(at(2026, 2, 28), 3 * DAY)).await;
            assert_eq!(world.status(&id).await, status, "{backup}");
            let last = world.latest(&id).await;
            assert_eq!(last.status, invoice, "{backup}");
            assert_eq!(last.attempt_count, 2, "{backup}");
            assert_eq!(world.charges().await, charges, "{backup}");
            super::money::holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_said_never_is_not_asked_at_the_next_renewal() {
    both(|store| async move {
        let world = World::new(store).await;
        let policy = RetryPolicy {
            then: perennial::subscription::WhenExhausted::LeavePastDue,
            ..RetryPolicy::default()
        };
        set_policy(&world, policy).await;
        let card = "pm_card_visa_chargeDeclinedLostCard";
        let (customer, id) = renewing_with(&world, card).await;
        world.live_until(at(2026, 3, 30)).await;
        // Its first charge, and the first renewal that it was to pay.
        assert_eq!(asked(&world).await, 2);
        world.live_until(at(2026, 4, 20)).await;
        assert_eq!(asked(&world).await, 2);
        assert_eq!(world.status(&id).await, Status::PastDue);
        let second = world.latest(&id).await;
        assert!(second.attempt_count >= 1);
        let error = second.last_payment_error.clone().unwrap();
        assert_eq!(error.decline_code.as_deref(), Some("lost_card"));
        // Another card pays what is open at once.
        let other = world.card(&customer, "pm_card_visa").await;
        world.pay(&second.id, Some(other)).await.unwrap();
        assert_eq!(
            world.find_invoice(&second.id).await.status,
            InvoiceStatus::Paid
        );
        super::money::holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_not_made_says_nothing_about_the_customer() {
    both(|store| async move {
        let world = World::new(store).await;
        let card = "pm_card_visa_chargeDeclinedLostCard";
        let (customer, id) = renewing_with(&world, card).await;
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        assert!(world.find_customer(&customer).await.delinquent);
        let other = super::money::drafted(&world, &customer, 700).await;
        let (engine, scope) = (&world.engine, &world.scope);
        engine.pay_out_of_band(scope, &other).await.unwrap();
        assert!(!world.find_customer(&customer).await.delinquent);
        let (attempts, sent) = (world.latest(&id).await.attempt_count, asked(&world).await);
        world.live_until(after(engine.now(), 8 * DAY)).await;
        assert!(world.latest(&id).await.attempt_count > attempts);
        assert_eq!(asked(&world).await, sent);
        assert!(!world.find_customer(&customer).await.delinquent);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_invoice_does_not_end_what_a_newer_one_has_just_paid_for() {
    both(|store| async move {
        let world = World::new(store).await;
        let mode = RetryMode::Schedule {
            wait_days: vec![40],
        };
        let policy = RetryPolicy {
            mode,
            then: perennial::subscription::WhenExhausted::Cancel,
            ..RetryPolicy::default()
        };
        set_policy(&world, policy).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer().await;
        let good = world.card(&customer, "pm_card_visa").await;
        let id = world.subscribe(&customer, &price).await;
        let bad = world.card(&customer, "pm_card_chargeCustomerFail").await;
        world.live_until(after(at(2026, 2, 28), 2 * HOUR)).await;
        assert_eq!(world.status(&id).await, Status::PastDue);

        // The bank takes the money for the next renewal, and its answer is lost; then the last retry of
        // the one before is due.
        let mut old = world.latest(&id).await;
        old.default_payment_method = Some(bad);
        world.update(&mut old).await;
        let mut owner = world.find_customer(&customer).await;
        owner.default_payment_method = Some(good);
        world.update(&mut owner).await;
        let charged = after(at(2026, 3, 31), HOUR);
        world.live_until(after(charged, -1)).await;
        let mut old = world.find_invoice(&old.id).await;
        old.next_payment_attempt = Some(after(charged, 10));
        world.update(&mut old).await;
        world.bank.inject(Fault::LoseAnswer);
        world.live_until(charged).await;
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Open);
        world.live_until(after(charged, 10)).await;
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Paid);
        assert_eq!(world.status(&id).await, Status::Active);
        super::money::holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_off_invoice_that_nobody_pays_is_written_off_and_may_be_paid_later() {
    both(|store| async move {
        let world = World::new(store).await;
        let policy = RetryPolicy {
            write_off_days: Some(30),
            ..RetryPolicy::default()
        };
        set_policy(&world, policy).await;
        let customer = world.customer_with("pm_card_chargeCustomerFail").await;
        let id = super::money::drafted(&world, &customer, 5_000).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let update = crate::service::invoices::manual::InvoiceUpdate {
            auto_advance: Some(true),
            ..Default::default()
        };
        engine.update_invoice(scope, &id, update).await.unwrap();
        world.live_until(after(engine.now(), 29 * DAY)).await;
        assert_eq!(world.find_invoice(&id).await.status, InvoiceStatus::Open);
        super::money::holds(&world).await;
        world.live_until(after(engine.now(), 3 * DAY)).await;
        let invoice = world.find_invoice(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Uncollectible);
        let told = world.events().await;
        let kind = "invoice.marked_uncollectible";
        assert_eq!(told.iter().filter(|own| *own == kind).count(), 1);
        // Stripe: only the merchant's word that it won't be paid ends that, not the end of the schedule.
        assert!(world.find_customer(&customer).await.delinquent);
        super::money::holds(&world).await;
        let card = world.card(&customer, "pm_card_visa").await;
        world.pay(&id, Some(card)).await.unwrap();
        assert_eq!(world.find_invoice(&id).await.status, InvoiceStatus::Paid);
        super::money::holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_news_of_cards_is_missed_however_many_come_at_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let mut customers = Vec::new();
        for _ in 0..8 {
            let customer = world.customer().await;
            let method = world.card(&customer, "pm_card_reissued").await;
            let id = super::money::drafted(&world, &customer, 1_000).await;
            customers.push((customer, method, id));
        }
        // Each charge makes the bank put a new card behind the old one, and tell of it.
        let charges: Vec<_> = customers
            .iter()
            .map(|(_, _, id)| {
                let (world, id) = (world.clone(), id.clone());
                tokio::spawn(async move { world.pay(&id, None).await })
            })
            .collect();
        // Somebody reads all the while.
        for _ in 0..20 {
            world.engine.update_cards().await.unwrap();
            tokio::task::yield_now().await;
        }
        for charge in charges {
            charge.await.unwrap().unwrap();
        }
        while world.engine.update_cards().await.unwrap() > 0 {}
        for (_, method, _) in &customers {
            let method: Stored<PaymentMethod> = world
                .engine
                .find(&world.scope, method.as_str())
                .await
                .unwrap();
            assert_eq!(method.card.last4, "4242");
        }
    })
    .await;
}
