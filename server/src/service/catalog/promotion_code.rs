//! Promotion codes.

use std::collections::BTreeMap;

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::discount::{CODE_CHARS_MAX, Coupon, PromotionCode, folded};
use perennial::id::{CouponId, CustomerId, PromotionCodeId, Randomness};
use perennial::metadata::MetadataChange;

use super::at_most;
use crate::service::booking::{Booking, Edit};
use crate::service::saving::{edit_metadata, new_metadata};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::{Scope, StoreError, nouns};

/// How long a made code is (Stripe: 8).
const MADE_CHARS: usize = 8;
/// Letters and digits that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A promotion code to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPromotionCode {
    /// What customers type; made if not said.
    pub code: Option<String>,
    /// What it gives.
    pub coupon: CouponId,
    /// Whether it can be redeemed.
    pub active: bool,
    /// Only this customer.
    pub customer: Option<CustomerId>,
    /// Not from then on.
    pub expires_at: Option<Timestamp>,
    /// How often in all.
    pub max_redemptions: Option<u32>,
    /// Only customers who have never paid.
    pub first_time_transaction: bool,
    /// The least purchase, by currency.
    pub minimum_amounts: BTreeMap<Currency, i64>,
    /// The currency of `minimum_amount`.
    pub minimum_amount_currency: Option<Currency>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

/// What changes on a promotion code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromotionCodeUpdate {
    /// On or off.
    pub active: Option<bool>,
    /// Minimums in further currencies.
    pub minimum_amounts: BTreeMap<Currency, i64>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Makes a promotion code.
    ///
    /// # Errors
    /// Names the first field that can't stand: a coupon that can't be redeemed, an end after the
    /// coupon's, more redemptions than the coupon has, a code that is active already.
    pub async fn create_promotion_code(
        &self,
        scope: &Scope,
        new: NewPromotionCode,
    ) -> Result<Stored<PromotionCode>, Refused> {
        let now = self.now();
        let param = "promotion[coupon]";
        let coupon: Stored<Coupon> = self.find_named(scope, new.coupon.as_str(), param).await?;
        coupon
            .redeemable(now)
            .map_err(|error| Refused::invalid(param, format!("{error}.")))?;
        check(&new, &coupon, now)?;
        let code = match &new.code {
            Some(code) => code.trim().to_owned(),
            None => made(&mut self.ids()),
        };
        let made = PromotionCode {
            id: PromotionCodeId::new(&mut self.ids()),
            code,
            coupon: new.coupon,
            active: new.active,
            customer: new.customer,
            expires_at: new.expires_at,
            max_redemptions: new.max_redemptions,
            times_redeemed: 0,
            first_time_transaction: new.first_time_transaction,
            minimum_amounts: new.minimum_amounts,
            minimum_amount_currency: new.minimum_amount_currency,
            metadata: new_metadata(new.metadata.as_ref())?,
            created: now,
        };
        self.check_free(scope, &made).await?;
        let mut booking = Booking::begin(self, scope).await?;
        let stored = booking.insert(made).await.map_err(taken)?;
        booking.commit().await.map_err(taken)?;
        Ok(stored)
    }

    /// One code is active once for everybody, and once for each customer. (The index holds it also
    /// when two are made at the same time.)
    async fn check_free(&self, scope: &Scope, code: &PromotionCode) -> Result<(), Refused> {
        let owner = code.customer.as_ref().map_or("", |own| own.as_str());
        let filter = [Column::text(code.folded()), Column::text(owner)];
        let mut connection = self.store.read().await?;
        let sql = nouns::PROMOTION_CODES_BY_CODE;
        let found: Vec<Stored<PromotionCode>> =
            document::select(&mut connection, scope, sql, &filter).await?;
        let same = |row: &Stored<PromotionCode>| {
            row.id != code.id && (row.customer == code.customer || row.customer.is_none())
        };
        if code.active && found.iter().any(same) {
            return Err(exists(&code.code));
        }
        Ok(())
    }

    /// Changes a promotion code. One that can't be redeemed any more can't be switched on again.
    ///
    /// # Errors
    /// When it is not there, or names the first field that can't stand.
    pub async fn update_promotion_code(
        &self,
        scope: &Scope,
        id: &PromotionCodeId,
        update: PromotionCodeUpdate,
    ) -> Result<Stored<PromotionCode>, Refused> {
        let update = &update;
        self.retrying(|| async move {
            let now = self.now();
            let mut code: Edit<PromotionCode> = Edit::of(self.find(scope, id.as_str()).await?);
            if let Some(active) = update.active {
                if active && !code.active {
                    let spent = code.expires_at.is_some_and(|end| now >= end)
                        || code
                            .max_redemptions
                            .is_some_and(|most| code.times_redeemed >= most);
                    let coupon: Option<Stored<Coupon>> =
                        self.find(scope, code.coupon.as_str()).await.ok();
                    let valid = coupon.is_some_and(|own| own.redeemable(now).is_ok());
                    if spent || !valid {
                        let message = "This promotion code can't be active: it has expired, was \
                                       used up, or its coupon is not valid.";
                        return Err(Refused::invalid("active", message));
                    }
                }
                code.active = active;
            }
            for (currency, amount) in &update.minimum_amounts {
                code.minimum_amounts.insert(*currency, *amount);
            }
            edit_metadata(&mut code.metadata, update.metadata.as_ref())?;
            self.check_free(scope, &code).await?;
            let mut booking = Booking::begin(self, scope).await?;
            booking.save(&mut code).await?;
            booking.commit().await?;
            Ok(code.into_row())
        })
        .await
    }

    /// The active code that a customer typed: their own before everybody's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn typed_code(
        &self,
        scope: &Scope,
        typed: &str,
        customer: &Customer,
    ) -> Result<Option<Stored<PromotionCode>>, Refused> {
        if typed.chars().count() > CODE_CHARS_MAX {
            return Ok(None);
        }
        let filter = [Column::text(folded(typed)), Column::text(&customer.id)];
        let mut connection = self.store.read().await?;
        let sql = nouns::PROMOTION_CODES_BY_CODE;
        let found: Vec<Stored<PromotionCode>> =
            document::select(&mut connection, scope, sql, &filter).await?;
        Ok(found.into_iter().next())
    }
}

fn check(new: &NewPromotionCode, coupon: &Coupon, now: Timestamp) -> Result<(), Refused> {
    at_most("code", new.code.as_deref(), CODE_CHARS_MAX)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if let Some(code) = &new.code
        && (code.trim().is_empty() || !code.trim().chars().all(allowed))
    {
        let message = "Promotion codes consist of letters, digits, hyphens and underscores.";
        return Err(Refused::invalid("code", message));
    }
    if let Some(end) = new.expires_at {
        if end <= now {
            return Err(Refused::invalid(
                "expires_at",
                "expires_at must be in the future.",
            ));
        }
        if coupon.redeem_by.is_some_and(|last| end > last) {
            let message = "expires_at can't be after the coupon's redeem_by.";
            return Err(Refused::invalid("expires_at", message));
        }
    }
    if let (Some(own), Some(most)) = (new.max_redemptions, coupon.max_redemptions)
        && own > most
    {
        let message = "max_redemptions can't be more than the coupon's.";
        return Err(Refused::invalid("max_redemptions", message));
    }
    Ok(())
}

/// A code that nobody chose.
fn made(ids: &mut dyn Randomness) -> String {
    let mut bits = ids.bits();
    let mut code = String::with_capacity(MADE_CHARS);
    for _ in 0..MADE_CHARS {
        let place = usize::try_from(bits % 32).unwrap_or(0);
        code.push(char::from(ALPHABET.get(place).copied().unwrap_or(b'A')));
        bits /= 32;
    }
    code
}

fn exists(code: &str) -> Refused {
    Refused::Invalid {
        param: "code".to_owned(),
        code: Some("resource_already_exists"),
        message: format!("An active promotion code with `code: {code}` already exists."),
    }
}

/// The index refused it: somebody else was faster.
fn taken(refused: Refused) -> Refused {
    match refused {
        Refused::Store(StoreError::Exists { .. }) => exists("this"),
        other => other,
    }
}
