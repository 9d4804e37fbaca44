//! `/v1/credit_notes`

use perennial::credit_note::{CreditNote, LINES_MAX, LinkWish, Part, Reason, Wish};
use perennial::decimal::Decimal12;
use perennial::id::{CreditNoteId, InvoiceId, InvoiceLineId, RefundId};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use super::setup_intents;
use super::subscriptions::tax_rates;
use crate::rendering::whole;
use crate::service::credit_notes::{CreditNoteUpdate, NewCreditNote, NewLine};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/credit_notes";
const KIND: &str = "credit_note";
const REASONS: [&str; 4] = [
    "duplicate",
    "fraudulent",
    "order_change",
    "product_unsatisfactory",
];

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("credit_note list", list).merge(post(KIND, create)))
        .route("/v1/credit_notes/preview", get(KIND, preview))
        .route(
            "/v1/credit_notes/preview/lines",
            get("credit_note_line_item list", preview_lines),
        )
        .route(
            "/v1/credit_notes/{id}",
            get(KIND, retrieve).merge(post(KIND, update)),
        )
        .route(
            "/v1/credit_notes/{id}/lines",
            get("credit_note_line_item list", lines),
        )
        .route("/v1/credit_notes/{id}/void", post(KIND, void))
}

fn line(params: &mut Params) -> Option<NewLine> {
    let kind: Option<String> = params.choice("type", &["invoice_line_item", "custom_line_item"]);
    let kind = params.required("type", kind)?;
    if kind == "invoice_line_item" {
        let line: Option<InvoiceLineId> = params.id("invoice_line_item", "line_item");
        let line = params.required("invoice_line_item", line);
        let (amount, quantity) = (params.integer("amount"), params.count("quantity"));
        let part = match (amount, quantity) {
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: amount, quantity.";
                params.refuse("quantity", message);
                return None;
            }
            (Some(amount), None) => Part::Amount(amount),
            (None, Some(quantity)) => Part::Quantity(quantity),
            (None, None) => Part::Rest,
        };
        return Some(NewLine::Invoice(line?, part));
    }
    let description = params.required_text("description");
    let whole = params.integer("unit_amount").map(Decimal12::from_integer);
    let exact = params.decimal("unit_amount_decimal");
    let unit_amount = params.required("unit_amount", whole.or(exact));
    let quantity = params.count("quantity").unwrap_or(1);
    let rates = tax_rates(params, "tax_rates").unwrap_or_default();
    Some(NewLine::Own(description, unit_amount?, quantity, rates))
}

/// A refund that was made before. (Reported payments have no refunds here.)
fn link(params: &mut Params) -> Option<LinkWish> {
    let _: Option<String> = params.choice("type", &["refund"]);
    let refund: Option<RefundId> = params.id("refund", "refund");
    let refund = params.required("refund", refund);
    let amount_minor = params.integer("amount_refunded");
    Some(LinkWish {
        refund: refund?,
        amount_minor,
    })
}

fn new(params: &mut Params) -> Option<NewCreditNote> {
    let invoice: Option<InvoiceId> = params.id("invoice", "invoice");
    let invoice = params.required("invoice", invoice);
    let lines = params.objects("lines", LINES_MAX, line);
    let _: Option<String> = params.choice("email_type", &["credit_note", "none"]);
    let reason: Option<Reason> = params.choice("reason", &REASONS);
    let links = params.objects("refunds", LINES_MAX, link);
    let wish = Wish {
        amount_minor: params.integer("amount"),
        lines: Vec::new(),
        refund_minor: params.integer("refund_amount"),
        links: links.unwrap_or_default().into_iter().flatten().collect(),
        balance_minor: params.integer("credit_amount"),
        out_of_band_minor: params.integer("out_of_band_amount"),
        reason,
        memo: params.text("memo"),
        metadata: setup_intents::metadata(params),
        effective_at: params.moment("effective_at"),
    };
    Some(NewCreditNote {
        invoice: invoice?,
        lines: lines.unwrap_or_default().into_iter().flatten().collect(),
        wish,
    })
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(new)?.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let note = engine.create_credit_note(&call.scope, new).await?;
    Ok(whole::credit_note(&note, call.scope.livemode))
}

async fn preview(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(new)?.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let note = engine.preview_credit_note(&call.scope, new).await?;
    Ok(whole::credit_note(&note, call.scope.livemode))
}

async fn preview_lines(mut call: Call) -> Result<Value, Problem> {
    let (page, new) = call.read(|p| (paging::page(p), new(p)))?;
    let new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let note = engine.preview_credit_note(&call.scope, new).await?;
    shown_lines(&call, &note, &page, "/v1/credit_notes/preview/lines")
}

fn shown_lines(
    call: &Call,
    note: &CreditNote,
    page: &crate::store::document::PageRequest,
    url: &str,
) -> Result<Value, Problem> {
    let live = call.scope.livemode;
    let lines = note.lines.iter();
    let lines = lines.map(|line| whole::credit_note_line(line, live));
    paging::part("credit_note_line_item", lines.collect(), page, url)
}

async fn lines(mut call: Call) -> Result<Value, Problem> {
    let page = call.read(paging::page)?;
    let note = call.find::<CreditNote>().await?;
    let url = format!("/v1/credit_notes/{}/lines", note.id);
    shown_lines(&call, &note, &page, &url)
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let note = call.find::<CreditNote>().await?;
    Ok(whole::credit_note(&note, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: CreditNoteId = call.id(KIND)?;
    let update = call.read(|p| CreditNoteUpdate {
        memo: p.change_text("memo"),
        metadata: p.metadata("metadata"),
    })?;
    let engine = &call.api.engine;
    let note = engine.update_credit_note(&call.scope, &id, update).await?;
    Ok(whole::credit_note(&note, call.scope.livemode))
}

async fn void(mut call: Call) -> Result<Value, Problem> {
    let id: CreditNoteId = call.id(KIND)?;
    call.no_params()?;
    let note = call.api.engine.void_credit_note(&call.scope, &id).await?;
    Ok(whole::credit_note(&note, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, customer, invoice) = call.read(|p| {
        let page = paging::page(p);
        (
            page,
            paging::created(p),
            p.text("customer"),
            p.text("invoice"),
        )
    })?;
    let mut filter = created.columns().to_vec();
    let sql = match (customer, invoice) {
        (customer, Some(invoice)) => {
            filter.push(Column::text(invoice));
            filter.push(Column::text(customer.unwrap_or_default()));
            listing::CREDIT_NOTES_BY_INVOICE
        }
        (Some(customer), None) => {
            filter.push(Column::text(customer));
            listing::CREDIT_NOTES_BY_CUSTOMER
        }
        (None, None) => listing::CREDIT_NOTES,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::credit_note).await
}
