//! The logo of a merchant's documents, for mails: mail programs show no SVG, and this is a PNG or JPEG file.

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use perennial::id::MerchantId;

use super::Web;
use super::style::{ASK_AGAIN, FOR_EVER, hash};
use crate::document::logo::media_type;

/// Pages of others may show it: readers of mail on the web do.
const ANYWHERE: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cross-origin-resource-policy"),
    HeaderValue::from_static("cross-origin"),
);

/// The path of a merchant's logo; its name changes with the file.
pub fn path(merchant: &MerchantId, file: &[u8]) -> String {
    format!("/logo/{merchant}/{}", hash(file))
}

/// `GET /logo/{merchant}/{hash}`. An old name, as in a mail of last year, gets today's logo.
pub async fn show(
    State(web): State<Web>,
    Path((merchant, name)): Path<(String, String)>,
) -> Response {
    let missing = || (StatusCode::NOT_FOUND, "There is no such logo.\n").into_response();
    let Ok(id) = MerchantId::parse(&merchant) else {
        return missing();
    };
    let file = match web.engine.logo_file(&id).await {
        Ok(Some(file)) => file,
        Ok(None) => return missing(),
        Err(error) => {
            tracing::error!(%error, "a merchant's logo can't be loaded");
            return (StatusCode::SERVICE_UNAVAILABLE, "Try again later.\n").into_response();
        }
    };
    let Some(media_type) = media_type(&file) else {
        return missing();
    };
    let kept = if name == hash(&file) {
        FOR_EVER
    } else {
        ASK_AGAIN
    };
    let all = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(kept)),
        ANYWHERE,
    ];
    (all, file).into_response()
}
