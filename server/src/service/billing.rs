//! What falls due by itself: renewals, ends, expiries, finalising, charging, retrying, and finding
//! out what became of charges and set-ups that nobody has heard of.
//!
//! Each piece of work looks at the row again and does what is due then, so that doing it twice, or
//! on two machines at once, does it once: the row's revision lets one of them win.

use perennial::calendar::Timestamp;
use perennial::id::{
    InvoiceId, MailId, PaymentIntentId, RefundId, SetupIntentId, SubscriptionId,
    SubscriptionScheduleId,
};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::subscription::{
    CollectionMethod, Due, Event, MissingPaymentMethod, PauseBehavior, Renewed, Status,
    Subscription,
};

use super::booking::{Booking, Edit};
use super::books::{save_subscription, stop};
use super::due::trial_notice_at;
use super::find::values;
use super::invoices::{book_taken, defect};
use super::noticing::upcoming_notice_at;
use super::payments::Starter;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// How late a worker is, in seconds, when an invoice's document is dated as it should have been.
const LATE_SECONDS: i64 = 3_600;
/// Periods that one visit to a subscription may catch up on.
const BOUNDARIES_MAX: usize = 400;

/// A piece of work.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Intent(Scope, PaymentIntentId),
    Refund(Scope, RefundId),
    SetUp(Scope, SetupIntentId),
    Subscription(Scope, SubscriptionId),
    Invoice(Scope, InvoiceId),
    Mail(Scope, MailId),
    Span(Scope, String),
    Schedule(Scope, SubscriptionScheduleId),
}

/// Each kind of work by the id of its row.
impl Work {
    pub(crate) fn intent(scope: Scope, id: &str) -> Result<Self, Refused> {
        let id = PaymentIntentId::parse(id).map_err(defect)?;
        Ok(Self::Intent(scope, id))
    }

    pub(crate) fn mail(scope: Scope, id: &str) -> Result<Self, Refused> {
        Ok(Self::Mail(scope, MailId::parse(id).map_err(defect)?))
    }

    pub(crate) fn refund(scope: Scope, id: &str) -> Result<Self, Refused> {
        Ok(Self::Refund(scope, RefundId::parse(id).map_err(defect)?))
    }

    pub(crate) fn set_up(scope: Scope, id: &str) -> Result<Self, Refused> {
        let id = SetupIntentId::parse(id).map_err(defect)?;
        Ok(Self::SetUp(scope, id))
    }

    pub(crate) fn subscription(scope: Scope, id: &str) -> Result<Self, Refused> {
        let id = SubscriptionId::parse(id).map_err(defect)?;
        Ok(Self::Subscription(scope, id))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the others")]
    pub(crate) fn span(scope: Scope, id: &str) -> Result<Self, Refused> {
        Ok(Self::Span(scope, id.to_owned()))
    }

    pub(crate) fn schedule(scope: Scope, id: &str) -> Result<Self, Refused> {
        let id = SubscriptionScheduleId::parse(id).map_err(defect)?;
        Ok(Self::Schedule(scope, id))
    }

    pub(crate) fn invoice(scope: Scope, id: &str) -> Result<Self, Refused> {
        Ok(Self::Invoice(scope, InvoiceId::parse(id).map_err(defect)?))
    }
}

impl Engine {
    pub(crate) async fn do_one(&self, piece: &Work) -> Result<(), Refused> {
        match piece {
            Work::Intent(scope, id) => self.settle_payment(scope, id).await,
            Work::SetUp(scope, id) => self.settle_setup(scope, id).await,
            Work::Refund(scope, id) => self.settle_refund(scope, id).await,
            Work::Subscription(scope, id) => Box::pin(self.advance_subscription(scope, id)).await,
            Work::Invoice(scope, id) => Box::pin(self.advance_invoice(scope, id)).await,
            Work::Mail(scope, id) => self.send_mail_by_clock(scope, id).await,
            Work::Span(scope, id) => self.retrying(|| self.settle_span(scope, id)).await,
            Work::Schedule(scope, id) => self.advance_schedule(scope, id).await,
        }
    }

    /// Does what is due to an invoice: finalise, charge, or find it overdue.
    pub(crate) async fn advance_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<(), Refused> {
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        let due = super::due::invoice_due_at(&invoice).is_some_and(|at| at <= self.now());
        if !due {
            return Ok(());
        }
        let retrying = invoice.retrying.as_ref();
        let written_off = retrying.and_then(|retrying| retrying.write_off_at);
        if invoice.status == InvoiceStatus::Open && written_off.is_some_and(|at| at <= self.now()) {
            return match self.write_off(scope, id).await {
                // It was paid or voided meanwhile.
                Err(Refused::State { .. }) => Ok(()),
                result => result.map(|_| ()),
            };
        }
        let result = match (invoice.status, invoice.collection_method) {
            (InvoiceStatus::Draft, _) => match Box::pin(self.finalize_and_collect(scope, id)).await
            {
                Ok(Some(result)) => self.fall_back(scope, id, result).await.map(|_| ()),
                // Nothing was worth asking the bank for: the customer's other methods may be.
                Ok(None) => self.fall_back_from_nothing(scope, id).await,
                Err(error) => Err(error),
            },
            (_, CollectionMethod::SendInvoice) => {
                self.retrying(|| self.overdue_once(scope, id)).await
            }
            (_, CollectionMethod::ChargeAutomatically) => {
                if Box::pin(self.waits_for_newer(scope, &invoice)).await? {
                    return Ok(());
                }
                match Box::pin(self.pay(scope, id, None, Starter::Schedule)).await {
                    Ok(result) => self.fall_back(scope, id, result).await.map(|_| ()),
                    Err(error) => Err(error),
                }
            }
        };
        match result {
            // Somebody else did it meanwhile.
            Err(Refused::State { .. }) => Ok(()),
            result => result,
        }
    }

    /// A sent invoice will be due soon, or was not paid by its due date.
    pub(crate) async fn overdue_once(&self, scope: &Scope, id: &InvoiceId) -> Result<(), Refused> {
        let now = self.now();
        let mut books = self.books(scope, id).await?;
        let due = books.invoice.next_payment_attempt;
        if books.invoice.status != InvoiceStatus::Open {
            return Ok(());
        }
        if due.is_none_or(|at| at > now) {
            if super::due::due_notice_at(&books.invoice).is_some_and(|at| at <= now) {
                books.invoice.will_be_due_told = books.invoice.due_date;
                let mut booking = Booking::begin(self, scope).await?;
                booking.save_quietly(&mut books.invoice).await?;
                booking.tell("invoice.will_be_due", &*books.invoice).await?;
                return booking.commit().await;
            }
            return Ok(());
        }
        books.invoice.next_payment_attempt = None;
        if books.invoice.subscription.is_none() {
            let scheduling = self.scheduling(scope, None).await?;
            scheduling.write_off_later(&mut books.invoice, self.now());
        }
        books.customer.delinquent = true;
        if let Some(own) = &mut books.subscription
            && own.status == Status::Active
        {
            own.status = own
                .status
                .transition(Event::RenewalFailed)
                .map_err(defect)?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        books.write(&mut booking).await?;
        booking.tell("invoice.overdue", &*books.invoice).await?;
        booking.commit().await
    }

    /// Does all that is due to a subscription by now, boundary by boundary.
    pub(crate) async fn advance_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        for _ in 0..BOUNDARIES_MAX {
            if !self
                .retrying(|| Box::pin(self.advance_once(scope, id)))
                .await?
            {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One step; answers whether there may be another.
    pub(crate) async fn advance_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<bool, Refused> {
        let now = self.now();
        let mut subscription = self.edit_subscription(scope, id).await?;
        if trial_notice_at(&subscription).is_some_and(|at| at <= now) {
            subscription.trial_end_told = subscription.trial_end;
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut subscription).await?;
            booking
                .tell("customer.subscription.trial_will_end", &*subscription)
                .await?;
            booking.commit().await?;
            return Ok(true);
        }
        if upcoming_notice_at(&subscription).is_some_and(|at| at <= now) {
            Box::pin(self.tell_upcoming(scope, subscription)).await?;
            return Ok(true);
        }
        let Some((at, due)) = subscription.next_due().filter(|(at, _)| *at <= now) else {
            return Ok(false);
        };
        match due {
            Due::FirstPaymentExpiry => {
                match self.expire_incomplete(scope, id).await {
                    // It was paid at the last moment.
                    Err(Refused::State { .. }) => Ok(false),
                    result => result.map(|()| false),
                }
            }
            Due::ResumeCollection => {
                subscription.resume_collection();
                let mut booking = Booking::begin(self, scope).await?;
                booking.save(&mut subscription).await?;
                booking.commit().await?;
                Ok(true)
            }
            Due::End => {
                // First, so that nothing is taken for it once it is over. What is paid now counts.
                let invoices = self.invoices_of(scope, id).await?;
                self.give_up_payments(scope, &invoices).await?;
                let subscription = self.edit_subscription(scope, id).await?;
                if subscription.next_due() != Some((at, Due::End)) {
                    return Ok(true);
                }
                Box::pin(self.move_on(scope, subscription, Step::Finish)).await?;
                Ok(false)
            }
            Due::Phase => {
                self.turn_once(scope, subscription).await?;
                Ok(true)
            }
            Due::PendingItems => {
                Box::pin(self.bill_pending_items(scope, subscription)).await?;
                Ok(true)
            }
            Due::PendingUpdateExpiry => {
                self.alone()?;
                Box::pin(self.expire_pending_update(scope, id)).await?;
                Ok(true)
            }
            Due::ResumptionExpiry => {
                self.alone()?;
                Box::pin(self.expire_resumption(scope, id)).await?;
                Ok(true)
            }
            Due::Resume => {
                self.alone()?;
                Box::pin(self.resume_by_clock(scope, id)).await?;
                Ok(true)
            }
            Due::Renewal => {
                Box::pin(self.move_on(scope, subscription, Step::Renew)).await?;
                Ok(true)
            }
        }
    }

    /// Renews a subscription or ends it, with the draft that this brings.
    async fn move_on(
        &self,
        scope: &Scope,
        mut subscription: Edit<Subscription>,
        step: Step,
    ) -> Result<(), Refused> {
        let now = self.now();
        let mut customer = self.edit_customer(scope, &subscription.customer).await?;
        let pending = self.pending(scope, &customer.id).await?;
        let waiting = values(&pending);
        let mut ids = self.ids();
        let until = subscription.next_due_at().unwrap_or(now);
        let metered = self.metered(scope, &subscription, until).await?;
        let usage = metered.usage.clone();
        let waiting = [waiting, metered.owed.clone()].concat();
        let unpayable = step == Step::Renew && self.ends_unpayable(scope, &subscription).await?;
        let renewed = if unpayable {
            subscription.end_trial_unpayable(now)?;
            None
        } else {
            let renewed = match step {
                Step::Finish => subscription.finish(&customer, &waiting, &usage, now, &mut ids),
                Step::Renew => match subscription.renew(&customer, &waiting, &usage, now, &mut ids)
                {
                    // The change that waited can't be made any more (its price is not sold now):
                    // the subscription goes on as it is.
                    Err(error)
                        if subscription
                            .scheduled_change
                            .as_ref()
                            .is_some_and(|change| change.phase.is_none()) =>
                    {
                        tracing::warn!(id = %subscription.id, %error, "a waiting change is dropped");
                        subscription.scheduled_change = None;
                        subscription.renew(&customer, &waiting, &usage, now, &mut ids)
                    }
                    renewed => renewed,
                },
            };
            Some(renewed?)
        };
        let Renewed {
            at,
            invoice,
            taken,
            added,
        } = match renewed {
            Some(renewed) => renewed,
            None => Renewed {
                at: now,
                invoice: None,
                taken: Vec::new(),
                added: Vec::new(),
            },
        };
        let mut invoice = invoice;
        if let Some(invoice) = &mut invoice {
            customer.currency = Some(invoice.currency);
            let merchant = self.merchant(scope).await?;
            subscription.upcoming_days = merchant.upcoming_days;
            schedule_draft(invoice, &subscription, at, merchant.draft_seconds, now)?;
        }
        let mut stopped = Vec::new();
        if subscription.status == Status::Canceled {
            stopped = self
                .stopped_with(scope, &subscription, invoice.as_ref())
                .await?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        for invoice in &mut stopped {
            booking.save(invoice).await?;
        }
        let mut billed = None;
        if let Some(invoice) = invoice {
            let invoice = booking.insert(invoice).await?;
            book_taken(&mut booking, pending, &taken, &invoice.id).await?;
            billed = Some(invoice.value);
        }
        subscription.owes_usage = false;
        let (own, before) = (&*subscription, subscription.before());
        metered
            .book(&mut booking, own, before, billed.as_ref(), &taken, now)
            .await?;
        booking.insert_all(added).await?;
        booking.save(&mut customer).await?;
        save_subscription(&mut booking, &mut subscription).await?;
        booking.commit().await
    }

    /// Whether a trial ends now with nothing to pay with, and the merchant chose not to bill then.
    async fn ends_unpayable(
        &self,
        scope: &Scope,
        subscription: &Subscription,
    ) -> Result<bool, Refused> {
        let bills = subscription.trial_missing_payment_method
            == MissingPaymentMethod::CreateInvoice
            || subscription.collection_method == CollectionMethod::SendInvoice;
        if subscription.status != Status::Trialing || bills {
            return Ok(false);
        }
        let customer = self.find(scope, subscription.customer.as_str()).await?;
        let method = self
            .method_of(scope, None, Some(subscription), &customer.value)
            .await?;
        Ok(method.is_none())
    }
}

/// Which way a subscription moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Renew,
    Finish,
}

/// Dates a cycle's draft and says when it becomes final: at the merchant's wish after the boundary
/// that it bills, or never by itself while collection is paused or the subscription is unpaid.
///
/// A worker that is late dates it as it should have been, on its document too, and it becomes final as soon
/// as it can.
/// Somebody who is sent the invoice has all their days to pay it from then on.
pub(crate) fn schedule_draft(
    invoice: &mut Invoice,
    subscription: &Subscription,
    at: Timestamp,
    draft_seconds: i64,
    now: Timestamp,
) -> Result<(), Refused> {
    let finalizes = at.add_seconds(draft_seconds).map_err(defect)?;
    invoice.created = at;
    invoice.automatically_finalizes_at = Some(finalizes);
    if invoice.collection_method == CollectionMethod::ChargeAutomatically {
        invoice.next_payment_attempt = Some(finalizes);
    }
    let late = now.0.saturating_sub(finalizes.0).max(0);
    if late >= LATE_SECONDS {
        invoice.effective_at = Some(finalizes);
    }
    invoice.due_date = match invoice.due_date {
        Some(due) => Some(due.add_seconds(late).map_err(defect)?),
        None => None,
    };
    let kept = subscription
        .pause_collection
        .is_some_and(|pause| pause.behavior == PauseBehavior::KeepAsDraft);
    if kept || subscription.status == Status::Unpaid {
        stop(invoice);
    }
    Ok(())
}
