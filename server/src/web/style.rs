//! Stylesheets: the pages' own, and each merchant's tokens.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use app::locale::Locale;
use app::style::{CSS, CSS_HASH};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use perennial::id::MerchantId;
use perennial::theme::{Appearance, Theme};
use sha2::{Digest, Sha256};

use super::packing::{accepts_gzip, gzip};
use super::{Web, headers};
use crate::merchant::Merchant;
use crate::store::key;

/// Names change with contents.
pub(super) const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Where a name is older than the contents.
pub(super) const ASK_AGAIN: &str = "public, no-cache";
/// The slowest and smallest of gzip's levels.
const BEST: u32 = 9;
const CSS_TYPE: &str = "text/css; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// How a merchant's pages look and what may surround them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// What the merchant is called.
    pub name: String,
    /// The path of the merchant's tokens.
    pub theme_css: String,
    /// `light` or `dark` where only one of them is wanted.
    pub appearance: Option<&'static str>,
    /// Where pictures may come from.
    pub image_origins: Vec<String>,
    /// Who may frame the pages.
    pub frame_ancestors: Vec<String>,
    /// Where customers ask for help.
    pub support_email: Option<String>,
    /// Where customers came from.
    pub return_url: Option<String>,
}

/// A theme's sheet, and the name that changes with it.
#[derive(Debug)]
struct Sheet {
    css: String,
    hash: String,
}

/// The sheets of themes that were asked for: computing contrasts takes longer than a page may.
#[derive(Debug, Default)]
pub struct Themes(Mutex<HashMap<MerchantId, (Theme, Arc<Sheet>)>>);

/// The most sheets that are remembered; at the limit all go, and come back as they are needed.
const SHEETS_MAX: usize = 1_000;

impl Themes {
    /// The sheet of a merchant's theme as it is now.
    fn sheet(&self, merchant: &MerchantId, theme: &Theme) -> Arc<Sheet> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_of, sheet)) = known().get(merchant)
            && made_of == theme
        {
            return Arc::clone(sheet);
        }
        let css = theme.css();
        let hash = hash(css.as_bytes());
        let sheet = Arc::new(Sheet { css, hash });
        let mut known = known();
        if known.len() >= SHEETS_MAX {
            known.clear();
        }
        known.insert(merchant.clone(), (theme.clone(), Arc::clone(&sheet)));
        sheet
    }
}

impl Brand {
    /// A merchant's.
    pub fn of(themes: &Themes, merchant: &Merchant, return_url: Option<String>) -> Self {
        let theme = &merchant.theme;
        let sheet = themes.sheet(&merchant.id, theme);
        let logos = [theme.logo.as_deref(), theme.logo_dark.as_deref()];
        let mut image_origins: Vec<String> = logos
            .into_iter()
            .flatten()
            .filter_map(headers::https_origin)
            .collect();
        image_origins.dedup();
        Self {
            name: name_of(merchant).to_owned(),
            theme_css: format!("/theme/{}/{}.css", merchant.id, sheet.hash),
            appearance: match theme.appearance {
                Appearance::Auto => None,
                Appearance::Light => Some("light"),
                Appearance::Dark => Some("dark"),
            },
            image_origins,
            frame_ancestors: merchant
                .frame_ancestors
                .iter()
                .filter_map(|origin| headers::ancestor(origin))
                .collect(),
            support_email: merchant.support_email.clone(),
            return_url,
        }
    }
}

/// What customers know a merchant as.
pub fn name_of(merchant: &Merchant) -> &str {
    let shown = merchant.theme.display_name.as_str();
    if shown.is_empty() {
        &merchant.name
    } else {
        shown
    }
}

/// The path of the pages' own sheet.
pub fn sheet_path() -> String {
    format!("/style/app.{CSS_HASH}.css")
}

/// The routes of the pages' own sheet, and of the texts of each language for browsers.
pub fn router() -> Router {
    let sheet = Router::new().route(&sheet_path(), for_ever(CSS_TYPE, CSS));
    Locale::ALL.iter().fold(sheet, |router, locale| {
        router.route(locale.path(), for_ever(TEXT_TYPE, locale.file()))
    })
}

/// Answers with a text under a name that changes with it, packed once.
fn for_ever(content_type: &'static str, text: &'static str) -> MethodRouter {
    let packed = gzip(text.as_bytes(), BEST);
    get(move |headers: HeaderMap| {
        let packed = packed.clone().filter(|_| accepts_gzip(&headers));
        async move {
            let all = [
                (header::CONTENT_TYPE, content_type),
                (header::CACHE_CONTROL, FOR_EVER),
                (header::VARY, "Accept-Encoding"),
            ];
            match packed {
                Some(packed) => (all, [(header::CONTENT_ENCODING, "gzip")], packed).into_response(),
                None => (all, text).into_response(),
            }
        }
    })
}

/// A merchant's tokens: `/theme/{merchant}/{hash}.css`. An old name gets today's tokens, which are
/// asked for again next time.
pub async fn theme(
    State(web): State<Web>,
    Path((merchant, file)): Path<(String, String)>,
) -> Response {
    match theme_of(&web, &merchant).await {
        Some(sheet) => {
            let css = sheet.css.clone();
            let current = file.strip_suffix(".css") == Some(sheet.hash.as_str());
            let kept = if current { FOR_EVER } else { ASK_AGAIN };
            (
                [
                    (header::CONTENT_TYPE, CSS_TYPE),
                    (header::CACHE_CONTROL, kept),
                ],
                css,
            )
                .into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is no such theme.\n").into_response(),
    }
}

async fn theme_of(web: &Web, merchant: &str) -> Option<Arc<Sheet>> {
    let id = MerchantId::parse(merchant).ok()?;
    let mut read = web.engine.store.read().await.ok()?;
    let found = key::load_merchant(&mut read, &id).await.ok()?;
    found.map(|merchant| web.themes.sheet(&merchant.id, &merchant.theme))
}

/// 16 hexadecimal digits that change with the contents.
pub(super) fn hash(contents: &[u8]) -> String {
    let digest = Sha256::digest(contents);
    digest.iter().take(8).fold(String::new(), |mut out, byte| {
        // Writing to a string can't fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
