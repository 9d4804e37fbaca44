//! Every price model against the reference's numbers and against counting unit by unit.

use super::*;
use crate::decimal::DecimalError;
use proptest::prelude::*;

fn decimal(text: &str) -> Result<Decimal12, DecimalError> {
    Decimal12::parse(text)
}

/// A tier in whole or decimal minor units.
fn tier(up_to: Option<u64>, unit: Option<&str>, flat: Option<&str>) -> Result<Tier, DecimalError> {
    Ok(Tier {
        up_to,
        unit_amount: unit.map(decimal).transpose()?,
        flat_amount: flat.map(decimal).transpose()?,
    })
}

/// Reference 3.11: 1 to 5 at 7.00, 6 to 10 at 6.50, 11 and more at 6.00.
fn reference_tiers() -> Result<Vec<Tier>, DecimalError> {
    Ok(vec![
        tier(Some(5), Some("700"), None)?,
        tier(Some(10), Some("650"), None)?,
        tier(None, Some("600"), None)?,
    ])
}

#[test]
fn tiers_of_the_reference() -> Result<(), DecimalError> {
    let tiers = reference_tiers()?;
    let volume = Pricing::Tiered {
        mode: TiersMode::Volume,
        tiers: tiers.clone(),
    };
    let graduated = Pricing::Tiered {
        mode: TiersMode::Graduated,
        tiers,
    };
    //         quantity, volume, graduated
    let table = [
        (0, 0, 0),
        (1, 700, 700),
        (5, 3500, 3500),
        (6, 3900, 4150),
        (10, 6500, 6750),
        (11, 6600, 7350),
        (20, 12_000, 12_750),
        (25, 15_000, 15_750),
    ];
    for (quantity, volume_minor, graduated_minor) in table {
        assert_eq!(
            volume.amount_minor(quantity),
            Ok(volume_minor),
            "volume {quantity}"
        );
        assert_eq!(
            graduated.amount_minor(quantity),
            Ok(graduated_minor),
            "graduated {quantity}"
        );
    }
    assert_eq!(volume.unit_amount(), None);
    Ok(())
}

#[test]
fn each_tier_entered_adds_its_flat_amount() -> Result<(), DecimalError> {
    let tiers = vec![
        tier(Some(10), None, Some("1000"))?,
        tier(Some(20), Some("50"), Some("300"))?,
        tier(None, Some("40"), None)?,
    ];
    let volume = Pricing::Tiered {
        mode: TiersMode::Volume,
        tiers: tiers.clone(),
    };
    let graduated = Pricing::Tiered {
        mode: TiersMode::Graduated,
        tiers,
    };
    let table = [
        (0, 0, 0),
        (1, 1000, 1000),
        (10, 1000, 1000),
        (11, 850, 1350),
        (20, 1300, 1800),
        (21, 840, 1840),
    ];
    for (quantity, volume_minor, graduated_minor) in table {
        assert_eq!(
            volume.amount_minor(quantity),
            Ok(volume_minor),
            "volume {quantity}"
        );
        assert_eq!(
            graduated.amount_minor(quantity),
            Ok(graduated_minor),
            "graduated {quantity}"
        );
    }
    Ok(())
}

#[test]
fn packages_of_the_reference() -> Result<(), DecimalError> {
    // Reference 3.10: 4 cents for 100 tokens, rounded up.
    check(
        "4",
        100,
        RoundDirection::Up,
        &[(0, 0), (1, 4), (25, 4), (100, 4), (101, 8), (3000, 120)],
    )?;
    check(
        "4",
        100,
        RoundDirection::Down,
        &[(0, 0), (99, 0), (100, 4), (199, 4), (3000, 120)],
    )?;
    check("7", 1, RoundDirection::Up, &[(3, 21), (0, 0)])?;
    check("0", 1, RoundDirection::Up, &[(u64::MAX, 0)])?;
    check("1", u64::MAX, RoundDirection::Up, &[(1, 1), (u64::MAX, 1)])?;

    fn check(
        unit_amount: &str,
        divide_by: u64,
        round: RoundDirection,
        table: &[(u64, i64)],
    ) -> Result<(), DecimalError> {
        let transform_quantity = Some(TransformQuantity { divide_by, round });
        let pricing = Pricing::PerUnit {
            unit_amount: decimal(unit_amount)?,
            transform_quantity,
        };
        for (quantity, amount_minor) in table {
            let found = pricing.amount_minor(*quantity);
            assert_eq!(
                found,
                Ok(*amount_minor),
                "{quantity} by {divide_by} {round:?}"
            );
        }
        Ok(())
    }
    Ok(())
}

#[test]
fn decimal_prices_are_rounded_once() -> Result<(), DecimalError> {
    check("1000", 3, Ok(3000))?;
    check("0.05", 1, Ok(0))?;
    check("0.05", 9, Ok(0))?;
    check("0.05", 10, Ok(1))?;
    check("0.05", 1000, Ok(50))?;
    check("12.5", 1, Ok(13))?;
    check("12.5", 2, Ok(25))?;
    check("0.333333333333", 3, Ok(1))?;
    check("0.000000000001", 499_999_999_999, Ok(0))?;
    check("0.000000000001", 500_000_000_000, Ok(1))?;
    check(
        "1",
        u64::MAX,
        Err(PricingError::Money(MoneyError::Overflow)),
    )?;
    check("9223372036854775807", 1, Ok(i64::MAX))?;
    check(
        "9223372036854775807",
        2,
        Err(PricingError::Money(MoneyError::Overflow)),
    )?;
    check(
        "9223372036854775807",
        u64::MAX,
        Err(PricingError::Money(MoneyError::Overflow)),
    )?;

    fn check(
        unit_amount: &str,
        quantity: u64,
        expected: Result<i64, PricingError>,
    ) -> Result<(), DecimalError> {
        let pricing = Pricing::per_unit(decimal(unit_amount)?);
        assert_eq!(
            pricing.amount_minor(quantity),
            expected,
            "{quantity} at {unit_amount}"
        );
        assert_eq!(pricing.unit_amount(), Some(decimal(unit_amount)?));
        Ok(())
    }
    Ok(())
}

#[test]
fn a_breakdown_shows_the_tiers() -> Result<(), Box<dyn core::error::Error>> {
    let pricing = Pricing::Tiered {
        mode: TiersMode::Graduated,
        tiers: reference_tiers()?,
    };
    let shown = |quantity| -> Result<Vec<(u64, i64)>, PricingError> {
        let charges = pricing.breakdown(quantity)?;
        Ok(charges
            .iter()
            .map(|charge| (charge.quantity, charge.amount_minor))
            .collect())
    };
    assert_eq!(shown(0)?, []);
    assert_eq!(shown(5)?, [(5, 3500)]);
    assert_eq!(shown(6)?, [(5, 3500), (1, 650)]);
    assert_eq!(shown(25)?, [(5, 3500), (5, 3250), (15, 9000)]);
    // Tiers of half a cent each: 0.5 + 0.5 is one cent, not two.
    let halves = Pricing::Tiered {
        mode: TiersMode::Graduated,
        tiers: vec![
            tier(Some(1), Some("0.5"), None)?,
            tier(None, Some("0.5"), None)?,
        ],
    };
    let amounts: Vec<_> = halves
        .breakdown(2)?
        .iter()
        .map(|charge| charge.amount_minor)
        .collect();
    assert_eq!((amounts, halves.amount_minor(2)?), (vec![1, 0], 1));
    Ok(())
}

#[test]
fn a_wrong_price_is_refused_by_name() -> Result<(), DecimalError> {
    check(vec![], PricingError::NoTiers);
    check(
        vec![tier(None, Some("1"), None)?; 101],
        PricingError::TooManyTiers,
    );
    check(
        vec![tier(Some(5), Some("1"), None)?],
        PricingError::OpenTier { index: 0 },
    );
    check(
        vec![tier(None, Some("1"), None)?; 2],
        PricingError::OpenTier { index: 0 },
    );
    let last = tier(None, Some("1"), None)?;
    check(
        vec![tier(Some(0), Some("1"), None)?, last],
        PricingError::UnorderedTiers { index: 0 },
    );
    let five = tier(Some(5), Some("1"), None)?;
    check(
        vec![five, five, last],
        PricingError::UnorderedTiers { index: 1 },
    );
    let all = tier(Some(u64::MAX), Some("1"), None)?;
    check(vec![all, last], PricingError::UnorderedTiers { index: 1 });
    check(
        vec![five, tier(None, None, None)?],
        PricingError::EmptyTier { index: 1 },
    );
    check(
        vec![tier(None, Some("-1"), None)?],
        PricingError::NegativeAmount,
    );
    check(
        vec![tier(None, None, Some("-0.1"))?],
        PricingError::NegativeAmount,
    );

    let negative = Pricing::per_unit(decimal("-1")?);
    assert_eq!(negative.validate(), Err(PricingError::NegativeAmount));
    let round = RoundDirection::Up;
    let transform_quantity = Some(TransformQuantity {
        divide_by: 0,
        round,
    });
    let by_zero = Pricing::PerUnit {
        unit_amount: decimal("1")?,
        transform_quantity,
    };
    assert_eq!(by_zero.validate(), Err(PricingError::ZeroDivideBy));
    assert_eq!(by_zero.amount_minor(1), Err(PricingError::ZeroDivideBy));

    fn check(tiers: Vec<Tier>, expected: PricingError) {
        for mode in [TiersMode::Graduated, TiersMode::Volume] {
            let pricing = Pricing::Tiered {
                mode,
                tiers: tiers.clone(),
            };
            assert_eq!(pricing.validate(), Err(expected), "{tiers:?}");
            assert_eq!(pricing.amount_minor(1), Err(expected));
            assert_eq!(pricing.breakdown(0), Err(expected));
        }
    }
    Ok(())
}

#[test]
fn json_keeps_the_price() -> Result<(), Box<dyn core::error::Error>> {
    let flat = Pricing::per_unit(decimal("0.05")?);
    let json = r#"{"per_unit":{"unit_amount":"0.05","transform_quantity":null}}"#;
    assert_eq!(serde_json::to_string(&flat)?, json);
    assert_eq!(serde_json::from_str::<Pricing>(json)?, flat);
    let tiered = Pricing::Tiered {
        mode: TiersMode::Volume,
        tiers: reference_tiers()?,
    };
    let json = serde_json::to_string(&tiered)?;
    assert_eq!(serde_json::from_str::<Pricing>(&json)?, tiered);
    Ok(())
}

fn amount() -> impl Strategy<Value = Decimal12> {
    let scaled = prop_oneof![
        0..=1_000_000_000_000_000_i128,
        (0..=1_000_000_i128).prop_map(|whole| whole * 1_000_000_000_000),
    ];
    scaled.prop_filter_map("in range", |scaled| Decimal12::from_scaled(scaled).ok())
}

/// Valid tiers: widths instead of bounds, so that they rise.
fn tiers() -> impl Strategy<Value = Vec<Tier>> {
    let one = (
        1..30_u64,
        prop::option::of(amount()),
        amount(),
        any::<bool>(),
    );
    prop::collection::vec(one, 1..6).prop_map(|rows| {
        let (mut up_to, count) = (0, rows.len());
        let number =
            |(index, (width, flat_amount, unit, with_unit)): (usize, (u64, _, _, bool))| {
                up_to += width;
                Tier {
                    up_to: (index + 1 < count).then_some(up_to),
                    unit_amount: (with_unit || Option::is_none(&flat_amount)).then_some(unit),
                    flat_amount,
                }
            };
        rows.into_iter().enumerate().map(number).collect()
    })
}

fn any_decimal() -> impl Strategy<Value = Decimal12> {
    (Decimal12::MIN.scaled()..=Decimal12::MAX.scaled())
        .prop_filter_map("in range", |scaled| Decimal12::from_scaled(scaled).ok())
}

/// Anything that can be written down as a price, valid or not.
fn any_pricing() -> impl Strategy<Value = Pricing> {
    let tier = (
        any::<Option<u64>>(),
        any_decimal(),
        prop::option::of(any_decimal()),
    );
    let tier = tier.prop_map(|(up_to, unit, flat_amount)| Tier {
        up_to,
        unit_amount: Some(unit),
        flat_amount,
    });
    let mode = prop_oneof![Just(TiersMode::Graduated), Just(TiersMode::Volume)];
    let round = prop_oneof![Just(RoundDirection::Up), Just(RoundDirection::Down)];
    let divide_by = prop_oneof![0..3_u64, any::<u64>()];
    prop_oneof![
        (mode, prop::collection::vec(tier, 0..4))
            .prop_map(|(mode, tiers)| Pricing::Tiered { mode, tiers }),
        (any_decimal(), divide_by, round).prop_map(|(unit_amount, divide_by, round)| {
            let transform_quantity = Some(TransformQuantity { divide_by, round });
            Pricing::PerUnit {
                unit_amount,
                transform_quantity,
            }
        }),
        any_decimal().prop_map(Pricing::per_unit),
    ]
}

/// The tier of one unit, found by looking from the start.
fn tier_of(tiers: &[Tier], unit: u64) -> Option<&Tier> {
    tiers
        .iter()
        .find(|tier| tier.up_to.is_none_or(|up_to| unit <= up_to))
}

fn or_zero(amount: Option<Decimal12>) -> Ratio {
    amount.map_or(Ratio::ZERO, Decimal12::to_ratio)
}

proptest! {
    #[test]
    fn graduated_is_counting_unit_by_unit(tiers in tiers(), quantity in 0..200_u64) {
        let mut expected = Ratio::ZERO;
        for unit in 1..=quantity {
            let tier = tier_of(&tiers, unit).ok_or_else(|| TestCaseError::fail("no tier"))?;
            expected = expected.checked_add(or_zero(tier.unit_amount))?;
            if unit == 1 || tier_of(&tiers, unit - 1) != Some(tier) {
                expected = expected.checked_add(or_zero(tier.flat_amount))?;
            }
        }
        let pricing = Pricing::Tiered { mode: TiersMode::Graduated, tiers };
        prop_assert_eq!(pricing.exact_amount(quantity), Ok(expected));
        prop_assert_eq!(pricing.amount_minor(quantity), Ok(expected.half_up()?));
    }

    #[test]
    fn volume_is_one_tier_for_all(tiers in tiers(), quantity in 1..200_u64) {
        let tier = *tier_of(&tiers, quantity).ok_or_else(|| TestCaseError::fail("no tier"))?;
        let units = Ratio::new(i128::from(quantity), 1)?;
        let expected = or_zero(tier.unit_amount).checked_mul(units)?;
        let expected = expected.checked_add(or_zero(tier.flat_amount))?;
        let pricing = Pricing::Tiered { mode: TiersMode::Volume, tiers };
        prop_assert_eq!(pricing.exact_amount(quantity), Ok(expected));
    }

    #[test]
    fn a_breakdown_sums_to_the_amount(
        tiers in tiers(),
        volume: bool,
        quantity in prop_oneof![0..200_u64, 0..=1_000_000_000_u64],
    ) {
        let mode = if volume { TiersMode::Volume } else { TiersMode::Graduated };
        let pricing = Pricing::Tiered { mode, tiers };
        let charges = pricing.breakdown(quantity)?;
        let sum: i64 = charges.iter().map(|charge| charge.amount_minor).sum();
        prop_assert_eq!(sum, pricing.amount_minor(quantity)?);
        prop_assert_eq!(charges.iter().map(|charge| charge.quantity).sum::<u64>(), quantity);
        for charge in charges {
            let units = Ratio::new(i128::from(charge.quantity), 1)?;
            let exact = or_zero(charge.unit_amount).checked_mul(units)?;
            let exact = exact.checked_add(or_zero(charge.flat_amount))?;
            let off = exact.checked_sub(Ratio::from_integer(charge.amount_minor))?;
            prop_assert!(off <= Ratio::ONE && off >= Ratio::ONE.checked_neg()?);
        }
    }

    #[test]
    fn more_never_costs_less_when_graduated(tiers in tiers(), less in 0..200_u64, more in 0..200_u64) {
        let pricing = Pricing::Tiered { mode: TiersMode::Graduated, tiers };
        let total = less + more;
        prop_assert!(pricing.amount_minor(less)? <= pricing.amount_minor(total)?);
    }

    #[test]
    fn packages_hold_the_quantity(quantity: u64, divide_by in 1..=u64::MAX) {
        let up = TransformQuantity { divide_by, round: RoundDirection::Up }.packages(quantity);
        let down = TransformQuantity { divide_by, round: RoundDirection::Down }.packages(quantity);
        let (quantity, size) = (u128::from(quantity), u128::from(divide_by));
        prop_assert!(u128::from(down) * size <= quantity);
        prop_assert!(quantity <= u128::from(up) * size);
        prop_assert_eq!(up - down, u64::from(!quantity.is_multiple_of(size)));
    }

    #[test]
    fn nothing_panics(pricing in any_pricing(), quantity: u64) {
        let exact = pricing.exact_amount(quantity);
        prop_assert!(pricing.validate().is_ok() || exact.is_err());
        let _ = pricing.amount_minor(quantity);
        if let Ok(charges) = pricing.breakdown(quantity) {
            let sum: i128 = charges.iter().map(|charge| i128::from(charge.amount_minor)).sum();
            prop_assert_eq!(Ok(sum), pricing.amount_minor(quantity).map(i128::from));
        }
    }
}
