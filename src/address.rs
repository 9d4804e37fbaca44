//! How addresses are written: which lines in which order, what must be there, how postal codes look.
//!
//! A digest of what the countries' posts publish, as gathered in the address data of Chromium's
//! autofill; countries that aren't listed get a layout that refuses nothing.

mod layouts;

use crate::country::{Country, Need};
use crate::customer::Address;

/// The most characters of any part of an address.
pub const PART_CHARACTERS_MAX: usize = 200;

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Street and number, and the line below for flat or building.
    Street,
    /// City, town or village.
    City,
    /// The unit between city and country.
    State,
    /// Postal code.
    PostalCode,
}

/// What the unit between city and country is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the word itself")]
pub enum StateWord {
    Area,
    County,
    Department,
    District,
    Emirate,
    Island,
    Oblast,
    Parish,
    Prefecture,
    #[default]
    Province,
    State,
}

/// What the postal code is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the word itself")]
pub enum CodeWord {
    Eircode,
    Pin,
    #[default]
    PostalCode,
    Zip,
}

/// What the place is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the word itself")]
pub enum CityWord {
    #[default]
    City,
    District,
    PostTown,
    Suburb,
}

/// How addresses of a country are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// ISO 3166-1 alpha-2; empty on the layout of all others.
    pub country: &'static str,
    /// The lines: `A` street, `C` city, `S` state, `Z` postal code, `\n` a new line, anything else
    /// itself where it has neighbours.
    lines: &'static str,
    /// What postal codes look like: `9` a digit, `@` a letter, `*` either; empty checks nothing.
    codes: &'static [&'static str],
    /// What the state is called.
    pub state: StateWord,
    /// What the postal code is called.
    pub code: CodeWord,
    /// What the city is called.
    pub city: CityWord,
}

impl Layout {
    /// The layout of a country (ISO 3166-1 alpha-2, upper case), or the one of all that aren't listed.
    #[must_use]
    pub fn of(country: &str) -> Self {
        let mut listed = layouts::LAYOUTS.iter();
        match (
            listed.find(|layout| layout.country == country),
            Country::find(country),
        ) {
            (Some(layout), _) => *layout,
            (None, Some(country)) => Self {
                country: country.code,
                ..layouts::ANY
            },
            (None, None) => layouts::ANY,
        }
    }

    /// The parts that there are, in the order in which they are written.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        let parts = self.lines.chars().filter_map(part);
        parts.filter(move |part| self.need(*part) != Need::Unused)
    }

    /// Whether a part must be there for mail to arrive.
    #[must_use]
    pub fn requires(&self, wanted: Part) -> bool {
        self.need(wanted) == Need::Required
    }

    fn need(&self, wanted: Part) -> Need {
        let written = self
            .lines
            .chars()
            .filter_map(part)
            .any(|part| part == wanted);
        let country = Country::find(self.country);
        match wanted {
            _ if !written => Need::Unused,
            Part::Street => Need::Required,
            Part::City
                if layouts::CITY_OPTIONAL
                    .split(' ')
                    .any(|code| code == self.country) =>
            {
                Need::Optional
            }
            Part::City => Need::Required,
            Part::State => country.map_or(Need::Optional, |country| country.state),
            Part::PostalCode => country.map_or(Need::Optional, |country| country.postal_code),
        }
    }

    /// A postal code in its usual form, or nothing if this country has none like it.
    #[must_use]
    pub fn postal_code(&self, typed: &str) -> Option<String> {
        let typed = typed.trim().to_uppercase();
        if self.codes.is_empty() {
            return Some(typed);
        }
        let bare: String = typed
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .collect();
        if typed
            .chars()
            .any(|c| !c.is_ascii_alphanumeric() && !matches!(c, ' ' | '-'))
        {
            return None;
        }
        self.codes
            .iter()
            .find_map(|pattern| written(pattern, &bare))
    }
}

/// The bare text as the pattern writes it, if it fits.
fn written(pattern: &str, bare: &str) -> Option<String> {
    let mut rest = bare.chars();
    let mut out = String::with_capacity(pattern.len());
    for wanted in pattern.chars() {
        if matches!(wanted, ' ' | '-') {
            out.push(wanted);
            continue;
        }
        let c = rest.next()?;
        let fits = match wanted {
            '9' => c.is_ascii_digit(),
            '@' => c.is_ascii_uppercase(),
            '*' => c.is_ascii_alphanumeric(),
            letter => c == letter,
        };
        if !fits {
            return None;
        }
        out.push(c);
    }
    rest.next().is_none().then_some(out)
}

const fn part(letter: char) -> Option<Part> {
    Some(match letter {
        'A' => Part::Street,
        'C' => Part::City,
        'S' => Part::State,
        'Z' => Part::PostalCode,
        _ => return None,
    })
}

/// The lines of an address within its country, without the country's name. Empty parts leave
/// neither gaps nor signs behind.
#[must_use]
pub fn lines(address: &Address) -> Vec<String> {
    let layout = Layout::of(address.country.as_deref().unwrap_or_default());
    let mut out = Vec::new();
    for row in layout.lines.split('\n') {
        let mut text = String::new();
        let mut between = String::new();
        for letter in row.chars() {
            let value = match part(letter) {
                None => {
                    between.push(letter);
                    continue;
                }
                Some(Part::Street) => {
                    let street = [&address.line1, &address.line2];
                    out.extend(street.into_iter().filter_map(given));
                    continue;
                }
                Some(Part::City) => given(&address.city),
                Some(Part::State) => given(&address.state),
                Some(Part::PostalCode) => given(&address.postal_code),
            };
            // What stands between two parts needs both; a sign before the first is its own.
            if let Some(value) = value {
                if !text.is_empty() || between == "〒" {
                    text.push_str(&between);
                }
                text.push_str(&value);
            }
            between.clear();
        }
        if !text.is_empty() {
            out.push(text);
        }
    }
    out
}

fn given(part: &Option<String>) -> Option<String> {
    let text = part.as_deref()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What is wrong with a part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It must be there.
    Required,
    /// More than [`PART_CHARACTERS_MAX`].
    TooLong,
    /// Not how postal codes of this country look.
    PostalCode,
}

/// All that is wrong with an address, at most one fault a part. An address of nothing but a country
/// (or nothing at all) is right: many who pay need no more than that for their taxes.
#[must_use]
pub fn check(address: &Address) -> Vec<(Part, Fault)> {
    let layout = Layout::of(address.country.as_deref().unwrap_or_default());
    let street = match (given(&address.line1), given(&address.line2)) {
        (Some(first), Some(second)) if second.chars().count() > first.chars().count() => {
            Some(second)
        }
        (first, _) => first,
    };
    let given = [
        (Part::Street, street),
        (Part::City, given(&address.city)),
        (Part::State, given(&address.state)),
        (Part::PostalCode, given(&address.postal_code)),
    ];
    let any = given.iter().any(|(_, text)| text.is_some())
        || address
            .line2
            .as_deref()
            .is_some_and(|line| !line.trim().is_empty());
    let mut faults = Vec::new();
    for (part, text) in given {
        let fault = match text {
            None if any && layout.requires(part) => Some(Fault::Required),
            None => None,
            Some(text) if text.chars().count() > PART_CHARACTERS_MAX => Some(Fault::TooLong),
            Some(text) if part == Part::PostalCode && layout.postal_code(&text).is_none() => {
                Some(Fault::PostalCode)
            }
            Some(_) => None,
        };
        faults.extend(fault.map(|fault| (part, fault)));
    }
    faults
}

#[cfg(test)]
mod tests;
