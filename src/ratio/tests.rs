//! Fractions are exact, ordered, and rounded by the rule that was named.

use super::{Ratio, Rounding};
use crate::money::MoneyError;
use proptest::prelude::*;

fn ratio(numer: i128, denom: i128) -> Result<Ratio, MoneyError> {
    Ratio::new(numer, denom)
}

#[test]
fn fractions_are_reduced_with_the_sign_above() {
    check(6, 4, Ok((3, 2)));
    check(-6, 4, Ok((-3, 2)));
    check(6, -4, Ok((-3, 2)));
    check(-6, -4, Ok((3, 2)));
    check(0, -7, Ok((0, 1)));
    check(1, 0, Err(MoneyError::DivisionByZero));
    check(0, 0, Err(MoneyError::DivisionByZero));
    check(i128::MIN, 1, Ok((i128::MIN, 1)));
    check(i128::MIN, i128::MIN, Ok((1, 1)));
    check(i128::MIN, -1, Err(MoneyError::Overflow));
    check(1, i128::MIN, Err(MoneyError::Overflow));
    check(2, i128::MIN, Ok((-1, 1 << 126)));

    fn check(numer: i128, denom: i128, expected: Result<(i128, i128), MoneyError>) {
        let parts = ratio(numer, denom).map(|made| (made.numer(), made.denom()));
        assert_eq!(parts, expected, "{numer}/{denom}");
    }
}

#[test]
fn each_rule_rounds_its_way() {
    //     value     floor ceil half_up half_even
    check((5, 2), [2, 3, 3, 2]);
    check((7, 2), [3, 4, 4, 4]);
    check((-5, 2), [-3, -2, -3, -2]);
    check((-7, 2), [-4, -3, -4, -4]);
    check((1, 2), [0, 1, 1, 0]);
    check((-1, 2), [-1, 0, -1, 0]);
    check((1, 3), [0, 1, 0, 0]);
    check((2, 3), [0, 1, 1, 1]);
    check((-1, 3), [-1, 0, 0, 0]);
    check((-2, 3), [-1, 0, -1, -1]);
    check((4, 1), [4, 4, 4, 4]);
    check((-4, 1), [-4, -4, -4, -4]);
    check((0, 1), [0, 0, 0, 0]);

    fn check((numer, denom): (i128, i128), expected: [i64; 4]) {
        let rules = [
            Rounding::Floor,
            Rounding::Ceil,
            Rounding::HalfUp,
            Rounding::HalfEven,
        ];
        let value = ratio(numer, denom);
        let rounded = rules.map(|rule| value.and_then(|value| value.rounded(rule)));
        assert_eq!(rounded, expected.map(Ok), "{numer}/{denom}");
    }
}

#[test]
fn proration_lines_of_the_reference() {
    // Reference 3.2: floor of price × quantity × share of the period left, both for the credit of
    // the old price and the debit of the new one.
    check("P1", (1000, 1), (2000, 1), (1, 2), (-500, 1000));
    check("P4", (2000, 1), (1000, 1), (1, 3), (-667, 333));
    check("P5", (1000, 1), (1800, 1), (1, 400), (-3, 4));
    check("P6", (1000, 1), (1000, 3), (1, 400), (-3, 7));
    check("P7", (1000, 1), (2000, 1), (1, 3), (-334, 666));
    check("P8", (1000, 1), (1000, 1), (1, 3), (-334, 333));
    check("P9", (1000, 1), (1800, 1), (60, 30 * 86_400), (-1, 0));

    fn check(case: &str, old: (i64, i64), new: (i64, i64), left: (i128, i128), lines: (i64, i64)) {
        let line = |(price, quantity): (i64, i64)| {
            let amount = Ratio::from_integer(price).checked_mul(Ratio::from_integer(quantity))?;
            amount.checked_mul(ratio(left.0, left.1)?)
        };
        let credit = line(old)
            .and_then(Ratio::checked_neg)
            .and_then(Ratio::floor);
        let debit = line(new).and_then(Ratio::floor);
        assert_eq!((credit, debit), (Ok(lines.0), Ok(lines.1)), "{case}");
    }
}

#[test]
fn taxes_of_the_reference_round_to_the_nearest() {
    // Reference 3.9, in minor units: amount, percent, tax.
    check(43, (15, 100), 6);
    check(484, (15, 100), 73);
    check(3000, (5, 100), 150);
    check(60_000, (10, 110), 5455);
    check(25, (1, 10), 3);
    check(24, (1, 10), 2);

    fn check(amount_minor: i64, rate: (i128, i128), tax_minor: i64) {
        let tax = ratio(rate.0, rate.1)
            .and_then(|rate| Ratio::from_integer(amount_minor).checked_mul(rate))
            .and_then(Ratio::half_up);
        assert_eq!(tax, Ok(tax_minor), "{amount_minor} at {rate:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() -> Result<(), MoneyError> {
    let (huge, tiny) = (ratio(i128::MAX, 1)?, ratio(1, i128::MAX)?);
    assert_eq!(huge.checked_add(Ratio::ONE), Err(MoneyError::Overflow));
    assert_eq!(huge.checked_mul(huge), Err(MoneyError::Overflow));
    assert_eq!(tiny.checked_mul(tiny), Err(MoneyError::Overflow));
    assert_eq!(huge.floor(), Err(MoneyError::Overflow));
    assert_eq!(huge.checked_mul(tiny), Ok(Ratio::ONE));
    assert_eq!(tiny.half_up(), Ok(0));
    assert_eq!(
        ratio(i128::MIN, 1)?.checked_neg(),
        Err(MoneyError::Overflow)
    );
    assert_eq!(
        Ratio::ONE.checked_div(Ratio::ZERO),
        Err(MoneyError::DivisionByZero)
    );
    assert_eq!(Ratio::from_integer(i64::MIN).floor(), Ok(i64::MIN));
    assert_eq!(
        ratio(i128::from(i64::MAX) * 2 + 1, 2)?.ceil(),
        Err(MoneyError::Overflow)
    );
    Ok(())
}

fn small() -> impl Strategy<Value = Ratio> {
    (-1_000_000_000..=1_000_000_000_i128, 1..=1_000_000_000_i128)
        .prop_filter_map("fits", |(numer, denom)| ratio(numer, denom).ok())
}

fn large() -> impl Strategy<Value = Ratio> {
    prop_oneof![
        (any::<i128>(), any::<i128>()).prop_filter_map("fits", |(n, d)| ratio(n, d).ok()),
        (any::<i128>(), 1..=3_i128).prop_filter_map("fits", |(n, d)| ratio(n, d).ok()),
        small(),
    ]
}

proptest! {
    #[test]
    fn arithmetic_is_a_field(a in small(), b in small(), c in small()) {
        prop_assert_eq!(a.checked_add(b), b.checked_add(a));
        prop_assert_eq!(a.checked_mul(b), b.checked_mul(a));
        prop_assert_eq!(a.checked_add(b)?.checked_sub(b), Ok(a));
        prop_assert_eq!(a.checked_mul(Ratio::ONE), Ok(a));
        prop_assert_eq!(a.checked_add(Ratio::ZERO), Ok(a));
        if !b.is_zero() {
            prop_assert_eq!(a.checked_mul(b)?.checked_div(b), Ok(a));
        }
        let spread = a.checked_mul(c)?.checked_add(b.checked_mul(c)?);
        prop_assert_eq!(a.checked_add(b)?.checked_mul(c), spread);
    }

    #[test]
    fn order_is_that_of_cross_multiplication(a in small(), b in small()) {
        prop_assert_eq!(a.cmp(&b), (a.numer() * b.denom()).cmp(&(b.numer() * a.denom())));
    }

    #[test]
    fn order_is_total_for_every_fraction(a in large(), b in large(), c in large()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if let Ok(difference) = a.checked_sub(b) {
            prop_assert_eq!(a.cmp(&b), difference.cmp(&Ratio::ZERO));
        }
    }

    #[test]
    fn rounding_stays_within_its_bound(a in small()) {
        let (floor, ceil) = (a.floor()?, a.ceil()?);
        prop_assert!(Ratio::from_integer(floor) <= a && a <= Ratio::from_integer(ceil));
        prop_assert_eq!(ceil - floor, i64::from(a.denom() != 1));
        // The school's rule: add a half to the magnitude and cut.
        let school = (a.numer().abs() * 2 + a.denom()) / (a.denom() * 2) * a.numer().signum();
        prop_assert_eq!(i128::from(a.half_up()?), school);
        prop_assert_eq!(a.checked_neg()?.half_up()?, -a.half_up()?);
        let even = a.rounded(Rounding::HalfEven)?;
        prop_assert!(even == a.half_up()? || (a.denom() == 2 && even % 2 == 0));
    }

    #[test]
    fn nothing_panics(a in large(), b in large()) {
        let _ = (a.checked_add(b), a.checked_sub(b), a.checked_mul(b), a.checked_div(b));
        let _ = (a.floor(), a.ceil(), a.half_up(), a.rounded(Rounding::HalfEven));
        prop_assert!(a.denom() > 0);
    }

    #[test]
    fn making_never_panics(numer: i128, denom: i128) {
        if let Ok(made) = ratio(numer, denom) {
            prop_assert!(made.denom() > 0);
        }
    }
}
