//! Invoices before they are made: the very use case that would make them, tried on copies.

use perennial::calendar::{Period, Timestamp};
use perennial::customer::Customer;
use perennial::id::{CustomerId, SubscriptionId, SubscriptionScheduleId};
use perennial::invoice::{BillingReason, Draft, Invoice, InvoiceItem, InvoiceStatus, draft};
use perennial::quote::Applied;
use perennial::schedule::{EndBehavior, Schedule, ScheduleError};
use perennial::subscription::{ResumeTerms, Status, Subscription};
use perennial::usage::ended_spans;

use super::booking::Edit;
use super::changes::Ground;

use super::find::values;
use super::schedules::{NewSchedule, ScheduleUpdate, over};
use super::subscriptions::{NewSubscription, Pause};
use super::supposing::Supposed;
use super::updates::SubscriptionUpdate;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// What is to be previewed.
#[derive(Clone, Debug)]
pub enum PreviewRequest {
    /// The next ordinary invoice of a subscription as it stands.
    Next(SubscriptionId),
    /// The invoice that an update would make at once, or else the next ordinary one after it.
    Update(SubscriptionId, Box<SubscriptionUpdate>),
    /// The invoice that a pause would make at once.
    Pause(SubscriptionId, Pause),
    /// The invoice that going on after a pause would make at once.
    Resume(SubscriptionId, ResumeTerms),
    /// The last invoice, if it were ended now, perhaps with its unused time given back.
    End(SubscriptionId, bool),
    /// The first invoice of a new subscription, or its next one where the first waits; one that starts
    /// later, at a moment, is looked at as of then.
    New(Box<NewSubscription>, Option<Timestamp>),
    /// What waits for a customer, on an invoice by itself.
    Waiting(CustomerId),
    /// The next invoice under a schedule, perhaps as an update would change it.
    Schedule(SubscriptionScheduleId, Option<Box<ScheduleUpdate>>),
    /// The first invoice of a new schedule.
    NewSchedule(Box<NewSchedule>),
}

impl Engine {
    /// The invoice that would follow, as a draft that was never saved. Its lines, totals and
    /// `amount_due_minor` are those of the invoice that does follow, if nothing changes meanwhile.
    ///
    /// # Errors
    /// What the use case itself would refuse; [`Refused::State`] with `invoice_upcoming_none` when
    /// there will be none.
    pub async fn preview_invoice(
        &self,
        scope: &Scope,
        request: PreviewRequest,
        supposed: &Supposed,
    ) -> Result<Invoice, Refused> {
        match request {
            PreviewRequest::Next(id) => {
                let ground = self.supposed_ground(scope, &id, supposed).await?;
                let pending = ground.waiting();
                let (own, customer) = (&ground.subscription, &ground.customer);
                self.next(scope, own, customer, pending).await
            }
            PreviewRequest::Update(id, update) => {
                let ground = self.supposed_ground(scope, &id, supposed).await?;
                let (ground, applied, _) = Box::pin(self.tried_on(scope, ground, &update)).await?;
                self.after(scope, ground, applied).await
            }
            PreviewRequest::Waiting(id) => self.preview_waiting(scope, &id, supposed).await,
            PreviewRequest::Schedule(id, update) => {
                Box::pin(self.preview_schedule(scope, &id, update.as_deref(), supposed)).await
            }
            PreviewRequest::NewSchedule(new) => {
                let owner = &new.customer;
                let customer = self.supposed_customer(scope, owner, supposed).await?;
                let made = Box::pin(self.drafted_schedule(scope, &new, &customer)).await?;
                self.preview_beginning(scope, &made.0, customer, supposed)
                    .await
            }
            PreviewRequest::Pause(id, pause) => {
                let made = Box::pin(self.preview_pause(scope, &id, pause)).await?;
                self.at_once(scope, &id, made).await
            }
            PreviewRequest::Resume(id, terms) => {
                let made = Box::pin(self.preview_resumption(scope, &id, terms)).await?;
                self.at_once(scope, &id, made).await
            }
            PreviewRequest::End(id, prorate) => {
                let made = Box::pin(self.preview_end(scope, &id, prorate)).await?;
                self.at_once(scope, &id, made).await
            }
            PreviewRequest::New(new, starts_at) => {
                let then = starts_at.filter(|at| *at > self.now());
                match then {
                    Some(at) => self.at(at).preview_new(scope, &new, supposed).await,
                    None => self.preview_new(scope, &new, supposed).await,
                }
            }
        }
    }

    /// An invoice that would be final at once, or that there is none.
    async fn at_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        made: Option<(Customer, Invoice)>,
    ) -> Result<Invoice, Refused> {
        let Some((mut payer, mut invoice)) = made else {
            let own: Stored<Subscription> = self.find(scope, id.as_str()).await?;
            return Err(no_upcoming(&own.customer));
        };
        let now = self.now();
        invoice.created = now;
        invoice.finalize(&mut payer, now)?;
        Ok(as_draft(invoice))
    }

    /// What a change of a subscription depends on, as is supposed.
    async fn supposed_ground(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        supposed: &Supposed,
    ) -> Result<Ground, Refused> {
        let mut ground = self.ground(scope, id).await?;
        if supposed.is_nothing() {
            return Ok(ground);
        }
        self.suppose_payer(&mut ground.customer, supposed)?;
        let currency = Some(ground.subscription.currency);
        let waiting = values(&ground.pending);
        let items = self
            .suppose_items(scope, &ground.customer, currency, waiting, supposed)
            .await?;
        // All of them come with the change: none is written.
        ground.pending.clear();
        ground.added = items;
        Ok(ground)
    }

    /// What waits for a customer, with what is supposed to.
    async fn supposed_waiting(
        &self,
        scope: &Scope,
        customer: &Customer,
        currency: Option<perennial::currency::Currency>,
        supposed: &Supposed,
    ) -> Result<Vec<InvoiceItem>, Refused> {
        let waiting = match supposed.stranger {
            true => Vec::new(),
            false => values(&self.pending(scope, &customer.id).await?),
        };
        self.suppose_items(scope, customer, currency, waiting, supposed)
            .await
    }

    /// An invoice by hand of all that waits.
    async fn preview_waiting(
        &self,
        scope: &Scope,
        id: &CustomerId,
        supposed: &Supposed,
    ) -> Result<Invoice, Refused> {
        let now = self.now();
        let mut customer = self.supposed_customer(scope, id, supposed).await?;
        let currency = customer.currency.or(supposed.currency);
        let waiting = self
            .supposed_waiting(scope, &customer, currency, supposed)
            .await?;
        let first = waiting.last().map(|item| item.currency);
        let currency = currency.or(first);
        let currency = currency.ok_or_else(|| no_upcoming(&customer.id))?;
        let input = Draft {
            customer: &customer,
            subscription: None,
            currency,
            billing_reason: BillingReason::Manual,
            lines: Vec::new(),
            pending: &waiting,
            period: Period {
                start: now,
                end: now,
            },
            at: now,
        };
        let mut invoice = draft(input, &mut self.ids())?;
        if invoice.lines.is_empty() {
            return Err(no_upcoming(&customer.id));
        }
        invoice.created = now;
        invoice.finalize(&mut customer, now)?;
        Ok(as_draft(invoice))
    }

    /// The next invoice under a schedule.
    async fn preview_schedule(
        &self,
        scope: &Scope,
        id: &SubscriptionScheduleId,
        update: Option<&ScheduleUpdate>,
        supposed: &Supposed,
    ) -> Result<Invoice, Refused> {
        let found = self.find_named(scope, id.as_str(), "schedule").await?;
        let mut schedule: Edit<Schedule> = Edit::of(found);
        if !schedule.status.is_live() {
            return Err(over(&schedule));
        }
        let was_canceling = schedule.end_behavior == EndBehavior::Cancel;
        if let Some(update) = update {
            self.change_schedule(scope, &mut schedule, update, self.now())
                .await?;
        }
        let Some(subscription) = schedule.subscription.clone() else {
            let owner = schedule.customer.clone();
            let customer = self.supposed_customer(scope, &owner, supposed).await?;
            return self
                .preview_beginning(scope, &schedule, customer, supposed)
                .await;
        };
        let mut ground = self.supposed_ground(scope, &subscription, supposed).await?;
        let applied = match update {
            Some(update) => {
                Some(self.reentered(&mut ground, &mut schedule, update, was_canceling)?)
            }
            None => None,
        };
        self.after(scope, ground, applied).await
    }

    /// The first invoice of the subscription that a schedule begins.
    async fn preview_beginning(
        &self,
        scope: &Scope,
        schedule: &Schedule,
        mut customer: Customer,
        supposed: &Supposed,
    ) -> Result<Invoice, Refused> {
        let terms = schedule.terms_of(0).ok_or(ScheduleError::NoPhases)?;
        let creation = terms.creation(schedule.billing_mode);
        let at = creation.at;
        let currency = schedule.phases.first().map(|phase| phase.currency);
        let waiting = self
            .supposed_waiting(scope, &customer, currency, supposed)
            .await?;
        let mut ids = self.ids();
        let created = Subscription::create(creation, &customer, &waiting, &mut ids)?;
        let mut own = created.subscription;
        if let Some(mut invoice) = created.invoice {
            invoice.finalize(&mut customer, at)?;
            return Ok(as_draft(invoice));
        }
        if own.status == Status::Incomplete {
            own.status = Status::Active;
        }
        schedule.clone().take_hold(&mut own, at, &mut ids);
        self.next(scope, &own, &customer, waiting).await
    }

    /// The invoice that a tried change makes at once, or else the next ordinary one after it.
    async fn after(
        &self,
        scope: &Scope,
        ground: Ground,
        applied: Option<Applied>,
    ) -> Result<Invoice, Refused> {
        let pending = ground.waiting();
        let mut customer = (*ground.customer).clone();
        let Some(applied) = applied else {
            return self
                .next(scope, &ground.subscription, &customer, pending)
                .await;
        };
        if let Some(mut invoice) = applied.invoice {
            let now = self.now();
            invoice.created = now;
            invoice.finalize(&mut customer, now)?;
            return Ok(as_draft(invoice));
        }
        let kept = |item: &InvoiceItem| !applied.taken.contains(&item.id);
        let mut pending: Vec<InvoiceItem> = pending.into_iter().filter(kept).collect();
        pending.extend(applied.pending);
        // What a metered item used until it went or got another price.
        for mut span in ended_spans(
            &ground.subscription,
            &applied.subscription,
            self.now(),
            &mut self.ids(),
        ) {
            if ground.forgiven.contains(&span.item) {
                continue;
            }
            let Some(asked) = super::spans::asked_of(&span) else {
                continue;
            };
            let used = self.usage_of(scope, asked).await?.billable()?;
            let item = span.bill(used, self.now(), &mut self.ids());
            pending.extend(item.map_err(|_| Refused::TooLarge)?);
        }
        self.next(scope, &applied.subscription, &customer, pending)
            .await
    }

    async fn preview_new(
        &self,
        scope: &Scope,
        new: &NewSubscription,
        supposed: &Supposed,
    ) -> Result<Invoice, Refused> {
        let now = self.now();
        let mut customer = self
            .supposed_customer(scope, &new.customer, supposed)
            .await?;
        let (creation, _) = self.creation(scope, new, now).await?;
        let currency = creation.items.first().map(|item| item.price.currency);
        let pending = self
            .supposed_waiting(scope, &customer, currency, supposed)
            .await?;
        let created = Subscription::create(creation, &customer, &pending, &mut self.ids())?;
        match created.invoice {
            Some(mut invoice) => {
                invoice.created = now;
                invoice.finalize(&mut customer, now)?;
                Ok(as_draft(invoice))
            }
            None => {
                self.next(scope, &created.subscription, &customer, pending)
                    .await
            }
        }
    }
}

impl Engine {
    async fn next(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        customer: &Customer,
        pending: Vec<InvoiceItem>,
    ) -> Result<Invoice, Refused> {
        let coming = self.coming(scope, subscription, customer, pending).await?;
        let coming = coming.ok_or_else(|| no_upcoming(&customer.id))?;
        Ok(coming.invoice)
    }
}

fn no_upcoming(customer: &CustomerId) -> Refused {
    Refused::State {
        code: Some("invoice_upcoming_none"),
        message: format!("No upcoming invoices for customer: '{customer}'"),
    }
}

/// A finalised copy, looking like what it is: nothing that anybody owes.
fn as_draft(mut invoice: Invoice) -> Invoice {
    invoice.status = InvoiceStatus::Draft;
    invoice.number = None;
    invoice.finalized_at = None;
    invoice.paid_at = None;
    invoice
}
