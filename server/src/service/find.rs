//! Finding what a use case works on.

use std::sync::Arc;

use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceId, PaymentIntentId, SubscriptionId};
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::payment::PaymentIntent;
use perennial::subscription::Subscription;
use sqlx::AnyConnection;

use super::booking::{Edit, Known};
use super::ground::Ground;
use super::{Engine, Refused};
use crate::merchant::Merchant;
use crate::store::document::{self, Column, Document, PageRequest, Stored};
use crate::store::{Scope, key, nouns};

impl Engine {
    /// Reads one by its id.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none in this merchant's mode.
    pub async fn find<T: Document>(&self, scope: &Scope, id: &str) -> Result<Stored<T>, Refused> {
        let found = self.look_up(scope, id).await?;
        found.ok_or_else(|| Refused::not_found(T::KIND, id))
    }

    /// Reads one by its id; not finding it is no error.
    ///
    /// # Errors
    /// When the database fails or the row can't be read.
    pub(crate) async fn look_up<T: Document>(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<Stored<T>>, Refused> {
        let Some(ground) = self.shared(scope) else {
            return self.read_one(scope, id).await;
        };
        let known = self.known_on(ground, scope, id).await?;
        Ok(known.map(|known| Stored::clone(&known)))
    }

    async fn read_one<T: Document>(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<Stored<T>>, Refused> {
        let mut connection = self.store.read().await?;
        Ok(document::load(&mut connection, scope, id).await?)
    }

    async fn known_on<T: Document>(
        &self,
        ground: &Ground,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<Arc<Known<T>>>, Refused> {
        if let Some(known) = ground.get(id) {
            return Ok(Some(known));
        }
        let known = self.read_one(scope, id).await?.map(Known::new);
        if let Some(known) = &known {
            ground.lay_known(known);
        }
        Ok(known)
    }

    /// Reads one by its id, to look at: on a ground nothing is copied.
    ///
    /// # Errors
    /// As [`Engine::find`].
    pub(crate) async fn known<T: Document>(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Arc<Known<T>>, Refused> {
        let found = match self.shared(scope) {
            Some(ground) => self.known_on(ground, scope, id).await?,
            None => self.read_one(scope, id).await?.map(Known::new),
        };
        found.ok_or_else(|| Refused::not_found(T::KIND, id))
    }

    /// Reads one that a parameter names.
    ///
    /// # Errors
    /// [`Refused::NotFound`] with that parameter.
    pub async fn find_named<T: Document>(
        &self,
        scope: &Scope,
        id: &str,
        param: &str,
    ) -> Result<Stored<T>, Refused> {
        let found = self.look_up(scope, id).await?;
        found.ok_or_else(|| Refused::NotFound {
            kind: T::KIND,
            id: id.to_owned(),
            param: Some(param.to_owned()),
        })
    }

    pub(crate) async fn edit_customer(
        &self,
        scope: &Scope,
        id: &CustomerId,
    ) -> Result<Edit<Customer>, Refused> {
        self.known(scope, id.as_str()).await.map(Edit::from_known)
    }

    pub(crate) async fn edit_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Edit<Subscription>, Refused> {
        self.known(scope, id.as_str()).await.map(Edit::from_known)
    }

    pub(crate) async fn edit_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Edit<Invoice>, Refused> {
        self.known(scope, id.as_str()).await.map(Edit::from_known)
    }

    pub(crate) async fn edit_intent(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<Edit<PaymentIntent>, Refused> {
        self.known(scope, id.as_str()).await.map(Edit::from_known)
    }

    /// The customer's items that wait for an invoice, oldest first.
    pub(crate) async fn pending(
        &self,
        scope: &Scope,
        customer: &CustomerId,
    ) -> Result<Vec<Stored<InvoiceItem>>, Refused> {
        let ground = self.shared(scope);
        if let Some(items) = ground.and_then(|ground| ground.pending(customer)) {
            return Ok(items);
        }
        let mut connection = self.store.read().await?;
        let filter = [Column::text(customer)];
        let sql = nouns::INVOICE_ITEMS_PENDING;
        let items = document::select(&mut connection, scope, sql, &filter).await?;
        if let Some(ground) = ground {
            ground.lay_pending(customer, items.clone());
        }
        Ok(items)
    }

    /// A subscription's newest invoices, newest first by the moment that they bill to: those that were
    /// caught up with have been made in one second. At most [`PageRequest::LIMIT_MAX`].
    pub(crate) async fn invoices_of(
        &self,
        scope: &Scope,
        subscription: &SubscriptionId,
    ) -> Result<Vec<Stored<Invoice>>, Refused> {
        self.alone()?;
        let mut connection = self.store.read().await?;
        let page = PageRequest::first(PageRequest::LIMIT_MAX);
        let filter = [Column::text(subscription)];
        let sql = nouns::INVOICES_BY_SUBSCRIPTION;
        let mut found: Vec<Stored<Invoice>> =
            document::list(&mut connection, scope, sql, &page, &filter)
                .await?
                .rows;
        found.sort_by_key(|row| std::cmp::Reverse((row.period.end, row.sort)));
        Ok(found)
    }

    /// The merchant of a scope.
    pub(crate) async fn merchant(&self, scope: &Scope) -> Result<Merchant, Refused> {
        let ground = self.shared(scope);
        if let Some(merchant) = ground.and_then(|ground| ground.merchant()) {
            return Ok(merchant);
        }
        let mut connection = self.store.read().await?;
        let found = key::load_merchant(&mut connection, &scope.merchant).await?;
        if let (Some(ground), Some(merchant)) = (ground, &found) {
            ground.lay_merchant(merchant.clone());
        }
        found.ok_or_else(|| Refused::not_found("account", scope.merchant.as_str()))
    }
}

/// The documents without their rows, for the domain.
pub(crate) fn values<T: Clone>(rows: &[Stored<T>]) -> Vec<T> {
    rows.iter().map(|row| row.value.clone()).collect()
}

/// Reads one that must be there, within a transaction.
pub(super) async fn found<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Stored<T>, Refused> {
    let found = document::load(connection, scope, id).await?;
    found.ok_or_else(|| Refused::not_found(T::KIND, id))
}

/// Reads what a parameter of its own name names.
pub(super) async fn named<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
) -> Result<Stored<T>, Refused> {
    let found = document::load(connection, scope, id).await?;
    found.ok_or_else(|| missing::<T>(id))
}

/// Says that what a parameter of its own name names is not there.
pub(super) fn missing<T: Document>(id: &str) -> Refused {
    Refused::NotFound {
        kind: T::KIND,
        id: id.to_owned(),
        param: Some(T::KIND.to_owned()),
    }
}
