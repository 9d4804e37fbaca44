//! `/v1/refunds` and `/v1/charges`: money that goes back, and what it goes back from. A charge is the
//! newest attempt of a payment intent and has its id with another prefix.

use perennial::id::{ChargeId, PaymentIntentId, RefundId};
use perennial::payment::PaymentIntent;
use perennial::refund::{Refund, RefundReason};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::problem::Problem;
use super::setup_intents;
use crate::merchant::Merchant;
use crate::rendering::{self, state_charge, whole};
use crate::service::payments::{IntentUpdate, ParticularsUpdate};
use crate::service::refunds::NewRefund;
use crate::store::document::{self, Column, Page};
use crate::store::listing;
use crate::web::style::name_of;

const URL: &str = "/v1/refunds";
const CHARGES_URL: &str = "/v1/charges";
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("refund list", list).merge(post("refund", create)))
        .route(
            "/v1/refunds/{id}",
            get("refund", retrieve).merge(post("refund", update)),
        )
        .route("/v1/refunds/{id}/cancel", post("refund", cancel))
        .route(CHARGES_URL, get("charge list", list_charges))
        .route(
            "/v1/charges/{id}",
            get("charge", retrieve_charge).merge(post("charge", update_charge)),
        )
}

/// The intent of a charge.
fn intent_of(charge: &str) -> String {
    let rest = charge.trim_start_matches(ChargeId::PREFIX);
    format!("{}{rest}", PaymentIntentId::PREFIX)
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (intent, charge, amount, reason, metadata) = call.read(|p| {
        let intent: Option<PaymentIntentId> = p.id("payment_intent", "payment_intent");
        let charge: Option<ChargeId> = p.id("charge", "charge");
        if charge.is_none() {
            p.required("payment_intent", intent.as_ref());
        }
        let reason: Option<RefundReason> = p.choice("reason", &REASONS);
        let amount = p.integer("amount");
        (intent, charge, amount, reason, setup_intents::metadata(p))
    })?;
    let (param, id) = match (intent, charge) {
        (Some(intent), _) => ("payment_intent", intent.to_string()),
        (None, Some(charge)) => ("charge", intent_of(charge.as_str())),
        (None, None) => return Err(Problem::internal()),
    };
    let engine = &call.api.engine;
    let found = engine.find_named::<PaymentIntent>(&call.scope, &id, param);
    let new = NewRefund {
        payment_intent: found.await?.value.id,
        amount_minor: amount,
        reason,
        metadata,
    };
    let refund = engine.create_refund(&call.scope, new).await?;
    Ok(whole::refund(&refund, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let refund = call.find::<Refund>().await?;
    Ok(whole::refund(&refund, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: RefundId = call.id("refund")?;
    let change = call.read(|p| p.metadata("metadata"))?;
    let engine = &call.api.engine;
    let refund = match change {
        Some(change) => engine.update_refund(&call.scope, &id, change).await?.value,
        None => call.find::<Refund>().await?,
    };
    Ok(whole::refund(&refund, call.scope.livemode))
}

/// Only refunds that wait for the customer's bank details can be called off, and cards have none.
async fn cancel(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    call.find::<Refund>().await?;
    Err(Problem::invalid(
        "This refund can't be canceled: only refunds that require action can.",
    ))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, intent, charge) = call.read(|p| {
        (
            paging::page(p),
            paging::created(p),
            p.text("payment_intent"),
            p.text("charge"),
        )
    })?;
    let mut filter = created.columns().to_vec();
    let sql = match intent.or(charge.map(|charge| intent_of(&charge))) {
        Some(intent) => {
            filter.push(Column::text(intent));
            listing::REFUNDS_BY_PAYMENT_INTENT
        }
        None => listing::REFUNDS,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::refund).await
}

async fn charge(call: &Call) -> Result<PaymentIntent, Problem> {
    let missing = || Problem::no_such("charge", call.id_text(), None);
    if !call.id_text().starts_with(ChargeId::PREFIX) {
        return Err(missing());
    }
    let found = call.load::<PaymentIntent>(&intent_of(call.id_text())).await;
    let found = found.map_err(|_| missing())?;
    match found.attempt {
        0 => Err(missing()),
        _ => Ok(found),
    }
}

/// A charge as it is shown, with what the customer's statement says.
fn stated(intent: &PaymentIntent, livemode: bool, merchant: &Merchant) -> Value {
    let mut value = whole::charge(intent, livemode);
    state_charge(&mut value, name_of(merchant));
    value
}

async fn retrieve_charge(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let intent = charge(&call).await?;
    let merchant = call.api.engine.merchant(&call.scope).await?;
    Ok(stated(&intent, call.scope.livemode, &merchant))
}

async fn update_charge(mut call: Call) -> Result<Value, Problem> {
    let update = call.read(|p| IntentUpdate {
        charge_metadata: p.metadata("metadata"),
        particulars: ParticularsUpdate {
            receipt_email: p.change_text("receipt_email"),
            ..ParticularsUpdate::default()
        },
        ..IntentUpdate::default()
    })?;
    let mut intent = charge(&call).await?;
    if update != IntentUpdate::default() {
        let engine = &call.api.engine;
        let row = engine
            .update_intent(&call.scope, &intent.id, update)
            .await?;
        intent = row.value;
    }
    let merchant = call.api.engine.merchant(&call.scope).await?;
    Ok(stated(&intent, call.scope.livemode, &merchant))
}

async fn list_charges(mut call: Call) -> Result<Value, Problem> {
    let (mut page, created, customer, intent) = call.read(|p| {
        (
            paging::page(p),
            paging::created(p),
            p.text("customer"),
            p.text("payment_intent"),
        )
    })?;
    let live = call.scope.livemode;
    let merchant = call.api.engine.merchant(&call.scope).await?;
    let mut connection = call.api.engine.store.read().await?;
    if let Some(id) = intent {
        let found = document::load::<PaymentIntent>(&mut connection, &call.scope, &id).await?;
        let found = found.filter(|own| own.attempt > 0);
        let shown = found.map(|own| stated(&own, live, &merchant));
        return paging::part("charge", shown.into_iter().collect(), &page, CHARGES_URL);
    }
    for id in [&mut page.starting_after, &mut page.ending_before]
        .into_iter()
        .flatten()
    {
        *id = intent_of(id);
    }
    let mut filter = created.columns().to_vec();
    let sql = match customer {
        Some(customer) => {
            filter.push(Column::text(customer));
            listing::PAYMENT_INTENTS_BY_CUSTOMER
        }
        None => listing::PAYMENT_INTENTS,
    };
    let found: Page<PaymentIntent> =
        document::list(&mut connection, &call.scope, sql, &page, &filter).await?;
    let tried = found.rows.iter().filter(|own| own.attempt > 0);
    let data = tried.map(|own| stated(own, live, &merchant)).collect();
    Ok(rendering::list(data, found.has_more, CHARGES_URL))
}
