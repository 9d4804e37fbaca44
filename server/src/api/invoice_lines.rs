//! The lines of a draft: `/v1/invoices/{id}/add_lines`, `update_lines`, `remove_lines`, and one line.

use perennial::calendar::Period;
use perennial::id::{InvoiceId, InvoiceItemId, InvoiceLineId, PriceId};
use serde_json::Value;

use super::exchange::{Call, Routes, post};
use super::params::Params;
use super::phases::{discounts, price_data};
use super::problem::Problem;
use super::subscriptions::tax_rates;
use crate::rendering::whole;
use crate::service::invoices::lines::LineInput;
use crate::service::invoices::manual::{AddedLine, LinesChange};

/// The most lines of one call (Stripe: 250).
const LINES_MAX: usize = 250;
const BEHAVIORS: [&str; 3] = ["inclusive", "exclusive", "unspecified"];

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/invoices/{id}/add_lines", post("invoice", add))
        .route("/v1/invoices/{id}/update_lines", post("invoice", update))
        .route("/v1/invoices/{id}/remove_lines", post("invoice", remove))
        .route(
            "/v1/invoices/{id}/lines/{line}",
            post("line_item", update_one),
        )
}

/// `period[start]`, `period[end]`.
fn period(params: &mut Params) -> Option<Period> {
    params
        .object("period", |p| {
            let (start, end) = (p.moment("start"), p.moment("end"));
            Some(Period {
                start: p.required("start", start)?,
                end: p.required("end", end)?,
            })
        })
        .flatten()
}

/// What a request says about a line.
pub(super) fn line(params: &mut Params) -> LineInput {
    let by_pricing = params.object("pricing", |p| {
        let price: Option<PriceId> = p.id("price", "price");
        p.required("price", price)
    });
    let by_name = params.id("price", "price");
    let amount_minor = params.integer("amount");
    let unit_amount = params.decimal("unit_amount_decimal");
    let price = by_pricing.flatten().or(by_name);
    let made = params
        .object("price_data", |p| price_data(p, false))
        .flatten();
    let ways = [
        amount_minor.is_some(),
        unit_amount.is_some(),
        price.is_some(),
        made.is_some(),
    ];
    if ways.into_iter().filter(|given| *given).count() > 1 {
        let message = "You may only specify one of these parameters: amount, pricing, price_data, \
                       unit_amount_decimal.";
        params.refuse("amount", message);
    }
    LineInput {
        path: params.name_of("").trim_end_matches("[]").to_owned(),
        amount_minor,
        price,
        price_data: made.map(Box::new),
        unit_amount,
        quantity: params.count("quantity"),
        description: params.change_text("description"),
        discountable: params.boolean("discountable"),
        discounts: discounts(params),
        tax_rates: tax_rates(params, "tax_rates"),
        tax_behavior: params.choice("tax_behavior", &BEHAVIORS),
        period: period(params),
        metadata: params.metadata("metadata"),
    }
}

async fn change(call: &Call, id: &InvoiceId, change: LinesChange) -> Result<Value, Problem> {
    let engine = &call.api.engine;
    let invoice = engine.change_lines(&call.scope, id, change).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn add(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let lines = call.read(|p| {
        let lines = p.objects("lines", LINES_MAX, |p| {
            let item: Option<InvoiceItemId> = p.id("invoice_item", "invoiceitem");
            match item {
                Some(item) => AddedLine::Item(item, p.name_of("invoice_item")),
                None => AddedLine::New(Box::new(line(p))),
            }
        });
        p.required("lines", lines).unwrap_or_default()
    })?;
    change(&call, &id, LinesChange::Add(lines)).await
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let lines = call.read(|p| {
        let lines = p.objects("lines", LINES_MAX, |p| {
            let id: Option<InvoiceLineId> = p.id("id", "line_item");
            let id = p.required("id", id);
            let line = line(p);
            Some((id?, line))
        });
        p.required("lines", lines).unwrap_or_default()
    })?;
    let lines = lines.into_iter().flatten().collect();
    change(&call, &id, LinesChange::Update(lines)).await
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let lines = call.read(|p| {
        let lines = p.objects("lines", LINES_MAX, |p| {
            let id: Option<InvoiceLineId> = p.id("id", "line_item");
            let id = p.required("id", id);
            let behavior: Option<String> = p.choice("behavior", &["delete", "unassign"]);
            let behavior = p.required("behavior", behavior);
            Some((id?, behavior? == "delete"))
        });
        p.required("lines", lines).unwrap_or_default()
    })?;
    let lines = lines.into_iter().flatten().collect();
    change(&call, &id, LinesChange::Remove(lines)).await
}

async fn update_one(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let own: InvoiceLineId = call.id_at(1, "line_item")?;
    let input = call.read(line)?;
    let engine = &call.api.engine;
    let change = LinesChange::Update(vec![(own.clone(), input)]);
    let invoice = engine.change_lines(&call.scope, &id, change).await?;
    let line = invoice.lines.iter().find(|line| line.id == own);
    let line = line.ok_or_else(Problem::internal)?;
    Ok(whole::line(line, Some(&invoice), call.scope.livemode))
}
