//! From a quantity to an amount, for every price model: per unit, package, graduated, volume.
//!
//! Amounts stay exact until the end and are rounded once, half up (away from zero on a tie). Stripe
//! does not document how it rounds decimal unit amounts; half up is assumed.

mod decimal;

use crate::decimal::Decimal12;
use crate::money::MoneyError;
use crate::ratio::Ratio;
use serde::{Deserialize, Serialize};

/// The most tiers a price may have.
pub const MAX_TIERS: usize = 100;

/// A range of quantities and what it costs. It starts one above the tier before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The last quantity in the tier, included; `None` (Stripe's `inf`) in the last tier only.
    pub up_to: Option<u64>,
    /// For each unit, in minor units.
    pub unit_amount: Option<Decimal12>,
    /// Once, when a quantity enters the tier, in minor units.
    pub flat_amount: Option<Decimal12>,
}

/// How tiers apply: `tiers_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TiersMode {
    /// Each unit costs what its own tier says; every tier entered adds its flat amount.
    Graduated,
    /// All units cost what the tier of the whole quantity says.
    Volume,
}

/// Which way a part of a package counts: `transform_quantity.round`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundDirection {
    /// A part of a package counts as a whole one.
    Up,
    /// A part of a package is free.
    Down,
}

/// Sells units in packages: `transform_quantity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransformQuantity {
    /// Units in a package, at least 1.
    pub divide_by: u64,
    /// What happens to a part of a package.
    pub round: RoundDirection,
}

/// How a price turns a quantity into an amount: Stripe's `billing_scheme` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pricing {
    /// The same for each unit, or for each package of units.
    PerUnit {
        /// In minor units, up to 12 decimal places.
        unit_amount: Decimal12,
        /// Sells packages; never together with tiers.
        #[serde(default)]
        transform_quantity: Option<TransformQuantity>,
    },
    /// By ranges of quantity.
    Tiered {
        /// How the tiers apply.
        mode: TiersMode,
        /// In rising order; the last one has no end.
        tiers: Vec<Tier>,
    },
}

/// A part of an amount, to show how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierCharge {
    /// How many units, or packages, were charged here.
    pub quantity: u64,
    /// For each of them, in minor units.
    pub unit_amount: Option<Decimal12>,
    /// Once, in minor units.
    pub flat_amount: Option<Decimal12>,
    /// What this part adds to the total, in whole minor units. The parts sum to the total exactly.
    pub amount_minor: i64,
}

/// Why a price is not valid, or has no amount for a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// No tiers at all.
    #[error("tiers must have at least one tier")]
    NoTiers,
    /// More than `MAX_TIERS`.
    #[error("tiers has more than 100 tiers")]
    TooManyTiers,
    /// `up_to` is zero or does not rise.
    #[error("tiers[{index}].up_to must be above the tier before it")]
    UnorderedTiers {
        /// The position of the tier, from 0.
        index: usize,
    },
    /// The last tier ends, or an earlier one does not.
    #[error("tiers[{index}].up_to must be `inf` in the last tier, and only there")]
    OpenTier {
        /// The position of the tier, from 0.
        index: usize,
    },
    /// Neither `unit_amount` nor `flat_amount`.
    #[error("tiers[{index}] needs a unit_amount or a flat_amount")]
    EmptyTier {
        /// The position of the tier, from 0.
        index: usize,
    },
    /// A price below zero.
    #[error("an amount of a price must not be negative")]
    NegativeAmount,
    /// `divide_by` is zero.
    #[error("transform_quantity.divide_by must be at least 1")]
    ZeroDivideBy,
    /// The amount cannot be computed.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// A part of an amount before rounding.
struct Part {
    quantity: u64,
    unit_amount: Option<Decimal12>,
    flat_amount: Option<Decimal12>,
}

impl Pricing {
    /// A plain price: `unit_amount` minor units each.
    pub const fn per_unit(unit_amount: Decimal12) -> Self {
        Self::PerUnit {
            unit_amount,
            transform_quantity: None,
        }
    }

    /// Checks everything that can be wrong with a price, and names it.
    pub fn validate(&self) -> Result<(), PricingError> {
        match self {
            Self::PerUnit {
                unit_amount,
                transform_quantity,
            } => {
                if transform_quantity.is_some_and(|transform| transform.divide_by == 0) {
                    return Err(PricingError::ZeroDivideBy);
                }
                not_negative(Some(*unit_amount))
            }
            Self::Tiered { tiers, .. } => validate_tiers(tiers),
        }
    }

    /// What `quantity` units cost, in minor units, before rounding.
    ///
    /// A quantity of zero enters no tier and costs nothing, flat amounts included. (What Stripe does
    /// there is not documented.)
    pub fn exact_amount(&self, quantity: u64) -> Result<Ratio, PricingError> {
        let mut total = Ratio::ZERO;
        for part in self.parts(quantity)? {
            total = total.checked_add(part.exact_amount()?)?;
        }
        Ok(total)
    }

    /// What `quantity` units cost, in whole minor units: the exact amount rounded once, half up.
    pub fn amount_minor(&self, quantity: u64) -> Result<i64, PricingError> {
        Ok(self.exact_amount(quantity)?.half_up()?)
    }

    /// The amount, part by part: one for a plain price, one for each tier entered if graduated, one
    /// for the tier that applies if by volume, none for a quantity of zero.
    ///
    /// Each part is the difference of two rounded running totals, so that the parts sum to
    /// `amount_minor` and none is more than one minor unit off.
    pub fn breakdown(&self, quantity: u64) -> Result<Vec<TierCharge>, PricingError> {
        let mut charges = Vec::new();
        let (mut exact, mut rounded) = (Ratio::ZERO, 0_i64);
        for part in self.parts(quantity)? {
            exact = exact.checked_add(part.exact_amount()?)?;
            let total = exact.half_up()?;
            charges.push(TierCharge {
                quantity: part.quantity,
                unit_amount: part.unit_amount,
                flat_amount: part.flat_amount,
                amount_minor: total.checked_sub(rounded).ok_or(MoneyError::Overflow)?,
            });
            rounded = total;
        }
        Ok(charges)
    }

    /// The price of one unit or package, in minor units; nothing if it depends on the quantity.
    pub const fn unit_amount(&self) -> Option<Decimal12> {
        match self {
            Self::PerUnit { unit_amount, .. } => Some(*unit_amount),
            Self::Tiered { .. } => None,
        }
    }

    fn parts(&self, quantity: u64) -> Result<Vec<Part>, PricingError> {
        self.validate()?;
        Ok(match self {
            _ if quantity == 0 => Vec::new(),
            Self::PerUnit {
                unit_amount,
                transform_quantity,
            } => {
                let quantity = match transform_quantity {
                    Some(transform) => transform.packages(quantity),
                    None => quantity,
                };
                vec![Part {
                    quantity,
                    unit_amount: Some(*unit_amount),
                    flat_amount: None,
                }]
            }
            Self::Tiered {
                mode: TiersMode::Graduated,
                tiers,
            } => graduated(tiers, quantity),
            Self::Tiered {
                mode: TiersMode::Volume,
                tiers,
            } => {
                let tier = tiers.iter().find(|tier| tier.last_unit() >= quantity);
                tier.map(|tier| tier.part(quantity)).into_iter().collect()
            }
        })
    }
}

impl TransformQuantity {
    /// How many packages `quantity` units are; none for a `divide_by` of zero.
    pub const fn packages(&self, quantity: u64) -> u64 {
        let whole = match quantity.checked_div(self.divide_by) {
            Some(whole) => whole,
            None => return 0,
        };
        match self.round {
            // A part is left only if `divide_by` is above 1, so adding one cannot overflow.
            RoundDirection::Up if !quantity.is_multiple_of(self.divide_by) => whole + 1,
            RoundDirection::Up | RoundDirection::Down => whole,
        }
    }
}

impl Tier {
    fn last_unit(&self) -> u64 {
        self.up_to.unwrap_or(u64::MAX)
    }

    fn part(&self, quantity: u64) -> Part {
        Part {
            quantity,
            unit_amount: self.unit_amount,
            flat_amount: self.flat_amount,
        }
    }
}

impl Part {
    fn exact_amount(&self) -> Result<Ratio, MoneyError> {
        let quantity = Ratio::new(i128::from(self.quantity), 1)?;
        let unit = self.unit_amount.unwrap_or(Decimal12::ZERO).to_ratio();
        let flat = self.flat_amount.unwrap_or(Decimal12::ZERO).to_ratio();
        unit.checked_mul(quantity)?.checked_add(flat)
    }
}

fn graduated(tiers: &[Tier], quantity: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut before = 0_u64;
    for tier in tiers {
        if quantity <= before {
            break;
        }
        parts.push(tier.part(quantity.min(tier.last_unit()) - before));
        before = tier.last_unit();
    }
    parts
}

fn validate_tiers(tiers: &[Tier]) -> Result<(), PricingError> {
    if tiers.is_empty() {
        return Err(PricingError::NoTiers);
    }
    if tiers.len() > MAX_TIERS {
        return Err(PricingError::TooManyTiers);
    }
    let mut before = 0_u64;
    for (index, tier) in tiers.iter().enumerate() {
        if tier.up_to.is_none() != (index + 1 == tiers.len()) {
            return Err(PricingError::OpenTier { index });
        }
        if tier.last_unit() <= before {
            return Err(PricingError::UnorderedTiers { index });
        }
        if tier.unit_amount.is_none() && tier.flat_amount.is_none() {
            return Err(PricingError::EmptyTier { index });
        }
        not_negative(tier.unit_amount)?;
        not_negative(tier.flat_amount)?;
        before = tier.last_unit();
    }
    Ok(())
}

fn not_negative(amount: Option<Decimal12>) -> Result<(), PricingError> {
    if amount.is_some_and(Decimal12::is_negative) {
        return Err(PricingError::NegativeAmount);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
