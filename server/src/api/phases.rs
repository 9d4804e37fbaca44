//! What subscriptions and the phases of schedules have in common as parameters: prices made on the
//! spot, discounts, one-off amounts, thresholds, commitments.

use perennial::calendar::{Cadence, Interval, Period, Timestamp};
use perennial::catalog::{Recurring, TaxBehavior, UsageType};
use perennial::id::{PriceId, ProductId};
use perennial::pricing::Pricing;
use perennial::schedule::{CommitmentPeriod, DefaultSettings, MinimumCommitment, PhaseAnchor};
use perennial::subscription::{BillingThresholds, CollectionMethod, ITEMS_MAX, ProrationBehavior};

use super::params::Params;
use super::portal_configurations::PRORATIONS;
use super::prices::{INTERVALS, TAX_BEHAVIORS, amount};
use super::setup_intents;
use super::subscriptions::{collection_method, days_until_due, new_item, tax_rates};
use crate::service::added::{ADDED_MAX, NewAdded};
use crate::service::catalog::{NewPrice, PriceProduct};
use crate::service::choices::{DiscountChoice, PriceChoice};
use crate::service::schedules::{DefaultsChange, NewPhase, PhaseMoment};

/// The most discounts of a list (Stripe: 20).
const DISCOUNTS_MAX: usize = 20;
/// The largest threshold, in minor units or units.
const AMOUNT_MAX: i64 = 999_999_999_999;

/// `discounts[0][coupon]=…`, or `promotion_code`, or `discount`: exactly one of them.
pub(super) fn discounts(params: &mut Params) -> Option<Vec<DiscountChoice>> {
    let given = params.objects("discounts", DISCOUNTS_MAX, |discount| {
        let coupon = discount.id("coupon", "coupon");
        let code = discount.id("promotion_code", "promotion_code");
        let kept = discount.id("discount", "discount");
        match (coupon, code, kept) {
            (Some(id), None, None) => Some(DiscountChoice::Coupon(id)),
            (None, Some(id), None) => Some(DiscountChoice::PromotionCode(id)),
            (None, None, Some(id)) => Some(DiscountChoice::Discount(id)),
            (None, None, None) => discount.required("coupon", None),
            _ => {
                let message = "You may only specify one of these parameters: coupon, \
                               promotion_code, discount.";
                discount.refuse("promotion_code", message);
                None
            }
        }
    });
    given.map(|choices| choices.into_iter().flatten().collect())
}

/// `price` or `price_data`, one of them. `recurring` says which kind of price the place takes.
pub(super) fn price_choice(params: &mut Params, recurring: bool) -> Option<PriceChoice> {
    let id: Option<PriceId> = params.id("price", "price");
    let data = params.object("price_data", |p| price_data(p, recurring));
    match (id, data) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: price, price_data.";
            params.refuse("price_data", message);
            None
        }
        (Some(id), None) => Some(PriceChoice::Known(id)),
        (None, Some(data)) => data.map(|new| PriceChoice::Made(Box::new(new))),
        (None, None) => None,
    }
}

pub(super) fn price_data(params: &mut Params, recurring: bool) -> Option<NewPrice> {
    let currency = params.currency("currency");
    let product: Option<ProductId> = params.id("product", "product");
    let unit_amount = amount(params, "unit_amount", "unit_amount_decimal");
    let tax_behavior = params.choice("tax_behavior", &TAX_BEHAVIORS);
    let cadence = match recurring {
        true => {
            let cadence = params.object("recurring", cadence).flatten();
            Some(params.required("recurring", cadence)?)
        }
        false => None,
    };
    let currency = params.required("currency", currency);
    let product = params.required("product", product);
    let unit_amount = params.required("unit_amount", unit_amount);
    Some(NewPrice {
        product: PriceProduct::Existing(product?),
        currency: currency?,
        pricing: Pricing::PerUnit {
            unit_amount: unit_amount?,
            transform_quantity: None,
        },
        recurring: cadence.map(|cadence| Recurring {
            cadence,
            usage_type: UsageType::Licensed,
            meter: None,
            trial_period_days: None,
        }),
        active: Some(false),
        nickname: None,
        lookup_key: None,
        transfer_lookup_key: false,
        tax_behavior: tax_behavior.unwrap_or(TaxBehavior::Unspecified),
        metadata: None,
    })
}

/// `interval` and `interval_count`.
pub(super) fn cadence(params: &mut Params) -> Option<Cadence> {
    let interval: Option<Interval> = params.choice("interval", &INTERVALS);
    let count = params.integer_in("interval_count", 1..=1_095);
    let count = count.and_then(|n| u16::try_from(n).ok()).unwrap_or(1);
    match Cadence::new(params.required("interval", interval)?, count) {
        Ok(cadence) => Some(cadence),
        Err(error) => {
            params.refuse("interval_count", format!("{error}."));
            None
        }
    }
}

/// `add_invoice_items`.
pub(super) fn added(params: &mut Params) -> Vec<NewAdded> {
    let given = params.objects("add_invoice_items", ADDED_MAX, |p| {
        let price = price_choice(p, false);
        let quantity = p.count("quantity");
        let rates = tax_rates(p, "tax_rates");
        let discounts = discounts(p);
        let discountable = p.boolean("discountable");
        let period = p.object("period", period).flatten();
        let metadata = setup_intents::metadata(p);
        Some(NewAdded {
            price: p.required("price", price)?,
            quantity,
            tax_rates: rates.unwrap_or_default(),
            discounts: discounts.unwrap_or_default(),
            discountable,
            period,
            metadata,
        })
    });
    given.into_iter().flatten().flatten().collect()
}

/// `period[start][type]` and `period[end][type]`; without timestamps it is the moment of billing.
fn period(params: &mut Params) -> Option<Period> {
    let mut end = |name: &str, names: &[&str]| {
        let read = params.object(name, |p| {
            let kind: Option<String> = p.choice("type", names);
            let at = p.moment("timestamp");
            match kind.as_deref() {
                Some("timestamp") => p.required("timestamp", at),
                _ => {
                    let _ = p.required("type", kind.clone());
                    None
                }
            }
        });
        read.flatten()
    };
    let start = end(
        "start",
        &["max_item_period_start", "now", "phase_start", "timestamp"],
    );
    let end = end("end", &["min_item_period_end", "phase_end", "timestamp"]);
    match (start, end) {
        (Some(start), Some(end)) if start <= end => Some(Period { start, end }),
        (Some(_), Some(_)) => {
            params.refuse("end", "The period must end after it starts.");
            None
        }
        _ => None,
    }
}

/// Our extension `minimum_commitment[amount]`, `minimum_commitment[period]`.
pub(super) fn commitment(params: &mut Params, names: &[&str]) -> Option<MinimumCommitment> {
    let given = params.object("minimum_commitment", |p| {
        let amount = p.integer_in("amount", 1..=999_999_999_999);
        let period: Option<CommitmentPeriod> = p.choice("period", names);
        Some(MinimumCommitment {
            amount_minor: p.required("amount", amount)?,
            period: p.required("period", period)?,
        })
    });
    given.flatten()
}

/// `billing_thresholds` of a subscription: at least one of them.
pub(super) fn thresholds(params: &mut Params) -> Option<Option<BillingThresholds>> {
    params.change_object("billing_thresholds", |p| {
        let amount_gte = p.integer_in("amount_gte", 1..=AMOUNT_MAX);
        let resets = p.boolean("reset_billing_cycle_anchor").unwrap_or(false);
        BillingThresholds {
            amount_gte,
            reset_billing_cycle_anchor: resets,
        }
    })
}

/// `billing_thresholds[usage_gte]` of an item.
pub(super) fn usage_threshold(params: &mut Params) -> Option<Option<u64>> {
    let given = params.change_object("billing_thresholds", |p| {
        let units = p.integer_in("usage_gte", 1..=AMOUNT_MAX);
        let units = p.required("usage_gte", units);
        units.and_then(|units| u64::try_from(units).ok())
    });
    match given {
        Some(Some(None)) | None => None,
        Some(units) => Some(units.flatten()),
    }
}

fn phase_moment(params: &mut Params, name: &str) -> Option<PhaseMoment> {
    match params.text_is(name, "now") {
        true => Some(PhaseMoment::Now),
        false => params.moment(name).map(PhaseMoment::At),
    }
}

fn anchor(params: &mut Params) -> Option<PhaseAnchor> {
    params.choice("billing_cycle_anchor", &["automatic", "phase_start"])
}

/// `invoice_settings[days_until_due]`.
fn days(params: &mut Params) -> Option<u16> {
    params.object("invoice_settings", days_until_due).flatten()
}

/// A phase of a schedule.
pub(super) fn phase(params: &mut Params) -> NewPhase {
    let items = params.objects("items", ITEMS_MAX, new_item);
    let items = params.required("items", items).unwrap_or_default();
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    let _ = params.currency("currency");
    NewPhase {
        start: phase_moment(params, "start_date"),
        end: phase_moment(params, "end_date"),
        duration: params.object("duration", cadence).flatten(),
        items: items.into_iter().flatten().collect(),
        added: added(params),
        proration_behavior: proration.unwrap_or_default(),
        anchor: anchor(params),
        collection_method: collection_method(params),
        days_until_due: days(params),
        default_payment_method: params.id("default_payment_method", "payment_method"),
        default_tax_rates: tax_rates(params, "default_tax_rates").unwrap_or_default(),
        discounts: discounts(params).unwrap_or_default(),
        description: params.text("description"),
        trial_end: phase_moment(params, "trial_end"),
        trial: params.boolean("trial").unwrap_or(false),
        billing_thresholds: thresholds(params).flatten(),
        minimum_commitment: commitment(params, &["phase", "billing_period", "year"]),
        metadata: setup_intents::metadata(params),
    }
}

/// `default_settings`.
pub(super) fn defaults(params: &mut Params) -> DefaultsChange {
    let given = params.object("default_settings", |p| DefaultsChange {
        anchor: anchor(p),
        collection_method: collection_method(p) as Option<CollectionMethod>,
        days_until_due: days(p),
        default_payment_method: p.change_id("default_payment_method", "payment_method"),
        description: p.change_text("description"),
        billing_thresholds: thresholds(p),
    });
    given.unwrap_or_default()
}

/// The defaults of a new schedule.
pub(super) fn new_defaults(params: &mut Params) -> DefaultSettings {
    let mut settings = DefaultSettings::default();
    defaults(params).apply(&mut settings);
    settings
}

/// `start_date`: a moment, or `now`.
pub(super) fn start_date(params: &mut Params, now: Timestamp) -> Option<Timestamp> {
    phase_moment(params, "start_date").map(|moment| moment.at(now))
}
