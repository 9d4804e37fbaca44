//! What a merchant may change about a payment intent: its keys and its note.

use perennial::id::PaymentIntentId;
use perennial::metadata::MetadataChange;
use perennial::payment::PaymentIntent;

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
}

impl Engine {
    /// Changes a payment intent's keys and note.
    ///
    /// # Errors
    /// When there is none, or a key can't stand.
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
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut intent).await?;
            booking.commit().await?;
            Ok(intent.into_row())
        })
        .await
    }
}
