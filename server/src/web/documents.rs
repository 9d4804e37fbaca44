//! Documents to keep.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::notice::Notice;

/// `GET /portal/invoices/{id}/pdf`: the invoice as a document.
pub async fn invoice_pdf(
    State(_web): State<Web>,
    Path(_id): Path<String>,
    _request: Request,
) -> Response {
    (StatusCode::NOT_FOUND, Notice::NotFound).into_response()
}
