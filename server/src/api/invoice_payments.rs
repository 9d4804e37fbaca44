//! `/v1/invoice_payments`: what paid an invoice, or is to. Each belongs to a payment intent or a
//! payment record and has its id with another prefix.

use perennial::id::{InvoicePaymentId, PaymentIntentId, PaymentRecordId};
use perennial::payment::PaymentStatus;
use serde_json::Value;

use super::exchange::{Call, Routes, get};
use super::paging;
use super::problem::Problem;
use crate::rendering::{self, whole};
use crate::service::payment_records::Paying;
use crate::store::document::{self, Column, Document, Page};
use crate::store::listing;

const URL: &str = "/v1/invoice_payments";
const KIND: &str = "invoice_payment";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("invoice_payment list", list))
        .route("/v1/invoice_payments/{id}", get(KIND, retrieve))
}

/// What a payment's id may stand for: an intent, or a record.
fn sources(id: &str) -> [String; 2] {
    let rest = id.trim_start_matches(InvoicePaymentId::PREFIX);
    [PaymentIntentId::PREFIX, PaymentRecordId::PREFIX].map(|prefix| format!("{prefix}{rest}"))
}

fn shown(paying: &Paying, livemode: bool) -> Value {
    match paying {
        Paying::Intent(own) => whole::invoice_payment(own, livemode),
        Paying::Record(own) => whole::record_payment(own, livemode),
    }
}

/// What pays an invoice under one of these ids.
async fn find(call: &Call, ids: &[String]) -> Result<Option<Paying>, Problem> {
    let mut connection = call.api.engine.store.read().await?;
    let found = document::load_many::<Paying>(&mut connection, &call.scope, ids).await?;
    Ok(found.into_iter().next().map(|row| row.value))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: InvoicePaymentId = call.id(KIND)?;
    match find(&call, &sources(id.as_str())).await? {
        Some(own) => Ok(shown(&own, call.scope.livemode)),
        None => Err(Problem::no_such(KIND, id.as_str(), None)),
    }
}

/// Whether a payment stands as a list asks.
fn stands(paying: &Paying, status: Option<&str>) -> bool {
    let Some(status) = status else { return true };
    let own = match paying {
        Paying::Record(_) => "paid",
        Paying::Intent(own) => match own.status {
            PaymentStatus::Succeeded => "paid",
            PaymentStatus::Canceled => "canceled",
            _ => "open",
        },
    };
    own == status
}

fn invoice_of(paying: &Paying) -> Option<&str> {
    let id = match paying {
        Paying::Intent(own) => own.invoice.as_ref(),
        Paying::Record(own) => own.invoice.as_ref(),
    };
    id.map(AsRef::as_ref)
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (mut page, created, invoice, status, source) = call.read(|p| {
        let status: Option<String> = p.choice("status", &["canceled", "open", "paid"]);
        let source = p.object("payment", |p| {
            let kind: Option<String> = p.choice("type", &["payment_intent", "payment_record"]);
            let kind = p.required("type", kind)?;
            let id = p.text(&kind);
            p.required(&kind, id)
        });
        let page = paging::page(p);
        let created = paging::created(p);
        (page, created, p.text("invoice"), status, source.flatten())
    })?;
    let live = call.scope.livemode;
    if let Some(id) = source {
        let found = find(&call, &[id]).await?;
        let wanted = |own: &Paying| {
            let other = invoice.as_deref();
            stands(own, status.as_deref()) && (other.is_none() || invoice_of(own) == other)
        };
        let found = found.filter(wanted).map(|own| shown(&own, live));
        return paging::part(KIND, found.into_iter().collect(), &page, URL);
    }
    let mut cursors = Vec::new();
    for id in [&page.starting_after, &page.ending_before] {
        cursors.push(match id {
            Some(id) => Some(match find(&call, &sources(id)).await? {
                Some(own) => own.key().to_owned(),
                None => return Err(Problem::no_such(KIND, id, None)),
            }),
            None => None,
        });
    }
    page.ending_before = cursors.pop().flatten();
    page.starting_after = cursors.pop().flatten();
    let mut filter = created.columns().to_vec();
    let sql = match (invoice, status.as_deref()) {
        (Some(invoice), None) => {
            filter.push(Column::text(invoice));
            listing::INVOICE_PAYMENTS_BY_INVOICE
        }
        (Some(invoice), Some(status)) => {
            filter.extend([Column::text(invoice), Column::text(status)]);
            listing::INVOICE_PAYMENTS_BY_STANDING
        }
        (None, Some("open")) => listing::INVOICE_PAYMENTS_OPEN,
        (None, Some("paid")) => listing::INVOICE_PAYMENTS_PAID,
        (None, Some(_)) => listing::INVOICE_PAYMENTS_CANCELED,
        (None, None) => listing::INVOICE_PAYMENTS,
    };
    let mut connection = call.api.engine.store.read().await?;
    let found: Page<Paying> =
        document::list(&mut connection, &call.scope, sql, &page, &filter).await?;
    let data = found.rows.iter().map(|own| shown(own, live)).collect();
    Ok(rendering::list(data, found.has_more, URL))
}
