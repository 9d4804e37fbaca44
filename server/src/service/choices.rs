//! What a request chooses: prices by id or made for it, discounts by coupon or promotion code, tax
//! rates. Found a few queries at a time, refused by the parameter that names them, and written with
//! the decision that they are for.

use std::collections::HashMap;

use perennial::calendar::Timestamp;
use perennial::catalog::{Price, Product};
use perennial::currency::Currency;
use perennial::discount::{Coupon, Discount, DiscountError, PromotionCode, Redemption};
use perennial::id::{
    CouponId, CustomerId, DiscountId, PriceId, ProductId, PromotionCodeId, TaxRateId,
};
use perennial::invoice::Invoice;
use perennial::tax::TaxRate;

use super::booking::{Booking, Edit};
use super::catalog::{NewPrice, PriceProduct};
use super::named::named_rates;
use super::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::{Scope, nouns};

/// A price that a request names, or has made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceChoice {
    /// One that is there.
    Known(PriceId),
    /// Stripe's `price_data`: a price of an existing product that only this agreement has. It is not
    /// in the catalogue: its `active` is false.
    Made(Box<NewPrice>),
}

impl From<PriceId> for PriceChoice {
    fn from(id: PriceId) -> Self {
        Self::Known(id)
    }
}

/// A discount that a request gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscountChoice {
    /// By its coupon.
    Coupon(CouponId),
    /// By a promotion code.
    PromotionCode(PromotionCodeId),
    /// One that is already there, kept.
    Discount(DiscountId),
}

impl From<CouponId> for DiscountChoice {
    fn from(id: CouponId) -> Self {
        Self::Coupon(id)
    }
}

/// All that a request names, before it is found.
#[derive(Default)]
pub(crate) struct Asked<'a> {
    pub(crate) prices: Vec<&'a PriceChoice>,
    pub(crate) rates: Vec<&'a TaxRateId>,
    pub(crate) discounts: Vec<&'a DiscountChoice>,
}

/// Who gets discounts, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) customer: CustomerId,
    /// The currency and the amount before any discount; `None` where codes with a minimum can't be
    /// used.
    pub(crate) purchase: Option<(Currency, i64)>,
}

/// What was found, with the counters of what is redeemed and the prices that are made.
#[derive(Default)]
pub(crate) struct Choices {
    prices: HashMap<String, Stored<Price>>,
    products: HashMap<String, Stored<Product>>,
    rates: HashMap<String, Stored<TaxRate>>,
    coupons: HashMap<String, Edit<Coupon>>,
    codes: HashMap<String, Edit<PromotionCode>>,
    has_paid: bool,
    made: Vec<Price>,
}

impl Engine {
    /// Finds what a request names, for a customer: a few queries in all.
    pub(crate) async fn choices(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        asked: &Asked<'_>,
    ) -> Result<Choices, Refused> {
        let mut prices: Vec<&str> = Vec::new();
        let mut products: Vec<&str> = Vec::new();
        for choice in &asked.prices {
            match choice {
                PriceChoice::Known(id) => prices.push(id.as_str()),
                PriceChoice::Made(new) => {
                    if let PriceProduct::Existing(id) = &new.product {
                        products.push(id.as_str());
                    }
                }
            }
        }
        let rates: Vec<&str> = asked.rates.iter().map(|id| id.as_str()).collect();
        let mut coupons: Vec<String> = Vec::new();
        let mut codes: Vec<&str> = Vec::new();
        for choice in &asked.discounts {
            match choice {
                DiscountChoice::Coupon(id) => coupons.push(id.to_string()),
                DiscountChoice::PromotionCode(id) => codes.push(id.as_str()),
                DiscountChoice::Discount(_) => {}
            }
        }
        let codes: HashMap<String, Stored<PromotionCode>> = self
            .find_many(scope, nouns::PROMOTION_CODES_BY_IDS, &codes)
            .await?;
        coupons.extend(codes.values().map(|code| code.coupon.to_string()));
        let coupons: Vec<&str> = coupons.iter().map(String::as_str).collect();
        let coupons: HashMap<String, Stored<Coupon>> = self
            .find_many(scope, nouns::COUPONS_BY_IDS, &coupons)
            .await?;
        let asks_first = codes.values().any(|code| code.first_time_transaction);
        Ok(Choices {
            prices: self.find_many(scope, nouns::PRICES_BY_IDS, &prices).await?,
            products: self.products_named(scope, &products).await?,
            rates: self
                .find_many(scope, nouns::TAX_RATES_BY_IDS, &rates)
                .await?,
            coupons: coupons
                .into_iter()
                .map(|(id, row)| (id, Edit::of(row)))
                .collect(),
            codes: codes
                .into_iter()
                .map(|(id, row)| (id, Edit::of(row)))
                .collect(),
            has_paid: asks_first && self.has_paid(scope, customer).await?,
            made: Vec::new(),
        })
    }

    async fn products_named(
        &self,
        scope: &Scope,
        ids: &[&str],
    ) -> Result<HashMap<String, Stored<Product>>, Refused> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let mut connection = self.store.read().await?;
        let rows: Vec<Stored<Product>> = document::load_many(&mut connection, scope, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id.to_string(), row))
            .collect())
    }

    /// Whether a customer has ever paid anything: what `first_time_transaction` asks. The oldest paid
    /// invoices tell; those of 0 (a trial's) don't count.
    pub(crate) async fn has_paid(
        &self,
        scope: &Scope,
        customer: &CustomerId,
    ) -> Result<bool, Refused> {
        let mut connection = self.store.read().await?;
        let filter = [Column::text(customer)];
        let sql = nouns::INVOICES_PAID_BY_CUSTOMER;
        let rows: Vec<Stored<Invoice>> =
            document::select(&mut connection, scope, sql, &filter).await?;
        Ok(rows.iter().any(|invoice| invoice.amount_paid_minor > 0))
    }
}

impl Choices {
    /// The price that a choice means; a made one is written with the decision.
    pub(crate) fn price(
        &mut self,
        engine: &Engine,
        choice: &PriceChoice,
        param: &str,
    ) -> Result<Price, Refused> {
        match choice {
            PriceChoice::Known(id) => match self.prices.get(id.as_str()) {
                Some(row) => Ok(row.value.clone()),
                None => Err(Refused::NotFound {
                    kind: "price",
                    id: id.to_string(),
                    param: Some(format!("{param}[price]")),
                }),
            },
            PriceChoice::Made(new) => {
                let under = match param {
                    "" => "price_data".to_owned(),
                    param => format!("{param}[price_data]"),
                };
                let product = self.product(&new.product, &under)?;
                let mut price = engine.new_price(new, &product, &under)?;
                (price.active, price.inline) = (false, true);
                self.made.push(price.clone());
                Ok(price)
            }
        }
    }

    fn product(&self, product: &PriceProduct, under: &str) -> Result<Product, Refused> {
        let id: &ProductId = match product {
            PriceProduct::Existing(id) => id,
            PriceProduct::New(_) => {
                let message = "price_data needs a product that is there.";
                return Err(Refused::invalid(format!("{under}[product]"), message));
            }
        };
        let found = self.products.get(id.as_str());
        let found = found.ok_or_else(|| Refused::NotFound {
            kind: "product",
            id: id.to_string(),
            param: Some(format!("{under}[product]")),
        })?;
        if !found.active {
            let message = format!("The product {id} is not active.");
            return Err(Refused::invalid(format!("{under}[product]"), message));
        }
        Ok(found.value.clone())
    }

    /// The rates that ids name, in order.
    pub(crate) fn rates(&self, ids: &[TaxRateId], param: &str) -> Result<Vec<TaxRate>, Refused> {
        named_rates(&self.rates, ids, param)
    }

    /// The discounts of a list, in order. One whose coupon is `present` already goes on as it is; the
    /// others are given from `at` on, and counted.
    pub(crate) fn discounts(
        &mut self,
        engine: &Engine,
        present: &[Discount],
        choices: &[DiscountChoice],
        to: &Recipient,
        at: Timestamp,
        param: &str,
    ) -> Result<Vec<Discount>, Refused> {
        let mut discounts = Vec::with_capacity(choices.len());
        for (index, choice) in choices.iter().enumerate() {
            let known = present.iter().find(|own| match choice {
                DiscountChoice::Coupon(id) => own.coupon.id == *id,
                DiscountChoice::PromotionCode(id) => own.promotion_code.as_ref() == Some(id),
                DiscountChoice::Discount(id) => own.id == *id,
            });
            let param = format!("{param}[{index}]");
            discounts.push(match known {
                Some(own) => own.clone(),
                None => self.give(engine, choice, to, at, &param)?,
            });
        }
        Ok(discounts)
    }

    fn give(
        &mut self,
        engine: &Engine,
        choice: &DiscountChoice,
        to: &Recipient,
        at: Timestamp,
        param: &str,
    ) -> Result<Discount, Refused> {
        let now = engine.now();
        let missing = |kind: &'static str, id: String, field: &str| Refused::NotFound {
            kind,
            id,
            param: Some(format!("{param}[{field}]")),
        };
        let (coupon_id, code) = match choice {
            DiscountChoice::Coupon(id) => (id.clone(), None),
            DiscountChoice::Discount(id) => {
                return Err(missing("discount", id.to_string(), "discount"));
            }
            DiscountChoice::PromotionCode(id) => {
                let code = self.codes.get_mut(id.as_str());
                let code = code
                    .ok_or_else(|| missing("promotion_code", id.to_string(), "promotion_code"))?;
                let redemption = Redemption {
                    customer: &to.customer,
                    has_paid: self.has_paid,
                    purchase: to.purchase,
                    at: now,
                };
                code.redeemable(&redemption)
                    .map_err(|error| refused(&error, &format!("{param}[promotion_code]")))?;
                code.times_redeemed = code.times_redeemed.saturating_add(1);
                // A code that is used up stays off, whatever happens to its coupon.
                if code
                    .max_redemptions
                    .is_some_and(|most| code.times_redeemed >= most)
                {
                    code.active = false;
                }
                (code.coupon.clone(), Some(id.clone()))
            }
        };
        let field = if code.is_some() {
            "promotion_code"
        } else {
            "coupon"
        };
        let coupon = self.coupons.get_mut(coupon_id.as_str());
        let coupon = coupon.ok_or_else(|| missing("coupon", coupon_id.to_string(), field))?;
        coupon
            .redeemable(now)
            .map_err(|error| refused(&error, &format!("{param}[{field}]")))?;
        let before = (**coupon).clone();
        coupon.times_redeemed = coupon.times_redeemed.saturating_add(1);
        let discount = Discount::new(DiscountId::new(&mut engine.ids()), before, code, at);
        discount.map_err(|error| refused(&error, &format!("{param}[{field}]")))
    }

    /// Writes the counters of what was redeemed and the prices that were made.
    pub(crate) async fn write(&mut self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        for coupon in self.coupons.values_mut() {
            booking.save(coupon).await?;
        }
        for code in self.codes.values_mut() {
            booking.save(code).await?;
        }
        booking.insert_all(std::mem::take(&mut self.made)).await
    }
}

/// Stripe's refusal of a coupon or a code, at the parameter that names it.
pub(crate) fn refused(error: &DiscountError, param: &str) -> Refused {
    let (code, message) = match error {
        DiscountError::Expired => (
            Some("coupon_expired"),
            "This coupon has expired.".to_owned(),
        ),
        DiscountError::UsedUp => (
            Some("coupon_expired"),
            "This coupon has expired: it was redeemed as often as it may be.".to_owned(),
        ),
        DiscountError::CodeInactive
        | DiscountError::CodeExpired
        | DiscountError::CodeUsedUp
        | DiscountError::CodeOfAnother
        | DiscountError::CodeNotFirst
        | DiscountError::CodeBelowMinimum
        | DiscountError::CodeNeedsPurchase => (Some("promotion_code_invalid"), capitalised(error)),
        other => (None, capitalised(other)),
    };
    Refused::Invalid {
        param: param.to_owned(),
        code,
        message,
    }
}

fn capitalised(error: &DiscountError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}
