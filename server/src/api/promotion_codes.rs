//! `/v1/promotion_codes`

use std::collections::BTreeMap;

use perennial::currency::Currency;
use perennial::discount::{PromotionCode, folded};
use perennial::id::{CouponId, CustomerId, PromotionCodeId};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::params::Params;
use super::payment_methods::customer_param;
use super::problem::Problem;
use crate::rendering::whole;
use crate::service::catalog::{NewPromotionCode, PromotionCodeUpdate};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/promotion_codes";
/// The largest minimum, in minor units.
const AMOUNT_MAX: i64 = 999_999_999_999;

/// The routes.
pub fn routes() -> Routes {
    let kind = "promotion_code";
    Routes::new()
        .route(
            URL,
            get("promotion_code list", list).merge(post(kind, create)),
        )
        .route(
            "/v1/promotion_codes/{id}",
            get(kind, retrieve).merge(post(kind, update)),
        )
}

/// What restricts a code.
#[derive(Default)]
struct Restrictions {
    first_time_transaction: bool,
    minimum_amount_currency: Option<Currency>,
    minimum_amounts: BTreeMap<Currency, i64>,
}

/// `currency_options[usd][minimum_amount]=…`
fn currency_options(params: &mut Params) -> BTreeMap<Currency, i64> {
    let given = params.object("currency_options", |p| {
        let mut amounts = BTreeMap::new();
        for name in p.names() {
            let Ok(currency) = Currency::parse(&name) else {
                continue;
            };
            let amount = p.object(&name, |p| {
                let amount = p.integer_in("minimum_amount", 1..=AMOUNT_MAX);
                p.required("minimum_amount", amount)
            });
            if let Some(amount) = amount.flatten() {
                amounts.insert(currency, amount);
            }
        }
        amounts
    });
    given.unwrap_or_default()
}

fn restrictions(params: &mut Params) -> Restrictions {
    let first = params.boolean("first_time_transaction");
    let amount = params.integer_in("minimum_amount", 1..=AMOUNT_MAX);
    let currency = params.currency("minimum_amount_currency");
    let mut amounts = currency_options(params);
    let mut own = None;
    if let Some(amount) = amount
        && let Some(currency) = params.required("minimum_amount_currency", currency)
    {
        amounts.insert(currency, amount);
        own = Some(currency);
    } else if currency.is_some() && amount.is_none() {
        let _: Option<()> = params.required("minimum_amount", None);
    }
    Restrictions {
        first_time_transaction: first.unwrap_or(false),
        minimum_amount_currency: own,
        minimum_amounts: amounts,
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let coupon = p.object("promotion", |p| {
            let _: Option<String> = p.choice("type", &["coupon"]);
            let coupon: Option<CouponId> = p.id("coupon", "coupon");
            p.required("coupon", coupon)
        });
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let limits = p.object("restrictions", restrictions).unwrap_or_default();
        let most = p.integer_in("max_redemptions", 1..=i64::from(u32::MAX));
        let new = NewPromotionCode {
            code: p.text("code"),
            active: p.boolean("active").unwrap_or(true),
            customer,
            expires_at: p.moment("expires_at"),
            max_redemptions: most.and_then(|n| u32::try_from(n).ok()),
            first_time_transaction: limits.first_time_transaction,
            minimum_amounts: limits.minimum_amounts,
            minimum_amount_currency: limits.minimum_amount_currency,
            metadata: p.metadata("metadata"),
            coupon: p.required("promotion", coupon).flatten()?,
        };
        Some(new)
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    if let Some(customer) = &new.customer {
        let living = engine.living_customer(&call.scope, customer).await;
        living.map_err(|refused| customer_param(refused, "customer"))?;
    }
    let made = engine.create_promotion_code(&call.scope, new).await?;
    Ok(whole::promotion_code(&made, call.scope.livemode, call.now))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let found = call.find::<PromotionCode>().await?;
    Ok(whole::promotion_code(&found, call.scope.livemode, call.now))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: PromotionCodeId = call.id("promotion_code")?;
    let update = call.read(|p| PromotionCodeUpdate {
        active: p.boolean("active"),
        minimum_amounts: p
            .object("restrictions", currency_options)
            .unwrap_or_default(),
        metadata: p.metadata("metadata"),
    })?;
    let engine = &call.api.engine;
    let changed = engine
        .update_promotion_code(&call.scope, &id, update)
        .await?;
    Ok(whole::promotion_code(
        &changed,
        call.scope.livemode,
        call.now,
    ))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter) = call.read(|p| {
        let mut filter = paging::created(p).columns().to_vec();
        let code = p.text("code").unwrap_or_default();
        filter.push(Column::text(folded(&code)));
        filter.push(Column::text(p.text("coupon").unwrap_or_default()));
        filter.push(Column::text(p.text("customer").unwrap_or_default()));
        let active = p.boolean("active").map_or(-1, i64::from);
        filter.push(Column::Number(Some(active)));
        (paging::page(p), filter)
    })?;
    let now = call.now;
    let render = |code: &PromotionCode, live| whole::promotion_code(code, live, now);
    let sql = listing::PROMOTION_CODES;
    paging::answer(&call, sql, &page, &filter, URL, render).await
}
