//! No minor unit is lost, created, wrapped or mixed with another currency's.

use super::{Money, MoneyError, allocate};
use crate::currency::Currency;
use proptest::prelude::*;

const MISMATCH: MoneyError = MoneyError::CurrencyMismatch {
    left: Currency::USD,
    right: Currency::EUR,
};

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

#[test]
fn sums_are_checked() {
    check(&[], Ok(0));
    check(&[usd(1), usd(2), usd(-4)], Ok(-1));
    check(&[usd(1), eur(2)], Err(MISMATCH));
    check(&[usd(i64::MAX), usd(1)], Err(MoneyError::Overflow));
    check(&[usd(i64::MIN), usd(-1)], Err(MoneyError::Overflow));
    // Only the total has to fit.
    check(&[usd(i64::MAX), usd(1), usd(-1)], Ok(i64::MAX));

    fn check(amounts: &[Money], expected: Result<i64, MoneyError>) {
        let sum = Money::sum(Currency::USD, amounts.iter().copied());
        assert_eq!(sum, expected.map(usd), "{amounts:?}");
    }
}

#[test]
fn differences_and_opposites_are_checked() {
    assert_eq!(usd(5).checked_add(usd(-7)), Ok(usd(-2)));
    assert_eq!(usd(5).checked_sub(usd(7)), Ok(usd(-2)));
    assert_eq!(usd(5).checked_add(eur(0)), Err(MISMATCH));
    assert_eq!(usd(5).checked_sub(eur(0)), Err(MISMATCH));
    assert_eq!(usd(0).checked_sub(usd(i64::MIN)), Err(MoneyError::Overflow));
    assert_eq!(usd(5).checked_neg(), Ok(usd(-5)));
    assert_eq!(usd(i64::MIN).checked_neg(), Err(MoneyError::Overflow));
    assert!(usd(0).is_zero() && !usd(0).is_negative());
    assert!(!usd(-1).is_zero() && usd(-1).is_negative());
}

#[test]
fn json_has_the_two_fields() -> Result<(), serde_json::Error> {
    let json = r#"{"minor":-1999,"currency":"usd"}"#;
    assert_eq!(serde_json::to_string(&usd(-1999))?, json);
    assert_eq!(serde_json::from_str::<Money>(json)?, usd(-1999));
    Ok(())
}

#[test]
fn the_last_share_takes_the_remainder() {
    // Reference 3.8: a coupon's amount_off of 500 over lines of 1000 and 2000.
    check(500, &[1000, 2000], Ok(&[166, 334]));
    check(-500, &[1000, 2000], Ok(&[-166, -334]));
    check(500, &[-1000, -2000], Ok(&[166, 334]));
    check(100, &[1, 1, 1], Ok(&[33, 33, 34]));
    check(2, &[1, 1, 1], Ok(&[0, 0, 2]));
    check(0, &[1, 2], Ok(&[0, 0]));
    check(7, &[3], Ok(&[7]));
    // A line of zero gets nothing, even at the end.
    check(100, &[1, 1, 1, 0], Ok(&[33, 33, 34, 0]));
    check(100, &[0, 5, 0], Ok(&[0, 100, 0]));
    // Nothing to weigh by.
    check(5, &[0, 0], Ok(&[0, 5]));
    check(0, &[0, 0], Ok(&[0, 0]));
    check(0, &[], Ok(&[]));
    check(5, &[], Err(MoneyError::NoShares));
    check(5, &[1, -1], Err(MoneyError::MixedWeights));
    check(5, &[0, -1, 2], Err(MoneyError::MixedWeights));
    // The ends of the range.
    check(
        i64::MAX,
        &[i64::MAX, i64::MAX],
        Ok(&[i64::MAX / 2, i64::MAX / 2 + 1]),
    );
    check(
        i64::MIN,
        &[i64::MIN, i64::MIN],
        Ok(&[i64::MIN / 2, i64::MIN / 2]),
    );
    check(i64::MIN, &[1], Ok(&[i64::MIN]));

    fn check(total_minor: i64, weights: &[i64], expected: Result<&[i64], MoneyError>) {
        let shares = allocate(total_minor, weights);
        assert_eq!(
            shares,
            expected.map(<[i64]>::to_vec),
            "{total_minor} over {weights:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_split_neither_loses_nor_creates(
        total_minor: i64,
        weights in prop::collection::vec(prop_oneof![Just(0), 0..=10_i64, 0..=i64::MAX], 1..12),
    ) {
        let shares = allocate(total_minor, &weights)?;
        prop_assert_eq!(shares.len(), weights.len());
        let sum: i128 = shares.iter().map(|share| i128::from(*share)).sum();
        prop_assert_eq!(sum, i128::from(total_minor));
        let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        let last = weights.iter().rposition(|weight| *weight != 0);
        for (index, (share, weight)) in shares.iter().zip(&weights).enumerate() {
            prop_assert!(share.signum() * total_minor.signum() >= 0, "{:?}", shares);
            if whole != 0 && Some(index) != last {
                let exact = i128::from(total_minor) * i128::from(*weight);
                let error = exact - i128::from(*share) * whole;
                prop_assert!(error.abs() < whole, "share {} of {:?}", index, shares);
                prop_assert!(error.signum() * exact.signum() >= 0, "toward zero: {:?}", shares);
            }
        }
    }

    #[test]
    fn any_split_sums_or_is_refused(
        total_minor: i64,
        weights in prop::collection::vec(any::<i64>(), 0..6),
    ) {
        if let Ok(shares) = allocate(total_minor, &weights) {
            let sum: i128 = shares.iter().map(|share| i128::from(*share)).sum();
            prop_assert_eq!(sum, i128::from(total_minor));
        }
    }

    #[test]
    fn adding_and_taking_away_agree(left: i64, right: i64) {
        if let Ok(sum) = usd(left).checked_add(usd(right)) {
            prop_assert_eq!(sum.checked_sub(usd(right)), Ok(usd(left)));
            prop_assert_eq!(Money::sum(Currency::USD, [usd(left), usd(right)]), Ok(sum));
        } else {
            let exact = i128::from(left) + i128::from(right);
            prop_assert!(i64::try_from(exact).is_err());
        }
    }
}
