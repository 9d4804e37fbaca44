//! The languages the product speaks, and how each writes amounts, dates and numbers.
//!
//! `Words` is generated from `app/locales/*.json` by `app/build/words.rs`: one method a sentence, so that a wrong key or
//! a missing argument does not compile. Mail and documents use the same words. Everything is integers and strings: no
//! float and no browser locale is asked, so that the server and the browser write the very same characters.

use leptos::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

#[cfg(target_family = "wasm")]
pub mod loading;
mod writing;

pub use writing::Day;

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// Separates the forms of a plural in a generated text.
const FORM: char = '\u{1f}';

/// The first character that stands for an argument in a generated text; in a plural it is `count`.
const COUNT: u32 = 0xe;

/// Non-breaking space: keeps an amount and its currency on one line.
const NBSP: char = '\u{a0}';

/// Seconds of a day in UTC.
const DAY_SECONDS: i64 = 86_400;

/// Minus sign; the hyphen is too short beside figures.
const MINUS: char = '\u{2212}';

/// Every sentence of the product in one language. Cheap to copy; take it from context with [`words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    locale: Locale,
}

impl Locale {
    /// The languages to choose from. The pseudo-languages of debug builds are left out (their regions are X and a
    /// letter, which ISO 3166 leaves to users): a page of a debug server is also hydrated by a release of the browser's
    /// half, which knows nothing of them.
    pub fn offered() -> impl Iterator<Item = Self> {
        let real = |locale: &Self| !locale.tag().contains("-X");
        Self::ALL.iter().copied().filter(real)
    }

    /// Finds the language with exactly this tag, whatever its letters' case.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|locale| locale.tag().eq_ignore_ascii_case(tag))
    }

    /// Chooses a language from an `Accept-Language` header (RFC 9110, section 12.5.4), or English. A range matches
    /// a language when their first subtags are the same: `fr-CA` is served in French.
    #[must_use]
    pub fn negotiate(header: &str) -> Self {
        let mut best = (0, Self::En);
        for range in header.split(',').take(32) {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let weight = quality(weight.trim());
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let found = Self::from_tag(tag.trim()).or_else(|| Self::from_tag(primary));
            if let Some(locale) = found
                && weight > best.0
            {
                best = (weight, locale);
            }
        }
        best.1
    }

    /// Its words.
    #[must_use]
    pub const fn words(self) -> Words {
        Words { locale: self }
    }
}

/// Returns the weight of a language range in thousandths; a malformed one counts as zero.
fn quality(parameter: &str) -> u32 {
    let Some(value) = parameter.strip_prefix("q=") else {
        return if parameter.is_empty() { 1000 } else { 0 };
    };
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if whole == "1" {
        return 1000;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    if whole == "0" {
        digits.parse().unwrap_or(0)
    } else {
        0
    }
}

impl Serialize for Locale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = String::deserialize(deserializer)?;
        Self::from_tag(&tag).ok_or_else(|| D::Error::custom("unknown language"))
    }
}

/// The words of the page that is being shown. English where nothing chose a language.
#[must_use]
pub fn words() -> Words {
    use_context::<Words>().unwrap_or(Locale::En.words())
}

impl Words {
    /// The language they are in.
    #[must_use]
    pub const fn locale(self) -> Locale {
        self.locale
    }

    #[cfg(not(target_family = "wasm"))]
    fn text(self, at: usize) -> &'static str {
        self.locale.table().get(at).copied().unwrap_or_default()
    }

    #[cfg(target_family = "wasm")]
    fn text(self, at: usize) -> &'static str {
        loading::text(self.locale, at)
    }

    fn filled(self, at: usize, arguments: &[&str]) -> String {
        fill(self.text(at), COUNT + 1, arguments, self.isolates())
    }

    /// Whether arguments need fences, lest a name from left to right turns the words around it.
    fn isolates(self) -> bool {
        self.locale.dir() == "rtl"
    }

    fn counted(self, at: usize, count: u64, arguments: &[&str]) -> String {
        let form = self.locale.plural_form(count);
        fill(
            self.text(at).split(FORM).nth(form).unwrap_or_default(),
            COUNT,
            arguments,
            self.isolates(),
        )
    }
}

/// Puts the arguments where their characters stand; `first` is the character of the first one. With `isolate` each is
/// fenced by the marks of Unicode for text whose direction is its own (U+2068 and U+2069).
fn fill(text: &str, first: u32, arguments: &[&str], isolate: bool) -> String {
    let mut out = String::with_capacity(text.len() + 24);
    for c in text.chars() {
        let argument = u32::from(c)
            .checked_sub(first)
            .and_then(|at| arguments.get(usize::try_from(at).ok()?));
        match argument {
            Some(argument) if isolate => {
                out.push('\u{2068}');
                out.push_str(argument);
                out.push('\u{2069}');
            }
            Some(argument) => out.push_str(argument),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "locale/tests.rs"]
mod generator_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_negotiated() {
        for (header, expected) in [
            ("", Locale::En),
            ("fr", Locale::Fr),
            ("fr-CA,en;q=0.8", Locale::Fr),
            ("de, zh-CN;q=0.9, en;q=0.95", Locale::En),
            ("zh-Hant-TW", Locale::Zh),
            ("en;q=0, fr;q=0.001", Locale::Fr),
            ("fr;q=nonsense, zh;q=0.2", Locale::Zh),
            ("*", Locale::En),
        ] {
            assert_eq!(Locale::negotiate(header), expected, "{header}");
        }
    }

    #[test]
    fn a_locale_travels_as_its_tag() {
        for locale in Locale::ALL {
            assert_eq!(Locale::from_tag(locale.tag()), Some(*locale));
        }
        assert_eq!(Locale::from_tag("xx"), None);
    }

    #[test]
    fn pseudo_languages_stretch_and_mirror() {
        let words = Locale::EnXa.words();
        assert!(words.action_save().starts_with('[') && words.action_save().ends_with(']'));
        assert!(words.format_in_days(3).contains('3'));
        assert_eq!(Locale::ArXb.dir(), "rtl");
    }
}
