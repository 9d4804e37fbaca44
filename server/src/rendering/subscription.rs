//! Subscriptions and their items.

use perennial::subscription::{BillingMode, Item, Subscription};
use serde_json::Value;

use super::catalog::{Owner, discount, plan, price, tax_rate};
use super::{id, list, metadata, moment, name, object, text};

/// A subscription with its items and whole discounts.
#[must_use]
pub fn subscription(subscription: &Subscription, livemode: bool) -> Value {
    let items = subscription.items.iter();
    let items = items.map(|item| subscription_item(item, subscription, livemode));
    let owner = Owner {
        customer: Some(&subscription.customer),
        subscription: Some(&subscription.id),
        ..Owner::default()
    };
    let discounts = subscription.discounts.iter().map(|d| discount(d, &owner));
    let rates = subscription.default_tax_rates.iter();
    object! {
        id: subscription.id.as_str(),
        object: "subscription",
        application: (),
        application_fee_percent: (),
        automatic_tax: object! { disabled_reason: (), enabled: false, liability: () },
        billing_cycle_anchor: subscription.billing_cycle_anchor.0,
        billing_cycle_anchor_config: (),
        billing_mode: billing_mode(subscription.billing_mode),
        billing_schedules: Vec::<Value>::new(),
        billing_thresholds: (),
        cancel_at: moment(subscription.cancel_at),
        cancel_at_period_end: subscription.cancel_at_period_end,
        canceled_at: moment(subscription.canceled_at),
        cancellation_details: cancellation(subscription),
        collection_method: name(subscription.collection_method),
        created: subscription.created.0,
        currency: subscription.currency.lower(),
        customer: subscription.customer.as_str(),
        customer_account: (),
        days_until_due: subscription.days_until_due,
        default_payment_method: id(subscription.default_payment_method.as_ref()),
        default_source: (),
        default_tax_rates: rates.map(|rate| tax_rate(rate, livemode)).collect::<Vec<_>>(),
        description: text(subscription.description.as_ref()),
        discounts: discounts.collect::<Vec<_>>(),
        ended_at: moment(subscription.ended_at),
        invoice_settings: object! {
            account_tax_ids: (),
            custom_fields: (),
            description: (),
            footer: (),
            issuer: object! { type: "self" },
        },
        items: list(
            items.collect(),
            false,
            &format!("/v1/subscription_items?subscription={}", subscription.id),
        ),
        latest_invoice: id(subscription.latest_invoice.as_ref()),
        livemode: livemode,
        managed_payments: (),
        metadata: metadata(&subscription.metadata),
        next_pending_invoice_item_invoice: (),
        on_behalf_of: (),
        pause_collection: subscription.pause_collection.map(|pause| object! {
            behavior: name(pause.behavior),
            resumes_at: moment(pause.resumes_at),
        }),
        payment_settings: object! {
            payment_method_options: (),
            payment_method_types: (),
            save_default_payment_method: "off",
        },
        pending_invoice_item_interval: (),
        pending_setup_intent: (),
        pending_update: (),
        schedule: (),
        start_date: subscription.start_date.0,
        status: name(subscription.status),
        test_clock: id(subscription.test_clock.as_ref()),
        transfer_data: (),
        trial_end: moment(subscription.trial_end),
        trial_settings: object! {
            end_behavior: object! {
                billing_cycle_anchor: (),
                missing_payment_method: name(subscription.trial_missing_payment_method),
            },
        },
        trial_start: moment(subscription.trial_start),
    }
}

fn billing_mode(mode: BillingMode) -> Value {
    match mode {
        BillingMode::Classic => object! { flexible: (), type: "classic" },
        BillingMode::Flexible => object! {
            flexible: object! { proration_discounts: "included" },
            type: "flexible",
        },
    }
}

fn cancellation(subscription: &Subscription) -> Value {
    let details = subscription.cancellation.as_ref();
    object! {
        comment: text(details.and_then(|d| d.comment.as_ref())),
        feedback: details.and_then(|d| d.feedback).map(name),
        feedback_option: (),
        reason: details.and_then(|d| d.reason).map(name),
    }
}

/// An item of a subscription. A metered one has no quantity.
#[must_use]
pub fn subscription_item(item: &Item, subscription: &Subscription, livemode: bool) -> Value {
    let owner = Owner {
        customer: Some(&subscription.customer),
        subscription: Some(&subscription.id),
        subscription_item: Some(&item.id),
        ..Owner::default()
    };
    let discounts = item.discounts.iter().map(|d| discount(d, &owner));
    let rates = item.tax_rates.iter().map(|rate| tax_rate(rate, livemode));
    let mut value = object! {
        id: item.id.as_str(),
        object: "subscription_item",
        billing_thresholds: (),
        created: item.created.0,
        current_period_end: item.current_period.end.0,
        current_period_start: item.current_period.start.0,
        current_trial: (),
        discounts: discounts.collect::<Vec<_>>(),
        metadata: metadata(&item.metadata),
        plan: plan(&item.price, livemode),
        price: price(&item.price, livemode),
        subscription: subscription.id.as_str(),
        tax_rates: rates.collect::<Vec<_>>(),
    };
    if let (false, Some(map)) = (item.price.is_metered(), value.as_object_mut()) {
        map.insert("quantity".to_owned(), item.quantity.into());
    }
    value
}
