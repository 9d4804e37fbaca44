//! Changing a subscription: priced first and then confirmed, or at once. One path for both, so that
//! what is confirmed is what is charged.

use perennial::discount::Discount;
use perennial::id::{InvoiceLineId, QuoteId, SubscriptionId, SubscriptionItemId};
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus};
use perennial::portal::ScheduleCondition;
use perennial::quote::{
    Applied, ChangeContext, ConfirmedQuote, QUOTE_SECONDS, Quote, Terms, apply, price_change,
    with_promotion,
};
use perennial::schedule::Schedule;
use perennial::subscription::{CollectionMethod, ItemChange, ProrationBehavior, Subscription};

use perennial::usage::{Span, ended_spans};

use super::booking::{Booking, Edit};
use super::books::save_subscription;
use super::choices::refused;
use super::find::values;
use super::invoices::{Collect, Issued, book_issued, book_taken, defect};
use super::payments::{Claim, PaymentResult};
use super::subscriptions::nothing_to_pay_with;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// Conditions under which any of the changes that waited would wait again.
const ANY_CONDITION: [ScheduleCondition; 2] = [
    ScheduleCondition::DecreasingItemAmount,
    ScheduleCondition::ShorteningInterval,
];

/// What came of a confirmed quote.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The subscription afterwards.
    pub subscription: Stored<Subscription>,
    /// The invoice of the change, if there was something to invoice now.
    pub invoice: Option<Stored<Invoice>>,
    /// What became of the payment, if one was needed.
    pub payment: Option<PaymentResult>,
}

/// What is loaded to decide about a change.
pub(crate) struct Ground {
    pub(crate) subscription: Edit<Subscription>,
    pub(crate) customer: Edit<perennial::customer::Customer>,
    pub(crate) pending: Vec<Stored<InvoiceItem>>,
    /// The schedule, where the change comes from it; else it follows the subscription.
    pub(crate) schedule: Option<Edit<Schedule>>,
    /// One-off amounts that come with the change.
    pub(crate) added: Vec<InvoiceItem>,
    /// Items whose usage is not billed where they go.
    pub(crate) forgiven: Vec<SubscriptionItemId>,
}

impl Ground {
    /// All that waits for an invoice, with what comes with the change.
    pub(crate) fn waiting(&self) -> Vec<InvoiceItem> {
        let mut waiting = values(&self.pending);
        waiting.extend(self.added.iter().cloned());
        waiting
    }
}

/// A change that is committed.
pub(crate) struct Made {
    pub(crate) claim: Option<Claim>,
}

impl Engine {
    /// Prices a change and keeps the price: the quote binds for 30 minutes.
    ///
    /// # Errors
    /// Names what is wrong with the change; nothing is kept then.
    pub async fn quote_change(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        changes: Vec<ItemChange>,
        behavior: ProrationBehavior,
        conditions: &[ScheduleCondition],
    ) -> Result<Stored<Quote>, Refused> {
        self.quote_change_with(scope, id, changes, behavior, conditions, None)
            .await
    }

    /// As [`Engine::quote_change`], with what a promotion code gives. There may be no other change then.
    ///
    /// # Errors
    /// As [`Engine::quote_change`].
    pub async fn quote_change_with(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        changes: Vec<ItemChange>,
        behavior: ProrationBehavior,
        conditions: &[ScheduleCondition],
        promotion: Option<Discount>,
    ) -> Result<Stored<Quote>, Refused> {
        let now = self.now();
        let mut ground = self.ground(scope, id).await?;
        if let Some(discount) = &promotion {
            *ground.subscription = promoted(&ground.subscription, discount)?;
        }
        let pending = values(&ground.pending);
        let context = ChangeContext {
            subscription: &ground.subscription,
            customer: &ground.customer,
            pending: &pending,
        };
        let terms = price_change(&context, &changes, behavior, conditions, now)?;
        let quote = Quote {
            id: QuoteId::new(&mut self.ids()),
            customer: ground.customer.id.clone(),
            subscription: id.clone(),
            subscription_revision: ground.subscription.revision(),
            customer_revision: ground.customer.revision(),
            changes,
            promotion,
            proration_behavior: behavior,
            terms,
            created: now,
            expires_at: now.add_seconds(QUOTE_SECONDS).map_err(defect)?,
            confirmed: None,
        };
        let mut booking = Booking::begin(self, scope).await?;
        let quote = booking.insert(quote).await?;
        booking.commit().await?;
        Ok(quote)
    }

    /// Makes the change that a quote priced, and charges exactly its amounts. Confirming again
    /// answers with what came of the first time.
    ///
    /// # Errors
    /// [`Refused::Stale`] when the quote is too old or anything that it was made of has changed.
    /// [`Refused::State`] with `resource_missing` when there is nothing to pay with. Nothing was
    /// changed then. A decline is no error: the change stands, its invoice is open.
    pub async fn confirm_quote(
        &self,
        scope: &Scope,
        id: &QuoteId,
        on_session: bool,
    ) -> Result<Confirmed, Refused> {
        let named: Stored<Quote> = self.find(scope, id.as_str()).await?;
        if named.confirmed.is_none() {
            // It was quoted for the subscription as it is, not as it may become.
            self.expire_pending_update(scope, &named.subscription)
                .await?;
        }
        let claim = self
            .retrying(|| self.confirm_once(scope, id, on_session))
            .await?;
        let mut payment = match claim {
            Some(claim) => Some(self.send(scope, claim).await?),
            None => None,
        };
        let quote: Stored<Quote> = self.find(scope, id.as_str()).await?;
        let subscription = self.find(scope, quote.subscription.as_str()).await?;
        let named = quote
            .confirmed
            .as_ref()
            .and_then(|done| done.invoice.clone());
        let mut invoice: Option<Stored<Invoice>> = match named {
            Some(id) => Some(self.find(scope, id.as_str()).await?),
            None => None,
        };
        if let (None, Some(found)) = (&payment, &invoice)
            && let Some(intent) = &found.payment_intent
        {
            // Somebody confirmed it before: what became of that payment?
            payment = Some(self.ask_after(scope, intent).await?);
        }
        if let Some(payment) = &payment {
            invoice = Some(payment.invoice().clone());
        }
        Ok(Confirmed {
            subscription,
            invoice,
            payment,
        })
    }

    async fn confirm_once(
        &self,
        scope: &Scope,
        id: &QuoteId,
        on_session: bool,
    ) -> Result<Option<Claim>, Refused> {
        let now = self.now();
        let named: Stored<Quote> = self.find(scope, id.as_str()).await?;
        let mut ground = self.ground(scope, &named.subscription).await?;
        // Read after what it is compared with: if somebody confirmed it in between, it says so.
        let mut quote: Edit<Quote> = Edit::of(self.find(scope, id.as_str()).await?);
        if quote.confirmed.is_some() {
            return Ok(None);
        }
        if quote.expires_at <= now || ground.subscription.revision() != quote.subscription_revision
        {
            return Err(Refused::Stale);
        }
        let mut redeemed = None;
        if let Some(discount) = &quote.promotion {
            redeemed = Some(
                self.redeem(scope, &ground, &quote.changes, discount)
                    .await?,
            );
            *ground.subscription = promoted(&ground.subscription, discount)?;
        }
        let conditions: &[ScheduleCondition] = if quote.terms.scheduled {
            &ANY_CONDITION
        } else {
            &[]
        };
        let pending = values(&ground.pending);
        let context = ChangeContext {
            subscription: &ground.subscription,
            customer: &ground.customer,
            pending: &pending,
        };
        let applied = apply(
            &context,
            &quote.changes,
            quote.proration_behavior,
            conditions,
            quote.created,
            &mut self.ids(),
        );
        let applied = applied.map_err(|error| {
            tracing::info!(quote = %quote.id, %error, "a quote can't be kept any more");
            Refused::Stale
        })?;
        if comparable(&applied.terms) != comparable(&quote.terms) {
            return Err(Refused::Stale);
        }
        let due_now_minor = quote.terms.due_now_minor;
        let invoice = applied.invoice.as_ref().map(|invoice| invoice.id.clone());
        let collect = Collect::Now { on_session };
        let prepared = self
            .prepare(scope, &mut ground, applied, collect, Some(due_now_minor))
            .await?;
        quote.confirmed = Some(ConfirmedQuote { at: now, invoice });
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut quote).await?;
        if let Some(mut redeemed) = redeemed {
            redeemed.write(&mut booking).await?;
        }
        let made = prepared.write(&mut booking, ground).await?;
        booking.commit().await?;
        Ok(made.claim)
    }

    /// Loads what a change of a subscription depends on.
    pub(crate) async fn ground(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Ground, Refused> {
        let subscription = self.edit_subscription(scope, id).await?;
        let customer = self.edit_customer(scope, &subscription.customer).await?;
        let pending = self.pending(scope, &customer.id).await?;
        Ok(Ground {
            subscription,
            customer,
            pending,
            schedule: None,
            added: Vec::new(),
            forgiven: Vec::new(),
        })
    }

    /// Takes a computed change over, finalises its invoice and begins the charge: all in memory.
    /// `expected_minor` is what was confirmed; another amount is refused.
    pub(crate) async fn prepare(
        &self,
        scope: &Scope,
        ground: &mut Ground,
        applied: Applied,
        collect: Collect,
        expected_minor: Option<i64>,
    ) -> Result<Prepared, Refused> {
        let now = self.now();
        let Applied {
            subscription,
            mut invoice,
            taken,
            pending,
            ..
        } = applied;
        let mut spans = ended_spans(&ground.subscription, &subscription, now, &mut self.ids());
        spans.retain(|span| !ground.forgiven.contains(&span.item));
        *ground.subscription = subscription;
        ground.subscription.owes_usage |= !spans.is_empty();
        let mut prepared = Prepared {
            spans,
            invoice: None,
            issued: None,
            taken,
            pending,
        };
        let Some(invoice) = &mut invoice else {
            return Ok(prepared);
        };
        invoice.created = now;
        if invoice.collection_method == CollectionMethod::SendInvoice {
            let draft_seconds = self.merchant(scope).await?.draft_seconds;
            let finalizes = now.add_seconds(draft_seconds).map_err(defect)?;
            invoice.automatically_finalizes_at = Some(finalizes);
            prepared.invoice = Some(invoice.clone());
            return Ok(prepared);
        }
        let own = Some(&*ground.subscription);
        let method = self
            .paying_method(scope, invoice, own, &ground.customer, None)
            .await?;
        let issued = self
            .issue(
                scope,
                invoice,
                &mut ground.customer,
                Some(&mut *ground.subscription),
                method.as_deref(),
                collect,
            )
            .await?;
        if issued.unpayable {
            return Err(nothing_to_pay_with());
        }
        let open = invoice.status == InvoiceStatus::Open;
        let due_minor = if open { invoice.amount_due_minor } else { 0 };
        if expected_minor.is_some_and(|expected| expected != due_minor) {
            return Err(Refused::Stale);
        }
        prepared.invoice = Some(invoice.clone());
        prepared.issued = Some(issued);
        Ok(prepared)
    }
}

/// A change that is computed and waits to be written.
pub(crate) struct Prepared {
    invoice: Option<Invoice>,
    issued: Option<Issued>,
    taken: Vec<perennial::id::InvoiceItemId>,
    pending: Vec<InvoiceItem>,
    /// Usage of metered items that went or got another price.
    spans: Vec<Span>,
}

impl Prepared {
    /// The invoice, if it is open: something of it is to be paid.
    pub(crate) fn to_be_paid(&self) -> Option<&Invoice> {
        let open = |invoice: &&Invoice| invoice.status == InvoiceStatus::Open;
        self.invoice.as_ref().filter(open)
    }

    pub(crate) async fn write(
        self,
        booking: &mut Booking<'_>,
        mut ground: Ground,
    ) -> Result<Made, Refused> {
        let mut made = Made { claim: None };
        match &mut ground.schedule {
            Some(schedule) => {
                booking.save(schedule).await?;
                booking.save(&mut ground.subscription).await?;
            }
            None => save_subscription(booking, &mut ground.subscription).await?,
        }
        booking.insert_all(self.pending).await?;
        booking.insert_all(self.spans).await?;
        if let Some(invoice) = &self.invoice {
            for item in &mut ground.added {
                if self.taken.contains(&item.id) {
                    item.invoice = Some(invoice.id.clone());
                }
            }
        }
        booking
            .insert_all(std::mem::take(&mut ground.added))
            .await?;
        if let Some(invoice) = self.invoice {
            let invoice = booking.insert(invoice).await?;
            book_taken(booking, ground.pending, &self.taken, &invoice.id).await?;
            if let Some(issued) = self.issued {
                book_issued(booking, &invoice, &issued).await?;
                made.claim = Claim::of(issued, &invoice);
            }
        }
        booking.save(&mut ground.customer).await?;
        Ok(made)
    }
}

/// The subscription with what a promotion code gives.
pub(super) fn promoted(own: &Subscription, discount: &Discount) -> Result<Subscription, Refused> {
    with_promotion(own, discount).map_err(|error| refused(&error, "promotion_code"))
}

/// Terms without the ids of their lines, which are made anew each time.
fn comparable(terms: &Terms) -> Terms {
    let mut terms = terms.clone();
    for line in &mut terms.lines {
        line.id = InvoiceLineId::from_random(0);
        line.invoice_item = None;
    }
    terms
}
