//! What merchants change on payment methods and setup intents without asking the bank.

use perennial::customer::Address;
use perennial::id::{PaymentMethodId, SetupIntentId};
use perennial::metadata::MetadataChange;
use perennial::payment::{PaymentMethod, SetupIntent, SetupStatus};

use crate::rendering;
use crate::service::saving::{edit_metadata, set};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// A changed name, e-mail, phone and address; `None` keeps, `Some(None)` takes away.
pub type BillingDetailsUpdate = (
    Option<Option<String>>,
    Option<Option<String>>,
    Option<Option<String>>,
    Option<Option<Address>>,
);

/// What changes on a payment method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentMethodUpdate {
    /// Whom it bills.
    pub billing_details: Option<BillingDetailsUpdate>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Changes whom a payment method bills, and its metadata.
    ///
    /// # Errors
    /// When it is not there, or metadata can't stand.
    pub async fn update_payment_method(
        &self,
        scope: &Scope,
        id: &PaymentMethodId,
        update: PaymentMethodUpdate,
    ) -> Result<Stored<PaymentMethod>, Refused> {
        let show = rendering::payment_method;
        let event = "payment_method.updated";
        self.change(
            scope,
            id.as_str(),
            event,
            show,
            |method: &mut PaymentMethod| {
                if let Some((name, email, phone, address)) = &update.billing_details {
                    let details = &mut method.billing_details;
                    set(&mut details.name, name.as_ref());
                    set(&mut details.email, email.as_ref());
                    set(&mut details.phone, phone.as_ref());
                    set(&mut details.address, address.as_ref());
                }
                edit_metadata(&mut method.metadata, update.metadata.as_ref())
            },
        )
        .await
    }

    /// Gives a setup intent up.
    ///
    /// # Errors
    /// When it is not there, or is over already.
    pub async fn cancel_setup_intent(
        &self,
        scope: &Scope,
        id: &SetupIntentId,
    ) -> Result<Stored<SetupIntent>, Refused> {
        let show = rendering::setup_intent;
        let event = "setup_intent.canceled";
        let canceled = self.change(
            scope,
            id.as_str(),
            event,
            show,
            |intent: &mut SetupIntent| match intent.status {
                SetupStatus::RequiresPaymentMethod
                | SetupStatus::RequiresConfirmation
                | SetupStatus::RequiresAction => {
                    intent.status = SetupStatus::Canceled;
                    intent.challenge = None;
                    Ok(())
                }
                SetupStatus::Processing | SetupStatus::Canceled | SetupStatus::Succeeded => {
                    Err(Refused::State {
                        code: Some("setup_intent_unexpected_state"),
                        message: "You cannot cancel this SetupIntent because it is processing, \
                                  canceled or has succeeded."
                            .to_owned(),
                    })
                }
            },
        );
        let canceled = canceled.await?;
        // Nobody waits for it any more.
        self.retrying(|| async {
            let mut tx = self.store.begin().await?;
            self.end_waiting(tx.connection(), scope, &canceled).await?;
            Ok(tx.commit().await?)
        })
        .await?;
        Ok(canceled)
    }
}
