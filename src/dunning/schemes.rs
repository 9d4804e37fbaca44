//! How often the card schemes let a declined card be tried again.
//!
//! Merchants who ask more often pay for each attempt beyond. Counted are declines of one card, over
//! all invoices, which is at least as strict as the schemes, who count by card and amount.
//!
//! - Visa: 15 reattempts in 30 days after a decline of its categories 2 to 4 (Visa Core Rules, fee
//!   "excessive reattempts", since April 2021; 20 since May 2025 in most regions: we keep to the
//!   smaller), none after category 1.
//! - Mastercard: 10 in 24 hours and 35 in 30 days (Transaction Processing Excellence, 2022), none
//!   after merchant advice 03 and 21.
//! - American Express, Discover, Diners, JCB and UnionPay publish no such numbers; Visa's stand in.
//!
//! Declines that end all attempts are those of [`super::DeclineClass::Hard`].

use crate::calendar::Timestamp;
use crate::payment::CardBrand;

const DAY_SECONDS: i64 = 86_400;

/// A scheme's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// So many declined attempts …
    pub attempts: usize,
    /// … within so many seconds.
    pub window_seconds: i64,
}

const VISA: &[Limit] = &[Limit {
    attempts: 15,
    window_seconds: 30 * DAY_SECONDS,
}];
const MASTERCARD: &[Limit] = &[
    Limit {
        attempts: 10,
        window_seconds: DAY_SECONDS,
    },
    Limit {
        attempts: 35,
        window_seconds: 30 * DAY_SECONDS,
    },
];

/// The longest window of any scheme, in seconds.
pub const WINDOW_SECONDS_MAX: i64 = 30 * DAY_SECONDS;
/// The largest count of any scheme.
pub const ATTEMPTS_MAX: usize = 35;

/// The limits of a scheme.
#[must_use]
pub const fn limits(brand: CardBrand) -> &'static [Limit] {
    match brand {
        CardBrand::Mastercard => MASTERCARD,
        CardBrand::Visa
        | CardBrand::Amex
        | CardBrand::Diners
        | CardBrand::Discover
        | CardBrand::Jcb
        | CardBrand::Unionpay
        | CardBrand::Unknown => VISA,
    }
}

/// From when on a card may be tried again, if not at `now`; `declines` are those of the last 30 days,
/// newest first.
#[must_use]
pub fn barred_until(brand: CardBrand, declines: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let free = limits(brand).iter().filter_map(|limit| {
        // With the oldest of these gone from the window, one more fits.
        let oldest = declines.get(limit.attempts.checked_sub(1)?)?;
        let free = Timestamp(oldest.0.saturating_add(limit.window_seconds));
        (free > now).then_some(free)
    });
    free.max()
}

#[cfg(test)]
mod tests {
    //! The published numbers, one more and one less.
    use super::*;

    #[test]
    fn cards_rest_when_their_scheme_says_so() {
        const HOUR: i64 = 3_600;
        // (brand, declines, hours between them, hours after the newest, hours until it is free)
        for (brand, count, apart, after, free) in [
            (CardBrand::Visa, 14, 1, 0, None),
            (CardBrand::Visa, 15, 1, 0, Some(720 - 14)),
            (CardBrand::Visa, 15, 1, 706, None),
            (CardBrand::Visa, 20, 24, 0, Some(720 - 14 * 24)),
            (CardBrand::Mastercard, 9, 1, 0, None),
            (CardBrand::Mastercard, 10, 1, 0, Some(24 - 9)),
            (CardBrand::Mastercard, 10, 3, 0, None),
            (CardBrand::Mastercard, 35, 20, 0, Some(720 - 34 * 20)),
            (CardBrand::Amex, 15, 1, 0, Some(706)),
        ] {
            let newest = 1_000_000_000;
            let times = (0..count).map(|i: i64| Timestamp(newest - i * apart * HOUR));
            let declines: Vec<Timestamp> = times.collect();
            let now = Timestamp(newest + after * HOUR);
            let barred = barred_until(brand, &declines, now);
            let wanted = free.map(|hours| Timestamp(newest + hours * HOUR));
            assert_eq!(barred, wanted, "{brand:?} {count} {apart} {after}");
        }
        assert_eq!(barred_until(CardBrand::Visa, &[], Timestamp(0)), None);
    }
}
