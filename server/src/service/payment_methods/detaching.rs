//! Taking a payment method from its customer, and from all that it paid.

use perennial::customer::Customer;
use perennial::id::{CustomerId, PaymentMethodId};
use perennial::payment::PaymentMethod;
use perennial::subscription::{CollectionMethod, Status, Subscription};
use sqlx::AnyConnection;

use crate::rendering;
use crate::service::find::found;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, event, nouns};

/// The most live subscriptions of one customer that a detached method is taken from.
const SUBSCRIPTIONS_MAX: u32 = PageRequest::LIMIT_MAX;
/// The code of the refusal to take the last method that is needed.
pub(crate) const LAST_METHOD: &str = "last_payment_method";

/// Who takes a method away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detaching {
    /// The merchant, who may take any; what it paid by default is left to the customer's default.
    Anyhow,
    /// The customer: not the last one while a subscription needs it, and the newest of the others
    /// becomes the default if the removed one was.
    ByCustomer,
}

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
        self.detach(scope, id, Detaching::Anyhow).await
    }

    /// Detaches. Every detaching writes the customer anew, so that of two at the same moment one
    /// decides again, with the other's in sight.
    ///
    /// # Errors
    /// [`Refused::State`] when it is nobody's, or with [`LAST_METHOD`] where the last one is kept.
    pub(crate) async fn detach(
        &self,
        scope: &Scope,
        id: &PaymentMethodId,
        how: Detaching,
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
            let customer: Stored<Customer> = found(connection, scope, owner.as_str()).await?;
            let paid = live_subscriptions(connection, scope, &owner).await?;
            let heir = match how {
                Detaching::Anyhow => None,
                Detaching::ByCustomer => {
                    let heir = newest_other(connection, scope, &owner, id).await?;
                    if heir.is_none() && needs_method(&paid) {
                        return Err(last_method());
                    }
                    heir
                }
            };
            document::update(connection, scope, &mut method).await?;
            let object = rendering::payment_method(&method, scope.livemode);
            let previous = serde_json::json!({ "customer": owner.as_str() });
            let kind = "payment_method.detached";
            self.emit(connection, scope, kind, object, Some(previous))
                .await?;
            self.forget_default(connection, scope, customer, id, heir.as_ref())
                .await?;
            self.forget_of_subscriptions(connection, scope, paid, id)
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
        mut customer: Stored<Customer>,
        gone: &PaymentMethodId,
        heir: Option<&PaymentMethodId>,
    ) -> Result<(), Refused> {
        if customer.default_payment_method.as_ref() == Some(gone) {
            self.replace_default(connection, scope, customer, heir)
                .await?;
        } else {
            document::update(connection, scope, &mut customer).await?;
        }
        Ok(())
    }

    async fn forget_of_subscriptions(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        mut paid: Vec<Stored<Subscription>>,
        gone: &PaymentMethodId,
    ) -> Result<(), Refused> {
        paid.retain(|row| row.default_payment_method.as_ref() == Some(gone));
        let mut told = Vec::with_capacity(paid.len());
        for subscription in &mut paid {
            let before = rendering::subscription(subscription, scope.livemode);
            subscription.default_payment_method = None;
            let object = rendering::subscription(subscription, scope.livemode);
            let previous = rendering::previous_attributes(&before, &object);
            told.push(self.event("customer.subscription.updated", object, previous));
        }
        document::update_many(&self.store, connection, scope, &mut paid).await?;
        Ok(event::append(&self.store, connection, scope, self.real_now(), told).await?)
    }
}

/// Whether something is going to be charged by itself: then customers can't take their last method
/// away.
pub(crate) fn needs_method(subscriptions: &[Stored<Subscription>]) -> bool {
    subscriptions.iter().any(|subscription| {
        !subscription.status.is_final()
            && subscription.collection_method == CollectionMethod::ChargeAutomatically
            && (subscription.cancel_at.is_none()
                || matches!(subscription.status, Status::PastDue | Status::Unpaid))
    })
}

/// A customer's subscriptions that have not ended.
pub(crate) async fn live_subscriptions(
    connection: &mut AnyConnection,
    scope: &Scope,
    owner: &CustomerId,
) -> Result<Vec<Stored<Subscription>>, Refused> {
    let page = PageRequest::first(SUBSCRIPTIONS_MAX);
    let sql = nouns::SUBSCRIPTIONS_LIVE_BY_CUSTOMER;
    let filter = [Column::text(owner)];
    let own = document::list(connection, scope, sql, &page, &filter).await?;
    Ok(own.rows)
}

/// What takes over what the default paid: the newest of the customer's other methods.
async fn newest_other(
    connection: &mut AnyConnection,
    scope: &Scope,
    owner: &CustomerId,
    gone: &PaymentMethodId,
) -> Result<Option<PaymentMethodId>, Refused> {
    let page = PageRequest::first(2);
    let sql = nouns::PAYMENT_METHODS_BY_CUSTOMER;
    let filter = [Column::text(owner)];
    let own: document::Page<PaymentMethod> =
        document::list(connection, scope, sql, &page, &filter).await?;
    let mut others = own.rows.into_iter().map(|row| row.value.id);
    Ok(others.find(|other| other != gone))
}

fn last_method() -> Refused {
    Refused::State {
        code: Some(LAST_METHOD),
        message: "The last payment method can't be removed while a subscription needs it."
            .to_owned(),
    }
}
