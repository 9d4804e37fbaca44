//! Tax rates and the tax of a line.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::decimal::Decimal12;
use crate::id::TaxRateId;
use crate::metadata::Metadata;

/// A rate that a merchant applies to lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxRate {
    /// `txr_…`
    pub id: TaxRateId,
    /// Shown to customers: "VAT", "GST".
    pub display_name: String,
    /// For the merchant's eyes.
    pub description: Option<String>,
    /// Percent, at most 4 decimal places, 0 to 100.
    pub percentage: Decimal12,
    /// Whether prices contain it.
    pub inclusive: bool,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// State, county or province.
    pub state: Option<String>,
    /// Shown on invoices: "DE", "Ontario".
    pub jurisdiction: Option<String>,
    /// Whether new subscriptions may use it.
    pub active: bool,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
}

/// The most rates on one line (Stripe: 10).
pub const TAX_RATES_MAX: usize = 10;
