//! Which link a browser pays by while it is away at its bank: it comes back to one address for all
//! payments (`/challenge/payment/…`), and whoever pays by a link has no visit to go on with.
//!
//! The link travels in a cookie of the browser that pays, for an hour and to that address alone. Nothing
//! is believed of it: it only says where to go, and a link proves itself there.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use perennial::id::PaymentIntentId;

/// The cookie.
const NAME: &str = "perennial-paying";
/// How long a bank may take, in seconds.
const SECONDS: u32 = 3_600;
/// The longest link that is gone back to, in bytes.
const LINK_BYTES_MAX: usize = 512;

/// Remembers the link at `path` by which a payment was begun.
pub(super) fn remember(response: &mut Response, intent: &PaymentIntentId, path: &str, https: bool) {
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!(
        "{NAME}={intent}:{path}; Path=/challenge/payment; Max-Age={SECONDS}; HttpOnly; \
         SameSite=Lax{secure}"
    );
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The link by which a payment was begun in this browser, if it was: a path of ours, and of no other
/// kind.
pub(super) fn link(headers: &HeaderMap, intent: &PaymentIntentId) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == NAME)?;
    let (own, path) = value.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
    let ours = path.starts_with("/i/")
        && !path.contains("//")
        && path.len() <= LINK_BYTES_MAX
        && path.bytes().all(plain);
    (own == intent.as_str() && ours).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    const PATH: &str = "/i/acct_1/test/in_1/0123456789abcdef";

    fn with(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(cookie).unwrap())])
    }

    #[test]
    fn a_browser_finds_its_link_again_for_that_payment_only() {
        let (own, other) = (
            PaymentIntentId::from_random(1),
            PaymentIntentId::from_random(2),
        );
        let mut response = "".into_response();
        remember(&mut response, &own, PATH, true);
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(
            set.ends_with(
                "; Path=/challenge/payment; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"
            )
        );
        let back = with(&format!("a=b; {}", set.split(';').next().unwrap()));
        assert_eq!(link(&back, &own).as_deref(), Some(PATH));
        assert_eq!(link(&back, &other), None);
    }

    #[test]
    fn a_cookie_leads_nowhere_else() {
        let own = PaymentIntentId::from_random(1);
        for place in [
            "//evil.example",
            "/i//evil.example",
            "/portal",
            "/i/a?b=c",
            "/i/a:80",
            "",
        ] {
            let back = with(&format!("{NAME}={own}:{place}"));
            assert_eq!(link(&back, &own), None, "{place}");
        }
    }
}
