//! The app's pages and their server functions, in the same context.

use std::sync::{Arc, OnceLock};

use app::port::Portal;
use app::portal::part::Part;
use app::refusal::Refusal;
use app::site::SiteAssets;
use app::viewer::Viewer;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use super::headers::page_policy;
use super::notice::Notice;
use super::request::Setting;
use super::retyping::{self, Typed};
use super::style::{Brand, sheet_path};
use super::visit::{Seen, viewer};
use super::{FORM_BYTES_MAX, Web, assets};
use crate::service::portal::PortalService;

/// Where `server_fn` says that its body is an error.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("serverfnerror");
/// A refusal is short.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

/// Readies what pages are rendered with, once for the process. Must run before the first one, inside
/// the runtime.
pub fn prepare() {
    // The list itself is not needed: the app's own router knows its paths. Making it starts the
    // executor that rendering waits on, and finds a page that can't be rendered before a reader does.
    // While it is made, whatever a page asks for anywhere in the process waits for ever (leptos 4773).
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        let _ = leptos_axum::generate_route_list(app::App);
    });
}

/// Renders the page at the request's path, or the one that says that there is none.
pub async fn show(State(web): State<Web>, request: Request) -> Response {
    let brought = retyping::brought(request.uri().path(), request.headers());
    let context = context(web);
    let context = move || {
        context();
        let Some((retyped, gone)) = &brought else {
            return;
        };
        provide_context(retyped.clone());
        if let Some(response) = use_context::<ResponseOptions>() {
            response.append_header(header::SET_COOKIE, gone.clone());
        }
    };
    let render = leptos_axum::render_app_async_with_context(context, app::shell);
    render(request).await
}

/// Answers a server function.
pub async fn answer_function(State(web): State<Web>, request: Request) -> Response {
    let (path, method) = (request.uri().path(), request.method().clone());
    if server_fn::axum::get_server_fn_service(path, method).is_none() {
        return (StatusCode::NOT_FOUND, Notice::NotFound).into_response();
    }
    let https = web.config.public.is_https();
    let request = with_own_referrer(request, web.config.public.origin());
    let (parts, body) = request.into_parts();
    let Ok(form) = axum::body::to_bytes(body, FORM_BYTES_MAX).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, Notice::Broken).into_response();
    };
    let typed = Typed::of(parts.uri.path(), &parts.headers, &form);
    let request = Request::from_parts(parts, Body::from(form));
    let answer = leptos_axum::handle_server_fns_with_context(context(web), request).await;
    let mut response = with_status(answer.into_response()).await;
    if let Some(typed) = typed {
        typed.keep(&mut response, https);
    }
    response
}

/// Without scripts a reader goes back to where they came from: a page of this host, or else the first one.
fn with_own_referrer(mut request: Request, origin: &str) -> Request {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(from), Some(host)) = (text(header::REFERER), text(header::HOST)) else {
        return request;
    };
    let rest = from.split_once("://").and_then(|(scheme, rest)| {
        rest.strip_prefix(host)
            .filter(|_| scheme.starts_with("http"))
    });
    if rest.is_some_and(|rest| rest.starts_with('/')) {
        return request;
    }
    let scheme = origin.split("://").next().unwrap_or("http");
    if let Ok(first) = HeaderValue::try_from(format!("{scheme}://{host}/portal")) {
        request.headers_mut().insert(header::REFERER, first);
    }
    request
}

/// Gives a refusal the HTTP status that it means; `server_fn` sends 500 with each.
async fn with_status(response: Response) -> Response {
    let refused = response.headers().contains_key(FUNCTION_ERROR);
    if !refused || response.headers().contains_key(header::LOCATION) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, REFUSAL_BYTES_MAX).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response();
    };
    let refusal: Refusal = app::wire::unpack(&body).unwrap_or(Refusal::Unavailable);
    parts.status = StatusCode::from_u16(refusal.status()).unwrap_or(parts.status);
    Response::from_parts(parts, Body::from(body))
}

/// What pages and server functions find in context.
fn context(web: Web) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let parts = use_context::<Parts>();
        let extensions = parts.as_ref().map(|parts| &parts.extensions);
        let visit = extensions.and_then(Seen::of);
        let setting = extensions.and_then(|extensions| extensions.get::<Setting>());
        let brand = setting.and_then(Setting::brand);
        let locale = setting.map_or(app::locale::Locale::En, Setting::locale);
        provide_context(locale.words());
        let path = parts.as_ref().map(|parts| parts.uri.path());
        provide_context(site(brand, path.unwrap_or_default()));
        provide_context::<Option<Viewer>>(visit.as_deref().map(viewer));
        let portal: Arc<dyn Portal> = Arc::new(PortalService::new(web.engine.clone(), visit));
        provide_context(portal);
        let nonce = use_nonce();
        let policy = page_policy(brand, nonce.as_deref());
        if let (Some(policy), Some(response)) = (policy, use_context::<ResponseOptions>()) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

/// The files that the document at `path` loads.
fn site(brand: Option<&Brand>, path: &str) -> SiteAssets {
    let bundle = assets::bundle();
    SiteAssets {
        js: bundle.map(|bundle| bundle.js.to_owned()),
        wasm: bundle.map(|bundle| bundle.wasm.to_owned()),
        parts: Part::at(path).map_or_else(Vec::new, |part| assets::part(part.name()).to_vec()),
        css: sheet_path(),
        theme_css: brand.map(|brand| brand.theme_css.clone()),
        appearance: brand.and_then(|brand| brand.appearance),
    }
}
