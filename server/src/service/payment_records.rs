//! Money that came past the gateway, reported by the merchant so that it can be attached to an invoice.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::PaymentRecordId;
use perennial::metadata::{Metadata, MetadataChange};
use perennial::payment::PaymentIntent;
use perennial::payment_record::{PaidBy, PaymentRecord, RecordOutcome};
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
            metadata: new.metadata,
            created: self.now(),
            test_clock,
        };
        let mut booking = Booking::begin(self, scope).await?;
        let record = booking.insert(record).await?;
        booking.commit().await?;
        Ok(record)
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
