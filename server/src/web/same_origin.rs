//! Posts come from our own pages. A cookie alone is no proof: other sites' forms send it too, where
//! `SameSite` fails.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::notice::Notice;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what changes something and was not sent by a page of this server.
pub async fn guard(State(web): State<Web>, request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || from_here(request.headers(), web.config.public.origin()) {
        return next.run(request).await;
    }
    tracing::warn!("refused a post from another site");
    (StatusCode::FORBIDDEN, Notice::Forged).into_response()
}

/// Browsers say where a request came from, in one of two headers that pages can't write.
fn from_here(headers: &HeaderMap, public_origin: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    // Where the server is reached by another name than it was told, host and origin still agree.
    let host = origin.split_once("://").map(|(_, host)| host);
    origin == public_origin || (host.is_some() && host == text(header::HOST))
}

#[cfg(test)]
mod tests {
    use super::from_here;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    #[test]
    fn who_may_post() {
        let check = |sent: &[(&'static str, &'static str)], expected: bool| {
            let headers: HeaderMap = sent
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            assert_eq!(
                from_here(&headers, "https://pay.example"),
                expected,
                "{sent:?}"
            );
        };
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "none")], true);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://pay.example"),
            ],
            false,
        );
        check(&[("origin", "https://pay.example")], true);
        check(&[("origin", "https://evil.example")], false);
        check(
            &[("origin", "https://evil.example"), ("host", "pay.example")],
            false,
        );
        check(
            &[
                ("origin", "http://10.0.0.2:3000"),
                ("host", "10.0.0.2:3000"),
            ],
            true,
        );
        check(&[("origin", "null")], false);
        check(&[], false);
    }
}
