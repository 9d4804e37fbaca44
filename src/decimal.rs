//! Fixed-point decimals with twelve places: Stripe's `*_decimal` fields, and percentages.

use crate::ratio::Ratio;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many decimal places are kept, as many as Stripe accepts in `unit_amount_decimal`.
pub const MAX_PLACES: usize = 12;

/// The longest text that is read: a sign, 19 digits, a point and 12 digits, with room for zeros.
const MAX_TEXT_BYTES: usize = 64;

const ONE_SCALED: i128 = 1_000_000_000_000;

/// A decimal number with up to 12 places whose whole part fits `i64`.
///
/// A price in it counts minor units (`"0.05"` is a twentieth of a cent); a percentage counts percent
/// (`"12.5"`). Reads and writes as a string, in the shortest form. Ordered by value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal12(i128);

/// Why a text is not a decimal number that can be kept exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Something other than digits, one point between digits, and a leading minus sign.
    #[error("not a decimal number such as 12.5")]
    Malformed,
    /// More than 12 digits after the point.
    #[error("more than 12 decimal places")]
    TooManyPlaces,
    /// The whole part does not fit 64 bits.
    #[error("the number is too large")]
    OutOfRange,
}

impl Decimal12 {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The lowest value, a whole number.
    pub const MIN: Self = Self(i64::MIN as i128 * ONE_SCALED);
    /// The highest value, a whole number.
    pub const MAX: Self = Self(i64::MAX as i128 * ONE_SCALED);

    /// Reads `"12"`, `"-1"`, `"0.05"`: digits, then perhaps a point and 1 to 12 digits.
    /// No plus sign, exponent, grouping, or space.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(DecimalError::OutOfRange);
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, places) = match unsigned.split_once('.') {
            Some((whole, places)) => (whole, Some(places)),
            None => (unsigned, None),
        };
        if !is_digits(whole) || places.is_some_and(|places| !is_digits(places)) {
            return Err(DecimalError::Malformed);
        }
        let places = places.unwrap_or_default();
        if places.len() > MAX_PLACES {
            return Err(DecimalError::TooManyPlaces);
        }
        let padding = core::iter::repeat_n(b'0', MAX_PLACES - places.len());
        let mut scaled = 0_i128;
        for digit in whole.bytes().chain(places.bytes()).chain(padding) {
            let shifted = scaled.checked_mul(10);
            let next = shifted.and_then(|value| value.checked_add(i128::from(digit - b'0')));
            scaled = next.ok_or(DecimalError::OutOfRange)?;
        }
        Self::from_scaled(if negative { -scaled } else { scaled })
    }

    /// A whole number.
    pub const fn from_integer(value: i64) -> Self {
        Self(value as i128 * ONE_SCALED)
    }

    /// The value times 10^12 as a whole number; refuses what lies beyond `MIN..=MAX`.
    pub fn from_scaled(scaled: i128) -> Result<Self, DecimalError> {
        let value = Self(scaled);
        if value < Self::MIN || value > Self::MAX {
            return Err(DecimalError::OutOfRange);
        }
        Ok(value)
    }

    /// The value times 10^12, a whole number.
    pub const fn scaled(self) -> i128 {
        self.0
    }

    /// The value if it is a whole number, else nothing. Stripe's `unit_amount` beside
    /// `unit_amount_decimal`.
    pub fn to_integer(self) -> Option<i64> {
        if self.0 % ONE_SCALED != 0 {
            return None;
        }
        i64::try_from(self.0 / ONE_SCALED).ok()
    }

    /// The same value as a fraction.
    pub fn to_ratio(self) -> Ratio {
        // The denominator is a constant and the numerator is bounded, so this cannot fail.
        Ratio::new(self.0, ONE_SCALED).unwrap_or(Ratio::ZERO)
    }

    /// Whether the value is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether the value is exactly zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// How many places the shortest form has: 0 for `12`, 1 for `12.5`.
    pub fn places(self) -> usize {
        let mut part = self.0 % ONE_SCALED;
        let mut places = MAX_PLACES;
        while places > 0 && part % 10 == 0 {
            part /= 10;
            places -= 1;
        }
        places
    }
}

impl fmt::Display for Decimal12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, scaled) = (ONE_SCALED.unsigned_abs(), self.0.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", scaled / one)?;
        let places = self.places();
        if places == 0 {
            return Ok(());
        }
        let digits = format!("{:012}", scaled % one);
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for Decimal12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::str::FromStr for Decimal12 {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text)
    }
}

impl Serialize for Decimal12 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal12 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
