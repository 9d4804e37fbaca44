//! Coupons, and the discounts they become on a customer, a subscription or an item.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
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
