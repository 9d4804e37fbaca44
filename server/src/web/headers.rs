//! The headers that keep a browser from doing what the pages never ask for.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Web;
use super::style::Brand;

/// A year: browsers ask for https only.
const HSTS: &str = "max-age=31536000";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The policy of everything that is no page of ours.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

/// Adds what an answer does not say by itself.
pub async fn secure(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let https = web.config.public.is_https();
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(header::CONTENT_SECURITY_POLICY, NOTHING);
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Never `no-referrer`: a form without scripts comes back by its referrer.
    default(header::REFERRER_POLICY, "same-origin");
    default(
        PERMISSIONS_POLICY,
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    default(OPENER_POLICY, "same-origin");
    default(RESOURCE_POLICY, "same-origin");
    default(header::CACHE_CONTROL, "private, no-store");
    if https {
        default(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// The policy of a page: scripts are our own, or carry this answer's nonce; images are ours or
/// come from where the merchant's logo lies; only the merchant's own sites may frame it.
pub fn page_policy(brand: Option<&Brand>, nonce: Option<&str>) -> Option<HeaderValue> {
    let script = nonce.map_or_else(
        || "'none'".to_owned(),
        |nonce| format!("'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"),
    );
    let images: String = brand
        .map(|brand| brand.image_origins.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|origin| format!(" {origin}"))
        .collect();
    let ancestors = brand
        .map(|brand| brand.frame_ancestors.join(" "))
        .filter(|ancestors| !ancestors.is_empty())
        .unwrap_or_else(|| "'none'".to_owned());
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src 'self'; font-src 'self'; \
         img-src 'self' data:{images}; connect-src 'self'; manifest-src 'self'; \
         form-action 'self'; frame-ancestors {ancestors}; base-uri 'none'; object-src 'none'"
    );
    HeaderValue::try_from(policy).ok()
}

/// The origin of an https address, if it is one that a policy can name.
pub fn https_origin(url: &str) -> Option<String> {
    let host = url
        .strip_prefix("https://")?
        .split(['/', '?', '#'])
        .next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| format!("https://{host}"))
}

/// An origin that may frame the portal, if it is one: a scheme, a host, perhaps a port.
pub fn ancestor(origin: &str) -> Option<String> {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:*".contains(c);
    (!host.is_empty() && host != "*" && host.chars().all(plain)).then(|| origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ancestor, https_origin};

    #[test]
    fn what_a_policy_may_name() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(https_origin(url).as_deref(), expected, "{url}");
        };
        check(
            "https://cdn.halden.example/logo.svg?v=1",
            Some("https://cdn.halden.example"),
        );
        check(
            "https://cdn.halden.example:8443",
            Some("https://cdn.halden.example:8443"),
        );
        check("https://x; script-src *", None);
        check("http://cdn.halden.example/logo.svg", None);
        check("/logo.svg", None);
        let check = |origin: &str, expected: bool| {
            assert_eq!(ancestor(origin).is_some(), expected, "{origin}");
        };
        check("https://app.halden.example", true);
        check("http://127.0.0.1:5173", true);
        check("https://*.halden.example", true);
        check("*", false);
        check("https://*", false);
        check("https://a b", false);
        check("https://a;", false);
        check("'self'", false);
    }
}
