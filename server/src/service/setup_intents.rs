//! Setup intents: a payment method is saved for charges while the customer is away.

mod trials;

use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceId, PaymentMethodId, SetupIntentId};
use perennial::metadata::Metadata;
use perennial::payment::{Decline, Outcome, PaymentMethod, SetupIntent, SetupStatus};

use super::due::challenge_due_at;
use super::find::{found, missing, named};
use super::invoices::defect;
use super::payment_methods::unanswered;
use super::payments::refused_as;
use super::{Engine, Refused};
use crate::gateway::{ReturnPath, SetUp, Usage, in_time};
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
    /// The invoice that the customer is about to pay with it, if any.
    pub invoice: Option<InvoiceId>,
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
        let new = &new;
        self.retrying(|| self.create_setup_intent_once(scope, new.clone()))
            .await
    }

    async fn create_setup_intent_once(
        &self,
        scope: &Scope,
        new: NewSetupIntent,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let mut test_clock = None;
        if let Some(customer) = &new.customer {
            let customer: Stored<Customer> = named(connection, scope, customer.as_str()).await?;
            if customer.deleted {
                return Err(missing::<Customer>(customer.id.as_str()));
            }
            test_clock.clone_from(&customer.test_clock);
        }
        if let Some(method) = &new.payment_method {
            let method: Stored<PaymentMethod> = named(connection, scope, method.as_str()).await?;
            belongs(&method, new.customer.as_ref())?;
        }
        let intent = SetupIntent {
            test_clock,
            ..self.blank_setup_intent(new)
        };
        let intent = document::insert(&self.store, connection, scope, intent, now).await?;
        let object = rendering::setup_intent(&intent, scope.livemode);
        self.emit(connection, scope, "setup_intent.created", object, None)
            .await?;
        tx.commit().await?;
        Ok(intent)
    }

    /// A setup intent as nobody has tried it yet.
    fn blank_setup_intent(&self, new: NewSetupIntent) -> SetupIntent {
        let id = SetupIntentId::new(&mut self.ids());
        SetupIntent {
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
            make_default: false,
            invoice: new.invoice,
            subscription: None,
            attempted_at: None,
            ask_at: None,
            metadata: new.metadata,
            created: self.now(),
            test_clock: None,
        }
    }

    /// Asks the bank to let the payment method be charged later, and attaches it when it may.
    /// `make_default` lets it pay by default from then on, whoever finds out that it may.
    ///
    /// # Errors
    /// [`Refused::Card`] when the bank says no; [`Refused::State`] when there is nothing to confirm;
    /// [`Refused::Gateway`] when nobody knows: a worker or [`Engine::finish_setup_intent`] finds out.
    pub async fn confirm_setup_intent(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        method: Option<&PaymentMethodId>,
        make_default: bool,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let (intent, token) = self
            .retrying(|| self.begin_setup(scope, id, method, make_default))
            .await?;
        self.send_setup(scope, &intent, token).await
    }

    /// Sends a committed set-up and commits what comes of it.
    async fn send_setup(
        &self,
        scope: &Scope,
        intent: &SetupIntent,
        token: String,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let request = SetUp {
            idempotency_key: intent.idempotency_key(),
            token,
            usage: Usage::OffSession,
            return_path: ReturnPath::parse(&return_path(&intent.id, intent.make_default)),
        };
        let outcome = match in_time(self.gateway.set_up(scope, request)).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_unknown() => {
                tracing::warn!(intent = %intent.id, %error, "the outcome of a set-up is not known");
                self.wake();
                return Err(unanswered(error));
            }
            Err(error) => {
                tracing::error!(intent = %intent.id, %error, "the gateway refused a set-up");
                Outcome::Declined(refused_as(&error))
            }
        };
        let ended = self
            .end_setup(scope, &intent.id, intent.attempt, &outcome)
            .await;
        match ended {
            // What it says can't be: a worker asks again, and sets it aside with what is wrong.
            Err(Refused::Defect(what)) => {
                tracing::error!(intent = %intent.id, what, "the gateway's answer can't be");
                self.wake();
                Err(Refused::Gateway(what))
            }
            ended => ended,
        }
    }

    /// Commits that the gateway is going to be asked.
    async fn begin_setup(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        method: Option<&PaymentMethodId>,
        make_default: bool,
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
        intent.make_default = make_default;
        intent.attempted_at = Some(self.now());
        intent.ask_at = None;
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
        let key = intent.idempotency_key();
        let found = in_time(self.gateway.lookup(scope, &key)).await;
        match found.map_err(unanswered)? {
            Some(outcome) => self.end_setup(scope, id, intent.attempt, &outcome).await,
            None if intent.status == SetupStatus::Processing => {
                self.send_setup_again(scope, &intent).await
            }
            None => Err(Refused::Gateway("it forgot this set-up".to_owned())),
        }
    }

    /// Finds out what became of a set-up that nobody has heard of, for a worker: a refusal by the bank
    /// is an outcome like any other, and one that is still not known is asked after again later.
    pub(super) async fn settle_setup(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
    ) -> Result<(), Refused> {
        self.retrying(|| self.put_off_setup(scope, id)).await?;
        match self.finish_setup_intent(scope, id).await {
            Ok(_) | Err(Refused::Card { .. }) => Ok(()),
            Err(Refused::Gateway(why)) => {
                tracing::warn!(intent = %id, why, "the gateway does not say what became of it");
                Ok(())
            }
            Err(refused) => Err(refused),
        }
    }

    /// Says when a worker looks again after a set-up that is still out, before it looks
    /// now: a gateway that fails is not asked more often.
    async fn put_off_setup(&self, scope: &Scope, id: &SetupIntentId) -> Result<(), Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let mut intent: Stored<SetupIntent> = found(connection, scope, id.as_str()).await?;
        if matches!(
            intent.status,
            SetupStatus::RequiresAction | SetupStatus::Processing
        ) {
            intent.ask_at = Some(challenge_due_at(intent.attempted_at, self.now()));
            document::update(connection, scope, &mut intent).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// What the gateway never heard of is sent again with the same key.
    async fn send_setup_again(
        &self,
        scope: &Scope,
        intent: &SetupIntent,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let method = intent.payment_method.as_ref();
        let method = method.ok_or_else(|| defect("a set-up without a payment method"))?;
        let method: Stored<PaymentMethod> = self.find(scope, method.as_str()).await?;
        self.send_setup(scope, intent, method.value.gateway_token)
            .await
    }

    /// Commits what the gateway said.
    async fn end_setup(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<Stored<SetupIntent>, Refused> {
        agrees(id, outcome)?;
        let intent = self
            .retrying(|| self.end_setup_once(scope, id, attempt, outcome))
            .await?;
        // Who came to pay an invoice with it does so now; who did not is done with this.
        if intent.status == SetupStatus::Succeeded
            && intent.make_default
            && intent.invoice.is_none()
            && let (Some(customer), Some(method)) = (&intent.customer, &intent.payment_method)
        {
            self.collect_open(scope, customer, method, false).await?;
        }
        match (intent.status, &intent.last_error) {
            (SetupStatus::RequiresPaymentMethod, Some(decline)) => Err(Refused::Card {
                decline: decline.clone(),
                param: None,
            }),
            _ => Ok(intent),
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
        let mut outcome = outcome.clone();
        let saved = intent.payment_method.as_ref().zip(intent.customer.as_ref());
        if let (Outcome::Succeeded { .. }, Some((method, customer))) = (&outcome, saved) {
            match self.hand_over(connection, scope, method, customer).await {
                Ok(_) if intent.make_default => {
                    self.prefer(connection, scope, customer, method).await?;
                }
                Ok(_) => {}
                // Somebody else's by now: what the bank allowed is of no use to this customer.
                Err(Refused::State { .. }) => {
                    outcome = Outcome::Declined(Decline {
                        code: "payment_method_unexpected_state".to_owned(),
                        decline_code: None,
                    });
                }
                Err(refused) => return Err(refused),
            }
        }
        let kind = settle(&mut intent.value, &outcome);
        if intent.value == before {
            return Ok(intent);
        }
        let waits = intent.status == SetupStatus::RequiresAction;
        let now = self.now();
        intent.ask_at = waits.then(|| challenge_due_at(Some(now), now));
        document::update(connection, scope, &mut intent).await?;
        let object = rendering::setup_intent(&intent, scope.livemode);
        self.emit(connection, scope, kind, object, None).await?;
        if intent.status == SetupStatus::Succeeded {
            self.end_waiting(connection, scope, &intent).await?;
        }
        tx.commit().await?;
        Ok(intent)
    }
}

/// Refuses an outcome that can't be one of a set-up. Somebody must look: it is set aside with this
/// reason, and no card is saved.
fn agrees(id: &SetupIntentId, outcome: &Outcome) -> Result<(), Refused> {
    match outcome {
        Outcome::Succeeded {
            charged: Some(charged),
            ..
        } => Err(Refused::Defect(format!(
            "the gateway says that it took {} {} for {id}, which only saves a card (minor units)",
            charged.minor, charged.currency,
        ))),
        Outcome::RequiresAction { challenge } if challenge.is_empty() => Err(Refused::Defect(
            format!("the gateway wants a proof for {id}, and does not say where"),
        )),
        _ => Ok(()),
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

#[cfg(test)]
mod tests;
