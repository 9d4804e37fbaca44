//! Tax ids of customers, as merchants add and remove them.

use perennial::customer::{Customer, TaxId};
use perennial::id::{CustomerId, TaxIdId};
use perennial::tax_id;

use super::living;
use crate::rendering;
use crate::service::find::found;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::ledger::{CUSTOMERS_AFTER, STEP_ROWS};
use crate::store::writes::Writes;
use crate::store::{Scope, customer_tax_id};

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
            let before = stored.value.clone();
            let tax = self.add_to(&mut stored.value, new)?;
            document::update(connection, scope, &mut stored).await?;
            customer_tax_id::note(&self.store, connection, scope, (&before, &stored)).await?;
            let shown = rendering::tax_id(&tax, customer, scope.livemode);
            self.emit(connection, scope, "customer.tax_id.created", shown, None)
                .await?;
            tx.commit().await?;
            Ok(tax)
        })
        .await
    }

    pub(in crate::service) fn add_to(
        &self,
        customer: &mut Customer,
        new: &NewTaxId,
    ) -> Result<TaxId, Refused> {
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

    /// A tax id by itself, with the customer whose it is; `None` where there is none, or it is the
    /// merchant's own.
    ///
    /// # Errors
    /// When the database fails or the customer can't be read.
    pub async fn tax_id_alone(
        &self,
        scope: &Scope,
        id: &TaxIdId,
    ) -> Result<Option<(CustomerId, TaxId)>, Refused> {
        let mut connection = self.store.read().await?;
        let owner = customer_tax_id::OWNERS
            .owner_of(&mut connection, scope, id.as_str())
            .await?;
        let Some(owner) = owner else { return Ok(None) };
        let owner: Option<Stored<Customer>> =
            document::load(&mut connection, scope, &owner).await?;
        let Some(owner) = owner.filter(|own| !own.deleted) else {
            return Ok(None);
        };
        let tax = owner.tax_ids.iter().find(|tax| tax.id == *id).cloned();
        Ok(tax.map(|tax| (owner.value.id, tax)))
    }

    /// Notes whose the tax ids are that are older than the table that says it, for a server that
    /// starts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_tax_ids(&self) -> Result<(), Refused> {
        while self.retrying(|| self.open_tax_ids_part()).await? {}
        Ok(())
    }

    /// Notes the tax ids of some customers; answers whether there may be more.
    async fn open_tax_ids_part(&self) -> Result<bool, Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let Some((scope, before)) = customer_tax_id::OWNERS.opening(connection).await? else {
            return Ok(false);
        };
        let filter = [Column::text(&before), Column::Number(Some(STEP_ROWS))];
        let found: Vec<Stored<Customer>> =
            document::select(connection, &scope, CUSTOMERS_AFTER, &filter).await?;
        let mut writes = Writes::new(&scope);
        for row in &found {
            for cells in customer_tax_id::cells(None, row) {
                writes.add(&customer_tax_id::TABLE, cells);
            }
        }
        writes.write(&self.store, connection).await?;
        let last = found.last().map(|row| row.id.as_str());
        customer_tax_id::OWNERS
            .opened(connection, &scope, &before, last)
            .await?;
        tx.commit().await?;
        Ok(true)
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
