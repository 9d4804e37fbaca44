//! Ways to pay, and attempts to save and to use them.

use perennial::payment::{
    BillingDetails, Card, CardBrand, Decline, PaymentIntent, PaymentMethod, PaymentStatus,
    SetupIntent, SetupStatus,
};
use serde_json::Value;

use super::customer::address;
use super::{id, metadata, moment, name, object, text};

/// A payment method.
#[must_use]
pub fn payment_method(method: &PaymentMethod, livemode: bool) -> Value {
    object! {
        id: method.id.as_str(),
        object: "payment_method",
        allow_redisplay: "unspecified",
        billing_details: billing_details(&method.billing_details),
        card: card(&method.card),
        created: method.created.0,
        customer: id(method.customer.as_ref()),
        customer_account: (),
        livemode: livemode,
        metadata: metadata(&method.metadata),
        type: "card",
    }
}

fn billing_details(details: &BillingDetails) -> Value {
    let nowhere = || {
        object! {
            city: (), country: (), line1: (), line2: (), postal_code: (), state: (),
        }
    };
    object! {
        address: details.address.as_ref().map_or_else(nowhere, address),
        email: text(details.email.as_ref()),
        name: text(details.name.as_ref()),
        phone: text(details.phone.as_ref()),
        tax_id: (),
    }
}

fn card(card: &Card) -> Value {
    let display = match card.brand {
        CardBrand::Amex => "american_express",
        CardBrand::Diners => "diners_club",
        CardBrand::Discover => "discover",
        CardBrand::Jcb => "jcb",
        CardBrand::Mastercard => "mastercard",
        CardBrand::Unionpay => "union_pay",
        CardBrand::Visa => "visa",
        CardBrand::Unknown => "other",
    };
    object! {
        brand: name(card.brand),
        checks: object! {
            address_line1_check: (),
            address_postal_code_check: (),
            cvc_check: "pass",
        },
        country: text(card.country.as_ref()),
        display_brand: display,
        exp_month: card.exp_month,
        exp_year: card.exp_year,
        fingerprint: card.fingerprint.as_str(),
        funding: name(card.funding),
        generated_from: (),
        last4: card.last4.as_str(),
        networks: object! { available: vec![name(card.brand)], preferred: () },
        regulated_status: "unregulated",
        three_d_secure_usage: object! { supported: true },
        wallet: (),
    }
}

/// The error that a refused card leaves on an intent.
fn card_error(decline: &Decline) -> Value {
    let mut error = object! {
        code: decline.code.as_str(),
        message: super::decline_message(decline),
        type: "card_error",
    };
    if let (Some(code), Some(map)) = (&decline.decline_code, error.as_object_mut()) {
        map.insert("decline_code".to_owned(), code.as_str().into());
    }
    error
}

/// Where the customer proves who they are.
fn next_action(challenge: Option<&String>, waiting: bool) -> Value {
    match challenge {
        Some(url) if waiting => object! {
            redirect_to_url: object! { return_url: (), url: url.as_str() },
            type: "redirect_to_url",
        },
        _ => Value::Null,
    }
}

/// A setup intent.
#[must_use]
pub fn setup_intent(intent: &SetupIntent, livemode: bool) -> Value {
    let waiting = intent.status == SetupStatus::RequiresAction;
    object! {
        id: intent.id.as_str(),
        object: "setup_intent",
        allowed_payment_method_types: (),
        application: (),
        automatic_payment_methods: (),
        cancellation_reason: (),
        client_secret: intent.client_secret.as_str(),
        created: intent.created.0,
        customer: id(intent.customer.as_ref()),
        customer_account: (),
        description: (),
        excluded_payment_method_types: (),
        flow_directions: (),
        last_setup_error: intent.last_error.as_ref().map(card_error),
        latest_attempt: (),
        livemode: livemode,
        mandate: (),
        metadata: metadata(&intent.metadata),
        next_action: next_action(intent.challenge.as_ref(), waiting),
        on_behalf_of: (),
        payment_method: id(intent.payment_method.as_ref()),
        payment_method_configuration_details: (),
        payment_method_options: (),
        payment_method_types: vec!["card"],
        single_use_mandate: (),
        status: name(intent.status),
        usage: "off_session",
    }
}

/// Where the goods go that are paid for.
pub(super) fn delivery(intent: &PaymentIntent) -> Value {
    let Some(own) = &intent.shipping else {
        return Value::Null;
    };
    object! {
        address: address(&own.to.address),
        carrier: text(own.carrier.as_ref()),
        name: own.to.name.as_deref().unwrap_or_default(),
        phone: text(own.to.phone.as_ref()),
        tracking_number: text(own.tracking_number.as_ref()),
    }
}

/// A payment intent. Its client secret is made by the installation's keys, which stand behind the API:
/// there it comes in.
#[must_use]
pub fn payment_intent(intent: &PaymentIntent, livemode: bool) -> Value {
    let said = intent.particulars.as_deref();
    let waiting = intent.status == PaymentStatus::RequiresAction;
    let received = match intent.status {
        PaymentStatus::Succeeded => intent.amount_minor,
        _ => 0,
    };
    object! {
        id: intent.id.as_str(),
        object: "payment_intent",
        allowed_payment_method_types: (),
        amount: intent.amount_minor,
        amount_capturable: 0,
        amount_received: received,
        application: (),
        application_fee_amount: (),
        automatic_payment_methods: (),
        canceled_at: moment(intent.canceled_at),
        cancellation_reason: (),
        capture_method: "automatic",
        client_secret: (),
        confirmation_method: "automatic",
        created: intent.created.0,
        currency: intent.currency.lower(),
        customer: intent.customer.as_str(),
        customer_account: (),
        description: text(intent.description.as_ref()),
        excluded_payment_method_types: (),
        last_payment_error: intent.last_error.as_ref().map(card_error),
        latest_charge: super::refund::charge_id(intent),
        livemode: livemode,
        managed_payments: (),
        metadata: metadata(&intent.metadata),
        next_action: next_action(intent.challenge.as_ref(), waiting),
        on_behalf_of: (),
        payment_method: id(intent.payment_method.as_ref()),
        payment_method_configuration_details: (),
        payment_method_options: (),
        payment_method_types: vec!["card"],
        payment_record: (),
        processing: (),
        receipt_email: intent.receipt_email(),
        review: (),
        setup_future_usage: "off_session",
        shipping: delivery(intent),
        source: (),
        statement_descriptor: text(said.and_then(|own| own.statement_descriptor.as_ref())),
        statement_descriptor_suffix: text(
            said.and_then(|own| own.statement_descriptor_suffix.as_ref()),
        ),
        status: name(intent.status),
        transfer_data: (),
        transfer_group: (),
    }
}
