//! `/v1/payment_records`: money that came past the gateway, to be attached to invoices. A record has
//! one attempt, the one that it was reported with.

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, PaymentRecordId};
use perennial::payment_record::{PaidBy, PaymentRecord, RecordOutcome};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging::{self, Created};
use super::params::Params;
use super::problem::Problem;
use super::setup_intents;
use crate::rendering::whole;
use crate::service::payment_records::{NewRecord, NewRecordRefund};
use crate::store::listing;

const URL: &str = "/v1/payment_records";
const KIND: &str = "payment_record";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("payment_record list", list))
        .route("/v1/payment_records/report_payment", post(KIND, report))
        .route("/v1/payment_records/{id}", get(KIND, retrieve))
        .route(
            "/v1/payment_records/{id}/report_refund",
            post(KIND, refunded),
        )
        .route(
            "/v1/payment_records/{id}/report_payment_attempt_guaranteed",
            post(KIND, guaranteed),
        )
        .route(
            "/v1/payment_records/{id}/report_payment_attempt_failed",
            post(KIND, failed),
        )
        .route(
            "/v1/payment_records/{id}/report_payment_attempt_canceled",
            post(KIND, canceled),
        )
}

/// The outcome and its moment, which must be given together.
fn outcome(params: &mut Params) -> (RecordOutcome, Option<Timestamp>) {
    let named: Option<RecordOutcome> =
        params.choice("outcome", &["guaranteed", "failed", "canceled"]);
    let mut at = None;
    for (name, field, own) in [
        ("guaranteed", "guaranteed_at", RecordOutcome::Guaranteed),
        ("failed", "failed_at", RecordOutcome::Failed),
        ("canceled", "canceled_at", RecordOutcome::Canceled),
    ] {
        let given = params.object(name, |p| {
            let at = p.moment(field);
            p.required(field, at)
        });
        match (given, named == Some(own)) {
            (Some(given), true) => at = given,
            (Some(_), false) => {
                params.refuse(name, format!("It can only be given with outcome={name}."));
            }
            (None, true) => {
                params.required::<()>(name, None);
            }
            (None, false) => {}
        }
    }
    (named.unwrap_or(RecordOutcome::Pending), at)
}

async fn report(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let asked = p.object("amount_requested", |p| {
            let (value, currency) = (p.integer("value"), p.currency("currency"));
            Some((
                p.required("value", value)?,
                p.required("currency", currency)?,
            ))
        });
        let asked = p.required("amount_requested", asked).flatten();
        let initiated_at = p.moment("initiated_at");
        let initiated_at = p.required("initiated_at", initiated_at);
        let method = p.object("payment_method_details", |p| {
            let _: Option<String> = p.choice("type", &["custom"]);
            p.object("custom", |p| (p.text("display_name"), p.text("type")))
        });
        let method = p.required("payment_method_details", method);
        let (method_name, method_type) = method.flatten().unwrap_or_default();
        let customer = p.object("customer_details", |p| {
            let customer: Option<CustomerId> = p.id("customer", "customer");
            PaidBy {
                customer,
                email: p.text("email"),
                name: p.text("name"),
                phone: p.text("phone"),
            }
        });
        let presence: Option<String> =
            p.choice("customer_presence", &["off_session", "on_session"]);
        let reference = p.object("processor_details", |p| {
            let _: Option<String> = p.choice("type", &["custom"]);
            p.object("custom", |p| p.required_text("payment_reference"))
        });
        let description = p.text("description");
        let metadata = setup_intents::metadata(p);
        let (outcome, decided_at) = outcome(p);
        let (amount_minor, currency) = asked?;
        Some(NewRecord {
            amount_minor,
            currency,
            customer: customer.unwrap_or_default(),
            on_session: presence.map(|own| own == "on_session"),
            description,
            method_name,
            method_type,
            reference: reference.flatten(),
            outcome,
            decided_at,
            initiated_at: initiated_at?,
            metadata,
        })
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let record = call.api.engine.report_payment(&call.scope, new).await?;
    Ok(whole::payment_record(&record, call.scope.livemode))
}

async fn decide(
    mut call: Call,
    field: &'static str,
    outcome: RecordOutcome,
) -> Result<Value, Problem> {
    let id: PaymentRecordId = call.id(KIND)?;
    let (at, metadata) = call.read(|p| {
        let at = p.moment(field);
        (p.required(field, at), p.metadata("metadata"))
    })?;
    let at = at.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let record = engine
        .decide_record(&call.scope, &id, outcome, at, metadata)
        .await?;
    Ok(whole::payment_record(&record, call.scope.livemode))
}

async fn refunded(mut call: Call) -> Result<Value, Problem> {
    let id: PaymentRecordId = call.id(KIND)?;
    let new = call.read(|p| {
        let outcome: Option<String> = p.choice("outcome", &["refunded"]);
        p.required("outcome", outcome);
        let processor = p.object("processor_details", |p| {
            let kind: Option<String> = p.choice("type", &["custom"]);
            p.required("type", kind);
            p.object("custom", |p| p.required_text("refund_reference"))
        });
        let reference = p.required("processor_details", processor).flatten();
        let amount = p.object("amount", |p| {
            let (value, currency) = (p.integer("value"), p.currency("currency"));
            (p.required("value", value), p.required("currency", currency))
        });
        let (amount_minor, currency) = amount.unwrap_or_default();
        let at = p.object("refunded", |p| {
            let at = p.moment("refunded_at");
            p.required("refunded_at", at)
        });
        let refunded_at = p.required("refunded", at);
        Some(NewRecordRefund {
            amount_minor,
            currency,
            reference,
            initiated_at: p.moment("initiated_at"),
            refunded_at: refunded_at.flatten()?,
            metadata: p.metadata("metadata"),
        })
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let record = engine.report_record_refund(&call.scope, &id, new).await?;
    Ok(whole::payment_record(&record, call.scope.livemode))
}

async fn guaranteed(call: Call) -> Result<Value, Problem> {
    decide(call, "guaranteed_at", RecordOutcome::Guaranteed).await
}

async fn failed(call: Call) -> Result<Value, Problem> {
    decide(call, "failed_at", RecordOutcome::Failed).await
}

async fn canceled(call: Call) -> Result<Value, Problem> {
    decide(call, "canceled_at", RecordOutcome::Canceled).await
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let record = call.find::<PaymentRecord>().await?;
    Ok(whole::payment_record(&record, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created) = call.read(|p| {
        let mut created = Created::EVER;
        if let Some(at) = p.moment("created_after") {
            created.from = at.0.saturating_add(1);
        }
        if let Some(at) = p.moment("created_before") {
            created.until = at.0;
        }
        (paging::page(p), created)
    })?;
    let (sql, filter) = (listing::PAYMENT_RECORDS, created.columns());
    paging::answer(&call, sql, &page, &filter, URL, whole::payment_record).await
}
