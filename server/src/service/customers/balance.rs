//! Changes of a customer's balance by hand.

use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{CustomerBalanceTransactionId, CustomerId};
use perennial::ledger as double;
use perennial::metadata::{Metadata, MetadataChange};

use super::living;
use crate::rendering;
use crate::service::balance::{BalanceTransaction, BalanceTransactionKind};
use crate::service::booking::{Booking, Edit};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};
use crate::store::ledger;

/// The largest amount of one change of a balance, in minor units (Stripe: 12 digits).
const BALANCE_CHANGE_MAX: i64 = 999_999_999_999;

impl Engine {
    /// Changes a customer's balance by hand, with an entry in its ledger. A first change fixes the
    /// customer's currency.
    ///
    /// # Errors
    /// When the customer is not there, the currency is another one, or the sum is too large.
    pub async fn adjust_balance(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        (amount_minor, currency): (i64, Currency),
        description: Option<String>,
        metadata: Metadata,
    ) -> Result<Stored<BalanceTransaction>, Refused> {
        let (description, metadata) = (&description, &metadata);
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let mut stored = living(connection, scope, customer).await?;
            let before = rendering::customer(&stored.value, scope.livemode);
            let mut entry = self.entry(&mut stored.value, amount_minor, currency)?;
            entry.description.clone_from(description);
            entry.metadata.clone_from(metadata);
            document::update(connection, scope, &mut stored).await?;
            let now = self.now();
            let entry = document::insert(&self.store, connection, scope, entry, now).await?;
            let moved = double::adjusted(customer, amount_minor, currency, entry.id.as_str(), now);
            let moved = moved.map_err(|_| Refused::TooLarge)?;
            ledger::append(&self.store, connection, scope, &moved).await?;
            let shown = rendering::customer(&stored.value, scope.livemode);
            let previous = rendering::previous_attributes(&before, &shown);
            self.emit(connection, scope, "customer.updated", shown, previous)
                .await?;
            tx.commit().await?;
            Ok(entry)
        })
        .await
    }

    /// Changes the note and the keys of an entry; its amount stays for good.
    ///
    /// # Errors
    /// When there is none of this customer, or a key can't stand.
    pub async fn update_balance_entry(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        id: &CustomerBalanceTransactionId,
        (description, change): (Option<Option<String>>, Option<MetadataChange>),
    ) -> Result<Stored<BalanceTransaction>, Refused> {
        let (description, change) = (&description, &change);
        self.retrying(|| async move {
            let mut entry: Edit<BalanceTransaction> =
                Edit::of(self.find(scope, id.as_str()).await?);
            if entry.customer != *customer {
                return Err(Refused::not_found(
                    "customer_balance_transaction",
                    id.as_str(),
                ));
            }
            if let Some(description) = description {
                entry.description.clone_from(description);
            }
            if let Some(change) = change {
                let changed = entry.metadata.change(change);
                changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
            }
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut entry).await?;
            booking.commit().await?;
            Ok(entry.into_row())
        })
        .await
    }

    fn entry(
        &self,
        customer: &mut Customer,
        amount_minor: i64,
        currency: Currency,
    ) -> Result<BalanceTransaction, Refused> {
        if amount_minor == 0 || !(-BALANCE_CHANGE_MAX..=BALANCE_CHANGE_MAX).contains(&amount_minor)
        {
            let message = "The amount must not be zero and must have at most 12 digits.";
            return Err(Refused::invalid("amount", message));
        }
        if let Some(own) = customer.currency
            && own != currency
        {
            let message = format!("This customer is billed in {own}; its balance is too.");
            return Err(Refused::invalid("currency", message));
        }
        let balance = customer.balance_minor.checked_add(amount_minor);
        let balance = balance.ok_or(Refused::TooLarge)?;
        customer.currency = Some(currency);
        customer.balance_minor = balance;
        Ok(BalanceTransaction {
            id: CustomerBalanceTransactionId::new(&mut self.ids()),
            customer: customer.id.clone(),
            amount_minor,
            currency,
            ending_balance_minor: balance,
            kind: BalanceTransactionKind::Adjustment,
            invoice: None,
            credit_note: None,
            metadata: Metadata::default(),
            description: None,
            created: self.now(),
        })
    }
}
