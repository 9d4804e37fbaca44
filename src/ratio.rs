//! Exact fractions, for everything between a price and the one rounding that makes it minor units.

use crate::money::MoneyError;
use core::cmp::Ordering;

/// An exact rational number, always reduced, with a positive denominator.
/// Every operation is checked: what does not fit 128 bits is `MoneyError::Overflow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    numer: i128,
    denom: i128,
}

/// How an exact amount becomes whole minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Toward negative infinity; Stripe's rule for proration lines.
    Floor,
    /// Toward positive infinity.
    Ceil,
    /// To the nearest, halves away from zero; Stripe's rule for tax and percentages.
    HalfUp,
    /// To the nearest, halves to the even neighbour.
    HalfEven,
}

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self { numer: 0, denom: 1 };
    /// The whole.
    pub const ONE: Self = Self { numer: 1, denom: 1 };

    /// `numer / denom`, reduced. Refuses a denominator of zero.
    pub fn new(numer: i128, denom: i128) -> Result<Self, MoneyError> {
        if denom == 0 {
            return Err(MoneyError::DivisionByZero);
        }
        let divisor = gcd(numer.unsigned_abs(), denom.unsigned_abs());
        let magnitude = numer.unsigned_abs() / divisor;
        let reduced = denom.unsigned_abs() / divisor;
        let signed = if (numer < 0) == (denom < 0) {
            i128::try_from(magnitude).ok()
        } else {
            0_i128.checked_sub_unsigned(magnitude)
        };
        Ok(Self {
            numer: signed.ok_or(MoneyError::Overflow)?,
            denom: i128::try_from(reduced).map_err(|_| MoneyError::Overflow)?,
        })
    }

    /// A whole number.
    pub const fn from_integer(value: i64) -> Self {
        Self {
            numer: value as i128,
            denom: 1,
        }
    }

    /// The numerator of the reduced form; carries the sign.
    pub const fn numer(self) -> i128 {
        self.numer
    }

    /// The denominator of the reduced form; always positive.
    pub const fn denom(self) -> i128 {
        self.denom
    }

    /// Whether the value is exactly zero.
    pub const fn is_zero(self) -> bool {
        self.numer == 0
    }

    /// Whether the value is below zero.
    pub const fn is_negative(self) -> bool {
        self.numer < 0
    }

    /// The sum.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        let divisor = common(self.denom, other.denom)?;
        let (own, others) = (self.denom / divisor, other.denom / divisor);
        let left = self.numer.checked_mul(others);
        let right = other.numer.checked_mul(own);
        let numer = left
            .zip(right)
            .and_then(|(left, right)| left.checked_add(right));
        let denom = own.checked_mul(other.denom);
        Self::new(
            numer.ok_or(MoneyError::Overflow)?,
            denom.ok_or(MoneyError::Overflow)?,
        )
    }

    /// The difference.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(other.checked_neg()?)
    }

    /// The product.
    pub fn checked_mul(self, other: Self) -> Result<Self, MoneyError> {
        // Reducing crosswise first keeps the products as small as the result allows.
        let (left, right) = (
            common(self.numer, other.denom)?,
            common(other.numer, self.denom)?,
        );
        let numer = (self.numer / left).checked_mul(other.numer / right);
        let denom = (self.denom / right).checked_mul(other.denom / left);
        Self::new(
            numer.ok_or(MoneyError::Overflow)?,
            denom.ok_or(MoneyError::Overflow)?,
        )
    }

    /// The quotient; refuses to divide by zero.
    pub fn checked_div(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_mul(Self::new(other.denom, other.numer)?)
    }

    /// The opposite.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let numer = self.numer.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self {
            numer,
            denom: self.denom,
        })
    }

    /// The largest whole number not above the value.
    pub fn floor(self) -> Result<i64, MoneyError> {
        self.rounded(Rounding::Floor)
    }

    /// The smallest whole number not below the value.
    pub fn ceil(self) -> Result<i64, MoneyError> {
        self.rounded(Rounding::Ceil)
    }

    /// The nearest whole number, halves away from zero: 2.5 is 3, -2.5 is -3.
    pub fn half_up(self) -> Result<i64, MoneyError> {
        self.rounded(Rounding::HalfUp)
    }

    /// The whole number that `rounding` names; `Overflow` if it does not fit 64 bits.
    pub fn rounded(self, rounding: Rounding) -> Result<i64, MoneyError> {
        let below = self.numer.div_euclid(self.denom);
        let part = self.numer.rem_euclid(self.denom);
        // How the part above `below` compares with one half.
        let half = part.cmp(&(self.denom - part));
        let up = match rounding {
            Rounding::Floor => false,
            Rounding::Ceil => part != 0,
            Rounding::HalfUp => half.is_gt() || (half.is_eq() && self.numer > 0),
            Rounding::HalfEven => half.is_gt() || (half.is_eq() && below % 2 != 0),
        };
        let whole = below
            .checked_add(i128::from(up))
            .ok_or(MoneyError::Overflow)?;
        i64::try_from(whole).map_err(|_| MoneyError::Overflow)
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    /// Compares whole parts, then the inverses of what is left, as in Euclid's algorithm: exact for
    /// every pair, where cross-multiplication would overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut left, mut right) = ((self.numer, self.denom), (other.numer, other.denom));
        loop {
            let whole = left.0.div_euclid(left.1).cmp(&right.0.div_euclid(right.1));
            if whole.is_ne() {
                return whole;
            }
            let (left_part, right_part) = (left.0.rem_euclid(left.1), right.0.rem_euclid(right.1));
            if left_part == 0 || right_part == 0 {
                return left_part.cmp(&right_part);
            }
            (left, right) = ((right.1, right_part), (left.1, left_part));
        }
    }
}

/// The greatest common divisor; `gcd(0, n)` is `n`.
fn gcd(mut left: u128, mut right: u128) -> u128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

/// The greatest common divisor of two numbers of which at least the one is a denominator.
fn common(left: i128, right: i128) -> Result<i128, MoneyError> {
    let divisor = gcd(left.unsigned_abs(), right.unsigned_abs());
    i128::try_from(divisor).map_err(|_| MoneyError::Overflow)
}

#[cfg(test)]
mod tests;
