//! Invoices: finalising, and what is to come. Voiding and writing off have a room of their own.

mod closing;
mod editing;
pub mod lines;
pub mod manual;
pub mod numbering;
mod revising;
mod settling;

pub use editing::NewItem;

use std::borrow::Cow;

use perennial::calendar::Timestamp;
use perennial::credit::{BalanceChange, BalanceChangeKind};
use perennial::customer::Customer;
use perennial::id::{CustomerBalanceTransactionId, InvoiceId, InvoiceItemId, SubscriptionId};
use perennial::invoice::{BillingReason, Invoice, InvoiceError, InvoiceItem, InvoiceStatus};
use perennial::ledger::{self, Transfer};
use perennial::payment::{PaymentIntent, PaymentMethod};
use perennial::quote::{Upcoming, upcoming, upcoming_with};
use perennial::subscription::{CollectionMethod, PauseBehavior, Subscription};

use super::balance::{BalanceTransaction, BalanceTransactionKind};
use super::booking::Booking;
use super::books::Parts;
use super::find::values;
use super::payments::{self, PaymentResult};
use super::{Engine, Refused};
use crate::clock::Ids;
use crate::store::Scope;
use crate::store::document::Stored;

/// Whether a finalised invoice is charged at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collect {
    /// Yes; `on_session` when the customer is here to answer a challenge.
    Now {
        /// The customer is here.
        on_session: bool,
    },
    /// No: it stays open until somebody pays it.
    Later,
}

/// What finalising brought, to be written with the invoice.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    /// Changes of the customer's balance.
    pub(crate) entries: Vec<BalanceTransaction>,
    /// What it moves in the ledger.
    pub(crate) transfers: Vec<Transfer>,
    /// The claim on the payment method, to be sent after the commit.
    pub(crate) intent: Option<PaymentIntent>,
    /// The card that the claim is on.
    pub(crate) token: Option<String>,
    /// There was nothing to charge.
    pub(crate) unpayable: bool,
    /// The number of the merchant's own sequence that it took.
    pub(crate) taken: Option<numbering::Taken>,
}

/// Writes a change of the balance into its ledger.
pub(crate) fn entry(
    change: &BalanceChange,
    customer: &Customer,
    invoice: &Invoice,
    now: Timestamp,
    ids: &mut Ids<'_>,
) -> BalanceTransaction {
    BalanceTransaction {
        id: CustomerBalanceTransactionId::new(ids),
        customer: customer.id.clone(),
        amount_minor: change.amount_minor,
        currency: invoice.currency,
        ending_balance_minor: change.ending_balance_minor,
        kind: match change.kind {
            BalanceChangeKind::Adjustment => BalanceTransactionKind::Adjustment,
            BalanceChangeKind::AppliedToInvoice => BalanceTransactionKind::AppliedToInvoice,
            BalanceChangeKind::UnappliedFromInvoice => BalanceTransactionKind::UnappliedFromInvoice,
            BalanceChangeKind::InvoiceTooSmall => BalanceTransactionKind::InvoiceTooSmall,
            BalanceChangeKind::InvoiceOverpaid => BalanceTransactionKind::InvoiceOverpaid,
            BalanceChangeKind::CreditNote => BalanceTransactionKind::CreditNote,
        },
        invoice: Some(invoice.id.clone()),
        credit_note: None,
        metadata: perennial::metadata::Metadata::default(),
        description: None,
        created: now,
    }
}

impl Engine {
    /// Makes a draft final and, where money is due and we collect it, begins the charge: all in
    /// memory. The caller writes it and then sends the claim.
    pub(crate) async fn issue(
        &self,
        scope: &Scope,
        invoice: &mut Invoice,
        customer: &mut Customer,
        subscription: Option<&mut Subscription>,
        method: Option<&PaymentMethod>,
        collect: Collect,
    ) -> Result<Issued, Refused> {
        let now = self.now();
        let mut taken = None;
        if invoice.number.is_none()
            && let Some((number, own)) = Box::pin(self.take_number(scope)).await?
        {
            invoice.number = Some(number);
            taken = Some(own);
        }
        let changes = invoice.finalize(customer, now)?;
        if let Some(subscription) = subscription {
            subscription.spend_discounts(invoice);
        }
        let mut ids = self.ids();
        let mut issued = Issued {
            transfers: ledger::finalized(invoice, now).map_err(|_| Refused::TooLarge)?,
            taken,
            ..Issued::default()
        };
        for change in &changes {
            issued
                .entries
                .push(entry(change, customer, invoice, now, &mut ids));
        }
        invoice.next_payment_attempt = None;
        if invoice.status != InvoiceStatus::Open {
            return Ok(issued);
        }
        if invoice.collection_method == CollectionMethod::SendInvoice {
            // The next look at it: by then it should have been paid.
            invoice.next_payment_attempt = invoice.due_date;
            return Ok(issued);
        }
        match (collect, method) {
            (Collect::Now { on_session }, Some(method)) => {
                let intent =
                    payments::begin(None, invoice, method, on_session, true, now, &mut ids);
                issued.token = Some(method.gateway_token.clone());
                issued.intent = Some(intent);
            }
            (Collect::Now { .. }, None) => {
                payments::count_attempt(invoice, true);
                issued.unpayable = true;
            }
            (Collect::Later, method) => {
                issued.intent = Some(payments::unsent(invoice, method, now, &mut ids));
            }
        }
        Ok(issued)
    }

    /// Finalises a draft and pays it as its settings say. A worker calls it when the draft is due,
    /// a merchant any time.
    ///
    /// # Errors
    /// [`Refused::State`] when it is not a draft.
    pub async fn finalize_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        self.clear_replaced(scope, id).await?;
        let result = self.finalize_and_collect(scope, id).await?;
        match result {
            Some(result) => Ok(result.into_invoice()),
            None => self.find(scope, id.as_str()).await,
        }
    }

    pub(crate) async fn finalize_and_collect(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Option<PaymentResult>, Refused> {
        let claim = self
            .retrying(|| self.finalize_once(scope, id, None))
            .await?;
        match claim {
            Some(claim) => self.send(scope, claim).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn finalize_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        collect: Option<Collect>,
    ) -> Result<Option<payments::Claim>, Refused> {
        let mut books = self.books(scope, id).await?;
        if books.invoice.status != InvoiceStatus::Draft {
            return Err(Refused::State {
                code: Some("invoice_not_editable"),
                message: "Only a draft invoice can be finalized.".to_owned(),
            });
        }
        let own = books.subscription.as_deref();
        let method = self
            .paying_method(scope, &books.invoice, own, &books.customer, None)
            .await?;
        let pause = own.and_then(|own| own.pause_collection);
        let collect = match (collect, pause) {
            (Some(collect), _) => collect,
            (None, Some(_)) => Collect::Later,
            // By hand, or not at all: the merchant asked for it.
            (None, None)
                if !books.invoice.auto_advance
                    && books.invoice.billing_reason == BillingReason::Manual =>
            {
                Collect::Later
            }
            (None, None) => Collect::Now { on_session: false },
        };
        let spans = {
            let own = books.subscription.as_deref().cloned();
            let customer = books.customer.clone();
            self.refresh_usage(scope, &mut books.invoice, &customer, own.as_ref())
                .await?
        };
        // What it replaces gives back what it took from the balance first.
        let replaced = self.replaced_by(scope, &mut books).await?;
        let Parts {
            invoice,
            customer,
            subscription,
            ..
        } = books.parts();
        // What its bank refused for good is not asked again by ourselves.
        let refused = match collect {
            Collect::Now { on_session: false } => {
                method.as_ref().and_then(|own| own.refused.clone())
            }
            _ => None,
        };
        let paying = method.as_deref().filter(|_| refused.is_none());
        let mut issued = self
            .issue(scope, invoice, customer, subscription, paying, collect)
            .await?;
        if invoice.status == InvoiceStatus::Open {
            let behavior = pause.map(|pause| pause.behavior);
            self.set_aside(invoice, customer, &mut issued, behavior)?;
        }
        // Nothing to pay, or set aside at once: that is an answer too, as a payment would be.
        if books.invoice.status != InvoiceStatus::Open
            && let Some(own) = &mut books.subscription
        {
            self.standing_after(scope, own, &books.invoice).await?;
        }
        let mut failure = None;
        if issued.unpayable {
            let known = method.as_deref().filter(|_| refused.is_some());
            let (scheduling, now) = (self.scheduling(scope, known).await?, self.now());
            let decline = refused.clone();
            let decline = decline.unwrap_or_else(payments::nothing_to_pay_with);
            if books.customer.backup.is_some() {
                // Its other methods are tried next, which takes more than this decision.
                self.alone()?;
            }
            self.look_ahead(scope, &mut books).await?;
            let failed = payments::fail(books.parts(), &decline, &scheduling, true, now)?;
            self.stop_if(scope, &mut books, failed.ends).await?;
            failure = Some(failed);
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut books.invoice).await?;
        if let Some(replaced) = replaced {
            replaced.write(&mut booking).await?;
        }
        book_issued(&mut booking, &books.invoice, &issued).await?;
        if let Some(failure) = &failure {
            payments::tell_failure(&mut booking, &books.invoice, failure).await?;
        }
        books.write(&mut booking).await?;
        for mut span in spans {
            booking.save_quietly(&mut span).await?;
        }
        booking.commit().await?;
        Ok(payments::Claim::of(issued, &books.invoice))
    }

    /// What becomes of an open invoice while collection is paused.
    fn set_aside(
        &self,
        invoice: &mut Invoice,
        customer: &mut Customer,
        issued: &mut Issued,
        behavior: Option<PauseBehavior>,
    ) -> Result<(), Refused> {
        let now = self.now();
        match behavior {
            Some(PauseBehavior::MarkUncollectible) => {
                invoice.mark_uncollectible(now)?;
                let transfers = ledger::written_off(invoice, now);
                let transfers = transfers.map_err(|_| Refused::TooLarge)?;
                issued.transfers.extend(transfers);
            }
            Some(PauseBehavior::Void) => {
                let transfers = ledger::voided(invoice, now).map_err(|_| Refused::TooLarge)?;
                issued.transfers.extend(transfers);
                if let Some(change) = invoice.void(customer, now)? {
                    let made = entry(&change, customer, invoice, now, &mut self.ids());
                    issued.entries.push(made);
                }
                issued.intent = None;
                invoice.payment_intent = None;
            }
            Some(PauseBehavior::KeepAsDraft) | None => {}
        }
        Ok(())
    }

    /// The next ordinary invoice of a subscription as it stands; `None` when there will be none.
    ///
    /// # Errors
    /// When there is no such subscription.
    pub async fn upcoming(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Option<Upcoming>, Refused> {
        let subscription: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        let customer: Stored<Customer> = self.find(scope, subscription.customer.as_str()).await?;
        let pending = values(&self.pending(scope, &subscription.customer).await?);
        self.coming(scope, &subscription, &customer, pending).await
    }

    /// The next ordinary invoice of a subscription, with what was used so far.
    pub(crate) async fn coming(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        customer: &Customer,
        pending: Vec<InvoiceItem>,
    ) -> Result<Option<Upcoming>, Refused> {
        let mut plain = Cow::Borrowed(subscription);
        if subscription.pending_items_at().is_some() && pending.is_empty() {
            // Nothing waits to be billed between its periods.
            plain.to_mut().settings = None;
        }
        let Some(at) = plain.next_due_at() else {
            return Ok(upcoming(subscription, customer, &pending)?);
        };
        let metered = self.metered(scope, &plain, at).await?;
        let pending = [pending, metered.owed].concat();
        let usage = Some(metered.usage.as_slice()).filter(|usage| !usage.is_empty());
        Ok(upcoming_with(subscription, customer, &pending, usage)?)
    }
}

/// Writes what finalising brought, after the invoice itself.
pub(crate) async fn book_issued(
    booking: &mut Booking<'_>,
    invoice: &Invoice,
    issued: &Issued,
) -> Result<(), Refused> {
    if let Some(taken) = &issued.taken {
        booking.keep_turn(&taken.held);
        booking.save_quietly(&mut taken.row.clone()).await?;
    }
    booking.tell("invoice.finalized", invoice).await?;
    booking.insert_all(issued.entries.clone()).await?;
    booking.post(&issued.transfers).await?;
    if let Some(intent) = &issued.intent {
        booking.insert(intent.clone()).await?;
    }
    match invoice.status {
        InvoiceStatus::Uncollectible => {
            booking
                .tell("invoice.marked_uncollectible", invoice)
                .await?;
        }
        InvoiceStatus::Void => booking.tell("invoice.voided", invoice).await?,
        _ => {}
    }
    if invoice.status == InvoiceStatus::Paid {
        booking.tell("invoice.paid", invoice).await?;
        booking.tell("invoice.payment_succeeded", invoice).await?;
    }
    Ok(())
}

/// Marks waiting items as taken up by `invoice`.
pub(crate) async fn book_taken(
    booking: &mut Booking<'_>,
    pending: Vec<Stored<InvoiceItem>>,
    taken: &[InvoiceItemId],
    invoice: &InvoiceId,
) -> Result<(), Refused> {
    let mut rows = pending;
    rows.retain(|row| taken.contains(&row.id));
    for row in &mut rows {
        row.invoice = Some(invoice.clone());
    }
    booking.save_all_quietly(&mut rows).await
}

/// A transition that our own rules had made sure of.
pub(crate) fn defect(error: impl std::fmt::Display) -> Refused {
    Refused::Defect(error.to_string())
}

impl From<InvoiceError> for Refused {
    fn from(error: InvoiceError) -> Self {
        match error {
            InvoiceError::Transition { .. } | InvoiceError::PartlyPaid => Self::State {
                code: Some("invoice_not_editable"),
                message: error.to_string(),
            },
            InvoiceError::TooManyLines => Self::invalid("invoice", error.to_string()),
            InvoiceError::CurrencyMismatch => Self::invalid("currency", error.to_string()),
            InvoiceError::Money(_) | InvoiceError::PaymentAmount => Self::TooLarge,
            InvoiceError::WrongCustomer | InvoiceError::NumbersUsedUp => {
                Self::Defect(error.to_string())
            }
        }
    }
}
