//! What a promotion code does to a subscription that it is entered for.

use crate::currency::Currency;
use crate::discount::{Discount, DiscountError, PromotionCode, validate_list};
use crate::money::Money;
use crate::subscription::{Item, Subscription};

/// The subscription with what a code gives, on top of what the merchant gave.
///
/// A subscription has one code at a time: what an earlier code gave goes. (Stripe's portal says nothing about a second
/// code.)
///
/// # Errors
/// When the coupon is there already, or can't be given in the subscription's currency.
pub fn with_promotion(
    subscription: &Subscription,
    discount: &Discount,
) -> Result<Subscription, DiscountError> {
    let mut next = subscription.clone();
    next.discounts.retain(|own| own.promotion_code.is_none());
    next.discounts.push(discount.clone());
    validate_list(&next.discounts, next.currency)?;
    Ok(next)
}

/// What a code is redeemed for: one period of all that has an amount of its own, before discounts. `None` where that is
/// beyond what can be billed.
#[must_use]
pub fn purchase(items: &[Item], currency: Currency) -> Option<Money> {
    let own = items.iter().filter(|item| !item.price.is_metered());
    let minor = own.into_iter().try_fold(0_i64, |sum, item| {
        sum.checked_add(item.price.pricing.amount_minor(item.quantity).ok()?)
    })?;
    Some(Money::new(minor, currency))
}

/// The least that somebody must buy to redeem a code, where that is more than `purchase`.
#[must_use]
pub fn missed_minimum(code: &PromotionCode, purchase: Money) -> Option<Money> {
    let least = *code.minimum_amounts.get(&purchase.currency)?;
    (purchase.minor < least).then(|| Money::new(least, purchase.currency))
}
