//! `/v1/invoice_payments`: what paid an invoice, or is to. Each belongs to a payment intent and has
//! its id with another prefix.

use perennial::id::{InvoicePaymentId, PaymentIntentId};
use perennial::payment::{PaymentIntent, PaymentStatus};
use serde_json::Value;

use super::exchange::{Call, Routes, get};
use super::paging;
use super::problem::Problem;
use crate::rendering::{self, whole};
use crate::store::document::{self, Column, Page};
use crate::store::listing;

const URL: &str = "/v1/invoice_payments";
const KIND: &str = "invoice_payment";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("invoice_payment list", list))
        .route("/v1/invoice_payments/{id}", get(KIND, retrieve))
}

/// The intent's id in a payment's.
fn intent_of(id: &str) -> String {
    format!(
        "{}{}",
        PaymentIntentId::PREFIX,
        id.trim_start_matches(InvoicePaymentId::PREFIX)
    )
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: InvoicePaymentId = call.id(KIND)?;
    let missing = || Problem::no_such(KIND, id.as_str(), None);
    let intent = call.load::<PaymentIntent>(&intent_of(id.as_str())).await;
    let intent = intent.map_err(|_| missing())?;
    match intent.invoice {
        Some(_) => Ok(whole::invoice_payment(&intent, call.scope.livemode)),
        None => Err(missing()),
    }
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (mut page, created, invoice, status, intent) = call.read(|p| {
        let status: Option<String> = p.choice("status", &["canceled", "open", "paid"]);
        let intent = p.object("payment", |p| {
            let _: Option<String> = p.choice("type", &["payment_intent"]);
            p.text("payment_intent")
        });
        let page = paging::page(p);
        (page, paging::created(p), p.text("invoice"), status, intent)
    })?;
    let live = call.scope.livemode;
    if let Some(Some(id)) = intent {
        let mut connection = call.api.engine.store.read().await?;
        let found = document::load::<PaymentIntent>(&mut connection, &call.scope, &id).await?;
        let found = found.filter(|own| own.invoice.is_some());
        let found = found.filter(|own| {
            let other = invoice.as_deref();
            other.is_none() || own.invoice.as_ref().map(AsRef::as_ref) == other
        });
        let shown = found.map(|own| whole::invoice_payment(&own, live));
        return paging::part(KIND, shown.into_iter().collect(), &page, URL);
    }
    for id in [&mut page.starting_after, &mut page.ending_before]
        .into_iter()
        .flatten()
    {
        *id = intent_of(id);
    }
    let mut filter = created.columns().to_vec();
    filter.push(Column::text(invoice.clone().unwrap_or_default()));
    let sql = match invoice {
        Some(_) => listing::INVOICE_PAYMENTS_BY_INVOICE,
        None => listing::INVOICE_PAYMENTS,
    };
    let mut connection = call.api.engine.store.read().await?;
    let found: Page<PaymentIntent> =
        document::list(&mut connection, &call.scope, sql, &page, &filter).await?;
    let wanted = |own: &PaymentIntent| match status.as_deref() {
        Some("paid") => own.status == PaymentStatus::Succeeded,
        Some("canceled") => own.status == PaymentStatus::Canceled,
        Some(_) => !matches!(
            own.status,
            PaymentStatus::Succeeded | PaymentStatus::Canceled
        ),
        None => true,
    };
    let rows = found.rows.iter().filter(|own| wanted(own));
    let data = rows.map(|own| whole::invoice_payment(own, live)).collect();
    Ok(rendering::list(data, found.has_more, URL))
}
