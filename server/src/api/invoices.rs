//! `/v1/invoices`

use perennial::id::InvoiceId;
use perennial::invoice::Invoice;
use perennial::payment::Decline;
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::problem::{Kind, Problem};
use crate::rendering::{decline_message, whole};
use crate::service::invoices::manual::InvoiceUpdate;
use crate::service::payments::PaymentResult;
use crate::store::document::Column;
use crate::store::listing;
use crate::store::narrowing::Choosy;

const URL: &str = "/v1/invoices";
const STATUSES: [&str; 5] = ["draft", "open", "paid", "uncollectible", "void"];

/// The routes.
pub fn routes() -> Routes {
    let kind = "invoice";
    Routes::new()
        .route(URL, get("invoice list", list))
        .route("/v1/invoices/{id}", get(kind, retrieve))
        .route("/v1/invoices/{id}/lines", get("line_item list", lines))
        .route("/v1/invoices/{id}/pay", post(kind, pay))
        .route("/v1/invoices/{id}/finalize", post(kind, finalize))
        .route("/v1/invoices/{id}/send", post(kind, send))
        .route("/v1/invoices/{id}/void", post(kind, void))
        .route(
            "/v1/invoices/{id}/mark_uncollectible",
            post(kind, write_off),
        )
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let invoice = call.find::<Invoice>().await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn lines(mut call: Call) -> Result<Value, Problem> {
    let page = call.read(paging::page)?;
    let invoice = call.find::<Invoice>().await?;
    let url = format!("/v1/invoices/{}/lines", invoice.id);
    let live = call.scope.livemode;
    let show = |line: &perennial::invoice::Line| whole::line(line, Some(&invoice), live);
    let lines: Vec<_> = invoice.lines.iter().map(show).collect();
    paging::part("line_item", lines, &page, &url)
}

async fn pay(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let (named, off_session, outside) = call.read(|p| {
        // A card pays all or nothing, so there is never a difference that could be forgiven.
        p.boolean("forgive");
        let named = p.text("payment_method");
        let outside = p.boolean("paid_out_of_band").unwrap_or(false);
        if outside && named.is_some() {
            let message = "You may only specify one of these parameters: payment_method, \
                           paid_out_of_band.";
            p.refuse("paid_out_of_band", message);
        }
        (named, p.boolean("off_session"), outside)
    })?;
    let engine = &call.api.engine;
    if outside {
        let invoice = engine.pay_out_of_band(&call.scope, &id).await?;
        return Ok(whole::invoice(&invoice, call.scope.livemode));
    }
    let method = match named {
        Some(name) => Some(
            engine
                .resolve_payment_method(&call.scope, &name)
                .await?
                .value
                .id,
        ),
        None => None,
    };
    let on_session = !off_session.unwrap_or(true);
    let result = engine
        .pay_invoice(&call.scope, &id, method, on_session)
        .await?;
    paid(result, call.scope.livemode)
}

/// The invoice after an attempt to pay it, or what became of the attempt.
pub(super) fn paid(result: PaymentResult, livemode: bool) -> Result<Value, Problem> {
    match result {
        PaymentResult::Paid { invoice } | PaymentResult::Unknown { invoice } => {
            Ok(whole::invoice(&invoice, livemode))
        }
        PaymentResult::Declined { decline, .. } => Err(declined(decline)),
        PaymentResult::RequiresAction { .. } => Err(Problem {
            status: axum::http::StatusCode::PAYMENT_REQUIRED,
            kind: Kind::Card,
            began: true,
            ..Problem::invalid(
                "This payment requires additional user action before it can be completed \
                 successfully. Payment can be completed using the PaymentIntent associated with \
                 the invoice.",
            )
            .coded("invoice_payment_intent_requires_action")
        }),
    }
}

/// A payment that the bank refused.
pub(super) fn declined(decline: Decline) -> Problem {
    Problem {
        status: axum::http::StatusCode::PAYMENT_REQUIRED,
        kind: Kind::Card,
        message: decline_message(&decline).to_owned(),
        param: None,
        code: Some(decline.code),
        decline_code: decline.decline_code,
        began: true,
    }
}

async fn finalize(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let auto_advance = call.read(|p| p.boolean("auto_advance"))?;
    let engine = &call.api.engine;
    if auto_advance.is_some() {
        let update = InvoiceUpdate {
            auto_advance,
            ..InvoiceUpdate::default()
        };
        engine.update_invoice(&call.scope, &id, update).await?;
    }
    let invoice = engine.finalize_invoice(&call.scope, &id).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn send(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    call.no_params()?;
    let invoice = call.api.engine.send_invoice(&call.scope, &id).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn void(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    call.no_params()?;
    let invoice = call.api.engine.void_invoice(&call.scope, &id).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn write_off(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    call.no_params()?;
    let invoice = call.api.engine.mark_uncollectible(&call.scope, &id).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let methods = ["charge_automatically", "send_invoice"];
    let (page, created, due, texts) = call.read(|p| {
        let created = paging::created(p);
        let status: Option<String> = p.choice("status", &STATUSES);
        let (subscription, customer) = (p.text("subscription"), p.text("customer"));
        let method: Option<String> = p.choice("collection_method", &methods);
        let due = paging::range(p, "due_date");
        let texts = [status, subscription, customer, method].map(Option::unwrap_or_default);
        (paging::page(p), created, due, texts)
    })?;
    let [status, subscription, customer, method] = &texts;
    let sql = if !subscription.is_empty() {
        listing::INVOICES_BY_SUBSCRIPTION
    } else if !customer.is_empty() {
        listing::INVOICES_BY_CUSTOMER
    } else if due != paging::Created::EVER {
        let own = Choosy::DueDate(due.from, due.until);
        let mut read = call.api.engine.store.read().await?;
        let [few, many] = listing::INVOICES_BY_DUE_DATE;
        let is_few = own.is_few(&mut read, &call.scope).await?;
        if is_few { few } else { many }
    } else if !status.is_empty() {
        listing::INVOICES_BY_STATUS
    } else if method == "send_invoice" {
        listing::INVOICES_SENT
    } else {
        listing::INVOICES
    };
    let mut filter = created.columns().to_vec();
    filter.extend(texts.map(Column::text));
    filter.extend(due.bounds());
    paging::answer(&call, sql, &page, &filter, URL, whole::invoice).await
}
