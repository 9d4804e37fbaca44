//! `/v1/products`

use axum::routing::MethodRouter;
use perennial::catalog::Product;
use perennial::id::ProductId;
use serde_json::Value;

use super::exchange::{Call, Routes, delete, get, post};
use super::params::Params;
use super::problem::Problem;
use super::{Api, paging, prices};
use crate::rendering::{self, whole};
use crate::service::catalog::{NewProduct, ProductUpdate};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/products";

/// The routes.
pub fn routes() -> Routes {
    let one: MethodRouter<Api> = get("product", retrieve)
        .merge(post("product", update))
        .merge(delete("", remove));
    Routes::new()
        .route(
            URL,
            get("product list", list).merge(post("product", create)),
        )
        .route("/v1/products/{id}", one)
}

/// The names in a list of `{name}` objects.
fn features(params: &mut Params) -> Option<Vec<String>> {
    params.objects("marketing_features", 15, |feature| {
        feature.required_text("name")
    })
}

/// The product of a new price that is made with it.
pub(super) fn product_data(params: &mut Params) -> NewProduct {
    NewProduct {
        name: params.required_text("name"),
        active: params.boolean("active"),
        description: params.text("description"),
        metadata: params.metadata("metadata"),
        tax_code: params.text("tax_code"),
        unit_label: params.text("unit_label"),
        ..NewProduct::default()
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| NewProduct {
        marketing_features: features(p).unwrap_or_default(),
        url: p.text("url"),
        default_price: p
            .object("default_price_data", prices::price_data)
            .flatten()
            .map(Box::new),
        ..product_data(p)
    })?;
    let product = call.api.engine.create_product(&call.scope, new).await?;
    Ok(whole::product(&product, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let product = call.find::<Product>().await?;
    Ok(whole::product(&product, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: ProductId = call.id("product")?;
    let update = call.read(|p| ProductUpdate {
        name: p.text("name"),
        active: p.boolean("active"),
        description: p.change_text("description"),
        unit_label: p.change_text("unit_label"),
        marketing_features: features(p),
        tax_code: p.change_text("tax_code"),
        url: p.change_text("url"),
        default_price: p.id("default_price", "price"),
        metadata: p.metadata("metadata"),
    })?;
    let engine = &call.api.engine;
    let product = engine.update_product(&call.scope, &id, update).await?;
    Ok(whole::product(&product, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: ProductId = call.id("product")?;
    call.api.engine.delete_product(&call.scope, &id).await?;
    Ok(rendering::deleted("product", id.as_str()))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, active) =
        call.read(|p| (paging::page(p), paging::created(p), p.boolean("active")))?;
    let mut filter = created.columns().to_vec();
    let sql = match active {
        Some(active) => {
            filter.push(Column::Number(Some(i64::from(active))));
            listing::PRODUCTS_BY_ACTIVE
        }
        None => listing::PRODUCTS,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::product).await
}
