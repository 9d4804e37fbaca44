//! How a schedule goes on and ends: by itself, phase by phase, and by its merchant's word.

use perennial::customer::Customer;
use perennial::id::SubscriptionScheduleId;
use perennial::schedule::{Schedule, ScheduleStatus};
use perennial::subscription::Subscription;
use perennial::usage::ended_spans;

use super::over;
use crate::service::billing::schedule_draft;
use crate::service::booking::{Booking, Edit};
use crate::service::books::save_subscription;
use crate::service::find::values;
use crate::service::invoices::book_taken;
use crate::service::subscriptions::Cancel;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

impl Engine {
    /// Lets the subscription of a schedule go on by itself.
    ///
    /// # Errors
    /// [`Refused::State`] when the schedule is over.
    pub async fn release_schedule(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
        preserve_cancel_date: bool,
    ) -> Result<Stored<Schedule>, Refused> {
        self.retrying(|| async move {
            let mut schedule: Edit<Schedule> = Edit::of(self.find(scope, id.as_str()).await?);
            if !schedule.status.is_live() {
                return Err(over(&schedule));
            }
            let mut subscription = match &schedule.subscription {
                Some(id) => Some(self.edit_subscription(scope, id).await?),
                None => None,
            };
            let own = subscription.as_deref_mut();
            schedule.release(own, preserve_cancel_date, self.now())?;
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut schedule).await?;
            let kind = "subscription_schedule.released";
            booking.tell(kind, &*schedule).await?;
            if let Some(subscription) = &mut subscription {
                booking.save(subscription).await?;
            }
            booking.commit().await?;
            Ok(schedule.into_row())
        })
        .await
    }

    /// Ends a schedule and the subscription that it drives.
    ///
    /// # Errors
    /// [`Refused::State`] when the schedule is over.
    pub async fn cancel_schedule(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
        how: Cancel,
    ) -> Result<Stored<Schedule>, Refused> {
        let found: Stored<Schedule> = self.find(scope, id.as_str()).await?;
        if !found.status.is_live() {
            return Err(over(&found));
        }
        match &found.subscription {
            Some(subscription) => {
                self.cancel_subscription(scope, subscription, how).await?;
            }
            None => self.retrying(|| self.cancel_unstarted(scope, id)).await?,
        }
        self.find(scope, id.as_str()).await
    }

    async fn cancel_unstarted(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
    ) -> Result<(), Refused> {
        let mut schedule: Edit<Schedule> = Edit::of(self.find(scope, id.as_str()).await?);
        schedule.cancel(self.now())?;
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut schedule).await?;
        let kind = "subscription_schedule.canceled";
        booking.tell(kind, &*schedule).await?;
        booking.commit().await
    }

    /// Does what is due to a schedule: start, tell of its end, let go.
    pub(crate) async fn advance_schedule(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
    ) -> Result<(), Refused> {
        // Starting, telling and letting go may all be due at once.
        for _ in 0..3 {
            if !self
                .retrying(|| self.advance_schedule_once(scope, id))
                .await?
            {
                break;
            }
        }
        Ok(())
    }

    async fn advance_schedule_once(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
    ) -> Result<bool, Refused> {
        let now = self.now();
        let mut schedule: Edit<Schedule> = Edit::of(self.find(scope, id.as_str()).await?);
        if schedule.due_at().is_none_or(|at| at > now) {
            return Ok(false);
        }
        if schedule.status == ScheduleStatus::NotStarted {
            let id = schedule.customer.as_str();
            let customer: Stored<Customer> = self.find(scope, id).await?;
            if customer.deleted {
                self.cancel_unstarted(scope, &schedule.id).await?;
                return Ok(false);
            }
            let begun = self.begun(scope, &mut schedule).await?;
            let mut booking = Booking::begin(self, scope).await?;
            begun.write(&mut booking).await?;
            booking.save(&mut schedule).await?;
            booking.commit().await?;
            return Ok(true);
        }
        let end = schedule.ends_at();
        if schedule.expiring_told != end {
            schedule.expiring_told = end;
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut schedule).await?;
            let kind = "subscription_schedule.expiring";
            booking.tell(kind, &*schedule).await?;
            booking.commit().await?;
            return Ok(true);
        }
        // Its subscription goes through all phases first.
        self.catch_up(scope, &schedule).await?;
        self.release_schedule(scope, id, false).await?;
        Ok(false)
    }

    /// Begins the phase that is due to a subscription in mid-period. What it bills at once is a
    /// draft for an hour, like a renewal.
    pub(crate) async fn turn_once(
        &self,
        scope: &Scope,
        mut subscription: Edit<Subscription>,
    ) -> Result<(), Refused> {
        let now = self.now();
        let mut customer = self.edit_customer(scope, &subscription.customer).await?;
        let pending = self.pending(scope, &customer.id).await?;
        let waiting = values(&pending);
        let mut ids = self.ids();
        let before = (*subscription).clone();
        let turned = subscription.turn(&customer, &waiting, now, &mut ids)?;
        // What metered items used until they go or get another price is billed with the next invoice.
        let spans = ended_spans(&before, &subscription, turned.at, &mut ids);
        subscription.owes_usage |= !spans.is_empty();
        let mut invoice = turned.invoice;
        if let Some(invoice) = &mut invoice {
            let draft_seconds = self.merchant(scope).await?.draft_seconds;
            schedule_draft(invoice, &subscription, turned.at, draft_seconds, now)?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.insert_all(turned.pending).await?;
        booking.insert_all(spans).await?;
        if let Some(invoice) = invoice {
            let invoice = booking.insert(invoice).await?;
            book_taken(&mut booking, pending, &turned.taken, &invoice.id).await?;
        }
        booking.save(&mut customer).await?;
        save_subscription(&mut booking, &mut subscription).await?;
        booking.commit().await
    }
}
