//! A gateway that answers with rubbish, or not at all, at each of its calls. Nobody is charged twice,
//! nothing that can't be is booked, and what is wrong is set aside with its reason until the gateway has
//! come to its senses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use perennial::calendar::Cadence;
use perennial::currency::Currency;
use perennial::invoice::InvoiceStatus;
use perennial::metadata::Metadata;
use perennial::money::Money;
use perennial::payment::{Outcome, PaymentMethod, SetupStatus};
use perennial::refund::{Refund, RefundOutcome, RefundStatus};
use perennial::subscription::Status;

use super::money::{drafted, holds};
use super::world::{World, after};
use crate::gateway::{
    Capabilities, CardDetails, CardUpdate, Challenge, ChallengeAnswer, Charge, Gateway,
    GatewayError, RefundRequest, Replies, Reply, SetUp, TokenizeError, Tokenized,
};
use crate::service::Refused;
use crate::service::payments::PaymentResult;
use crate::service::refunds::NewRefund;
use crate::store::document::Stored;
use crate::store::tests::both;
use crate::store::{Scope, failure};

const DAY: i64 = 86_400;

/// What is wrong with each answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// There is none, though it was done.
    Nothing,
    /// It took another amount, it says.
    Amount,
    /// It took another currency, it says.
    Money,
    /// It does not say how much it took.
    Silent,
    /// The charge has no name.
    Nameless,
    /// It never heard of what it did.
    Forgetful,
}

impl Wrong {
    const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Amount,
        Self::Money,
        Self::Silent,
        Self::Nameless,
        Self::Forgetful,
    ];

    fn outcome(self, outcome: Outcome) -> Result<Outcome, GatewayError> {
        let Outcome::Succeeded { charge, charged } = outcome else {
            return Ok(outcome);
        };
        // Of a card that was only saved it says that it took something.
        let other = |minor: i64, currency| {
            let took = charged.map_or(0, |own| own.minor);
            Some(Money::new(took + minor, currency))
        };
        let (charge, charged) = match self {
            Self::Nothing => return Err(GatewayError::Unknown("it hung up".to_owned())),
            Self::Amount => (charge, other(1, Currency::USD)),
            Self::Money => (charge, other(0, Currency::EUR)),
            Self::Silent => (charge, None),
            Self::Nameless => (String::new(), charged),
            Self::Forgetful => (charge, charged),
        };
        Ok(Outcome::Succeeded { charge, charged })
    }

    /// Whether somebody must look at what it says of a charge.
    const fn is_set_aside(self) -> bool {
        matches!(
            self,
            Self::Amount | Self::Money | Self::Silent | Self::Nameless
        )
    }
}

/// A gateway that goes wrong while `mad` is set.
struct Rubbish {
    inner: Arc<dyn Gateway>,
    wrong: Wrong,
    mad: AtomicBool,
    calls: Mutex<Vec<&'static str>>,
}

impl Rubbish {
    fn is_mad(&self, call: &'static str) -> bool {
        self.calls.lock().unwrap().push(call);
        self.mad.load(Ordering::SeqCst)
    }

    /// How often it was asked what became of something.
    fn lookups(&self) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| **call == "lookup").count()
    }

    fn lost<T>() -> Result<T, GatewayError> {
        Err(GatewayError::Unknown("it hung up".to_owned()))
    }
}

impl Gateway for Rubbish {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn tokenize<'a>(
        &'a self,
        scope: &'a Scope,
        card: CardDetails,
    ) -> Reply<'a, Tokenized, TokenizeError> {
        match self.is_mad("tokenize") {
            true => Box::pin(async { Self::lost().map_err(TokenizeError::Gateway) }),
            false => self.inner.tokenize(scope, card),
        }
    }

    fn set_up<'a>(&'a self, scope: &'a Scope, request: SetUp) -> Reply<'a, Outcome> {
        let mad = self.is_mad("set_up");
        Box::pin(async move {
            let outcome = self.inner.set_up(scope, request).await?;
            match mad {
                true if self.wrong == Wrong::Forgetful => Self::lost(),
                true => self.wrong.outcome(outcome),
                false => Ok(outcome),
            }
        })
    }

    fn charge<'a>(&'a self, scope: &'a Scope, request: Charge) -> Reply<'a, Outcome> {
        let mad = self.is_mad("charge");
        Box::pin(async move {
            let outcome = self.inner.charge(scope, request).await?;
            match mad {
                true => self.wrong.outcome(outcome),
                false => Ok(outcome),
            }
        })
    }

    fn charge_many<'a>(&'a self, scope: &'a Scope, requests: Vec<Charge>) -> Replies<'a, Outcome> {
        let mad = self.is_mad("charge_many");
        Box::pin(async move {
            let answers = self.inner.charge_many(scope, requests).await;
            let wrong = |answer: Result<Outcome, GatewayError>| match mad {
                true => self.wrong.outcome(answer?),
                false => answer,
            };
            answers.into_iter().map(wrong).collect()
        })
    }

    fn lookup<'a>(&'a self, scope: &'a Scope, key: &'a str) -> Reply<'a, Option<Outcome>> {
        let mad = self.is_mad("lookup");
        Box::pin(async move {
            let found = self.inner.lookup(scope, key).await?;
            match (mad, found) {
                (true, _) if self.wrong == Wrong::Forgetful => Ok(None),
                (true, Some(outcome)) => self.wrong.outcome(outcome).map(Some),
                (_, found) => Ok(found),
            }
        })
    }

    fn abandon<'a>(&'a self, scope: &'a Scope, key: &'a str) -> Reply<'a, Option<Outcome>> {
        let mad = self.is_mad("abandon");
        Box::pin(async move {
            match (mad, self.wrong) {
                (false, _) => self.inner.abandon(scope, key).await,
                (true, Wrong::Forgetful) => Ok(None),
                // It gives nothing up, and says so.
                (true, Wrong::Silent) => self.inner.lookup(scope, key).await,
                (true, wrong) => {
                    let taken = Outcome::Succeeded {
                        charge: "ch_rubbish".to_owned(),
                        charged: Some(Money::new(5_000, Currency::USD)),
                    };
                    wrong.outcome(taken).map(Some)
                }
            }
        })
    }

    fn card_updates<'a>(&'a self, after: i64, limit: u32) -> Reply<'a, Vec<(Scope, CardUpdate)>> {
        match self.is_mad("card_updates") {
            true => Box::pin(async { Self::lost() }),
            false => self.inner.card_updates(after, limit),
        }
    }

    fn refund<'a>(&'a self, scope: &'a Scope, request: RefundRequest) -> Reply<'a, RefundOutcome> {
        let mad = self.is_mad("refund");
        Box::pin(async move {
            let outcome = self.inner.refund(scope, request).await?;
            match mad {
                true => Self::lost(),
                false => Ok(outcome),
            }
        })
    }

    fn lookup_refund<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a str,
    ) -> Reply<'a, Option<RefundOutcome>> {
        let mad = self.is_mad("lookup_refund");
        Box::pin(async move {
            let found = self.inner.lookup_refund(scope, key).await?;
            match (mad, self.wrong) {
                (true, Wrong::Forgetful) => Ok(None),
                (true, _) => Self::lost(),
                (false, _) => Ok(found),
            }
        })
    }

    fn challenge<'a>(&'a self, scope: &'a Scope, address: &'a str) -> Reply<'a, Option<Challenge>> {
        self.inner.challenge(scope, address)
    }

    fn answer_challenge<'a>(
        &'a self,
        scope: &'a Scope,
        address: &'a str,
        answer: ChallengeAnswer,
    ) -> Reply<'a, Option<Challenge>> {
        self.inner.answer_challenge(scope, address, answer)
    }
}

/// A world whose gateway goes wrong when it is told to.
fn maddened(world: &mut World, wrong: Wrong) -> Arc<Rubbish> {
    let rubbish = Arc::new(Rubbish {
        inner: Arc::clone(&world.engine.gateway),
        wrong,
        mad: AtomicBool::new(true),
        calls: Mutex::default(),
    });
    world.engine.gateway = rubbish.clone();
    rubbish
}

/// Does what is due, once: what the gateway does not answer stays due, so that there is no end to it.
async fn once(world: &World, seconds: i64) {
    world.clock.advance_to(after(world.engine.now(), seconds));
    world
        .engine
        .sweep(world.engine.now(), 1_000, None)
        .await
        .unwrap();
}

/// The gateway comes to its senses, and what was set aside is tried again.
async fn heal(world: &World, rubbish: &Rubbish) {
    rubbish.mad.store(false, Ordering::SeqCst);
    failure::retry_all(&world.engine.store).await.unwrap();
    world.live_until(after(world.engine.now(), 2 * 3_600)).await;
    assert!(world.engine.status().await.unwrap().set_aside.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_whose_answer_can_not_be_is_set_aside_by_name() {
    for wrong in Wrong::ALL {
        both(|store| async move {
            let mut world = World::new(store).await;
            let customer = world.customer_with("pm_card_visa").await;
            let id = drafted(&world, &customer, 5_000).await;
            let rubbish = maddened(&mut world, wrong);
            world.pay(&id, None).await.unwrap();
            once(&world, 120).await;
            let invoice = world.find_invoice(&id).await;
            let aside = world.engine.status().await.unwrap().set_aside;
            if wrong.is_set_aside() {
                assert_eq!(invoice.status, InvoiceStatus::Open, "{wrong:?}");
                let intent = invoice.payment_intent.clone().unwrap();
                let named = aside.iter().find(|own| own.place.id == intent.as_str());
                let reason = &named
                    .unwrap_or_else(|| panic!("{wrong:?}: {aside:?}"))
                    .reason;
                assert!(reason.contains(intent.as_str()), "{reason}");
            }
            holds(&world).await;
            heal(&world, &rubbish).await;
            assert_eq!(
                world.find_invoice(&id).await.status,
                InvoiceStatus::Paid,
                "{wrong:?}"
            );
            assert_eq!(world.charges().await, 1, "{wrong:?}");
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_never_answers_is_asked_with_growing_pauses() {
    both(|store| async move {
        let mut world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = drafted(&world, &customer, 5_000).await;
        let rubbish = maddened(&mut world, Wrong::Nothing);
        world.pay(&id, None).await.unwrap();
        let asked = || rubbish.lookups();
        let begun = world.engine.now();
        // At 15, 35, 70, 140, 280 and 560 seconds.
        world.live_until(after(begun, 600)).await;
        assert_eq!(asked(), 6);
        // Then up to once an hour.
        world.live_until(after(begun, DAY)).await;
        let day = asked();
        assert!((28..=36).contains(&day), "{day}");
        heal(&world, &rubbish).await;
        assert_eq!(world.find_invoice(&id).await.status, InvoiceStatus::Paid);
        assert_eq!(world.charges().await, 1);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_it_asked_more_often_after_a_set_up() {
    both(|store| async move {
        let mut world = World::new(store).await;
        let customer = world.customer().await;
        let (intent, method) = world.set_up(&customer, "pm_card_visa").await;
        let rubbish = maddened(&mut world, Wrong::Nothing);
        let (engine, scope) = (&world.engine, &world.scope);
        let lost = engine
            .confirm_setup_intent(scope, &intent, None, true)
            .await;
        assert!(matches!(lost, Err(Refused::Gateway(_))));
        let begun = engine.now();
        world.live_until(after(begun, 600)).await;
        assert_eq!(rubbish.lookups(), 6);
        // Then up to once an hour in the first week, and once a day afterwards.
        world.live_until(after(begun, DAY)).await;
        let day = rubbish.lookups();
        assert!((28..=36).contains(&day), "{day}");
        world.live_until(after(begun, 7 * DAY)).await;
        let week = rubbish.lookups() - day;
        assert!((6 * 22..=6 * 24).contains(&week), "{week}");
        world.live_until(after(begun, 17 * DAY)).await;
        let later = rubbish.lookups() - day - week;
        assert!((9..=11).contains(&later), "{later}");
        assert_eq!(
            world.find_set_up(&intent).await.status,
            SetupStatus::Processing
        );
        rubbish.mad.store(false, Ordering::SeqCst);
        world.live_until(after(world.engine.now(), DAY)).await;
        let settled = world.find_set_up(&intent).await;
        assert_eq!(
            (settled.status, settled.attempt),
            (SetupStatus::Succeeded, 1)
        );
        let owner = world.find_customer(&customer).await;
        assert_eq!(owner.default_payment_method, Some(method));
        let calls = rubbish.calls.lock().unwrap().clone();
        assert_eq!(calls.iter().filter(|call| **call == "set_up").count(), 1);
        assert!(world.engine.status().await.unwrap().set_aside.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_in_batches_survive_every_wrong_answer() {
    for wrong in Wrong::ALL {
        both(|store| async move {
            let mut world = World::new(store).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let mut made = Vec::new();
            for _ in 0..3 {
                let customer = world.customer_with("pm_card_visa").await;
                made.push(world.subscribe(&customer, &price).await);
            }
            let rubbish = maddened(&mut world, wrong);
            // The draft, its end, and what the gateway says when it is asked again.
            for seconds in [28 * DAY, 2 * 3_600, 120, 120] {
                once(&world, seconds).await;
            }
            holds(&world).await;
            heal(&world, &rubbish).await;
            assert!(rubbish.calls.lock().unwrap().contains(&"charge_many"));
            for id in &made {
                assert_eq!(world.status(id).await, Status::Active, "{wrong:?}");
                assert_eq!(
                    world.latest(id).await.status,
                    InvoiceStatus::Paid,
                    "{wrong:?}"
                );
            }
            assert_eq!(world.charges().await, 6, "{wrong:?}");
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_and_set_ups_and_news_survive_a_gateway_that_says_nothing() {
    for wrong in [Wrong::Nothing, Wrong::Forgetful] {
        both(|store| async move {
            let mut world = World::new(store).await;
            let customer = world.customer_with("pm_card_visa").await;
            let id = drafted(&world, &customer, 5_000).await;
            world.pay(&id, None).await.unwrap();
            let intent = world
                .find_invoice(&id)
                .await
                .payment_intent
                .clone()
                .unwrap();
            let rubbish = maddened(&mut world, wrong);
            let (engine, scope) = (world.engine.clone(), world.scope.clone());
            let new = NewRefund {
                payment_intent: intent,
                amount_minor: Some(2_000),
                reason: None,
                metadata: Metadata::default(),
            };
            let made = engine.create_refund(&scope, new).await.unwrap();
            assert_eq!(made.status, RefundStatus::Pending);
            assert!(engine.update_cards().await.is_err());
            let card =
                crate::gateway::sandbox::from_test_name("pm_card_visa", engine.now()).unwrap();
            let nobody = perennial::payment::BillingDetails::default();
            assert!(
                engine
                    .create_payment_method(&scope, card, nobody)
                    .await
                    .is_err()
            );
            once(&world, 300).await;
            holds(&world).await;
            heal(&world, &rubbish).await;
            let settled: Stored<Refund> = engine.find(&scope, made.id.as_str()).await.unwrap();
            assert_eq!(settled.status, RefundStatus::Succeeded, "{wrong:?}");
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn set_ups_survive_rubbish_and_silence() {
    for wrong in [
        Wrong::Nothing,
        Wrong::Forgetful,
        Wrong::Amount,
        Wrong::Money,
    ] {
        both(|store| async move {
            let mut world = World::new(store).await;
            let ada = world.customer().await;
            let (id, method) = world.set_up(&ada, "pm_card_visa").await;
            let rubbish = maddened(&mut world, wrong);
            let (engine, scope) = (world.engine.clone(), world.scope.clone());
            let sent = engine.confirm_setup_intent(&scope, &id, None, true).await;
            assert!(matches!(sent, Err(Refused::Gateway(_))), "{wrong:?}");
            once(&world, 120).await;
            let waits = world.find_set_up(&id).await;
            assert_eq!(waits.status, SetupStatus::Processing, "{wrong:?}");
            let own: Stored<PaymentMethod> = engine.find(&scope, method.as_str()).await.unwrap();
            assert_eq!(own.customer, None, "{wrong:?}: nothing is saved on a guess");
            let aside = engine.status().await.unwrap().set_aside;
            if wrong.is_set_aside() {
                let named = aside.iter().find(|own| own.place.id == id.as_str());
                let reason = &named.unwrap().reason;
                assert!(reason.contains("only saves a card"), "{reason}");
            }
            heal(&world, &rubbish).await;
            let saved = world.find_set_up(&id).await;
            assert_eq!(saved.status, SetupStatus::Succeeded, "{wrong:?}");
            assert_eq!(saved.attempt, 1, "{wrong:?}: the same key");
            let owner = world.find_customer(&ada).await;
            assert_eq!(owner.default_payment_method, Some(method), "{wrong:?}");
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_void_while_the_gateway_does_not_give_a_payment_up() {
    for wrong in [
        Wrong::Nothing,
        Wrong::Forgetful,
        Wrong::Amount,
        Wrong::Money,
        Wrong::Silent,
        Wrong::Nameless,
    ] {
        both(|store| async move {
            let mut world = World::new(store).await;
            let customer = world.customer_with("pm_card_authenticationRequired").await;
            let id = drafted(&world, &customer, 5_000).await;
            let begun = world.pay(&id, None).await.unwrap();
            let PaymentResult::RequiresAction { challenge_url, .. } = begun else {
                panic!("{begun:?}");
            };
            let rubbish = maddened(&mut world, wrong);
            let (engine, scope) = (world.engine.clone(), world.scope.clone());
            let refused = engine.void_invoice(&scope, &id).await.unwrap_err();
            match wrong {
                Wrong::Silent => assert!(matches!(refused, Refused::State { .. }), "{refused:?}"),
                _ => assert!(
                    matches!(refused, Refused::Gateway(_)),
                    "{wrong:?} {refused:?}"
                ),
            }
            let invoice = world.find_invoice(&id).await;
            assert_eq!(invoice.status, InvoiceStatus::Open, "{wrong:?}");
            assert_eq!(invoice.amount_paid_minor, 0, "{wrong:?}");
            holds(&world).await;
            rubbish.mad.store(false, Ordering::SeqCst);
            let void = engine.void_invoice(&scope, &id).await.unwrap();
            assert_eq!(void.status, InvoiceStatus::Void, "{wrong:?}");
            // Who approves after all pays nothing.
            world.approve(&challenge_url).await;
            assert_eq!(world.charges().await, 0, "{wrong:?}");
            holds(&world).await;
        })
        .await;
    }
}
