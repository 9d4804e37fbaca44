//! `/v1/payment_intents`: those of invoices, which are confirmed like the invoice's own payment, and
//! those that are made by themselves. Their money is held for the customer until it is attached to an
//! invoice.

use perennial::id::{CustomerId, PaymentIntentId, PaymentMethodId};
use perennial::payment::{Delivery, PaymentIntent, PaymentStatus};
use serde_json::Value;

use super::customers::shipping;
use super::exchange::{Call, Routes, get, post};
use super::invoices::{declined, paid};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use super::setup_intents;
use crate::rendering::whole;
use crate::service::payments::{IntentUpdate, NewIntent, ParticularsUpdate};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/payment_intents";
const KIND: &str = "payment_intent";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("payment_intent list", list).merge(post(KIND, create)),
        )
        .route(
            "/v1/payment_intents/{id}",
            get(KIND, retrieve).merge(post(KIND, update)),
        )
        .route("/v1/payment_intents/{id}/confirm", post(KIND, confirm))
        .route("/v1/payment_intents/{id}/cancel", post(KIND, cancel))
        .route("/v1/payment_intents/{id}/capture", post(KIND, capture))
}

/// Where the goods go that it pays for.
fn delivery(params: &mut Params) -> Box<Delivery> {
    Box::new(Delivery {
        carrier: params.text("carrier"),
        tracking_number: params.text("tracking_number"),
        to: shipping(params),
    })
}

/// What the payer is to read of it.
fn particulars(params: &mut Params) -> ParticularsUpdate {
    ParticularsUpdate {
        receipt_email: params.change_text("receipt_email"),
        statement_descriptor: params.change_text("statement_descriptor"),
        statement_descriptor_suffix: params.change_text("statement_descriptor_suffix"),
    }
}

/// Whether the customer is here and may be asked for a proof: `off_session` says that they are not, and
/// `error_on_requires_action` that the payment is to fail rather than ask.
fn may_ask(params: &mut Params) -> bool {
    let away = params.boolean("off_session") == Some(true);
    let fails = params.boolean("error_on_requires_action") == Some(true);
    !away && !fails
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (new, named, confirm) = call.read(|p| {
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let customer = p.required("customer", customer);
        let amount = p.integer("amount");
        let amount_minor = p.required("amount", amount);
        let currency = p.currency("currency");
        let currency = p.required("currency", currency);
        let confirm = p.boolean("confirm").unwrap_or(false);
        let of_confirming = ["off_session", "error_on_requires_action", "return_url"];
        if !confirm && let Some(name) = of_confirming.into_iter().find(|name| p.has(name)) {
            let message = format!("You may only specify {name} together with confirm=true.");
            p.refuse(name, message);
        }
        let on_session = may_ask(p);
        p.text("return_url");
        p.boolean("use_stripe_sdk");
        p.object("automatic_payment_methods", |p| {
            let _: Option<String> = p.choice("allow_redirects", &["always", "never"]);
            p.boolean("enabled")
        });
        let _: Option<String> = p.choice("capture_method", &["automatic", "automatic_async"]);
        let _: Option<String> = p.choice("confirmation_method", &["automatic", "manual"]);
        let _: Option<String> = p.choice("setup_future_usage", &["off_session", "on_session"]);
        let description = p.text("description");
        let metadata = setup_intents::metadata(p);
        let shipping = p.object("shipping", delivery);
        let particulars = particulars(p);
        let mut named = p.text("payment_method");
        if confirm {
            named = p.required("payment_method", named);
        }
        let new = (|| {
            Some(NewIntent {
                customer: customer?,
                amount_minor: amount_minor?,
                currency: currency?,
                payment_method: None,
                description,
                shipping,
                particulars,
                metadata,
            })
        })();
        let confirm = confirm.then_some(on_session);
        (new, named, confirm)
    })?;
    let mut new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    if let Some(name) = named {
        let found = engine.resolve_payment_method(&call.scope, &name).await?;
        new.payment_method = Some(found.value.id);
    }
    let intent = engine.create_intent(&call.scope, new).await?;
    match confirm {
        Some(on_session) => confirm_alone(&call, &intent.id, None, on_session).await,
        None => Ok(whole::payment_intent(&intent, call.scope.livemode)),
    }
}

/// Confirms a payment that belongs to no invoice. A challenge is no error: the intent says where it is.
async fn confirm_alone(
    call: &Call,
    id: &PaymentIntentId,
    method: Option<PaymentMethodId>,
    on_session: bool,
) -> Result<Value, Problem> {
    let engine = &call.api.engine;
    let confirmed = engine.confirm_unapplied(&call.scope, id, method, on_session);
    let intent = confirmed.await?.value;
    match (intent.status, &intent.last_error) {
        (PaymentStatus::RequiresPaymentMethod, Some(decline)) => Err(declined(decline.clone())),
        _ => Ok(whole::payment_intent(&intent, call.scope.livemode)),
    }
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    let secret = call.read(|p| p.text("client_secret"))?;
    let intent = call.find::<PaymentIntent>().await?;
    if let Some(secret) = secret {
        let linking = call.api.engine.linking(&call.scope).await?;
        let own = linking.secret(intent.id.as_str());
        setup_intents::matches(&secret, &own, "PaymentIntent")?;
    }
    Ok(whole::payment_intent(&intent, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: PaymentIntentId = call.id(KIND)?;
    let (mut update, named) = call.read(|p| {
        let update = IntentUpdate {
            metadata: p.metadata("metadata"),
            description: p.change_text("description"),
            amount_minor: p.integer("amount"),
            shipping: p.change_object("shipping", delivery),
            particulars: particulars(p),
            ..IntentUpdate::default()
        };
        (update, p.text("payment_method"))
    })?;
    let engine = &call.api.engine;
    if let Some(name) = named {
        let found = engine.resolve_payment_method(&call.scope, &name).await?;
        update.payment_method = Some(found.value.id);
    }
    let intent = engine.update_intent(&call.scope, &id, update).await?;
    Ok(whole::payment_intent(&intent, call.scope.livemode))
}

async fn confirm(mut call: Call) -> Result<Value, Problem> {
    let id: PaymentIntentId = call.id(KIND)?;
    let (named, on_session, change) = call.read(|p| {
        p.text("return_url");
        p.boolean("use_stripe_sdk");
        let change = IntentUpdate {
            shipping: p.change_object("shipping", delivery),
            particulars: ParticularsUpdate {
                receipt_email: p.change_text("receipt_email"),
                ..ParticularsUpdate::default()
            },
            ..IntentUpdate::default()
        };
        (p.text("payment_method"), may_ask(p), change)
    })?;
    let intent = call.find::<PaymentIntent>().await?;
    let engine = &call.api.engine;
    if change != IntentUpdate::default() {
        engine.update_intent(&call.scope, &id, change).await?;
    }
    let method = match named {
        Some(name) => {
            let mut found = engine.resolve_payment_method(&call.scope, &name).await?;
            if found.customer.is_none() {
                // A new card: it is kept for what the customer owes later, as a payment of theirs asks.
                let (card, owner) = (&found.value.id, &intent.customer);
                found = engine
                    .attach_payment_method(&call.scope, card, owner)
                    .await?;
            }
            Some(found.value.id)
        }
        None => intent.payment_method.clone(),
    };
    let result = match intent.invoice {
        None => return confirm_alone(&call, &id, method, on_session).await,
        Some(invoice) if !intent.by_itself => {
            engine
                .pay_invoice(&call.scope, &invoice, method, on_session)
                .await?
        }
        _ => {
            engine
                .confirm_intent(&call.scope, &id, method, on_session)
                .await?
        }
    };
    // A challenge is no error here: the intent says where it is.
    if !matches!(
        result,
        crate::service::payments::PaymentResult::RequiresAction { .. }
    ) {
        paid(result, call.scope.livemode)?;
    }
    let intent = call.load::<PaymentIntent>(id.as_str()).await?;
    Ok(whole::payment_intent(&intent, call.scope.livemode))
}

async fn cancel(mut call: Call) -> Result<Value, Problem> {
    call.read(|p| {
        let reasons = [
            "abandoned",
            "duplicate",
            "fraudulent",
            "requested_by_customer",
        ];
        let _: Option<String> = p.choice("cancellation_reason", &reasons);
    })?;
    let id: PaymentIntentId = call.id(KIND)?;
    let intent = call.api.engine.cancel_intent(&call.scope, &id).await?;
    Ok(whole::payment_intent(&intent, call.scope.livemode))
}

async fn capture(mut call: Call) -> Result<Value, Problem> {
    call.read(|p| p.integer("amount_to_capture"))?;
    call.find::<PaymentIntent>().await?;
    Err(
        Problem::invalid("This PaymentIntent is captured automatically.")
            .coded("payment_intent_unexpected_state"),
    )
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, customer) =
        call.read(|p| (paging::page(p), paging::created(p), p.text("customer")))?;
    let mut filter = created.columns().to_vec();
    let sql = match customer {
        Some(customer) => {
            filter.push(Column::text(customer));
            listing::PAYMENT_INTENTS_BY_CUSTOMER
        }
        None => listing::PAYMENT_INTENTS,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::payment_intent).await
}
