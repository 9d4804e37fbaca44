//! The sandbox bank's page, where a cardholder proves who they are.
//!
//! Its address cannot be guessed and is the only key to it; it names the merchant and the mode, so
//! that the books are never searched across them. The first answer stands.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use perennial::currency::Currency;
use perennial::id::{ChargeId, MerchantId};
use perennial::money::Money;
use serde::Deserialize;

use super::Sandbox;
use crate::gateway::{Challenge, ChallengeAnswer, Scope};

const PATH: &str = "/sandbox/challenge/";
const STYLE_PATH: &str = "/sandbox/bank.css";
const STYLE: &str = include_str!("challenge.css");
/// Nothing but the page's own style and form.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'";

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

async fn show(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Response {
    let Some((scope, secret)) = parse_id(&id) else {
        return page(StatusCode::NOT_FOUND, NOTHING);
    };
    match sandbox.challenge_by_secret(&scope, &secret).await {
        Ok(Some(challenge)) => page(StatusCode::OK, &body(&challenge)),
        Ok(None) => page(StatusCode::NOT_FOUND, NOTHING),
        Err(error) => failed(&error),
    }
}

async fn answer(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Response {
    let Some((scope, secret)) = parse_id(&id) else {
        return page(StatusCode::NOT_FOUND, NOTHING);
    };
    let answer = match said.answer.as_str() {
        "approve" => ChallengeAnswer::Approved,
        "fail" => ChallengeAnswer::Failed,
        _ => return page(StatusCode::BAD_REQUEST, UNCLEAR),
    };
    match sandbox.answer(&scope, &secret, answer).await {
        Ok(Some(challenge)) => match &challenge.return_path {
            Some(path) => Redirect::to(path.as_str()).into_response(),
            None => page(StatusCode::OK, &body(&challenge)),
        },
        Ok(None) => page(StatusCode::NOT_FOUND, NOTHING),
        Err(error) => failed(&error),
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

fn failed(error: &crate::gateway::GatewayError) -> Response {
    tracing::error!(%error, "the sandbox bank can't answer");
    page(StatusCode::SERVICE_UNAVAILABLE, TROUBLE)
}

const NOTHING: &str = "<h1>There is nothing to confirm here</h1>\
    <p>The link is incomplete or was never valid. Go back to where you came from and try again.</p>";
const UNCLEAR: &str = "<h1>Your answer did not arrive</h1>\
    <p>Nothing was confirmed. Go back and choose again.</p>";
const TROUBLE: &str = "<h1>The test bank can’t answer now</h1>\
    <p>Nothing was lost. Reload this page in a moment.</p>";

fn body(challenge: &Challenge) -> String {
    let card = format!("{} •••• {}", brand_name(challenge.brand), challenge.last4);
    let what = match challenge.amount {
        Some(amount) => format!("<dt>Amount</dt><dd>{}</dd>", escaped(&amount_text(amount))),
        None => "<dt>Purpose</dt><dd>Save this card for later payments</dd>".to_owned(),
    };
    let description = challenge
        .description
        .as_deref()
        .map_or_else(String::new, |description| {
            format!("<dt>For</dt><dd>{}</dd>", escaped(description))
        });
    let facts = format!("<dl>{what}{description}<dt>Card</dt><dd>{card}</dd></dl>");
    let back = challenge
        .return_path
        .as_ref()
        .map_or_else(String::new, |path| {
            format!(
                "<p><a href=\"{}\">Go back to the shop</a></p>",
                escaped(path.as_str())
            )
        });
    match challenge.answer {
        None => format!(
            "<h1>Is this you?</h1>{facts}<form method=\"post\">\
             <button class=\"yes\" name=\"answer\" value=\"approve\">Yes, approve</button>\
             <button name=\"answer\" value=\"fail\">No, refuse</button></form>"
        ),
        Some(ChallengeAnswer::Approved) => format!("<h1>You approved this</h1>{facts}{back}"),
        Some(ChallengeAnswer::Failed) => format!("<h1>You refused this</h1>{facts}{back}"),
    }
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" \
         content=\"noindex\"><title>Test bank</title><link rel=\"stylesheet\" \
         href=\"{STYLE_PATH}\"></head><body><header><strong>Test bank</strong> \
         <span>No real money moves here</span></header><main>{body}</main></body></html>"
    );
    let headers: [(HeaderName, HeaderValue); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (status, headers, Html(html)).into_response()
}

/// The code and the amount in major units: the bank speaks no language in particular.
fn amount_text(amount: Money) -> String {
    let places = usize::from(amount.currency.exponent());
    let digits = amount.minor.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, part) = digits
        .split_at_checked(digits.len() - places)
        .unwrap_or((&digits, ""));
    let sign = if amount.is_negative() { "-" } else { "" };
    let point = if part.is_empty() { "" } else { "." };
    format!(
        "{} {sign}{whole}{point}{part}",
        Currency::code(amount.currency)
    )
}

fn brand_name(brand: perennial::payment::CardBrand) -> &'static str {
    use perennial::payment::CardBrand;
    match brand {
        CardBrand::Amex => "American Express",
        CardBrand::Diners => "Diners Club",
        CardBrand::Discover => "Discover",
        CardBrand::Jcb => "JCB",
        CardBrand::Mastercard => "Mastercard",
        CardBrand::Unionpay => "UnionPay",
        CardBrand::Visa => "Visa",
        CardBrand::Unknown => "Card",
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
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]
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

    #[test]
    fn amounts_are_written_in_major_units() {
        let check = |minor: i64, currency: Currency, expected: &str| {
            assert_eq!(amount_text(Money::new(minor, currency)), expected);
        };
        check(1234, Currency::USD, "USD 12.34");
        check(5, Currency::USD, "USD 0.05");
        check(500, Currency::JPY, "JPY 500");
        check(1, Currency::KWD, "KWD 0.001");
        check(i64::MIN, Currency::USD, "USD -92233720368547758.08");
    }
}
