//! What a request names by ids: found a few queries at a time, and refused by the parameter that
//! names it.

use std::collections::HashMap;

use perennial::calendar::Timestamp;
use perennial::discount::{Coupon, Discount};
use perennial::id::{CouponId, CustomerId, DiscountId, PaymentMethodId, TaxRateId};
use perennial::payment::PaymentMethod;
use perennial::tax::TaxRate;

use super::booking::{Booking, Edit};
use super::{Engine, Refused};
use crate::clock::Ids;
use crate::store::document::{self, Column, Document, Stored};
use crate::store::{Scope, nouns};

/// Ids that one look-up takes.
const LOOKUP_IDS_MAX: usize = 20;

/// Coupons that become discounts, with their counters.
#[derive(Default)]
pub(crate) struct Redeemed {
    pub(crate) coupons: HashMap<String, Edit<Coupon>>,
}

impl Redeemed {
    /// Gives coupons from `now` on.
    pub(crate) fn give(
        &mut self,
        ids: &[CouponId],
        param: &str,
        now: Timestamp,
        random: &mut Ids<'_>,
    ) -> Result<Vec<Discount>, Refused> {
        let mut discounts = Vec::with_capacity(ids.len());
        for id in ids {
            let coupon = self
                .coupons
                .get_mut(id.as_str())
                .ok_or_else(|| Refused::NotFound {
                    kind: "coupon",
                    id: id.to_string(),
                    param: Some(param.to_owned()),
                })?;
            coupon
                .redeemable(now)
                .map_err(|error| Refused::invalid(param, error.to_string()))?;
            let before = (**coupon).clone();
            coupon.times_redeemed = coupon.times_redeemed.saturating_add(1);
            let discount = Discount::new(DiscountId::new(random), before, None, now);
            discounts.push(discount.map_err(|e| Refused::invalid(param, e.to_string()))?);
        }
        Ok(discounts)
    }

    pub(crate) async fn write(&mut self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        for coupon in self.coupons.values_mut() {
            booking.save(coupon).await?;
        }
        Ok(())
    }
}

impl Engine {
    /// Reads up to [`LOOKUP_IDS_MAX`] ids at a time.
    pub(crate) async fn find_many<T: Document>(
        &self,
        scope: &Scope,
        sql: &'static str,
        ids: &[&str],
    ) -> Result<HashMap<String, Stored<T>>, Refused> {
        let mut unique: Vec<&str> = ids.to_vec();
        unique.sort_unstable();
        unique.dedup();
        let mut found = HashMap::new();
        if unique.is_empty() {
            return Ok(found);
        }
        let mut connection = self.store.read().await?;
        for part in unique.chunks(LOOKUP_IDS_MAX) {
            let mut filter: Vec<Column> = part.iter().map(Column::text).collect();
            filter.resize(LOOKUP_IDS_MAX, Column::text(""));
            let rows: Vec<Stored<T>> =
                document::select(&mut connection, scope, sql, &filter).await?;
            found.extend(rows.into_iter().map(|row| (row.key().to_owned(), row)));
        }
        Ok(found)
    }

    pub(crate) async fn tax_rates<'a>(
        &self,
        scope: &Scope,
        ids: impl Iterator<Item = &'a TaxRateId>,
    ) -> Result<HashMap<String, Stored<TaxRate>>, Refused> {
        let ids: Vec<&str> = ids.map(TaxRateId::as_str).collect();
        self.find_many(scope, nouns::TAX_RATES_BY_IDS, &ids).await
    }

    pub(crate) async fn coupons<'a>(
        &self,
        scope: &Scope,
        ids: impl Iterator<Item = &'a CouponId>,
    ) -> Result<Redeemed, Refused> {
        let ids: Vec<&str> = ids.map(CouponId::as_str).collect();
        let found: HashMap<String, Stored<Coupon>> =
            self.find_many(scope, nouns::COUPONS_BY_IDS, &ids).await?;
        let coupons = found
            .into_iter()
            .map(|(id, row)| (id, Edit::of(row)))
            .collect();
        Ok(Redeemed { coupons })
    }

    /// Makes sure that a method is the customer's own.
    pub(crate) async fn own_method(
        &self,
        scope: &Scope,
        method: &PaymentMethodId,
        customer: &CustomerId,
    ) -> Result<(), Refused> {
        let param = "default_payment_method";
        let found: Stored<PaymentMethod> = self.find_named(scope, method.as_str(), param).await?;
        if found.customer.as_ref() == Some(customer) {
            return Ok(());
        }
        Err(Refused::NotFound {
            kind: "payment_method",
            id: method.to_string(),
            param: Some(param.to_owned()),
        })
    }
}

/// The rates that ids name, in order.
pub(crate) fn named_rates(
    found: &HashMap<String, Stored<TaxRate>>,
    ids: &[TaxRateId],
    param: &str,
) -> Result<Vec<TaxRate>, Refused> {
    let mut rates = Vec::with_capacity(ids.len());
    for id in ids {
        let rate = found.get(id.as_str()).ok_or_else(|| Refused::NotFound {
            kind: "tax_rate",
            id: id.to_string(),
            param: Some(param.to_owned()),
        })?;
        if !rate.active {
            return Err(Refused::invalid(
                param,
                format!("The tax rate {id} is not active."),
            ));
        }
        rates.push(rate.value.clone());
    }
    Ok(rates)
}
