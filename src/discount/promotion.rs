//! Promotion codes: what customers type to get a coupon, and who may.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Coupon, DiscountError};
use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::id::{CouponId, CustomerId, PromotionCodeId};
use crate::metadata::Metadata;

/// The longest code, in characters (Stripe: 500).
pub const CODE_CHARS_MAX: usize = 500;

/// A code that gives a coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionCode {
    /// `promo_…`
    pub id: PromotionCodeId,
    /// What customers type, as the merchant writes it; upper and lower case are the same.
    pub code: String,
    /// What it gives.
    pub coupon: CouponId,
    /// Switched off by the merchant, or for good once it can't be redeemed any more.
    pub active: bool,
    /// Only this customer.
    pub customer: Option<CustomerId>,
    /// Not from then on.
    pub expires_at: Option<Timestamp>,
    /// How often in all.
    pub max_redemptions: Option<u32>,
    /// How often it was.
    pub times_redeemed: u32,
    /// Only customers who have never paid.
    pub first_time_transaction: bool,
    /// The least purchase, in minor units, by currency; empty means any.
    pub minimum_amounts: BTreeMap<Currency, i64>,
    /// The currency of Stripe's `minimum_amount`, among those of `minimum_amounts`.
    pub minimum_amount_currency: Option<Currency>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
}

/// Who wants to redeem a code, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redemption<'a> {
    /// Who.
    pub customer: &'a CustomerId,
    /// Whether they have paid before.
    pub has_paid: bool,
    /// What it is redeemed for: the currency and the amount before any discount, in minor units.
    /// `None` where there is no purchase to measure; codes with a minimum are refused then.
    pub purchase: Option<(Currency, i64)>,
    /// When.
    pub at: Timestamp,
}

impl PromotionCode {
    /// The code as it is compared: without regard to case.
    #[must_use]
    pub fn folded(&self) -> String {
        folded(&self.code)
    }

    /// Whether it can still be redeemed by anybody at `at`: what Stripe shows as `active`.
    #[must_use]
    pub fn is_live(&self, coupon: &Coupon, at: Timestamp) -> bool {
        self.standing(at).is_ok() && coupon.redeemable(at).is_ok()
    }

    fn standing(&self, at: Timestamp) -> Result<(), DiscountError> {
        if !self.active {
            return Err(DiscountError::CodeInactive);
        }
        if self.expires_at.is_some_and(|end| at >= end) {
            return Err(DiscountError::CodeExpired);
        }
        if self
            .max_redemptions
            .is_some_and(|most| self.times_redeemed >= most)
        {
            return Err(DiscountError::CodeUsedUp);
        }
        Ok(())
    }

    /// Whether somebody may redeem it now. The coupon behind it has rules of its own
    /// ([`Coupon::redeemable`]).
    ///
    /// # Errors
    /// Says why not.
    pub fn redeemable(&self, redemption: &Redemption<'_>) -> Result<(), DiscountError> {
        self.standing(redemption.at)?;
        if self
            .customer
            .as_ref()
            .is_some_and(|own| own != redemption.customer)
        {
            return Err(DiscountError::CodeOfAnother);
        }
        if self.first_time_transaction && redemption.has_paid {
            return Err(DiscountError::CodeNotFirst);
        }
        if self.minimum_amounts.is_empty() {
            return Ok(());
        }
        let (currency, amount_minor) = redemption
            .purchase
            .ok_or(DiscountError::CodeNeedsPurchase)?;
        let least = self.minimum_amounts.get(&currency);
        match least {
            Some(least) if amount_minor >= *least => Ok(()),
            Some(_) => Err(DiscountError::CodeBelowMinimum),
            None => Err(DiscountError::CurrencyMismatch),
        }
    }
}

/// A code as it is compared: without regard to case or the blanks around it.
#[must_use]
pub fn folded(code: &str) -> String {
    code.trim().to_lowercase()
}
