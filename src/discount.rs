//! Coupons, and the discounts they become on a customer, a subscription or an item.

mod apply;
mod promotion;

pub use apply::apply;
pub use promotion::{CODE_CHARS_MAX, PromotionCode, Redemption, folded};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::{Cadence, CalendarError, Timestamp};
use crate::currency::Currency;
use crate::decimal::Decimal12;
use crate::id::{CouponId, DiscountId, ProductId, PromotionCodeId};
use crate::metadata::Metadata;

/// A reduction that can be given many times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// Chosen by the merchant, or 8 random characters.
    pub id: CouponId,
    /// Shown to customers on invoices.
    pub name: Option<String>,
    /// How much.
    pub off: Off,
    /// For how long.
    pub duration: Duration,
    /// The amounts off in other currencies, in minor units; only with an amount.
    #[serde(default)]
    pub currency_options: BTreeMap<Currency, i64>,
    /// Only these products; empty means all.
    pub applies_to: Vec<ProductId>,
    /// How often it may be redeemed in all.
    pub max_redemptions: Option<u32>,
    /// How often it was.
    pub times_redeemed: u32,
    /// Not after this.
    pub redeem_by: Option<Timestamp>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// A deleted coupon can't be redeemed; discounts made of it go on.
    pub deleted: bool,
}

/// How much is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// Above 0, at most 100.
    Percent(Decimal12),
    /// A positive amount, spread over the lines by weight.
    Amount {
        /// Minor units.
        amount_minor: i64,
        /// Only invoices in this currency.
        currency: Currency,
    },
}

/// How long a discount lasts once given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duration {
    /// The next invoice only.
    Once,
    /// Every invoice in a window of months from the first application.
    Repeating {
        /// At least 1.
        months: u16,
    },
    /// Every invoice.
    Forever,
}

/// A coupon given to one customer, subscription or item. It carries the coupon's terms, which can't
/// change, so that deleting the coupon leaves it whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// `di_…`
    pub id: DiscountId,
    /// The coupon as it was given.
    pub coupon: Coupon,
    /// The code that the customer typed, if any.
    pub promotion_code: Option<PromotionCodeId>,
    /// From when it applies.
    pub start: Timestamp,
    /// Until when (exclusive): set for a repeating coupon.
    pub end: Option<Timestamp>,
}

/// The most discounts on one object (Stripe: 20).
pub const DISCOUNTS_MAX: usize = 20;

/// The longest window of a repeating coupon, in months.
pub const REPEATING_MONTHS_MAX: u16 = 120;
/// The longest name of a coupon, in characters (Stripe: 40).
pub const COUPON_NAME_CHARS_MAX: usize = 40;

/// Why a coupon or a list of discounts was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscountError {
    /// Not above 0 and at most 100.
    #[error("percent_off must be above 0 and at most 100")]
    PercentOutOfRange,
    /// Not positive.
    #[error("amount_off must be a positive amount in minor units")]
    AmountNotPositive,
    /// No months, or too many.
    #[error("duration_in_months must be between 1 and 120")]
    MonthsOutOfRange,
    /// A limit of nothing.
    #[error("max_redemptions must be at least 1")]
    NoRedemptions,
    /// More than 40 characters.
    #[error("name can have at most 40 characters")]
    NameTooLong,
    /// It was deleted.
    #[error("this coupon no longer exists")]
    Deleted,
    /// `redeem_by` has passed.
    #[error("this coupon has expired")]
    Expired,
    /// It was given as often as it may be.
    #[error("this coupon has been used up")]
    UsedUp,
    /// An amount in another currency.
    #[error("this coupon takes off an amount in another currency")]
    CurrencyMismatch,
    /// The code was switched off.
    #[error("this promotion code is not active")]
    CodeInactive,
    /// The code's `expires_at` has passed.
    #[error("this promotion code has expired")]
    CodeExpired,
    /// The code was redeemed as often as it may be.
    #[error("this promotion code has been used up")]
    CodeUsedUp,
    /// It was made for somebody else.
    #[error("this promotion code can't be redeemed by this customer")]
    CodeOfAnother,
    /// The customer has paid before.
    #[error(
        "this promotion code is for a customer's first purchase, and this customer has paid before"
    )]
    CodeNotFirst,
    /// Too small a purchase.
    #[error("the purchase is below the minimum amount of this promotion code")]
    CodeBelowMinimum,
    /// A code with a minimum where there is no purchase to measure.
    #[error("a promotion code with a minimum amount can't be used here")]
    CodeNeedsPurchase,
    /// More than [`DISCOUNTS_MAX`].
    #[error("discounts can have at most 20 entries")]
    TooMany,
    /// The same coupon twice on one object.
    #[error("the same coupon can be given only once here")]
    Duplicate,
    /// The end of its window is not a date.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

impl DiscountError {
    /// The parameter of the API that is at fault.
    #[must_use]
    pub const fn param(&self) -> &'static str {
        match self {
            Self::PercentOutOfRange => "percent_off",
            Self::AmountNotPositive => "amount_off",
            Self::MonthsOutOfRange => "duration_in_months",
            Self::NoRedemptions => "max_redemptions",
            Self::NameTooLong => "name",
            Self::Deleted | Self::Expired | Self::UsedUp | Self::CurrencyMismatch => "coupon",
            Self::CodeInactive
            | Self::CodeExpired
            | Self::CodeUsedUp
            | Self::CodeOfAnother
            | Self::CodeNotFirst
            | Self::CodeBelowMinimum
            | Self::CodeNeedsPurchase => "promotion_code",
            Self::TooMany | Self::Duplicate | Self::Calendar(_) => "discounts",
        }
    }
}

impl Coupon {
    /// Checks the terms of a new coupon.
    ///
    /// # Errors
    /// Names the first term that can't stand.
    pub fn validate(&self) -> Result<(), DiscountError> {
        match self.off {
            Off::Percent(percent) => {
                if percent <= Decimal12::ZERO || percent > Decimal12::from_integer(100) {
                    return Err(DiscountError::PercentOutOfRange);
                }
            }
            Off::Amount { amount_minor, .. } if amount_minor <= 0 => {
                return Err(DiscountError::AmountNotPositive);
            }
            Off::Amount { .. } => {}
        }
        if let Duration::Repeating { months } = self.duration
            && !(1..=REPEATING_MONTHS_MAX).contains(&months)
        {
            return Err(DiscountError::MonthsOutOfRange);
        }
        if self.max_redemptions == Some(0) {
            return Err(DiscountError::NoRedemptions);
        }
        if self
            .name
            .as_ref()
            .is_some_and(|name| name.chars().count() > COUPON_NAME_CHARS_MAX)
        {
            return Err(DiscountError::NameTooLong);
        }
        Ok(())
    }

    /// Whether it can be given to somebody at `at`: Stripe's `valid`.
    ///
    /// # Errors
    /// Says why not.
    pub fn redeemable(&self, at: Timestamp) -> Result<(), DiscountError> {
        if self.deleted {
            return Err(DiscountError::Deleted);
        }
        if self.redeem_by.is_some_and(|last| at > last) {
            return Err(DiscountError::Expired);
        }
        if self
            .max_redemptions
            .is_some_and(|max| self.times_redeemed >= max)
        {
            return Err(DiscountError::UsedUp);
        }
        Ok(())
    }

    /// Whether it takes anything off amounts in `currency`.
    #[must_use]
    pub fn fits(&self, currency: Currency) -> bool {
        match self.off {
            Off::Percent(_) => true,
            Off::Amount { .. } => self.amount_off(currency).is_some(),
        }
    }

    /// What it takes off in `currency`, in minor units, if it is an amount.
    #[must_use]
    pub fn amount_off(&self, currency: Currency) -> Option<i64> {
        match self.off {
            Off::Amount {
                amount_minor,
                currency: own,
            } if own == currency => Some(amount_minor),
            Off::Amount { .. } => self.currency_options.get(&currency).copied(),
            Off::Percent(_) => None,
        }
    }

    /// Whether it takes anything off a line of `product`.
    #[must_use]
    pub fn covers(&self, product: Option<&ProductId>) -> bool {
        self.applies_to.is_empty()
            || product.is_some_and(|product| self.applies_to.contains(product))
    }
}

impl Discount {
    /// Gives a coupon from `start` on. A repeating one ends after its months, counted as the billing
    /// calendar counts them: from January 31, one month ends on February 28.
    ///
    /// # Errors
    /// When the end is beyond the calendar.
    pub fn new(
        id: DiscountId,
        coupon: Coupon,
        promotion_code: Option<PromotionCodeId>,
        start: Timestamp,
    ) -> Result<Self, DiscountError> {
        let end = match coupon.duration {
            Duration::Repeating { months } => {
                Some(Cadence::MONTHLY.boundary(start, i64::from(months))?)
            }
            Duration::Once | Duration::Forever => None,
        };
        Ok(Self {
            id,
            coupon,
            promotion_code,
            start,
            end,
        })
    }

    /// Whether it applies to what is billed at `t`.
    #[must_use]
    pub fn active_at(&self, t: Timestamp) -> bool {
        self.start <= t && self.end.is_none_or(|end| t < end)
    }

    /// Whether it is spent by one invoice.
    #[must_use]
    pub fn is_once(&self) -> bool {
        self.coupon.duration == Duration::Once
    }
}

/// Removes the discounts of duration `once` that an invoice used up. Called when that is finalised.
pub fn consume_once(discounts: &mut Vec<Discount>, used: &[DiscountId]) {
    discounts.retain(|discount| !(discount.is_once() && used.contains(&discount.id)));
}

/// Checks a whole list for one object: at most [`DISCOUNTS_MAX`], no coupon twice, amounts in
/// `currency`.
///
/// # Errors
/// Names the first rule that is broken.
pub fn validate_list(discounts: &[Discount], currency: Currency) -> Result<(), DiscountError> {
    if discounts.len() > DISCOUNTS_MAX {
        return Err(DiscountError::TooMany);
    }
    for (index, discount) in discounts.iter().enumerate() {
        if !discount.coupon.fits(currency) {
            return Err(DiscountError::CurrencyMismatch);
        }
        if discounts
            .iter()
            .take(index)
            .any(|other| other.coupon.id == discount.coupon.id)
        {
            return Err(DiscountError::Duplicate);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
