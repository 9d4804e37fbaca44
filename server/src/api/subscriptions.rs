//! `/v1/subscriptions`

use perennial::calendar::{AnchorConfig, Timestamp};
use perennial::id::{CustomerId, SubscriptionId, TaxRateId};
use perennial::subscription::{
    BillingMode, CollectionMethod, Feedback, ITEMS_MAX, ProrationBehavior, Subscription,
};
use serde_json::Value;

use super::exchange::{Call, Routes, delete, get, post};
use super::params::Params;
use super::payment_methods::customer_param;
use super::phases::{added, commitment, discounts, price_choice, thresholds, usage_threshold};
use super::portal_configurations::{FEEDBACKS, PRORATIONS};
use super::problem::Problem;
use super::setup_intents;
use super::subscription_lists::list;
use super::subscription_settings::settings;
use super::subscription_updates::{end_at, trial_settings};
use crate::rendering::whole;
use crate::service::subscriptions::{Cancel, NewItem, NewSubscription, PaymentBehavior};
use crate::service::updates::EndAt;

const URL: &str = "/v1/subscriptions";
/// The most tax rates of a line (Stripe: 10).
const TAX_RATES_MAX: usize = 10;
/// The longest trial, in days (Stripe: 730).
const TRIAL_DAYS_MAX: i64 = 730;

/// The routes.
pub fn routes() -> Routes {
    let kind = "subscription";
    Routes::new()
        .route(
            URL,
            get("subscription list", list).merge(post(kind, create)),
        )
        .route(
            "/v1/subscriptions/{id}",
            get(kind, retrieve).merge(delete(kind, cancel)),
        )
}

pub(super) fn tax_rates(params: &mut Params, name: &str) -> Option<Vec<TaxRateId>> {
    params.ids(name, "tax_rate", TAX_RATES_MAX)
}

pub(super) fn new_item(params: &mut Params) -> Option<NewItem> {
    let price = price_choice(params, true);
    let quantity = params.count("quantity");
    let rates = tax_rates(params, "tax_rates");
    let discounts = discounts(params);
    let metadata = setup_intents::metadata(params);
    let usage_gte = usage_threshold(params).flatten();
    Some(NewItem {
        price: params.required("price", price)?,
        quantity,
        tax_rates: rates.unwrap_or_default(),
        discounts: discounts.unwrap_or_default(),
        usage_gte,
        metadata,
    })
}

/// When a trial ends, by `trial_end` or `trial_period_days`.
fn trial_end(params: &mut Params, now: Timestamp) -> Option<Timestamp> {
    let days = params.integer_in("trial_period_days", 1..=TRIAL_DAYS_MAX);
    let end = match params.text_is("trial_end", "now") {
        true => return None,
        false => params.moment("trial_end"),
    };
    if days.is_some() && end.is_some() {
        let message = "You may only specify one of these parameters: trial_end, trial_period_days.";
        params.refuse("trial_period_days", message);
    }
    let by_days = days.and_then(|days| now.add_days(days).ok());
    end.or(by_days)
}

fn part(params: &mut Params, name: &str, bounds: std::ops::RangeInclusive<i64>) -> Option<u8> {
    params
        .integer_in(name, bounds)
        .and_then(|n| u8::try_from(n).ok())
}

fn anchor_config(params: &mut Params) -> Option<AnchorConfig> {
    let day = part(params, "day_of_month", 1..=31);
    Some(AnchorConfig {
        month: part(params, "month", 1..=12),
        hour: part(params, "hour", 0..=23),
        minute: part(params, "minute", 0..=59),
        second: part(params, "second", 0..=59),
        day_of_month: params.required("day_of_month", day)?,
    })
}

/// `pending_if_incomplete` is for changes only, as at Stripe.
pub(super) fn payment_behavior(params: &mut Params, changes: bool) -> PaymentBehavior {
    let names = [
        "allow_incomplete",
        "default_incomplete",
        "error_if_incomplete",
        "pending_if_incomplete",
    ];
    let names = if changes { &names[..] } else { &names[..3] };
    let name: Option<String> = params.choice("payment_behavior", names);
    match name.as_deref() {
        Some("pending_if_incomplete") => PaymentBehavior::PendingIfIncomplete,
        Some("default_incomplete") => PaymentBehavior::DefaultIncomplete,
        Some("error_if_incomplete") => PaymentBehavior::ErrorIfIncomplete,
        _ => PaymentBehavior::AllowIncomplete,
    }
}

pub(super) fn collection_method(params: &mut Params) -> Option<CollectionMethod> {
    params.choice(
        "collection_method",
        &["charge_automatically", "send_invoice"],
    )
}

pub(super) fn days_until_due(params: &mut Params) -> Option<u16> {
    let days = params.integer_in("days_until_due", 0..=3_650);
    days.and_then(|days| u16::try_from(days).ok())
}

/// `billing_mode[type]`, with the one way in which we show prorations and discounts.
pub(super) fn billing_mode(params: &mut Params) -> Option<BillingMode> {
    let mode = params.object("billing_mode", |mode| {
        mode.object("flexible", |flexible| {
            let _: Option<String> = flexible.choice("proration_discounts", &["included"]);
        });
        let kind: Option<BillingMode> = mode.choice("type", &["classic", "flexible"]);
        mode.required("type", kind)
    });
    mode.flatten()
}

fn new_subscription(params: &mut Params, now: Timestamp) -> Option<NewSubscription> {
    let customer: Option<CustomerId> = params.id("customer", "customer");
    let items = params.objects("items", ITEMS_MAX, new_item);
    let customer = params.required("customer", customer);
    let items = params.required("items", items);
    let mode = billing_mode(params);
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    let (missing, keeps_anchor) = trial_settings(params);
    let end = end_at(params);
    let ends = params.boolean("cancel_at_period_end");
    let mut new = NewSubscription {
        backdate_start: params.moment("backdate_start_date"),
        trial_keeps_anchor: keeps_anchor.unwrap_or(false),
        trial_end: trial_end(params, now),
        trial_from_plan: params.boolean("trial_from_plan").unwrap_or(false),
        billing_cycle_anchor: params.moment("billing_cycle_anchor"),
        anchor_config: params
            .object("billing_cycle_anchor_config", anchor_config)
            .flatten(),
        proration_behavior: proration.unwrap_or_default(),
        payment_behavior: payment_behavior(params, false),
        collection_method: collection_method(params).unwrap_or_default(),
        days_until_due: days_until_due(params),
        default_payment_method: params.id("default_payment_method", "payment_method"),
        default_tax_rates: tax_rates(params, "default_tax_rates").unwrap_or_default(),
        discounts: discounts(params).unwrap_or_default(),
        added: added(params),
        billing_thresholds: thresholds(params).flatten(),
        minimum_commitment: commitment(params, &["billing_period", "year"]),
        billing_mode: mode.unwrap_or_default(),
        cancel_at: None,
        cancel_at_period_end: false,
        cancel_at_last_period_end: false,
        cancel_at_last_billed: false,
        trial_missing_payment_method: missing.unwrap_or_default(),
        settings: settings(params),
        currency: params.currency("currency"),
        on_session: !params.boolean("off_session").unwrap_or(false),
        description: params.text("description"),
        metadata: setup_intents::metadata(params),
        customer: customer?,
        items: items?.into_iter().flatten().collect(),
    };
    set_end(&mut new, end, ends);
    Some(new)
}

/// When a new subscription is to end, by `cancel_at` and `cancel_at_period_end`.
pub(super) fn set_end(new: &mut NewSubscription, end: Option<EndAt>, with_period: Option<bool>) {
    new.cancel_at = match end {
        Some(EndAt::Moment(at)) => Some(at),
        _ => None,
    };
    new.cancel_at_period_end = with_period.unwrap_or(false) || end == Some(EndAt::FirstPeriodEnd);
    new.cancel_at_last_period_end = end == Some(EndAt::LastPeriodEnd);
    new.cancel_at_last_billed = end == Some(EndAt::LastBilled);
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let now = call.now;
    let new = call.read(|p| new_subscription(p, now))?;
    let new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let living = engine.living_customer(&call.scope, &new.customer).await;
    living.map_err(|refused| customer_param(refused, "customer"))?;
    let made = engine.create_subscription(&call.scope, new).await?;
    Ok(whole::subscription(&made, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let found = call.find::<Subscription>().await?;
    Ok(whole::subscription(&found, call.scope.livemode))
}

/// The reason somebody gave, in a word of Stripe's and in their own.
pub(super) fn cancellation(params: &mut Params) -> (Option<Feedback>, Option<String>) {
    let given = params.object("cancellation_details", |details| {
        (
            details.choice("feedback", &FEEDBACKS),
            details.text("comment"),
        )
    });
    given.unwrap_or_default()
}

async fn cancel(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionId = call.id("subscription")?;
    let how = call.read(|p| {
        let (feedback, comment) = cancellation(p);
        Cancel {
            prorate: p.boolean("prorate").unwrap_or(false),
            invoice_now: p.boolean("invoice_now").unwrap_or(false),
            feedback,
            comment,
        }
    })?;
    let engine = &call.api.engine;
    let ended = engine.cancel_subscription(&call.scope, &id, how).await?;
    Ok(whole::subscription(&ended, call.scope.livemode))
}
