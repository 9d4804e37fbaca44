//! Paying an invoice in parts: payment intents that are made by themselves and attached to it, and
//! money past the gateway that is reported and attached.
//!
//! An attached payment that fails changes nothing about the invoice: its own payment goes on as it
//! did. What comes beyond what is owed becomes the customer's credit.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId, PaymentRecordId};
use perennial::invoice::{
    ATTACHED_MAX, AttachedPayment, AttachedStatus, Invoice, InvoiceStatus, PaymentSource,
};
use perennial::ledger::{self, Way};
use perennial::metadata::Metadata;
use perennial::payment::{Delivery, PaymentIntent, PaymentStatus};
use perennial::payment_record::{PaymentRecord, RecordOutcome};

use super::attempt::{Claim, start};
use super::particulars::ParticularsUpdate;
use super::{PaymentResult, refused_in};
use crate::rendering;
use crate::service::booking::{Booking, Edit};
use crate::service::books::Books;
use crate::service::invoices::defect;
use crate::service::refunds::whole_steps;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// A payment intent as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// Who pays.
    pub customer: CustomerId,
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// With what.
    pub payment_method: Option<PaymentMethodId>,
    /// The merchant's note.
    pub description: Option<String>,
    /// Where the goods go that it pays for.
    pub shipping: Option<Box<Delivery>>,
    /// What the payer is to read of it.
    pub particulars: ParticularsUpdate,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// Refuses because of where something stands.
fn state(code: Option<&'static str>, message: impl Into<String>) -> Refused {
    Refused::State {
        code,
        message: message.into(),
    }
}

/// Refuses to attach to what can't be paid, or not with this currency and customer.
pub(super) fn attachable(
    invoice: &Invoice,
    currency: Currency,
    customer: Option<&CustomerId>,
    param: &str,
) -> Result<(), Refused> {
    if !matches!(
        invoice.status,
        InvoiceStatus::Open | InvoiceStatus::Uncollectible
    ) {
        let message = "Payments can only be attached to open or uncollectible invoices.";
        return Err(state(Some("invoice_not_payable"), message));
    }
    if currency != invoice.currency {
        let message = format!(
            "It must be in the invoice's currency, {}.",
            invoice.currency
        );
        return Err(Refused::invalid(param, message));
    }
    if customer.is_some_and(|own| *own != invoice.customer) {
        let message = "It must belong to the invoice's customer.";
        return Err(Refused::invalid(param, message));
    }
    if invoice.attached.len() >= ATTACHED_MAX {
        let message = format!("At most {ATTACHED_MAX} payments can be attached to an invoice.");
        return Err(Refused::invalid(param, message));
    }
    Ok(())
}

impl Engine {
    /// Makes a payment intent by itself. It takes money once it is confirmed, with an invoice or before.
    ///
    /// # Errors
    /// Names the parameter that can't be used.
    pub async fn create_intent(
        &self,
        scope: &Scope,
        new: NewIntent,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let customer: Stored<Customer> = self.billable(scope, &new.customer).await?;
        chargeable(new.amount_minor, new.currency)?;
        self.their_method(scope, &customer, new.payment_method.as_ref())
            .await?;
        let mut intent = PaymentIntent {
            id: PaymentIntentId::new(&mut self.ids()),
            customer: new.customer,
            invoice: None,
            amount_minor: new.amount_minor,
            currency: new.currency,
            status: match new.payment_method {
                Some(_) => PaymentStatus::RequiresConfirmation,
                None => PaymentStatus::RequiresPaymentMethod,
            },
            payment_method: new.payment_method,
            attempt: 0,
            on_session: false,
            last_error: None,
            challenge: None,
            gateway_charge: None,
            refunded_minor: 0,
            metadata: new.metadata,
            charge_metadata: Metadata::default(),
            description: new.description,
            shipping: new.shipping,
            particulars: None,
            by_itself: true,
            applied_minor: None,
            unapplied_minor: 0,
            refunded_before_minor: 0,
            canceled_at: None,
            created: self.now(),
            attempted_at: None,
            ask_at: None,
            test_clock: customer.test_clock.clone(),
        };
        new.particulars.apply(&mut intent)?;
        let mut booking = Booking::begin(self, scope).await?;
        let intent = booking.insert(intent).await?;
        booking.commit().await?;
        Ok(intent)
    }

    /// Makes sure that a method belongs to a customer.
    pub(super) async fn their_method(
        &self,
        scope: &Scope,
        customer: &Customer,
        method: Option<&PaymentMethodId>,
    ) -> Result<(), Refused> {
        let Some(id) = method else { return Ok(()) };
        let found = self.lookup_method(scope, id).await?;
        match found.filter(|own| own.customer.as_ref() == Some(&customer.id)) {
            Some(_) => Ok(()),
            None => Err(Refused::NotFound {
                kind: "payment_method",
                id: id.to_string(),
                param: Some("payment_method".to_owned()),
            }),
        }
    }

    /// Attaches a payment intent to an invoice: what it has taken pays the invoice at once, and what it
    /// takes from then on when it does.
    ///
    /// # Errors
    /// [`Refused::State`] when the invoice can't be paid or the intent is not free; names the
    /// parameter when they don't fit together.
    pub async fn attach_intent(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        intent: &PaymentIntentId,
    ) -> Result<Stored<Invoice>, Refused> {
        let param = "payment_intent";
        let found: Stored<PaymentIntent> = self.find_named(scope, intent.as_str(), param).await?;
        if found.status == PaymentStatus::Succeeded {
            self.find::<Invoice>(scope, id.as_str()).await?;
            self.give_up_payment(scope, id).await?;
            let attach = || Box::pin(self.attach_held_once(scope, id, intent));
            return self.retrying(attach).await;
        }
        self.retrying(|| self.attach_intent_once(scope, id, intent))
            .await
    }

    async fn attach_intent_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        intent: &PaymentIntentId,
    ) -> Result<Stored<Invoice>, Refused> {
        let param = "payment_intent";
        let mut invoice = self.edit_invoice(scope, id).await?;
        let found = self.find_named(scope, intent.as_str(), param).await?;
        let mut intent: Edit<PaymentIntent> = Edit::of(found);
        attachable(&invoice, intent.currency, Some(&intent.customer), param)?;
        if let Some(other) = &intent.invoice {
            let message = format!("The PaymentIntent is attached to the invoice {other} already.");
            return Err(Refused::invalid(param, message));
        }
        match intent.status {
            PaymentStatus::Canceled => {
                let message = "The PaymentIntent is canceled.";
                return Err(Refused::invalid(param, message));
            }
            // It has succeeded in this very moment.
            PaymentStatus::Succeeded => return Err(Refused::Busy),
            _ => {}
        }
        intent.invoice = Some(invoice.id.clone());
        let source = PaymentSource::PaymentIntent(intent.id.clone());
        let attached = AttachedPayment::open(source, intent.amount_minor, self.now());
        invoice.attached.push(attached);
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        booking.save(&mut invoice).await?;
        booking.commit().await?;
        Ok(invoice.into_row())
    }

    /// Charges an attached payment intent.
    ///
    /// # Errors
    /// [`Refused::State`] when it is not attached, out, succeeded or canceled, or its invoice needs no
    /// money any more; [`Refused::NotFound`] when the method is not the customer's.
    pub async fn confirm_intent(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        method: Option<PaymentMethodId>,
        on_session: bool,
    ) -> Result<PaymentResult, Refused> {
        let method = method.as_ref();
        let claim = self
            .retrying(|| self.confirm_intent_once(scope, id, method, on_session))
            .await?;
        self.send(scope, claim).await
    }

    async fn confirm_intent_once(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        wanted: Option<&PaymentMethodId>,
        on_session: bool,
    ) -> Result<Claim, Refused> {
        let mut intent = self.edit_intent(scope, id).await?;
        confirmable(&intent)?;
        let invoice = intent.invoice.clone();
        let invoice = invoice.ok_or_else(|| {
            let message = "This PaymentIntent is attached to no invoice.";
            state(Some("payment_intent_unexpected_state"), message)
        })?;
        let mut invoice = self.edit_invoice(scope, &invoice).await?;
        refused_in(&invoice)?;
        let customer: Stored<Customer> = self.find(scope, intent.customer.as_str()).await?;
        let wanted = wanted.cloned().or_else(|| intent.payment_method.clone());
        let wanted = wanted.ok_or_else(without_method)?;
        let method = self
            .paying_method(scope, &invoice, None, &customer, Some(&wanted))
            .await?
            .ok_or_else(|| defect("a method that was named is gone"))?;
        start(&mut intent, &method, on_session, self.now());
        let number = invoice.number.clone().unwrap_or_default();
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        // So that whoever voids the invoice at this moment decides again.
        booking.hold(&mut invoice).await?;
        booking.commit().await?;
        Ok(Claim::new(&intent, &method, number))
    }

    /// Gives up a payment intent that was made by itself.
    ///
    /// # Errors
    /// [`Refused::State`] when it is an invoice's own, or is with the bank, succeeded or canceled.
    pub async fn cancel_intent(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let found: Stored<PaymentIntent> = self.find(scope, id.as_str()).await?;
        if !found.by_itself {
            let message =
                "You cannot cancel a PaymentIntent of an invoice; void the invoice instead.";
            return Err(state(None, message));
        }
        if found.status == PaymentStatus::RequiresAction {
            match found.invoice {
                Some(_) => self.abandon(scope, &found).await.map(|_| ())?,
                None => self.abandon_unapplied(scope, &found).await?,
            }
        }
        self.retrying(|| self.cancel_intent_once(scope, id)).await
    }

    async fn cancel_intent_once(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<Stored<PaymentIntent>, Refused> {
        let now = self.now();
        let mut intent = self.edit_intent(scope, id).await?;
        if !matches!(
            intent.status,
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation
        ) {
            let message = "You cannot cancel this PaymentIntent: only one that waits for a payment \
                           method or to be confirmed can be canceled.";
            return Err(state(Some("payment_intent_unexpected_state"), message));
        }
        let mut booking = Booking::begin(self, scope).await?;
        give_up(&mut intent, now);
        booking.save_quietly(&mut intent).await?;
        booking.tell("payment_intent.canceled", &*intent).await?;
        if let Some(invoice) = &intent.invoice {
            let mut invoice = self.edit_invoice(scope, invoice).await?;
            let source = PaymentSource::PaymentIntent(id.clone());
            if let Some(own) = invoice.attached_mut(&source) {
                own.status = AttachedStatus::Canceled;
                own.canceled_at = Some(now);
            }
            booking.save(&mut invoice).await?;
        }
        booking.commit().await?;
        Ok(intent.into_row())
    }

    /// Attaches money that came past the gateway to an invoice, which it pays at once.
    ///
    /// # Errors
    /// [`Refused::State`] when the invoice can't be paid, or its own payment is with the bank; names
    /// the parameter when they don't fit together.
    pub async fn attach_record(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        record: &PaymentRecordId,
    ) -> Result<Stored<Invoice>, Refused> {
        self.give_up_payment(scope, id).await?;
        self.retrying(|| self.attach_record_once(scope, id, record))
            .await
    }

    async fn attach_record_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        record: &PaymentRecordId,
    ) -> Result<Stored<Invoice>, Refused> {
        let (param, now) = ("payment_record", self.now());
        let mut books = self.books(scope, id).await?;
        let found = self.find_named(scope, record.as_str(), param).await?;
        let mut record: Edit<PaymentRecord> = Edit::of(found);
        let payer = record.customer.customer.as_ref();
        attachable(&books.invoice, record.currency, payer, param)?;
        if let Some(other) = &record.invoice {
            let message = format!("The PaymentRecord is attached to the invoice {other} already.");
            return Err(Refused::invalid(param, message));
        }
        if record.outcome != RecordOutcome::Guaranteed {
            let message = "The payment must be reported as guaranteed before it is attached.";
            return Err(Refused::invalid(param, message));
        }
        let amount = record.left_minor();
        if amount == 0 {
            let message = "All of the payment was given back.";
            return Err(Refused::invalid(param, message));
        }
        let invoice = &mut *books.invoice;
        let applied = amount.min(invoice.amount_remaining_minor());
        let over = amount.saturating_sub(applied);
        // What is left is to be charged.
        let rest = invoice.amount_remaining_minor().saturating_sub(applied);
        whole_steps(rest, invoice.currency, param)?;
        let way = Way::Record(record.id.as_str());
        let mut transfers = Vec::new();
        let mut credit = None;
        if over > 0 {
            credit = Some(self.keep_overpaid(invoice, &mut books.customer, over)?);
            transfers = ledger::overpaid(invoice, over, way, now).map_err(defect)?;
        }
        let paid = ledger::paid(invoice, applied, way, now);
        transfers.extend(paid.map_err(|_| Refused::TooLarge)?);
        invoice.settle(applied, now)?;
        invoice.out_of_band_minor = invoice
            .out_of_band_minor
            .checked_add(amount)
            .ok_or(Refused::TooLarge)?;
        let source = PaymentSource::PaymentRecord(record.id.clone());
        let mut attached = AttachedPayment::open(source, amount, now);
        attached.pay(applied, now);
        invoice.attached.push(attached);
        let invoice_id = invoice.id.clone();
        record.invoice = Some(invoice_id);
        record.attached_at = Some(now);
        record.applied_minor = applied;
        let mut own = self.after_part(scope, &mut books).await?;
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut record).await?;
        write_part(&mut booking, &mut books, own.as_mut()).await?;
        booking.post(&transfers).await?;
        let shown = rendering::whole::record_payment(&record, booking.livemode());
        booking.tell_shown("invoice_payment.paid", shown);
        if books.invoice.status == InvoiceStatus::Paid {
            booking.tell("invoice.paid", &*books.invoice).await?;
        }
        if let Some(entry) = credit {
            booking.tell("invoice.overpaid", &*books.invoice).await?;
            booking.insert(entry).await?;
        }
        books.write(&mut booking).await?;
        booking.commit().await?;
        Ok(books.invoice.into_row())
    }

    /// After a part was paid by an attached payment: the invoice's own payment asks for the rest, or is
    /// given up when there is none. What is with the bank is left to its outcome.
    pub(super) async fn after_part(
        &self,
        scope: &Scope,
        books: &mut Books,
    ) -> Result<Option<Edit<PaymentIntent>>, Refused> {
        let paid = books.invoice.status == InvoiceStatus::Paid;
        if paid {
            books.customer.delinquent = false;
            if let Some(own) = &mut books.subscription {
                self.standing_after(scope, own, &books.invoice).await?;
            }
        }
        let Some(id) = &books.invoice.payment_intent else {
            return Ok(None);
        };
        let mut own = self.edit_intent(scope, id).await?;
        match own.status {
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation => {}
            _ => return Ok(None),
        }
        match paid {
            true => give_up(&mut own, self.now()),
            false => own.amount_minor = books.invoice.amount_remaining_minor(),
        }
        Ok(Some(own))
    }

    /// Refuses while an attached payment is with the bank or with the customer: so nobody is charged
    /// twice for one part.
    pub(super) async fn no_part_is_out(
        &self,
        scope: &Scope,
        invoice: &Invoice,
    ) -> Result<bool, Refused> {
        let ids: Vec<String> = invoice.attached_open().map(ToString::to_string).collect();
        if ids.is_empty() {
            return Ok(true);
        }
        let mut connection = self.store.read().await?;
        let found: Vec<Stored<PaymentIntent>> =
            document::load_many(&mut connection, scope, &ids).await?;
        Ok(found.iter().all(|own| !own.status.is_out()))
    }
}

/// Refuses amounts that can't be charged.
pub(super) fn chargeable(amount_minor: i64, currency: Currency) -> Result<(), Refused> {
    if amount_minor <= 0 {
        let message = "It must be above zero.";
        return Err(Refused::invalid("amount", message));
    }
    whole_steps(amount_minor, currency, "amount")?;
    let least = perennial::invoice::minimum_charge_minor(currency);
    if amount_minor < least {
        return Err(Refused::Invalid {
            param: "amount".to_owned(),
            code: Some("amount_too_small"),
            message: format!("Amount must be at least {least} in the smallest unit of {currency}."),
        });
    }
    Ok(())
}

/// Refuses to confirm what is out, or over.
pub(super) fn confirmable(intent: &PaymentIntent) -> Result<(), Refused> {
    let message = match intent.status {
        PaymentStatus::Processing | PaymentStatus::RequiresAction => {
            "This PaymentIntent is being confirmed already."
        }
        PaymentStatus::Succeeded | PaymentStatus::Canceled => {
            "You cannot confirm this PaymentIntent because it has a status of succeeded or canceled."
        }
        PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation => return Ok(()),
    };
    Err(state(Some("payment_intent_unexpected_state"), message))
}

pub(super) fn without_method() -> Refused {
    let message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
    state(Some("payment_intent_unexpected_state"), message)
}

/// Gives an idle intent up.
fn give_up(intent: &mut PaymentIntent, now: Timestamp) {
    intent.status = PaymentStatus::Canceled;
    intent.canceled_at = Some(now);
    intent.challenge = None;
}

/// Writes what a paid part did to the invoice and to its own payment. A part is told as a change of the
/// invoice; the whole has events of its own.
pub(super) async fn write_part(
    booking: &mut Booking<'_>,
    books: &mut Books,
    own: Option<&mut Edit<PaymentIntent>>,
) -> Result<(), Refused> {
    match books.invoice.status {
        InvoiceStatus::Paid => booking.save_quietly(&mut books.invoice).await?,
        _ => booking.save(&mut books.invoice).await?,
    }
    if let Some(own) = own {
        booking.save_quietly(own).await?;
        if own.status == PaymentStatus::Canceled {
            booking.tell("payment_intent.canceled", &**own).await?;
        }
    }
    Ok(())
}
