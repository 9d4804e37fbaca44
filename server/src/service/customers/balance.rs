//! Changes of a customer's balance by hand.

use perennial::catalog::Price;
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{CustomerBalanceTransactionId, CustomerId};
use perennial::ledger::{self as double, Transfer};
use perennial::metadata::{Metadata, MetadataChange};

use super::{CustomerUpdate, living};
use crate::rendering;
use crate::service::balance::{BalanceTransaction, BalanceTransactionKind};
use crate::service::booking::{Booking, Edit};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Page, PageRequest, Stored};
use crate::store::invoice_prefix::{self, TAKE};
use crate::store::{Scope, ledger, nouns};

impl CustomerUpdate {
    /// The largest balance, and the largest amount of one change of it, in minor units (Stripe: 12
    /// digits).
    pub const BALANCE_MINOR_MAX: i64 = 999_999_999_999;
}

/// What a balance is in where neither the merchant nor a price says it.
const CURRENCY: Currency = Currency::USD;

impl Engine {
    /// Saves a new customer with the balance that it begins with.
    pub(super) async fn insert_customer(
        &self,
        scope: &Scope,
        mut customer: Customer,
        balance_minor: i64,
    ) -> Result<Stored<Customer>, Refused> {
        check_balance(balance_minor)?;
        let mut entry = None;
        if balance_minor != 0 {
            let currency = self.first_currency(scope).await?;
            let kind = BalanceTransactionKind::Initial;
            entry = Some(self.entry(&mut customer, balance_minor, currency, kind)?);
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.run(TAKE, invoice_prefix::cells(&customer), Some(1));
        let stored = booking.insert(customer).await?;
        if let Some(entry) = entry {
            booking.post(&self.moved(&entry)?).await?;
            booking.insert(entry).await?;
        }
        booking.commit().await?;
        Ok(stored)
    }

    /// Changes a customer, takes the invoice prefix that it has then, and sets its balance, if that is
    /// said, with an entry of the difference.
    pub(super) async fn change_with_balance(
        &self,
        scope: &Scope,
        id: &CustomerId,
        balance_minor: Option<i64>,
        change: impl Fn(&mut Customer) -> Result<(), Refused>,
    ) -> Result<Stored<Customer>, Refused> {
        let mut customer: Edit<Customer> = Edit::of(self.find(scope, id.as_str()).await?);
        let prefix = customer.invoice_prefix.clone();
        change(&mut customer)?;
        let takes = customer.invoice_prefix != prefix;
        if takes {
            self.check_prefix_free(scope, &customer).await?;
        }
        let balance_minor = balance_minor.unwrap_or(customer.balance_minor);
        check_balance(balance_minor)?;
        let amount = balance_minor.checked_sub(customer.balance_minor);
        let amount = amount.ok_or(Refused::TooLarge)?;
        let mut entry = None;
        if amount != 0 {
            let currency = match customer.currency {
                Some(own) => own,
                None => self.first_currency(scope).await?,
            };
            let kind = BalanceTransactionKind::Adjustment;
            entry = Some(self.entry(&mut customer, amount, currency, kind)?);
        }
        let mut booking = Booking::begin(self, scope).await?;
        if takes {
            booking.run(TAKE, invoice_prefix::cells(&customer), Some(1));
        }
        booking.save(&mut customer).await?;
        if let Some(entry) = entry {
            booking.post(&self.moved(&entry)?).await?;
            booking.insert(entry).await?;
        }
        booking.commit().await?;
        Ok(customer.into_row())
    }

    /// What the first balance of a customer is in who was never billed: the merchant's own currency,
    /// or the newest price's that can be sold. (Stripe: the account's default currency.)
    async fn first_currency(&self, scope: &Scope) -> Result<Currency, Refused> {
        self.alone()?;
        if let Some(own) = self.merchant(scope).await?.currency {
            return Ok(own);
        }
        let sold = [Column::text(""), Column::Number(Some(1))];
        let mut connection = self.store.read().await?;
        let newest: Page<Price> = document::list(
            &mut connection,
            scope,
            nouns::PRICES,
            &PageRequest::first(1),
            &sold,
        )
        .await?;
        Ok(newest.rows.first().map_or(CURRENCY, |row| row.currency))
    }

    /// A change by hand in the double-entry ledger.
    fn moved(&self, entry: &BalanceTransaction) -> Result<Vec<Transfer>, Refused> {
        let (customer, amount, currency) = (&entry.customer, entry.amount_minor, entry.currency);
        let moved = double::adjusted(customer, amount, currency, entry.id.as_str(), self.now());
        moved.map_err(|_| Refused::TooLarge)
    }

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
            check_adjustment(&stored.value, amount_minor, currency)?;
            let kind = BalanceTransactionKind::Adjustment;
            let mut entry = self.entry(&mut stored.value, amount_minor, currency, kind)?;
            entry.description.clone_from(description);
            entry.metadata.clone_from(metadata);
            document::update(connection, scope, &mut stored).await?;
            let now = self.now();
            let entry = document::insert(&self.store, connection, scope, entry, now).await?;
            let moved = self.moved(&entry)?;
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
        kind: BalanceTransactionKind,
    ) -> Result<BalanceTransaction, Refused> {
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
            kind,
            invoice: None,
            credit_note: None,
            metadata: Metadata::default(),
            description: None,
            created: self.now(),
        })
    }
}

fn is_within(minor: i64) -> bool {
    let most = CustomerUpdate::BALANCE_MINOR_MAX;
    (-most..=most).contains(&minor)
}

fn check_balance(minor: i64) -> Result<(), Refused> {
    if is_within(minor) {
        return Ok(());
    }
    let message = "The balance must have at most 12 digits.";
    Err(Refused::invalid("balance", message))
}

fn check_adjustment(customer: &Customer, minor: i64, currency: Currency) -> Result<(), Refused> {
    if minor == 0 || !is_within(minor) {
        let message = "The amount must not be zero and must have at most 12 digits.";
        return Err(Refused::invalid("amount", message));
    }
    match customer.currency {
        Some(own) if own != currency => {
            let message = format!("This customer is billed in {own}; its balance is too.");
            Err(Refused::invalid("currency", message))
        }
        _ => Ok(()),
    }
}
