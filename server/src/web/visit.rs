//! Visits: a link is exchanged for a cookie, once, and the cookie says who is looking.

use std::sync::Arc;

use app::locale::Locale;
use app::viewer::Viewer;
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use perennial::portal::Flow;

use super::Web;
use super::limits::{POSTS_OF_VISIT, too_many};
use super::notice::Notice;
use super::request::Setting;
use super::style::Brand;
use crate::service::portal_sessions::{Opened, VISIT_SECONDS_MAX, Visit};

/// Digits of a secret.
const SECRET_CHARS: usize = 64;
/// The most cookies that are looked at.
const COOKIES_MAX: usize = 50;

/// Who is looking, as found before routing. Stands in the request's extensions.
#[derive(Clone)]
pub struct Seen(pub Option<Arc<Visit>>);

impl Seen {
    /// The visit that a request belongs to, if it does to one.
    pub fn of(extensions: &Extensions) -> Option<Arc<Visit>> {
        extensions.get::<Self>()?.0.clone()
    }
}

/// The viewer of a visit, for the app.
pub fn viewer(visit: &Visit) -> Viewer {
    Viewer {
        merchant: visit.scope.merchant.clone(),
        livemode: visit.scope.livemode,
        customer: visit.customer.id.clone(),
        session: visit.session.id.clone(),
        locale: visit
            .session
            .locale
            .clone()
            .or_else(|| visit.customer.preferred_locales.first().cloned()),
    }
}

/// The language of a visit: the session's or the customer's, where we speak it.
fn locale_of(visit: &Visit) -> Option<Locale> {
    let tags = visit.session.locale.iter();
    tags.chain(&visit.customer.preferred_locales)
        .find_map(|tag| spoken(tag))
}

/// A language that we speak, by its whole tag or its first part.
fn spoken(tag: &str) -> Option<Locale> {
    let primary = tag.split('-').next().unwrap_or_default();
    Locale::from_tag(tag).or_else(|| Locale::from_tag(primary))
}

/// Finds out who is looking, once for a request; forgets a cookie that leads nowhere.
pub async fn recognise(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let https = web.config.public.is_https();
    let secret = cookie(request.headers(), https).map(str::to_owned);
    let found = match &secret {
        Some(secret) => match web.engine.visit(secret).await {
            Ok(found) => found.map(Arc::new),
            Err(error) => {
                tracing::error!(%error, "a visit can't be looked up");
                return (StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response();
            }
        },
        None => None,
    };
    if let Some(visit) = &found {
        let session = &visit.session.id;
        let posts = *request.method() == Method::POST && web.config.limited;
        if posts && !web.limits.admit(POSTS_OF_VISIT, session, web.engine.now()) {
            return too_many(POSTS_OF_VISIT);
        }
        if let Some(setting) = request.extensions().get::<Setting>() {
            let url = visit.session.return_url.clone();
            let locale = locale_of(visit);
            setting.learn(Brand::of(&web.themes, &visit.merchant, url), locale);
        }
        tracing::Span::current().record("session", session.as_str());
    }
    let gone = secret.is_some() && found.is_none();
    request.extensions_mut().insert(Seen(found));
    let mut response = next.run(request).await;
    if gone && !response.headers().contains_key(header::SET_COOKIE) {
        set_cookie(&mut response, "", https);
    }
    response
}

/// `GET /p/{key}`: exchanges the link for a visit and goes on to the portal, so that nothing secret
/// stays in the address. A HEAD, as link previews send it, uses nothing up.
pub async fn open(
    State(web): State<Web>,
    Path(secret): Path<String>,
    request: Request,
) -> Response {
    if *request.method() == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    if !is_secret(&secret) {
        return (StatusCode::GONE, Notice::DeadLink).into_response();
    }
    match web.engine.open_link(&secret).await {
        Ok(Opened::Visit { secret, session }) => {
            tracing::info!(session = %session.id, "a link was opened");
            let mut response = Redirect::to(&landing(session.flow.as_ref())).into_response();
            set_cookie(&mut response, &secret, web.config.public.is_https());
            response
        }
        Ok(Opened::Dead { merchant, session }) => {
            // A second click on one's own link, or the way back in the history.
            let seen = request.extensions().get::<Seen>();
            let visiting = seen.and_then(|seen| seen.0.as_ref());
            if let (Some(visit), Some(session)) = (visiting, &session)
                && visit.session.id == session.id
            {
                return Redirect::to("/portal").into_response();
            }
            if let (Some(setting), Some(merchant)) =
                (request.extensions().get::<Setting>(), merchant)
            {
                let locale = session
                    .as_ref()
                    .and_then(|session| session.locale.as_deref());
                let locale = locale.and_then(spoken);
                let url = session.and_then(|session| session.return_url);
                setting.learn(Brand::of(&web.themes, &merchant, url), locale);
            }
            (StatusCode::GONE, Notice::DeadLink).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a link can't be opened");
            (StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response()
        }
    }
}

/// Whether a text has the form of a secret of ours.
pub fn is_secret(text: &str) -> bool {
    text.len() == SECRET_CHARS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The first page of a session.
fn landing(flow: Option<&Flow>) -> String {
    match flow {
        None => "/portal".to_owned(),
        Some(Flow::PaymentMethodUpdate) => "/portal/payment-methods/new".to_owned(),
        Some(Flow::SubscriptionCancel { subscription, .. }) => {
            format!("/portal/subscriptions/{subscription}/cancel")
        }
        Some(Flow::SubscriptionUpdate { subscription }) => {
            format!("/portal/subscriptions/{subscription}/change")
        }
    }
}

/// Over TLS the prefix makes browsers refuse the cookie from anywhere but this very host.
fn cookie_name(https: bool) -> &'static str {
    if https {
        "__Host-perennial"
    } else {
        "perennial"
    }
}

/// The first secret in a cookie of ours that has the form of one: another program on this host may have set its own.
fn cookie(headers: &HeaderMap, https: bool) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .take(COOKIES_MAX)
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == cookie_name(https))
        .map(|(_, value)| value)
        .find(|value| {
            value.len() == SECRET_CHARS && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// Gives the browser the secret, or takes it away where it is empty.
pub fn set_cookie(response: &mut Response, secret: &str, https: bool) {
    let name = cookie_name(https);
    let seconds = if secret.is_empty() {
        0
    } else {
        VISIT_SECONDS_MAX
    };
    let secure = if https { "; Secure" } else { "" };
    let cookie =
        format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
