//! The operator's listener: `/metrics` for Prometheus. Nobody is asked who they are there, so it listens
//! at an address of its own that the outside does not reach.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::service::Engine;

/// The router of the operator's listener.
pub fn router(engine: Engine) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(engine)
}

async fn metrics(State(engine): State<Engine>) -> Response {
    match engine.status().await {
        Ok(status) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], status.metrics()).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the state of the work could not be read");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
