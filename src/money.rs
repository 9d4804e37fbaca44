//! Amounts of money in whole minor units, and splitting them without loss.

use crate::currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount in the minor unit of its currency (cents for USD, yen for JPY, fils for KWD).
/// Negative amounts are credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Whole minor units.
    pub minor: i64,
    /// The currency that says what a minor unit is.
    pub currency: Currency,
}

/// Why an amount could not be computed. Nothing is ever wrapped or saturated instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The exact result does not fit.
    #[error("the amount is too large")]
    Overflow,
    /// Two amounts of different currencies cannot be combined.
    #[error("the currencies differ: {left} and {right}")]
    CurrencyMismatch {
        /// The currency that was there.
        left: Currency,
        /// The currency that was to join it.
        right: Currency,
    },
    /// A ratio with a denominator of zero, or a division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// An amount other than zero cannot be split over no shares at all.
    #[error("there is nothing to split the amount over")]
    NoShares,
    /// Weights of both signs have no meaningful shares.
    #[error("the weights of a split have different signs")]
    MixedWeights,
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Whether the amount is exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Whether the amount is a credit.
    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// The sum; refuses another currency and overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor);
        Ok(Self::new(minor.ok_or(MoneyError::Overflow)?, self.currency))
    }

    /// The difference; refuses another currency and overflow.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor);
        Ok(Self::new(minor.ok_or(MoneyError::Overflow)?, self.currency))
    }

    /// The opposite amount; refuses `i64::MIN`, which has none.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The sum of all amounts, zero for none; every one must be in `currency`.
    /// Only the total has to fit, not each partial sum.
    pub fn sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, MoneyError> {
        let mut total = 0_i128;
        for amount in amounts {
            Self::zero(currency).same_currency(amount)?;
            let sum = total.checked_add(i128::from(amount.minor));
            total = sum.ok_or(MoneyError::Overflow)?;
        }
        let minor = i64::try_from(total).map_err(|_| MoneyError::Overflow)?;
        Ok(Self::new(minor, currency))
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch {
            left: self.currency,
            right: other.currency,
        })
    }
}

/// Splits `total_minor` over `weights`: each share is rounded toward zero, and the last share whose
/// weight is not zero takes the remainder. The shares always sum to the total, exactly.
///
/// This is how Stripe spreads a coupon's `amount_off` over lines: 500 over 1000 and 2000 is 166 and
/// 334. If every weight is zero, the last share takes the whole total. No weights at all can only
/// split zero (`NoShares` otherwise); weights of both signs are refused (`MixedWeights`).
pub fn allocate(total_minor: i64, weights: &[i64]) -> Result<Vec<i64>, MoneyError> {
    if weights.iter().any(|weight| *weight < 0) && weights.iter().any(|weight| *weight > 0) {
        return Err(MoneyError::MixedWeights);
    }
    let Some(last) = weights.iter().rposition(|weight| *weight != 0) else {
        return allocate_to_last(total_minor, weights.len());
    };
    // At most 2^64 weights of 2^63: the sum fits 127 bits.
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let mut left = i128::from(total_minor);
    let mut shares = Vec::with_capacity(weights.len());
    for weight in weights {
        // Weights of one sign make every share at most the total, so it fits again.
        let share = i128::from(total_minor) * i128::from(*weight) / whole;
        left -= share;
        shares.push(i64::try_from(share).map_err(|_| MoneyError::Overflow)?);
    }
    if let Some(share) = shares.get_mut(last) {
        let exact = i128::from(*share) + left;
        *share = i64::try_from(exact).map_err(|_| MoneyError::Overflow)?;
    }
    Ok(shares)
}

fn allocate_to_last(total_minor: i64, count: usize) -> Result<Vec<i64>, MoneyError> {
    let mut shares = vec![0; count];
    match shares.last_mut() {
        Some(share) => *share = total_minor,
        None if total_minor == 0 => {}
        None => return Err(MoneyError::NoShares),
    }
    Ok(shares)
}

#[cfg(test)]
mod tests;
