//! `/v1/payment_methods`. Cards only. In test mode raw test numbers and Stripe's test names (such as
//! `pm_card_visa`) are taken; with a real gateway card numbers never come here.

use perennial::id::{CustomerId, PaymentMethodId};
use perennial::payment::{BillingDetails, PaymentMethod};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::params::Params;
use super::problem::Problem;
use super::{customers, paging};
use crate::gateway::CardDetails;
use crate::rendering::whole;
use crate::service::Refused;
use crate::service::payment_methods::PaymentMethodUpdate;
use crate::store::document::{Column, Stored};
use crate::store::listing;

const URL: &str = "/v1/payment_methods";

/// The routes.
pub fn routes() -> Routes {
    let kind = "payment_method";
    Routes::new()
        .route(
            URL,
            get("payment_method list", list).merge(post(kind, create)),
        )
        .route(
            "/v1/payment_methods/{id}",
            get(kind, retrieve).merge(post(kind, update)),
        )
        .route("/v1/payment_methods/{id}/attach", post(kind, attach))
        .route("/v1/payment_methods/{id}/detach", post(kind, detach))
}

fn card(params: &mut Params) -> CardDetails {
    let number = params.required_text("number");
    let (month, year) = (params.integer("exp_month"), params.integer("exp_year"));
    CardDetails {
        number,
        exp_month: params.required("exp_month", month).unwrap_or_default(),
        exp_year: params.required("exp_year", year).unwrap_or_default(),
        cvc: params.text("cvc"),
        name: None,
    }
}

fn billing_details(params: &mut Params) -> BillingDetails {
    BillingDetails {
        name: params.text("name"),
        email: params.text("email"),
        phone: params.text("phone"),
        address: params.object("address", customers::address),
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (card, details, metadata) = call.read(|p| {
        let kind: Option<String> = p.choice("type", &["card"]);
        p.required("type", kind);
        let card = p.object("card", card);
        let card = p.required("card", card);
        let _: Option<String> = p.choice("allow_redisplay", &["always", "limited", "unspecified"]);
        let details = p.object("billing_details", billing_details);
        (card, details.unwrap_or_default(), p.metadata("metadata"))
    })?;
    let mut card = card.ok_or_else(Problem::internal)?;
    card.name.clone_from(&details.name);
    let engine = &call.api.engine;
    let made = engine
        .create_payment_method_with(&call.scope, card, details, metadata.as_ref())
        .await
        .map_err(under_card)?;
    Ok(whole::payment_method(&made, call.scope.livemode))
}

/// Card details stand under `card` in a request.
fn under_card(refused: Refused) -> Problem {
    let mut problem = Problem::from(refused);
    if let Some(param) = &mut problem.param
        && !param.contains('[')
        && ["number", "exp_month", "exp_year", "cvc"].contains(&param.as_str())
    {
        *param = format!("card[{param}]");
    }
    problem
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let method = call.find::<PaymentMethod>().await?;
    Ok(whole::payment_method(&method, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: PaymentMethodId = call.id("payment_method")?;
    let update = call.read(|p| PaymentMethodUpdate {
        billing_details: p.object("billing_details", |p| {
            (
                p.change_text("name"),
                p.change_text("email"),
                p.change_text("phone"),
                p.change_object("address", customers::address),
            )
        }),
        metadata: p.metadata("metadata"),
    })?;
    let engine = &call.api.engine;
    let changed = engine
        .update_payment_method(&call.scope, &id, update)
        .await?;
    Ok(whole::payment_method(&changed, call.scope.livemode))
}

/// The method that the path names, by its id or a test name.
async fn named(call: &Call) -> Result<Stored<PaymentMethod>, Problem> {
    let engine = &call.api.engine;
    let found = engine
        .resolve_payment_method(&call.scope, call.id_text())
        .await;
    found.map_err(|refused| match refused {
        Refused::NotFound { kind, id, .. } => Problem::no_such(kind, &id, None),
        other => other.into(),
    })
}

async fn attach(mut call: Call) -> Result<Value, Problem> {
    let customer: Option<CustomerId> = call.read(|p| {
        let customer = p.id("customer", "customer");
        p.required("customer", customer)
    })?;
    let customer = customer.ok_or_else(Problem::internal)?;
    // A customer that is not there must not leave a minted test method behind.
    let engine = &call.api.engine;
    let living = engine.living_customer(&call.scope, &customer).await;
    living.map_err(|refused| customer_param(refused, "customer"))?;
    let method = named(&call).await?;
    let attached = engine
        .attach_payment_method(&call.scope, &method.id, &customer)
        .await?;
    Ok(whole::payment_method(&attached, call.scope.livemode))
}

/// A missing customer that a parameter named.
pub(super) fn customer_param(refused: Refused, param: &str) -> Problem {
    match refused {
        Refused::NotFound {
            kind: kind @ "customer",
            id,
            ..
        } => Problem::no_such(kind, &id, Some(param.to_owned())),
        other => other.into(),
    }
}

async fn detach(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: PaymentMethodId = call.id("payment_method")?;
    let engine = &call.api.engine;
    let detached = engine.detach_payment_method(&call.scope, &id).await?;
    Ok(whole::payment_method(&detached, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, customer) = call.read(|p| {
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let customer = p.required("customer", customer);
        let _: Option<String> = p.choice("type", &["card"]);
        (paging::page(p), paging::created(p), customer)
    })?;
    let customer = customer.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let living = engine.living_customer(&call.scope, &customer).await;
    living.map_err(|refused| customer_param(refused, "customer"))?;
    let mut filter = created.columns().to_vec();
    filter.push(Column::text(&customer));
    let sql = listing::PAYMENT_METHODS_BY_CUSTOMER;
    paging::answer(&call, sql, &page, &filter, URL, whole::payment_method).await
}
