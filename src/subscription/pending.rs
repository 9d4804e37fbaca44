//! A change that is made once it is paid: Stripe's `pending_if_incomplete`.

use serde::{Deserialize, Serialize};

use super::{Item, Subscription};
use crate::calendar::Timestamp;
use crate::id::InvoiceId;

/// How long a change waits for its payment, in seconds (Stripe: 23 hours).
pub const PENDING_UPDATE_SECONDS: i64 = 23 * 3600;

/// A change that waits for its payment. It is made when the invoice is paid, and forgotten when that
/// does not happen in time: the invoice is void then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingUpdate {
    /// The invoice that must be paid.
    pub invoice: InvoiceId,
    /// The items as they will be.
    pub items: Vec<Item>,
    /// From where periods will be counted.
    pub billing_cycle_anchor: Timestamp,
    /// The trial's end as it will be, where the change is about it.
    pub trial_end: Option<Timestamp>,
    /// Until when it waits.
    pub expires_at: Timestamp,
}

impl Subscription {
    /// Whether a change, or the end of a pause, waits for this invoice to be paid.
    #[must_use]
    pub fn waits_for(&self, invoice: &InvoiceId) -> bool {
        let update = self.pending_update.as_ref();
        update.is_some_and(|update| update.invoice == *invoice)
            || self
                .resumption()
                .is_some_and(|waits| waits.invoice == *invoice)
    }
}
