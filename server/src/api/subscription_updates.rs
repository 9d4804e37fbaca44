//! `POST /v1/subscriptions/{id}` and `/v1/invoices/create_preview`, which share their parameters.

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, SubscriptionId};
use perennial::metadata::MetadataChange;
use perennial::subscription::{
    ITEMS_MAX, MissingPaymentMethod, PauseBehavior, PauseCollection, ProrationBehavior,
    ResumeTerms, Subscription,
};
use serde_json::Value;

use super::exchange::{Call, Routes, post};
use super::params::Params;
use super::payment_methods::customer_param;
use super::phases::{added, discounts, price_choice, thresholds, usage_threshold};
use super::portal_configurations::PRORATIONS;
use super::problem::Problem;
use super::subscription_life::pause_terms;
use super::subscription_settings::settings;
use super::subscriptions::{
    billing_mode, cancellation, collection_method, days_until_due, new_item, payment_behavior,
    set_end, tax_rates,
};
use crate::rendering::whole;
use crate::service::Refused;
use crate::service::choices::DiscountChoice;
use crate::service::previews::PreviewRequest;
use crate::service::subscriptions::{NewSubscription, Pause};
use crate::service::updates::{EndAt, SubscriptionUpdate, TrialEnd, UpdateItem};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/subscriptions/{id}", post("subscription", update))
        .route(
            "/v1/invoices/create_preview",
            post("invoice", create_preview),
        )
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
fn terms(params: &mut Params) -> SubscriptionUpdate {
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

/// What a preview is asked for.
struct Asked {
    customer: Option<CustomerId>,
    subscription: Option<SubscriptionId>,
    details: Option<Details>,
    discounts: Option<Vec<DiscountChoice>>,
}

/// `subscription_details`: as an update of a subscription, or as a new one.
enum Details {
    Update(Box<SubscriptionUpdate>),
    Pause(Pause),
    Resume(ResumeTerms),
    End(bool),
    New(Box<NewSubscription>, Option<Timestamp>),
}

/// What would be done to a subscription that runs. A pause, its end or the end of all are previewed by
/// themselves: what else may be said with an update is refused by name.
fn of_running(params: &mut Params) -> Details {
    if params.boolean("cancel_now") == Some(true) {
        let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
        return Details::End(proration != Some(ProrationBehavior::None));
    }
    let resume: Option<String> = params.choice("resume_at", &["now"]);
    if resume.is_some() {
        let anchor = anchor_choice(params);
        let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
        return Details::Resume(ResumeTerms {
            keeps_anchor: anchor.as_deref() == Some("unchanged"),
            proration_behavior: proration.unwrap_or_default(),
        });
    }
    if !params.unset("pause")
        && let Some(pause) = params.object("pause", pause_terms)
    {
        return Details::Pause(pause);
    }
    // Labels change no amount, and an empty pause is none.
    params.metadata("metadata");
    Details::Update(Box::new(terms(params)))
}

/// A subscription that would be new, and when it would start if that is to come: Stripe's `start_date`,
/// which may also lie in the past.
fn of_new(
    params: &mut Params,
    owner: CustomerId,
    now: Timestamp,
) -> Option<(NewSubscription, Option<Timestamp>)> {
    let items = params.objects("items", ITEMS_MAX, new_item);
    let items = params.required("items", items);
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    let start = params.moment("start_date");
    let trial_end = match params.text_is("trial_end", "now") {
        true => None,
        false => params.moment("trial_end"),
    };
    let mode = billing_mode(params);
    let end = end_at(params);
    let ends = params.boolean("cancel_at_period_end");
    if ends == Some(true) && end.is_some() {
        let message = "Give either cancel_at or cancel_at_period_end.";
        params.refuse("cancel_at_period_end", message);
    }
    // Labels change no amount.
    params.metadata("metadata");
    let anchor = params.moment("billing_cycle_anchor");
    let rates = tax_rates(params, "default_tax_rates");
    let mut new = NewSubscription::new(owner, items?.into_iter().flatten().collect());
    new.proration_behavior = proration.unwrap_or_default();
    new.trial_end = trial_end;
    new.billing_cycle_anchor = anchor;
    new.billing_mode = mode.unwrap_or_default();
    new.backdate_start = start.filter(|at| *at <= now);
    set_end(&mut new, end, ends);
    new.default_tax_rates = rates.unwrap_or_default();
    Some((new, start.filter(|at| *at > now)))
}

fn asked(params: &mut Params, now: Timestamp) -> Asked {
    let customer: Option<CustomerId> = params.id("customer", "customer");
    let subscription: Option<SubscriptionId> = params.id("subscription", "subscription");
    let _: Option<String> = params.choice("preview_mode", &["next"]);
    let owner = customer.clone().filter(|_| subscription.is_none());
    let details = params.object("subscription_details", |p| match owner {
        None => Some(of_running(p)),
        Some(owner) => {
            let (new, starts_at) = of_new(p, owner, now)?;
            Some(Details::New(Box::new(new), starts_at))
        }
    });
    if customer.is_none() && subscription.is_none() {
        let _: Option<()> = params.required("customer", None);
    }
    Asked {
        customer,
        subscription,
        details: details.flatten(),
        discounts: discounts(params),
    }
}

async fn create_preview(mut call: Call) -> Result<Value, Problem> {
    let now = call.now;
    let asked = call.read(|p| asked(p, now))?;
    let engine = &call.api.engine;
    if let Some(customer) = &asked.customer {
        let living = engine.living_customer(&call.scope, customer).await;
        living.map_err(|refused| customer_param(refused, "customer"))?;
    }
    if let Some(id) = &asked.subscription {
        let param = "subscription";
        let found = engine
            .find_named::<Subscription>(&call.scope, id.as_str(), param)
            .await?;
        if asked
            .customer
            .as_ref()
            .is_some_and(|own| *own != found.customer)
        {
            return Err(Problem::no_such(
                "subscription",
                id.as_str(),
                Some(param.to_owned()),
            ));
        }
    }
    let request = match (asked.subscription, asked.details) {
        (Some(id), Some(Details::Update(mut update))) => {
            update.discounts = asked.discounts;
            PreviewRequest::Update(id, update)
        }
        (Some(_), Some(Details::Pause(_) | Details::Resume(_) | Details::End(_)))
            if asked.discounts.is_some() =>
        {
            let message = "Discounts can't be previewed together with a pause or an end.";
            return Err(Problem::invalid(message).about("discounts"));
        }
        (Some(id), Some(Details::Pause(pause))) => PreviewRequest::Pause(id, pause),
        (Some(id), Some(Details::Resume(terms))) => PreviewRequest::Resume(id, terms),
        (Some(id), Some(Details::End(prorate))) => PreviewRequest::End(id, prorate),
        (Some(id), _) => match asked.discounts {
            None => PreviewRequest::Next(id),
            discounts => {
                let update = SubscriptionUpdate {
                    discounts,
                    ..SubscriptionUpdate::default()
                };
                PreviewRequest::Update(id, Box::new(update))
            }
        },
        (None, Some(Details::New(mut new, starts_at))) => {
            new.discounts = asked.discounts.unwrap_or_default();
            PreviewRequest::New(new, starts_at)
        }
        (None, _) => {
            let message = "Name a subscription, or give subscription_details[items].";
            return Err(Problem::invalid(message).about("subscription"));
        }
    };
    let preview = engine.preview_invoice(&call.scope, request).await;
    let preview = preview.map_err(|refused| match refused {
        none @ Refused::State {
            code: Some("invoice_upcoming_none"),
            ..
        } => Problem::from(none).status(axum::http::StatusCode::NOT_FOUND),
        other => under_details(other.into()),
    })?;
    Ok(whole::invoice(&preview, call.scope.livemode))
}

/// Parameters of the update stand under `subscription_details` in a preview.
fn under_details(mut problem: Problem) -> Problem {
    const OUTSIDE: [&str; 3] = ["customer", "subscription", "discounts"];
    if let Some(param) = &mut problem.param {
        let (first, rest) = match param.find('[') {
            Some(at) => param.split_at(at),
            None => (param.as_str(), ""),
        };
        if !OUTSIDE.contains(&first) && first != "id" {
            *param = format!("subscription_details[{first}]{rest}");
        }
    }
    problem
}
