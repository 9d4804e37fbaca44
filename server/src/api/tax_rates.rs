//! `/v1/tax_rates`

use perennial::decimal::Decimal12;
use perennial::id::TaxRateId;
use perennial::tax::{TAX_TYPES, TaxRate};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use crate::rendering::whole;
use crate::service::catalog::{NewTaxRate, TaxRateUpdate};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/tax_rates";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("tax_rate list", list).merge(post("tax_rate", create)),
        )
        .route(
            "/v1/tax_rates/{id}",
            get("tax_rate", retrieve).merge(post("tax_rate", update)),
        )
}

fn changes(params: &mut Params) -> TaxRateUpdate {
    TaxRateUpdate {
        display_name: params.text("display_name"),
        active: params.boolean("active"),
        description: params.change_text("description"),
        country: params.change_text("country"),
        state: params.change_text("state"),
        jurisdiction: params.change_text("jurisdiction"),
        tax_type: match params.unset("tax_type") {
            true => Some(None),
            false => params.choice("tax_type", &TAX_TYPES).map(Some),
        },
        metadata: params.metadata("metadata"),
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let display_name = p.required_text("display_name");
        let percentage = p.decimal("percentage");
        let inclusive = p.boolean("inclusive");
        NewTaxRate {
            display_name,
            percentage: p
                .required("percentage", percentage)
                .unwrap_or(Decimal12::ZERO),
            inclusive: p.required("inclusive", inclusive).unwrap_or(false),
            rest: changes(p),
        }
    })?;
    let rate = call.api.engine.create_tax_rate(&call.scope, new).await?;
    Ok(whole::tax_rate(&rate, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let rate = call.find::<TaxRate>().await?;
    Ok(whole::tax_rate(&rate, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: TaxRateId = call.id("tax_rate")?;
    let update = call.read(changes)?;
    let engine = &call.api.engine;
    let rate = engine.update_tax_rate(&call.scope, &id, update).await?;
    Ok(whole::tax_rate(&rate, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, active, inclusive) = call.read(|p| {
        let (active, inclusive) = (p.boolean("active"), p.boolean("inclusive"));
        (paging::page(p), paging::created(p), active, inclusive)
    })?;
    let mut filter = created.columns().to_vec();
    for narrowed in [active, inclusive] {
        filter.push(Column::Number(Some(narrowed.map_or(-1, i64::from))));
    }
    paging::answer(
        &call,
        listing::TAX_RATES,
        &page,
        &filter,
        URL,
        whole::tax_rate,
    )
    .await
}
