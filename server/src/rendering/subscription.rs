//! Subscriptions and their items.

use perennial::calendar::Timestamp;
use perennial::discount::Discount;
use perennial::schedule::Commitment;
use perennial::subscription::{BillingMode, Item, Paused, PendingUpdate, Settings, Subscription};
use serde_json::Value;

use super::catalog::{Owner, discount, plan, price, tax_rate};
use super::schedule::{commitment, thresholds};
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
    let settings = subscription
        .settings
        .as_deref()
        .cloned()
        .unwrap_or_default();
    let mut shown = object! {
        id: subscription.id.as_str(),
        object: "subscription",
        application: (),
        application_fee_percent: (),
        automatic_tax: object! { disabled_reason: (), enabled: false, liability: () },
        billing_cycle_anchor: subscription.billing_cycle_anchor.0,
        billing_cycle_anchor_config: subscription.anchor_config.map(|own| object! {
            day_of_month: own.day_of_month,
            hour: own.hour,
            minute: own.minute,
            month: own.month,
            second: own.second,
        }),
        billing_mode: billing_mode_since(subscription),
        billing_schedules: Vec::<Value>::new(),
        billing_thresholds: subscription.billing_thresholds.map(|own| thresholds(&own)),
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
        invoice_settings: invoice_settings(&settings),
        items: list(
            items.collect(),
            false,
            &format!("/v1/subscription_items?subscription={}", subscription.id),
        ),
        latest_invoice: id(subscription.latest_invoice.as_ref()),
        livemode: livemode,
        managed_payments: (),
        metadata: metadata(&subscription.metadata),
        next_pending_invoice_item_invoice: moment(next_pending_items_at(subscription)),
        on_behalf_of: (),
        pause_collection: subscription.pause_collection.map(|pause| object! {
            behavior: name(pause.behavior),
            resumes_at: moment(pause.resumes_at),
        }),
        payment_settings: payment_settings(&settings),
        pending_invoice_item_interval: settings.pending_items.map(|own| object! {
            interval: name(own.every.interval),
            interval_count: own.every.interval_count,
        }),
        pending_setup_intent: id(settings.pending_setup_intent.as_ref()),
        pending_update: subscription
            .pending_update
            .as_ref()
            .map(|update| pending_update(update, subscription, livemode)),
        schedule: id(subscription.schedule.as_ref()),
        start_date: subscription.start_date.0,
        status: name(subscription.status),
        test_clock: id(subscription.test_clock.as_ref()),
        transfer_data: (),
        trial_end: moment(subscription.trial_end),
        trial_settings: object! {
            end_behavior: object! {
                billing_cycle_anchor: subscription.trial_keeps_anchor.then_some("unchanged"),
                missing_payment_method: name(subscription.trial_missing_payment_method),
            },
        },
        trial_start: moment(subscription.trial_start),
    };
    if let (Some(pause), Some(fields)) = (&subscription.paused, shown.as_object_mut()) {
        fields.insert("status_details".to_owned(), status_details(pause));
    }
    // Our extension, only where there is one.
    if let (Some(own), Some(fields)) = (subscription.commitments.last(), shown.as_object_mut()) {
        let running = running_commitment(own, subscription.currency.lower());
        fields.insert("minimum_commitment".to_owned(), running);
    }
    shown
}

/// What stands on its invoices.
fn invoice_settings(own: &Settings) -> Value {
    let tax_ids = own.account_tax_ids.iter().map(|tax| tax.id.as_str());
    let fields = own.custom_fields.iter();
    let fields = fields.map(|f| object! { name: f.name.as_str(), value: f.value.as_str() });
    object! {
        account_tax_ids: (!own.account_tax_ids.is_empty()).then(|| tax_ids.collect::<Vec<_>>()),
        custom_fields: (!own.custom_fields.is_empty()).then(|| fields.collect::<Vec<_>>()),
        description: text(own.description.as_ref()),
        footer: text(own.footer.as_ref()),
        issuer: object! { type: "self" },
    }
}

/// How its invoices are paid.
fn payment_settings(own: &Settings) -> Value {
    let saves = own.saves_payment_method;
    object! {
        payment_method_options: own.bank_asks_for_proof.then(|| object! {
            acss_debit: (),
            bancontact: (),
            card: object! { network: (), request_three_d_secure: "automatic" },
            customer_balance: (),
            konbini: (),
            payto: (),
            pix: (),
            sepa_debit: (),
            upi: (),
            us_bank_account: (),
        }),
        payment_method_types: own.cards_only.then(|| vec!["card"]),
        save_default_payment_method: if saves { "on_subscription" } else { "off" },
    }
}

/// When waiting amounts are billed next between periods, if the subscription still bills.
fn next_pending_items_at(subscription: &Subscription) -> Option<Timestamp> {
    let at = subscription.pending_items_at()?;
    (!subscription.status.is_final()).then_some(at)
}

/// Since when and why it stands still. `resumes_at` is an extension of ours.
fn status_details(pause: &Paused) -> Value {
    let mut paused = object! {
        subscription: object! { type: name(pause.reason) },
        transitioned_at: pause.at.0,
        type: "subscription",
    };
    if let (Some(at), Some(fields)) = (pause.resumes_at, paused.as_object_mut()) {
        fields.insert("resumes_at".to_owned(), at.0.into());
    }
    object! { paused: paused }
}

fn billing_mode_since(subscription: &Subscription) -> Value {
    let mut shown = billing_mode(subscription.billing_mode);
    if let (Some(since), Some(fields)) = (subscription.billing_mode_since, shown.as_object_mut()) {
        fields.insert("updated_at".to_owned(), since.0.into());
    }
    shown
}

/// A discount of a subscription that was taken away.
#[must_use]
pub fn deleted_discount(gone: &Discount, before: &Subscription) -> Value {
    let owner = Owner {
        customer: Some(&before.customer),
        subscription: Some(&before.id),
        ..Owner::default()
    };
    let mut shown = discount(gone, &owner);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("deleted".to_owned(), true.into());
    }
    shown
}

pub(super) fn billing_mode(mode: BillingMode) -> Value {
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
        billing_thresholds: item.usage_gte.map(|units| object! { usage_gte: units }),
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

/// Our extension: a commitment with what has come in for it.
fn running_commitment(own: &Commitment, currency: &str) -> Value {
    let mut value = commitment(&own.terms);
    if let Some(map) = value.as_object_mut() {
        map.insert("currency".to_owned(), currency.into());
        map.insert("counted".to_owned(), own.counted_minor.into());
        map.insert("current_period_start".to_owned(), own.period.start.0.into());
        map.insert("current_period_end".to_owned(), own.period.end.0.into());
    }
    value
}

/// A change that waits for its payment.
fn pending_update(update: &PendingUpdate, subscription: &Subscription, livemode: bool) -> Value {
    let items = update.items.iter();
    let items = items.map(|item| subscription_item(item, subscription, livemode));
    let moved = update.billing_cycle_anchor != subscription.billing_cycle_anchor;
    object! {
        billing_cycle_anchor: moved.then_some(update.billing_cycle_anchor.0),
        cancel_at_period_end: (),
        discount: (),
        discounts: (),
        expires_at: update.expires_at.0,
        metadata: (),
        subscription_items: items.collect::<Vec<_>>(),
        trial_end: moment(update.trial_end),
        trial_from_plan: (),
    }
}
