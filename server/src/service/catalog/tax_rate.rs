//! Tax rates.

use perennial::country::Country;
use perennial::decimal::Decimal12;
use perennial::id::TaxRateId;
use perennial::metadata::MetadataChange;
use perennial::tax::TaxRate;

use super::at_most;
use crate::rendering;
use crate::service::saving::{edit_metadata, new_metadata, set};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// A tax rate to be made. What it takes and whether prices contain it never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTaxRate {
    /// For customers: "VAT".
    pub display_name: String,
    /// Percent.
    pub percentage: Decimal12,
    /// Whether prices contain it.
    pub inclusive: bool,
    /// Everything that may change later.
    pub rest: TaxRateUpdate,
}

/// What changes on a tax rate; `None` keeps, `Some(None)` takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaxRateUpdate {
    /// For customers.
    pub display_name: Option<String>,
    /// Whether new subscriptions may use it.
    pub active: Option<bool>,
    /// For the merchant's eyes.
    pub description: Option<Option<String>>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<Option<String>>,
    /// State or province.
    pub state: Option<Option<String>>,
    /// Shown on invoices.
    pub jurisdiction: Option<Option<String>>,
    /// One of [`TAX_TYPES`](perennial::tax::TAX_TYPES).
    pub tax_type: Option<Option<String>>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Makes a tax rate.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_tax_rate(
        &self,
        scope: &Scope,
        new: NewTaxRate,
    ) -> Result<Stored<TaxRate>, Refused> {
        let mut rate = TaxRate {
            id: TaxRateId::new(&mut self.ids()),
            display_name: new.display_name,
            description: None,
            percentage: new.percentage,
            inclusive: new.inclusive,
            country: None,
            state: None,
            jurisdiction: None,
            tax_type: None,
            active: true,
            metadata: new_metadata(None)?,
            created: self.now(),
        };
        edit(&mut rate, &new.rest)?;
        self.create(scope, &rate, "tax_rate.created", rendering::tax_rate)
            .await
    }

    /// Changes a tax rate.
    ///
    /// # Errors
    /// When it is not there, or names the first field that can't stand.
    pub async fn update_tax_rate(
        &self,
        scope: &Scope,
        id: &TaxRateId,
        update: TaxRateUpdate,
    ) -> Result<Stored<TaxRate>, Refused> {
        let show = rendering::tax_rate;
        self.change(scope, id.as_str(), "tax_rate.updated", show, |rate| {
            edit(rate, &update)
        })
        .await
    }
}

fn edit(rate: &mut TaxRate, update: &TaxRateUpdate) -> Result<(), Refused> {
    set(&mut rate.display_name, update.display_name.as_ref());
    set(&mut rate.active, update.active.as_ref());
    set(&mut rate.description, update.description.as_ref());
    set(&mut rate.country, update.country.as_ref());
    set(&mut rate.state, update.state.as_ref());
    set(&mut rate.jurisdiction, update.jurisdiction.as_ref());
    set(&mut rate.tax_type, update.tax_type.as_ref());
    edit_metadata(&mut rate.metadata, update.metadata.as_ref())?;
    if let Some(country) = &rate.country
        && Country::find(country).is_none()
    {
        let message = "Country must be a two-letter ISO 3166-1 code, such as DE.";
        return Err(Refused::invalid("country", message));
    }
    at_most("jurisdiction", rate.jurisdiction.as_deref(), 50)?;
    let checked = rate.validate();
    checked.map_err(|error| Refused::invalid(error.param(), format!("{error}.")))
}
