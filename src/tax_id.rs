//! Tax registrations: Stripe's types, how their values are written, and their check digits.
//!
//! The format decides whether a value is accepted, as at Stripe. Check digits catch slips of the
//! hand where their rule is public; they are answered beside the value, so that a page may warn
//! while the API stays as lenient as Stripe's.

mod checks;
mod kinds;

pub use kinds::{KINDS, Kind};

use crate::customer::{Customer, TaxId};

/// A value in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Upper case, no spaces, dots or dashes (but `us_ein` and `br_cpf` and `br_cnpj` keep the
    /// dashes they are always written with).
    pub value: String,
    /// ISO 3166-1 alpha-2, from the type or the value.
    pub country: &'static str,
    /// What its check digits say.
    pub checksum: Checksum,
}

/// What check digits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// They fit.
    Valid,
    /// They don't: something was mistyped.
    Invalid,
    /// The type has none, or their rule is not public.
    Unknown,
}

/// Why a tax id was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxIdError {
    /// Not one of the types here.
    #[error("this type of tax id is not known")]
    UnknownType,
    /// Not written as the type is.
    #[error("a tax id of this type looks like {example}")]
    Format {
        /// How it looks.
        example: &'static str,
    },
    /// More than [`Customer::TAX_IDS_MAX`].
    #[error("a customer can have at most 5 tax ids")]
    TooMany,
    /// The customer has it already.
    #[error("the customer has this tax id already")]
    Duplicate,
}

impl TaxIdError {
    /// The parameter of the API that is at fault.
    #[must_use]
    pub const fn param(&self) -> &'static str {
        match self {
            Self::UnknownType => "type",
            Self::Format { .. } | Self::TooMany | Self::Duplicate => "value",
        }
    }
}

/// Reads a value of Stripe's type `name` as somebody typed it: case, spaces, dots, dashes and
/// slashes don't matter.
///
/// # Errors
/// When the type is not known or the value does not look like it.
pub fn parse(name: &str, typed: &str) -> Result<Parsed, TaxIdError> {
    let mut example = None;
    // More than any tax id has; keeps hostile input short.
    let bare: String = typed
        .chars()
        .filter(|c| {
            !c.is_whitespace()
                && !matches!(c, '.' | '-' | '/' | '\u{2010}' | '\u{2011}' | '\u{2013}')
        })
        .take(VALUE_CHARS_MAX + 1)
        .flat_map(char::to_uppercase)
        .collect();
    for kind in KINDS.iter().filter(|kind| kind.name == name) {
        example.get_or_insert(kind.example);
        if !kind
            .patterns
            .iter()
            .any(|pattern| matches_pattern(pattern, &bare))
        {
            continue;
        }
        let checksum = match kind.check {
            Some(check) if check(&bare) => Checksum::Valid,
            Some(_) => Checksum::Invalid,
            None => Checksum::Unknown,
        };
        return Ok(Parsed {
            value: written(name, bare),
            country: kind.country,
            checksum,
        });
    }
    Err(
        example.map_or(TaxIdError::UnknownType, |example| TaxIdError::Format {
            example,
        }),
    )
}

/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 32;

/// The types that customers of a country have, the likeliest first.
pub fn kinds_of(country: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS
        .iter()
        .filter(move |kind| kind.country.eq_ignore_ascii_case(country))
}

/// Checks that one more fits on a customer.
///
/// # Errors
/// When there are too many, or it is there already.
pub fn check_addition(existing: &[TaxId], name: &str, value: &str) -> Result<(), TaxIdError> {
    if existing
        .iter()
        .any(|own| own.kind == name && own.value == value)
    {
        return Err(TaxIdError::Duplicate);
    }
    if existing.len() >= Customer::TAX_IDS_MAX {
        return Err(TaxIdError::TooMany);
    }
    Ok(())
}

fn matches_pattern(pattern: &str, value: &str) -> bool {
    let fits = |(wanted, c): (char, char)| match wanted {
        '9' => c.is_ascii_digit(),
        '@' => c.is_ascii_uppercase(),
        '*' => c.is_ascii_uppercase() || c.is_ascii_digit(),
        literal => c == literal,
    };
    pattern.chars().count() == value.chars().count() && pattern.chars().zip(value.chars()).all(fits)
}

/// The dashes that a type is always written with.
fn written(name: &str, bare: String) -> String {
    let mask = match name {
        "us_ein" => "##-#######",
        "br_cnpj" => "##.###.###/####-##",
        "br_cpf" => "###.###.###-##",
        _ => return bare,
    };
    let mut rest = bare.chars();
    mask.chars()
        .filter_map(|c| if c == '#' { rest.next() } else { Some(c) })
        .collect()
}

#[cfg(test)]
mod tests;
