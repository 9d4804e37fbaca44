//! Invoices by hand: create, update and delete at `/v1/invoices`.

use perennial::id::{CustomerId, InvoiceId, SubscriptionId};
use perennial::invoice::{AmountTaxDisplay, CUSTOM_FIELDS_MAX, CustomField, MethodType, PageSize};
use serde_json::Value;

use super::customers::shipping;
use super::exchange::{Call, Routes, delete, post};
use super::params::Params;
use super::phases::discounts;
use super::problem::Problem;
use super::subscriptions::tax_rates;
use crate::rendering::{self, whole};
use crate::service::invoices::manual::{InvoiceUpdate, NewInvoice};

/// The most days to pay a sent invoice.
const DAYS_UNTIL_DUE_MAX: i64 = 730;
/// The most tax ids of the account that one call names.
pub(super) const TAX_IDS_MAX: usize = 20;
/// The longest name and value of a custom field, in characters (Stripe: 40 and 140).
const FIELD_CHARS_MAX: (usize, usize) = (40, 140);

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/invoices", post("invoice", create))
        .route(
            "/v1/invoices/{id}",
            post("invoice", update).merge(delete("", remove)),
        )
}

pub(super) fn custom_fields(params: &mut Params) -> Option<Vec<CustomField>> {
    params.objects("custom_fields", CUSTOM_FIELDS_MAX, |p| {
        let field = CustomField {
            name: p.required_text("name"),
            value: p.required_text("value"),
        };
        if field.name.chars().count() > FIELD_CHARS_MAX.0 {
            p.refuse("name", "It must have at most 40 characters.");
        }
        if field.value.chars().count() > FIELD_CHARS_MAX.1 {
            p.refuse("value", "It must have at most 140 characters.");
        }
        field
    })
}

/// Terms that we have no other value of: they may be sent as they are.
fn as_they_are(params: &mut Params) {
    if params
        .object("automatic_tax", |p| p.boolean("enabled"))
        .flatten()
        == Some(true)
    {
        let message = "Automatic tax is not supported; use default_tax_rates.";
        params.refuse("automatic_tax[enabled]", message);
    }
    issuer(params);
}

/// `issuer[type]`: nobody but the merchant.
pub(super) fn issuer(params: &mut Params) {
    params.object("issuer", |p| {
        let _: Option<String> = p.choice("type", &["self"]);
    });
}

/// `rendering`: how amounts are printed, and the paper. Documents have one form, so templates are refused.
type Rendering = (Option<Option<AmountTaxDisplay>>, Option<PageSize>);

fn rendering_of(params: &mut Params) -> Rendering {
    let read = params.object("rendering", |p| {
        let display = match p.unset("amount_tax_display") {
            true => Some(None),
            false => p
                .choice("amount_tax_display", &["include_inclusive_tax"])
                .map(Some),
        };
        let size = p.object("pdf", |p| p.choice("page_size", &["a4", "auto", "letter"]));
        (display, size.flatten())
    });
    read.unwrap_or_default()
}

/// `payment_settings`: cards are the only kind of payment method, and have no options or mandates here.
fn method_types(params: &mut Params) -> Option<Option<Vec<MethodType>>> {
    let types = params.object("payment_settings", |p| {
        p.choices("payment_method_types", &["card"])
    });
    let types: Vec<MethodType> = types.flatten()?;
    Some(Some(types).filter(|types| !types.is_empty()))
}

fn changes(params: &mut Params) -> InvoiceUpdate {
    as_they_are(params);
    let (amount_tax_display, page_size) = rendering_of(params);
    let discounts = match params.unset("discounts") {
        true => Some(None),
        false => discounts(params).map(Some),
    };
    let days = params.integer_in("days_until_due", 0..=DAYS_UNTIL_DUE_MAX);
    InvoiceUpdate {
        auto_advance: params.boolean("auto_advance"),
        automatically_finalizes_at: params.moment("automatically_finalizes_at"),
        collection_method: params.choice(
            "collection_method",
            &["charge_automatically", "send_invoice"],
        ),
        days_until_due: days.and_then(|days| u16::try_from(days).ok()),
        due_date: params.moment("due_date"),
        effective_at: params.change_moment("effective_at"),
        default_payment_method: params.change_id("default_payment_method", "payment_method"),
        default_tax_rates: tax_rates(params, "default_tax_rates"),
        discounts,
        description: params.change_text("description"),
        footer: params.change_text("footer"),
        custom_fields: custom_fields(params),
        account_tax_ids: match params.unset("account_tax_ids") {
            true => Some(None),
            false => params
                .ids("account_tax_ids", "tax_id", TAX_IDS_MAX)
                .map(Some),
        },
        number: params.change_text("number"),
        statement_descriptor: params.change_text("statement_descriptor"),
        shipping_details: params.change_object("shipping_details", shipping),
        amount_tax_display,
        page_size,
        payment_method_types: method_types(params),
        metadata: params.metadata("metadata"),
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let from_invoice = p.object("from_invoice", |p| {
            let action: Option<String> = p.choice("action", &["revision"]);
            p.required("action", action);
            let invoice: Option<InvoiceId> = p.id("invoice", "invoice");
            p.required("invoice", invoice)
        });
        let customer = match from_invoice {
            Some(_) => customer,
            None => p.required("customer", customer),
        };
        let subscription: Option<SubscriptionId> = p.id("subscription", "subscription");
        let pending: Option<String> =
            p.choice("pending_invoice_items_behavior", &["exclude", "include"]);
        let currency = p.currency("currency");
        let rest = changes(p);
        Some(NewInvoice {
            customer,
            from_invoice: from_invoice.flatten(),
            subscription,
            currency,
            include_pending: pending.as_deref() == Some("include"),
            rest,
        })
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let invoice = call.api.engine.create_invoice(&call.scope, new).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    let update = call.read(changes)?;
    let engine = &call.api.engine;
    let invoice = engine.update_invoice(&call.scope, &id, update).await?;
    Ok(whole::invoice(&invoice, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    let id: InvoiceId = call.id("invoice")?;
    call.no_params()?;
    call.api.engine.delete_invoice(&call.scope, &id).await?;
    Ok(rendering::deleted("invoice", id.as_str()))
}
