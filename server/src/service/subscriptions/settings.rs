//! What changes about a subscription without anything being billed for it.

use perennial::discount::Discount;
use perennial::id::SubscriptionId;
use perennial::subscription::{BillingMode, Subscription, SubscriptionError};

use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

impl Engine {
    /// Lets credits be computed from what was billed from now on: Stripe's flexible billing mode.
    ///
    /// # Errors
    /// [`Refused::State`] when it is in that mode already, or over.
    pub async fn migrate_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Stored<Subscription>, Refused> {
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if found.billing_mode == BillingMode::Flexible {
            return Err(Refused::State {
                code: None,
                message: "This subscription is in the flexible billing mode already.".to_owned(),
            });
        }
        let now = self.now();
        self.edit(scope, id, |own| {
            if own.status.is_final() {
                return Err(SubscriptionError::Status(own.status));
            }
            own.billing_mode = BillingMode::Flexible;
            own.billing_mode_since = Some(now);
            // Here the end is a moment; the flag is the classic mode's.
            own.cancel_at_period_end = false;
            Ok(())
        })
        .await
    }

    /// Takes all discounts of a subscription away (not those of its items). Answers with the
    /// subscription as it was and the first of them.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when it has none.
    pub async fn delete_discount(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(Stored<Subscription>, Discount), Refused> {
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        let Some(first) = found.discounts.first().cloned() else {
            return Err(Refused::not_found("discount", id.as_str()));
        };
        self.edit(scope, id, |own| {
            if own.status.is_final() {
                return Err(SubscriptionError::Status(own.status));
            }
            own.discounts.clear();
            Ok(())
        })
        .await?;
        Ok((found, first))
    }
}
