//! Products and prices: what a merchant sells and on what terms.

use serde::{Deserialize, Serialize};

use crate::calendar::{Cadence, Timestamp};
use crate::currency::Currency;
use crate::id::{MeterId, PriceId, ProductId};
use crate::metadata::Metadata;
use crate::pricing::Pricing;

/// Something a merchant sells. Its prices say on what terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// `prod_…`
    pub id: ProductId,
    /// The name customers read on pages and invoices.
    pub name: String,
    /// A sentence or two for customers.
    pub description: Option<String>,
    /// Whether new subscriptions may use it.
    pub active: bool,
    /// What one unit is called, such as `seat`; shown after quantities.
    pub unit_label: Option<String>,
    /// Up to 15 selling points, each at most 80 characters.
    pub marketing_features: Vec<String>,
    /// The price that a buyer gets when none is named.
    pub default_price: Option<PriceId>,
    /// A tax code in the form of Stripe's catalogue, such as `txcd_10103001`.
    pub tax_code: Option<String>,
    /// The merchant's own page about the product.
    pub url: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// The terms on which a product is sold. Amounts never change after creation, so that a copy kept
/// in a subscription can't drift in what it bills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// `price_…`
    pub id: PriceId,
    /// What is sold.
    pub product: ProductId,
    /// The product's name at the time this copy was read; lines are described with it.
    pub product_name: String,
    /// Whether new subscriptions may use it.
    pub active: bool,
    /// The currency of every amount in [`Price::pricing`].
    pub currency: Currency,
    /// A short name for the merchant's own eyes.
    pub nickname: Option<String>,
    /// A handle by which the merchant's code finds the price.
    pub lookup_key: Option<String>,
    /// `None` for a one-time price.
    pub recurring: Option<Recurring>,
    /// How a quantity becomes an amount.
    pub pricing: Pricing,
    /// Whether the amounts contain tax.
    pub tax_behavior: TaxBehavior,
    /// Made by `price_data` for one agreement: not in the catalogue (`active` is false), and still
    /// good for the one it was made for.
    #[serde(default)]
    pub inline: bool,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
}

impl Price {
    /// Whether the amount follows reported usage rather than a quantity on the subscription.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        self.recurring
            .as_ref()
            .is_some_and(|r| r.usage_type == UsageType::Metered)
    }

    /// How often it bills; `None` for a one-time price.
    #[must_use]
    pub fn cadence(&self) -> Option<Cadence> {
        self.recurring.as_ref().map(|r| r.cadence)
    }
}

/// The recurring part of a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurring {
    /// How often it bills.
    pub cadence: Cadence,
    /// Quantity or meter.
    pub usage_type: UsageType,
    /// The meter that a metered price reads.
    pub meter: Option<MeterId>,
    /// Trial days, used only when a subscription asks for them with `trial_from_plan`.
    pub trial_period_days: Option<u32>,
}

/// Where the billed quantity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageType {
    /// The quantity on the subscription item, billed in advance.
    Licensed,
    /// The reported usage of the period, billed after it.
    Metered,
}

/// Whether amounts contain tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxBehavior {
    /// Tax is inside the amount.
    Inclusive,
    /// Tax comes on top.
    Exclusive,
    /// Not said; the tax rate's own `inclusive` decides.
    Unspecified,
}
