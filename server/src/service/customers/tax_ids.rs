//! Tax ids of customers, as merchants add and remove them.

use perennial::customer::{Customer, TaxId};
use perennial::id::{CustomerId, TaxIdId};
use perennial::tax_id;

use super::living;
use crate::rendering;
use crate::service::find::found;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// A tax id as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTaxId {
    /// Stripe's type.
    pub kind: String,
    /// As written.
    pub value: String,
}

impl Engine {
    /// Adds a tax id to a customer.
    ///
    /// # Errors
    /// When the customer is not there, or names the field that can't stand.
    pub async fn add_tax_id(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        new: NewTaxId,
    ) -> Result<TaxId, Refused> {
        let new = &new;
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let mut stored = living(connection, scope, customer).await?;
            let tax = self.add_to(&mut stored.value, new)?;
            document::update(connection, scope, &mut stored).await?;
            let shown = rendering::tax_id(&tax, customer, scope.livemode);
            self.emit(connection, scope, "customer.tax_id.created", shown, None)
                .await?;
            tx.commit().await?;
            Ok(tax)
        })
        .await
    }

    pub(super) fn add_to(&self, customer: &mut Customer, new: &NewTaxId) -> Result<TaxId, Refused> {
        let refuse = |error: tax_id::TaxIdError| Refused::Invalid {
            param: error.param().to_owned(),
            code: Some("tax_id_invalid"),
            message: format!("Invalid value for {}: {error}.", new.kind),
        };
        let parsed = tax_id::parse(&new.kind, &new.value).map_err(refuse)?;
        tax_id::check_addition(&customer.tax_ids, &new.kind, &parsed.value).map_err(refuse)?;
        let tax = TaxId {
            id: TaxIdId::new(&mut self.ids()),
            kind: new.kind.clone(),
            value: parsed.value,
            country: Some(parsed.country.to_owned()),
            created: self.now(),
        };
        customer.tax_ids.push(tax.clone());
        Ok(tax)
    }

    /// Removes a tax id from a customer.
    ///
    /// # Errors
    /// When the customer or the tax id is not there.
    pub async fn remove_tax_id(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        tax: &TaxIdId,
    ) -> Result<(), Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let mut stored: Stored<Customer> = found(connection, scope, customer.as_str()).await?;
            let place = stored.tax_ids.iter().position(|own| own.id == *tax);
            let place = place.ok_or_else(|| Refused::not_found("tax_id", tax.as_str()))?;
            let gone = stored.value.tax_ids.remove(place);
            document::update(connection, scope, &mut stored).await?;
            let shown = rendering::tax_id(&gone, customer, scope.livemode);
            self.emit(connection, scope, "customer.tax_id.deleted", shown, None)
                .await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}
