//! The web for people: what a browser asks for and gets.
//!
//! From the outside in: every request gets an id, a span and a safe set of headers (`request`,
//! `headers`), a panic becomes a page (`notice`), forged and too frequent posts are refused
//! (`same_origin`, `limits`), the visitor is recognised once (`visit`), and then the pages, their
//! server functions and the documents answer.

pub mod assets;
mod challenge;
mod coming_back;
mod dev_mail;
mod documents;
mod headers;
mod hosted;
pub mod limits;
pub mod logo;
mod mail_link;
mod notice;
mod packing;
mod pages;
mod request;
mod retyping;
mod same_origin;
pub mod style;
pub mod visit;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::api::{self, Api};
use crate::config::PublicUrl;
use crate::service::Engine;
use limits::Limits;

/// The longest body of a form of the portal, in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// The longest time for an answer, in seconds.
const ANSWER_SECONDS_MAX: u64 = 30;

/// What the web is told.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// How browsers reach this server.
    pub public: PublicUrl,
    /// Whether the client's address is the last one in `X-Forwarded-For`.
    pub trust_proxy: bool,
    /// Whether the rate of requests is limited.
    pub limited: bool,
    /// Whether there are pages for those who build with this server.
    pub dev: bool,
}

/// What every handler may use.
#[derive(Clone)]
pub struct Web {
    /// The use cases.
    pub engine: Engine,
    /// The settings.
    pub config: Arc<WebConfig>,
    /// Who asks how often.
    pub limits: Arc<Limits>,
    /// The merchants' stylesheets.
    pub themes: Arc<style::Themes>,
}

impl Web {
    /// Over an engine.
    #[must_use]
    pub fn new(engine: Engine, config: WebConfig) -> Self {
        Self {
            engine,
            config: Arc::new(config),
            limits: Arc::default(),
            themes: Arc::default(),
        }
    }
}

/// Everything that is served, to people and to programs, with the pages that the gateway brings along.
pub fn router(web: Web, gateway: Router) -> Router {
    pages::prepare();
    let state = web.clone();
    let people = Router::new()
        .route("/", get(|| async { Redirect::to("/portal") }))
        .route("/p/{key}", get(visit::open))
        .route("/m/{key}", get(mail_link::show).post(mail_link::enter))
        .route(
            "/i/{merchant}/{mode}/{document}/{proof}",
            get(hosted::show).post(hosted::pay),
        )
        .route(
            "/i/{merchant}/{mode}/{document}/{proof}/pdf",
            get(hosted::pdf),
        )
        .route("/portal/invoices/{id}/pdf", get(documents::invoice_pdf))
        .route("/challenge/payment/{id}", get(challenge::paid))
        .route("/challenge/setup/{id}", get(challenge::saved))
        .route("/api/{*path}", post(pages::answer_function))
        .fallback(get(pages::show))
        .layer(from_fn_with_state(state.clone(), visit::recognise))
        .layer(from_fn(limits::read_whole))
        .layer(from_fn_with_state(state.clone(), limits::guard))
        .layer(from_fn_with_state(state.clone(), same_origin::guard))
        .layer(RequestBodyLimitLayer::new(FORM_BYTES_MAX))
        .with_state(state.clone());
    let gateway = gateway
        .layer(from_fn(limits::read_whole))
        .layer(from_fn_with_state(state.clone(), limits::guard))
        .layer(from_fn_with_state(state.clone(), same_origin::guard))
        .layer(RequestBodyLimitLayer::new(FORM_BYTES_MAX));
    // Mail programs post here by themselves, from wherever they are.
    let strangers = Router::new()
        .route(
            "/u/{key}",
            get(mail_link::ask_to_stop).post(mail_link::stop),
        )
        .layer(from_fn(limits::read_whole))
        .layer(from_fn_with_state(state.clone(), limits::guard))
        .layer(RequestBodyLimitLayer::new(FORM_BYTES_MAX))
        .with_state(state.clone());
    let programs = api::router(Api {
        engine: web.engine.clone(),
        public_url: web.config.public.origin().to_owned(),
    })
    .layer(from_fn_with_state(state.clone(), limits::guard_calls))
    .layer(CatchPanicLayer::custom(notice::PanickedCall));
    let machines = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/theme/{merchant}/{file}", get(style::theme))
        .route("/logo/{merchant}/{name}", get(logo::show))
        .with_state(state.clone());
    let development = match web.config.dev {
        true => dev_mail::router(web.clone()),
        false => Router::new(),
    };
    Router::new()
        .merge(people)
        .merge(strangers)
        .merge(development)
        .merge(gateway)
        .merge(programs)
        .merge(machines)
        .merge(style::router())
        .merge(assets::router())
        .layer(CatchPanicLayer::custom(notice::Panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(ANSWER_SECONDS_MAX),
        ))
        .layer(from_fn(notice::say))
        .layer(from_fn(packing::pack))
        .layer(from_fn_with_state(state.clone(), headers::secure))
        .layer(from_fn_with_state(state, request::trace))
}

/// That this process lives; in a debug build also which process it is, by which pages under development see that there
/// is a new one.
async fn alive() -> Response {
    let mut answer = "ok\n".into_response();
    if cfg!(debug_assertions) {
        let process = HeaderValue::from(std::process::id());
        answer.headers_mut().insert("x-process", process);
    }
    answer
}

/// Whether this process can do its work: its database answers.
async fn ready(State(web): State<Web>) -> Response {
    match web.engine.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready: the database does not answer");
            let text = "The database does not answer.\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}
