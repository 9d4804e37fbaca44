//! Saving for charges while the customer is away, on both databases.

use perennial::id::{CustomerId, PaymentMethodId, SetupIntentId};
use perennial::payment::{PaymentMethod, SetupIntent, SetupStatus};

use super::NewSetupIntent;
use crate::gateway::sandbox::Fault;
use crate::service::payment_methods::tests::code;
use crate::service::tests::world::{World, after};
use crate::store::document::Stored;
use crate::store::tests::both;

impl World {
    /// A set-up of one of Stripe's test cards for a customer, to be confirmed.
    pub(crate) async fn set_up(
        &self,
        customer: &CustomerId,
        card: &str,
    ) -> (SetupIntentId, PaymentMethodId) {
        let method = self.engine.resolve_payment_method(&self.scope, card).await;
        let method = method.unwrap().value.id;
        let new = NewSetupIntent {
            customer: Some(customer.clone()),
            payment_method: Some(method.clone()),
            ..NewSetupIntent::default()
        };
        let intent = self.engine.create_setup_intent(&self.scope, new).await;
        let intent = intent.unwrap();
        assert_eq!(intent.status, SetupStatus::RequiresConfirmation);
        (intent.value.id, method)
    }

    pub(crate) async fn find_set_up(&self, id: &SetupIntentId) -> Stored<SetupIntent> {
        self.engine.find(&self.scope, id.as_str()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_is_looked_up() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let ada = world.customer().await;
        let (intent, method) = world.set_up(&ada, "pm_card_visa").await;
        world.bank.inject(Fault::LoseAnswer);
        let lost = engine
            .confirm_setup_intent(scope, &intent, None, false)
            .await;
        assert_eq!(code(lost.unwrap_err()), "gateway");
        let found = engine.finish_setup_intent(scope, &intent).await.unwrap();
        assert_eq!(found.status, SetupStatus::Succeeded);
        let method: Stored<PaymentMethod> = engine.find(scope, method.as_str()).await.unwrap();
        assert_eq!(method.customer.as_ref(), Some(&ada));
        let owner = world.find_customer(&ada).await;
        assert_eq!(owner.default_payment_method, None, "nobody wished that");
        let again = engine
            .confirm_setup_intent(scope, &intent, None, false)
            .await;
        assert_eq!(code(again.unwrap_err()), "setup_intent_unexpected_state");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_settles_what_the_customer_never_asks_after() {
    type Case = (&'static str, Fault, SetupStatus);
    let cases: [Case; 4] = [
        ("pm_card_visa", Fault::LoseAnswer, SetupStatus::Succeeded),
        ("pm_card_visa", Fault::LoseRequest, SetupStatus::Succeeded),
        (
            "pm_card_chargeDeclined",
            Fault::LoseAnswer,
            SetupStatus::RequiresPaymentMethod,
        ),
        (
            "pm_card_authenticationRequired",
            Fault::LoseRequest,
            SetupStatus::RequiresAction,
        ),
    ];
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        for (card, fault, expected) in cases {
            let ada = world.customer().await;
            let (intent, method) = world.set_up(&ada, card).await;
            world.bank.inject(fault);
            let lost = engine
                .confirm_setup_intent(scope, &intent, None, true)
                .await;
            assert_eq!(code(lost.unwrap_err()), "gateway", "{card} {fault:?}");
            world.sweep().await;
            let young = world.find_set_up(&intent).await.status;
            assert_eq!(young, SetupStatus::Processing, "somebody may still wait");
            world.clock.advance_to(after(engine.now(), 60));
            assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 1);
            let settled = world.find_set_up(&intent).await;
            assert_eq!(settled.status, expected, "{card} {fault:?}");
            assert_eq!(settled.attempt, 1, "{card} {fault:?}: the same key");
            let saved = (expected == SetupStatus::Succeeded).then_some(method);
            let owner = world.find_customer(&ada).await;
            assert_eq!(owner.default_payment_method, saved, "{card} {fault:?}");
            assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_settles_what_the_last_process_left() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let (ada, bob) = (world.customer().await, world.customer().await);
        let (intent, method) = world.set_up(&ada, "pm_card_visa").await;
        world.bank.inject(Fault::LoseAnswer);
        let lost = engine
            .confirm_setup_intent(scope, &intent, None, false)
            .await;
        assert_eq!(code(lost.unwrap_err()), "gateway");
        // Meanwhile it became somebody else's: the bank's yes is of no use any more.
        engine
            .attach_payment_method(scope, &method, &bob)
            .await
            .unwrap();
        assert_eq!(engine.settle_outstanding(100).await.unwrap(), 1);
        let settled = world.find_set_up(&intent).await;
        assert_eq!(settled.status, SetupStatus::RequiresPaymentMethod);
        let error = settled.last_error.as_ref().unwrap();
        assert_eq!(error.code, "payment_method_unexpected_state");
        assert_eq!(engine.settle_outstanding(100).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_saves_what_was_approved_though_nobody_came_back() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let ada = world.customer().await;
        let (intent, method) = world.set_up(&ada, "pm_card_authenticationRequired").await;
        let waits = engine
            .confirm_setup_intent(scope, &intent, None, true)
            .await
            .unwrap();
        assert_eq!(waits.status, SetupStatus::RequiresAction);
        assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 0);
        world.clock.advance_to(after(engine.now(), 20));
        assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 1);
        assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 0, "later");
        world.approve(waits.challenge.as_ref().unwrap()).await;
        world.clock.advance_to(after(engine.now(), 20));
        assert_eq!(engine.run_due(engine.now(), 100).await.unwrap(), 1);
        let saved = world.find_set_up(&intent).await;
        assert_eq!(saved.status, SetupStatus::Succeeded);
        let owner = world.find_customer(&ada).await;
        assert_eq!(owner.default_payment_method, Some(method));
        assert_eq!(engine.settle_outstanding(100).await.unwrap(), 0);
    })
    .await;
}
