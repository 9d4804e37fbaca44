//! Customers who bring what they pay with.

use perennial::customer::Customer;
use perennial::id::{PaymentMethodId, TestClockId};
use perennial::payment::PaymentMethod;

use super::{CustomerUpdate, NewTaxId};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// A payment method that comes with a new customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bringing {
    /// Which; nobody's yet.
    pub method: PaymentMethodId,
    /// Whether it pays by default.
    pub pays: bool,
}

impl Engine {
    /// Makes a customer together with a payment method. The bank is asked before there is a customer, so
    /// that a refused card leaves none.
    ///
    /// # Errors
    /// Names the first field that can't stand; [`Refused::Card`] when the bank has something against the
    /// method; [`Refused::State`] when it is somebody's.
    pub async fn create_customer_bringing(
        &self,
        scope: &Scope,
        new: CustomerUpdate,
        tax_ids: Vec<NewTaxId>,
        test_clock: Option<TestClockId>,
        bringing: Bringing,
    ) -> Result<Stored<Customer>, Refused> {
        let method: Stored<PaymentMethod> = self.find(scope, bringing.method.as_str()).await?;
        self.ask_to_attach(scope, &method).await?;
        let made = self
            .create_customer_following(scope, new, tax_ids, test_clock)
            .await?;
        let (id, method) = (&made.id, &bringing.method);
        let handed = self
            .retrying(|| async {
                let mut tx = self.store.begin().await?;
                self.hand_over(tx.connection(), scope, method, id).await?;
                if bringing.pays {
                    self.prefer(tx.connection(), scope, id, method).await?;
                }
                Ok(tx.commit().await?)
            })
            .await;
        if let Err(refused) = handed {
            // Somebody took it meanwhile: then there is no customer either.
            self.delete_customer(scope, id).await?;
            return Err(refused);
        }
        self.find(scope, id.as_str()).await
    }
}
