//! Taking a payment method from its customer, and from all that it paid.

use perennial::customer::Customer;
use perennial::id::{CustomerId, PaymentMethodId};
use perennial::payment::PaymentMethod;
use perennial::subscription::Subscription;
use sqlx::AnyConnection;

use crate::rendering;
use crate::service::find::found;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, event, nouns};

/// The most live subscriptions of one customer that a detached method is taken from.
const SUBSCRIPTIONS_MAX: u32 = PageRequest::LIMIT_MAX;

impl Engine {
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
        let customer: Stored<Customer> = found(connection, scope, owner.as_str()).await?;
        if customer.default_payment_method.as_ref() == Some(gone) {
            self.replace_default(connection, scope, customer, heir)
                .await?;
        }
        Ok(())
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
        let mut paid = own.rows;
        paid.retain(|row| row.default_payment_method.as_ref() == Some(gone));
        let mut told = Vec::with_capacity(paid.len());
        for subscription in &mut paid {
            let before = rendering::subscription(subscription, scope.livemode);
            subscription.default_payment_method = None;
            let object = rendering::subscription(subscription, scope.livemode);
            let previous = rendering::previous_attributes(&before, &object);
            told.push(self.event("customer.subscription.updated", object, previous));
        }
        document::update_many(connection, scope, &mut paid).await?;
        Ok(event::append_many(&self.store, connection, scope, &told).await?)
    }
}
