//! Amounts of quantities that are not whole: metered usage such as 12.75 GB.
//!
//! The rules are those of whole quantities, on the line of numbers instead of on counts: a tier
//! holds what lies above the tier before it, up to and including its own bound.

use super::{Pricing, PricingError, RoundDirection, Tier, TiersMode, TransformQuantity};
use crate::decimal::Decimal12;
use crate::money::MoneyError;
use crate::ratio::Ratio;

impl Pricing {
    /// What a quantity costs, in minor units, before rounding. A negative quantity costs what none
    /// costs; a whole one what [`Pricing::exact_amount`] says.
    ///
    /// # Errors
    /// When the price is not valid, or the amount can't be computed.
    pub fn exact_amount_of(&self, quantity: Decimal12) -> Result<Ratio, PricingError> {
        let whole = quantity
            .to_integer()
            .and_then(|units| u64::try_from(units).ok());
        if let Some(units) = whole {
            return self.exact_amount(units);
        }
        self.validate()?;
        if quantity.is_negative() {
            return Ok(Ratio::ZERO);
        }
        let quantity = quantity.to_ratio();
        Ok(match self {
            Self::PerUnit {
                unit_amount,
                transform_quantity: None,
            } => unit_amount.to_ratio().checked_mul(quantity)?,
            Self::PerUnit {
                unit_amount,
                transform_quantity: Some(transform),
            } => {
                let packages = transform.packages_of(quantity)?;
                unit_amount.to_ratio().checked_mul(packages)?
            }
            Self::Tiered {
                mode: TiersMode::Graduated,
                tiers,
            } => {
                let (mut total, mut before) = (Ratio::ZERO, Ratio::ZERO);
                for tier in tiers {
                    if quantity <= before {
                        break;
                    }
                    let bound = tier.bound()?.map_or(quantity, |bound| bound.min(quantity));
                    total = total.checked_add(tier.exact_amount(bound.checked_sub(before)?)?)?;
                    before = bound;
                }
                total
            }
            Self::Tiered {
                mode: TiersMode::Volume,
                tiers,
            } => {
                for tier in tiers {
                    if tier.bound()?.is_none_or(|bound| quantity <= bound) {
                        return Ok(tier.exact_amount(quantity)?);
                    }
                }
                Ratio::ZERO
            }
        })
    }

    /// What a quantity costs, in whole minor units: the exact amount rounded once, half up.
    ///
    /// # Errors
    /// As [`Pricing::exact_amount_of`].
    pub fn amount_minor_of(&self, quantity: Decimal12) -> Result<i64, PricingError> {
        Ok(self.exact_amount_of(quantity)?.half_up()?)
    }

    /// What a quantity costs on top of one that is billed already: all together, less what the first
    /// alone costs.
    ///
    /// # Errors
    /// As [`Pricing::exact_amount_of`]; [`MoneyError::Overflow`] when the sum is out of range.
    pub fn amount_minor_after(
        &self,
        before: Decimal12,
        quantity: Decimal12,
    ) -> Result<i64, PricingError> {
        if before.is_zero() {
            return self.amount_minor_of(quantity);
        }
        let sum = before.scaled().checked_add(quantity.scaled());
        let sum = sum.and_then(|sum| Decimal12::from_scaled(sum).ok());
        let all = self.amount_minor_of(sum.ok_or(MoneyError::Overflow)?)?;
        let first = self.amount_minor_of(before)?;
        Ok(all.checked_sub(first).ok_or(MoneyError::Overflow)?)
    }
}

impl TransformQuantity {
    fn packages_of(&self, quantity: Ratio) -> Result<Ratio, MoneyError> {
        let divide_by = Ratio::new(i128::from(self.divide_by), 1)?;
        let packages = quantity.checked_div(divide_by)?;
        Ok(Ratio::from_integer(match self.round {
            RoundDirection::Up => packages.ceil()?,
            RoundDirection::Down => packages.floor()?,
        }))
    }
}

impl Tier {
    fn bound(&self) -> Result<Option<Ratio>, MoneyError> {
        self.up_to
            .map(|last| Ratio::new(i128::from(last), 1))
            .transpose()
    }

    fn exact_amount(&self, quantity: Ratio) -> Result<Ratio, MoneyError> {
        let unit = self.unit_amount.unwrap_or(Decimal12::ZERO).to_ratio();
        let flat = self.flat_amount.unwrap_or(Decimal12::ZERO).to_ratio();
        unit.checked_mul(quantity)?.checked_add(flat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal12 {
        Decimal12::parse(text).unwrap()
    }

    fn tier(up_to: Option<u64>, unit: &str, flat: &str) -> Tier {
        Tier {
            up_to,
            unit_amount: Some(decimal(unit)),
            flat_amount: Some(decimal(flat)),
        }
    }

    fn tiered(mode: TiersMode) -> Pricing {
        let tiers = vec![
            tier(Some(10), "0", "0"),
            tier(Some(20), "2", "100"),
            tier(None, "1.5", "7"),
        ];
        Pricing::Tiered { mode, tiers }
    }

    fn package(divide_by: u64, round: RoundDirection) -> Pricing {
        Pricing::PerUnit {
            unit_amount: decimal("4"),
            transform_quantity: Some(TransformQuantity { divide_by, round }),
        }
    }

    #[test]
    fn parts_of_units_cost_parts() {
        let (graduated, volume) = (tiered(TiersMode::Graduated), tiered(TiersMode::Volume));
        let table = [
            (Pricing::per_unit(decimal("0.000000000001")), "0.5", 0),
            (Pricing::per_unit(decimal("3")), "0.5", 2),
            (Pricing::per_unit(decimal("3")), "0.49", 1),
            (Pricing::per_unit(decimal("3")), "-7.5", 0),
            (package(100, RoundDirection::Up), "0.1", 4),
            (package(100, RoundDirection::Up), "100.0001", 8),
            (package(100, RoundDirection::Down), "199.999", 4),
            // 10 free; then 100 once and 2 each.
            (graduated.clone(), "9.5", 0),
            (graduated.clone(), "10.5", 101),
            (graduated.clone(), "20.5", 100 + 20 + 8),
            (graduated, "22.5", 100 + 20 + 7 + 4),
            (volume.clone(), "9.5", 0),
            (volume.clone(), "10.000000000001", 120),
            (volume, "20.5", 7 + 31),
        ];
        for (pricing, quantity, want) in table {
            let amount = pricing.amount_minor_of(decimal(quantity));
            assert_eq!(amount, Ok(want), "{pricing:?} of {quantity}");
        }
    }

    proptest! {
        #[test]
        fn whole_quantities_cost_what_they_always_did(units in 0_u64..1_000_000) {
            let quantity = Decimal12::from_integer(i64::try_from(units).unwrap());
            for pricing in [
                Pricing::per_unit(decimal("0.25")),
                package(7, RoundDirection::Up),
                tiered(TiersMode::Graduated),
                tiered(TiersMode::Volume),
            ] {
                prop_assert_eq!(pricing.exact_amount_of(quantity), pricing.exact_amount(units));
            }
        }

        #[test]
        fn more_never_costs_less_where_tiers_only_rise(
            one in 0_i64..40_000_000, other in 0_i64..40_000_000,
        ) {
            let of = |n: i64| Decimal12::from_scaled(i128::from(n) * 1_000_000).unwrap();
            let (less, more) = (of(one.min(other)), of(one.max(other)));
            for pricing in [tiered(TiersMode::Graduated), package(7, RoundDirection::Up)] {
                let (less, more) = (pricing.exact_amount_of(less), pricing.exact_amount_of(more));
                prop_assert!(less.unwrap() <= more.unwrap());
            }
        }
    }
}
