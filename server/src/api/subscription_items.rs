//! `/v1/subscription_items`

use perennial::id::{SubscriptionId, SubscriptionItemId};
use perennial::subscription::{ProrationBehavior, Subscription};
use serde_json::{Value, json};

use super::exchange::{Call, Routes, delete, get, post};
use super::paging;
use super::params::Params;
use super::portal_configurations::PRORATIONS;
use super::problem::Problem;
use super::subscription_updates::update_item;
use super::subscriptions::payment_behavior;
use crate::rendering::whole;
use crate::service::subscription_items::ItemTerms;
use crate::service::updates::UpdateItem;

const URL: &str = "/v1/subscription_items";
const KIND: &str = "subscription_item";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("subscription_item list", list).merge(post(KIND, create)),
        )
        .route(
            "/v1/subscription_items/{id}",
            get(KIND, retrieve)
                .merge(post(KIND, update))
                .merge(delete(KIND, remove)),
        )
}

fn terms(params: &mut Params) -> ItemTerms {
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    ItemTerms {
        proration_behavior: proration.unwrap_or_default(),
        proration_date: params.moment("proration_date"),
        payment_behavior: payment_behavior(params, true),
        on_session: true,
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (subscription, item, terms) = call.read(|p| {
        let subscription: Option<SubscriptionId> = p.id("subscription", "subscription");
        let subscription = p.required("subscription", subscription);
        let (item, _) = update_item(p);
        let price = item.price.is_some();
        p.required("price", price.then_some(()));
        (subscription, item, terms(p))
    })?;
    let subscription = subscription.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let param = "subscription";
    engine
        .find_named::<Subscription>(&call.scope, subscription.as_str(), param)
        .await?;
    let made = engine
        .add_subscription_item(&call.scope, &subscription, item, terms)
        .await?;
    let (own, item) = made;
    Ok(whole::subscription_item(&item, &own, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionItemId = call.id(KIND)?;
    call.no_params()?;
    let engine = &call.api.engine;
    let (own, item) = engine.subscription_item(&call.scope, &id).await?;
    Ok(whole::subscription_item(&item, &own, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionItemId = call.id(KIND)?;
    let (item, clear, terms) = call.read(|p| {
        let (item, clear) = update_item(p);
        let on_session = !p.boolean("off_session").unwrap_or(false);
        let terms = ItemTerms {
            on_session,
            ..terms(p)
        };
        (item, clear, terms)
    })?;
    let engine = &call.api.engine;
    let mut item: UpdateItem = item;
    if clear {
        let (_, found) = engine.subscription_item(&call.scope, &id).await?;
        let keys = found.metadata.0.into_keys();
        item.metadata = keys.map(|key| (key, String::new())).collect();
    }
    let (own, item) = engine
        .change_subscription_item(&call.scope, &id, item, terms)
        .await?;
    Ok(whole::subscription_item(&item, &own, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionItemId = call.id(KIND)?;
    let (clear_usage, terms) = call.read(|p| {
        let clear = p.boolean("clear_usage").unwrap_or(false);
        (clear, terms(p))
    })?;
    let engine = &call.api.engine;
    engine
        .remove_subscription_item(&call.scope, &id, clear_usage, terms)
        .await?;
    Ok(json!({ "id": id.as_str(), "object": KIND, "deleted": true }))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, id) = call.read(|p| (paging::page(p), p.required_text("subscription")))?;
    let param = "subscription";
    let engine = &call.api.engine;
    let found = engine
        .find_named::<Subscription>(&call.scope, &id, param)
        .await?;
    let live = call.scope.livemode;
    let items = found.items.iter();
    let items = items.map(|item| whole::subscription_item(item, &found, live));
    paging::part(KIND, items.collect(), &page, URL)
}
