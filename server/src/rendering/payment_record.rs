//! Payments that a merchant reports.

use perennial::payment_record::{PaymentRecord, RecordOutcome};
use serde_json::Value;

use super::{id, metadata, object, text};

/// A payment record.
#[must_use]
pub fn payment_record(record: &PaymentRecord, livemode: bool) -> Value {
    let code = record.currency.lower();
    let money = |minor: i64| object! { currency: code, value: minor };
    let asked = record.amount_requested_minor;
    let when = |outcome| match record.outcome == outcome {
        true => money(asked),
        false => money(0),
    };
    let payer = &record.customer;
    let rest = record.id.as_str().trim_start_matches("pr_");
    object! {
        id: record.id.as_str(),
        object: "payment_record",
        amount: money(asked),
        amount_authorized: money(0),
        amount_canceled: when(RecordOutcome::Canceled),
        amount_failed: when(RecordOutcome::Failed),
        amount_guaranteed: when(RecordOutcome::Guaranteed),
        amount_refunded: money(record.refunded_minor()),
        amount_requested: money(asked),
        application: (),
        created: record.created.0,
        customer_details: object! {
            customer: id(payer.customer.as_ref()),
            email: text(payer.email.as_ref()),
            name: text(payer.name.as_ref()),
            phone: text(payer.phone.as_ref()),
        },
        customer_presence: record.on_session.map(|here| match here {
            true => "on_session",
            false => "off_session",
        }),
        description: text(record.description.as_ref()),
        latest_payment_attempt_record: format!("par_{rest}"),
        livemode: livemode,
        metadata: metadata(&record.metadata),
        payment_method_details: object! {
            billing_details: (),
            custom: object! {
                display_name: record.method_name.as_deref().unwrap_or_default(),
                type: text(record.method_type.as_ref()),
            },
            payment_method: (),
            type: "custom",
        },
        processor_details: object! {
            custom: object! { payment_reference: text(record.reference.as_ref()) },
            type: "custom",
        },
        reported_by: "self",
        shipping_details: (),
    }
}

/// A payment record's part in paying its invoice. Its id is the record's with another prefix.
#[must_use]
pub fn record_payment(record: &PaymentRecord, livemode: bool) -> Value {
    let rest = record.id.as_str().trim_start_matches("pr_");
    let at = record.attached_at.unwrap_or(record.created);
    object! {
        id: format!("inpay_{rest}"),
        object: "invoice_payment",
        amount_paid: record.applied_minor,
        amount_requested: record.amount_requested_minor,
        created: at.0,
        currency: record.currency.lower(),
        invoice: id(record.invoice.as_ref()),
        is_default: false,
        livemode: livemode,
        payment: object! { payment_record: record.id.as_str(), type: "payment_record" },
        status: "paid",
        status_transitions: object! { canceled_at: (), paid_at: at.0 },
    }
}
