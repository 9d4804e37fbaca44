//! Tax registrations: Stripe's types, how their values are written, and their check digits.
//!
//! The format decides whether a value is accepted, as at Stripe. Check digits catch slips of the
//! hand where their rule is public; they are answered beside the value, so that a page may warn
//! while the API stays as lenient as Stripe's.

mod checks;

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

/// A type of tax id in one country, and how its values look: `9` a digit, `@` a letter, `*` either,
/// anything else itself.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Stripe's type.
    pub name: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// In the order in which they are tried.
    patterns: &'static [&'static str],
    /// A value that it could have, to show.
    pub example: &'static str,
    check: Option<fn(&str) -> bool>,
}

const fn kind(
    name: &'static str,
    country: &'static str,
    patterns: &'static [&'static str],
    example: &'static str,
    check: Option<fn(&str) -> bool>,
) -> Kind {
    Kind {
        name,
        country,
        patterns,
        example,
        check,
    }
}

/// Every type, `eu_vat` once for each member state.
pub const KINDS: &[Kind] = &[
    kind(
        "ae_trn",
        "AE",
        &["999999999999999"],
        "123456789012345",
        None,
    ),
    kind(
        "au_abn",
        "AU",
        &["99999999999"],
        "51824753556",
        Some(checks::au_abn),
    ),
    kind("au_arn", "AU", &["999999999999"], "123456789123", None),
    kind("bg_uic", "BG", &["999999999"], "123456789", None),
    kind(
        "br_cnpj",
        "BR",
        &["99999999999999"],
        "11.222.333/0001-81",
        Some(checks::br_cnpj),
    ),
    kind(
        "br_cpf",
        "BR",
        &["99999999999"],
        "123.456.789-09",
        Some(checks::br_cpf),
    ),
    kind(
        "ca_bn",
        "CA",
        &["999999999"],
        "123456782",
        Some(checks::luhn),
    ),
    kind(
        "ca_gst_hst",
        "CA",
        &["999999999RT9999"],
        "123456782RT0002",
        Some(checks::ca_business),
    ),
    kind("ca_pst_bc", "CA", &["PST99999999"], "PST12345678", None),
    kind("ca_pst_mb", "CA", &["9999999"], "1234567", None),
    kind("ca_pst_sk", "CA", &["9999999"], "1234567", None),
    kind(
        "ca_qst",
        "CA",
        &["9999999999TQ9999"],
        "1234567890TQ1234",
        None,
    ),
    kind(
        "ch_uid",
        "CH",
        &["CHE999999999"],
        "CHE-116.281.710",
        Some(checks::ch_uid),
    ),
    kind(
        "ch_vat",
        "CH",
        &["CHE999999999MWST", "CHE999999999TVA", "CHE999999999IVA"],
        "CHE-116.281.710 MWST",
        Some(checks::ch_uid),
    ),
    kind(
        "cl_tin",
        "CL",
        &["99999999*", "9999999*"],
        "12.345.678-K",
        None,
    ),
    kind(
        "cn_tin",
        "CN",
        &["******************", "999999999999999"],
        "91350211M000100Y43",
        None,
    ),
    kind(
        "eu_vat",
        "AT",
        &["ATU99999999"],
        "ATU13585627",
        Some(checks::at),
    ),
    kind(
        "eu_vat",
        "BE",
        &["BE0999999999", "BE1999999999"],
        "BE0776091951",
        Some(checks::be),
    ),
    kind(
        "eu_vat",
        "BG",
        &["BG999999999", "BG9999999999"],
        "BG123456789",
        None,
    ),
    kind("eu_vat", "CY", &["CY99999999@"], "CY12345678Z", None),
    kind(
        "eu_vat",
        "CZ",
        &["CZ99999999", "CZ999999999", "CZ9999999999"],
        "CZ12345678",
        None,
    ),
    kind(
        "eu_vat",
        "DE",
        &["DE999999999"],
        "DE136695976",
        Some(checks::de),
    ),
    kind(
        "eu_vat",
        "DK",
        &["DK99999999"],
        "DK13585628",
        Some(checks::dk),
    ),
    kind(
        "eu_vat",
        "EE",
        &["EE999999999"],
        "EE100931558",
        Some(checks::ee),
    ),
    kind(
        "eu_vat",
        "GR",
        &["EL999999999"],
        "EL094259216",
        Some(checks::el),
    ),
    kind("eu_vat", "ES", &["ES*9999999*"], "ESA12345674", None),
    kind(
        "eu_vat",
        "FI",
        &["FI99999999"],
        "FI20774740",
        Some(checks::fi),
    ),
    kind(
        "eu_vat",
        "FR",
        &["FR**999999999"],
        "FR40303265045",
        Some(checks::fr),
    ),
    kind(
        "eu_vat",
        "HR",
        &["HR99999999999"],
        "HR33392005961",
        Some(checks::hr),
    ),
    kind(
        "eu_vat",
        "HU",
        &["HU99999999"],
        "HU12892312",
        Some(checks::hu),
    ),
    kind(
        "eu_vat",
        "IE",
        &["IE9999999@", "IE9999999@@", "IE9*99999@"],
        "IE6433435F",
        None,
    ),
    kind(
        "eu_vat",
        "IT",
        &["IT99999999999"],
        "IT00743110157",
        Some(checks::luhn_after_prefix),
    ),
    kind(
        "eu_vat",
        "LT",
        &["LT999999999", "LT999999999999"],
        "LT119511515",
        None,
    ),
    kind(
        "eu_vat",
        "LU",
        &["LU99999999"],
        "LU15027442",
        Some(checks::lu),
    ),
    kind("eu_vat", "LV", &["LV99999999999"], "LV40003521600", None),
    kind(
        "eu_vat",
        "MT",
        &["MT99999999"],
        "MT11679112",
        Some(checks::mt),
    ),
    kind(
        "eu_vat",
        "NL",
        &["NL999999999B99"],
        "NL004495445B01",
        Some(checks::nl),
    ),
    kind(
        "eu_vat",
        "PL",
        &["PL9999999999"],
        "PL8567346215",
        Some(checks::pl),
    ),
    kind(
        "eu_vat",
        "PT",
        &["PT999999999"],
        "PT501964843",
        Some(checks::pt),
    ),
    kind(
        "eu_vat",
        "RO",
        &[
            "RO99",
            "RO999",
            "RO9999",
            "RO99999",
            "RO999999",
            "RO9999999",
            "RO99999999",
            "RO999999999",
            "RO9999999999",
        ],
        "RO18547290",
        Some(checks::ro),
    ),
    kind(
        "eu_vat",
        "SE",
        &["SE999999999901"],
        "SE123456789701",
        Some(checks::se),
    ),
    kind(
        "eu_vat",
        "SI",
        &["SI99999999"],
        "SI50223054",
        Some(checks::si),
    ),
    kind(
        "eu_vat",
        "SK",
        &["SK9999999999"],
        "SK2022749619",
        Some(checks::sk),
    ),
    kind(
        "eu_vat",
        "GB",
        &["XI999999999", "XI999999999999"],
        "XI980780684",
        Some(checks::gb),
    ),
    kind("eu_oss_vat", "EU", &["EU999999999"], "EU123456789", None),
    kind(
        "gb_vat",
        "GB",
        &["GB999999999", "GB999999999999", "GBGD999", "GBHA999"],
        "GB980780684",
        Some(checks::gb),
    ),
    kind("hk_br", "HK", &["99999999"], "12345678", None),
    kind(
        "id_npwp",
        "ID",
        &["999999999999999", "9999999999999999"],
        "012345678912345",
        None,
    ),
    kind("il_vat", "IL", &["999999999"], "000012345", None),
    kind(
        "in_gst",
        "IN",
        &["99@@@@@9999@*Z*"],
        "27AAPFU0939F1ZV",
        Some(checks::in_gst),
    ),
    kind("is_vat", "IS", &["99999", "999999"], "123456", None),
    kind(
        "jp_cn",
        "JP",
        &["9999999999999"],
        "5835678256246",
        Some(checks::jp_corporate),
    ),
    kind("jp_rn", "JP", &["99999"], "12345", None),
    kind("jp_trn", "JP", &["T9999999999999"], "T5835678256246", None),
    kind(
        "kr_brn",
        "KR",
        &["9999999999"],
        "116-82-00276",
        Some(checks::kr_brn),
    ),
    kind(
        "li_uid",
        "LI",
        &["CHE999999999"],
        "CHE-116.281.710",
        Some(checks::ch_uid),
    ),
    kind(
        "mx_rfc",
        "MX",
        &["@@@999999***", "@@@@999999***"],
        "ABC010203AB9",
        None,
    ),
    kind(
        "my_sst",
        "MY",
        &["@99999999999999"],
        "A12345678912345",
        None,
    ),
    kind(
        "no_vat",
        "NO",
        &["999999999MVA", "999999999"],
        "995525828MVA",
        Some(checks::no),
    ),
    kind(
        "nz_gst",
        "NZ",
        &["999999999", "99999999"],
        "123456789",
        None,
    ),
    kind(
        "ru_inn",
        "RU",
        &["9999999999", "999999999999"],
        "1234567891",
        None,
    ),
    kind(
        "sa_vat",
        "SA",
        &["399999999999993"],
        "312345678900003",
        None,
    ),
    kind(
        "sg_gst",
        "SG",
        &["@99999999@", "999999999@", "9999999999@", "@99@@9999@"],
        "M12345678X",
        None,
    ),
    kind(
        "sg_uen",
        "SG",
        &["99999999@", "999999999@", "@99@@9999@"],
        "123456789F",
        None,
    ),
    kind("th_vat", "TH", &["9999999999999"], "1234567891234", None),
    kind("tr_tin", "TR", &["9999999999"], "0123456789", None),
    kind("tw_vat", "TW", &["99999999"], "12345675", None),
    kind(
        "ua_vat",
        "UA",
        &["999999999999", "9999999999"],
        "123456789012",
        None,
    ),
    kind("us_ein", "US", &["999999999"], "12-3456789", None),
    kind("za_vat", "ZA", &["4999999999"], "4123456789", None),
];

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
