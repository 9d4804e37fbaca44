//! Telling of an invoice before it is made: Stripe's `invoice.upcoming`.
//!
//! How many days before is the merchant's choice, and none by default (Stripe: 7), because each notice
//! is a look at each subscription in each period.

use perennial::calendar::Timestamp;
use perennial::subscription::{Status, Subscription};
use serde_json::Value;

use super::booking::{Booking, Edit};
use super::find::values;
use super::{Engine, Refused};
use crate::rendering;
use crate::store::Scope;

const DAY_SECONDS: i64 = 86_400;

/// When the coming invoice is to be told, unless it has been or nobody asked. Of a period that is
/// shorter than the notice, at once.
pub(crate) fn upcoming_notice_at(own: &Subscription) -> Option<Timestamp> {
    let going_on = matches!(
        own.status,
        Status::Trialing | Status::Active | Status::PastDue
    );
    let end = own.period_end()?;
    if own.upcoming_days == 0 || !going_on || own.upcoming_told == Some(end) {
        return None;
    }
    let seconds = i64::from(own.upcoming_days) * DAY_SECONDS;
    Some(Timestamp(end.0.saturating_sub(seconds)))
}

impl Engine {
    /// Tells of the coming invoice, as it would be made now: without an id.
    pub(crate) async fn tell_upcoming(
        &self,
        scope: &Scope,
        mut own: Edit<Subscription>,
    ) -> Result<(), Refused> {
        self.alone()?;
        let customer = self.edit_customer(scope, &own.customer).await?;
        let pending = values(&self.pending(scope, &customer.id).await?);
        let late = own.period_end().is_none_or(|end| end <= self.now());
        let coming = match late || own.pause_collection.is_some() {
            true => None,
            false => self.coming(scope, &own, &customer, pending).await?,
        };
        own.upcoming_told = own.period_end();
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut own).await?;
        if let Some(coming) = coming {
            let mut shown = rendering::invoice(&coming.invoice, scope.livemode);
            if let Some(fields) = shown.as_object_mut() {
                fields.remove("id");
                fields.insert("billing_reason".to_owned(), Value::from("upcoming"));
            }
            booking.tell_shown("invoice.upcoming", shown);
        }
        booking.commit().await
    }
}
