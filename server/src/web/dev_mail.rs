//! `/dev/mail`: the mails of test mode in the folder, for those who build with this server. Only where
//! it was started with `--dev` or `--demo`: whoever reads it comes in by the links in the mails.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use perennial::calendar::Timestamp;

use super::Web;
use super::notice::escaped;
use super::style::sheet_path;
use crate::mail::reading::Read;

/// Mails on the page.
const MAILS_MAX: usize = 200;
/// The page itself: nothing but its sheets and its frames.
const PAGE: &str = "default-src 'none'; style-src 'self'; font-src 'self'; frame-src 'self'; \
                    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// A mail's HTML, as strict as the strictest mail program: no scripts, no forms, nothing loaded but
/// pictures. Links open beside it.
const LETTER: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
                      style-src 'unsafe-inline'; img-src 'self' https: data:; \
                      frame-ancestors 'self'; base-uri 'none'; form-action 'none'";
/// The sheet of these pages.
const SHEET: &str = include_str!("dev_mail.css");

/// The routes, with the state that they need.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/dev/mail", get(list))
        .route("/dev/mail.css", get(sheet))
        .route("/dev/mail/{id}", get(show))
        .route("/dev/mail/{id}/html", get(html))
        .route("/dev/mail/{id}/text", get(text))
        .route("/dev/mail/{id}/pdf", get(pdf))
        .route("/dev/mail/{id}/source", get(source))
        .with_state(web)
}

async fn sheet() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], SHEET).into_response()
}

fn broken(error: &std::io::Error) -> Response {
    tracing::error!(%error, "the mail folder can't be read");
    let text = "The mail folder can't be read.\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "There is no such mail.\n").into_response()
}

async fn list(State(web): State<Web>) -> Response {
    let Some(post) = &web.engine.post else {
        return page("Mail", "<p class=\"quiet\">Mail is off.</p>");
    };
    let kept = match post.folder().list(false, MAILS_MAX).await {
        Ok(kept) => kept,
        Err(error) => return broken(&error),
    };
    let mut rows = String::new();
    for mail in &kept {
        let bytes = match post.folder().read(false, &mail.id).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(error) => return broken(&error),
        };
        let read = Read::of(&bytes);
        let _ = write!(
            rows,
            "<tr><td><a href=\"/dev/mail/{}\">{}</a></td><td>{}</td><td class=\"quiet\">{}</td>\
             <td class=\"quiet\">{}</td></tr>",
            escaped(&mail.id),
            escaped(read.header("Subject")),
            escaped(read.header("To")),
            moment(mail.created),
            if read.pdf.is_some() { "PDF" } else { "" },
        );
    }
    let body = match kept.is_empty() {
        true => "<p class=\"quiet\">No mail yet. What test mode sends appears here.</p>".to_owned(),
        false => format!(
            "<table><thead><tr><th scope=\"col\">Subject</th><th scope=\"col\">To</th>\
             <th scope=\"col\">Caused</th><th scope=\"col\">With</th></tr></thead>\
             <tbody>{rows}</tbody></table>"
        ),
    };
    page("Mail", &body)
}

fn moment(seconds: i64) -> String {
    let words = app::locale::Locale::En.words();
    escaped(&words.exactly(Timestamp(seconds)))
}

/// The message of an id; or the answer that says why not.
async fn message(web: &Web, id: &str) -> Result<Vec<u8>, Response> {
    let post = web.engine.post.as_ref().ok_or_else(missing)?;
    match post.folder().read(false, id).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(missing()),
        Err(error) => Err(broken(&error)),
    }
}

async fn show(State(web): State<Web>, Path(id): Path<String>) -> Response {
    let read = match message(&web, &id).await {
        Ok(bytes) => Read::of(&bytes),
        Err(response) => return response,
    };
    let id = escaped(&id);
    let headers: String = read
        .headers
        .iter()
        .map(|(name, value)| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
                escaped(name),
                escaped(value)
            )
        })
        .collect();
    let pdf = match &read.pdf {
        Some((name, _)) => format!("<a href=\"/dev/mail/{id}/pdf\">{}</a>", escaped(name)),
        None => String::new(),
    };
    let body = format!(
        "<p><a href=\"/dev/mail\">All mails</a> {pdf} <a href=\"/dev/mail/{id}/source\">Source</a></p>\
         <div class=\"both\"><iframe title=\"As HTML\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" \
         src=\"/dev/mail/{id}/html\"></iframe>\
         <iframe title=\"As HTML on a phone\" class=\"phone\" \
         sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/dev/mail/{id}/html\"></iframe></div>\
         <h2>As plain text</h2><pre>{}</pre><h2>Headers</h2><table>{headers}</table>",
        escaped(&read.plain),
    );
    page(read.header("Subject"), &body)
}

async fn html(State(web): State<Web>, Path(id): Path<String>) -> Response {
    match message(&web, &id).await {
        Ok(bytes) => {
            // A sandboxed frame has an origin of its own, and may load nothing of this one without that.
            let html = Read::of(&bytes)
                .html
                .replace("<head>", "<head><base target=\"_blank\">");
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, LETTER),
            ];
            (headers, html).into_response()
        }
        Err(response) => response,
    }
}

async fn text(State(web): State<Web>, Path(id): Path<String>) -> Response {
    match message(&web, &id).await {
        Ok(bytes) => Read::of(&bytes).plain.into_response(),
        Err(response) => response,
    }
}

async fn source(State(web): State<Web>, Path(id): Path<String>) -> Response {
    match message(&web, &id).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned().into_response(),
        Err(response) => response,
    }
}

async fn pdf(State(web): State<Web>, Path(id): Path<String>) -> Response {
    match message(&web, &id).await.map(|bytes| Read::of(&bytes).pdf) {
        Ok(Some((_, pdf))) => {
            let kind: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/pdf")];
            (kind, pdf).into_response()
        }
        Ok(None) => missing(),
        Err(response) => response,
    }
}

fn page(title: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><link rel=\"stylesheet\" href=\"{}\">\
         <link rel=\"stylesheet\" href=\"/dev/mail.css\"></head>\
         <body><main class=\"dev\"><h1>{title}</h1>{body}</main></body></html>",
        sheet_path()
    );
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(PAGE),
        ),
    ];
    (headers, html).into_response()
}
