//! Charges and what was given back of them.

use perennial::id::{ChargeId, PaymentIntentId};
use perennial::payment::{PaymentIntent, PaymentStatus, card_statement};
use perennial::refund::{Refund, RefundStatus};
use serde_json::Value;

use super::{id, metadata, name, object, text};

/// The id of a payment's charge: the payment intent's with another prefix. Only an intent that has
/// been tried has one.
#[must_use]
pub fn charge_id(intent: &PaymentIntent) -> Option<String> {
    (intent.attempt > 0).then(|| charge_of(&intent.id))
}

fn charge_of(intent: &PaymentIntentId) -> String {
    let rest = intent.as_str().trim_start_matches(PaymentIntentId::PREFIX);
    format!("{}{rest}", ChargeId::PREFIX)
}

/// A refund.
#[must_use]
pub fn refund(refund: &Refund, livemode: bool) -> Value {
    let _ = livemode;
    let mut value = object! {
        id: refund.id.as_str(),
        object: "refund",
        amount: refund.amount_minor,
        balance_transaction: (),
        charge: charge_of(&refund.payment_intent),
        created: refund.created.0,
        currency: refund.currency.lower(),
        customer: refund.customer.as_str(),
        customer_account: (),
        destination_details: object! {
            card: object! { type: "refund" },
            type: "card",
        },
        metadata: metadata(&refund.metadata),
        payment_intent: refund.payment_intent.as_str(),
        payment_method: (),
        reason: refund.reason.map(name),
        receipt_number: (),
        source_transfer_reversal: (),
        status: name(refund.status),
        transfer_reversal: (),
    };
    if let Some(map) = value.as_object_mut() {
        if let Some(why) = &refund.failure_reason {
            map.insert("failure_reason".to_owned(), why.as_str().into());
        }
        if refund.status == RefundStatus::Pending {
            map.insert("pending_reason".to_owned(), "processing".into());
        }
    }
    value
}

/// Writes what the customer's statement says of a charge by a merchant of this name.
pub fn state_charge(charge: &mut Value, merchant: &str) {
    let own = |name: &str| charge.get(name).and_then(Value::as_str);
    let own = own("statement_descriptor_suffix").or_else(|| own("statement_descriptor"));
    let whole = card_statement(merchant, own);
    if let Some(map) = charge.as_object_mut() {
        map.insert("calculated_statement_descriptor".to_owned(), whole.into());
    }
}

/// The charge of a payment intent: its newest attempt. What the whole line on the customer's statement is
/// comes in where the merchant is known ([`state_charge`]).
#[must_use]
pub fn charge(intent: &PaymentIntent, livemode: bool) -> Value {
    let paid = intent.status == PaymentStatus::Succeeded;
    let status = match (intent.status, &intent.last_error) {
        (PaymentStatus::Succeeded, _) => "succeeded",
        (_, Some(_)) => "failed",
        _ => "pending",
    };
    let amount = intent.amount_minor;
    let captured = if paid { amount } else { 0 };
    let error = intent.last_error.as_ref();
    let said = intent.particulars.as_deref();
    object! {
        id: charge_of(&intent.id),
        object: "charge",
        amount: amount,
        amount_captured: captured,
        amount_refunded: intent.refunded_minor,
        application: (),
        application_fee: (),
        application_fee_amount: (),
        balance_transaction: (),
        billing_details: object! {
            address: object! {
                city: (), country: (), line1: (), line2: (), postal_code: (), state: (),
            },
            email: (), name: (), phone: (), tax_id: (),
        },
        calculated_statement_descriptor: (),
        captured: paid,
        created: intent.attempted_at.unwrap_or(intent.created).0,
        currency: intent.currency.lower(),
        customer: intent.customer.as_str(),
        description: text(intent.description.as_ref()),
        disputed: false,
        failure_balance_transaction: (),
        failure_code: error.map(|own| own.code.as_str()),
        failure_message: error.map(|own| super::decline_message(own).to_owned()),
        fraud_details: object! {},
        livemode: livemode,
        metadata: metadata(&intent.charge_metadata),
        on_behalf_of: (),
        outcome: (),
        paid: paid,
        payment_intent: intent.id.as_str(),
        payment_method: id(intent.payment_method.as_ref()),
        payment_method_details: (),
        receipt_email: intent.receipt_email(),
        receipt_number: (),
        receipt_url: (),
        refunded: paid && intent.refunded_minor >= amount,
        review: (),
        shipping: super::payment::delivery(intent),
        source: (),
        source_transfer: (),
        statement_descriptor: text(said.and_then(|own| own.statement_descriptor.as_ref())),
        statement_descriptor_suffix: text(
            said.and_then(|own| own.statement_descriptor_suffix.as_ref()),
        ),
        status: status,
        transfer_data: (),
        transfer_group: (),
    }
}
