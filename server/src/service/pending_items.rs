//! Billing what waits between a subscription's periods: Stripe's `pending_invoice_item_interval`.

use perennial::subscription::Subscription;

use super::billing::schedule_draft;
use super::booking::{Booking, Edit};
use super::books::save_subscription;
use super::find::values;
use super::invoices::book_taken;
use super::{Engine, Refused};
use crate::store::Scope;

impl Engine {
    /// Drafts an invoice of what waits, where anything does, and notes when that is due next.
    pub(crate) async fn bill_pending_items(
        &self,
        scope: &Scope,
        mut subscription: Edit<Subscription>,
    ) -> Result<(), Refused> {
        let now = self.now();
        let mut customer = self.edit_customer(scope, &subscription.customer).await?;
        let pending = self.pending(scope, &customer.id).await?;
        let waiting = values(&pending);
        let made = subscription.bill_pending_items(&customer, &waiting, now, &mut self.ids())?;
        let Some(mut invoice) = made.invoice else {
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut subscription).await?;
            return booking.commit().await;
        };
        customer.currency = Some(invoice.currency);
        let draft_seconds = self.merchant(scope).await?.draft_seconds;
        schedule_draft(&mut invoice, &subscription, made.at, draft_seconds, now)?;
        let mut booking = Booking::begin(self, scope).await?;
        let invoice = booking.insert(invoice).await?;
        book_taken(&mut booking, pending, &made.taken, &invoice.id).await?;
        booking.save(&mut customer).await?;
        save_subscription(&mut booking, &mut subscription).await?;
        booking.commit().await
    }
}
