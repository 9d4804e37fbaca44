//! `/v1/coupons`

use std::collections::BTreeMap;

use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::discount::{Coupon, Duration, Off};
use perennial::id::CouponId;
use serde_json::Value;

use super::exchange::{Call, Routes, delete, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use crate::rendering::{self, whole};
use crate::service::catalog::NewCoupon;
use crate::store::listing;

const URL: &str = "/v1/coupons";
/// The most products that a coupon can be limited to.
const PRODUCTS_MAX: usize = 50;
const DURATIONS: [&str; 3] = ["forever", "once", "repeating"];

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("coupon list", list).merge(post("coupon", create)))
        .route(
            "/v1/coupons/{id}",
            get("coupon", retrieve)
                .merge(post("coupon", update))
                .merge(delete("", remove)),
        )
}

fn off(params: &mut Params) -> Option<Off> {
    let percent = params.decimal("percent_off");
    let amount = params.integer_in("amount_off", 1..=999_999_999_999);
    let currency = params.currency("currency");
    match (percent, amount) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: amount_off, percent_off.";
            params.refuse("percent_off", message);
            None
        }
        (Some(percent), None) => Some(Off::Percent(percent)),
        (None, Some(amount_minor)) => Some(Off::Amount {
            amount_minor,
            currency: params.required("currency", currency)?,
        }),
        (None, None) => params.required("percent_off", None),
    }
}

/// `currency_options[eur][amount_off]=…`
fn currency_options(params: &mut Params) -> BTreeMap<Currency, i64> {
    let given = params.object("currency_options", |p| {
        let mut amounts = BTreeMap::new();
        for name in p.names() {
            // What is no currency is told as an unknown parameter.
            let Ok(currency) = Currency::parse(&name) else {
                continue;
            };
            let amount = p.object(&name, |p| {
                let amount = p.integer_in("amount_off", 1..=999_999_999_999);
                p.required("amount_off", amount)
            });
            if let Some(amount) = amount.flatten() {
                amounts.insert(currency, amount);
            }
        }
        amounts
    });
    given.unwrap_or_default()
}

fn duration(params: &mut Params) -> Option<Duration> {
    let name: Option<String> = params.choice("duration", &DURATIONS);
    let months = params.integer_in("duration_in_months", 1..=120);
    let months = months.and_then(|n| u16::try_from(n).ok());
    if name.as_deref() == Some("repeating") {
        let months = params.required("duration_in_months", months)?;
        return Some(Duration::Repeating { months });
    }
    if months.is_some() {
        let message = "You can only use duration_in_months with duration=repeating.";
        params.refuse("duration_in_months", message);
    }
    match name.as_deref() {
        Some("forever") => Some(Duration::Forever),
        _ => Some(Duration::Once),
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let (off, duration) = (off(p), duration(p));
        NewCoupon {
            id: p.id("id", "coupon"),
            name: p.text("name"),
            currency_options: currency_options(p),
            off: off.unwrap_or(Off::Percent(Decimal12::ZERO)),
            duration: duration.unwrap_or(Duration::Once),
            applies_to: p
                .object("applies_to", |a| a.ids("products", "product", PRODUCTS_MAX))
                .flatten()
                .unwrap_or_default(),
            max_redemptions: p
                .integer_in("max_redemptions", 1..=i64::from(u32::MAX))
                .and_then(|n| u32::try_from(n).ok()),
            redeem_by: p.moment("redeem_by"),
            metadata: p.metadata("metadata"),
        }
    })?;
    let coupon = call.api.engine.create_coupon(&call.scope, new).await?;
    Ok(whole::coupon(&coupon, call.scope.livemode, call.now))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let coupon = call.find::<Coupon>().await?;
    Ok(whole::coupon(&coupon, call.scope.livemode, call.now))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: CouponId = call.id("coupon")?;
    let (name, options, metadata) = call.read(|p| {
        let options = currency_options(p);
        (p.change_text("name"), options, p.metadata("metadata"))
    })?;
    let engine = &call.api.engine;
    let coupon = engine
        .update_coupon(&call.scope, &id, name, options, metadata)
        .await?;
    Ok(whole::coupon(&coupon, call.scope.livemode, call.now))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: CouponId = call.id("coupon")?;
    call.api.engine.delete_coupon(&call.scope, &id).await?;
    Ok(rendering::deleted("coupon", id.as_str()))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created) = call.read(|p| (paging::page(p), paging::created(p)))?;
    let (filter, now) = (created.columns(), call.now);
    let render = |coupon: &Coupon, live| whole::coupon(coupon, live, now);
    paging::answer(&call, listing::COUPONS, &page, &filter, URL, render).await
}
