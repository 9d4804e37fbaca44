//! `/v1/setup_intents`

use perennial::id::{CustomerId, PaymentMethodId, SetupIntentId};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::payment::SetupIntent;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use crate::rendering::whole;
use crate::service::setup_intents::NewSetupIntent;
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/setup_intents";

/// The routes.
pub fn routes() -> Routes {
    let kind = "setup_intent";
    Routes::new()
        .route(
            URL,
            get("setup_intent list", list).merge(post(kind, create)),
        )
        .route("/v1/setup_intents/{id}", get(kind, retrieve))
        .route("/v1/setup_intents/{id}/confirm", post(kind, confirm))
        .route("/v1/setup_intents/{id}/cancel", post(kind, cancel))
}

/// Parameters that mean nothing here beyond what happens anyway: cards are saved for charges while
/// the customer is away, and a challenge comes back to this site.
fn understood(params: &mut Params) {
    let _: Option<String> = params.choice("usage", &["off_session"]);
    let _: Option<Vec<String>> = params.choices("payment_method_types", &["card"]);
    params.object("automatic_payment_methods", |p| {
        p.boolean("enabled");
        let _: Option<String> = p.choice("allow_redirects", &["always", "never"]);
    });
    params.boolean("use_stripe_sdk");
}

/// The metadata of something new.
pub(super) fn metadata(params: &mut Params) -> Metadata {
    let mut metadata = Metadata::default();
    if let Some(MetadataChange::Merge(pairs)) = params.metadata("metadata")
        && let Err(error) = metadata.merge(&pairs)
    {
        params.refuse("metadata", error.to_string());
    }
    metadata
}

/// The method that a parameter names by id or test name.
async fn method(call: &Call, name: Option<String>) -> Result<Option<PaymentMethodId>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let engine = &call.api.engine;
    let found = engine.resolve_payment_method(&call.scope, &name).await?;
    Ok(Some(found.value.id))
}

/// Refuses a secret that is another intent's.
pub(super) fn matches(given: &str, own: &str, kind: &str) -> Result<(), Problem> {
    if bool::from(given.as_bytes().ct_eq(own.as_bytes())) {
        return Ok(());
    }
    let message = format!("The client_secret provided does not match the one of this {kind}.");
    Err(Problem::invalid(message).about("client_secret"))
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (customer, named, metadata, confirm) = call.read(|p| {
        understood(p);
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let (named, confirm) = (p.text("payment_method"), p.boolean("confirm"));
        (customer, named, metadata(p), confirm.unwrap_or(false))
    })?;
    let new = NewSetupIntent {
        customer,
        payment_method: method(&call, named).await?,
        invoice: None,
        metadata,
    };
    let engine = &call.api.engine;
    let mut intent = engine.create_setup_intent(&call.scope, new).await?;
    if confirm {
        let id = intent.value.id.clone();
        intent = engine
            .confirm_setup_intent(&call.scope, &id, None, false)
            .await?;
    }
    Ok(whole::setup_intent(&intent, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    let secret = call.read(|p| p.text("client_secret"))?;
    let intent = call.find::<SetupIntent>().await?;
    if let Some(secret) = secret {
        matches(&secret, &intent.client_secret, "SetupIntent")?;
    }
    Ok(whole::setup_intent(&intent, call.scope.livemode))
}

async fn confirm(mut call: Call) -> Result<Value, Problem> {
    let id: SetupIntentId = call.id("setup_intent")?;
    let named = call.read(|p| {
        understood(p);
        p.text("payment_method")
    })?;
    let method = method(&call, named).await?;
    let engine = &call.api.engine;
    let intent = engine
        .confirm_setup_intent(&call.scope, &id, method.as_ref(), false)
        .await?;
    Ok(whole::setup_intent(&intent, call.scope.livemode))
}

async fn cancel(mut call: Call) -> Result<Value, Problem> {
    let id: SetupIntentId = call.id("setup_intent")?;
    call.no_params()?;
    let engine = &call.api.engine;
    let intent = engine.cancel_setup_intent(&call.scope, &id).await?;
    Ok(whole::setup_intent(&intent, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, customer) =
        call.read(|p| (paging::page(p), paging::created(p), p.text("customer")))?;
    let mut filter = created.columns().to_vec();
    let sql = match customer {
        Some(customer) => {
            filter.push(Column::text(customer));
            listing::SETUP_INTENTS_BY_CUSTOMER
        }
        None => listing::SETUP_INTENTS,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::setup_intent).await
}
