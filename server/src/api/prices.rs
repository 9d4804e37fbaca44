//! `/v1/prices`

use perennial::calendar::{Cadence, Interval};
use perennial::catalog::{Price, Recurring, TaxBehavior, UsageType};
use perennial::decimal::Decimal12;
use perennial::id::{PriceId, ProductId};
use perennial::pricing::{MAX_TIERS, Pricing, Tier, TiersMode, TransformQuantity};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::params::Params;
use super::problem::Problem;
use super::{paging, products};
use crate::rendering::whole;
use crate::service::catalog::{NewPrice, NewProduct, PriceProduct, PriceUpdate};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/prices";
/// The largest amount of a price, in minor units (Stripe: 12 digits).
const AMOUNT_MAX: i64 = 999_999_999_999;
/// The most lookup keys of one filter (Stripe: 10).
const LOOKUP_KEYS_MAX: usize = 10;
/// Stripe's intervals.
pub(super) const INTERVALS: [&str; 4] = ["day", "week", "month", "year"];
pub(super) const TAX_BEHAVIORS: [&str; 3] = ["exclusive", "inclusive", "unspecified"];

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("price list", list).merge(post("price", create)))
        .route(
            "/v1/prices/{id}",
            get("price", retrieve).merge(post("price", update)),
        )
}

/// A whole amount or its decimal twin; both is one too many.
pub(super) fn amount(params: &mut Params, whole: &str, decimal: &str) -> Option<Decimal12> {
    let minor = params.integer_in(whole, 0..=AMOUNT_MAX);
    let exact = params.decimal(decimal);
    if minor.is_some() && exact.is_some() {
        let message = format!("You may only specify one of these parameters: {whole}, {decimal}.");
        params.refuse(decimal, message);
    }
    exact.or(minor.map(Decimal12::from_integer))
}

fn tier(params: &mut Params) -> Tier {
    let up_to = match params.text("up_to").as_deref() {
        Some("inf") => None,
        Some(text) => {
            let units = text.parse::<u64>().ok();
            if units.is_none() {
                params.refuse("up_to", "Invalid up_to: must be a whole number or inf");
            }
            units
        }
        None => params.required("up_to", None),
    };
    Tier {
        up_to,
        unit_amount: amount(params, "unit_amount", "unit_amount_decimal"),
        flat_amount: amount(params, "flat_amount", "flat_amount_decimal"),
    }
}

fn transform(params: &mut Params) -> Option<TransformQuantity> {
    let divide_by = params.count("divide_by");
    let round = params.choice("round", &["up", "down"]);
    Some(TransformQuantity {
        divide_by: params.required("divide_by", divide_by)?,
        round: params.required("round", round)?,
    })
}

/// How a quantity becomes an amount.
fn pricing(params: &mut Params) -> Option<Pricing> {
    let scheme: Option<String> = params.choice("billing_scheme", &["per_unit", "tiered"]);
    let mode: Option<TiersMode> = params.choice("tiers_mode", &["graduated", "volume"]);
    let tiers = params.objects("tiers", MAX_TIERS, tier);
    let transform_quantity = params.object("transform_quantity", transform).flatten();
    let unit_amount = amount(params, "unit_amount", "unit_amount_decimal");
    if scheme.as_deref() == Some("tiered") {
        for (name, sent) in [
            ("unit_amount", unit_amount.is_some()),
            ("transform_quantity", transform_quantity.is_some()),
        ] {
            if sent {
                params.refuse(
                    name,
                    format!("You can't use {name} with billing_scheme=tiered."),
                );
            }
        }
        return Some(Pricing::Tiered {
            mode: params.required("tiers_mode", mode)?,
            tiers: params.required("tiers", tiers)?,
        });
    }
    for (name, sent) in [("tiers", tiers.is_some()), ("tiers_mode", mode.is_some())] {
        if sent {
            params.refuse(
                name,
                format!("You can only use {name} with billing_scheme=tiered."),
            );
        }
    }
    Some(Pricing::PerUnit {
        unit_amount: params.required("unit_amount", unit_amount)?,
        transform_quantity,
    })
}

fn recurring(params: &mut Params) -> Option<Recurring> {
    let interval: Option<Interval> = params.choice("interval", &INTERVALS);
    let count = params.integer_in("interval_count", 1..=1_095);
    let usage_type = params.choice("usage_type", &["licensed", "metered"]);
    let meter = params.id("meter", "billing.meter");
    let trial = params.integer_in("trial_period_days", 1..=730);
    let interval = params.required("interval", interval)?;
    let count = count.and_then(|n| u16::try_from(n).ok()).unwrap_or(1);
    match Cadence::new(interval, count) {
        Ok(cadence) => Some(Recurring {
            cadence,
            usage_type: usage_type.unwrap_or(UsageType::Licensed),
            meter,
            trial_period_days: trial.and_then(|n| u32::try_from(n).ok()),
        }),
        Err(error) => {
            params.refuse("interval_count", format!("{error}."));
            None
        }
    }
}

/// A price without its product, as `default_price_data` has it.
pub(super) fn price_data(params: &mut Params) -> Option<NewPrice> {
    terms(params, PriceProduct::New(Box::default()))
}

fn terms(params: &mut Params, product: PriceProduct) -> Option<NewPrice> {
    let currency = params.currency("currency");
    let pricing = pricing(params);
    let recurring = params.object("recurring", recurring).flatten();
    let new = NewPrice {
        product,
        currency: params.required("currency", currency)?,
        pricing: pricing?,
        recurring,
        active: params.boolean("active"),
        nickname: params.text("nickname"),
        lookup_key: params.text("lookup_key"),
        transfer_lookup_key: params.boolean("transfer_lookup_key").unwrap_or(false),
        tax_behavior: params
            .choice("tax_behavior", &TAX_BEHAVIORS)
            .unwrap_or(TaxBehavior::Unspecified),
        metadata: params.metadata("metadata"),
    };
    Some(new)
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let existing: Option<ProductId> = p.id("product", "product");
        let made: Option<NewProduct> = p.object("product_data", products::product_data);
        let product = match (existing, made) {
            (Some(_), Some(_)) => {
                let message =
                    "You may only specify one of these parameters: product, product_data.";
                p.refuse("product_data", message);
                None
            }
            (Some(id), None) => Some(PriceProduct::Existing(id)),
            (None, Some(new)) => Some(PriceProduct::New(Box::new(new))),
            (None, None) => p.required("product", None),
        };
        // Read to the end even without a product, so that nothing known counts as unknown.
        let sound = product.is_some();
        let product = product.unwrap_or(PriceProduct::New(Box::default()));
        terms(p, product).filter(|_| sound)
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let price = call.api.engine.create_price(&call.scope, new).await?;
    Ok(whole::price(&price, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let price = call.find::<Price>().await?;
    Ok(whole::price(&price, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: PriceId = call.id("price")?;
    let update = call.read(|p| PriceUpdate {
        active: p.boolean("active"),
        nickname: p.change_text("nickname"),
        lookup_key: p.change_text("lookup_key"),
        transfer_lookup_key: p.boolean("transfer_lookup_key").unwrap_or(false),
        tax_behavior: p.choice("tax_behavior", &TAX_BEHAVIORS),
        metadata: p.metadata("metadata"),
    })?;
    let price = call
        .api
        .engine
        .update_price(&call.scope, &id, update)
        .await?;
    Ok(whole::price(&price, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, mut filter, product, keys) = call.read(|p| {
        let created = paging::created(p);
        let active = p.boolean("active").map_or(-1, i64::from);
        let currency = p.currency("currency").map_or("", |c| c.lower());
        let mut filter = created.columns().to_vec();
        filter.extend([Column::Number(Some(active)), Column::text(currency)]);
        let product = p.text("product");
        let keys = p.texts("lookup_keys", LOOKUP_KEYS_MAX);
        if product.is_some() && keys.is_some() {
            let message = "You may only specify one of these parameters: product, lookup_keys.";
            p.refuse("lookup_keys", message);
        }
        (paging::page(p), filter, product, keys)
    })?;
    let sql = match (product, keys) {
        (Some(product), _) => {
            filter.push(Column::text(product));
            listing::PRICES_BY_PRODUCT
        }
        (None, Some(keys)) => {
            let places = keys.into_iter().map(Some).chain(std::iter::repeat(None));
            filter.extend(places.take(LOOKUP_KEYS_MAX).map(Column::Text));
            listing::PRICES_BY_LOOKUP_KEY
        }
        (None, None) => listing::PRICES,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::price).await
}
