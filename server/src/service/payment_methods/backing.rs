//! A customer's leave to charge another card when the first is declined, card by card.

use perennial::customer::{BackupConsent, ConsentThrough, Customer};
use perennial::id::{CustomerId, PaymentMethodId};
use perennial::payment::PaymentMethod;

use super::METHODS_MAX;
use crate::rendering;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, nouns};

/// What a customer wishes for one of their cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// It may be charged when another fails; it is tried after those that may already.
    Allow,
    /// It may not any more.
    Withdraw,
    /// It is tried before the one that stood before it.
    Earlier,
}

impl Engine {
    /// Writes down what a customer allows for one of their cards.
    ///
    /// # Errors
    /// When the card is not the customer's; [`Refused::State`] when there are as many as may be.
    pub async fn back_up(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        method: &PaymentMethodId,
        wish: Backing,
    ) -> Result<Stored<Customer>, Refused> {
        let mut connection = self.store.read().await?;
        let page = PageRequest::first(METHODS_MAX);
        let filter = [Column::text(customer)];
        let sql = nouns::PAYMENT_METHODS_BY_CUSTOMER;
        let saved: document::Page<PaymentMethod> =
            document::list(&mut connection, scope, sql, &page, &filter).await?;
        drop(connection);
        if !saved.rows.iter().any(|own| own.id == *method) {
            return Err(Refused::not_found("payment_method", method.as_str()));
        }
        let (show, now) = (rendering::customer, self.now());
        let id = customer.as_str();
        self.change(
            scope,
            id,
            "customer.updated",
            show,
            |customer: &mut Customer| {
                let before = customer.backup.as_ref();
                let mut methods = before.map(|own| own.methods.clone()).unwrap_or_default();
                // What was removed meanwhile is forgotten here as well.
                methods.retain(|own| saved.rows.iter().any(|row| row.id == *own));
                let place = methods.iter().position(|own| own == method);
                match (wish, place) {
                    (Backing::Allow, None) => {
                        if methods.len() >= BackupConsent::METHODS_MAX {
                            let message = "There are as many backup payment methods as may be.";
                            return Err(Refused::State {
                                code: None,
                                message: message.to_owned(),
                            });
                        }
                        methods.push(method.clone());
                    }
                    (Backing::Withdraw, Some(place)) => {
                        methods.remove(place);
                    }
                    (Backing::Earlier, Some(place @ 1..)) => methods.swap(place, place - 1),
                    // It is so already.
                    _ => return Ok(()),
                }
                customer.backup = (!methods.is_empty()).then_some(BackupConsent {
                    methods,
                    given_at: now,
                    through: ConsentThrough::Portal,
                });
                Ok(())
            },
        )
        .await
    }
}
