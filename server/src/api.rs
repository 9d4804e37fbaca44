//! The HTTP API for programs: Stripe's, version `2026-10-28.endive`, as far as we have come.
//!
//! A call goes through [`exchange`]: the key tells whose it is, the form becomes [`params::Params`],
//! `Idempotency-Key` makes it happen once, and `expand[]` is answered by [`expansion`]. A resource is
//! a file with a table of routes and a function a route.

pub mod exchange;
pub mod expansion;
pub mod form;
pub mod paging;
pub mod params;
pub mod problem;

mod alerts;
pub mod authentication;
mod coupons;
mod credit_notes;
mod customers;
mod events;
mod invoice_attaching;
mod invoice_items;
mod invoice_lines;
mod invoice_payments;
mod invoice_writing;
mod invoices;
mod meter_stream;
mod meters;
mod payment_intents;
mod payment_methods;
mod payment_records;
mod phases;
mod portal_configurations;
mod portal_sessions;
mod previews;
mod prices;
mod products;
mod promotion_codes;
mod refunds;
mod setup_intents;
mod subscription_items;
mod subscription_life;
mod subscription_lists;
mod subscription_schedules;
mod subscription_settings;
mod subscription_updates;
mod subscriptions;
mod tax_ids;
mod tax_rates;
mod test_clocks;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use crate::service::Engine;
use problem::Problem;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    /// The use cases.
    pub engine: Engine,
    /// Where people reach this installation, without a slash at the end: links start with it.
    pub public_url: String,
}

/// Everything under `/v1`, and what there is of `/v2`. What is not there is answered in JSON too.
pub fn router(api: Api) -> Router {
    Router::new()
        .merge(alerts::routes())
        .merge(coupons::routes())
        .merge(credit_notes::routes())
        .merge(customers::routes())
        .merge(events::routes())
        .merge(invoice_attaching::routes())
        .merge(invoice_items::routes())
        .merge(invoice_lines::routes())
        .merge(invoice_payments::routes())
        .merge(invoice_writing::routes())
        .merge(invoices::routes())
        .merge(meter_stream::routes())
        .merge(meters::routes())
        .merge(payment_intents::routes())
        .merge(payment_methods::routes())
        .merge(payment_records::routes())
        .merge(portal_configurations::routes())
        .merge(portal_sessions::routes())
        .merge(previews::routes())
        .merge(prices::routes())
        .merge(products::routes())
        .merge(promotion_codes::routes())
        .merge(refunds::routes())
        .merge(setup_intents::routes())
        .merge(subscription_schedules::routes())
        .merge(subscription_items::routes())
        .merge(subscription_life::routes())
        .merge(subscription_updates::routes())
        .merge(subscriptions::routes())
        .merge(tax_ids::routes())
        .merge(tax_rates::routes())
        .merge(test_clocks::routes())
        .route("/v1", axum::routing::any(unknown))
        .route("/v1/{*rest}", axum::routing::any(unknown))
        .route("/v2/{*rest}", axum::routing::any(unknown))
        .method_not_allowed_fallback(unknown)
        .with_state(api)
}

/// No such address, or not with this method.
async fn unknown(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let shown: String = path.chars().take(120).collect();
    let message = format!("Unrecognized request URL ({method}: {shown}).");
    let problem = Problem::invalid(message).status(StatusCode::NOT_FOUND);
    exchange::plain(&problem)
}

#[cfg(test)]
mod tests;
