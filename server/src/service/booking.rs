//! One decision, written down: its rows and the events that tell of them go into one transaction,
//! so that neither is ever there without the other.
//!
//! Decide first, then open a booking: on SQLite it holds the only writer.

use perennial::calendar::Timestamp;
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::ledger::Transfer;
use perennial::payment::{PaymentIntent, PaymentMethod};
use perennial::quote::Quote;
use perennial::subscription::Subscription;
use perennial::{customer::Customer, discount::Coupon};
use serde_json::Value;
use sqlx::AnyConnection;

use super::balance::BalanceTransaction;
use super::{Engine, Refused};
use crate::rendering;
use crate::store::document::{self, Document, Stored};
use crate::store::{Scope, Tx, event, ledger};

/// A noun whose changes are told to whoever listens to events.
pub trait Told: Document + PartialEq {
    /// Stripe's event for a new one.
    const CREATED: Option<&'static str>;
    /// Stripe's event for a change.
    const UPDATED: Option<&'static str>;
    /// As the API shows it at `now`.
    fn render(&self, livemode: bool, now: Timestamp) -> Value;
}

macro_rules! told {
    ($noun:ty, $created:expr, $updated:expr, $render:path) => {
        impl Told for $noun {
            const CREATED: Option<&'static str> = $created;
            const UPDATED: Option<&'static str> = $updated;
            fn render(&self, livemode: bool, _now: Timestamp) -> Value {
                $render(self, livemode)
            }
        }
    };
}

told!(
    Customer,
    Some("customer.created"),
    Some("customer.updated"),
    rendering::customer
);
told!(
    Subscription,
    Some("customer.subscription.created"),
    Some("customer.subscription.updated"),
    rendering::subscription
);
told!(
    Invoice,
    Some("invoice.created"),
    Some("invoice.updated"),
    rendering::invoice
);
told!(
    InvoiceItem,
    Some("invoiceitem.created"),
    None,
    rendering::invoice_item
);
told!(
    PaymentIntent,
    Some("payment_intent.created"),
    None,
    rendering::payment_intent
);
told!(
    PaymentMethod,
    None,
    Some("payment_method.updated"),
    rendering::payment_method
);
told!(
    BalanceTransaction,
    None,
    None,
    rendering::balance_transaction
);

impl Told for Coupon {
    const CREATED: Option<&'static str> = Some("coupon.created");
    const UPDATED: Option<&'static str> = Some("coupon.updated");
    fn render(&self, livemode: bool, now: Timestamp) -> Value {
        rendering::coupon(self, livemode, now)
    }
}

// Quotes are ours; Stripe has no events for them.
impl Told for Quote {
    const CREATED: Option<&'static str> = None;
    const UPDATED: Option<&'static str> = None;
    fn render(&self, _livemode: bool, _now: Timestamp) -> Value {
        Value::Null
    }
}

/// A row that a decision works on, with what it was.
#[derive(Clone, Debug)]
pub struct Edit<T> {
    row: Stored<T>,
    before: T,
}

impl<T: Clone> Edit<T> {
    /// Starts from a row as it was read.
    pub fn of(row: Stored<T>) -> Self {
        let before = row.value.clone();
        Self { row, before }
    }

    /// What it was when it was read or last saved.
    pub fn before(&self) -> &T {
        &self.before
    }

    /// The row as it is now.
    pub fn into_row(self) -> Stored<T> {
        self.row
    }

    /// The revision that was read.
    pub fn revision(&self) -> i64 {
        self.row.revision
    }
}

impl<T> std::ops::Deref for Edit<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.row.value
    }
}

impl<T> std::ops::DerefMut for Edit<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.row.value
    }
}

/// A transaction that is being written.
pub struct Booking<'a> {
    engine: &'a Engine,
    scope: &'a Scope,
    tx: Tx,
}

impl<'a> Booking<'a> {
    /// Starts one. Dropping it undoes everything.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn begin(engine: &'a Engine, scope: &'a Scope) -> Result<Self, Refused> {
        let tx = engine.store.begin().await?;
        Ok(Self { engine, scope, tx })
    }

    /// For statements beyond documents and events.
    pub fn connection(&mut self) -> &mut AnyConnection {
        self.tx.connection()
    }

    /// Adds a new row and tells of it.
    ///
    /// # Errors
    /// When its id is taken or the database fails.
    pub async fn insert<T: Told>(&mut self, value: T) -> Result<Stored<T>, Refused> {
        let (engine, now) = (self.engine, self.engine.now());
        let connection = self.tx.connection();
        let stored = document::insert(&engine.store, connection, self.scope, value, now).await?;
        if let Some(kind) = T::CREATED {
            self.tell(kind, &stored.value).await?;
        }
        Ok(stored)
    }

    /// Adds new rows and tells of them, in two statements.
    ///
    /// # Errors
    /// When an id is taken or the database fails.
    pub async fn insert_all<T: Told>(&mut self, values: Vec<T>) -> Result<(), Refused> {
        let (engine, now) = (self.engine, self.engine.now());
        let connection = self.tx.connection();
        let rows =
            document::insert_many(&engine.store, connection, self.scope, values, now).await?;
        match T::CREATED {
            Some(kind) => self.tell_all(kind, &rows).await,
            None => Ok(()),
        }
    }

    /// Saves rows that changed. What happened to them is told under its own name.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Conflict`] when somebody else was faster.
    pub async fn save_all_quietly<T: Told>(
        &mut self,
        rows: &mut [Stored<T>],
    ) -> Result<(), Refused> {
        Ok(document::update_many(self.tx.connection(), self.scope, rows).await?)
    }

    /// Takes rows away, and tells of it as `kind`.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Conflict`] when somebody else was faster.
    pub async fn delete_all<T: Told>(
        &mut self,
        kind: &str,
        rows: &[Stored<T>],
    ) -> Result<(), Refused> {
        document::delete_many(self.tx.connection(), self.scope, rows).await?;
        self.tell_all(kind, rows).await
    }

    /// Counts a row's revision up, whether anything about it changed or not, so that whoever decides
    /// on it at the same moment decides again. What changed is told when it is saved.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Conflict`] when somebody else was faster.
    pub async fn hold<T: Told + Clone>(&mut self, edit: &mut Edit<T>) -> Result<(), Refused> {
        Ok(document::update(self.tx.connection(), self.scope, &mut edit.row).await?)
    }

    /// Saves a row if anything about it changed, and tells what.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Conflict`] when somebody else was faster.
    pub async fn save<T: Told + Clone>(&mut self, edit: &mut Edit<T>) -> Result<(), Refused> {
        if edit.row.value == edit.before {
            return Ok(());
        }
        document::update(self.tx.connection(), self.scope, &mut edit.row).await?;
        let before = std::mem::replace(&mut edit.before, edit.row.value.clone());
        let Some(kind) = T::UPDATED else {
            return Ok(());
        };
        let (livemode, now) = (self.scope.livemode, self.engine.now());
        let object = edit.row.value.render(livemode, now);
        let previous = rendering::previous_attributes(&before.render(livemode, now), &object);
        // What is not shown has not changed for those outside.
        if previous.is_none() {
            return Ok(());
        }
        self.emit(kind, object, previous).await
    }

    /// Saves a row if anything about it changed. What happened to it is told under its own name.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Conflict`] when somebody else was faster.
    pub async fn save_quietly<T: Told + Clone>(
        &mut self,
        edit: &mut Edit<T>,
    ) -> Result<(), Refused> {
        if edit.row.value != edit.before {
            document::update(self.tx.connection(), self.scope, &mut edit.row).await?;
            edit.before = edit.row.value.clone();
        }
        Ok(())
    }

    /// Writes transfers of the double-entry ledger.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn post(&mut self, transfers: &[Transfer]) -> Result<(), Refused> {
        let (engine, scope) = (self.engine, self.scope);
        Ok(ledger::append(&engine.store, self.tx.connection(), scope, transfers).await?)
    }

    /// Tells that something happened to `noun`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell<T: Told>(&mut self, kind: &str, noun: &T) -> Result<(), Refused> {
        let object = noun.render(self.scope.livemode, self.engine.now());
        self.emit(kind, object, None).await
    }

    async fn tell_all<T: Told>(&mut self, kind: &str, rows: &[Stored<T>]) -> Result<(), Refused> {
        let (engine, scope, now) = (self.engine, self.scope, self.engine.now());
        let told = rows.iter().map(|row| {
            let object = row.value.render(scope.livemode, now);
            engine.event(kind, object, None)
        });
        let told: Vec<_> = told.collect();
        Ok(event::append_many(&engine.store, self.tx.connection(), scope, &told).await?)
    }

    async fn emit(
        &mut self,
        kind: &str,
        object: Value,
        previous: Option<Value>,
    ) -> Result<(), Refused> {
        let (engine, scope) = (self.engine, self.scope);
        engine
            .emit(self.tx.connection(), scope, kind, object, previous)
            .await
    }

    /// Keeps everything. It has reached the disk when this returns.
    ///
    /// # Errors
    /// When it did not; nothing was kept then.
    pub async fn commit(self) -> Result<(), Refused> {
        self.tx.commit().await?;
        self.engine.wake();
        Ok(())
    }
}
