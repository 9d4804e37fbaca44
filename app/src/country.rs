//! Countries and regions by their names in each language. Only the server has the lists; pages get what they show.
//!
//! The names and their order are CLDR's; the codes are those of ISO 3166-1 where
//! people have addresses.

use crate::locale::Locale;
use perennial::{address, customer::Address};

/// Every country: its code and its name, in the order in which readers of the language look for it.
pub fn all(locale: Locale) -> impl Iterator<Item = (&'static str, &'static str)> {
    let list = match locale.tag() {
        "fr" => include_str!("../locales/countries/fr.txt"),
        "zh" => include_str!("../locales/countries/zh.txt"),
        _ => include_str!("../locales/countries/en.txt"),
    };
    list.lines().filter_map(|line| line.split_once(' '))
}

/// The name of a country; its code where it isn't known.
#[must_use]
pub fn name(locale: Locale, code: &str) -> String {
    let found = all(locale).find(|(known, _)| *known == code);
    found.map_or(code, |(_, name)| name).to_owned()
}

/// An address as it is written on a letter from abroad, one line each, the country last.
#[must_use]
pub fn lines(locale: Locale, place: &Address) -> Vec<String> {
    let mut lines = address::lines(place);
    lines.extend(place.country.as_deref().map(|code| name(locale, code)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_names_every_country_once() {
        let mut english: Vec<_> = all(Locale::En).map(|(code, _)| code).collect();
        english.sort_unstable();
        for locale in [Locale::Fr, Locale::Zh] {
            let mut codes: Vec<_> = all(locale).map(|(code, _)| code).collect();
            codes.sort_unstable();
            assert_eq!(codes, english);
        }
        english.dedup();
        assert_eq!(english.len(), 245);
        let known = |code: &&str| perennial::country::Country::find(code).is_some();
        assert!(english.iter().all(known));
        assert!(all(Locale::Fr).all(|(code, name)| code.len() == 2 && !name.is_empty()));
    }

    #[test]
    fn addresses_end_with_their_country() {
        let place = Address {
            line1: Some("12 rue de la Paix".to_owned()),
            line2: None,
            city: Some("Paris".to_owned()),
            state: None,
            postal_code: Some("75002".to_owned()),
            country: Some("FR".to_owned()),
        };
        assert_eq!(
            lines(Locale::Zh, &place),
            ["12 rue de la Paix", "75002 Paris", "法国"]
        );
        assert_eq!(name(Locale::En, "QQ"), "QQ");
    }
}
