//! `add_invoice_items`: one-off amounts that come with a subscription's start, change or phase.

use perennial::calendar::Period;
use perennial::discount;
use perennial::id::TaxRateId;
use perennial::metadata::Metadata;
use perennial::schedule::AddedItem;

use super::choices::{Choices, DiscountChoice, PriceChoice, Recipient};
use super::{Engine, Refused};

/// The most of them in one request, or on one phase (Stripe: 20).
pub const ADDED_MAX: usize = 20;

/// A one-off amount, by ids.
#[derive(Clone, Debug)]
pub struct NewAdded {
    /// A one-time price.
    pub price: PriceChoice,
    /// Its units; 1 if not said.
    pub quantity: Option<u64>,
    /// Instead of the default rates.
    pub tax_rates: Vec<TaxRateId>,
    /// Of its own, before the invoice's.
    pub discounts: Vec<DiscountChoice>,
    /// Whether the invoice's discounts touch it; yes, if not said.
    pub discountable: Option<bool>,
    /// What it covers.
    pub period: Option<Period>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl Choices {
    /// The amounts that a list means, with their discounts from now on.
    pub(crate) fn added_with_discounts(
        &mut self,
        engine: &Engine,
        wishes: &[NewAdded],
        to: &Recipient,
        param: &str,
    ) -> Result<Vec<AddedItem>, Refused> {
        let mut added = self.added(engine, wishes, param)?;
        for (index, (one, wish)) in added.iter_mut().zip(wishes).enumerate() {
            let own = format!("{param}[{index}][discounts]");
            one.discounts = self.discounts(engine, &[], &wish.discounts, to, engine.now(), &own)?;
            discount::validate_list(&one.discounts, one.price.currency)
                .map_err(|error| Refused::invalid(own, error.to_string()))?;
        }
        Ok(added)
    }

    /// The amounts that a list means, without their discounts.
    pub(crate) fn added(
        &mut self,
        engine: &Engine,
        wishes: &[NewAdded],
        param: &str,
    ) -> Result<Vec<AddedItem>, Refused> {
        let mut added = Vec::with_capacity(wishes.len());
        for (index, wish) in wishes.iter().enumerate() {
            let param = format!("{param}[{index}]");
            let price = self.price(engine, &wish.price, &param)?;
            if price.recurring.is_some() {
                let message = "The price must be a one-time price (type=one_time).";
                return Err(Refused::invalid(format!("{param}[price]"), message));
            }
            if !(price.active || price.inline) {
                let message = format!("The price {} is not active.", price.id);
                return Err(Refused::invalid(format!("{param}[price]"), message));
            }
            added.push(AddedItem {
                quantity: wish.quantity.unwrap_or(1),
                tax_rates: self.rates(&wish.tax_rates, &format!("{param}[tax_rates]"))?,
                discounts: Vec::new(),
                discountable: wish.discountable.unwrap_or(true),
                period: wish.period,
                metadata: wish.metadata.clone(),
                price,
            });
        }
        Ok(added)
    }
}
