//! The texts of a language in a browser, which loads those of the languages that its reader chooses, and no others.

use super::Locale;
use crate::refusal::Refusal;
use leptos::server_fn::request::browser::Request;
use std::sync::OnceLock;

/// Separates the texts in a file.
const TEXT: char = '\u{1e}';

/// What was loaded, by language. It stays until the page goes: sentences are `'static`.
static LOADED: [OnceLock<Box<[&'static str]>>; Locale::ALL.len()] =
    [const { OnceLock::new() }; Locale::ALL.len()];

fn slot(locale: Locale) -> Option<&'static OnceLock<Box<[&'static str]>>> {
    let at = Locale::ALL.iter().position(|known| *known == locale)?;
    LOADED.get(at)
}

/// A text of a language that was loaded; nothing of another.
pub(super) fn text(locale: Locale, at: usize) -> &'static str {
    let texts = slot(locale).and_then(OnceLock::get);
    texts
        .and_then(|texts| texts.get(at).copied())
        .unwrap_or_default()
}

/// Loads the texts of a language, once.
///
/// # Errors
/// [`Refusal::Offline`] when they could not be loaded.
pub async fn bring(locale: Locale) -> Result<(), Refusal> {
    let Some(slot) = slot(locale).filter(|slot| slot.get().is_none()) else {
        return Ok(());
    };
    let offline = |_| Refusal::Offline;
    let answer = Request::get(locale.path()).send().await.map_err(offline)?;
    if !answer.ok() {
        return Err(Refusal::Offline);
    }
    let file: &'static str = Box::leak(answer.text().await.map_err(offline)?.into_boxed_str());
    // Another call may have been faster, with the same.
    let _ = slot.set(file.split(TEXT).collect());
    Ok(())
}
