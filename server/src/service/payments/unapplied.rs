//! Payments that belong to no invoice: their money is taken and held for the customer until it is
//! attached to an invoice, or given back.
//!
//! The ledger holds it in an account of its own. When it is attached, it leaves that account and pays
//! the invoice as any payment does; what comes beyond what is owed becomes the customer's credit.

use perennial::id::{InvoiceId, PaymentIntentId, PaymentMethodId};
use perennial::invoice::{AttachedPayment, Invoice, InvoiceStatus, PaymentSource};
use perennial::ledger::{self, Held, Way};
use perennial::payment::{Outcome, PaymentIntent, PaymentMethod, PaymentStatus};

use super::attaching::{attachable, write_part};
use super::attempt::{Claim, start};
use super::outcome::{agrees, is_news, note, remember};
use crate::gateway::in_time;
use crate::rendering;
use crate::service::booking::{Booking, Edit};
use crate::service::invoices::defect;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// What is held of a payment, for the ledger.
pub(crate) fn held(intent: &PaymentIntent, amount_minor: i64) -> Held<'_> {
    Held {
        customer: &intent.customer,
        intent: intent.id.as_str(),
        amount_minor,
        currency: intent.currency,
    }
}

impl Engine {
    /// Charges a payment that belongs to no invoice. A decline and a challenge are no errors: the intent
    /// says so.
    ///
    /// # Errors
    /// [`Refused::State`] when it is out, succeeded or canceled, or has no method;
    /// [`Refused::NotFound`] when the method is not the customer's.
    pub async fn confirm_unapplied(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        method: Option<PaymentMethodId>,
        on_session: bool,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let method = method.as_ref();
        let claim = self
            .retrying(|| self.confirm_unapplied_once(scope, id, method, on_session))
            .await?;
        self.send_unapplied(scope, claim).await
    }

    async fn confirm_unapplied_once(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        wanted: Option<&PaymentMethodId>,
        on_session: bool,
    ) -> Result<Claim, Refused> {
        let mut intent = self.edit_intent(scope, id).await?;
        super::attaching::confirmable(&intent)?;
        if intent.invoice.is_some() {
            // It has just been attached: its invoice decides with it.
            return Err(Refused::Busy);
        }
        let customer = self.billable(scope, &intent.customer).await?;
        let wanted = wanted.cloned().or_else(|| intent.payment_method.clone());
        let wanted = wanted.ok_or_else(super::attaching::without_method)?;
        self.their_method(scope, &customer, Some(&wanted)).await?;
        let method: Stored<PaymentMethod> = self.find(scope, wanted.as_str()).await?;
        start(&mut intent, &method, on_session, self.now());
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        booking.commit().await?;
        Ok(Claim::new(&intent, &method, String::new()))
    }

    /// Sends a committed charge and commits what comes of it. It goes on when the caller goes away.
    async fn send_unapplied(
        &self,
        scope: &Scope,
        claim: Claim,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let (engine, scope) = (self.clone(), scope.clone());
        let work = async move {
            let answer = in_time(engine.gateway.charge(&scope, claim.charge())).await;
            let (id, attempt) = (&claim.intent().id, claim.intent().attempt);
            let Some(outcome) = claim.outcome(answer) else {
                engine.wake();
                return engine.find(&scope, id.as_str()).await;
            };
            match engine.commit_unapplied(&scope, id, attempt, &outcome).await {
                // What it says can't be: a worker asks again, and sets it aside with what is wrong.
                Err(Refused::Defect(what)) => {
                    tracing::error!(intent = %id, what, "the gateway's answer can't be");
                    engine.wake();
                    engine.find(&scope, id.as_str()).await
                }
                result => result,
            }
        };
        tokio::spawn(work).await.map_err(defect)?
    }

    async fn commit_unapplied(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        self.retrying(|| self.commit_unapplied_once(scope, id, attempt, outcome))
            .await
    }

    /// Commits what the gateway said about an attempt. Saying it twice changes nothing.
    async fn commit_unapplied_once(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let mut intent = self.edit_intent(scope, id).await?;
        if intent.attempt != attempt || !is_news(&intent, outcome) {
            return Ok(intent.into_row());
        }
        if intent.invoice.is_some() {
            // It was attached while it was out.
            Box::pin(self.commit_outcome_once(scope, id, attempt, outcome)).await?;
            return self.find(scope, id.as_str()).await;
        }
        agrees(&intent, outcome)?;
        let now = self.now();
        let mut method: Option<Edit<PaymentMethod>> = None;
        if let Some(id) = &intent.payment_method {
            method = Some(Edit::of(self.find(scope, id.as_str()).await?));
        }
        if let Some(method) = &mut method {
            remember(method, outcome);
        }
        note(&mut intent, outcome, now);
        let mut transfers = Vec::new();
        let kind = match outcome {
            Outcome::Succeeded { .. } => {
                intent.unapplied_minor = intent.amount_minor;
                let taken = ledger::held(&held(&intent, intent.amount_minor), now);
                transfers = taken.map_err(|_| Refused::TooLarge)?;
                "payment_intent.succeeded"
            }
            Outcome::RequiresAction { .. } => "payment_intent.requires_action",
            Outcome::Declined(_) => "payment_intent.payment_failed",
        };
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        if let Some(method) = &mut method {
            booking.save_quietly(method).await?;
        }
        booking.tell(kind, &*intent).await?;
        booking.post(&transfers).await?;
        booking.commit().await?;
        Ok(intent.into_row())
    }

    /// Asks the gateway what became of an attempt that belongs to no invoice, and commits it. What it
    /// never heard of is sent again with the same key.
    pub(super) async fn ask_after_unapplied(
        &self,
        scope: &Scope,
        intent: &Stored<PaymentIntent>,
    ) -> Result<(), Refused> {
        if !intent.status.is_out() {
            return Ok(());
        }
        let key = intent.idempotency_key();
        match in_time(self.gateway.lookup(scope, &key)).await {
            Ok(Some(outcome)) => {
                let (id, attempt) = (&intent.id, intent.attempt);
                self.commit_unapplied(scope, id, attempt, &outcome).await?;
            }
            Ok(None) if intent.status == PaymentStatus::Processing => {
                let method = intent.payment_method.as_ref();
                let method = method.ok_or_else(|| defect("an attempt without a payment method"))?;
                let method: Stored<PaymentMethod> = self.find(scope, method.as_str()).await?;
                let claim = Claim::new(intent, &method, String::new());
                self.send_unapplied(scope, claim).await?;
            }
            Ok(None) => {}
            Err(error) => {
                let id = &intent.id;
                tracing::warn!(intent = %id, %error, "the gateway does not say what became of it");
            }
        }
        Ok(())
    }

    /// Gives up an attempt that belongs to no invoice and waits for the customer's proof.
    pub(super) async fn abandon_unapplied(
        &self,
        scope: &Scope,
        intent: &Stored<PaymentIntent>,
    ) -> Result<(), Refused> {
        let outcome = self.told_to_abandon(scope, intent).await?;
        let (id, attempt) = (&intent.id, intent.attempt);
        self.commit_unapplied(scope, id, attempt, &outcome).await?;
        Ok(())
    }

    /// Attaches a payment whose money is here to an invoice, which it pays at once.
    pub(super) async fn attach_held_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        intent: &PaymentIntentId,
    ) -> Result<Stored<Invoice>, Refused> {
        let (param, now) = ("payment_intent", self.now());
        let mut books = self.books(scope, id).await?;
        let mut intent: Edit<PaymentIntent> =
            Edit::of(self.find_named(scope, intent.as_str(), param).await?);
        attachable(
            &books.invoice,
            intent.currency,
            Some(&intent.customer),
            param,
        )?;
        if let Some(other) = &intent.invoice {
            let message = format!("The PaymentIntent is attached to the invoice {other} already.");
            return Err(Refused::invalid(param, message));
        }
        let brought = intent.refundable_minor();
        if brought == 0 {
            let message = "The PaymentIntent has been refunded.";
            return Err(Refused::invalid(param, message));
        }
        if brought != intent.unapplied_minor {
            let message =
                "A refund of the PaymentIntent is under way. Attach it when that is decided.";
            return Err(Refused::invalid(param, message));
        }
        let released = ledger::released(&held(&intent, brought), now);
        let mut transfers = released.map_err(|_| Refused::TooLarge)?;
        let intent_id = intent.id.clone();
        let way = Way::Gateway(intent_id.as_str());
        let invoice = &mut *books.invoice;
        let applied = brought.min(invoice.amount_remaining_minor());
        let over = brought.saturating_sub(applied);
        let mut credit = None;
        if over > 0 {
            credit = Some(self.keep_overpaid(invoice, &mut books.customer, over)?);
            transfers.extend(ledger::overpaid(invoice, over, way, now).map_err(defect)?);
        }
        let paid = ledger::paid(invoice, applied, way, now);
        transfers.extend(paid.map_err(|_| Refused::TooLarge)?);
        invoice.settle(applied, now)?;
        let source = PaymentSource::PaymentIntent(intent_id.clone());
        let mut attached = AttachedPayment::open(source, intent.amount_minor, now);
        attached.pay(applied, now);
        invoice.attached.push(attached);
        intent.invoice = Some(invoice.id.clone());
        intent.refunded_before_minor = intent.refunded_minor;
        intent.unapplied_minor = 0;
        intent.applied_minor = Some(applied);
        let mut own = self.after_part(scope, &mut books).await?;
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        write_part(&mut booking, &mut books, own.as_mut()).await?;
        booking.post(&transfers).await?;
        let shown = rendering::whole::invoice_payment(&intent, booking.livemode());
        booking.tell_shown("invoice_payment.paid", shown);
        if books.invoice.status == InvoiceStatus::Paid {
            booking.tell("invoice.paid", &*books.invoice).await?;
            booking
                .tell("invoice.payment_succeeded", &*books.invoice)
                .await?;
        }
        if let Some(entry) = credit {
            booking.tell("invoice.overpaid", &*books.invoice).await?;
            booking.insert(entry).await?;
        }
        books.write(&mut booking).await?;
        booking.commit().await?;
        Ok(books.invoice.into_row())
    }
}
