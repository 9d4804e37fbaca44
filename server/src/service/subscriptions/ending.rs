//! Ending subscriptions, at once or with their period, and taking that back.

use perennial::customer::Customer;
use perennial::id::SubscriptionId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::subscription::{
    CancelNow, Cancellation, CancellationReason, Event, Feedback, Status, Subscription,
    SubscriptionError, unbilled_lines,
};

use crate::service::booking::Booking;
use crate::service::books::save_subscription;
use crate::service::find::values;
use crate::service::invoices::{Collect, book_issued, book_taken};
use crate::service::payments::Claim;
use crate::service::updates::SubscriptionUpdate;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// How a subscription is ended at once.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// Credit the unused time.
    pub prorate: bool,
    /// Invoice usage and waiting amounts now.
    pub invoice_now: bool,
    /// The reason that was picked.
    pub feedback: Option<Feedback>,
    /// The reason in own words.
    pub comment: Option<String>,
}

impl Engine {
    /// Ends a subscription at once. Payments of it that wait for the customer's proof are given up
    /// first, so that no money is taken for it afterwards; its open invoices stay open and no longer
    /// move by themselves. One that never began ends as [`Status::IncompleteExpired`], its invoice
    /// void.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none, or it is over already; [`Refused::Gateway`] when a
    /// payment could not be given up: nothing has ended then.
    pub async fn cancel_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        cancel: Cancel,
    ) -> Result<Stored<Subscription>, Refused> {
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if found.status.is_final() {
            return Err(Refused::not_found("subscription", id.as_str()));
        }
        self.expire_pending_update(scope, id).await?;
        let invoices = self.invoices_of(scope, id).await?;
        self.give_up_payments(scope, &invoices).await?;
        // Its first payment may have turned out to be there: then it ends as any other.
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if found.status == Status::Incomplete {
            return self.cancel_incomplete(scope, id, &cancel).await;
        }
        let claim = self
            .retrying(|| self.cancel_once(scope, id, &cancel))
            .await?;
        if let Some(claim) = claim {
            self.send(scope, claim).await?;
        }
        self.find(scope, id.as_str()).await
    }

    /// Ends what never began, and keeps why.
    async fn cancel_incomplete(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        cancel: &Cancel,
    ) -> Result<Stored<Subscription>, Refused> {
        self.expire_incomplete(scope, id).await?;
        let now = self.now();
        self.edit(scope, id, |own| {
            own.canceled_at = Some(now);
            own.cancellation = Some(Cancellation {
                comment: cancel.comment.clone(),
                feedback: cancel.feedback,
                reason: Some(CancellationReason::CancellationRequested),
            });
            Ok(())
        })
        .await
    }

    /// The last invoice, if it were ended now.
    pub(crate) async fn preview_end(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        prorate: bool,
    ) -> Result<Option<(Customer, Invoice)>, Refused> {
        let now = self.now();
        let mut own = self.edit_subscription(scope, id).await?;
        if own.status.is_final() {
            return Err(Refused::not_found("subscription", id.as_str()));
        }
        let customer = self.edit_customer(scope, &own.customer).await?;
        let metered = self.metered(scope, &own, now).await?;
        let mut waiting = values(&self.pending(scope, &customer.id).await?);
        waiting.extend(metered.owed);
        let invoices = self.invoices_of(scope, id).await?;
        let how = CancelNow {
            prorate,
            invoice_now: true,
            usage: metered.usage,
            unbilled: unbilled_lines(invoices.iter().map(|row| &row.value)),
            cancellation: Cancellation::default(),
        };
        let brought = own.cancel_now(&customer, &waiting, &how, now, &mut self.ids())?;
        let payer = (*customer).clone();
        Ok(brought.invoice.map(|invoice| (payer, invoice)))
    }

    async fn cancel_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        cancel: &Cancel,
    ) -> Result<Option<Claim>, Refused> {
        let now = self.now();
        let mut subscription = self.edit_subscription(scope, id).await?;
        if subscription.status.is_final() {
            return Err(Refused::not_found("subscription", id.as_str()));
        }
        let mut customer = self.edit_customer(scope, &subscription.customer).await?;
        let pending = self.pending(scope, &customer.id).await?;
        let metered = self.metered(scope, &subscription, now).await?;
        let invoices = self.invoices_of(scope, id).await?;
        let how = CancelNow {
            prorate: cancel.prorate,
            unbilled: unbilled_lines(invoices.iter().map(|row| &row.value)),
            invoice_now: cancel.invoice_now,
            usage: if cancel.invoice_now {
                metered.usage.clone()
            } else {
                Vec::new()
            },
            cancellation: Cancellation {
                comment: cancel.comment.clone(),
                feedback: cancel.feedback,
                reason: None,
            },
        };
        let mut waiting = values(&pending);
        if cancel.invoice_now {
            waiting.extend(metered.owed.clone());
        }
        let brought = subscription.cancel_now(&customer, &waiting, &how, now, &mut self.ids())?;
        let mut invoice = brought.invoice;
        let mut issued = None;
        if let Some(invoice) = &mut invoice {
            let own = Some(&*subscription);
            let method = self
                .paying_method(scope, invoice, own, &customer, None)
                .await?;
            let collect = match &method {
                Some(_) => Collect::Now { on_session: false },
                None => Collect::Later,
            };
            let own = Some(&mut *subscription);
            let method = method.as_deref();
            let made = self.issue(scope, invoice, &mut customer, own, method, collect);
            issued = Some(made.await?);
        }
        let mut stopped = self
            .stopped_with(scope, &subscription, invoice.as_ref())
            .await?;
        let mut booking = Booking::begin(self, scope).await?;
        for invoice in &mut stopped {
            booking.save(invoice).await?;
        }
        let mut claim = None;
        let (mut billed, invoice_now) = (None, cancel.invoice_now);
        booking.insert_all(brought.pending).await?;
        let (dropped, pending): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|row| brought.dropped.contains(&row.id));
        booking.delete_all("invoiceitem.deleted", &dropped).await?;
        if let (Some(invoice), Some(issued)) = (invoice, issued) {
            let invoice = booking.insert(invoice).await?;
            book_taken(&mut booking, pending, &brought.taken, &invoice.id).await?;
            book_issued(&mut booking, &invoice, &issued).await?;
            claim = Claim::of(issued, &invoice);
            billed = Some(invoice.value);
        }
        subscription.owes_usage = false;
        if invoice_now {
            let (own, before) = (&*subscription, subscription.before());
            metered
                .book(
                    &mut booking,
                    own,
                    before,
                    billed.as_ref(),
                    &brought.taken,
                    now,
                )
                .await?;
        } else {
            metered.discard(&mut booking).await?;
        }
        booking.save(&mut customer).await?;
        save_subscription(&mut booking, &mut subscription).await?;
        booking.commit().await?;
        Ok(claim)
    }

    /// Lets a subscription end with its running period.
    ///
    /// # Errors
    /// [`Refused::State`] when it is over or incomplete.
    pub async fn cancel_at_period_end(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        feedback: Option<Feedback>,
        comment: Option<String>,
    ) -> Result<Stored<Subscription>, Refused> {
        let cancellation = Cancellation {
            comment,
            feedback,
            reason: None,
        };
        let now = self.now();
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if found.cancel_at.is_some() && found.status.is_billing() {
            // The running period may have been cut to another end.
            let update = SubscriptionUpdate {
                cancel_at_period_end: Some(true),
                cancel_feedback: cancellation.feedback,
                cancel_comment: cancellation.comment,
                ..SubscriptionUpdate::default()
            };
            return Ok(self.update_subscription(scope, id, update).await?.0);
        }
        self.edit(scope, id, |own| {
            own.cancel_at_period_end(cancellation.clone(), now)
                .map(|_| ())
        })
        .await
    }

    /// Takes back that a subscription is to end. Where its running period was cut for that, the rest
    /// of it is billed with the next invoice.
    ///
    /// # Errors
    /// [`Refused::State`] when it is over, or not set to end.
    pub async fn keep_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Stored<Subscription>, Refused> {
        let mut found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        found.value.keep()?;
        if !found.is_unfit(self.now())? {
            return self.edit(scope, id, Subscription::keep).await;
        }
        let update = SubscriptionUpdate {
            cancel_at: Some(None),
            ..SubscriptionUpdate::default()
        };
        Ok(self.update_subscription(scope, id, update).await?.0)
    }

    /// Takes back a change that waits for the end of the period.
    ///
    /// # Errors
    /// [`Refused::State`] when none does.
    pub async fn undo_scheduled_change(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Stored<Subscription>, Refused> {
        self.edit(scope, id, Subscription::undo_scheduled_change)
            .await
    }

    /// A change that touches nothing but the subscription itself.
    pub(super) async fn edit(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        change: impl Fn(&mut Subscription) -> Result<(), SubscriptionError>,
    ) -> Result<Stored<Subscription>, Refused> {
        let change = &change;
        self.retrying(|| async move {
            let mut subscription = self.edit_subscription(scope, id).await?;
            change(&mut subscription)?;
            let mut booking = Booking::begin(self, scope).await?;
            save_subscription(&mut booking, &mut subscription).await?;
            booking.commit().await?;
            Ok(subscription.into_row())
        })
        .await
    }

    /// Ends an incomplete subscription whose first payment did not come, and voids its invoice.
    pub(crate) async fn expire_incomplete(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        let subscription: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if let Some(invoice) = &subscription.latest_invoice {
            let found: Stored<Invoice> = self.find(scope, invoice.as_str()).await?;
            if found.status == InvoiceStatus::Open {
                // Voiding it moves the subscription.
                self.void_invoice(scope, invoice).await?;
                return Ok(());
            }
        }
        let now = self.now();
        self.edit(scope, id, |own| {
            if own.status == Status::Incomplete {
                own.status = own.status.transition(Event::FirstPaymentExpired)?;
                own.ended_at = Some(now);
            }
            Ok(())
        })
        .await?;
        Ok(())
    }
}
