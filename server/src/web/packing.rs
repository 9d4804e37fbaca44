//! Packs what is made anew for each answer: pages. Files are packed when the site is built.
//!
//! A page holds no secret that an attacker could measure by its packed size: visits live in
//! cookies, and posts are told by headers.

use std::cell::RefCell;
use std::io::Write;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::assets::{Coding, choose};
use super::notice::Notice;

/// Shorter ones fit into one packet anyway.
const PACKED_BYTES_MIN: usize = 1_024;
/// The longest page, in bytes.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Of 1 to 9: beyond this, a page takes longer to pack than its last hundred bytes to send.
const LEVEL: u32 = 4;
/// As far back as packing looks for what repeats: 2 to the power of this, in bytes.
const WINDOW_BITS: u8 = 15;

thread_local! {
    /// Its tables are many times the size of a page; making them anew takes longer than packing one.
    static PACKER: RefCell<Compress> =
        RefCell::new(Compress::new_gzip(Compression::new(LEVEL), WINDOW_BITS));
}

/// Packs pages for browsers that take them so.
pub async fn pack(request: Request, next: Next) -> Response {
    let wanted = accepts_gzip(request.headers());
    let response = next.run(request).await;
    if !is_page(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts
        .headers
        .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if !wanted {
        return Response::from_parts(parts, body);
    }
    let plain = match to_bytes(body, PAGE_BYTES_MAX).await {
        Ok(plain) => plain,
        Err(error) => {
            tracing::error!(%error, "a page broke off");
            return (StatusCode::INTERNAL_SERVER_ERROR, Notice::Broken).into_response();
        }
    };
    let packed = (plain.len() >= PACKED_BYTES_MIN)
        .then(|| pack_page(&plain))
        .flatten();
    let Some(packed) = packed else {
        return Response::from_parts(parts, Body::from(plain));
    };
    parts
        .headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

/// Whether a browser takes gzip.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    choose(accepted.unwrap_or_default(), false, true) == Coding::Gzip
}

/// Packs a page; `None` if the packer fails, which it has no reason to.
fn pack_page(plain: &[u8]) -> Option<Bytes> {
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        let mut packed = Vec::with_capacity(plain.len() / 2);
        loop {
            packed.reserve(PACKED_BYTES_MIN);
            let read = usize::try_from(packer.total_in()).ok()?;
            let rest = plain.get(read..)?;
            let status = packer.compress_vec(rest, &mut packed, FlushCompress::Finish);
            if status.ok()? == Status::StreamEnd {
                return Some(packed.into());
            }
        }
    })
}

/// Packs bytes; `None` if memory can't be written to, which does not happen.
pub fn gzip(plain: &[u8], level: u32) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).ok()?;
    Some(encoder.finish().ok()?.into())
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let html = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    html && !headers.contains_key(header::CONTENT_ENCODING)
}
