//! Coupons.

use std::collections::BTreeMap;

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::discount::{Coupon, Duration, Off};
use perennial::id::{CouponId, ProductId};
use perennial::metadata::MetadataChange;

use crate::rendering;
use crate::service::saving::{edit_metadata, new_metadata, set};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Stored};
use crate::store::{Scope, StoreError};

/// How far ahead a coupon may expire, in seconds (Stripe: five years).
const REDEEM_BY_SECONDS_MAX: i64 = 5 * 366 * 86_400;

/// A coupon to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCoupon {
    /// Chosen by the merchant; made if not.
    pub id: Option<CouponId>,
    /// For customers.
    pub name: Option<String>,
    /// How much.
    pub off: Off,
    /// The amounts off in other currencies, in minor units.
    pub currency_options: BTreeMap<Currency, i64>,
    /// For how long.
    pub duration: Duration,
    /// Only these products; empty means all.
    pub applies_to: Vec<ProductId>,
    /// How often in all.
    pub max_redemptions: Option<u32>,
    /// Not after.
    pub redeem_by: Option<Timestamp>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Makes a coupon.
    ///
    /// # Errors
    /// Names the first field that can't stand; the id, if it is taken.
    pub async fn create_coupon(
        &self,
        scope: &Scope,
        new: NewCoupon,
    ) -> Result<Stored<Coupon>, Refused> {
        let now = self.now();
        let coupon = Coupon {
            id: new
                .id
                .clone()
                .unwrap_or_else(|| CouponId::new(&mut self.ids())),
            name: new.name,
            off: new.off,
            duration: new.duration,
            currency_options: other_currencies(new.off, new.currency_options)?,
            applies_to: new.applies_to,
            max_redemptions: new.max_redemptions,
            times_redeemed: 0,
            redeem_by: new.redeem_by,
            metadata: new_metadata(new.metadata.as_ref())?,
            created: now,
            deleted: false,
        };
        let checked = coupon.validate();
        checked.map_err(|error| Refused::invalid(error.param(), format!("{error}.")))?;
        if let Some(until) = coupon.redeem_by {
            let last = now.0.saturating_add(REDEEM_BY_SECONDS_MAX);
            if until <= now || until.0 > last {
                let message = "redeem_by must be in the future, within five years.";
                return Err(Refused::invalid("redeem_by", message));
            }
        }
        self.check_products(scope, &coupon.applies_to).await?;
        let show: fn(&Coupon, bool) -> _ =
            |coupon, live| rendering::coupon(coupon, live, coupon.created);
        match self.create(scope, &coupon, "coupon.created", show).await {
            Err(Refused::Store(StoreError::Exists { .. })) => Err(Refused::Invalid {
                param: "id".to_owned(),
                code: Some("resource_already_exists"),
                message: "Coupon already exists.".to_owned(),
            }),
            answer => answer,
        }
    }

    async fn check_products(&self, scope: &Scope, products: &[ProductId]) -> Result<(), Refused> {
        if products.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = products.iter().map(ToString::to_string).collect();
        let mut connection = self.store.read().await?;
        let found =
            document::load_many::<perennial::catalog::Product>(&mut connection, scope, &ids)
                .await?;
        let missing = products.iter().enumerate();
        let mut missing = missing.filter(|(_, id)| found.iter().all(|p| p.id != **id));
        match missing.next() {
            None => Ok(()),
            Some((index, id)) => Err(Refused::NotFound {
                kind: "product",
                id: id.to_string(),
                param: Some(format!("applies_to[products][{index}]")),
            }),
        }
    }

    /// Changes a coupon's name and metadata, and what it takes off in other currencies; its other terms
    /// never change. Discounts that were given keep the terms that they were given with.
    ///
    /// # Errors
    /// When it is not there, or names the first field that can't stand.
    pub async fn update_coupon(
        &self,
        scope: &Scope,
        id: &CouponId,
        name: Option<Option<String>>,
        currency_options: BTreeMap<Currency, i64>,
        metadata: Option<MetadataChange>,
    ) -> Result<Stored<Coupon>, Refused> {
        let edit = |coupon: &mut Coupon| {
            let more = other_currencies(coupon.off, currency_options.clone())?;
            coupon.currency_options.extend(more);
            set(&mut coupon.name, name.as_ref());
            edit_metadata(&mut coupon.metadata, metadata.as_ref())?;
            let checked = coupon.validate();
            checked.map_err(|error| Refused::invalid(error.param(), format!("{error}.")))
        };
        let show: fn(&Coupon, bool) -> _ =
            |coupon, live| rendering::coupon(coupon, live, coupon.created);
        self.change(scope, id.as_str(), "coupon.updated", show, edit)
            .await
    }

    /// Deletes a coupon. Discounts that were made of it carry its terms and go on.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn delete_coupon(&self, scope: &Scope, id: &CouponId) -> Result<(), Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let found = document::load::<Coupon>(&mut *connection, scope, id.as_str()).await?;
            let coupon = found.ok_or_else(|| Refused::not_found("coupon", id.as_str()))?;
            document::delete(&mut *connection, scope, &coupon).await?;
            let shown = rendering::coupon(&coupon.value, scope.livemode, self.now());
            self.emit(connection, scope, "coupon.deleted", shown, None)
                .await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}

/// The amounts off in other currencies than the coupon's own, as far as it takes off an amount.
fn other_currencies(
    off: Off,
    mut options: BTreeMap<Currency, i64>,
) -> Result<BTreeMap<Currency, i64>, Refused> {
    match off {
        Off::Percent(_) if !options.is_empty() => {
            let message = "Only coupons with amount_off can have currency_options.";
            Err(Refused::invalid("currency_options", message))
        }
        Off::Percent(_) => Ok(options),
        Off::Amount {
            amount_minor,
            currency,
        } => match options.remove(&currency) {
            Some(other) if other != amount_minor => {
                let name = format!("currency_options[{}][amount_off]", currency.lower());
                let message = "It must be amount_off in the coupon's own currency.";
                Err(Refused::invalid(name, message))
            }
            _ => Ok(options),
        },
    }
}
