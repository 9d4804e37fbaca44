//! `POST /v1/invoices/{id}/attach_payment`: paying an invoice in parts.

use perennial::id::{InvoiceId, PaymentIntentId, PaymentRecordId};
use serde_json::Value;

use super::exchange::{Call, Routes, post};
use super::problem::Problem;
use crate::rendering::whole;

/// The routes.
pub fn routes() -> Routes {
    Routes::new().route(
        "/v1/invoices/{id}/attach_payment",
        post("invoice", attach_payment),
    )
}

async fn attach_payment(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let (intent, record) = call.read(|p| {
        let intent: Option<PaymentIntentId> = p.id("payment_intent", "payment_intent");
        let record: Option<PaymentRecordId> = p.id("payment_record", "payment_record");
        if intent.is_some() && record.is_some() {
            let message = "You may only specify one of these parameters: payment_intent, \
                           payment_record.";
            p.refuse("payment_record", message);
        }
        if record.is_none() {
            p.required("payment_intent", intent.as_ref());
        }
        (intent, record)
    })?;
    let engine = &call.api.engine;
    let invoice = match (intent, record) {
        (Some(intent), _) => engine.attach_intent(&call.scope, &id, &intent).await?,
        (None, Some(record)) => engine.attach_record(&call.scope, &id, &record).await?,
        (None, None) => return Err(Problem::internal()),
    };
    Ok(whole::invoice(&invoice, call.scope.livemode))
}
