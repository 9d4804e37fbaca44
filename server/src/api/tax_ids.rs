//! `/v1/tax_ids`: tax registrations of the merchant, and of customers by their owner.

use perennial::id::{CustomerId, TaxIdId};
use serde_json::Value;

use super::customers::tax_id;
use super::exchange::{Call, Routes, delete, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use crate::rendering::{self, whole};
use crate::service::tax_ids::OwnTaxId;
use crate::store::listing;

const URL: &str = "/v1/tax_ids";
const KIND: &str = "tax_id";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("tax_id list", list).merge(post(KIND, create)))
        .route(
            "/v1/tax_ids/{id}",
            get(KIND, retrieve).merge(delete("", remove)),
        )
}

/// `owner`: a customer, or else the merchant.
fn owner(params: &mut Params) -> Option<CustomerId> {
    let owner = params.object("owner", |p| {
        let kind: Option<String> = p.choice("type", &["customer", "self"]);
        let kind = p.required("type", kind)?;
        let customer: Option<CustomerId> = p.id("customer", "customer");
        match kind.as_str() {
            "customer" => p.required("customer", customer),
            _ => {
                if customer.is_some() {
                    p.refuse("customer", "It can only be given with type=customer.");
                }
                None
            }
        }
    });
    owner.flatten()
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (owner, new) = call.read(|p| (owner(p), tax_id(p)))?;
    let (engine, live) = (&call.api.engine, call.scope.livemode);
    match owner {
        Some(customer) => {
            let tax = engine.add_tax_id(&call.scope, &customer, new).await?;
            Ok(whole::tax_id(&tax, &customer, live))
        }
        None => {
            let own = engine.add_own_tax_id(&call.scope, new).await?;
            Ok(whole::own_tax_id(&own, live))
        }
    }
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: TaxIdId = call.id(KIND)?;
    let engine = &call.api.engine;
    if let Some((customer, tax)) = engine.tax_id_alone(&call.scope, &id).await? {
        return Ok(whole::tax_id(&tax, &customer, call.scope.livemode));
    }
    let own = call.find::<OwnTaxId>().await?;
    Ok(whole::own_tax_id(&own, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    let id: TaxIdId = call.id(KIND)?;
    call.no_params()?;
    let engine = &call.api.engine;
    match engine.tax_id_alone(&call.scope, &id).await? {
        Some((customer, _)) => engine.remove_tax_id(&call.scope, &customer, &id).await?,
        None => engine.remove_own_tax_id(&call.scope, &id).await?,
    }
    Ok(rendering::deleted(KIND, id.as_str()))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, owner) = call.read(|p| (paging::page(p), owner(p)))?;
    if let Some(id) = owner {
        let engine = &call.api.engine;
        let customer = engine.living_customer(&call.scope, &id).await?;
        let newest_first = customer.tax_ids.iter().rev();
        let show = |tax| whole::tax_id(tax, &id, call.scope.livemode);
        return paging::part(KIND, newest_first.map(show).collect(), &page, URL);
    }
    let filter = paging::Created::EVER.columns();
    paging::answer(
        &call,
        listing::TAX_IDS,
        &page,
        &filter,
        URL,
        whole::own_tax_id,
    )
    .await
}
