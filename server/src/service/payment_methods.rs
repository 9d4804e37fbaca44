//! Payment methods: made of card details, attached to a customer, detached.
//!
//! Card details live for the length of one call and go to the gateway only.

pub mod backing;
mod detaching;
mod editing;

use perennial::customer::Customer;
use perennial::id::{CustomerId, PaymentMethodId};
use perennial::metadata::MetadataChange;
use perennial::payment::{BillingDetails, Decline, Outcome, PaymentMethod};
use sqlx::AnyConnection;

use super::find::found;
use super::saving::new_metadata;
use super::{Engine, Refused};
use crate::gateway::sandbox::from_test_name;
use crate::gateway::{CardDetails, GatewayError, SetUp, TokenizeError, Usage};
use crate::rendering;
use crate::store::document::{self, Column, Document, PageRequest, Stored};
use crate::store::{Scope, nouns};

pub(crate) use detaching::{Detaching, LAST_METHOD, live_subscriptions, needs_method};

pub use editing::{BillingDetailsUpdate, PaymentMethodUpdate};

/// The most payment methods of one customer.
pub const METHODS_MAX: u32 = 50;

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
            refused: None,
            metadata,
            created: now,
        };
        self.create_untold(scope, &method).await
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
        match from_test_name(name, self.real_now()).filter(|_| !scope.livemode) {
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
        self.ask_to_attach(scope, &method).await?;
        self.retrying(|| async {
            let mut tx = self.store.begin().await?;
            let method = self.hand_over(tx.connection(), scope, id, customer).await?;
            tx.commit().await?;
            Ok(method)
        })
        .await
    }

    /// Writes down whose a payment method is.
    pub(super) async fn hand_over(
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
        self.emit(&mut *connection, scope, kind, object, None)
            .await?;
        self.note_mails_of(connection, scope, kind, &method).await?;
        Ok(method)
    }

    /// Asks the bank whether it has anything against a payment method that is nobody's yet.
    ///
    /// # Errors
    /// [`Refused::Card`] when it has; [`Refused::State`] when the method is somebody's or was.
    pub(super) async fn ask_to_attach(
        &self,
        scope: &Scope,
        method: &PaymentMethod,
    ) -> Result<(), Refused> {
        unattached(method)?;
        let request = SetUp {
            // No money moves, so an attempt that got lost may be made again under a new name.
            idempotency_key: format!("attach:{}:{:032x}", method.id, self.entropy.bits()),
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
            Outcome::Succeeded { .. } => Ok(()),
            Outcome::Declined(decline) => Err(Refused::Card {
                decline,
                param: None,
            }),
            Outcome::RequiresAction { .. } => Err(Refused::Defect(
                "a challenge where none was asked for".to_owned(),
            )),
        }
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
            let owner = self.prefer(connection, scope, customer, id).await?;
            tx.commit().await?;
            Ok(owner)
        })
        .await?;
        self.collect_open(scope, customer, id, false).await?;
        self.find(scope, customer.as_str()).await
    }

    /// Writes down what pays by default.
    pub(super) async fn prefer(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        customer: &CustomerId,
        method: &PaymentMethodId,
    ) -> Result<Stored<Customer>, Refused> {
        let owner: Stored<Customer> = found(connection, scope, customer.as_str()).await?;
        if owner.default_payment_method.as_ref() == Some(method) {
            return Ok(owner);
        }
        self.replace_default(connection, scope, owner, Some(method))
            .await
    }

    async fn replace_default(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        mut owner: Stored<Customer>,
        method: Option<&PaymentMethodId>,
    ) -> Result<Stored<Customer>, Refused> {
        let before = rendering::customer(&owner, scope.livemode);
        owner.default_payment_method = method.cloned();
        document::update(connection, scope, &mut owner).await?;
        let object = rendering::customer(&owner, scope.livemode);
        let previous = rendering::previous_attributes(&before, &object);
        self.emit(connection, scope, "customer.updated", object, previous)
            .await?;
        Ok(owner)
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

pub(super) fn unanswered(error: GatewayError) -> Refused {
    Refused::Gateway(error.to_string())
}

#[cfg(test)]
pub(super) mod tests;
