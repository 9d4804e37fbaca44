//! The sandbox bank's page, where a cardholder proves who they are.
//!
//! Its address cannot be guessed and is the only key to it; it names the merchant and the mode, so
//! that the books are never searched across them. The first answer stands.

use app::locale::{Locale, Words};
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use perennial::id::{ChargeId, MerchantId};
use perennial::payment::CardBrand;
use serde::Deserialize;

use super::Sandbox;
use crate::gateway::{Challenge, ChallengeAnswer, GatewayError, Scope};

const PATH: &str = "/sandbox/challenge/";
const STYLE_PATH: &str = "/sandbox/bank.css";
const STYLE: &str = include_str!("challenge.css");
/// Nothing but the page's own style and form.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
     frame-ancestors 'self'; base-uri 'none'";

/// The bank's pages: `GET` and `POST /sandbox/challenge/{id}`.
pub fn router(sandbox: Sandbox) -> Router {
    Router::new()
        .route("/sandbox/challenge/{id}", get(show).post(answer))
        .route(STYLE_PATH, get(style))
        .with_state(sandbox)
}

/// 128 random bits, as the secret part of an address.
pub(super) fn secret(bits: u128) -> String {
    ChargeId::from_random(bits)
        .as_str()
        .trim_start_matches(ChargeId::PREFIX)
        .to_owned()
}

/// Where the cardholder proves who they are: a path on this site.
pub(super) fn address(scope: &Scope, secret: &str) -> String {
    let mode = if scope.livemode { "live" } else { "test" };
    format!("{PATH}{}.{mode}.{secret}", scope.merchant)
}

/// Whose challenge an address names, and its secret.
pub(super) fn parse_address(address: &str) -> Option<(Scope, String)> {
    parse_id(address.strip_prefix(PATH)?)
}

fn parse_id(id: &str) -> Option<(Scope, String)> {
    let mut parts = id.split('.');
    let (merchant, mode, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let livemode = match mode {
        "live" => true,
        "test" => false,
        _ => return None,
    };
    let plain = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if parts.next().is_some() || !plain {
        return None;
    }
    Some((
        Scope {
            merchant: MerchantId::parse(merchant).ok()?,
            livemode,
        },
        secret.to_owned(),
    ))
}

#[derive(Deserialize)]
struct Said {
    answer: String,
}

async fn show(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let page = Page(words(&headers));
    let Some((scope, secret)) = parse_id(&id) else {
        return page.nothing();
    };
    match sandbox.challenge_by_secret(&scope, &secret).await {
        Ok(Some(challenge)) => page.challenge(&challenge),
        Ok(None) => page.nothing(),
        Err(error) => page.trouble(&error),
    }
}

async fn answer(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    said: Result<Form<Said>, FormRejection>,
) -> Response {
    let page = Page(words(&headers));
    let Some((scope, secret)) = parse_id(&id) else {
        return page.nothing();
    };
    let answer = match said.as_ref().map(|Form(said)| said.answer.as_str()) {
        Ok("approve") => ChallengeAnswer::Approved,
        Ok("fail") => ChallengeAnswer::Failed,
        _ => return page.unclear(),
    };
    match sandbox.answer(&scope, &secret, answer).await {
        Ok(Some(challenge)) => match &challenge.return_path {
            Some(path) => Redirect::to(path.as_str()).into_response(),
            None => page.challenge(&challenge),
        },
        Ok(None) => page.nothing(),
        Err(error) => page.trouble(&error),
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// The bank is another company and knows no more of the reader than the browser says.
fn words(headers: &HeaderMap) -> Words {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    Locale::negotiate(accepted.unwrap_or_default()).words()
}

/// The bank's page, in the reader's language.
struct Page(Words);

impl Page {
    fn challenge(&self, challenge: &Challenge) -> Response {
        let words = self.0;
        let mut facts = String::new();
        let mut fact = |name: &str, value: &str| {
            facts.push_str(&format!(
                "<dt>{}</dt><dd>{}</dd>",
                escaped(name),
                escaped(value)
            ));
        };
        match challenge.amount {
            Some(amount) => fact(words.bank_amount(), &words.money(amount)),
            None => fact(words.bank_purpose(), words.bank_save_card()),
        }
        if let Some(description) = &challenge.description {
            fact(words.bank_reason(), description);
        }
        let card = format!("{} •••• {}", brand_name(challenge.brand), challenge.last4);
        fact(words.bank_card(), &card);
        let back = challenge
            .return_path
            .as_ref()
            .map_or_else(String::new, |path| {
                let (path, text) = (escaped(path.as_str()), escaped(words.bank_back()));
                format!("<p><a href=\"{path}\">{text}</a></p>")
            });
        let (title, rest) = match challenge.answer {
            None => (words.bank_question(), self.form()),
            Some(ChallengeAnswer::Approved) => (words.bank_approved(), back),
            Some(ChallengeAnswer::Failed) => (words.bank_refused(), back),
        };
        self.answer(StatusCode::OK, title, &format!("<dl>{facts}</dl>{rest}"))
    }

    fn form(&self) -> String {
        let (approve, refuse) = (
            escaped(self.0.bank_approve()),
            escaped(self.0.bank_refuse()),
        );
        format!(
            "<form method=\"post\">\
             <button class=\"yes\" name=\"answer\" value=\"approve\">{approve}</button>\
             <button name=\"answer\" value=\"fail\">{refuse}</button></form>"
        )
    }

    fn nothing(&self) -> Response {
        let detail = self.0.bank_nothing_detail();
        self.say(StatusCode::NOT_FOUND, self.0.bank_nothing(), detail)
    }

    fn unclear(&self) -> Response {
        let detail = self.0.bank_unclear_detail();
        self.say(StatusCode::BAD_REQUEST, self.0.bank_unclear(), detail)
    }

    fn trouble(&self, error: &GatewayError) -> Response {
        tracing::error!(%error, "the sandbox bank can't answer");
        let detail = self.0.bank_trouble_detail();
        self.say(
            StatusCode::SERVICE_UNAVAILABLE,
            self.0.bank_trouble(),
            detail,
        )
    }

    fn say(&self, status: StatusCode, title: &str, detail: &str) -> Response {
        self.answer(status, title, &format!("<p>{}</p>", escaped(detail)))
    }

    fn answer(&self, status: StatusCode, title: &str, body: &str) -> Response {
        let words = self.0;
        let [bank, note, title] = [words.bank_name(), words.bank_no_money(), title].map(escaped);
        let (language, direction) = (words.locale().tag(), words.locale().dir());
        let html = format!(
            "<!doctype html><html lang=\"{language}\" dir=\"{direction}\"><head>\
             <meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"robots\" content=\"noindex\"><title>{title} · {bank}</title>\
             <link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head><body>\
             <header><strong>{bank}</strong> <span>{note}</span></header>\
             <main><h1>{title}</h1>{body}</main></body></html>"
        );
        let headers: [(HeaderName, HeaderValue); 2] = [
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(POLICY),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (status, headers, Html(html)).into_response()
    }
}

/// Names of companies are the same in every language.
fn brand_name(brand: CardBrand) -> &'static str {
    match brand {
        CardBrand::Amex => "American Express",
        CardBrand::Diners => "Diners Club",
        CardBrand::Discover => "Discover",
        CardBrand::Jcb => "JCB",
        CardBrand::Mastercard => "Mastercard",
        CardBrand::Unionpay => "UnionPay",
        CardBrand::Visa => "Visa",
        CardBrand::Unknown => "••••",
    }
}

/// Text that is safe between tags and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    //! Addresses and texts; the page itself is tested with the sandbox.
    use super::*;

    #[test]
    fn addresses_come_back() {
        let merchant = MerchantId::from_random(7);
        for livemode in [false, true] {
            let scope = Scope {
                merchant: merchant.clone(),
                livemode,
            };
            let secret = secret(u128::MAX);
            let address = address(&scope, &secret);
            assert_eq!(parse_address(&address).unwrap(), (scope, secret));
        }
    }

    #[test]
    fn other_addresses_name_nothing() {
        let check = |address: &str| assert_eq!(parse_address(address), None, "{address}");
        check("");
        check("/sandbox/challenge/");
        check("/sandbox/challenge/acct_1.test.");
        check("/sandbox/challenge/acct_1.demo.abc");
        check("/sandbox/challenge/cus_1.test.abc");
        check("/sandbox/challenge/acct_1.test.abc.d");
        check("/sandbox/challenge/acct_1.test.a'b");
        check("/elsewhere/acct_1.test.abc");
    }
}
