//! Promotion codes that customers enter themselves.

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::discount::{Coupon, Discount, DiscountError, PromotionCode, Redemption};
use perennial::id::{DiscountId, PromotionCodeId};
use perennial::invoice::Invoice;
use perennial::money::Money;
use perennial::quote::{missed_minimum, purchase, with_promotion};
use perennial::subscription::{ItemChange, Subscription, apply_changes};

use super::changes::Ground;
use super::choices::{Asked, Choices, DiscountChoice, Recipient};
use super::{Engine, Refused};
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, nouns};

/// How many of a customer's invoices are looked at for a code that was used before.
const INVOICES_LOOKED_AT: u32 = 100;

/// What a code would give.
#[derive(Clone, Debug)]
pub struct Promotion {
    /// The code.
    pub code: PromotionCode,
    /// What it gives to the subscription.
    pub discount: Discount,
}

/// Why a code gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPromotion {
    /// There is no such code, or not for this customer.
    Unknown,
    /// It is not valid any more.
    Expired,
    /// Others have used it up.
    UsedUp,
    /// This customer has used it before.
    UsedBefore,
    /// It is for a first purchase.
    FirstOnly,
    /// The customer has a discount that would be lost with it.
    NotTogether,
    /// It takes nothing off what is subscribed to.
    NotCovered,
    /// It wants a larger purchase.
    BelowMinimum(Money),
}

impl Engine {
    /// What a code, as typed, would give to a subscription from `now` on. It is redeemed only when a quote with it is confirmed.
    ///
    /// A customer can enter a code once: what it gave stands on one of their last invoices then. (Stripe leaves this to
    /// `max_redemptions`, which counts all customers together, so that a merchant could not let each use a code once.)
    ///
    /// # Errors
    /// When the database fails.
    pub async fn promotion(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        customer: &Customer,
        typed: &str,
        now: Timestamp,
    ) -> Result<Result<Promotion, NoPromotion>, Refused> {
        let Some(code) = self.typed_code(scope, typed, customer).await? else {
            return Ok(Err(NoPromotion::Unknown));
        };
        let mut connection = self.store.read().await?;
        let coupon: Option<Stored<Coupon>> =
            document::load(&mut connection, scope, code.coupon.as_str()).await?;
        drop(connection);
        let Some(coupon) = coupon else {
            return Ok(Err(NoPromotion::Unknown));
        };
        let redemption = Redemption {
            customer: &customer.id,
            has_paid: code.first_time_transaction && self.has_paid(scope, &customer.id).await?,
            // Whether it is enough is asked again when it is known what is bought.
            purchase: Some((subscription.currency, i64::MAX)),
            at: now,
        };
        let valid = code
            .redeemable(&redemption)
            .and_then(|()| coupon.redeemable(now));
        if let Err(error) = valid {
            return Ok(Err(reason(&error)));
        }
        if self
            .has_used(scope, subscription, customer, &code.id)
            .await?
        {
            return Ok(Err(NoPromotion::UsedBefore));
        }
        if subscription.discounts.is_empty()
            && let Some(own) = &customer.discount
            && own.active_at(now)
        {
            return Ok(Err(NoPromotion::NotTogether));
        }
        let id = DiscountId::new(&mut self.ids());
        let discount = Discount::new(id, coupon.value, Some(code.id.clone()), now);
        let given = discount.and_then(|discount| {
            with_promotion(subscription, &discount)?;
            Ok(Promotion {
                code: code.value,
                discount,
            })
        });
        Ok(given.map_err(|error| reason(&error)))
    }

    /// Whether a code has given something to a customer before, or gives it now.
    async fn has_used(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        customer: &Customer,
        code: &PromotionCodeId,
    ) -> Result<bool, Refused> {
        let of_code = |discount: &Discount| discount.promotion_code.as_ref() == Some(code);
        if subscription.discounts.iter().any(of_code) {
            return Ok(true);
        }
        let mut connection = self.store.read().await?;
        let page = PageRequest::first(INVOICES_LOOKED_AT);
        let filter = [Column::text(&customer.id)];
        let sql = nouns::INVOICES_BY_CUSTOMER_FINAL;
        let newest: document::Page<Invoice> =
            document::list(&mut connection, scope, sql, &page, &filter).await?;
        Ok(newest
            .rows
            .iter()
            .any(|invoice| invoice.discounts.iter().any(of_code)))
    }

    /// Redeems the code of a quote that is being confirmed.
    pub(crate) async fn redeem(
        &self,
        scope: &Scope,
        ground: &Ground,
        changes: &[ItemChange],
        discount: &Discount,
    ) -> Result<Choices, Refused> {
        let Some(code) = &discount.promotion_code else {
            return Err(Refused::Stale);
        };
        let choice = DiscountChoice::PromotionCode(code.clone());
        let asked = Asked {
            discounts: vec![&choice],
            ..Asked::default()
        };
        let to = Recipient {
            customer: ground.customer.id.clone(),
            purchase: bought(&ground.subscription, changes, self.now())
                .map(|bought| (bought.currency, bought.minor)),
        };
        let mut choices = self.choices(scope, &ground.customer.id, &asked).await?;
        let given = choices.discounts(self, &[], &[choice], &to, self.now(), "promotion_code");
        match given {
            Ok(_) => Ok(choices),
            // It could be redeemed when it was quoted.
            Err(Refused::Invalid { .. } | Refused::NotFound { .. }) => Err(Refused::Stale),
            Err(refused) => Err(refused),
        }
    }
}

/// What is bought with a change: one period of what is subscribed to afterwards.
fn bought(subscription: &Subscription, changes: &[ItemChange], at: Timestamp) -> Option<Money> {
    let after = apply_changes(subscription, changes, at).ok()?;
    purchase(&after.items, subscription.currency)
}

impl Promotion {
    /// Whether it can be redeemed together with these changes.
    ///
    /// # Errors
    /// Says why not.
    pub fn fits(
        &self,
        subscription: &Subscription,
        changes: &[ItemChange],
        at: Timestamp,
    ) -> Result<(), NoPromotion> {
        // What can't be computed is refused where the change itself is.
        let Ok(after) = apply_changes(subscription, changes, at) else {
            return Ok(());
        };
        let coupon = &self.discount.coupon;
        if !after
            .items
            .iter()
            .any(|item| coupon.covers(Some(&item.price.product)))
        {
            return Err(NoPromotion::NotCovered);
        }
        let bought = purchase(&after.items, subscription.currency);
        match bought.and_then(|bought| missed_minimum(&self.code, bought)) {
            Some(least) => Err(NoPromotion::BelowMinimum(least)),
            None => Ok(()),
        }
    }
}

fn reason(error: &DiscountError) -> NoPromotion {
    match error {
        DiscountError::Expired | DiscountError::CodeExpired => NoPromotion::Expired,
        DiscountError::UsedUp | DiscountError::CodeUsedUp => NoPromotion::UsedUp,
        DiscountError::CodeNotFirst => NoPromotion::FirstOnly,
        DiscountError::Duplicate | DiscountError::TooMany => NoPromotion::NotTogether,
        DiscountError::CurrencyMismatch => NoPromotion::NotCovered,
        // Whom another code is for is nobody's business.
        _ => NoPromotion::Unknown,
    }
}
