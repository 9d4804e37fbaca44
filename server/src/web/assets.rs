//! The files a browser downloads: the wasm and JavaScript of the pages under `/pkg/`, and those of `public/` by the
//! path they have there.
//!
//! Names under `/pkg/` change with their contents, so they may be kept for ever. A release binary carries the files in
//! itself, a debug binary reads them once from the project's folder.

mod gather;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use std::{fs, io};

/// Names under `/pkg/` carry a hash of their contents, those of fonts a version.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Other names stay when their contents change: a day old at most, then asked for again by their tag.
const FOR_A_DAY: &str = "public, max-age=86400";

/// The end of the path of the list of parts, which `tools/site` writes beside their files.
const PARTS: &str = "/parts.txt";

/// The file in which `tools/site.sh` says what the site was built from.
const BUILD: &str = "/pkg/build.txt";

/// A file as the build script embeds it.
struct Embedded {
    path: &'static str,
    body: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// What the build script found; nothing in a debug binary.
static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Where the page shell finds the browser half of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Path of the JavaScript module that loads the wasm, such as `/pkg/app.0123456789ab.js`.
    pub js: &'static str,
    /// Path of the wasm module, such as `/pkg/app.0123456789ab.wasm`.
    pub wasm: &'static str,
}

/// The browser half of the pages, or none where it was not built: pages then stay plain HTML.
pub fn bundle() -> Option<Bundle> {
    site().bundle()
}

/// The paths of the files that a part of the pages consists of, beside the first wasm; none where there is no such part.
pub fn part(name: &str) -> &'static [String] {
    site().parts.get(name).map_or(&[], Vec::as_slice)
}

/// Says aloud, once at the start, that the site was built from other sources than this program: browsers
/// can't take over its pages then, and break off with `unreachable`.
pub fn check_build() {
    if let Some(site) = site().other_build() {
        tracing::error!(
            site,
            server = app::site::BUILD,
            "the site was built from other sources than this server, so its pages will break in browsers: \
             run tools/site.sh, build the server, and start again"
        );
    }
}

/// Routes for `/pkg/…` and for every file of `public/`, to be merged into the server's.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let pkg = Router::new().route("/pkg/{*path}", get(serve));
    let public = site()
        .assets
        .keys()
        .filter(|path| !path.starts_with("/pkg/"));
    public.fold(pkg, |router, path| router.route(path, get(serve)))
}

async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    site().answer(uri.path(), &headers)
}

fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        if !cfg!(debug_assertions) {
            return Site::new(EMBEDDED);
        }
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        match read(root) {
            Ok(files) => Site::new(files),
            Err(error) => {
                tracing::warn!(%error, "the site's files cannot be read; pages are served without them");
                Site::new(&[])
            }
        }
    })
}

/// Reads the site from disk, once in the life of the process, hence the leaks.
fn read(root: &Path) -> io::Result<&'static [Embedded]> {
    let load = |path: &Path| fs::read(path).map(|bytes| &*bytes.leak());
    let files = gather::gather(root)?.into_iter().map(|found| {
        Ok(Embedded {
            path: found.path.leak(),
            body: load(&found.body)?,
            brotli: found.brotli.as_deref().map(load).transpose()?,
            gzip: found.gzip.as_deref().map(load).transpose()?,
        })
    });
    Ok(files.collect::<io::Result<Vec<_>>>()?.leak())
}

/// How a body is packed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    /// The name in `Accept-Encoding` and `Content-Encoding`.
    const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }
}

/// A file with all that its answers repeat.
struct Asset {
    file: &'static Embedded,
    content_type: &'static str,
    /// Of the contents, without quotes and without the coding.
    tag: String,
}

/// Every file by its path.
struct Site {
    assets: HashMap<&'static str, Asset>,
    /// The paths of the files of each part, by its name.
    parts: HashMap<&'static str, Vec<String>>,
}

impl Site {
    /// What the site was built from, where that is not what this program was. A site that does not say it
    /// is an older one.
    fn other_build(&self) -> Option<&'static str> {
        let said = match (self.assets.get(BUILD), self.bundle()) {
            (Some(asset), _) => str::from_utf8(asset.file.body).unwrap_or_default().trim(),
            (None, Some(_)) => "unknown",
            // Without scripts there is nothing to break.
            (None, None) => return None,
        };
        (said != app::site::BUILD).then_some(said)
    }

    fn new(files: &'static [Embedded]) -> Self {
        let assets = files.iter().map(|file| {
            let digest = Sha256::digest(file.body);
            let tag = digest
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            (
                file.path,
                Asset {
                    file,
                    content_type: content_type(file.path),
                    tag,
                },
            )
        });
        let list = files.iter().find(|file| file.path.ends_with(PARTS));
        Self {
            assets: assets.collect(),
            parts: list.map(parts).unwrap_or_default(),
        }
    }

    fn bundle(&self) -> Option<Bundle> {
        let path = |extension: &str| {
            self.assets
                .keys()
                .copied()
                .find(|path| path.starts_with("/pkg/app.") && path.ends_with(extension))
        };
        Some(Bundle {
            js: path(".js")?,
            wasm: path(".wasm")?,
        })
    }

    /// Answers a GET for `path`: 200, 304 where the browser has it already, or 404.
    fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let Some(asset) = self.assets.get(path) else {
            return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
        };
        let accepted = headers
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok());
        let file = asset.file;
        let coding = choose(
            accepted.unwrap_or_default(),
            file.brotli.is_some(),
            file.gzip.is_some(),
        );
        let body = match coding {
            Coding::Brotli => file.brotli,
            Coding::Gzip => file.gzip,
            Coding::Identity => None,
        };
        let tag = format!("\"{}-{}\"", asset.tag, coding.name());
        let known = headers.get_all(header::IF_NONE_MATCH).iter();
        let known = known
            .filter_map(|value| value.to_str().ok())
            .any(|list| names(list, &tag));

        let mut answer = Response::new(Body::empty());
        let kept = if path.starts_with("/pkg/") || path.starts_with("/fonts/") {
            FOR_EVER
        } else {
            FOR_A_DAY
        };
        answer
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            answer.headers_mut().insert(header::ETAG, tag);
        }
        if file.brotli.is_some() || file.gzip.is_some() {
            let vary = HeaderValue::from_static("Accept-Encoding");
            answer.headers_mut().insert(header::VARY, vary);
        }
        if known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            return answer;
        }
        let content_type = HeaderValue::from_static(asset.content_type);
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        if coding != Coding::Identity {
            let coding = HeaderValue::from_static(coding.name());
            answer
                .headers_mut()
                .insert(header::CONTENT_ENCODING, coding);
        }
        *answer.body_mut() = Body::from(body.unwrap_or(file.body));
        answer
    }
}

/// Reads the list of parts: on each line the name of one and those of its files.
fn parts(list: &Embedded) -> HashMap<&'static str, Vec<String>> {
    let folder = list.path.strip_suffix(PARTS).unwrap_or_default();
    let text = std::str::from_utf8(list.body).unwrap_or_default();
    let part = |line: &'static str| {
        let mut names = line.split_ascii_whitespace();
        let name = names.next()?;
        Some((name, names.map(|file| format!("{folder}/{file}")).collect()))
    };
    text.lines().filter_map(part).collect()
}

/// Whether a list of entity tags, as in `If-None-Match`, names this one (RFC 9110 §13.1.2, weak comparison).
fn names(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// The coding a browser likes best of those at hand, ours where it likes several equally (RFC 9110 §12.5.3).
pub(super) fn choose(accepted: &str, brotli: bool, gzip: bool) -> Coding {
    let at_hand = [(Coding::Brotli, brotli), (Coding::Gzip, gzip)];
    let wanted = at_hand
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(coding, _)| coding);
    // Of equals, `max_by_key` takes the last, so the best one comes last.
    wanted
        .rev()
        .map(|coding| (coding, weight(accepted, coding.name())))
        .filter(|(_, weight)| *weight > 0)
        .max_by_key(|(_, weight)| *weight)
        .map_or(Coding::Identity, |(coding, _)| coding)
}

/// How much a coding is wanted, in thousandths: its own weight, else that of `*`, else none.
fn weight(accepted: &str, name: &str) -> u16 {
    let mut any = 0;
    for entry in accepted.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1000, thousandths);
        if coding.eq_ignore_ascii_case(name) {
            return weight;
        }
        if coding == "*" {
            any = weight;
        }
    }
    any
}

/// A weight such as `0.5` in thousandths; one that cannot be read counts as a refusal.
fn thousandths(weight: &str) -> u16 {
    match weight.split_once('.') {
        None if weight == "1" => 1000,
        None => 0,
        Some(("1", _)) => 1000,
        Some((_, fraction)) => format!("{fraction:0<3.3}").parse().unwrap_or(0),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
