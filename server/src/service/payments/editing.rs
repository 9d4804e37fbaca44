//! What a merchant may change about a payment intent: its keys and its note, and what it takes and with what
//! while it belongs to no invoice.

use perennial::customer::Customer;
use perennial::id::{PaymentIntentId, PaymentMethodId};
use perennial::metadata::MetadataChange;
use perennial::payment::{Delivery, PaymentIntent, PaymentStatus};

use super::ParticularsUpdate;
use super::attaching::chargeable;
use crate::service::booking::Booking;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// What may be said about a payment intent. `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntentUpdate {
    /// The merchant's own keys.
    pub metadata: Option<MetadataChange>,
    /// The merchant's own keys of its charge.
    pub charge_metadata: Option<MetadataChange>,
    /// The merchant's note.
    pub description: Option<Option<String>>,
    /// Where the goods go that it pays for.
    pub shipping: Option<Option<Box<Delivery>>>,
    /// What the payer is to read of it.
    pub particulars: ParticularsUpdate,
    /// What it takes, in minor units.
    pub amount_minor: Option<i64>,
    /// With what.
    pub payment_method: Option<PaymentMethodId>,
}

impl Engine {
    /// Changes a payment intent.
    ///
    /// # Errors
    /// When there is none, or a key can't stand; [`Refused::State`] where its amount or method is to be
    /// another although it is out, over, or an invoice's.
    pub async fn update_intent(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        update: IntentUpdate,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let update = &update;
        self.retrying(|| async move {
            let mut intent = self.edit_intent(scope, id).await?;
            if let Some(change) = &update.metadata {
                let changed = intent.metadata.change(change);
                changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
            }
            if let Some(change) = &update.charge_metadata {
                let changed = intent.charge_metadata.change(change);
                changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
            }
            if let Some(description) = &update.description {
                intent.description.clone_from(description);
            }
            if let Some(shipping) = &update.shipping {
                intent.shipping.clone_from(shipping);
            }
            update.particulars.apply(&mut intent)?;
            self.change_terms(scope, &mut intent, update).await?;
            let before = intent.before().clone();
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut intent).await?;
            // Whoever names another address for the receipt of what is paid already gets it there.
            let place = intent.revision();
            booking.note_mails("charge.updated", place, &*intent, Some(&before));
            booking.commit().await?;
            Ok(intent.into_row())
        })
        .await
    }

    async fn change_terms(
        &self,
        scope: &Scope,
        intent: &mut PaymentIntent,
        update: &IntentUpdate,
    ) -> Result<(), Refused> {
        if update.amount_minor.is_none() && update.payment_method.is_none() {
            return Ok(());
        }
        let waits = matches!(
            intent.status,
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation
        );
        if !waits || intent.invoice.is_some() {
            return Err(Refused::State {
                code: Some("payment_intent_unexpected_state"),
                message:
                    "The amount and payment method of a PaymentIntent can only be changed while it \
                          waits to be confirmed and belongs to no invoice."
                        .to_owned(),
            });
        }
        if let Some(amount) = update.amount_minor {
            chargeable(amount, intent.currency)?;
            intent.amount_minor = amount;
        }
        if let Some(method) = &update.payment_method {
            let customer: Stored<Customer> = self.find(scope, intent.customer.as_str()).await?;
            self.their_method(scope, &customer, Some(method)).await?;
            intent.payment_method = Some(method.clone());
            intent.status = PaymentStatus::RequiresConfirmation;
        }
        Ok(())
    }
}
