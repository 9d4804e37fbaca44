//! Where a browser comes back to from the bank: finds out what became of it, and goes on to the
//! page that shows it.

use app::port::{Added, Settled};
use app::refusal::Refusal;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use perennial::id::{InvoiceId, PaymentIntentId, SetupIntentId};
use serde::Deserialize;

use super::visit::{Seen, viewer};
use super::{Web, coming_back};
use crate::service::portal::PortalService;

/// What a set-up's return path says beside its id.
#[derive(Deserialize)]
pub struct Wishes {
    default: Option<u8>,
}

/// `GET /challenge/payment/{id}`.
pub async fn paid(State(web): State<Web>, Path(id): Path<String>, request: Request) -> Response {
    if let Ok(id) = PaymentIntentId::parse(&id)
        && let Some(link) = coming_back::link(request.headers(), &id)
    {
        return Redirect::to(&format!("{link}?back={id}")).into_response();
    }
    let Some(seen) = Seen::of(request.extensions()) else {
        return Redirect::to("/portal").into_response();
    };
    let outcome = match PaymentIntentId::parse(&id) {
        Ok(id) => {
            let portal = PortalService::new(web.engine, Some(seen.clone()));
            portal.finish_payment(&viewer(&seen), &id).await
        }
        Err(_) => Err(Refusal::NotFound),
    };
    let history = seen.configuration.features.invoice_history;
    let page = |invoice: Option<InvoiceId>| match invoice {
        Some(invoice) if history => format!("/portal/invoices/{invoice}"),
        _ => "/portal".to_owned(),
    };
    let to = match outcome {
        Ok((Settled::Done { .. }, invoice)) => format!("{}?done=invoice-paid", page(invoice)),
        Ok((Settled::Processing { .. }, invoice)) => {
            format!("{}?done=payment-processing", page(invoice))
        }
        Ok((Settled::Scheduled { .. }, invoice)) => page(invoice),
        Ok((Settled::Challenge { .. } | Settled::Unpaid { .. }, invoice)) => {
            format!("{}?done=payment-not-confirmed", page(invoice))
        }
        Err(refusal) => {
            tracing::warn!(
                ?refusal,
                "a payment could not be finished after its challenge"
            );
            "/portal".to_owned()
        }
    };
    Redirect::to(&to).into_response()
}

/// `GET /challenge/setup/{id}`.
pub async fn saved(
    State(web): State<Web>,
    Path(id): Path<String>,
    wishes: Result<Query<Wishes>, QueryRejection>,
    request: Request,
) -> Response {
    let Some(seen) = Seen::of(request.extensions()) else {
        return Redirect::to("/portal").into_response();
    };
    let (outcome, invoice) = match SetupIntentId::parse(&id) {
        Ok(id) => {
            let portal = PortalService::new(web.engine, Some(seen.clone()));
            let default = wishes.is_ok_and(|Query(wishes)| wishes.default == Some(1));
            portal.finish_setup(&viewer(&seen), &id, default).await
        }
        Err(_) => (Err(Refusal::NotFound), None),
    };
    let done = match outcome {
        Ok(Added::Saved { charging, .. }) if charging => "card-charging",
        Ok(Added::Saved { .. }) => "card-added",
        Ok(Added::Challenge { .. }) | Err(Refusal::Declined(_)) => "card-not-confirmed",
        Err(refusal) => {
            tracing::warn!(?refusal, "a card could not be saved after its challenge");
            "card-not-confirmed"
        }
    };
    // Back to what the customer was about to do.
    let page = match invoice {
        Some(invoice) => format!("/portal/invoices/{invoice}"),
        None => "/portal/payment-methods".to_owned(),
    };
    Redirect::to(&format!("{page}?done={done}")).into_response()
}
