//! Setup intents: a payment method is saved for charges while the customer is away.

use perennial::customer::Customer;
use perennial::id::{CustomerId, PaymentMethodId, SetupIntentId};
use perennial::metadata::Metadata;
use perennial::payment::{Outcome, PaymentMethod, SetupIntent, SetupStatus};

use super::find::{found, missing, named};
use super::payment_methods::unanswered;
use super::{Engine, Refused};
use crate::gateway::{ReturnPath, SetUp, Usage};
use crate::rendering;
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// What a setup intent is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSetupIntent {
    /// For whom.
    pub customer: Option<CustomerId>,
    /// What is to be saved, if that is known already.
    pub payment_method: Option<PaymentMethodId>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// Where a browser comes back to after a challenge of a set-up.
#[must_use]
pub fn return_path(intent: &SetupIntentId, make_default: bool) -> String {
    let default = if make_default { "?default=1" } else { "" };
    format!("/challenge/setup/{intent}{default}")
}

impl Engine {
    /// Starts to save a payment method for charges while the customer is away.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when the customer or the payment method is not there.
    pub async fn create_setup_intent(
        &self,
        scope: &Scope,
        new: NewSetupIntent,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        if let Some(customer) = &new.customer {
            let customer: Stored<Customer> = named(connection, scope, customer.as_str()).await?;
            if customer.deleted {
                return Err(missing::<Customer>(customer.id.as_str()));
            }
        }
        if let Some(method) = &new.payment_method {
            let method: Stored<PaymentMethod> = named(connection, scope, method.as_str()).await?;
            belongs(&method, new.customer.as_ref())?;
        }
        let id = SetupIntentId::new(&mut self.ids());
        let intent = SetupIntent {
            client_secret: format!("{id}_secret_{:032x}", self.entropy.bits()),
            id,
            customer: new.customer,
            status: if new.payment_method.is_some() {
                SetupStatus::RequiresConfirmation
            } else {
                SetupStatus::RequiresPaymentMethod
            },
            payment_method: new.payment_method,
            attempt: 0,
            last_error: None,
            challenge: None,
            metadata: new.metadata,
            created: now,
        };
        let intent = document::insert(&self.store, connection, scope, intent, now).await?;
        let object = rendering::setup_intent(&intent, scope.livemode);
        self.emit(connection, scope, "setup_intent.created", object, None)
            .await?;
        tx.commit().await?;
        Ok(intent)
    }

    /// Asks the bank to let the payment method be charged later, and attaches it when it may.
    /// `make_default` counts only for where the browser comes back to after a challenge.
    ///
    /// # Errors
    /// [`Refused::Card`] when the bank says no; [`Refused::State`] when there is nothing to confirm;
    /// [`Refused::Gateway`] when nobody knows: [`Engine::finish_setup_intent`] finds out.
    pub async fn confirm_setup_intent(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        method: Option<&PaymentMethodId>,
        make_default: bool,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let (intent, token) = self
            .retrying(|| self.begin_setup(scope, id, method))
            .await?;
        let request = SetUp {
            idempotency_key: setup_key(&intent),
            token,
            usage: Usage::OffSession,
            return_path: ReturnPath::parse(&return_path(id, make_default)),
        };
        let outcome = self
            .gateway
            .set_up(scope, request)
            .await
            .map_err(unanswered)?;
        self.end_setup(scope, id, intent.attempt, &outcome).await
    }

    /// Commits that the gateway is going to be asked.
    async fn begin_setup(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        method: Option<&PaymentMethodId>,
    ) -> Result<(Stored<SetupIntent>, String), Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let mut intent: Stored<SetupIntent> = found(connection, scope, id.as_str()).await?;
        if matches!(
            intent.status,
            SetupStatus::Succeeded | SetupStatus::Canceled
        ) {
            return Err(Refused::State {
                code: Some("setup_intent_unexpected_state"),
                message: "This setup intent is over and can't be confirmed.".to_owned(),
            });
        }
        let chosen = method.or(intent.payment_method.as_ref()).cloned();
        let chosen = chosen.ok_or_else(|| Refused::State {
            code: Some("setup_intent_unexpected_state"),
            message: "This setup intent needs a payment method before it can be confirmed."
                .to_owned(),
        })?;
        let method: Stored<PaymentMethod> = named(connection, scope, chosen.as_str()).await?;
        belongs(&method, intent.customer.as_ref())?;
        intent.payment_method = Some(chosen);
        intent.status = SetupStatus::Processing;
        intent.attempt = intent.attempt.saturating_add(1);
        intent.last_error = None;
        intent.challenge = None;
        document::update(connection, scope, &mut intent).await?;
        tx.commit().await?;
        Ok((intent, method.value.gateway_token))
    }

    /// Finds out what became of a set-up whose customer came back from a challenge, or whose answer
    /// got lost, and commits it.
    ///
    /// # Errors
    /// [`Refused::Card`] when the bank said no; [`Refused::Gateway`] when it is still not known.
    pub async fn finish_setup_intent(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let mut read = self.store.read().await?;
        let intent: Stored<SetupIntent> = found(&mut read, scope, id.as_str()).await?;
        drop(read);
        let out = [SetupStatus::Processing, SetupStatus::RequiresAction];
        if !out.contains(&intent.status) {
            return Ok(intent);
        }
        let key = setup_key(&intent);
        match self.gateway.lookup(scope, &key).await.map_err(unanswered)? {
            Some(outcome) => self.end_setup(scope, id, intent.attempt, &outcome).await,
            None => Err(Refused::Gateway("it never heard of this set-up".to_owned())),
        }
    }

    /// Commits what the gateway said.
    async fn end_setup(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let intent = self
            .retrying(|| self.end_setup_once(scope, id, attempt, outcome))
            .await?;
        match outcome {
            Outcome::Declined(decline) => Err(Refused::Card {
                decline: decline.clone(),
                param: None,
            }),
            Outcome::Succeeded { .. } | Outcome::RequiresAction { .. } => Ok(intent),
        }
    }

    async fn end_setup_once(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let mut intent: Stored<SetupIntent> = found(connection, scope, id.as_str()).await?;
        let out = [SetupStatus::Processing, SetupStatus::RequiresAction];
        // Somebody else committed it already, or another attempt began meanwhile.
        if intent.attempt != attempt || !out.contains(&intent.status) {
            return Ok(intent);
        }
        let before = intent.value.clone();
        let kind = settle(&mut intent.value, outcome);
        if intent.value == before {
            return Ok(intent);
        }
        document::update(connection, scope, &mut intent).await?;
        let attached = intent.payment_method.as_ref().zip(intent.customer.as_ref());
        if let (Outcome::Succeeded { .. }, Some((method, customer))) = (outcome, attached) {
            self.hand_over(connection, scope, method, customer).await?;
        }
        let object = rendering::setup_intent(&intent, scope.livemode);
        self.emit(connection, scope, kind, object, None).await?;
        tx.commit().await?;
        Ok(intent)
    }
}

/// The intent after an answer, and Stripe's event for it.
fn settle(intent: &mut SetupIntent, outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded { .. } => {
            intent.status = SetupStatus::Succeeded;
            intent.challenge = None;
            "setup_intent.succeeded"
        }
        Outcome::Declined(decline) => {
            intent.status = SetupStatus::RequiresPaymentMethod;
            intent.payment_method = None;
            intent.challenge = None;
            intent.last_error = Some(decline.clone());
            "setup_intent.setup_failed"
        }
        Outcome::RequiresAction { challenge } => {
            intent.status = SetupStatus::RequiresAction;
            intent.challenge = Some(challenge.clone());
            "setup_intent.requires_action"
        }
    }
}

/// The gateway's name for the newest attempt.
fn setup_key(intent: &SetupIntent) -> String {
    format!("{}:{}", intent.id, intent.attempt)
}

/// A method that is somebody else's can't be used.
fn belongs(method: &PaymentMethod, customer: Option<&CustomerId>) -> Result<(), Refused> {
    match &method.customer {
        Some(owner) if Some(owner) != customer => Err(Refused::invalid(
            "payment_method",
            "The payment method belongs to another customer.",
        )),
        _ => Ok(()),
    }
}
