//! `POST /v1/subscriptions/{id}`. A preview ([`super::previews`]) takes its parameters too.

use perennial::id::SubscriptionId;
use perennial::metadata::MetadataChange;
use perennial::subscription::{
    ITEMS_MAX, MissingPaymentMethod, PauseBehavior, PauseCollection, ProrationBehavior,
    Subscription,
};
use serde_json::Value;

use super::exchange::{Call, Routes, post};
use super::params::Params;
use super::phases::{added, discounts, price_choice, thresholds, usage_threshold};
use super::portal_configurations::PRORATIONS;
use super::problem::Problem;
use super::subscription_settings::settings;
use super::subscriptions::{
    cancellation, collection_method, days_until_due, payment_behavior, tax_rates,
};
use crate::rendering::whole;
use crate::service::updates::{EndAt, SubscriptionUpdate, TrialEnd, UpdateItem};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().route("/v1/subscriptions/{id}", post("subscription", update))
}

/// Metadata of an update; clearing all is told apart, since it needs to know what is there.
struct Labels {
    clear: bool,
    pairs: Vec<(String, String)>,
}

impl Labels {
    fn of(change: Option<MetadataChange>) -> Self {
        let (clear, pairs) = match change {
            None => (false, Vec::new()),
            Some(MetadataChange::Clear) => (true, Vec::new()),
            Some(MetadataChange::Merge(pairs)) => (false, pairs),
        };
        Self { clear, pairs }
    }
}

fn item(params: &mut Params) -> UpdateItem {
    // Without effect here for items with a meter, as at Stripe, and all metered ones have one.
    params.boolean("clear_usage");
    let (item, _) = update_item(params);
    UpdateItem {
        id: params.id("id", "subscription_item"),
        deleted: params.boolean("deleted").unwrap_or(false),
        ..item
    }
}

/// What may be said about an item, and whether all its metadata is to go.
pub(super) fn update_item(params: &mut Params) -> (UpdateItem, bool) {
    let labels = Labels::of(params.metadata("metadata"));
    let item = UpdateItem {
        price: price_choice(params, true),
        quantity: params.count("quantity"),
        tax_rates: tax_rates(params, "tax_rates"),
        discounts: discounts(params),
        usage_gte: usage_threshold(params),
        metadata: labels.pairs,
        ..UpdateItem::default()
    };
    (item, labels.clear)
}

/// `billing_cycle_anchor=now` or `unchanged`, or the same as an object with a `type`.
pub(super) fn anchor_choice(params: &mut Params) -> Option<String> {
    let names = ["now", "unchanged"];
    match params.has_object("billing_cycle_anchor") {
        true => params
            .object("billing_cycle_anchor", |anchor| {
                anchor.choice("type", &names)
            })
            .flatten(),
        false => params.choice("billing_cycle_anchor", &names),
    }
}

/// `cancel_at`: a moment, or with one of the running periods.
pub(super) fn end_at(params: &mut Params) -> Option<EndAt> {
    if params.text_is("cancel_at", "min_period_end") {
        return Some(EndAt::FirstPeriodEnd);
    }
    if params.text_is("cancel_at", "max_period_end") {
        return Some(EndAt::LastPeriodEnd);
    }
    if params.text_is("cancel_at", "max_billed_until") {
        return Some(EndAt::LastBilled);
    }
    params.moment("cancel_at").map(EndAt::Moment)
}

/// `trial_settings`: what a trial's end does without a payment method, and to the anchor.
pub(super) fn trial_settings(params: &mut Params) -> (Option<MissingPaymentMethod>, Option<bool>) {
    let given = params.object("trial_settings", |settings| {
        let end = settings.object("end_behavior", |end| {
            let names = ["cancel", "create_invoice", "pause"];
            let missing = end.choice("missing_payment_method", &names);
            let anchor: Option<String> = end.choice("billing_cycle_anchor", &["now", "unchanged"]);
            (missing, anchor.map(|name| name == "unchanged"))
        });
        settings.required("end_behavior", end)
    });
    given.flatten().unwrap_or_default()
}

fn trial_end(params: &mut Params) -> Option<TrialEnd> {
    match params.text_is("trial_end", "now") {
        true => Some(TrialEnd::Now),
        false => params.moment("trial_end").map(TrialEnd::At),
    }
}

/// What both the update and its preview may say.
pub(super) fn terms(params: &mut Params) -> SubscriptionUpdate {
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    SubscriptionUpdate {
        items: params
            .objects("items", ITEMS_MAX * 2, item)
            .unwrap_or_default(),
        proration_behavior: proration.unwrap_or_default(),
        proration_date: params.moment("proration_date"),
        billing_cycle_anchor_now: anchor_choice(params).as_deref() == Some("now"),
        trial_end: trial_end(params),
        cancel_at: match params.unset("cancel_at") {
            true => Some(None),
            false => end_at(params).map(Some),
        },
        cancel_at_period_end: params.boolean("cancel_at_period_end"),
        default_tax_rates: tax_rates(params, "default_tax_rates"),
        ..SubscriptionUpdate::default()
    }
}

fn pause(params: &mut Params) -> Option<PauseCollection> {
    let names = ["keep_as_draft", "mark_uncollectible", "void"];
    let behavior: Option<PauseBehavior> = params.choice("behavior", &names);
    let resumes_at = params.moment("resumes_at");
    Some(PauseCollection {
        behavior: params.required("behavior", behavior)?,
        resumes_at,
    })
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionId = call.id("subscription")?;
    let (mut update, labels) = call.read(|p| {
        let labels = Labels::of(p.metadata("metadata"));
        let (cancel_feedback, cancel_comment) = cancellation(p);
        if p.boolean("trial_from_plan") == Some(true) {
            let message = "A running subscription takes no trial from its prices; give trial_end.";
            p.refuse("trial_from_plan", message);
        }
        let (trial_missing_payment_method, trial_keeps_anchor) = trial_settings(p);
        let update = SubscriptionUpdate {
            payment_behavior: payment_behavior(p, true),
            cancel_feedback,
            cancel_comment,
            trial_missing_payment_method,
            trial_keeps_anchor,
            pause_collection: p
                .change_object("pause_collection", pause)
                .and_then(|change| match change {
                    None => Some(None),
                    Some(read) => read.map(Some),
                }),
            default_payment_method: p.change_id("default_payment_method", "payment_method"),
            discounts: discounts(p),
            added: added(p),
            billing_thresholds: thresholds(p),
            collection_method: collection_method(p),
            days_until_due: days_until_due(p),
            settings: settings(p),
            on_session: !p.boolean("off_session").unwrap_or(false),
            description: p.change_text("description"),
            ..terms(p)
        };
        (update, labels)
    })?;
    update.metadata = labels.pairs;
    let engine = &call.api.engine;
    if labels.clear {
        let found = engine
            .find::<Subscription>(&call.scope, id.as_str())
            .await?;
        let keys = found.value.metadata.0.into_keys();
        update.metadata = keys.map(|key| (key, String::new())).collect();
    }
    let (changed, _) = engine.update_subscription(&call.scope, &id, update).await?;
    Ok(whole::subscription(&changed, call.scope.livemode))
}
