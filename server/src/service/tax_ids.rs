//! The merchant's own tax registrations, which can be printed on invoices.

use perennial::customer::TaxId;
use perennial::id::TaxIdId;
use perennial::tax_id;
use serde::{Deserialize, Serialize};

use super::booking::Booking;
use super::customers::NewTaxId;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// The most of them on one invoice.
const ON_INVOICE_MAX: usize = 5;

/// A tax registration of the merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTaxId {
    /// As customers have them.
    #[serde(flatten)]
    pub tax: TaxId,
}

impl Engine {
    /// Adds a tax registration of the merchant.
    ///
    /// # Errors
    /// Names the field that can't stand.
    pub async fn add_own_tax_id(
        &self,
        scope: &Scope,
        new: NewTaxId,
    ) -> Result<Stored<OwnTaxId>, Refused> {
        let parsed = tax_id::parse(&new.kind, &new.value).map_err(|error| Refused::Invalid {
            param: error.param().to_owned(),
            code: Some("tax_id_invalid"),
            message: format!("Invalid value for {}: {error}.", new.kind),
        })?;
        let own = OwnTaxId {
            tax: TaxId {
                id: TaxIdId::new(&mut self.ids()),
                kind: new.kind,
                value: parsed.value,
                country: Some(parsed.country.to_owned()),
                created: self.now(),
            },
        };
        let mut booking = Booking::begin(self, scope).await?;
        let own = booking.insert(own).await?;
        booking.commit().await?;
        Ok(own)
    }

    /// Removes one. Invoices that have it keep it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn remove_own_tax_id(&self, scope: &Scope, id: &TaxIdId) -> Result<(), Refused> {
        self.retrying(|| async move {
            let row: Stored<OwnTaxId> = self.find(scope, id.as_str()).await?;
            let mut booking = Booking::begin(self, scope).await?;
            let rows = std::slice::from_ref(&row);
            booking.delete_all_quietly(rows);
            booking.commit().await
        })
        .await
    }

    /// Those that an invoice names, in order.
    pub(crate) async fn own_tax_ids(
        &self,
        scope: &Scope,
        ids: &[TaxIdId],
    ) -> Result<Vec<TaxId>, Refused> {
        if ids.len() > ON_INVOICE_MAX {
            let message = format!("At most {ON_INVOICE_MAX} tax ids stand on an invoice.");
            return Err(Refused::invalid("account_tax_ids", message));
        }
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let mut connection = self.store.read().await?;
        let found: Vec<Stored<OwnTaxId>> =
            document::load_many(&mut connection, scope, &names).await?;
        let mut all = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            let own = found.iter().find(|own| own.tax.id == *id);
            let own = own.ok_or_else(|| Refused::NotFound {
                kind: "tax_id",
                id: id.to_string(),
                param: Some(format!("account_tax_ids[{index}]")),
            })?;
            all.push(own.tax.clone());
        }
        Ok(all)
    }
}
