//! Decimals keep every digit, read strictly and write in the shortest form.

use super::{Decimal12, DecimalError};
use crate::ratio::Ratio;
use proptest::prelude::*;

#[test]
fn parse_and_display() {
    check("0", Ok("0"));
    check("0.05", Ok("0.05"));
    check("-1", Ok("-1"));
    check("12.5", Ok("12.5"));
    check("12.50", Ok("12.5"));
    check("12.000000000000", Ok("12"));
    check("007", Ok("7"));
    check("-0", Ok("0"));
    check("-0.000000000001", Ok("-0.000000000001"));
    check("0.000000000001", Ok("0.000000000001"));
    check("1000000.000001", Ok("1000000.000001"));
    check("9223372036854775807", Ok("9223372036854775807"));
    check("-9223372036854775808", Ok("-9223372036854775808"));
    check(
        "9223372036854775807.000000000001",
        Err(DecimalError::OutOfRange),
    );
    check("9223372036854775808", Err(DecimalError::OutOfRange));
    check("-9223372036854775808.1", Err(DecimalError::OutOfRange));
    check(&"9".repeat(64), Err(DecimalError::OutOfRange));
    check(&"0".repeat(65), Err(DecimalError::OutOfRange));
    check("0.0000000000001", Err(DecimalError::TooManyPlaces));
    check("1.0000000000000", Err(DecimalError::TooManyPlaces));
    for text in [
        "", "-", ".", "1.", ".5", "-.5", "+1", "--1", "1e3", "1,5", "1 ", " 1", "1.2.3",
    ] {
        check(text, Err(DecimalError::Malformed));
    }
    for text in ["NaN", "inf", "0x10", "1_000", "１２", "٣", "1.-5", "½"] {
        check(text, Err(DecimalError::Malformed));
    }

    fn check(text: &str, expected: Result<&str, DecimalError>) {
        let shown = Decimal12::parse(text).map(|value| value.to_string());
        assert_eq!(shown, expected.map(str::to_owned), "{text:?}");
    }
}

#[test]
fn whole_numbers_convert_only_exactly() {
    check("12", Some(12), 0);
    check("-3", Some(-3), 0);
    check("12.5", None, 1);
    check("0.000000000001", None, 12);
    check("0", Some(0), 0);
    check("-9223372036854775808", Some(i64::MIN), 0);

    fn check(text: &str, whole: Option<i64>, places: usize) {
        let found = Decimal12::parse(text).map(|value| (value.to_integer(), value.places()));
        assert_eq!(found, Ok((whole, places)), "{text:?}");
    }
}

#[test]
fn json_is_a_string() -> Result<(), Box<dyn core::error::Error>> {
    let price = Decimal12::parse("0.050")?;
    assert_eq!(serde_json::to_string(&price)?, "\"0.05\"");
    assert_eq!(serde_json::from_str::<Decimal12>("\"0.05\"")?, price);
    // A JSON number may have gone through a float on its way.
    assert!(serde_json::from_str::<Decimal12>("0.05").is_err());
    assert!(serde_json::from_str::<Decimal12>("\"x\"").is_err());
    Ok(())
}

proptest! {
    #[test]
    fn writing_and_reading_agree(
        scaled in prop_oneof![
            Decimal12::MIN.scaled()..=Decimal12::MAX.scaled(),
            -2_000_000_000_000..=2_000_000_000_000_i128,
        ],
    ) {
        let value = Decimal12::from_scaled(scaled)?;
        let text = value.to_string();
        prop_assert_eq!(Decimal12::parse(&text), Ok(value));
        let digits = text.split_once('.').map_or("", |(_, places)| places);
        prop_assert_eq!(digits.len(), value.places());
        prop_assert!(!digits.ends_with('0'));
        let exact = Ratio::new(scaled, 1_000_000_000_000)?;
        prop_assert_eq!(value.to_ratio(), exact);
        prop_assert_eq!(value.to_integer().is_some(), exact.denom() == 1);
    }

    #[test]
    fn order_is_that_of_the_values(left in -5_000..5_000_i64, right in -5_000..5_000_i64) {
        let thousandths = |value: i64| Decimal12::from_scaled(i128::from(value) * 1_000_000_000);
        let (a, b) = (thousandths(left)?, thousandths(right)?);
        prop_assert_eq!(a.cmp(&b), left.cmp(&right));
        prop_assert_eq!(a.to_ratio().cmp(&b.to_ratio()), left.cmp(&right));
    }

    #[test]
    fn integers_are_kept(value: i64) {
        let decimal = Decimal12::from_integer(value);
        prop_assert_eq!(decimal.to_integer(), Some(value));
        prop_assert_eq!(decimal.to_string(), value.to_string());
        prop_assert_eq!(decimal.to_ratio(), Ratio::from_integer(value));
    }

    #[test]
    fn no_text_panics(text in "[-+.0-9e ]{0,70}|\\PC{0,20}", scaled: i128) {
        if let Ok(value) = Decimal12::parse(&text) {
            prop_assert_eq!(Decimal12::parse(&value.to_string()), Ok(value));
        }
        let _ = Decimal12::from_scaled(scaled).map(|value| value.to_string());
    }
}
