//! `/v1/invoiceitems`

use perennial::id::{CustomerId, InvoiceId, InvoiceItemId, SubscriptionId};
use perennial::invoice::InvoiceItem;
use serde_json::Value;

use super::exchange::{Call, Routes, delete, get, post};
use super::invoice_lines::line;
use super::paging;
use super::problem::Problem;
use crate::rendering::{self, whole};
use crate::service::invoices::NewItem;
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/invoiceitems";

/// The routes.
pub fn routes() -> Routes {
    let kind = "invoiceitem";
    Routes::new()
        .route(URL, get("invoiceitem list", list).merge(post(kind, create)))
        .route(
            "/v1/invoiceitems/{id}",
            get(kind, retrieve)
                .merge(post(kind, update))
                .merge(delete("", remove)),
        )
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let customer = p.required("customer", customer);
        let currency = p.currency("currency");
        let invoice: Option<InvoiceId> = p.id("invoice", "invoice");
        let subscription: Option<SubscriptionId> = p.id("subscription", "subscription");
        let line = line(p);
        Some(NewItem {
            customer: customer?,
            currency,
            invoice,
            subscription,
            line,
        })
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let item = engine.create_invoice_item(&call.scope, new).await?;
    Ok(whole::invoice_item(&item, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let item = call.find::<InvoiceItem>().await?;
    Ok(whole::invoice_item(&item, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceItemId = call.id("invoiceitem")?;
    let input = call.read(line)?;
    let engine = &call.api.engine;
    let item = engine.update_invoice_item(&call.scope, &id, input).await?;
    Ok(whole::invoice_item(&item, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceItemId = call.id("invoiceitem")?;
    call.no_params()?;
    let engine = &call.api.engine;
    engine.delete_invoice_item(&call.scope, &id).await?;
    Ok(rendering::deleted("invoiceitem", id.as_str()))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter, one) = call.read(|p| {
        let mut filter = paging::created(p).columns().to_vec();
        let customer = p.text("customer");
        let one = customer.is_some();
        filter.push(Column::text(customer.unwrap_or_default()));
        let pending = p.boolean("pending").map_or(-1, i64::from);
        filter.push(Column::Number(Some(pending)));
        filter.push(Column::text(p.text("invoice").unwrap_or_default()));
        (paging::page(p), filter, one)
    })?;
    let sql = match one {
        true => listing::INVOICE_ITEMS_BY_CUSTOMER,
        false => listing::INVOICE_ITEMS,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::invoice_item).await
}
