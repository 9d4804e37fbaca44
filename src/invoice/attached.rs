//! Payments that were attached to an invoice beside its own: how it is paid in parts.

use serde::{Deserialize, Serialize};

use super::Invoice;
use crate::calendar::Timestamp;
use crate::id::{PaymentIntentId, PaymentRecordId};

/// Where the money of an attached payment comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentSource {
    /// Through the gateway.
    PaymentIntent(PaymentIntentId),
    /// Past it.
    PaymentRecord(PaymentRecordId),
}

/// Where an attached payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachedStatus {
    /// It has not succeeded yet.
    Open,
    /// Its money has come.
    Paid,
    /// It was given up.
    Canceled,
}

/// A payment that was attached to an invoice, as the invoice knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedPayment {
    /// Where its money comes from.
    pub source: PaymentSource,
    /// What was asked for, in minor units.
    pub amount_requested_minor: i64,
    /// What of it went to the invoice, in minor units.
    pub amount_paid_minor: i64,
    /// Where it stands.
    pub status: AttachedStatus,
    /// When it was attached.
    pub attached_at: Timestamp,
    /// When its money came.
    pub paid_at: Option<Timestamp>,
    /// When it was given up.
    pub canceled_at: Option<Timestamp>,
}

impl AttachedPayment {
    /// One that has just been attached and has not paid anything yet.
    #[must_use]
    pub const fn open(source: PaymentSource, amount_requested_minor: i64, now: Timestamp) -> Self {
        Self {
            source,
            amount_requested_minor,
            amount_paid_minor: 0,
            status: AttachedStatus::Open,
            attached_at: now,
            paid_at: None,
            canceled_at: None,
        }
    }

    /// Notes that its money came, and what of it went to the invoice.
    pub const fn pay(&mut self, amount_paid_minor: i64, now: Timestamp) {
        self.amount_paid_minor = amount_paid_minor;
        self.status = AttachedStatus::Paid;
        self.paid_at = Some(now);
    }
}

impl Invoice {
    /// The attached payment with this source.
    pub fn attached_mut(&mut self, source: &PaymentSource) -> Option<&mut AttachedPayment> {
        self.attached.iter_mut().find(|own| own.source == *source)
    }

    /// What attached payments paid, in minor units.
    #[must_use]
    pub fn attached_paid_minor(&self) -> i64 {
        self.attached
            .iter()
            .fold(0_i64, |sum, own| sum.saturating_add(own.amount_paid_minor))
    }

    /// The payment intents that are attached and have not succeeded yet.
    pub fn attached_open(&self) -> impl Iterator<Item = &PaymentIntentId> {
        self.attached.iter().filter_map(|own| match &own.source {
            PaymentSource::PaymentIntent(id) if own.status == AttachedStatus::Open => Some(id),
            _ => None,
        })
    }
}
