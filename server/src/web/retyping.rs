//! What was typed into a form that was refused, for readers without scripts: they come back to the page by a redirect,
//! and would find what is kept instead of what they wrote.
//!
//! It travels in a cookie of the browser that typed it, for a minute and to that page alone: an address would keep it in
//! histories and logs, and a table would have to be cleared. A browser that keeps no cookie has no visit either, in frames
//! too. Nothing is believed of it: it only fills inputs, and what is sent from them is judged anew.

use std::collections::BTreeMap;

use app::portal::retyped::Retyped;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::form::{self, Node};

/// The functions whose forms come back as they were typed. No card's.
const FORMS: [&str; 3] = [
    "/api/portal/save-details",
    "/api/portal/add-tax-id",
    "/api/portal/cancel",
];
/// Below which pages lie that have them.
const PAGES: &str = "/portal/";
/// The cookie.
const NAME: &str = "perennial-typed";
/// How long it is kept, in seconds.
const SECONDS: u32 = 60;
/// The longest form that is kept, in bytes: browsers refuse cookies of more than 4,096.
const FORM_BYTES_MAX: usize = 2_800;

/// A form that may have to be typed again.
pub(super) struct Typed {
    path: &'static str,
    form: Bytes,
}

impl Typed {
    /// The form that a browser sends by itself to one of these functions, if it is one.
    pub(super) fn of(path: &str, headers: &HeaderMap, form: &Bytes) -> Option<Self> {
        let path = FORMS.into_iter().find(|known| *known == path)?;
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let by_itself = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
        (by_itself && form.len() <= FORM_BYTES_MAX).then(|| Self {
            path,
            form: form.clone(),
        })
    }

    /// Gives it to the browser, where the answer sends it back with a refusal.
    pub(super) fn keep(&self, response: &mut Response, https: bool) {
        let place = response.headers().get(header::LOCATION);
        let place = place.and_then(|place| place.to_str().ok());
        let refused = place.filter(|place| place.contains("__err="));
        let Some(page) = refused.and_then(page_of) else {
            return;
        };
        let text = [self.path.as_bytes(), b"?", &self.form].concat();
        let secure = if https { "; Secure" } else { "" };
        let cookie = format!(
            "{NAME}={}; Path={}; Max-Age={SECONDS}; HttpOnly; SameSite=Lax{secure}",
            URL_SAFE_NO_PAD.encode(text),
            page
        );
        if let Ok(mut value) = HeaderValue::try_from(cookie) {
            value.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// The path of a page of ours that an answer leads back to. What a cookie can't name has none.
fn page_of(place: &str) -> Option<&str> {
    let path = place.split(['?', '#']).next()?;
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.get(rest.find('/')?..)?,
        None => path,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    (path.starts_with(PAGES) && path.chars().all(plain)).then_some(path)
}

/// What a browser brings back to the page at `path`, and the header that takes it away again.
pub(super) fn brought(path: &str, headers: &HeaderMap) -> Option<(Retyped, HeaderValue)> {
    let page = page_of(path)?;
    let lines = headers.get_all(header::COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == NAME)?;
    let gone = format!("{NAME}=; Path={page}; Max-Age=0; HttpOnly; SameSite=Lax");
    let gone = HeaderValue::try_from(gone).ok()?;
    let text = URL_SAFE_NO_PAD.decode(value).unwrap_or_default();
    let (act, typed) = match text.iter().position(|byte| *byte == b'?') {
        Some(at) => text.split_at(at),
        None => (&[][..], &[][..]),
    };
    let act = String::from_utf8_lossy(act).into_owned();
    let typed = form::decode(typed.get(1..).unwrap_or_default()).unwrap_or_default();
    let fields: BTreeMap<String, String> = typed
        .into_iter()
        .filter_map(|(name, node)| match node {
            Node::Leaf(value) => Some((name, value)),
            Node::Branch(_) => None,
        })
        .collect();
    Some((Retyped { act, fields }, gone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::{IntoResponse, Redirect};

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())])
    }

    fn kept(path: &str, form: &str, place: &str) -> Option<String> {
        let html = headers(header::ACCEPT, "text/html,*/*");
        let typed = Typed::of(path, &html, &Bytes::from(form.to_owned()))?;
        let mut response = Redirect::to(place).into_response();
        typed.keep(&mut response, false);
        let cookie = response.headers().get(header::SET_COOKIE)?;
        Some(cookie.to_str().unwrap().to_owned())
    }

    const BACK: &str = "http://host/portal/details?__path=x&__err=y";

    #[test]
    fn what_was_typed_comes_back_once_and_only_where_it_was_refused() {
        let path = "/api/portal/save-details";
        let cookie = kept(path, "name=Ada+%26+Co&line1=Stra%C3%9Fe", BACK).unwrap();
        assert!(cookie.contains("; Path=/portal/details; Max-Age=60; HttpOnly"));
        let pair = cookie.split(';').next().unwrap();
        let back = headers(header::COOKIE, &format!("other=1; {pair}"));
        let (retyped, gone) = brought("/portal/details", &back).unwrap();
        assert_eq!(retyped.act, path);
        assert_eq!(retyped.fields["name"], "Ada & Co");
        assert_eq!(retyped.fields["line1"], "Straße");
        assert!(gone.to_str().unwrap().contains("Max-Age=0"));
        assert!(brought("/portal", &back).is_none());
        assert!(brought("/portal/x;Path=/", &back).is_none());
        assert_eq!(
            kept(path, "name=Ada", "http://host/portal/details?done=x"),
            None
        );
        assert_eq!(kept("/api/portal/add-card", "number=4242", BACK), None);
        assert_eq!(kept(path, &"a".repeat(FORM_BYTES_MAX + 1), BACK), None);
    }

    #[test]
    fn it_goes_to_the_page_that_it_was_typed_on() {
        let kept = |place| kept("/api/portal/cancel", "comment=so", place);
        let cookie = kept("http://host/portal/subscriptions/sub_1/cancel?__err=y").unwrap();
        assert!(cookie.contains("; Path=/portal/subscriptions/sub_1/cancel; "));
        for elsewhere in [
            "http://host/?__err=y",
            "http://host?__err=y",
            "http://host/portal/a;b?__err=y",
            "/other?__err=y",
        ] {
            assert_eq!(kept(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_cookie_of_somebody_elses_is_nothing() {
        for value in ["", "%%%", "_w", "L2FwaQ", "L2FwaT8lenoK"] {
            let back = headers(header::COOKIE, &format!("{NAME}={value}"));
            let (retyped, _) = brought("/portal/details", &back).unwrap();
            assert_eq!(retyped.fields.len(), 0, "{value}");
        }
    }

    #[test]
    fn scripts_keep_what_was_typed_themselves() {
        let scripted = headers(header::ACCEPT, "application/octet-stream");
        let form = Bytes::from_static(b"name=Ada");
        assert!(Typed::of("/api/portal/save-details", &scripted, &form).is_none());
    }
}
