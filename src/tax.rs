//! Tax rates and the tax of a line.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::catalog::TaxBehavior;
use crate::customer::TaxExempt;
use crate::decimal::Decimal12;
use crate::id::TaxRateId;
use crate::invoice::{TaxAmount, TaxabilityReason};
use crate::metadata::Metadata;
use crate::money::MoneyError;
use crate::ratio::Ratio;

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
    /// What kind of tax it is, where the merchant says so: one of [`TAX_TYPES`].
    #[serde(default)]
    pub tax_type: Option<String>,
    /// Whether new subscriptions may use it.
    pub active: bool,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
}

/// The kinds of tax that a rate may be said to be of. They change no amount.
pub const TAX_TYPES: [&str; 28] = [
    "admissions_tax",
    "amusement_tax",
    "attendance_tax",
    "communications_tax",
    "digital_excise_tax",
    "entertainment_tax",
    "get_fund",
    "gross_receipts_tax",
    "gst",
    "hospitality_tax",
    "hst",
    "igst",
    "jct",
    "lease_tax",
    "luxury_tax",
    "mass_transit_parking_tax",
    "nhil",
    "parking_tax",
    "pst",
    "qst",
    "resort_tax",
    "retail_delivery_fee",
    "rst",
    "sales_tax",
    "service_tax",
    "tourism_tax",
    "utility_users_tax",
    "vat",
];

/// The most rates on one line (Stripe: 10).
pub const TAX_RATES_MAX: usize = 10;

/// Why a tax rate or a list of them was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxRateError {
    /// Below 0 or above 100.
    #[error("percentage must be between 0 and 100")]
    PercentageOutOfRange,
    /// More than 4 decimal places.
    #[error("percentage can have at most 4 decimal places")]
    TooManyPlaces,
    /// Empty, or more than 50 characters.
    #[error("display_name must have 1 to 50 characters")]
    DisplayName,
    /// More than [`TAX_RATES_MAX`].
    #[error("tax_rates can have at most 10 entries")]
    TooMany,
    /// The same rate twice.
    #[error("the same tax rate can be given only once here")]
    Duplicate,
}

impl TaxRateError {
    /// The parameter of the API that is at fault.
    #[must_use]
    pub const fn param(&self) -> &'static str {
        match self {
            Self::PercentageOutOfRange | Self::TooManyPlaces => "percentage",
            Self::DisplayName => "display_name",
            Self::TooMany | Self::Duplicate => "tax_rates",
        }
    }
}

impl TaxRate {
    /// Checks a new rate.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub fn validate(&self) -> Result<(), TaxRateError> {
        if self.percentage.is_negative() || self.percentage > Decimal12::from_integer(100) {
            return Err(TaxRateError::PercentageOutOfRange);
        }
        if self.percentage.places() > PERCENTAGE_PLACES_MAX {
            return Err(TaxRateError::TooManyPlaces);
        }
        if !(1..=DISPLAY_NAME_CHARS_MAX).contains(&self.display_name.chars().count()) {
            return Err(TaxRateError::DisplayName);
        }
        Ok(())
    }

    /// The rate as a fraction: 1/10 for 10 percent.
    fn fraction(&self) -> Result<Ratio, MoneyError> {
        self.percentage.to_ratio().checked_mul(Ratio::new(1, 100)?)
    }
}

/// The most decimal places of a percentage (Stripe: 4).
pub const PERCENTAGE_PLACES_MAX: usize = 4;
/// The longest name of a rate, in characters (Stripe: 50).
pub const DISPLAY_NAME_CHARS_MAX: usize = 50;

/// Checks the rates of one line: at most [`TAX_RATES_MAX`], none twice.
///
/// # Errors
/// Names the rule that is broken.
pub fn validate_list(rates: &[TaxRate]) -> Result<(), TaxRateError> {
    if rates.len() > TAX_RATES_MAX {
        return Err(TaxRateError::TooMany);
    }
    for (index, rate) in rates.iter().enumerate() {
        if rates.iter().take(index).any(|other| other.id == rate.id) {
            return Err(TaxRateError::Duplicate);
        }
    }
    Ok(())
}

/// The rates of a line: an item's own instead of the subscription's. A price that says whether it
/// contains tax decides that; otherwise each rate does.
#[must_use]
pub fn line_rates(behavior: TaxBehavior, own: &[TaxRate], default: &[TaxRate]) -> Vec<TaxRate> {
    let mut rates = if own.is_empty() {
        default.to_vec()
    } else {
        own.to_vec()
    };
    for rate in &mut rates {
        match behavior {
            TaxBehavior::Inclusive => rate.inclusive = true,
            TaxBehavior::Exclusive => rate.inclusive = false,
            TaxBehavior::Unspecified => {}
        }
    }
    rates
}

/// The tax on one line of `net_minor` (after discounts; negative on credits), rate by rate.
///
/// Inclusive tax lies inside the amount (600 at 10 percent holds 54.55), exclusive tax comes on top
/// of what is left without it. Each rate's tax is rounded on each line, to the nearest, halves away
/// from zero, so that a credit mirrors its debit. Exempt customers and reverse charge: 0, with the
/// reason.
///
/// # Errors
/// When an amount does not fit.
pub fn line_taxes(
    net_minor: i64,
    rates: &[TaxRate],
    exempt: TaxExempt,
) -> Result<Vec<TaxAmount>, MoneyError> {
    let mut inside = Ratio::ONE;
    for rate in rates
        .iter()
        .filter(|rate| rate.inclusive && exempt == TaxExempt::None)
    {
        inside = inside.checked_add(rate.fraction()?)?;
    }
    let base = Ratio::from_integer(net_minor).checked_div(inside)?;
    let mut taxes = Vec::with_capacity(rates.len());
    for rate in rates {
        let (amount_minor, reason) = match exempt {
            TaxExempt::None => {
                let exact = base.checked_mul(rate.fraction()?)?;
                (exact.half_up()?, TaxabilityReason::StandardRated)
            }
            TaxExempt::Exempt => (0, TaxabilityReason::CustomerExempt),
            TaxExempt::Reverse => (0, TaxabilityReason::ReverseCharge),
        };
        taxes.push(TaxAmount {
            rate: rate.id.clone(),
            amount_minor,
            taxable_minor: base.half_up()?,
            inclusive: rate.inclusive,
            reason,
        });
    }
    Ok(taxes)
}

#[cfg(test)]
mod tests;
