//! Standing still and going on: Stripe's paused status.

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::discount::Discount;
use perennial::id::SubscriptionId;
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus};
use perennial::payment::PaymentMethod;
use perennial::subscription::{
    BillingMode, CollectionMethod, PauseTerms, ResumeTerms, Status, Stopped, Subscription,
    UnusedTimeFrom,
};
use perennial::usage::ended_spans;

use crate::service::booking::{Booking, Edit};
use crate::service::books::save_subscription;
use crate::service::changes::{Ground, promoted};
use crate::service::find::values;
use crate::service::invoices::{Collect, Issued, book_issued, book_taken, defect};
use crate::service::payments::Claim;
use crate::service::spans::{Metered, asked_of};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// How a subscription is paused; Stripe's defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// From when unused time is given back.
    pub unused_time_from: UnusedTimeFrom,
    /// Whether usage so far is left unbilled.
    pub forgives_usage: bool,
    /// On an invoice now, instead of the next one.
    pub invoice_now: bool,
    /// When it goes on by itself: an extension of ours.
    pub resumes_at: Option<Timestamp>,
}

/// How a subscription goes on; Stripe's defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// The anchor, and how the rest of the period is billed where it stays.
    pub terms: ResumeTerms,
    /// The moment to prorate to; now if absent.
    pub proration_date: Option<Timestamp>,
    /// What the payment decides.
    pub payment: ResumePayment,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
}

/// What the payment of a resumption's invoice decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResumePayment {
    /// It goes on once somebody tried to pay; a decline leaves it past due. Where there is nothing to
    /// pay with, it waits 23 hours for a payment.
    #[default]
    OnAttempt,
    /// It stays paused until the invoice is paid, at most 23 hours: then the invoice is voided.
    OnSuccess,
}

impl Engine {
    /// Lets a subscription stand still: nothing is billed, and it has no running period. Unused time
    /// is given back and usage billed, on the next invoice or at once.
    ///
    /// # Errors
    /// [`Refused::State`] when its status or a merchant's schedule does not allow it;
    /// [`Refused::Invalid`] for a `resumes_at` that is over.
    pub async fn pause_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        pause: Pause,
    ) -> Result<Stored<Subscription>, Refused> {
        self.expire_pending_update(scope, id).await?;
        let claim = self.retrying(|| self.pause_once(scope, id, pause)).await?;
        if let Some(claim) = claim {
            self.send(scope, claim).await?;
        }
        self.find(scope, id.as_str()).await
    }

    /// The pause on copies: nothing is saved.
    async fn tried_pause(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        pause: Pause,
    ) -> Result<(Ground, Metered, Stopped), Refused> {
        let now = self.now();
        let mut ground = self.ground(scope, id).await?;
        let own = &mut ground.subscription;
        if !matches!(
            own.status,
            Status::Trialing | Status::Active | Status::PastDue
        ) {
            return Err(Refused::State {
                code: None,
                message: format!(
                    "A subscription that is `{}` can't be paused.",
                    crate::service::due::status_name(own.status)
                ),
            });
        }
        let mut metered = self.metered(scope, own, now).await?;
        let mut waiting = values(&ground.pending);
        if pause.invoice_now {
            waiting.extend(metered.owed.clone());
        }
        let terms = PauseTerms {
            unused_time_from: pause.unused_time_from,
            usage: std::mem::take(&mut metered.usage),
            // What waits for the next invoice is kept as spans, so that late events find it.
            forgives_usage: pause.forgives_usage || !pause.invoice_now,
            invoice_now: pause.invoice_now,
            resumes_at: pause.resumes_at,
        };
        let brought = own.pause(&ground.customer, &waiting, &terms, now, &mut self.ids())?;
        Ok((ground, metered, brought))
    }

    /// The invoice that a pause would make at once.
    pub(crate) async fn preview_pause(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        pause: Pause,
    ) -> Result<Option<(Customer, Invoice)>, Refused> {
        let (ground, _, brought) = self.tried_pause(scope, id, pause).await?;
        let payer = (*ground.customer).clone();
        Ok(brought.invoice.map(|invoice| (payer, invoice)))
    }

    /// The invoice that going on now would make at once.
    pub(crate) async fn preview_resumption(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        terms: ResumeTerms,
    ) -> Result<Option<(Customer, Invoice)>, Refused> {
        let mut ground = self.ground(scope, id).await?;
        let waiting = values(&ground.pending);
        let (now, own) = (self.now(), &mut ground.subscription);
        let (renewed, _) = own.resume(&ground.customer, &waiting, terms, now, &mut self.ids())?;
        let payer = (*ground.customer).clone();
        Ok(renewed.invoice.map(|invoice| (payer, invoice)))
    }

    async fn pause_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        pause: Pause,
    ) -> Result<Option<Claim>, Refused> {
        let now = self.now();
        let (mut ground, metered, brought) = self.tried_pause(scope, id, pause).await?;
        let mut invoice = brought.invoice;
        let mut issued = None;
        if let Some(invoice) = &mut invoice {
            issued = Some(self.issue_now(scope, &mut ground, invoice).await?);
        }
        let used = match pause.forgives_usage || pause.invoice_now {
            true => Vec::new(),
            false => self.used_until(scope, &ground.subscription, now).await?,
        };
        let mut booking = Booking::begin(self, scope).await?;
        let mut claim = None;
        let mut billed = None;
        booking.insert_all(brought.pending).await?;
        for (span, item) in used {
            booking.insert(span).await?;
            booking.insert_all(item.into_iter().collect()).await?;
        }
        if let (Some(invoice), Some(issued)) = (invoice, issued) {
            let invoice = booking.insert(invoice).await?;
            let pending = std::mem::take(&mut ground.pending);
            book_taken(&mut booking, pending, &brought.taken, &invoice.id).await?;
            book_issued(&mut booking, &invoice, &issued).await?;
            claim = Claim::of(issued, &invoice);
            billed = Some(invoice.value);
        }
        if pause.invoice_now {
            let (own, before) = (&*ground.subscription, ground.subscription.before());
            let (billed, taken) = (billed.as_ref(), &brought.taken);
            metered
                .book(&mut booking, own, before, billed, taken, now)
                .await?;
        }
        booking.save(&mut ground.customer).await?;
        save_subscription(&mut booking, &mut ground.subscription).await?;
        booking.commit().await?;
        Ok(claim)
    }

    /// What metered items used until now, each with the item that bills it with the next invoice.
    async fn used_until(
        &self,
        scope: &Scope,
        paused: &Edit<Subscription>,
        now: Timestamp,
    ) -> Result<Vec<(perennial::usage::Span, Option<InvoiceItem>)>, Refused> {
        let before = paused.before();
        // As if all items went; also in classic mode, since nothing else would bill it.
        let gone = Subscription {
            items: Vec::new(),
            ..before.clone()
        };
        let whole = Subscription {
            billing_mode: BillingMode::Flexible,
            ..before.clone()
        };
        let mut used = Vec::new();
        for mut span in ended_spans(&whole, &gone, now, &mut self.ids()) {
            let Some(asked) = asked_of(&span) else {
                continue;
            };
            let quantity = self.usage_of(scope, asked).await?.billable()?;
            let item = span.bill(quantity, now, &mut self.ids());
            let item = item.map_err(|_| Refused::TooLarge)?;
            used.push((span, item));
        }
        Ok(used)
    }

    /// Makes an invoice final at once, and begins to charge it where something can pay.
    async fn issue_now(
        &self,
        scope: &Scope,
        ground: &mut Ground,
        invoice: &mut Invoice,
    ) -> Result<Issued, Refused> {
        invoice.created = self.now();
        let own = Some(&*ground.subscription);
        let method = self
            .paying_method(scope, invoice, own, &ground.customer, None)
            .await?;
        let collect = match &method {
            Some(_) => Collect::Now { on_session: false },
            None => Collect::Later,
        };
        let own = Some(&mut *ground.subscription);
        let (customer, method) = (&mut ground.customer, method.as_deref());
        self.issue(scope, invoice, customer, own, method, collect)
            .await
    }

    /// Lets a paused subscription go on, and charges what that brings.
    ///
    /// # Errors
    /// [`Refused::State`] when it is not paused, or a resumption waits for its payment already.
    pub async fn resume_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        resume: Resume,
    ) -> Result<Stored<Subscription>, Refused> {
        self.resume_with(scope, id, resume, None).await
    }

    /// The same, with what a promotion code gives from now on; the code is redeemed.
    ///
    /// # Errors
    /// As [`Engine::resume_subscription`]; [`Refused::Stale`] when the code can't be redeemed any more.
    pub(crate) async fn resume_with(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        resume: Resume,
        promotion: Option<&Discount>,
    ) -> Result<Stored<Subscription>, Refused> {
        let claim = self
            .retrying(|| self.resume_once(scope, id, resume, promotion))
            .await?;
        if let Some(claim) = claim {
            self.send(scope, claim).await?;
        }
        self.find(scope, id.as_str()).await
    }

    /// Ends a pause whose time is over.
    pub(crate) async fn resume_by_clock(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        match self.resume_subscription(scope, id, Resume::default()).await {
            // Somebody else did it meanwhile.
            Err(Refused::State { .. }) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    async fn resume_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        resume: Resume,
        promotion: Option<&Discount>,
    ) -> Result<Option<Claim>, Refused> {
        let now = self.now();
        let at = resume.proration_date.unwrap_or(now);
        let mut ground = self.ground(scope, id).await?;
        let since = ground.subscription.paused.as_ref().map(|pause| pause.at);
        if at > now || since.is_some_and(|since| at < since) {
            return Err(Refused::invalid(
                "proration_date",
                "proration_date must lie in the pause.",
            ));
        }
        let mut redeemed = None;
        if let Some(discount) = promotion {
            redeemed = Some(self.redeem(scope, &ground, &[], discount).await?);
            *ground.subscription = promoted(&ground.subscription, discount)?;
        }
        let waiting = values(&ground.pending);
        let own = &mut ground.subscription;
        let (renewed, left) = own.resume(
            &ground.customer,
            &waiting,
            resume.terms,
            at,
            &mut self.ids(),
        )?;
        let (mut invoice, taken) = (renewed.invoice, renewed.taken);
        let mut issued = None;
        if let Some(invoice) = &mut invoice {
            issued = self
                .issue_resumption(scope, &mut ground, invoice, resume)
                .await?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.insert_all(left).await?;
        if let Some(mut redeemed) = redeemed {
            redeemed.write(&mut booking).await?;
        }
        let mut claim = None;
        if let Some(invoice) = invoice {
            let invoice = booking.insert(invoice).await?;
            book_taken(&mut booking, ground.pending, &taken, &invoice.id).await?;
            if let Some(issued) = issued {
                book_issued(&mut booking, &invoice, &issued).await?;
                claim = Claim::of(issued, &invoice);
            }
        }
        booking.save(&mut ground.customer).await?;
        save_subscription(&mut booking, &mut ground.subscription).await?;
        booking.commit().await?;
        Ok(claim)
    }

    /// Makes the invoice of a resumption final, unless it is one to send: that waits as a draft. Where
    /// the resumption is to wait for its payment, it does.
    async fn issue_resumption(
        &self,
        scope: &Scope,
        ground: &mut Ground,
        invoice: &mut Invoice,
        resume: Resume,
    ) -> Result<Option<Issued>, Refused> {
        let now = self.now();
        invoice.created = now;
        ground.customer.currency = Some(invoice.currency);
        if invoice.collection_method == CollectionMethod::SendInvoice {
            let draft_seconds = self.merchant(scope).await?.draft_seconds;
            let finalizes = now.add_seconds(draft_seconds).map_err(defect)?;
            invoice.automatically_finalizes_at = Some(finalizes);
            return Ok(None);
        }
        let own = Some(&*ground.subscription);
        let method = self
            .paying_method(scope, invoice, own, &ground.customer, None)
            .await?;
        let method: Option<&PaymentMethod> = method.as_deref();
        let collect = match method {
            Some(_) => Collect::Now {
                on_session: resume.on_session,
            },
            None => Collect::Later,
        };
        let own = Some(&mut *ground.subscription);
        let customer = &mut ground.customer;
        let issued = self.issue(scope, invoice, customer, own, method, collect);
        let issued = issued.await?;
        let waits = method.is_none() || resume.payment == ResumePayment::OnSuccess;
        if waits && invoice.status == InvoiceStatus::Open {
            let before = ground.subscription.before().clone();
            ground
                .subscription
                .wait_for_resumption(&before, invoice.id.clone(), now);
        }
        Ok(Some(issued))
    }

    /// Gives up a resumption that was not paid in time: its invoice is voided and the pause goes on,
    /// unless it was paid at the last moment.
    pub(crate) async fn expire_resumption(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        let found: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        let Some(waits) = found.resumption() else {
            return Ok(());
        };
        match self.void_invoice(scope, &waits.invoice).await {
            Ok(_) => Ok(()),
            // It was settled meanwhile, in a way that has not reached the subscription.
            Err(Refused::State { .. }) => {
                self.retrying(|| self.settle_resumption_once(scope, id))
                    .await
            }
            Err(error) => Err(error),
        }
    }

    async fn settle_resumption_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        let mut own: Edit<Subscription> = self.edit_subscription(scope, id).await?;
        let Some(waits) = own.resumption() else {
            return Ok(());
        };
        let invoice: Stored<Invoice> = self.find(scope, waits.invoice.as_str()).await?;
        match invoice.status {
            InvoiceStatus::Paid | InvoiceStatus::Uncollectible => own.finish_resumption()?,
            InvoiceStatus::Void => own.drop_resumption(),
            // A payment is under way: it is asked after again.
            InvoiceStatus::Draft | InvoiceStatus::Open => {
                return Err(Refused::State {
                    code: None,
                    message: "A payment of the resumption is under way.".to_owned(),
                });
            }
        }
        let mut booking = Booking::begin(self, scope).await?;
        save_subscription(&mut booking, &mut own).await?;
        booking.commit().await
    }
}
