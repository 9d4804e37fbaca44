//! Changes that wait for their payment: Stripe's `pending_if_incomplete`.
//!
//! The change is computed and its invoice charged as ever, but the subscription stays as it is and
//! keeps the change beside itself. When the invoice is paid the change is made as it was computed; when
//! that does not happen within 23 hours, or something else is changed meanwhile, the invoice is voided
//! and the change forgotten.

use perennial::calendar::Timestamp;
use perennial::id::SubscriptionId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::subscription::{PENDING_UPDATE_SECONDS, PendingUpdate, Status, Subscription};

use super::booking::{Booking, Edit};
use super::books::save_subscription;
use super::invoices::defect;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// Stripe's event for what became of a change that waited, if it waits no more.
pub(crate) fn fate(before: &Subscription, after: &Subscription) -> Option<&'static str> {
    let update = before.pending_update.as_ref()?;
    if after.pending_update.is_some() {
        return None;
    }
    Some(if after.items == update.items {
        "customer.subscription.pending_update_applied"
    } else {
        "customer.subscription.pending_update_expired"
    })
}

/// Puts what a change made of a subscription beside the subscription as it was.
pub(crate) fn set_aside(
    before: &Subscription,
    after: Subscription,
    invoice: &Invoice,
    now: Timestamp,
) -> Result<Subscription, Refused> {
    let moved = after.trial_end != before.trial_end;
    // Where the period ends earlier, the change ends with it: it was computed for this period.
    let latest = now.add_seconds(PENDING_UPDATE_SECONDS).map_err(defect)?;
    let expires_at = before.period_end().map_or(latest, |end| latest.min(end));
    Ok(Subscription {
        pending_update: Some(Box::new(PendingUpdate {
            invoice: invoice.id.clone(),
            items: after.items,
            billing_cycle_anchor: after.billing_cycle_anchor,
            trial_end: after.trial_end.filter(|_| moved),
            expires_at,
        })),
        latest_invoice: after.latest_invoice,
        ..before.clone()
    })
}

/// Makes or forgets the change that waits for an invoice, if one does and it is decided.
pub(crate) fn settle(own: &mut Subscription, invoice: &Invoice) {
    let theirs = |update: &PendingUpdate| update.invoice == invoice.id;
    if !own.pending_update.as_deref().is_some_and(theirs) {
        return;
    }
    match invoice.status {
        InvoiceStatus::Paid => {
            let Some(update) = own.pending_update.take() else {
                return;
            };
            own.items = update.items;
            own.billing_cycle_anchor = update.billing_cycle_anchor;
            if let Some(end) = update.trial_end {
                own.trial_end = Some(end);
            }
            if own
                .scheduled_change
                .as_ref()
                .is_some_and(|c| c.phase.is_none())
            {
                own.scheduled_change = None;
            }
            for commitment in &mut own.commitments {
                // A sum that does not fit was refused when the change was computed.
                let _ = commitment.count(&invoice.lines);
            }
        }
        InvoiceStatus::Void | InvoiceStatus::Uncollectible => {
            own.pending_update = None;
        }
        InvoiceStatus::Draft | InvoiceStatus::Open => {}
    }
}

/// Whether a change may wait for its payment on a subscription that stands like this.
pub(crate) fn may_wait(own: &Subscription) -> bool {
    matches!(
        own.status,
        Status::Active | Status::Trialing | Status::PastDue
    )
}

impl Engine {
    /// Forgets a change that was not paid in time: its invoice is voided, unless it was paid at the
    /// last moment.
    pub(crate) async fn expire_pending_update(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        let Some(update) = &found.pending_update else {
            return Ok(());
        };
        let invoice: Stored<Invoice> = self.find(scope, update.invoice.as_str()).await?;
        if matches!(
            invoice.status,
            InvoiceStatus::Open | InvoiceStatus::Draft | InvoiceStatus::Uncollectible
        ) {
            match self.void_invoice(scope, &invoice.id).await {
                Ok(_) | Err(Refused::State { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // Voiding (or the payment) has settled it; where not, it is settled here.
        self.retrying(|| async move {
            let mut own: Edit<Subscription> = self.edit_subscription(scope, id).await?;
            let Some(update) = &own.pending_update else {
                return Ok(());
            };
            let invoice: Stored<Invoice> = self.find(scope, update.invoice.as_str()).await?;
            settle(&mut own, &invoice);
            own.pending_update = None;
            let mut booking = Booking::begin(self, scope).await?;
            save_subscription(&mut booking, &mut own).await?;
            booking.commit().await
        })
        .await
    }
}
