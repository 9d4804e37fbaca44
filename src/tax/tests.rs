//! Rounding, inside and on top.

use super::{TaxRateError, line_rates, line_taxes, validate_list};
use crate::catalog::TaxBehavior;
use crate::customer::TaxExempt;
use crate::fixture::rate;
use crate::invoice::TaxabilityReason;
use proptest::prelude::*;

#[test]
fn each_rate_is_rounded_on_each_line() {
    let exclusive = |percent| rate("r", percent, false);
    let inclusive = |percent| rate("r", percent, true);
    let cases = [
        (60_000, vec![exclusive("10")], vec![6_000]),
        (60_000, vec![inclusive("10")], vec![5_455]),
        // Stripe's table: 0.43 and 4.84 at 15 %.
        (43, vec![exclusive("15")], vec![6]),
        (484, vec![exclusive("15")], vec![73]),
        (3_000, vec![exclusive("5")], vec![150]),
        (2_700, vec![exclusive("5")], vec![135]),
        // 2.5 and 2.4 minor units.
        (100, vec![exclusive("2.5")], vec![3]),
        (100, vec![exclusive("2.4")], vec![2]),
        (-100, vec![exclusive("2.5")], vec![-3]),
        // Two inside: 1000 / 1.15 is 869.57.
        (1_000, vec![inclusive("5"), inclusive("10")], vec![43, 87]),
        // One inside, one on top of what is left without it.
        (1_100, vec![inclusive("10"), exclusive("5")], vec![100, 50]),
        (1_000, vec![exclusive("9.975")], vec![100]),
        (1_000, vec![exclusive("0")], vec![0]),
        (0, vec![exclusive("20")], vec![0]),
        (1_000, vec![], vec![]),
    ];
    for (net, rates, wanted) in cases {
        let taxes = line_taxes(net, &rates, TaxExempt::None).unwrap();
        let amounts: Vec<_> = taxes.iter().map(|tax| tax.amount_minor).collect();
        assert_eq!(amounts, wanted, "{net} {rates:?}");
    }
}

#[test]
fn whoever_is_exempt_pays_none_and_reads_why() {
    for (exempt, reason) in [
        (TaxExempt::Exempt, TaxabilityReason::CustomerExempt),
        (TaxExempt::Reverse, TaxabilityReason::ReverseCharge),
    ] {
        let taxes = line_taxes(1_000, &[rate("r", "20", true)], exempt).unwrap();
        let told: Vec<_> = taxes
            .iter()
            .map(|t| (t.amount_minor, t.taxable_minor, t.reason))
            .collect();
        assert_eq!(told, [(0, 1_000, reason)]);
    }
}

#[test]
fn an_items_rates_replace_the_defaults_and_the_price_says_where_tax_is() {
    let (own, default) = ([rate("own", "5", false)], [rate("default", "20", true)]);
    for (behavior, given, wanted) in [
        (TaxBehavior::Unspecified, &own[..], ("own", false)),
        (TaxBehavior::Unspecified, &[], ("default", true)),
        (TaxBehavior::Inclusive, &own[..], ("own", true)),
        (TaxBehavior::Exclusive, &[], ("default", false)),
    ] {
        let rates = line_rates(behavior, given, &default);
        let told: Vec<_> = rates
            .iter()
            .map(|r| (r.display_name.as_str(), r.inclusive))
            .collect();
        assert_eq!(told, [wanted], "{behavior:?}");
    }
}

#[test]
fn limits_are_named() {
    for (percentage, wanted) in [
        ("0", Ok(())),
        ("100", Ok(())),
        ("8.8875", Ok(())),
        ("8.88751", Err(TaxRateError::TooManyPlaces)),
        ("100.0001", Err(TaxRateError::PercentageOutOfRange)),
        ("-1", Err(TaxRateError::PercentageOutOfRange)),
    ] {
        assert_eq!(
            rate("r", percentage, false).validate(),
            wanted,
            "{percentage}"
        );
    }
    let mut nameless = rate("r", "1", false);
    nameless.display_name.clear();
    assert_eq!(nameless.validate(), Err(TaxRateError::DisplayName));
    let many: Vec<_> = (0..11)
        .map(|n| rate(&format!("r{n}"), "1", false))
        .collect();
    assert_eq!(validate_list(&many), Err(TaxRateError::TooMany));
    assert_eq!(validate_list(&many[1..]), Ok(()));
    let twice = [many[0].clone(), many[0].clone()];
    assert_eq!(validate_list(&twice), Err(TaxRateError::Duplicate));
}

proptest! {
    #[test]
    fn a_credit_mirrors_its_debit(
        net in -1_000_000_000_i64..1_000_000_000,
        percents in proptest::collection::vec((0_u32..=1_000_000, any::<bool>()), 0..4),
    ) {
        let rates: Vec<_> = percents
            .iter()
            .map(|(p, inside)| rate("r", &format!("{}.{:04}", p / 10_000, p % 10_000), *inside))
            .collect();
        let amounts = |net| -> Vec<i64> {
            let taxes = line_taxes(net, &rates, TaxExempt::None).unwrap();
            taxes.iter().map(|tax| tax.amount_minor).collect()
        };
        let mirrored: Vec<_> = amounts(-net).iter().map(|amount| -amount).collect();
        prop_assert_eq!(amounts(net), mirrored);
    }

    #[test]
    fn nothing_panics(net in any::<i64>(), scaled in any::<i64>(), inside in any::<bool>()) {
        let mut odd = rate("r", "0", inside);
        odd.percentage = crate::decimal::Decimal12::from_scaled(i128::from(scaled)).unwrap();
        let _ = line_taxes(net, &[odd], TaxExempt::None);
    }
}
