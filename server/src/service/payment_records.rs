//! Money that came past the gateway, reported by the merchant so that it can be attached to an invoice.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::PaymentRecordId;
use perennial::ledger;
use perennial::metadata::{Metadata, MetadataChange};
use perennial::payment::PaymentIntent;
use perennial::payment_record::{PaidBy, PaymentRecord, RecordOutcome, RecordRefund};
use serde::{Deserialize, Serialize};

use super::booking::{Booking, Edit};
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// A payment as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// What was asked for, in minor units.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Who paid.
    pub customer: PaidBy,
    /// Whether the customer was there.
    pub on_session: Option<bool>,
    /// The merchant's note.
    pub description: Option<String>,
    /// What the way of paying is called.
    pub method_name: Option<String>,
    /// The merchant's number for that way of paying.
    pub method_type: Option<String>,
    /// The processor's reference.
    pub reference: Option<String>,
    /// What became of it, and when.
    pub outcome: RecordOutcome,
    /// When that was.
    pub decided_at: Option<Timestamp>,
    /// When it was begun.
    pub initiated_at: Timestamp,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

/// A refund as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecordRefund {
    /// Minor units; all that is left without.
    pub amount_minor: Option<i64>,
    /// Of the amount, where that is said.
    pub currency: Option<Currency>,
    /// The processor's reference.
    pub reference: Option<String>,
    /// When it was begun; when it was reported without.
    pub initiated_at: Option<Timestamp>,
    /// When the money went back.
    pub refunded_at: Timestamp,
    /// The record's keys.
    pub metadata: Option<MetadataChange>,
}

/// What pays an invoice, as lists of invoice payments read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Paying {
    /// Through the gateway.
    Intent(Box<PaymentIntent>),
    /// Past it.
    Record(Box<PaymentRecord>),
}

impl Engine {
    /// Keeps a payment that the merchant reports.
    ///
    /// # Errors
    /// Names the parameter that can't be used.
    pub async fn report_payment(
        &self,
        scope: &Scope,
        new: NewRecord,
    ) -> Result<Stored<PaymentRecord>, Refused> {
        if new.amount_minor <= 0 {
            let message = "It must be above zero.";
            return Err(Refused::invalid("amount_requested[value]", message));
        }
        let mut test_clock = None;
        if let Some(id) = &new.customer.customer {
            let param = "customer_details[customer]";
            let customer: Stored<Customer> = self.find_named(scope, id.as_str(), param).await?;
            test_clock.clone_from(&customer.test_clock);
        }
        let record = PaymentRecord {
            id: PaymentRecordId::new(&mut self.ids()),
            amount_requested_minor: new.amount_minor,
            currency: new.currency,
            customer: new.customer,
            on_session: new.on_session,
            description: new.description,
            method_name: new.method_name,
            method_type: new.method_type,
            reference: new.reference,
            outcome: new.outcome,
            initiated_at: new.initiated_at,
            decided_at: new.decided_at,
            invoice: None,
            attached_at: None,
            applied_minor: 0,
            refunds: Vec::new(),
            metadata: new.metadata,
            created: self.now(),
            test_clock,
        };
        let mut booking = Booking::begin(self, scope).await?;
        let record = booking.insert(record).await?;
        booking.commit().await?;
        Ok(record)
    }

    /// Notes that a reported payment, or a part of it, was given back. Of what pays an invoice, no more
    /// than its credit notes leave.
    ///
    /// # Errors
    /// [`Refused::State`] when its money never came; names the amount where it is more than is left.
    pub async fn report_record_refund(
        &self,
        scope: &Scope,
        id: &PaymentRecordId,
        new: NewRecordRefund,
    ) -> Result<Stored<PaymentRecord>, Refused> {
        let new = &new;
        self.retrying(|| self.report_record_refund_once(scope, id, new))
            .await
    }

    async fn report_record_refund_once(
        &self,
        scope: &Scope,
        id: &PaymentRecordId,
        new: &NewRecordRefund,
    ) -> Result<Stored<PaymentRecord>, Refused> {
        let now = self.now();
        let mut record: Edit<PaymentRecord> = Edit::of(self.find(scope, id.as_str()).await?);
        if record.outcome != RecordOutcome::Guaranteed {
            return Err(Refused::State {
                code: None,
                message: "Only a payment that is reported as guaranteed can be refunded."
                    .to_owned(),
            });
        }
        if new.currency.is_some_and(|own| own != record.currency) {
            let message = format!("It must be in the payment's currency, {}.", record.currency);
            return Err(Refused::invalid("amount[currency]", message));
        }
        let left = record.left_minor();
        let amount_minor = new.amount_minor.unwrap_or(left);
        if amount_minor <= 0 || amount_minor > left {
            let message = format!("It must be above zero and at most what is left of it ({left}).");
            return Err(Refused::invalid("amount[value]", message));
        }
        record.refunds.push(RecordRefund {
            amount_minor,
            reference: new.reference.clone(),
            initiated_at: new.initiated_at.unwrap_or(now),
            refunded_at: new.refunded_at,
            created: now,
        });
        if let Some(change) = &new.metadata {
            let changed = record.metadata.change(change);
            changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        if let Some(id) = &record.invoice {
            let mut invoice = self.edit_invoice(scope, id).await?;
            let param = "amount[value]";
            self.within_paid(scope, &invoice, amount_minor, param)
                .await?;
            let moved = ledger::refunded_elsewhere(&invoice, record.id.as_str(), amount_minor, now);
            let moved = moved.map_err(|_| Refused::TooLarge)?;
            let sum = invoice.out_of_band_refunded_minor.checked_add(amount_minor);
            invoice.out_of_band_refunded_minor = sum.ok_or(Refused::TooLarge)?;
            booking.post(&moved).await?;
            booking.save_quietly(&mut invoice).await?;
        }
        booking.save(&mut record).await?;
        booking.commit().await?;
        Ok(record.into_row())
    }

    /// Notes what became of a reported payment whose outcome was not known.
    ///
    /// # Errors
    /// [`Refused::State`] when it is known.
    pub async fn decide_record(
        &self,
        scope: &Scope,
        id: &PaymentRecordId,
        outcome: RecordOutcome,
        decided_at: Timestamp,
        metadata: Option<MetadataChange>,
    ) -> Result<Stored<PaymentRecord>, Refused> {
        let metadata = &metadata;
        self.retrying(|| async move {
            let mut record: Edit<PaymentRecord> = Edit::of(self.find(scope, id.as_str()).await?);
            if record.outcome != RecordOutcome::Pending {
                return Err(Refused::State {
                    code: None,
                    message: "The outcome of this payment has been reported already.".to_owned(),
                });
            }
            record.outcome = outcome;
            record.decided_at = Some(decided_at);
            if let Some(change) = metadata {
                let changed = record.metadata.change(change);
                changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
            }
            let mut booking = Booking::begin(self, scope).await?;
            booking.save(&mut record).await?;
            booking.commit().await?;
            Ok(record.into_row())
        })
        .await
    }
}
