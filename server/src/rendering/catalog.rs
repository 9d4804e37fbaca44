//! What is sold and on what terms: products, prices (and their old face, plans), coupons, discounts,
//! tax rates.

use perennial::calendar::Timestamp;
use perennial::catalog::{Price, Product, Recurring, UsageType};
use perennial::discount::{Coupon, Discount, Duration, Off};
use perennial::id::{CustomerId, InvoiceId, SubscriptionId, SubscriptionItemId};
use perennial::pricing::{Pricing, Tier, TransformQuantity};
use perennial::tax::TaxRate;
use serde_json::Value;

use super::{decimal, id, metadata, moment, name, number, object, text, whole_number};

/// A product.
#[must_use]
pub fn product(product: &Product, livemode: bool) -> Value {
    let features = product.marketing_features.iter();
    object! {
        id: product.id.as_str(),
        object: "product",
        active: product.active,
        created: product.created.0,
        default_price: id(product.default_price.as_ref()),
        description: text(product.description.as_ref()),
        images: Vec::<Value>::new(),
        livemode: livemode,
        marketing_features: features
            .map(|feature| object! { name: feature.as_str() })
            .collect::<Vec<_>>(),
        metadata: metadata(&product.metadata),
        name: product.name.as_str(),
        package_dimensions: (),
        shippable: (),
        statement_descriptor: (),
        tax_code: text(product.tax_code.as_ref()),
        tax_details: (),
        type: "service",
        unit_label: text(product.unit_label.as_ref()),
        updated: product.updated.0,
        url: text(product.url.as_ref()),
    }
}

/// A price, with its tiers.
#[must_use]
pub fn price(price: &Price, livemode: bool) -> Value {
    let unit_amount = price.pricing.unit_amount();
    let (scheme, tiers_mode, tiers, transform) = pricing(&price.pricing);
    let mut value = object! {
        id: price.id.as_str(),
        object: "price",
        active: price.active,
        billing_scheme: scheme,
        created: price.created.0,
        currency: price.currency.lower(),
        custom_unit_amount: (),
        livemode: livemode,
        lookup_key: text(price.lookup_key.as_ref()),
        metadata: metadata(&price.metadata),
        nickname: text(price.nickname.as_ref()),
        product: price.product.as_str(),
        recurring: price.recurring.as_ref().map(recurring),
        tax_behavior: name(price.tax_behavior),
        tiers_mode: tiers_mode,
        transform_quantity: transform,
        type: if price.recurring.is_some() { "recurring" } else { "one_time" },
        unit_amount: whole_number(unit_amount),
        unit_amount_decimal: decimal(unit_amount),
    };
    if let (Some(tiers), Some(map)) = (tiers, value.as_object_mut()) {
        map.insert("tiers".to_owned(), tiers);
    }
    value
}

/// The scheme's name, the tiers' mode and tiers where there are any, and the packages.
fn pricing(pricing: &Pricing) -> (&'static str, Value, Option<Value>, Value) {
    match pricing {
        Pricing::PerUnit {
            transform_quantity, ..
        } => (
            "per_unit",
            Value::Null,
            None,
            transform_quantity.as_ref().map(transform).into(),
        ),
        Pricing::Tiered { mode, tiers } => (
            "tiered",
            name(mode),
            Some(tiers.iter().map(tier).collect::<Vec<_>>().into()),
            Value::Null,
        ),
    }
}

fn transform(transform: &TransformQuantity) -> Value {
    object! { divide_by: transform.divide_by, round: name(transform.round) }
}

fn tier(tier: &Tier) -> Value {
    object! {
        flat_amount: whole_number(tier.flat_amount),
        flat_amount_decimal: decimal(tier.flat_amount),
        unit_amount: whole_number(tier.unit_amount),
        unit_amount_decimal: decimal(tier.unit_amount),
        up_to: tier.up_to,
    }
}

fn recurring(recurring: &Recurring) -> Value {
    object! {
        interval: name(recurring.cadence.interval),
        interval_count: recurring.cadence.interval_count,
        meter: id(recurring.meter.as_ref()),
        trial_period_days: recurring.trial_period_days,
        usage_type: name(recurring.usage_type),
    }
}

/// A recurring price in the shape that it had before prices; the SDK's types require it on items.
#[must_use]
pub fn plan(price: &Price, livemode: bool) -> Value {
    let unit_amount = price.pricing.unit_amount();
    let (scheme, tiers_mode, tiers, _) = pricing(&price.pricing);
    let transform = match &price.pricing {
        Pricing::PerUnit {
            transform_quantity: Some(transform),
            ..
        } => Some(object! { divide_by: transform.divide_by, round: name(transform.round) }),
        _ => None,
    };
    let recurring = price.recurring.as_ref();
    let mut value = object! {
        id: price.id.as_str(),
        object: "plan",
        active: price.active,
        amount: whole_number(unit_amount),
        amount_decimal: decimal(unit_amount),
        billing_scheme: scheme,
        created: price.created.0,
        currency: price.currency.lower(),
        interval: recurring.map(|r| name(r.cadence.interval)),
        interval_count: recurring.map(|r| r.cadence.interval_count),
        livemode: livemode,
        metadata: metadata(&price.metadata),
        meter: id(recurring.and_then(|r| r.meter.as_ref())),
        nickname: text(price.nickname.as_ref()),
        product: price.product.as_str(),
        tiers_mode: tiers_mode,
        transform_usage: transform,
        trial_period_days: recurring.and_then(|r| r.trial_period_days),
        usage_type: name(recurring.map_or(UsageType::Licensed, |r| r.usage_type)),
    };
    if let (Some(tiers), Some(map)) = (tiers, value.as_object_mut()) {
        map.insert("tiers".to_owned(), tiers);
    }
    value
}

/// A coupon, with the products it is limited to.
#[must_use]
pub fn coupon(coupon: &Coupon, livemode: bool, now: Timestamp) -> Value {
    if coupon.deleted {
        return super::deleted("coupon", coupon.id.as_str());
    }
    let (amount, currency, percent) = match coupon.off {
        Off::Percent(percent) => (None, None, number(percent)),
        Off::Amount {
            amount_minor,
            currency,
        } => (Some(amount_minor), Some(currency.lower()), Value::Null),
    };
    let months = match coupon.duration {
        Duration::Repeating { months } => Some(months),
        Duration::Once | Duration::Forever => None,
    };
    let in_time = coupon.redeem_by.is_none_or(|until| now <= until);
    let left = coupon
        .max_redemptions
        .is_none_or(|most| coupon.times_redeemed < most);
    let mut value = object! {
        id: coupon.id.as_str(),
        object: "coupon",
        amount_off: amount,
        created: coupon.created.0,
        currency: currency,
        duration: duration_name(coupon.duration),
        duration_in_months: months,
        livemode: livemode,
        max_redemptions: coupon.max_redemptions,
        metadata: metadata(&coupon.metadata),
        name: text(coupon.name.as_ref()),
        percent_off: percent,
        redeem_by: moment(coupon.redeem_by),
        times_redeemed: coupon.times_redeemed,
        valid: in_time && left,
    };
    if let (Off::Amount { currency, .. }, Some(map)) = (coupon.off, value.as_object_mut()) {
        let own = coupon.amount_off(currency).map(|amount| (currency, amount));
        let all = coupon
            .currency_options
            .iter()
            .map(|(code, amount)| (*code, *amount));
        let options = own.into_iter().chain(all);
        let options =
            options.map(|(code, amount)| (code.lower().to_owned(), object! { amount_off: amount }));
        map.insert(
            "currency_options".to_owned(),
            Value::Object(options.collect()),
        );
    }
    if let (false, Some(map)) = (coupon.applies_to.is_empty(), value.as_object_mut()) {
        let products: Vec<_> = coupon.applies_to.iter().map(|id| id.as_str()).collect();
        map.insert("applies_to".to_owned(), object! { products: products });
    }
    value
}

/// Stripe's name of a duration.
fn duration_name(duration: Duration) -> &'static str {
    match duration {
        Duration::Once => "once",
        Duration::Repeating { .. } => "repeating",
        Duration::Forever => "forever",
    }
}

/// What a discount was given to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner<'a> {
    /// Whose it is, in the end.
    pub customer: Option<&'a CustomerId>,
    /// The subscription that has it.
    pub subscription: Option<&'a SubscriptionId>,
    /// The item that has it.
    pub subscription_item: Option<&'a SubscriptionItemId>,
    /// The invoice that has it.
    pub invoice: Option<&'a InvoiceId>,
}

/// A discount.
#[must_use]
pub fn discount(discount: &Discount, owner: &Owner<'_>) -> Value {
    object! {
        id: discount.id.as_str(),
        object: "discount",
        checkout_session: (),
        customer: id(owner.customer),
        customer_account: (),
        end: moment(discount.end),
        invoice: id(owner.invoice),
        invoice_item: (),
        promotion_code: id(discount.promotion_code.as_ref()),
        source: object! { coupon: discount.coupon.id.as_str(), type: "coupon" },
        start: discount.start.0,
        subscription: id(owner.subscription),
        subscription_item: id(owner.subscription_item),
    }
}

/// A tax rate.
#[must_use]
pub fn tax_rate(rate: &TaxRate, livemode: bool) -> Value {
    object! {
        id: rate.id.as_str(),
        object: "tax_rate",
        active: rate.active,
        country: text(rate.country.as_ref()),
        created: rate.created.0,
        description: text(rate.description.as_ref()),
        display_name: rate.display_name.as_str(),
        effective_percentage: (),
        flat_amount: (),
        inclusive: rate.inclusive,
        jurisdiction: text(rate.jurisdiction.as_ref()),
        jurisdiction_level: (),
        livemode: livemode,
        metadata: metadata(&rate.metadata),
        percentage: number(rate.percentage),
        rate_type: "percentage",
        state: text(rate.state.as_ref()),
        tax_type: text(rate.tax_type.as_ref()),
    }
}
