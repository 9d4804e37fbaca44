//! Objects as the API shows them: one pure function each, from the domain's value to JSON in the
//! shape of Stripe's API, version [`API_VERSION`]. Answers and events are made of the same ones.
//!
//! Every field that the official SDK's types require is there, `null` where they allow it. Functions
//! that stand here leave out what Stripe shows only on `expand[]`; those of [`whole`] put it in, and
//! the API folds what was not asked for.

mod catalog;
mod credit_note;
mod customer;
mod decline;
mod difference;
mod event;
mod folding;
mod invoice;
mod invoice_item;
mod payment;
mod payment_record;
mod portal;
mod promotion;
mod refund;
mod schedule;
mod subscription;
mod test_clock;
mod usage;

use perennial::calendar::Timestamp;
use perennial::decimal::Decimal12;
use perennial::metadata::Metadata;
use serde::Serialize;
use serde_json::{Map, Value};

pub use decline::message as decline_message;
pub use difference::previous_attributes;
pub use event::event;
pub use folding::{Wanted, fold};
pub use portal::portal_session;
pub use refund::state_charge;
pub use subscription::deleted_discount;
pub use test_clock::test_clock;
pub use usage::{
    alert, alert_triggered, iso, meter, meter_event, meter_event_adjustment, meter_event_summary,
    meter_event_v2,
};

/// The version of the API that these shapes are of.
pub const API_VERSION: &str = "2026-10-28.endive";

/// Writes a JSON object: `object! { id: "cus_1", object: "customer", … }`. Values are anything that
/// becomes JSON; `()` is null.
macro_rules! object {
    () => {
        serde_json::Value::Object(serde_json::Map::new())
    };
    ($($key:ident : $value:expr),* $(,)?) => {{
        let mut map = serde_json::Map::new();
        $( map.insert(stringify!($key).to_owned(), serde_json::Value::from($value)); )*
        serde_json::Value::Object(map)
    }};
}
use object;

/// Objects with everything that `expand[]` could ask for and that costs no look-up.
pub mod whole {
    pub use super::catalog::{
        Owner as DiscountOwner, coupon, discount, plan, price, product, tax_rate,
    };
    pub use super::credit_note::{credit_note, credit_note_line};
    pub use super::customer::{balance_transaction, customer, own_tax_id, tax_id};
    pub use super::invoice::{invoice, invoice_payment, line};
    pub use super::invoice_item::invoice_item;
    pub use super::payment::{payment_intent, payment_method, setup_intent};
    pub use super::payment_record::{payment_record, record_payment};
    pub use super::portal::portal_configuration;
    pub use super::promotion::promotion_code;
    pub use super::refund::{charge, refund};
    pub use super::schedule::subscription_schedule;
    pub use super::subscription::{subscription, subscription_item};
    pub use super::test_clock::test_clock;
}

/// Declares the folded twin of a function in [`whole`].
macro_rules! folded {
    ($($(#[$doc:meta])* $name:ident($noun:ty);)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name(value: &$noun, livemode: bool) -> Value {
            folded(whole::$name(value, livemode))
        }
    )* };
}

folded! {
    /// A customer.
    customer(perennial::customer::Customer);
    /// A change of a customer's balance.
    balance_transaction(crate::service::balance::BalanceTransaction);
    /// A tax registration of the merchant.
    own_tax_id(crate::service::tax_ids::OwnTaxId);
    /// A product.
    product(perennial::catalog::Product);
    /// A price.
    price(perennial::catalog::Price);
    /// A tax rate.
    tax_rate(perennial::tax::TaxRate);
    /// A subscription with its items.
    subscription(perennial::subscription::Subscription);
    /// A subscription schedule with its phases.
    subscription_schedule(perennial::schedule::Schedule);
    /// An invoice with its lines.
    invoice(perennial::invoice::Invoice);
    /// An amount that waits for an invoice.
    invoice_item(perennial::invoice::InvoiceItem);
    /// A payment method.
    payment_method(perennial::payment::PaymentMethod);
    /// A setup intent.
    setup_intent(perennial::payment::SetupIntent);
    /// A payment intent.
    payment_intent(perennial::payment::PaymentIntent);
    /// A payment that the merchant reported.
    payment_record(perennial::payment_record::PaymentRecord);
    /// A credit note with its lines.
    credit_note(perennial::credit_note::CreditNote);
    /// A refund.
    refund(perennial::refund::Refund);
    /// The charge of a payment intent.
    charge(perennial::payment::PaymentIntent);
    /// A portal configuration.
    portal_configuration(perennial::portal::PortalConfiguration);
}

/// A coupon; `now` decides whether it is still valid.
#[must_use]
pub fn coupon(coupon: &perennial::discount::Coupon, livemode: bool, now: Timestamp) -> Value {
    folded(whole::coupon(coupon, livemode, now))
}

/// A promotion code; `now` decides whether it is still active.
#[must_use]
pub fn promotion_code(
    code: &perennial::discount::PromotionCode,
    livemode: bool,
    now: Timestamp,
) -> Value {
    folded(whole::promotion_code(code, livemode, now))
}

/// A customer's tax id.
#[must_use]
pub fn tax_id(
    tax_id: &perennial::customer::TaxId,
    customer: &perennial::id::CustomerId,
    livemode: bool,
) -> Value {
    whole::tax_id(tax_id, customer, livemode)
}

/// What is left of a deleted object: its id, kind and the news.
#[must_use]
pub fn deleted(kind: &str, id: &str) -> Value {
    object! { id: id, object: kind, deleted: true }
}

/// A list, or a page of one.
#[must_use]
pub fn list(data: Vec<Value>, has_more: bool, url: &str) -> Value {
    object! { object: "list", data: data, has_more: has_more, url: url }
}

fn folded(mut value: Value) -> Value {
    fold(&mut value, &Wanted::default());
    value
}

/// The name that serde gives to a value of a closed set; null for what has none.
fn name<T: Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Seconds since 1970, or null.
fn moment(at: Option<Timestamp>) -> Value {
    at.map(|at| at.0).into()
}

/// An id, or null.
fn id<T: AsRef<str>>(id: Option<&T>) -> Value {
    id.map(AsRef::as_ref).into()
}

/// A text, or null.
fn text(value: Option<&String>) -> Value {
    value.map(String::as_str).into()
}

/// An exact decimal in a string, or null: Stripe's `*_decimal` fields.
fn decimal(value: Option<Decimal12>) -> Value {
    value.map(|value| value.to_string()).into()
}

/// A decimal as a JSON number, digit for digit: percentages.
fn number(value: Decimal12) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
}

/// A decimal where it is whole, or null: Stripe's `unit_amount` beside `unit_amount_decimal`.
fn whole_number(value: Option<Decimal12>) -> Value {
    value.and_then(Decimal12::to_integer).into()
}

fn metadata(metadata: &Metadata) -> Value {
    let entries = metadata.0.iter();
    Value::Object(
        entries
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect::<Map<_, _>>(),
    )
}

#[cfg(test)]
mod tests;
