//! Subscription schedules.

use perennial::discount::Discount;
use perennial::schedule::{
    AddedItem, DefaultSettings, MinimumCommitment, Phase, PhaseAnchor, PhaseItem, Schedule,
};
use perennial::subscription::BillingThresholds;
use perennial::tax::TaxRate;
use serde_json::Value;

use super::catalog::tax_rate;
use super::subscription::billing_mode;
use super::{id, metadata, moment, name, object, text};

/// A subscription schedule with all its phases.
#[must_use]
pub fn subscription_schedule(schedule: &Schedule, livemode: bool) -> Value {
    let current = schedule.current_period();
    let phases = schedule.phases.iter();
    object! {
        id: schedule.id.as_str(),
        object: "subscription_schedule",
        application: (),
        billing_mode: billing_mode(schedule.billing_mode),
        canceled_at: moment(schedule.canceled_at),
        completed_at: moment(schedule.completed_at),
        created: schedule.created.0,
        current_phase: current.map(|period| object! {
            end_date: period.end.0,
            start_date: period.start.0,
        }),
        customer: schedule.customer.as_str(),
        customer_account: (),
        default_settings: defaults(&schedule.defaults),
        end_behavior: name(schedule.end_behavior),
        livemode: livemode,
        metadata: metadata(&schedule.metadata),
        pause_schedules: Vec::<Value>::new(),
        phases: phases.map(|one| phase(one, livemode)).collect::<Vec<_>>(),
        released_at: moment(schedule.released_at),
        released_subscription: id(schedule.released_subscription.as_ref()),
        status: name(schedule.status),
        subscription: id(schedule.subscription.as_ref()),
        test_clock: id(schedule.test_clock.as_ref()),
    }
}

fn defaults(defaults: &DefaultSettings) -> Value {
    object! {
        application_fee_percent: (),
        automatic_tax: object! { disabled_reason: (), enabled: false, liability: () },
        billing_cycle_anchor: anchor(defaults.anchor),
        billing_thresholds: defaults.billing_thresholds.map(|own| thresholds(&own)),
        collection_method: defaults.collection_method.map(name),
        default_payment_method: id(defaults.default_payment_method.as_ref()),
        description: text(defaults.description.as_ref()),
        invoice_settings: object! {
            account_tax_ids: (),
            custom_fields: (),
            days_until_due: defaults.days_until_due,
            description: (),
            footer: (),
            issuer: object! { type: "self" },
        },
        on_behalf_of: (),
        transfer_data: (),
    }
}

fn anchor(anchor: PhaseAnchor) -> Value {
    name(anchor)
}

/// Thresholds as Stripe shows them.
pub(super) fn thresholds(own: &BillingThresholds) -> Value {
    object! {
        amount_gte: own.amount_gte,
        reset_billing_cycle_anchor: own.reset_billing_cycle_anchor,
    }
}

/// Our extension: what is to be spent at least.
pub(super) fn commitment(own: &MinimumCommitment) -> Value {
    object! { amount: own.amount_minor, period: name(own.period) }
}

fn phase(phase: &Phase, livemode: bool) -> Value {
    let rates = |rates: &[TaxRate]| {
        let rates = rates.iter().map(|rate| tax_rate(rate, livemode));
        rates.collect::<Vec<_>>()
    };
    let items = phase.items.iter();
    let added = phase.added.iter();
    let mut shown = object! {
        add_invoice_items: added.map(|one| added_item(one, rates(&one.tax_rates))).collect::<Vec<_>>(),
        application_fee_percent: (),
        automatic_tax: object! { disabled_reason: (), enabled: false, liability: () },
        billing_cycle_anchor: phase.anchor.map(anchor),
        billing_thresholds: phase.billing_thresholds.map(|own| thresholds(&own)),
        collection_method: phase.collection_method.map(name),
        currency: phase.currency.lower(),
        default_payment_method: id(phase.default_payment_method.as_ref()),
        default_tax_rates: rates(&phase.default_tax_rates),
        description: text(phase.description.as_ref()),
        discounts: discounts(&phase.discounts),
        end_date: phase.end.0,
        invoice_settings: phase.days_until_due.map(|days| object! {
            account_tax_ids: (),
            custom_fields: (),
            days_until_due: days,
            description: (),
            footer: (),
            issuer: (),
        }),
        items: items.map(|item| phase_item(item, rates(&item.tax_rates))).collect::<Vec<_>>(),
        metadata: metadata(&phase.metadata),
        on_behalf_of: (),
        proration_behavior: name(phase.proration_behavior),
        start_date: phase.start.0,
        transfer_data: (),
        trial_end: moment(phase.trial_end),
    };
    // An extension of ours: only where it is used.
    if let (Some(own), Some(fields)) = (&phase.minimum_commitment, shown.as_object_mut()) {
        fields.insert("minimum_commitment".to_owned(), commitment(own));
    }
    shown
}

fn discounts(discounts: &[Discount]) -> Vec<Value> {
    let shown = discounts.iter().map(|one| {
        let code = one.promotion_code.as_ref();
        object! {
            coupon: code.is_none().then_some(one.coupon.id.as_str()),
            discount: (),
            promotion_code: id(code),
        }
    });
    shown.collect()
}

fn phase_item(item: &PhaseItem, rates: Vec<Value>) -> Value {
    let mut value = object! {
        billing_thresholds: item.usage_gte.map(|units| object! { usage_gte: units }),
        discounts: discounts(&item.discounts),
        metadata: metadata(&item.metadata),
        plan: item.price.id.as_str(),
        price: item.price.id.as_str(),
        tax_rates: rates,
    };
    if let (false, Some(map)) = (item.price.is_metered(), value.as_object_mut()) {
        map.insert("quantity".to_owned(), item.quantity.into());
    }
    value
}

fn added_item(one: &AddedItem, rates: Vec<Value>) -> Value {
    let period = match one.period {
        Some(period) => object! {
            end: object! { timestamp: period.end.0, type: "timestamp" },
            start: object! { timestamp: period.start.0, type: "timestamp" },
        },
        None => object! {
            end: object! { type: "phase_end" },
            start: object! { type: "phase_start" },
        },
    };
    object! {
        discountable: one.discountable,
        discounts: discounts(&one.discounts),
        metadata: metadata(&one.metadata),
        period: period,
        price: one.price.id.as_str(),
        quantity: one.quantity,
        tax_rates: rates,
    }
}
