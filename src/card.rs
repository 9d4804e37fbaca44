//! Card details as people type them: reading, checking, and telling brands apart.
//!
//! The browser checks with these functions before it sends, the server again before it believes.
//! Nothing here is kept: a [`CardNumber`] lives for one request and prints as its last four digits.

use core::fmt;

use crate::calendar::Timestamp;
use crate::payment::CardBrand;

/// The fewest digits of any card number (ISO/IEC 7812).
const DIGITS_MIN: usize = 12;
/// The most digits of any card number (ISO/IEC 7812).
pub const DIGITS_MAX: usize = 19;
/// The longest text that is looked at, in bytes: digits, separators, and a little patience.
const TEXT_BYTES_MAX: usize = 64;
/// No bank issues cards for longer (Stripe refuses them too).
const YEARS_AHEAD_MAX: i64 = 50;

/// A card number that has the right digits for its brand. Never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct CardNumber(String);

impl CardNumber {
    /// Reads a number with spaces or hyphens between its digits.
    ///
    /// # Errors
    /// [`CardFault::NumberMissing`], [`CardFault::NumberInvalid`] (not digits, or a length that the
    /// brand doesn't have) or [`CardFault::NumberIncorrect`] (the check digit is wrong).
    pub fn parse(text: &str) -> Result<Self, CardFault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CardFault::NumberInvalid);
        }
        let digits = digits_of(text).ok_or(CardFault::NumberInvalid)?;
        if digits.is_empty() {
            return Err(CardFault::NumberMissing);
        }
        if !brand(&digits).lengths().contains(&digits.len()) {
            return Err(CardFault::NumberInvalid);
        }
        if !luhn(&digits) {
            return Err(CardFault::NumberIncorrect);
        }
        Ok(Self(digits))
    }

    /// The digits alone.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The last four digits, which may be kept and shown.
    #[must_use]
    pub fn last4(&self) -> &str {
        let from = self.0.len().saturating_sub(4);
        self.0.get(from..).unwrap_or_default()
    }

    /// The scheme.
    #[must_use]
    pub fn brand(&self) -> CardBrand {
        brand(&self.0)
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardNumber(…{})", self.last4())
    }
}

/// The month in which a card can be used for the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// Four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

impl Expiry {
    /// Reads `MM/YY`, `MM / YYYY`, `MMYY` and their kin; a two-digit year is of this century.
    ///
    /// # Errors
    /// [`CardFault::ExpiryMissing`], [`CardFault::MonthInvalid`] or [`CardFault::YearInvalid`].
    pub fn parse(text: &str) -> Result<Self, CardFault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CardFault::YearInvalid);
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if text.is_empty() {
            return Err(CardFault::ExpiryMissing);
        }
        let (month, year) = match text.split_once(['/', '-', '.']) {
            Some(parts) => parts,
            None => split_unseparated(&text).ok_or(CardFault::ExpiryMissing)?,
        };
        let month = small_number(month, 2).ok_or(CardFault::MonthInvalid)?;
        let year = match (year.len(), small_number(year, 4)) {
            (0, _) => return Err(CardFault::ExpiryMissing),
            (2, Some(short)) => short.saturating_add(2000),
            (4, Some(full)) => full,
            _ => return Err(CardFault::YearInvalid),
        };
        Self::new(i64::from(month), i64::from(year))
    }

    /// From numbers, as an API gets them; a year below 100 is of this century.
    ///
    /// # Errors
    /// [`CardFault::MonthInvalid`] or [`CardFault::YearInvalid`].
    pub fn new(month: i64, year: i64) -> Result<Self, CardFault> {
        let year = if (0..100).contains(&year) {
            year + 2000
        } else {
            year
        };
        let month = u8::try_from(month)
            .ok()
            .filter(|month| (1..=12).contains(month));
        let year = u16::try_from(year)
            .ok()
            .filter(|year| (1970..=9999).contains(year));
        Ok(Self {
            month: month.ok_or(CardFault::MonthInvalid)?,
            year: year.ok_or(CardFault::YearInvalid)?,
        })
    }

    /// Whether the card can still be used at `now`: through the end of its month, in UTC.
    ///
    /// # Errors
    /// [`CardFault::YearPast`] or [`CardFault::MonthPast`], whichever part lies in the past, and
    /// [`CardFault::YearInvalid`] if it is more than 50 years ahead.
    pub fn check(self, now: Timestamp) -> Result<(), CardFault> {
        let today = now.civil();
        let year = i64::from(self.year);
        if year < today.year {
            return Err(CardFault::YearPast);
        }
        if year == today.year && self.month < today.month {
            return Err(CardFault::MonthPast);
        }
        if year > today.year.saturating_add(YEARS_AHEAD_MAX) {
            return Err(CardFault::YearInvalid);
        }
        Ok(())
    }
}

/// Checks the security code of a card of this brand, which may be 3 or 4 digits long.
///
/// # Errors
/// [`CardFault::CvcMissing`] or [`CardFault::CvcInvalid`].
pub fn check_cvc(cvc: &str, brand: CardBrand) -> Result<(), CardFault> {
    let cvc = cvc.trim();
    if cvc.is_empty() {
        return Err(CardFault::CvcMissing);
    }
    let digits = cvc.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !brand.cvc_lengths().contains(&cvc.len()) {
        return Err(CardFault::CvcInvalid);
    }
    Ok(())
}

/// Card details that may be sent on. `Debug` shows no digit beyond the last four.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedCard {
    /// With a right check digit.
    pub number: CardNumber,
    /// Not over yet.
    pub expiry: Expiry,
}

/// Reads and checks a card as typed at `now`, so that a form can show every fault at once.
///
/// # Errors
/// All faults, at most one for each field, in the order of the form.
pub fn check(
    number: &str,
    expiry: &str,
    cvc: &str,
    now: Timestamp,
) -> Result<CheckedCard, Vec<CardFault>> {
    let number_read = CardNumber::parse(number);
    let expiry = Expiry::parse(expiry).and_then(|expiry| expiry.check(now).map(|()| expiry));
    // A broken number still says how long the code should be.
    let brand = digits_of(number).map_or(CardBrand::Unknown, |digits| brand(&digits));
    let cvc = check_cvc(cvc, brand);
    match (number_read, expiry, cvc) {
        (Ok(number), Ok(expiry), Ok(())) => Ok(CheckedCard { number, expiry }),
        (number, expiry, cvc) => Err([number.err(), expiry.err(), cvc.err()]
            .into_iter()
            .flatten()
            .collect()),
    }
}

/// What is wrong with card details. The texts are Stripe's; pages have their own in each language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CardFault {
    /// No number at all.
    #[error("Your card number is incomplete.")]
    NumberMissing,
    /// Not digits, or not a number of digits that cards have.
    #[error("The card number is not a valid credit card number.")]
    NumberInvalid,
    /// The check digit is wrong: a slip of the finger.
    #[error("Your card number is incorrect.")]
    NumberIncorrect,
    /// No expiry at all, or half of it.
    #[error("Your card's expiration date is incomplete.")]
    ExpiryMissing,
    /// Not a month.
    #[error("Your card's expiration month is invalid.")]
    MonthInvalid,
    /// A month of this year that is over.
    #[error("Your card's expiration month is invalid.")]
    MonthPast,
    /// Not a year, or too far ahead.
    #[error("Your card's expiration year is invalid.")]
    YearInvalid,
    /// A year that is over.
    #[error("Your card's expiration year is invalid.")]
    YearPast,
    /// No security code.
    #[error("Your card's security code is incomplete.")]
    CvcMissing,
    /// Not 3 or 4 digits, as the brand has it.
    #[error("Your card's security code is invalid.")]
    CvcInvalid,
}

/// The part of a card form that a fault belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardField {
    /// The number.
    Number,
    /// Month and year.
    Expiry,
    /// The security code.
    Cvc,
}

impl CardFault {
    /// Where to show it.
    #[must_use]
    pub const fn field(self) -> CardField {
        match self {
            Self::NumberMissing | Self::NumberInvalid | Self::NumberIncorrect => CardField::Number,
            Self::ExpiryMissing
            | Self::MonthInvalid
            | Self::MonthPast
            | Self::YearInvalid
            | Self::YearPast => CardField::Expiry,
            Self::CvcMissing | Self::CvcInvalid => CardField::Cvc,
        }
    }

    /// The parameter's name in the API, inside `card`.
    #[must_use]
    pub const fn param(self) -> &'static str {
        match self {
            Self::NumberMissing | Self::NumberInvalid | Self::NumberIncorrect => "number",
            Self::ExpiryMissing | Self::MonthInvalid | Self::MonthPast => "exp_month",
            Self::YearInvalid | Self::YearPast => "exp_year",
            Self::CvcMissing | Self::CvcInvalid => "cvc",
        }
    }

    /// Stripe's error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NumberMissing => "incomplete_number",
            Self::NumberInvalid => "invalid_number",
            Self::NumberIncorrect => "incorrect_number",
            Self::ExpiryMissing => "incomplete_expiry",
            Self::MonthInvalid | Self::MonthPast => "invalid_expiry_month",
            Self::YearInvalid | Self::YearPast => "invalid_expiry_year",
            Self::CvcMissing => "incomplete_cvc",
            Self::CvcInvalid => "invalid_cvc",
        }
    }
}

/// The scheme that a number, or the beginning of one, belongs to.
#[must_use]
pub fn brand(digits: &str) -> CardBrand {
    // The first four digits, with zeros for those not typed yet, and how many were typed.
    let mut head = 0_u32;
    let mut typed = 0_usize;
    for place in 0..4 {
        let digit = digits
            .as_bytes()
            .get(place)
            .filter(|byte| byte.is_ascii_digit());
        head = head * 10 + digit.map_or(0, |byte| u32::from(byte - b'0'));
        typed += usize::from(digit.is_some() && typed == place);
    }
    let range = RANGES
        .iter()
        .find(|range| typed >= range.digits && range.first <= head && head <= range.last);
    range.map_or(CardBrand::Unknown, |range| range.brand)
}

/// A range of first four digits; `digits` of them must be known to tell.
struct Range {
    first: u32,
    last: u32,
    digits: usize,
    brand: CardBrand,
}

const fn range(first: u32, last: u32, digits: usize, brand: CardBrand) -> Range {
    Range {
        first,
        last,
        digits,
        brand,
    }
}

/// The issuer ranges that the schemes publish.
const RANGES: &[Range] = &[
    range(4000, 4999, 1, CardBrand::Visa),
    range(5100, 5599, 2, CardBrand::Mastercard),
    range(2221, 2720, 4, CardBrand::Mastercard),
    range(3400, 3499, 2, CardBrand::Amex),
    range(3700, 3799, 2, CardBrand::Amex),
    range(3000, 3059, 3, CardBrand::Diners),
    range(3095, 3095, 4, CardBrand::Diners),
    range(3600, 3699, 2, CardBrand::Diners),
    range(3800, 3999, 2, CardBrand::Diners),
    range(3528, 3589, 4, CardBrand::Jcb),
    range(6011, 6011, 4, CardBrand::Discover),
    range(6440, 6499, 3, CardBrand::Discover),
    range(6500, 6599, 2, CardBrand::Discover),
    range(6200, 6299, 2, CardBrand::Unionpay),
    range(8100, 8199, 2, CardBrand::Unionpay),
];

impl CardBrand {
    /// How many digits its numbers may have.
    #[must_use]
    pub const fn lengths(self) -> core::ops::RangeInclusive<usize> {
        match self {
            Self::Amex => 15..=15,
            Self::Mastercard => 16..=16,
            Self::Visa => 13..=DIGITS_MAX,
            Self::Diners => 14..=DIGITS_MAX,
            Self::Discover | Self::Jcb | Self::Unionpay => 16..=DIGITS_MAX,
            Self::Unknown => DIGITS_MIN..=DIGITS_MAX,
        }
    }

    /// How many digits its security code may have.
    #[must_use]
    pub const fn cvc_lengths(self) -> core::ops::RangeInclusive<usize> {
        match self {
            Self::Amex => 4..=4,
            Self::Unknown => 3..=4,
            _ => 3..=3,
        }
    }
}

/// Groups the digits of a number, or of the beginning of one, as they stand on the card.
#[must_use]
pub fn grouped(digits: &str) -> String {
    let ends: &[usize] = match brand(digits) {
        CardBrand::Amex => &[4, 10],
        CardBrand::Diners if digits.len() <= 14 => &[4, 10],
        _ => &[4, 8, 12, 16],
    };
    let mut text = String::with_capacity(digits.len() + ends.len());
    for (place, digit) in digits.chars().enumerate() {
        if ends.contains(&place) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The Luhn check of ISO/IEC 7812-1, annex B. False for an empty text and for anything but digits.
#[must_use]
pub fn luhn(digits: &str) -> bool {
    let mut sum = 0_u32;
    for (place, byte) in digits.bytes().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return false;
        }
        let digit = u32::from(byte - b'0');
        let doubled = if place % 2 == 1 { digit * 2 } else { digit };
        // At most 9 for each of the few digits that anybody sends.
        sum = sum.saturating_add(doubled / 10 + doubled % 10);
    }
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// The digits of a text that has nothing but digits, spaces of any kind and hyphens.
fn digits_of(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(DIGITS_MAX);
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
        } else if !c.is_whitespace() && c != '-' {
            return None;
        }
    }
    Some(digits)
}

/// `1229` and `122029` are month and year; `129` could be two things and is neither.
fn split_unseparated(text: &str) -> Option<(&str, &str)> {
    if !matches!(text.len(), 4 | 6) {
        return None;
    }
    text.split_at_checked(2)
}

fn small_number(text: &str, digits_max: usize) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || text.len() > digits_max || !plain {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests;
