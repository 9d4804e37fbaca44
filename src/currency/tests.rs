//! The table is complete and consistent, and codes read and write as at Stripe.

use super::{Currency, TABLE, UnknownCurrency};
use proptest::prelude::*;

/// The codes whose exponent is not 2, as ISO 4217 lists them.
const OTHER_EXPONENTS: &[(u8, &[&str])] = &[
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

#[test]
fn exponents_follow_iso_4217() {
    for (exponent, codes) in OTHER_EXPONENTS {
        let found: Vec<_> = Currency::all()
            .filter(|c| c.exponent() == *exponent)
            .collect();
        let found: Vec<_> = found.into_iter().map(Currency::code).collect();
        assert_eq!(&found, codes, "exponent {exponent}");
    }
    let others: usize = OTHER_EXPONENTS.iter().map(|(_, codes)| codes.len()).sum();
    let two = Currency::all()
        .filter(|currency| currency.exponent() == 2)
        .count();
    assert_eq!(two + others, Currency::all().count());
}

#[test]
fn the_table_is_sorted_and_each_row_is_its_own() {
    assert!(TABLE.is_sorted_by(|left, right| left.code < right.code));
    for currency in Currency::all() {
        let (code, lower) = (currency.code(), currency.lower());
        assert_eq!(code.len(), 3, "{code}");
        assert!(code.bytes().all(|byte| byte.is_ascii_uppercase()), "{code}");
        assert_eq!(code.to_ascii_lowercase(), lower);
        assert_eq!(Currency::parse(code), Ok(currency));
        assert_eq!(Currency::parse(lower), Ok(currency));
        assert_eq!(
            format!("{currency:?} {currency}"),
            format!("{lower} {lower}")
        );
    }
}

#[test]
fn parse_knows_active_codes_in_any_case_only() {
    check("USD", Ok(Currency::USD));
    check("usd", Ok(Currency::USD));
    check("uSd", Ok(Currency::USD));
    check("jpy", Ok(Currency::JPY));
    check("xcg", Ok(Currency::XCG));
    // Not ISO codes, without a minor unit, or withdrawn.
    for code in ["", "us", "usdd", " usd", "usd ", "u$d", "€", "ΑΒΓ", "zzz"] {
        check(code, Err(UnknownCurrency));
    }
    for code in ["xau", "xdr", "xxx", "xts", "xsu", "xua"] {
        check(code, Err(UnknownCurrency));
    }
    for code in ["hrk", "bgn", "ang", "sll", "zwl", "cuc", "dem", "ved1"] {
        check(code, Err(UnknownCurrency));
    }

    fn check(code: &str, expected: Result<Currency, UnknownCurrency>) {
        assert_eq!(Currency::parse(code), expected, "{code:?}");
    }
}

#[test]
fn json_is_the_lower_case_code() -> Result<(), serde_json::Error> {
    for currency in Currency::all() {
        let json = serde_json::to_string(&currency)?;
        assert_eq!(json, format!("\"{}\"", currency.lower()));
        assert_eq!(serde_json::from_str::<Currency>(&json)?, currency);
    }
    assert!(serde_json::from_str::<Currency>("\"xxx\"").is_err());
    assert!(serde_json::from_str::<Currency>("840").is_err());
    Ok(())
}

proptest! {
    #[test]
    fn parse_accepts_nothing_but_codes(text in "\\PC{0,4}") {
        if let Ok(currency) = Currency::parse(&text) {
            prop_assert_eq!(text.to_ascii_lowercase(), currency.lower());
        }
    }
}
