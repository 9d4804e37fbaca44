//! A request's id, its language, and its line in the log.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use app::locale::Locale;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use perennial::id::RequestId;
use tracing::Instrument;

use super::Web;
use super::style::Brand;

/// Names the request in answers and logs, as Stripe does.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What is known of a request beside itself. Layers further in find out whose portal it is.
#[derive(Clone)]
pub struct Setting {
    /// The browser's language.
    browser_locale: Locale,
    known: Arc<OnceLock<(Brand, Option<Locale>)>>,
    /// Whether the answer is read as a page.
    pub wants_page: bool,
}

impl Setting {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        Self {
            browser_locale: text(header::ACCEPT_LANGUAGE).map_or(Locale::En, Locale::negotiate),
            known: Arc::default(),
            wants_page: text(header::ACCEPT).is_some_and(|accepted| accepted.contains("text/html")),
        }
    }

    /// Says whose portal it is, and in which language the reader wants it. Counts once.
    pub fn learn(&self, brand: Brand, locale: Option<Locale>) {
        // A visitor of one portal who opens another's dead link keeps the first one's look.
        let _ = self.known.set((brand, locale));
    }

    /// How the answer looks, where that is known.
    pub fn brand(&self) -> Option<&Brand> {
        self.known.get().map(|(brand, _)| brand)
    }

    /// The answer's language.
    pub fn locale(&self) -> Locale {
        let chosen = self.known.get().and_then(|(_, locale)| *locale);
        chosen.unwrap_or(self.browser_locale)
    }
}

/// Gives the request an id, and logs it with its answer's status and time. The id stands on every
/// line that is logged meanwhile.
pub async fn trace(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(&mut web.engine.ids());
    let method = request.method().clone();
    let path = shown(request.uri().path());
    let setting = Setting::of(request.headers());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(setting);
    let span = tracing::info_span!("request", request_id = %id, %method, path, session = tracing::field::Empty);
    async move {
        #[expect(
            clippy::disallowed_methods,
            reason = "measures how long the machine took; decides nothing"
        )]
        let started = Instant::now();
        let mut response = next.run(request).await;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        if status >= 500 {
            tracing::error!(status, micros, "answered");
        } else {
            tracing::info!(status, micros, "answered");
        }
        if let Ok(value) = HeaderValue::try_from(id.as_str()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The path as it may be logged: the secret of a link or a challenge is left out, and so is
/// whatever is too long to be ours.
fn shown(path: &str) -> String {
    const PATH_CHARS_MAX: usize = 200;
    for secret in ["/p/", "/m/", "/u/", "/sandbox/challenge/"] {
        if path.starts_with(secret) {
            return format!("{secret}…");
        }
    }
    path.chars().take(PATH_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn secrets_are_not_shown() {
        let check = |path: &str, expected: &str| assert_eq!(shown(path), expected);
        check("/p/0123abcd", "/p/…");
        check("/p/0123/abcd", "/p/…");
        check("/m/0123abcd", "/m/…");
        check("/u/0123abcd", "/u/…");
        check("/sandbox/challenge/acct_1.test.x", "/sandbox/challenge/…");
        check("/portal/invoices/in_1", "/portal/invoices/in_1");
        assert_eq!(shown(&"x".repeat(1000)).len(), 200);
    }
}
