//! Payment methods: made of card details, attached to a customer, set up for charges while the
//! customer is away, detached.
//!
//! Card details live for the length of one call and go to the gateway only.

mod editing;

use perennial::customer::Customer;
use perennial::id::{CustomerId, PaymentMethodId, SetupIntentId};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::payment::{
    BillingDetails, Decline, Outcome, PaymentMethod, SetupIntent, SetupStatus,
};
use perennial::subscription::Subscription;
use sqlx::AnyConnection;

use super::saving::new_metadata;
use super::{Engine, Refused};
use crate::gateway::sandbox::from_test_name;
use crate::gateway::{CardDetails, GatewayError, ReturnPath, SetUp, TokenizeError, Usage};
use crate::rendering;
use crate::store::document::{self, Column, Document, PageRequest, Stored};
use crate::store::{Scope, nouns};

pub use editing::{BillingDetailsUpdate, PaymentMethodUpdate};

/// The most payment methods of one customer.
pub const METHODS_MAX: u32 = 50;
/// The most live subscriptions of one customer that a detached method is taken from.
const SUBSCRIPTIONS_MAX: u32 = PageRequest::LIMIT_MAX;

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
    /// Makes a payment method of card details. Nobody's yet, and the bank was not asked.
    ///
    /// # Errors
    /// [`Refused::Card`] names the first field that is wrong.
    pub async fn create_payment_method(
        &self,
        scope: &Scope,
        card: CardDetails,
        billing_details: BillingDetails,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        self.create_payment_method_with(scope, card, billing_details, None)
            .await
    }

    /// As [`Engine::create_payment_method`], with metadata.
    ///
    /// # Errors
    /// As there; metadata that can't stand.
    pub async fn create_payment_method_with(
        &self,
        scope: &Scope,
        card: CardDetails,
        billing_details: BillingDetails,
        metadata: Option<&MetadataChange>,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        let metadata = new_metadata(metadata)?;
        let tokenized = self.gateway.tokenize(scope, card).await;
        let tokenized = tokenized.map_err(refused_card)?;
        let now = self.now();
        let method = PaymentMethod {
            id: PaymentMethodId::new(&mut self.ids()),
            customer: None,
            card: tokenized.card,
            billing_details,
            gateway_token: tokenized.token,
            metadata,
            created: now,
        };
        let mut tx = self.store.begin().await?;
        let method = document::insert(&self.store, tx.connection(), scope, method, now).await?;
        tx.commit().await?;
        Ok(method)
    }

    /// The payment method that a parameter names: by its id, or in test mode by one of Stripe's
    /// test names such as `pm_card_visa`, which makes a new one.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when it is neither.
    pub async fn resolve_payment_method(
        &self,
        scope: &Scope,
        name: &str,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        let mut read = self.store.read().await?;
        let found = document::load(&mut read, scope, name).await?;
        drop(read);
        if let Some(found) = found {
            return Ok(found);
        }
        match from_test_name(name, self.now()).filter(|_| !scope.livemode) {
            Some(card) => {
                let nobody = BillingDetails::default();
                self.create_payment_method(scope, card, nobody).await
            }
            None => Err(Refused::NotFound {
                kind: PaymentMethod::KIND,
                id: name.to_owned(),
                param: Some("payment_method".to_owned()),
            }),
        }
    }

    /// Attaches a payment method to a customer, if the bank has nothing against it.
    ///
    /// # Errors
    /// [`Refused::Card`] when it has; [`Refused::State`] when the method is somebody else's, was
    /// detached before, or the customer has too many.
    pub async fn attach_payment_method(
        &self,
        scope: &Scope,
        id: &PaymentMethodId,
        customer: &CustomerId,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        let mut read = self.store.read().await?;
        let method: Stored<PaymentMethod> = found(&mut read, scope, id.as_str()).await?;
        let owner: Stored<Customer> = found(&mut read, scope, customer.as_str()).await?;
        if owner.deleted {
            return Err(Refused::not_found(Customer::KIND, customer.as_str()));
        }
        if method.customer.as_ref() == Some(customer) {
            return Ok(method);
        }
        unattached(&method)?;
        let filter = [Column::text(customer)];
        let page = PageRequest::first(METHODS_MAX);
        let sql = nouns::PAYMENT_METHODS_BY_CUSTOMER;
        let own: document::Page<PaymentMethod> =
            document::list(&mut read, scope, sql, &page, &filter).await?;
        drop(read);
        if own.rows.len() >= METHODS_MAX as usize {
            return Err(Refused::State {
                code: None,
                message: format!("A customer can have at most {METHODS_MAX} payment methods."),
            });
        }
        let request = SetUp {
            // No money moves, so an attempt that got lost may be made again under a new name.
            idempotency_key: format!("attach:{id}:{:032x}", self.entropy.bits()),
            token: method.gateway_token.clone(),
            usage: Usage::Attach,
            return_path: None,
        };
        match self
            .gateway
            .set_up(scope, request)
            .await
            .map_err(unanswered)?
        {
            Outcome::Succeeded { .. } => {}
            Outcome::Declined(decline) => {
                return Err(Refused::Card {
                    decline,
                    param: None,
                });
            }
            Outcome::RequiresAction { .. } => {
                return Err(Refused::Defect(
                    "a challenge where none was asked for".to_owned(),
                ));
            }
        }
        self.retrying(|| async {
            let mut tx = self.store.begin().await?;
            let method = self.hand_over(tx.connection(), scope, id, customer).await?;
            tx.commit().await?;
            Ok(method)
        })
        .await
    }

    /// Writes down whose a payment method is.
    async fn hand_over(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        id: &PaymentMethodId,
        customer: &CustomerId,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        let mut method: Stored<PaymentMethod> = found(connection, scope, id.as_str()).await?;
        if method.customer.as_ref() == Some(customer) {
            return Ok(method);
        }
        unattached(&method)?;
        method.customer = Some(customer.clone());
        document::update(connection, scope, &mut method).await?;
        let object = rendering::payment_method(&method, scope.livemode);
        let kind = "payment_method.attached";
        self.emit(connection, scope, kind, object, None).await?;
        Ok(method)
    }

    /// Takes a payment method from its customer, for good. What it paid by default goes on to the
    /// customer's default, or to nothing.
    ///
    /// # Errors
    /// [`Refused::State`] when it is nobody's.
    pub async fn detach_payment_method(
        &self,
        scope: &Scope,
        id: &PaymentMethodId,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        self.detach(scope, id, None).await
    }

    /// Detaches, and makes `heir` the customer's default if the detached one was.
    pub(crate) async fn detach(
        &self,
        scope: &Scope,
        id: &PaymentMethodId,
        heir: Option<&PaymentMethodId>,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        self.retrying(|| async {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let mut method: Stored<PaymentMethod> = found(connection, scope, id.as_str()).await?;
            let Some(owner) = method.customer.take() else {
                return Err(Refused::State {
                    code: Some("payment_method_unexpected_state"),
                    message:
                        "The payment method is not attached to a customer, so it can't be detached."
                            .to_owned(),
                });
            };
            document::update(connection, scope, &mut method).await?;
            let object = rendering::payment_method(&method, scope.livemode);
            let previous = serde_json::json!({ "customer": owner.as_str() });
            let kind = "payment_method.detached";
            self.emit(connection, scope, kind, object, Some(previous))
                .await?;
            self.forget_default(connection, scope, &owner, id, heir)
                .await?;
            self.forget_of_subscriptions(connection, scope, &owner, id)
                .await?;
            tx.commit().await?;
            Ok(method)
        })
        .await
    }

    async fn forget_default(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        owner: &CustomerId,
        gone: &PaymentMethodId,
        heir: Option<&PaymentMethodId>,
    ) -> Result<(), Refused> {
        let mut customer: Stored<Customer> = found(connection, scope, owner.as_str()).await?;
        if customer.default_payment_method.as_ref() != Some(gone) {
            return Ok(());
        }
        let before = rendering::customer(&customer, scope.livemode);
        customer.default_payment_method = heir.cloned();
        document::update(connection, scope, &mut customer).await?;
        let object = rendering::customer(&customer, scope.livemode);
        let previous = rendering::previous_attributes(&before, &object);
        self.emit(connection, scope, "customer.updated", object, previous)
            .await
    }

    async fn forget_of_subscriptions(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        owner: &CustomerId,
        gone: &PaymentMethodId,
    ) -> Result<(), Refused> {
        let page = PageRequest::first(SUBSCRIPTIONS_MAX);
        let sql = nouns::SUBSCRIPTIONS_LIVE_BY_CUSTOMER;
        let filter = [Column::text(owner)];
        let own: document::Page<Subscription> =
            document::list(connection, scope, sql, &page, &filter).await?;
        let paid = own
            .rows
            .into_iter()
            .filter(|row| row.default_payment_method.as_ref() == Some(gone));
        for mut subscription in paid {
            let before = rendering::subscription(&subscription, scope.livemode);
            subscription.default_payment_method = None;
            document::update(connection, scope, &mut subscription).await?;
            let object = rendering::subscription(&subscription, scope.livemode);
            let previous = rendering::previous_attributes(&before, &object);
            let kind = "customer.subscription.updated";
            self.emit(connection, scope, kind, object, previous).await?;
        }
        Ok(())
    }

    /// Makes a customer's payment method the one that pays by default.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when the customer has no such method.
    pub async fn set_default_payment_method(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        id: &PaymentMethodId,
    ) -> Result<Stored<Customer>, Refused> {
        self.retrying(|| async {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let method: Stored<PaymentMethod> = found(connection, scope, id.as_str()).await?;
            if method.customer.as_ref() != Some(customer) {
                return Err(Refused::not_found(PaymentMethod::KIND, id.as_str()));
            }
            let mut owner: Stored<Customer> = found(connection, scope, customer.as_str()).await?;
            if owner.default_payment_method.as_ref() == Some(id) {
                return Ok(owner);
            }
            let before = rendering::customer(&owner, scope.livemode);
            owner.default_payment_method = Some(id.clone());
            document::update(connection, scope, &mut owner).await?;
            let object = rendering::customer(&owner, scope.livemode);
            let previous = rendering::previous_attributes(&before, &object);
            self.emit(connection, scope, "customer.updated", object, previous)
                .await?;
            tx.commit().await?;
            Ok(owner)
        })
        .await
    }

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

async fn found<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Stored<T>, Refused> {
    let found = document::load(connection, scope, id).await?;
    found.ok_or_else(|| Refused::not_found(T::KIND, id))
}

/// Reads what a parameter of its own name names.
async fn named<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Stored<T>, Refused> {
    let found = document::load(connection, scope, id).await?;
    found.ok_or_else(|| missing::<T>(id))
}

fn missing<T: Document>(id: &str) -> Refused {
    Refused::NotFound {
        kind: T::KIND,
        id: id.to_owned(),
        param: Some(T::KIND.to_owned()),
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

fn unattached(method: &PaymentMethod) -> Result<(), Refused> {
    if method.customer.is_none() {
        return Ok(());
    }
    Err(Refused::State {
        code: Some("payment_method_unexpected_state"),
        message: "The payment method you provided has already been attached to a customer."
            .to_owned(),
    })
}

fn refused_card(error: TokenizeError) -> Refused {
    match error {
        TokenizeError::Faults(faults) => match faults.first() {
            Some(fault) => Refused::Card {
                decline: Decline {
                    code: fault.code().to_owned(),
                    decline_code: None,
                },
                param: Some(fault.param()),
            },
            None => Refused::Defect("a card was refused without a fault".to_owned()),
        },
        TokenizeError::Declined(decline) => Refused::Card {
            decline,
            param: None,
        },
        TokenizeError::Gateway(error) => unanswered(error),
    }
}

fn unanswered(error: GatewayError) -> Refused {
    Refused::Gateway(error.to_string())
}

#[cfg(test)]
mod tests;
