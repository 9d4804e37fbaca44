//! Invoices before they are made: the very use case that would make them, tried on copies.

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::id::{CustomerId, SubscriptionId};
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus};
use perennial::subscription::{ResumeTerms, Subscription};
use perennial::usage::ended_spans;

use super::find::values;
use super::subscriptions::{NewSubscription, Pause};
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
    ) -> Result<Invoice, Refused> {
        match request {
            PreviewRequest::Next(id) => {
                let subscription: Stored<Subscription> = self.find(scope, id.as_str()).await?;
                let owner = subscription.customer.as_str();
                let customer: Stored<Customer> = self.find(scope, owner).await?;
                let pending = values(&self.pending(scope, &subscription.customer).await?);
                self.next(scope, &subscription, &customer, pending).await
            }
            PreviewRequest::Update(id, update) => self.preview_update(scope, &id, &update).await,
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
                    Some(at) => self.at(at).preview_new(scope, &new).await,
                    None => self.preview_new(scope, &new).await,
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

    async fn preview_update(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        update: &SubscriptionUpdate,
    ) -> Result<Invoice, Refused> {
        let (ground, applied, _) = self.tried_update(scope, id, update).await?;
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

    async fn preview_new(&self, scope: &Scope, new: &NewSubscription) -> Result<Invoice, Refused> {
        let now = self.now();
        let customer = self.living_customer(scope, &new.customer).await?;
        let mut customer = customer.value;
        let (creation, _) = self.creation(scope, new, now).await?;
        let pending = values(&self.pending(scope, &customer.id).await?);
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
