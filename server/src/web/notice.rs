//! Pages that stand for an answer that can't be given: a dead link, a forged post, a panic. In the
//! reader's language and, where it is known, the merchant's look. They need no script.

use std::any::Any;

use app::locale::Words;
use app::portal::refused::{Statement, explain, glyph};
use app::refusal::Refusal;
use app::ui::LinkButton;
use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use leptos::prelude::*;
use leptos_meta::{ServerMetaContext, provide_meta_context};
use tower_http::catch_panic::ResponseForPanic;

use super::headers::page_policy;
use super::request::Setting;
use super::style::{Brand, sheet_path};
use crate::api::exchange;
use crate::api::problem::Problem;

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The link was used before, is too old, or never was one.
    DeadLink,
    /// The post did not come from our pages.
    Forged,
    /// Too often.
    TooMany,
    /// There is no such page.
    NotFound,
    /// Larger than a form can be.
    TooLong,
    /// Something broke on our side.
    Broken,
}

impl Notice {
    /// The same, in the words of the app.
    fn refusal(self) -> Refusal {
        match self {
            Self::DeadLink => Refusal::SignedOut,
            Self::Forged => Refusal::NotAllowed,
            Self::TooMany => Refusal::TooMany,
            Self::NotFound => Refusal::NotFound,
            Self::TooLong => Refusal::Invalid(Vec::new()),
            Self::Broken => Refusal::Unavailable,
        }
    }
}

/// For programs, the refusal as the app's server functions send it; [`say`] turns it into a page
/// for people.
impl IntoResponse for Notice {
    fn into_response(self) -> Response {
        let mut response = Json(self.refusal()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Answers a panic. Nothing of it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Panicked;

impl ResponseForPanic for Panicked {
    type ResponseBody = Body;

    fn response_for_panic(
        &mut self,
        panic: Box<dyn Any + Send + 'static>,
    ) -> axum::http::Response<Self::ResponseBody> {
        tracing::error!(panic = said(&*panic), "a request panicked");
        (StatusCode::INTERNAL_SERVER_ERROR, Notice::Broken).into_response()
    }
}

/// Answers a panic in a call of the API.
#[derive(Clone, Copy, Debug)]
pub struct PanickedCall;

impl ResponseForPanic for PanickedCall {
    type ResponseBody = Body;

    fn response_for_panic(
        &mut self,
        panic: Box<dyn Any + Send + 'static>,
    ) -> axum::http::Response<Self::ResponseBody> {
        tracing::error!(panic = said(&*panic), "a call panicked");
        exchange::plain(&Problem::internal())
    }
}

/// The words of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}

/// Turns notices, and answers of the layers around us, into pages where a page is wanted.
pub async fn say(request: Request, next: Next) -> Response {
    let setting = request.extensions().get::<Setting>().cloned();
    let call = request.uri().path().starts_with("/v1/");
    let response = next.run(request).await;
    let Some(setting) = setting else {
        return response;
    };
    let status = response.status();
    let bare = !response.headers().contains_key(header::CONTENT_TYPE);
    if call && bare && status.is_server_error() {
        return exchange::plain(&Problem::internal().status(status));
    }
    let notice = match response.extensions().get::<Notice>() {
        Some(notice) => Some(*notice),
        None if status == StatusCode::PAYLOAD_TOO_LARGE => Some(Notice::TooLong),
        None if bare && status.is_server_error() => Some(Notice::Broken),
        None => None,
    };
    match notice {
        Some(notice) if setting.wants_page => page(notice, status, &setting, response),
        Some(notice) if bare => (status, notice).into_response(),
        _ => response,
    }
}

/// The page; other headers, such as cookies, stay.
fn page(notice: Notice, status: StatusCode, setting: &Setting, refused: Response) -> Response {
    let brand = setting.brand();
    let html = document(notice, setting.locale().words(), brand);
    dressed(status, brand, html, refused)
}

/// A page of our own making in the same dress. `body` is made where words and metadata are in context.
pub fn whole_page(
    status: StatusCode,
    brand: Option<&Brand>,
    words: Words,
    title: &str,
    body: impl FnOnce() -> String,
) -> Response {
    let html = whole(words, brand, title, body);
    dressed(status, brand, html, StatusCode::OK.into_response())
}

/// An answer with the headers of a page.
fn dressed(status: StatusCode, brand: Option<&Brand>, html: String, base: Response) -> Response {
    let (mut parts, _) = base.into_parts();
    parts.status = status;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    if let Some(policy) = page_policy(brand, None) {
        parts
            .headers
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Response::from_parts(parts, Body::from(html))
}

/// The whole document.
fn document(notice: Notice, words: Words, brand: Option<&Brand>) -> String {
    let (title, detail) = explain(words, &notice.refusal());
    let heading = title.clone();
    whole(words, brand, &title, || {
        let action = action(notice, words, brand);
        view! {
            <main id="content">
                <Statement glyph=glyph(&notice.refusal()) title=heading detail=detail>
                    {action.map(|(href, text)| view! { <LinkButton href=href>{text}</LinkButton> })}
                </Statement>
            </main>
        }
        .to_html()
    })
}

/// A document around what is made where words and metadata are in context.
fn whole(
    words: Words,
    brand: Option<&Brand>,
    title: &str,
    body: impl FnOnce() -> String,
) -> String {
    let body = Owner::new().with(|| {
        provide_context(words);
        provide_context(ServerMetaContext::new().0);
        provide_meta_context();
        body()
    });
    let locale = words.locale();
    let theme = brand.map_or_else(String::new, |brand| {
        format!(
            "<link rel=\"stylesheet\" href=\"{}\">",
            escaped(&brand.theme_css)
        )
    });
    let appearance = brand
        .and_then(|brand| brand.appearance)
        .map_or_else(String::new, |only| format!(" data-theme=\"{only}\""));
    let name = brand.map_or_else(String::new, |brand| format!("{} · ", escaped(&brand.name)));
    format!(
        "<!DOCTYPE html><html lang=\"{}\" dir=\"{}\"{appearance}><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{name}{}</title><link rel=\"stylesheet\" href=\"{}\">{theme}\
         <link rel=\"icon\" href=\"/icons/icon.svg\" type=\"image/svg+xml\"></head>\
         <body>{body}</body></html>",
        locale.tag(),
        locale.dir(),
        escaped(title),
        sheet_path(),
    )
}

/// The one thing to do next, if there is one: its address and its words.
fn action(notice: Notice, words: Words, brand: Option<&Brand>) -> Option<(String, String)> {
    match notice {
        Notice::DeadLink => {
            let brand = brand?;
            if let Some(url) = &brand.return_url {
                return Some((url.clone(), words.shell_back(&brand.name)));
            }
            let email = brand.support_email.as_ref()?;
            Some((format!("mailto:{email}"), email.clone()))
        }
        Notice::Forged | Notice::NotFound | Notice::TooLong => {
            Some(("/portal".to_owned(), words.action_to_overview().to_owned()))
        }
        Notice::TooMany | Notice::Broken => {
            Some((String::new(), words.action_try_again().to_owned()))
        }
    }
}

/// Text that may stand in an element or a quoted attribute.
pub fn escaped(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
            out
        })
}
