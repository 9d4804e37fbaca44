//! `/v1/billing/meters`, `/v1/billing/meter_events` and `/v1/billing/meter_event_adjustments`

use perennial::calendar::Period;
use perennial::id::{CustomerId, MeterId};
use perennial::metadata::MetadataChange;
use perennial::usage::{Formula, Meter, TimeWindow};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::exchange::{Call, Routes, get, post, post_repeatable};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use crate::rendering;
use crate::service::metering::{MeterUpdate, Naming, NewEvent, NewMeter, SummaryRequest};
use crate::store::listing;

const URL: &str = "/v1/billing/meters";
/// Stripe's formulas, and two of ours: `max` and `unique`.
const FORMULAS: [&str; 5] = ["count", "last", "max", "sum", "unique"];
const WINDOWS: [&str; 2] = ["day", "hour"];
/// The most keys of a payload.
const PAYLOAD_KEYS_MAX: usize = 50;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("billing.meter list", list).merge(post("billing.meter", create)),
        )
        .route(
            "/v1/billing/meters/{id}",
            get("billing.meter", retrieve).merge(post("billing.meter", update)),
        )
        .route(
            "/v1/billing/meters/{id}/deactivate",
            post("billing.meter", deactivate),
        )
        .route(
            "/v1/billing/meters/{id}/reactivate",
            post("billing.meter", reactivate),
        )
        .route(
            "/v1/billing/meters/{id}/event_summaries",
            get("billing.meter_event_summary list", summaries),
        )
        .route(
            "/v1/billing/meter_events",
            post_repeatable("billing.meter_event", report),
        )
        .route(
            "/v1/billing/meter_event_adjustments",
            post_repeatable("billing.meter_event_adjustment", adjust),
        )
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let formula: Option<Formula> = p
            .object("default_aggregation", |inner| {
                let formula = inner.choice("formula", &FORMULAS);
                inner.required("formula", formula)
            })
            .flatten();
        if formula.is_none() {
            p.required::<()>("default_aggregation", None);
        }
        let customer_key = p
            .object("customer_mapping", |inner| {
                let kind: Option<String> = inner.choice("type", &["by_id"]);
                inner.required("type", kind);
                let key = inner.text("event_payload_key");
                inner.required("event_payload_key", key)
            })
            .flatten();
        let value_key = p
            .object("value_settings", |inner| {
                let key = inner.text("event_payload_key");
                inner.required("event_payload_key", key)
            })
            .flatten();
        NewMeter {
            display_name: p.required_text("display_name"),
            event_name: p.required_text("event_name"),
            formula: formula.unwrap_or(Formula::Sum),
            customer_key,
            value_key,
            event_time_window: p.choice::<TimeWindow>("event_time_window", &WINDOWS),
        }
    })?;
    let meter = call.api.engine.create_meter(&call.scope, new).await?;
    Ok(rendering::meter(&meter, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let meter = call.find::<Meter>().await?;
    Ok(rendering::meter(&meter, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: MeterId = call.id("billing.meter")?;
    let update = call.read(|p| MeterUpdate {
        display_name: p.text("display_name"),
    })?;
    let meter = call
        .api
        .engine
        .update_meter(&call.scope, &id, update)
        .await?;
    Ok(rendering::meter(&meter, call.scope.livemode))
}

async fn deactivate(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: MeterId = call.id("billing.meter")?;
    let meter = call.api.engine.deactivate_meter(&call.scope, &id).await?;
    Ok(rendering::meter(&meter, call.scope.livemode))
}

async fn reactivate(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: MeterId = call.id("billing.meter")?;
    let meter = call.api.engine.reactivate_meter(&call.scope, &id).await?;
    Ok(rendering::meter(&meter, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter) = call.read(|p| {
        let status: Option<String> = p.choice("status", &["active", "inactive"]);
        let mut filter = paging::Created::EVER.columns().to_vec();
        filter.push(crate::store::document::Column::text(
            status.unwrap_or_default(),
        ));
        (paging::page(p), filter)
    })?;
    paging::answer(
        &call,
        listing::METERS,
        &page,
        &filter,
        URL,
        rendering::meter,
    )
    .await
}

async fn summaries(mut call: Call) -> Result<Value, Problem> {
    let meter: MeterId = call.id("billing.meter")?;
    let request = call.read(|p| {
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let customer = p.required("customer", customer);
        let (start, end) = (p.moment("start_time"), p.moment("end_time"));
        let (start, end) = (p.required("start_time", start), p.required("end_time", end));
        let window = p.choice("value_grouping_window", &WINDOWS);
        let page = paging::page(p);
        Some(SummaryRequest {
            meter: meter.clone(),
            customer: customer?,
            period: Period {
                start: start?,
                end: end?,
            },
            window,
            limit: page.limit,
            starting_after: page.starting_after,
            ending_before: page.ending_before,
        })
    })?;
    let request = request.ok_or_else(Problem::internal)?;
    let page = call
        .api
        .engine
        .usage_summaries(&call.scope, request)
        .await?;
    let live = call.scope.livemode;
    let data = page.summaries.iter();
    let data = data.map(|summary| rendering::meter_event_summary(summary, live));
    let url = format!("/v1/billing/meters/{meter}/event_summaries");
    Ok(rendering::list(data.collect(), page.has_more, &url))
}

/// The keys and texts of a payload.
fn payload(params: &mut Params) -> Vec<(String, String)> {
    match params.metadata("payload") {
        Some(MetadataChange::Merge(pairs)) if pairs.len() <= PAYLOAD_KEYS_MAX => pairs,
        Some(MetadataChange::Merge(_)) => {
            params.refuse(
                "payload",
                format!("A payload has at most {PAYLOAD_KEYS_MAX} keys."),
            );
            Vec::new()
        }
        Some(MetadataChange::Clear) | None => {
            params.required::<()>("payload", None);
            Vec::new()
        }
    }
}

/// An idempotency key stands for an identifier, where none is given: so a call that comes again
/// counts once, without being kept in the table of answers.
fn identifier_of(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    let mut text = String::from("idem_");
    for byte in hash.iter().take(20) {
        use std::fmt::Write as _;
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

async fn report(mut call: Call) -> Result<Value, Problem> {
    let mut event = call.read(|p| NewEvent {
        event_name: p.required_text("event_name"),
        identifier: p.text("identifier"),
        at: p.moment("timestamp"),
        payload: payload(p),
        now: None,
    })?;
    let cause = call.api.engine.cause.as_deref();
    if let Some(key) = cause.and_then(|cause| cause.idempotency_key.as_deref())
        && event.identifier.is_none()
    {
        event.identifier = Some(identifier_of(key));
    }
    let (name, payload) = (event.event_name.clone(), event.payload.clone());
    let engine = &call.api.engine;
    let taken = engine
        .report_usage(&call.scope, vec![event], Naming::Single)
        .await?;
    let taken = taken.first().ok_or_else(Problem::internal)?;
    Ok(rendering::meter_event(
        &name,
        taken,
        &payload,
        call.now,
        call.scope.livemode,
    ))
}

async fn adjust(mut call: Call) -> Result<Value, Problem> {
    let (name, identifier) = call.read(|p| {
        let kind: Option<String> = p.choice("type", &["cancel"]);
        p.required("type", kind);
        let name = p.required_text("event_name");
        let identifier = p.object("cancel", |inner| inner.required_text("identifier"));
        let identifier = p.required("cancel", identifier);
        (name, identifier.unwrap_or_default())
    })?;
    let engine = &call.api.engine;
    engine.cancel_usage(&call.scope, &name, &identifier).await?;
    let live = call.scope.livemode;
    Ok(rendering::meter_event_adjustment(&name, &identifier, live))
}
