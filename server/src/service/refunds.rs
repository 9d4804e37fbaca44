//! Giving money back. As with charges, a refund is committed with its key before the gateway is
//! called, and asked after with that key when the answer is lost: it happens once.
//!
//! It belongs to a payment, not to a customer, so that what a customer paid who has been deleted
//! since can be given back all the same.

use std::time::Duration;

use perennial::calendar::Timestamp;
use perennial::credit_note::{CreditNote, left_to_give_back_minor};
use perennial::currency::Currency;
use perennial::id::{CreditNoteId, InvoiceId, PaymentIntentId, RefundId};
use perennial::invoice::{Invoice, charge_step_minor};
use perennial::ledger::{self, Account, GivenBack, Transfer};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::money::Money;
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::refund::{Refund, RefundOutcome, RefundReason, RefundStatus};

use super::booking::{Booking, Edit};
use super::due::challenge_due_at;
use super::invoices::defect;
use super::{Engine, Refused};
use crate::gateway::RefundRequest;
use crate::rendering;
use crate::store::document::{self, Column, Page, PageRequest, Stored};
use crate::store::{Scope, nouns};
use crate::web::style::name_of;

/// How long the gateway may take to answer, in seconds.
const GATEWAY_SECONDS_MAX: u64 = 30;
/// When a refund that went well is looked after once more, in seconds: banks send some back.
const SECOND_LOOK_SECONDS: i64 = 86_400;

/// A refund as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefund {
    /// The payment.
    pub payment_intent: PaymentIntentId,
    /// Minor units; all that is left without.
    pub amount_minor: Option<i64>,
    /// Why.
    pub reason: Option<RefundReason>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl Engine {
    /// Gives a payment back, in part or whole.
    ///
    /// # Errors
    /// Names the amount where it is more than is left; [`Refused::State`] when nothing was paid or
    /// all of it was given back.
    pub async fn create_refund(
        &self,
        scope: &Scope,
        new: NewRefund,
    ) -> Result<Stored<Refund>, Refused> {
        let new = &new;
        let refund = self
            .retrying(|| async move {
                let mut intent = self.edit_intent(scope, &new.payment_intent).await?;
                let beside_minor = self.held_beside(scope, &intent).await?;
                let mut refund = self.promise(&mut intent, new, None)?;
                if beside_minor > 0 {
                    from_beside(&mut refund, beside_minor)?;
                }
                let mut booking = Booking::begin(self, scope).await?;
                if let Some(id) = &refund.invoice {
                    let mut invoice = self.edit_invoice(scope, id).await?;
                    self.within_paid(scope, &invoice, refund.amount_minor, "amount")
                        .await?;
                    // So that a credit note that gives back at the same moment decides again.
                    booking.hold(&mut invoice).await?;
                }
                booking.save_quietly(&mut intent).await?;
                let refund = booking.insert(refund).await?;
                booking.commit().await?;
                Ok(refund)
            })
            .await?;
        self.send_refund(scope, refund.value.id.clone()).await
    }

    /// What a payment holds beside the invoice that it paid, in minor units: a bank sent a refund of
    /// it back after the rest had been attached. What is on its way out is not there any more.
    async fn held_beside(&self, scope: &Scope, intent: &PaymentIntent) -> Result<i64, Refused> {
        if intent.invoice.is_none() || intent.unapplied_minor <= 0 {
            return Ok(0);
        }
        let mut connection = self.store.read().await?;
        let filter = [Column::text(&intent.id)];
        let sql = nouns::REFUNDS_BESIDE;
        let refunds: Vec<Stored<Refund>> =
            document::select(&mut connection, scope, sql, &filter).await?;
        let mut leaving = refunds
            .iter()
            .filter(|refund| refund.status == RefundStatus::Pending);
        let leaving = leaving.try_fold(0_i64, |sum, refund| sum.checked_add(refund.amount_minor));
        let leaving = leaving.ok_or(Refused::TooLarge)?;
        Ok(intent.unapplied_minor.saturating_sub(leaving))
    }

    /// Refuses, by the parameter that says it, to refund what credit notes have given back by other ways.
    pub(super) async fn within_paid(
        &self,
        scope: &Scope,
        invoice: &Invoice,
        amount_minor: i64,
        param: &str,
    ) -> Result<(), Refused> {
        let notes = self.credit_notes_of(scope, &invoice.id).await?;
        let notes: Vec<CreditNote> = notes.into_iter().map(|row| row.value).collect();
        let refunds = self.refunds_of(scope, &invoice.id).await?;
        let refunds: Vec<Refund> = refunds.into_iter().map(|row| row.value).collect();
        let left = left_to_give_back_minor(invoice, &notes, &refunds);
        let left = left.map_err(|_| Refused::TooLarge)?;
        if amount_minor <= left {
            return Ok(());
        }
        let message = format!(
            "Only {left} of what was paid on the invoice can still be refunded: its credit notes \
             gave the rest back already."
        );
        Err(Refused::invalid(param, message))
    }

    /// The refunds of an invoice's payments, oldest first.
    pub(crate) async fn refunds_of(
        &self,
        scope: &Scope,
        invoice: &InvoiceId,
    ) -> Result<Vec<Stored<Refund>>, Refused> {
        let mut connection = self.store.read().await?;
        let filter = [Column::text(invoice)];
        let sql = nouns::REFUNDS_OF_INVOICE;
        Ok(document::select(&mut connection, scope, sql, &filter).await?)
    }

    /// Reserves the money on the payment; the caller writes both and then sends the refund.
    pub(crate) fn promise(
        &self,
        intent: &mut PaymentIntent,
        new: &NewRefund,
        credit_note: Option<CreditNoteId>,
    ) -> Result<Refund, Refused> {
        let state = |message: &str, code| Refused::State {
            code,
            message: message.to_owned(),
        };
        if intent.status != PaymentStatus::Succeeded {
            let message = "This PaymentIntent does not have a successful charge to refund.";
            return Err(state(message, Some("payment_intent_unexpected_state")));
        }
        let left = intent.refundable_minor();
        if left == 0 {
            let message = "The payment has already been refunded.";
            return Err(state(message, Some("charge_already_refunded")));
        }
        let amount_minor = new.amount_minor.unwrap_or(left);
        if amount_minor <= 0 || amount_minor > left {
            let message = format!(
                "Refund amount ({amount_minor}) must be above zero and at most what is left of the \
                 payment ({left})."
            );
            return Err(Refused::invalid("amount", message));
        }
        whole_steps(amount_minor, intent.currency, "amount")?;
        intent.refunded_minor = intent
            .refunded_minor
            .checked_add(amount_minor)
            .ok_or(Refused::TooLarge)?;
        let now = self.now();
        Ok(Refund {
            id: RefundId::new(&mut self.ids()),
            payment_intent: intent.id.clone(),
            customer: intent.customer.clone(),
            invoice: intent.invoice.clone(),
            credit_note,
            amount_minor,
            linked_minor: 0,
            currency: intent.currency,
            status: RefundStatus::Pending,
            reason: new.reason,
            failure_reason: None,
            metadata: new.metadata.clone(),
            gateway_refund: None,
            created: now,
            test_clock: intent.test_clock.clone(),
            ask_at: Some(challenge_due_at(Some(now), now)),
        })
    }

    /// Sends a committed refund and commits what comes of it. It goes on when the caller goes away.
    pub(crate) async fn send_refund(
        &self,
        scope: &Scope,
        id: RefundId,
    ) -> Result<Stored<Refund>, Refused> {
        let (engine, scope) = (self.clone(), scope.clone());
        let work = async move { engine.send_refund_here(&scope, &id).await };
        tokio::spawn(work).await.map_err(defect)?
    }

    async fn send_refund_here(
        &self,
        scope: &Scope,
        id: &RefundId,
    ) -> Result<Stored<Refund>, Refused> {
        let refund: Stored<Refund> = self.find(scope, id.as_str()).await?;
        let intent: Stored<PaymentIntent> =
            self.find(scope, refund.payment_intent.as_str()).await?;
        let charge = intent.gateway_charge.clone();
        let charge = charge.ok_or_else(|| defect("a payment without a charge"))?;
        let request = RefundRequest {
            idempotency_key: id.to_string(),
            charge,
            amount: Money::new(refund.amount_minor, refund.currency),
        };
        let limit = Duration::from_secs(GATEWAY_SECONDS_MAX);
        match tokio::time::timeout(limit, self.gateway.refund(scope, request)).await {
            Ok(Ok(outcome)) => self.commit_refund(scope, id, &outcome).await,
            Ok(Err(error)) if !error.is_unknown() => {
                tracing::error!(refund = %id, %error, "the gateway refused a refund");
                let outcome = RefundOutcome {
                    refund: String::new(),
                    status: RefundStatus::Failed,
                    failure_reason: Some("declined".to_owned()),
                };
                self.commit_refund(scope, id, &outcome).await
            }
            Ok(Err(error)) => {
                tracing::warn!(refund = %id, %error, "the outcome of a refund is not known");
                self.find(scope, id.as_str()).await
            }
            Err(_) => {
                tracing::warn!(refund = %id, "the gateway did not answer in time");
                self.find(scope, id.as_str()).await
            }
        }
    }

    /// Finds out what became of a refund, for a worker. The next look is written first, so that a
    /// gateway that fails is not asked more often.
    pub(crate) async fn settle_refund(&self, scope: &Scope, id: &RefundId) -> Result<(), Refused> {
        let now = self.now();
        self.retrying(|| async move {
            let mut refund: Edit<Refund> = Edit::of(self.find(scope, id.as_str()).await?);
            refund.ask_at = match refund.status {
                RefundStatus::Pending => Some(challenge_due_at(Some(refund.created), now)),
                // A look before its time, by a process that starts, leaves the one that is planned.
                _ => refund.ask_at.filter(|at| *at > now),
            };
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut refund).await?;
            booking.commit().await
        })
        .await?;
        let limit = Duration::from_secs(GATEWAY_SECONDS_MAX);
        let key = id.as_str();
        match tokio::time::timeout(limit, self.gateway.lookup_refund(scope, key)).await {
            Ok(Ok(Some(outcome))) => self.commit_refund(scope, id, &outcome).await.map(|_| ()),
            // It never arrived: the same key is the same refund.
            Ok(Ok(None)) => self.send_refund(scope, id.clone()).await.map(|_| ()),
            Ok(Err(error)) => {
                tracing::warn!(refund = %id, %error, "the gateway does not say what became of it");
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    async fn commit_refund(
        &self,
        scope: &Scope,
        id: &RefundId,
        outcome: &RefundOutcome,
    ) -> Result<Stored<Refund>, Refused> {
        self.retrying(|| self.commit_refund_once(scope, id, outcome))
            .await
    }

    async fn commit_refund_once(
        &self,
        scope: &Scope,
        id: &RefundId,
        outcome: &RefundOutcome,
    ) -> Result<Stored<Refund>, Refused> {
        use RefundStatus::{Canceled, Failed, Pending, Succeeded};
        let mut refund: Edit<Refund> = Edit::of(self.find(scope, id.as_str()).await?);
        let mut intent = self.edit_intent(scope, &refund.payment_intent).await?;
        let now = self.now();
        let before = refund.status;
        let news = match (before, outcome.status) {
            (Pending, Succeeded | Failed | Canceled) | (Succeeded, Failed) => true,
            (Pending, Pending) => refund.gateway_refund.is_none(),
            _ => false,
        };
        if !news {
            return Ok(refund.into_row());
        }
        refund.status = outcome.status;
        if !outcome.refund.is_empty() {
            refund.gateway_refund = Some(outcome.refund.clone());
        }
        refund.failure_reason.clone_from(&outcome.failure_reason);
        let amount = refund.amount_minor;
        let mut transfers = Vec::new();
        match outcome.status {
            Succeeded => {
                refund.ask_at = Some(later(now, SECOND_LOOK_SECONDS));
                transfers = moved(&refund, amount, now)?;
            }
            Failed | Canceled => {
                refund.ask_at = None;
                intent.refunded_minor = intent.refunded_minor.saturating_sub(amount);
                if before == Succeeded {
                    let back = amount.checked_neg().ok_or(Refused::TooLarge)?;
                    transfers = moved(&refund, back, now)?;
                }
            }
            Pending => {}
        }
        if refund.invoice.is_none() {
            // What was held for the customer is less, or there again.
            for moved in &transfers {
                let part = match moved.credit {
                    Account::Cash => moved.amount_minor.saturating_neg(),
                    _ => moved.amount_minor,
                };
                intent.unapplied_minor = intent.unapplied_minor.saturating_add(part);
            }
        }
        let merchant = self.merchant(scope).await?;
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        booking.save_quietly(&mut refund).await?;
        booking.post(&transfers).await?;
        match (before, outcome.status) {
            (_, Failed) => {
                booking.tell("refund.updated", &*refund).await?;
                booking.tell("refund.failed", &*refund).await?;
            }
            (_, Succeeded) => {
                booking.tell("refund.updated", &*refund).await?;
                let mut charge = rendering::charge(&intent, scope.livemode);
                rendering::state_charge(&mut charge, name_of(&merchant));
                booking.tell_shown("charge.refunded", charge);
            }
            _ => booking.tell("refund.updated", &*refund).await?,
        }
        booking.commit().await?;
        Ok(refund.into_row())
    }

    /// Changes a refund's keys.
    ///
    /// # Errors
    /// When there is none, or a key can't stand.
    pub async fn update_refund(
        &self,
        scope: &Scope,
        id: &RefundId,
        change: MetadataChange,
    ) -> Result<Stored<Refund>, Refused> {
        let change = &change;
        self.retrying(|| async move {
            let mut refund: Edit<Refund> = Edit::of(self.find(scope, id.as_str()).await?);
            let changed = refund.metadata.change(change);
            changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
            let mut booking = Booking::begin(self, scope).await?;
            booking.save(&mut refund).await?;
            booking.commit().await?;
            Ok(refund.into_row())
        })
        .await
    }

    /// The payments of an invoice that can be given back, newest first.
    pub(crate) async fn refundable(
        &self,
        scope: &Scope,
        invoice: &Invoice,
    ) -> Result<Vec<Edit<PaymentIntent>>, Refused> {
        let mut connection = self.store.read().await?;
        let page = PageRequest::first(PageRequest::LIMIT_MAX);
        let filter = [Column::text(&invoice.id)];
        let sql = nouns::PAYMENT_INTENTS_BY_INVOICE;
        let found: Page<PaymentIntent> =
            document::list(&mut connection, scope, sql, &page, &filter).await?;
        let rows = found.rows.into_iter();
        Ok(rows
            .filter(|own| own.status == PaymentStatus::Succeeded && own.refundable_minor() > 0)
            .map(Edit::of)
            .collect())
    }
}

/// Takes a refund from what a payment holds beside its invoice. That goes first: the invoice's refunds
/// say what was given back of what it was paid with.
fn from_beside(refund: &mut Refund, beside_minor: i64) -> Result<(), Refused> {
    if refund.amount_minor > beside_minor {
        let message = format!(
            "{beside_minor} of this payment came back from an earlier refund and belongs to no \
             invoice. Refund that first (amount={beside_minor}), then the rest."
        );
        return Err(Refused::invalid("amount", message));
    }
    refund.invoice = None;
    Ok(())
}

/// Refuses an amount that no card could move, by the parameter that says it.
pub(crate) fn whole_steps(
    amount_minor: i64,
    currency: Currency,
    param: &str,
) -> Result<(), Refused> {
    let step = charge_step_minor(currency);
    if amount_minor % step == 0 {
        return Ok(());
    }
    let message =
        format!("Amounts in {currency} that are charged or refunded must be a multiple of {step}.");
    Err(Refused::invalid(param, message))
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(now.0.saturating_add(seconds))
}

fn moved(refund: &Refund, amount_minor: i64, now: Timestamp) -> Result<Vec<Transfer>, Refused> {
    let given = GivenBack {
        customer: &refund.customer,
        invoice: refund.invoice.as_ref(),
        refund: refund.id.as_str(),
        amount_minor,
        promised_minor: match amount_minor < 0 {
            true => refund.noted_minor().saturating_neg(),
            false => refund.noted_minor(),
        },
        currency: refund.currency,
    };
    ledger::refunded(&given, now).map_err(|_| Refused::TooLarge)
}
