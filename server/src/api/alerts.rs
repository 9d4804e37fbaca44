//! `/v1/billing/alerts`

use perennial::id::{BillingAlertId, CustomerId, MeterId};
use perennial::usage::AlertStatus;
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::problem::Problem;
use crate::rendering;
use crate::service::metering::NewAlert;
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/billing/alerts";
/// The largest mark.
const GTE_MAX: i64 = 999_999_999_999_999;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("billing.alert list", list).merge(post("billing.alert", create)),
        )
        .route("/v1/billing/alerts/{id}", get("billing.alert", retrieve))
        .route(
            "/v1/billing/alerts/{id}/activate",
            post("billing.alert", activate),
        )
        .route(
            "/v1/billing/alerts/{id}/archive",
            post("billing.alert", archive),
        )
        .route(
            "/v1/billing/alerts/{id}/deactivate",
            post("billing.alert", deactivate),
        )
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let kind: Option<String> = p.choice("alert_type", &["usage_threshold"]);
        p.required("alert_type", kind);
        let title = p.required_text("title");
        let threshold = p
            .object("usage_threshold", |inner| {
                let filters = inner.objects("filters", 1, |filter| {
                    let kind: Option<String> = filter.choice("type", &["customer"]);
                    filter.required("type", kind);
                    let customer: Option<CustomerId> = filter.id("customer", "customer");
                    filter.required("customer", customer)
                });
                let customer = filters.and_then(|filters| filters.into_iter().next().flatten());
                let gte = inner.integer_in("gte", 1..=GTE_MAX);
                let gte = inner.required("gte", gte);
                let meter: Option<MeterId> = inner.id("meter", "billing.meter");
                let meter = inner.required("meter", meter);
                let recurrence: Option<String> = inner.choice("recurrence", &["one_time"]);
                inner.required("recurrence", recurrence);
                Some((customer, gte?, meter?))
            })
            .flatten();
        let (customer, gte, meter) = p.required("usage_threshold", threshold)?;
        Some(NewAlert {
            title,
            meter,
            customer,
            gte,
        })
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let alert = call.api.engine.create_alert(&call.scope, new).await?;
    Ok(rendering::alert(&alert, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: BillingAlertId = call.id("billing.alert")?;
    let alert = call.api.engine.find_alert(&call.scope, &id).await?;
    Ok(rendering::alert(&alert, call.scope.livemode))
}

async fn turn(mut call: Call, status: AlertStatus) -> Result<Value, Problem> {
    call.no_params()?;
    let id: BillingAlertId = call.id("billing.alert")?;
    let alert = call.api.engine.turn_alert(&call.scope, &id, status).await?;
    Ok(rendering::alert(&alert, call.scope.livemode))
}

async fn activate(call: Call) -> Result<Value, Problem> {
    turn(call, AlertStatus::Active).await
}

async fn archive(call: Call) -> Result<Value, Problem> {
    turn(call, AlertStatus::Archived).await
}

async fn deactivate(call: Call) -> Result<Value, Problem> {
    turn(call, AlertStatus::Inactive).await
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter) = call.read(|p| {
        let _: Option<String> = p.choice("alert_type", &["usage_threshold"]);
        let meter = p.text("meter").unwrap_or_default();
        let mut filter = paging::Created::EVER.columns().to_vec();
        filter.push(Column::text(meter));
        (paging::page(p), filter)
    })?;
    paging::answer(
        &call,
        listing::ALERTS,
        &page,
        &filter,
        URL,
        rendering::alert,
    )
    .await
}
