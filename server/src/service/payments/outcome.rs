//! What comes of an attempt: for the invoice, the customer, the subscription, and the next one.

use std::pin::Pin;

use perennial::calendar::Timestamp;
use perennial::credit::{self, BalanceChangeKind};
use perennial::customer::Customer;
use perennial::dunning::{DeclineClass, Next, meaning};
use perennial::id::PaymentIntentId;
use perennial::invoice::{Invoice, InvoiceStatus, PaymentSource};
use perennial::ledger::{self, Transfer, Way};
use perennial::money::Money;
use perennial::payment::{Decline, Outcome, PaymentIntent, PaymentMethod, PaymentStatus};
use perennial::subscription::{
    Cancellation, CancellationReason, CollectionMethod, Event, Status, Subscription, WhenExhausted,
};

use super::PaymentResult;
use super::attaching::write_part;
use super::scheduling::{Lesson, Scheduling};
use crate::rendering;
use crate::service::balance::BalanceTransaction;
use crate::service::booking::{Booking, Edit};
use crate::service::books::{Books, Parts, stop};
use crate::service::due::challenge_due_at;
use crate::service::invoices::{defect, entry};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// What a failed attempt brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Whether the customer must prove who they are.
    pub(crate) action: bool,
    /// Whether the subscription ends with it.
    pub(crate) ends: bool,
}

/// Notes a failed attempt: the standing of invoice, customer and subscription, and when it is tried
/// again.
pub(crate) fn fail(
    mut parts: Parts<'_>,
    decline: &Decline,
    scheduling: &Scheduling,
    automatic: bool,
    now: Timestamp,
) -> Result<Failure, Refused> {
    parts.invoice.last_payment_error = Some(decline.clone());
    parts.customer.delinquent = true;
    let ends = schedule(&mut parts, Some(decline), scheduling, automatic, now)?;
    let action = meaning(decline).0 == DeclineClass::NeedsAction;
    Ok(Failure { action, ends })
}

/// Notes an attempt that was not made, as [`fail`] does one that failed: the schedule goes on, but the
/// customer's standing is what it was, since nothing failed anew. Answers whether the subscription ends.
pub(crate) fn leave_out(
    mut parts: Parts<'_>,
    decline: &Decline,
    scheduling: &Scheduling,
    now: Timestamp,
) -> Result<bool, Refused> {
    parts.invoice.last_payment_error = Some(decline.clone());
    schedule(&mut parts, Some(decline), scheduling, true, now)
}

/// Puts a subscription in arrears and finds the next attempt; answers whether it ends instead.
fn schedule(
    parts: &mut Parts<'_>,
    decline: Option<&Decline>,
    scheduling: &Scheduling,
    automatic: bool,
    now: Timestamp,
) -> Result<bool, Refused> {
    let invoice = &mut *parts.invoice;
    if let Some(own) = parts.subscription.as_deref()
        && own.waits_for(&invoice.id)
    {
        // The change, or the end of the pause, waits for this payment: nothing is behind, and nobody tries by themselves.
        invoice.next_payment_attempt = None;
        return Ok(false);
    }
    let status = parts.subscription.as_ref().map(|own| own.status);
    if let Some(own) = parts.subscription.as_deref_mut()
        && matches!(own.status, Status::Active | Status::PastDue)
        && !parts.overtaken
    {
        own.status = own
            .status
            .transition(Event::RenewalFailed)
            .map_err(defect)?;
    }
    let sent = invoice.collection_method == CollectionMethod::SendInvoice;
    if !invoice.auto_advance || sent {
        invoice.next_payment_attempt = None;
        return Ok(false);
    }
    if !automatic && invoice.next_payment_attempt.is_some() {
        // Somebody tried by hand; our own schedule goes on as it was.
        return Ok(false);
    }
    match scheduling.next(invoice, status, decline, now)? {
        Next::Retry { at, .. } => {
            invoice.next_payment_attempt = Some(at);
            Ok(false)
        }
        Next::Exhausted(_) if waits_for_others(invoice, parts.customer) => {
            // The customer's other methods come first. Should this process die before, the schedule
            // tries once more and ends then.
            if let Some(retrying) = &mut invoice.retrying {
                retrying.last_chance = true;
            }
            let later = now.0.saturating_add(LAST_CHANCE_SECONDS);
            invoice.next_payment_attempt = Some(Timestamp(later));
            Ok(false)
        }
        Next::Exhausted(then) => {
            invoice.next_payment_attempt = None;
            match parts.subscription.as_deref_mut() {
                Some(own) if own.status == Status::PastDue => give_up(invoice, own, then, now),
                _ => Ok(false),
            }
        }
    }
}

/// How long the end of a schedule waits for the customer's other methods, in seconds.
const LAST_CHANCE_SECONDS: i64 = 3_600;

/// Whether the customer allowed other methods than the one that failed, and they are still to be tried.
fn waits_for_others(invoice: &Invoice, customer: &Customer) -> bool {
    let Some(retrying) = &invoice.retrying else {
        return false;
    };
    let others = customer.backup.iter().flat_map(|consent| &consent.methods);
    let mut others = others.filter(|own| Some(*own) != retrying.method.as_ref());
    !retrying.last_chance && !customer.deleted && others.next().is_some()
}

/// The last retry failed; answers whether the subscription ends.
fn give_up(
    invoice: &mut Invoice,
    own: &mut Subscription,
    then: WhenExhausted,
    now: Timestamp,
) -> Result<bool, Refused> {
    own.status = own
        .status
        .transition(Event::RetriesExhausted(then))
        .map_err(defect)?;
    if own.status != Status::Canceled {
        return Ok(false);
    }
    own.canceled_at = Some(now);
    own.ended_at = Some(now);
    own.cancel_at = None;
    own.cancel_at_period_end = false;
    own.scheduled_change = None;
    own.cancellation = Some(Cancellation {
        reason: Some(CancellationReason::PaymentFailed),
        ..Cancellation::default()
    });
    stop(invoice);
    Ok(true)
}

/// Tells of a failed attempt.
pub(crate) async fn tell_failure(
    booking: &mut Booking<'_>,
    invoice: &Invoice,
    failure: &Failure,
) -> Result<(), Refused> {
    if failure.action {
        booking
            .tell("invoice.payment_action_required", invoice)
            .await?;
    }
    booking.tell("invoice.payment_failed", invoice).await
}

impl Engine {
    /// Commits what the gateway said about an attempt. Saying it twice changes nothing.
    pub(crate) async fn commit_outcome(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        attempt: u32,
        outcome: Outcome,
    ) -> Result<PaymentResult, Refused> {
        self.retrying(|| self.commit_outcome_once(scope, id, attempt, &outcome))
            .await
    }

    /// As [`Engine::commit_outcome`], once.
    pub(crate) async fn commit_outcome_once(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<PaymentResult, Refused> {
        let mut intent = self.edit_intent(scope, id).await?;
        let row = self.invoice_of(scope, &intent).await?;
        if intent.attempt != attempt || !is_news(&intent, outcome) {
            return Ok(PaymentResult::of(row, &intent));
        }
        agrees(&intent, outcome)?;
        let mut books = self.books(scope, &row.id).await?;
        // Whatever pays an invoice in the end, only failures and what follows them teach anything.
        let failed = !matches!(outcome, Outcome::Succeeded { .. });
        let mut method: Option<Edit<PaymentMethod>> = None;
        if let Some(id) = &intent.payment_method
            && (failed || intent.on_session || books.invoice.retrying.is_some())
        {
            let found: Stored<PaymentMethod> = self.find(scope, id.as_str()).await?;
            method = Some(Edit::of(found));
        }
        if let Some(method) = &mut method {
            remember(method, outcome);
        }
        let lesson = method.as_deref();
        let lesson = lesson.map(|own| Lesson::of(outcome, &intent, &books.invoice, own));
        let scheduling = match failed {
            true => self.scheduling(scope, method.as_deref()).await?,
            false => Scheduling::default(),
        };
        note(&mut intent, outcome, self.now());
        let told = match outcome {
            Outcome::Succeeded { .. } => self.take_payment(scope, &mut books, &mut intent).await?,
            // A part that fails leaves the invoice and its own payment as they were.
            _ if intent.by_itself => Told::default(),
            Outcome::Declined(decline) => {
                self.take_refusal(scope, &mut books, Some(decline), &scheduling)
                    .await?
            }
            Outcome::RequiresAction { .. } => {
                self.take_refusal(scope, &mut books, None, &scheduling)
                    .await?
            }
        };
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        if let Some(method) = &mut method {
            booking.save_quietly(method).await?;
        }
        let failed = told.failure.is_some() || told.action;
        told.write(&mut booking, &intent, &mut books).await?;
        if let Some(lesson) = &lesson {
            lesson.write(&mut booking, &intent, self);
        }
        booking.commit().await?;
        if failed {
            self.let_go(scope, &books).await;
        }
        Ok(PaymentResult::of(books.invoice.into_row(), &intent))
    }

    /// Where a subscription ended because nobody paid: gives up what is still out on its invoices, so
    /// that no challenge that is open takes money for it later.
    pub(crate) fn let_go<'a>(
        &'a self,
        scope: &'a Scope,
        books: &Books,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let ended = books.subscription.as_ref();
        let ended = ended.filter(|own| own.status == Status::Canceled);
        let ended = ended.map(|own| own.id.clone());
        Box::pin(async move {
            let Some(id) = ended else { return };
            let given_up = match self.invoices_of(scope, &id).await {
                Ok(invoices) => self.give_up_payments(scope, &invoices).await,
                Err(error) => Err(error),
            };
            if let Err(error) = given_up {
                tracing::error!(%id, %error, "a payment of an ended subscription is still open");
            }
        })
    }

    /// Ends the schedule of an invoice whose customer's other methods were all refused.
    pub(crate) async fn give_up_at_last(
        &self,
        scope: &Scope,
        id: &perennial::id::InvoiceId,
    ) -> Result<(), Refused> {
        let books = self
            .retrying(|| async {
                let mut books = self.books(scope, id).await?;
                let retrying = books.invoice.retrying.clone();
                let open = books.invoice.status == InvoiceStatus::Open;
                let Some(retrying) = retrying.filter(|own| own.last_chance && open) else {
                    return Ok(None);
                };
                let decline = retrying.decline.unwrap_or_else(super::nothing_to_pay_with);
                let method = match &retrying.method {
                    Some(id) => self.lookup_method(scope, id).await?,
                    None => None,
                };
                let scheduling = self.scheduling(scope, method.as_deref()).await?;
                self.look_ahead(scope, &mut books).await?;
                let ends = leave_out(books.parts(), &decline, &scheduling, self.now())?;
                self.stop_if(scope, &mut books, ends).await?;
                let mut booking = Booking::begin(self, scope).await?;
                booking.save(&mut books.invoice).await?;
                books.write(&mut booking).await?;
                booking.commit().await?;
                Ok(Some(books))
            })
            .await?;
        if let Some(books) = &books {
            self.let_go(scope, books).await;
        }
        Ok(())
    }

    async fn take_payment(
        &self,
        scope: &Scope,
        books: &mut Books,
        intent: &mut PaymentIntent,
    ) -> Result<Told, Refused> {
        let (mut told, now) = (Told::default(), self.now());
        let id = intent.id.clone();
        let way = Way::Gateway(id.as_str());
        let invoice = &mut *books.invoice;
        // Credit notes may have made it smaller while the charge was out.
        let owed = match invoice.status {
            InvoiceStatus::Open | InvoiceStatus::Uncollectible => invoice.amount_remaining_minor(),
            InvoiceStatus::Draft | InvoiceStatus::Paid | InvoiceStatus::Void => 0,
        };
        let applied = intent.amount_minor.min(owed);
        let over = intent.amount_minor.saturating_sub(applied);
        if over > 0 {
            told.overpaid = Some(self.keep_overpaid(invoice, &mut books.customer, over)?);
            told.transfers = ledger::overpaid(invoice, over, way, now).map_err(defect)?;
        }
        intent.applied_minor = Some(applied);
        if let Some(part) = invoice.attached_mut(&PaymentSource::PaymentIntent(id.clone())) {
            part.pay(applied, now);
        }
        if applied == 0 {
            return Ok(told);
        }
        invoice.settle(applied, now)?;
        let paid = ledger::paid(invoice, applied, way, now).map_err(defect)?;
        told.transfers.extend(paid);
        told.applied = true;
        if let (Some(own), Some(method)) = (&mut books.subscription, &intent.payment_method) {
            own.note_payment(method);
        }
        if intent.by_itself {
            told.paid = invoice.status == InvoiceStatus::Paid;
            let own = Box::pin(self.after_part(scope, books)).await?;
            told.own = own.map(Box::new);
            return Ok(told);
        }
        if invoice.status != InvoiceStatus::Paid {
            return Ok(told);
        }
        told.paid = true;
        books.customer.delinquent = false;
        if let Some(own) = &mut books.subscription {
            self.standing_after(scope, own, &books.invoice).await?;
        }
        Ok(told)
    }

    /// The bank said no, or (without a decline) wants the customer's proof first.
    async fn take_refusal(
        &self,
        scope: &Scope,
        books: &mut Books,
        decline: Option<&Decline>,
        scheduling: &Scheduling,
    ) -> Result<Told, Refused> {
        let mut told = Told::default();
        // Where our own schedule still waits, somebody tried by hand; it goes on as it was.
        let automatic = books.invoice.next_payment_attempt.is_none();
        let now = self.now();
        let open = books.invoice.status == InvoiceStatus::Open;
        self.look_ahead(scope, books).await?;
        let ends = match decline {
            Some(decline) => {
                let failure = match open {
                    true => fail(books.parts(), decline, scheduling, automatic, now)?,
                    false => Failure::default(),
                };
                told.failure = Some(failure);
                failure.ends
            }
            None => {
                told.action = true;
                open && schedule(&mut books.parts(), None, scheduling, automatic, now)?
            }
        };
        self.stop_if(scope, books, ends).await?;
        Ok(told)
    }

    /// Stops the other invoices of a subscription that ends.
    pub(crate) async fn stop_if(
        &self,
        scope: &Scope,
        books: &mut Books,
        ends: bool,
    ) -> Result<(), Refused> {
        if ends && let Some(own) = &books.subscription {
            books.stopped = self.stopped_with(scope, own, Some(&books.invoice)).await?;
        }
        Ok(())
    }

    /// Money that came for an invoice which needs none any more becomes the customer's credit.
    pub(super) fn keep_overpaid(
        &self,
        invoice: &mut Invoice,
        customer: &mut Customer,
        amount_minor: i64,
    ) -> Result<BalanceTransaction, Refused> {
        tracing::error!(invoice = %invoice.id, amount_minor, "a payment came for a closed invoice");
        let credit = amount_minor.checked_neg().ok_or(Refused::TooLarge)?;
        let sum = invoice.amount_overpaid_minor.checked_add(amount_minor);
        invoice.amount_overpaid_minor = sum.ok_or(Refused::TooLarge)?;
        let kind = BalanceChangeKind::InvoiceOverpaid;
        let change = credit::adjust(&mut customer.balance_minor, credit, kind).map_err(defect)?;
        Ok(entry(
            &change,
            customer,
            invoice,
            self.now(),
            &mut self.ids(),
        ))
    }
}

/// Refuses an outcome that can't be one of this attempt: another amount than was asked for, a charge
/// without a name, or a challenge without a place. Somebody must look: it is set aside with this reason, and nothing is booked.
pub(super) fn agrees(intent: &PaymentIntent, outcome: &Outcome) -> Result<(), Refused> {
    let id = &intent.id;
    let (charge, charged) = match outcome {
        Outcome::Succeeded { charge, charged } => (charge, charged),
        Outcome::RequiresAction { challenge } if challenge.is_empty() => {
            let what = format!("the gateway wants a proof for {id}, and does not say where");
            return Err(Refused::Defect(what));
        }
        _ => return Ok(()),
    };
    let asked = Money::new(intent.amount_minor, intent.currency);
    if charge.is_empty() {
        let what = format!("the gateway says that {id} succeeded, and names no charge");
        return Err(Refused::Defect(what));
    }
    match charged {
        Some(charged) if *charged == asked => Ok(()),
        Some(charged) => Err(Refused::Defect(format!(
            "the gateway says that it took {} {} for {id}, where {} {} were asked for (minor units)",
            charged.minor, charged.currency, asked.minor, asked.currency,
        ))),
        None => Err(Refused::Defect(format!(
            "the gateway says that {id} succeeded, and not how much it took"
        ))),
    }
}

/// Whether an outcome says more than is known.
pub(super) fn is_news(intent: &PaymentIntent, outcome: &Outcome) -> bool {
    match intent.status {
        PaymentStatus::Processing => true,
        PaymentStatus::RequiresAction => !matches!(outcome, Outcome::RequiresAction { .. }),
        _ => false,
    }
}

/// Notes on a method whether its bank refuses it for good.
pub(super) fn remember(method: &mut PaymentMethod, outcome: &Outcome) {
    match outcome {
        Outcome::Succeeded { .. } => method.refused = None,
        Outcome::Declined(decline) if meaning(decline).0 == DeclineClass::Hard => {
            method.refused = Some(decline.clone());
        }
        Outcome::Declined(_) | Outcome::RequiresAction { .. } => {}
    }
}

/// Notes an outcome on the intent.
pub(super) fn note(intent: &mut PaymentIntent, outcome: &Outcome, now: Timestamp) {
    intent.challenge = None;
    intent.ask_at = None;
    match outcome {
        Outcome::Succeeded { charge, .. } => {
            intent.status = PaymentStatus::Succeeded;
            intent.gateway_charge = Some(charge.clone());
            intent.last_error = None;
        }
        Outcome::Declined(decline) => {
            intent.status = PaymentStatus::RequiresPaymentMethod;
            intent.last_error = Some(decline.clone());
        }
        Outcome::RequiresAction { challenge } => {
            intent.status = PaymentStatus::RequiresAction;
            intent.challenge = Some(challenge.clone());
            intent.ask_at = Some(challenge_due_at(Some(now), now));
        }
    }
}

/// What an outcome is told as.
#[derive(Default)]
struct Told {
    paid: bool,
    overpaid: Option<BalanceTransaction>,
    failure: Option<Failure>,
    action: bool,
    transfers: Vec<Transfer>,
    /// Something was paid on the invoice.
    applied: bool,
    /// The invoice's own payment, where a part that was attached changed it.
    own: Option<Box<Edit<PaymentIntent>>>,
}

impl Told {
    async fn write(
        mut self,
        booking: &mut Booking<'_>,
        intent: &PaymentIntent,
        books: &mut Books,
    ) -> Result<(), Refused> {
        let kind = match intent.status {
            PaymentStatus::Succeeded => "payment_intent.succeeded",
            PaymentStatus::RequiresAction => "payment_intent.requires_action",
            _ => "payment_intent.payment_failed",
        };
        booking.tell(kind, intent).await?;
        if self.applied {
            Box::pin(write_part(booking, books, self.own.as_deref_mut())).await?;
        }
        books.write(booking).await?;
        booking.post(&self.transfers).await?;
        if self.applied {
            let payment = rendering::whole::invoice_payment(intent, booking.livemode());
            booking.tell_shown("invoice_payment.paid", payment);
        }
        let invoice = &*books.invoice;
        if self.paid {
            booking.tell("invoice.paid", invoice).await?;
            booking.tell("invoice.payment_succeeded", invoice).await?;
        }
        if let Some(entry) = self.overpaid {
            booking.tell("invoice.overpaid", invoice).await?;
            booking.insert(entry).await?;
        }
        if self.action {
            booking
                .tell("invoice.payment_action_required", invoice)
                .await?;
        }
        if let Some(failure) = &self.failure {
            tell_failure(booking, invoice, failure).await?;
        }
        Ok(())
    }
}
