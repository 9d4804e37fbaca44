//! Documents to keep.

use app::port::Portal;
use app::refusal::Refusal;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use perennial::id::InvoiceId;

use super::Web;
use super::notice::Notice;
use super::request::Setting;
use super::visit::{Seen, viewer};
use crate::document::{DocumentError, InvoiceDocument, invoice_pdf as make_pdf};
use crate::service::portal::PortalService;

/// `GET /portal/invoices/{id}/pdf`: one of the visitor's invoices as a document, in their language.
pub async fn invoice_pdf(
    State(web): State<Web>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let extensions = request.extensions();
    let Some(seen) = Seen::of(extensions) else {
        // The page there says what to do.
        return Redirect::to("/portal").into_response();
    };
    let locale = extensions.get::<Setting>().map(Setting::locale);
    let words = locale.unwrap_or(app::locale::Locale::En).words();
    let Ok(id) = InvoiceId::parse(&id) else {
        return (StatusCode::NOT_FOUND, Notice::NotFound).into_response();
    };
    let engine = web.engine.clone();
    let portal = PortalService::new(web.engine, Some(seen.clone()));
    let page = match portal.invoice(&viewer(&seen), &id).await {
        Ok(page) => page,
        Err(Refusal::NotFound | Refusal::NotAllowed) => {
            return (StatusCode::NOT_FOUND, Notice::NotFound).into_response();
        }
        Err(_) => return broken(),
    };
    let logo = match engine.logo(&seen.merchant.id).await {
        Ok(logo) => logo,
        Err(error) => {
            tracing::error!(%error, "a merchant's logo can't be loaded");
            return broken();
        }
    };
    let theme = seen.merchant.theme.clone();
    let number = page.invoice.number.clone();
    let number = number.unwrap_or_else(|| id.to_string());
    pdf_of(&number, move || {
        make_pdf(&InvoiceDocument {
            invoice: &page.invoice,
            seller: &page.seller,
            display_name: &theme.display_name,
            words,
            brand: theme.brand,
            takes_back: None,
            logo: logo.as_ref(),
        })
    })
    .await
}

/// Answers with a document that is laid out off this thread: it takes long enough to hold up others.
pub(super) async fn pdf_of(
    number: &str,
    make: impl FnOnce() -> Result<Vec<u8>, DocumentError> + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(make).await {
        Ok(Ok(pdf)) => {
            let disposition = format!("attachment; filename=\"{}\"", file_name(number));
            let headers = [
                (header::CONTENT_TYPE, "application/pdf".to_owned()),
                (header::CONTENT_DISPOSITION, disposition),
            ];
            (headers, pdf).into_response()
        }
        Ok(Err(error)) => {
            tracing::error!(%error, number, "a document can't be laid out");
            broken()
        }
        Err(error) => {
            tracing::error!(%error, number, "laying out a document panicked");
            broken()
        }
    }
}

pub(super) fn broken() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response()
}

/// A name that every file system takes.
fn file_name(number: &str) -> String {
    let plain = number
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect::<String>();
    format!("{plain}.pdf")
}
