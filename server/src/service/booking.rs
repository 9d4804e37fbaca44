//! One decision, written down: its rows and the events that tell of them go into one transaction,
//! so that neither is ever there without the other.
//!
//! A booking collects them in memory and opens the transaction when it commits, so that the rows of
//! one table are written together, and the only writer of SQLite is held as short as can be.
//! What is read meanwhile does not see them.

mod told;

pub use told::Told;

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use perennial::customer::Customer;
use perennial::id::MailId;
use perennial::ledger::Transfer;
use serde_json::Value;

use super::ground::Shadow;
use super::invoices::numbering::Held;
use super::{Engine, Refused};
use crate::mail::MailSettings;
use crate::mail::cause::Telling;
use crate::rendering;
use crate::store::document::{self, Column, Document, Stored};
use crate::store::event::{Data, Kept};
use crate::store::mail as outbox;
use crate::store::writes::{Table, Writes};
use crate::store::{Scope, event, idempotency, ledger, patch};

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

/// An aggregate that an event has told whole: later events tell what is different.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// The event's place in lists.
    sort: i64,
    /// The aggregate as JSON.
    body: String,
}

/// Wholes by noun and id.
pub(crate) type Wholes = HashMap<(&'static str, String), Whole>;

/// A transaction that is being collected.
pub struct Booking<'a> {
    engine: &'a Engine,
    scope: &'a Scope,
    writes: Writes,
    /// Where its events go, unless a ground says so.
    slot: event::Slot,
    wholes: Wholes,
    /// The merchant's rules, where customers get mail.
    mail: Option<Arc<MailSettings>>,
    /// Whether mails were noted.
    mails: bool,
    /// The rows as they are now, for decisions on the same ground.
    shadows: Vec<Shadow>,
    /// The turn to take invoice numbers, until they are written.
    turn: Option<Held>,
}

impl<'a> Booking<'a> {
    /// The id source of its engine.
    pub(crate) fn ids(&self) -> crate::clock::Ids<'a> {
        self.engine.ids()
    }

    /// Starts one. Dropping it forgets everything.
    ///
    /// # Errors
    /// When the merchant's rules can't be read.
    pub async fn begin(engine: &'a Engine, scope: &'a Scope) -> Result<Self, Refused> {
        Ok(Self {
            engine,
            scope,
            writes: Writes::new(scope),
            slot: event::Slot::default(),
            wholes: Wholes::new(),
            mail: engine.mail_settings(scope).await?,
            mails: false,
            shadows: Vec::new(),
            turn: None,
        })
    }

    /// Keeps the turn to take invoice numbers until they are written.
    pub(crate) fn keep_turn(&mut self, held: &Held) {
        self.turn = Some(Arc::clone(held));
    }

    /// The engine that decides.
    pub(crate) fn engine(&self) -> &'a Engine {
        self.engine
    }

    /// Whose rows it writes.
    pub(crate) fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// Adds a row to a table whose rows are only added: its cells after merchant and livemode.
    pub fn add(&mut self, table: &'static Table, cells: Vec<Column>) {
        self.writes.add(table, cells);
    }

    /// A statement for what is neither a document nor an added row; it runs after the documents are
    /// written. It binds `$1` merchant, `$2` livemode, then `cells`. Touching another number of rows
    /// than `touches` is a conflict.
    pub fn run(&mut self, sql: &'static str, cells: Vec<Column>, touches: Option<u64>) {
        self.writes.statement(sql, cells, touches);
    }

    /// Adds a new row and tells of it. That its id is taken shows when the booking commits.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn insert<T: Told>(&mut self, value: T) -> Result<Stored<T>, Refused> {
        let (store, now) = (&self.engine.store, self.engine.now());
        let stored = self.writes.insert(store, value, now)?;
        for (table, cells) in stored.value.beside(None) {
            self.writes.add(table, cells);
        }
        self.shadow(&stored);
        if let Some(kind) = T::CREATED {
            self.tell_now(kind, &stored.value, None)?;
        }
        for (kind, shown, previous) in stored.value.side_events(None) {
            self.emit(kind, shown, previous);
        }
        Ok(stored)
    }

    /// Adds new rows and tells of them.
    ///
    /// # Errors
    /// When one can't be written as JSON.
    pub async fn insert_all<T: Told>(&mut self, values: Vec<T>) -> Result<(), Refused> {
        for value in values {
            self.insert(value).await?;
        }
        Ok(())
    }

    /// Saves rows that changed. What happened to them is told under its own name.
    ///
    /// # Errors
    /// When one can't be written as JSON. That somebody else was faster shows when the booking
    /// commits.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn save_all_quietly<T: Told>(
        &mut self,
        rows: &mut [Stored<T>],
    ) -> Result<(), Refused> {
        for row in rows {
            self.writes.update(row, None)?;
            self.shadow(row);
        }
        Ok(())
    }

    /// Takes rows away, and tells of it as `kind`.
    ///
    /// # Errors
    /// When one can't be written as JSON. That somebody else was faster shows when the booking
    /// commits.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn delete_all<T: Told>(
        &mut self,
        kind: &str,
        rows: &[Stored<T>],
    ) -> Result<(), Refused> {
        for row in rows {
            self.writes.delete(row);
            self.tell_now(kind, &row.value, None)?;
        }
        Ok(())
    }

    /// Takes rows away of which nothing is told.
    pub fn delete_all_quietly<T: Told>(&mut self, rows: &[Stored<T>]) {
        for row in rows {
            self.writes.delete(row);
        }
    }

    /// Counts a row's revision up, whether anything about it changed or not, so that whoever decides
    /// on it at the same moment decides again. What changed is told when it is saved.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn hold<T: Told>(&mut self, edit: &mut Edit<T>) -> Result<(), Refused> {
        self.writes.update(&mut edit.row, Some(&edit.before))?;
        self.shadow(&edit.row);
        Ok(())
    }

    /// Saves a row if anything about it changed, and tells what.
    ///
    /// # Errors
    /// When it can't be written as JSON. That somebody else was faster shows when the booking
    /// commits.
    pub async fn save<T: Told>(&mut self, edit: &mut Edit<T>) -> Result<(), Refused> {
        if edit.row.value == edit.before {
            return Ok(());
        }
        let mut before = edit.before.clone();
        self.save_quietly(edit).await?;
        let Some(kind) = T::UPDATED else {
            return Ok(());
        };
        T::hush(&mut before, &edit.row.value);
        if before == edit.row.value {
            return Ok(());
        }
        let after = &edit.row.value;
        if T::KEPT && T::plainly_differs(&before, after) {
            return self.tell_now(kind, after, Some(&before));
        }
        let (livemode, now) = (self.scope.livemode, self.engine.now());
        let object = after.render(livemode, now);
        let previous = rendering::previous_attributes(&before.render(livemode, now), &object);
        // What is not shown has not changed for those outside.
        if previous.is_none() {
            return Ok(());
        }
        if T::KEPT {
            return self.tell_now(kind, after, Some(&before));
        }
        let place = self.emit(kind, object, previous);
        self.note_mails(kind, place, &edit.row.value, Some(&before));
        Ok(())
    }

    /// Saves a row if anything about it changed. What happened to it is told under its own name.
    ///
    /// # Errors
    /// When it can't be written as JSON. That somebody else was faster shows when the booking
    /// commits.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn save_quietly<T: Told>(&mut self, edit: &mut Edit<T>) -> Result<(), Refused> {
        if edit.row.value != edit.before {
            self.writes.update(&mut edit.row, Some(&edit.before))?;
            for (table, cells) in edit.row.value.beside(Some(&edit.before)) {
                self.writes.add(table, cells);
            }
            for (kind, shown, previous) in edit.row.value.side_events(Some(&edit.before)) {
                self.emit(kind, shown, previous);
            }
            edit.before = edit.row.value.clone();
            self.shadow(&edit.row);
        }
        Ok(())
    }

    /// Writes transfers of the double-entry ledger.
    ///
    /// # Errors
    /// None now; the rows are written when the booking commits.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn post(&mut self, transfers: &[Transfer]) -> Result<(), Refused> {
        for transfer in transfers {
            let cells = ledger::cells(&self.engine.store, transfer);
            self.writes.add(&ledger::TABLE, cells);
        }
        Ok(())
    }

    /// Tells that something happened to `noun`.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    #[expect(clippy::unused_async, reason = "as `begin`")]
    pub async fn tell<T: Told>(&mut self, kind: &str, noun: &T) -> Result<(), Refused> {
        self.tell_now(kind, noun, None)
    }

    /// Whether it is written in live mode.
    #[must_use]
    pub fn livemode(&self) -> bool {
        self.scope.livemode
    }

    /// Tells that something happened to what is no noun of its own, as the API shows it.
    pub fn tell_shown(&mut self, kind: &str, object: Value) {
        self.emit(kind, object, None);
    }

    fn tell_now<T: Told>(
        &mut self,
        kind: &str,
        noun: &T,
        before: Option<&T>,
    ) -> Result<(), Refused> {
        if !T::KEPT {
            let object = noun.render(self.scope.livemode, self.engine.now());
            let place = self.emit(kind, object, None);
            self.note_mails(kind, place, noun, before);
            return Ok(());
        }
        let body = document::encode(noun)?;
        let was = before;
        let before = match before {
            Some(before) => patch::changes(&body, &document::encode(before)?),
            None => None,
        };
        let name = (T::KIND, noun.key().to_owned());
        let ground = self.engine.shared(self.scope);
        let basis = self.wholes.get(&name).cloned();
        let basis = basis.or_else(|| ground.and_then(|ground| ground.whole(&name)));
        let mut parts = Vec::with_capacity(2);
        match &basis {
            None => parts.push(format!("\"object\":{body}")),
            Some(whole) => {
                let changes = patch::changes(&whole.body, &body);
                parts.extend(changes.map(|changes| format!("\"changes\":{changes}")));
            }
        }
        parts.extend(before.map(|before| format!("\"before\":{before}")));
        let said = match parts.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", parts.join(",")),
        };
        let basis = basis.map(|whole| whole.sort);
        let data = Data::Kept(Kept {
            noun: T::KIND.to_owned(),
            basis,
            body: said,
        });
        let sort = self.append(kind, name.1.clone(), data);
        if basis.is_none() {
            self.wholes.insert(name, Whole { sort, body });
        }
        self.note_mails(kind, sort, noun, was);
        Ok(())
    }

    /// Notes the mails that an event causes.
    fn note_mails<T: Told>(&mut self, kind: &str, place: i64, noun: &T, before: Option<&T>) {
        let Some(settings) = &self.mail else { return };
        let at = self.engine.now();
        let telling = Telling {
            kind,
            place,
            at,
            settings,
        };
        for wanted in noun.mails(&telling, before) {
            let mut wanted = wanted;
            // Where the customer is at hand, many mails go into one statement.
            let ground = self.engine.shared(self.scope);
            if !wanted.reachable
                && let Some(customer) = ground.and_then(|own| own.get::<Customer>(&wanted.customer))
            {
                if customer.deleted || customer.email.is_none() {
                    continue;
                }
                wanted.reachable = true;
                wanted.clock = wanted.clock.or_else(|| customer.test_clock.clone());
            }
            let id = MailId::new(&mut self.engine.ids());
            let cells = outbox::cells(&id, at, &wanted);
            match wanted.reachable {
                true => self.writes.add(&outbox::TABLE, cells),
                false => self
                    .writes
                    .statement(outbox::INSERT_IF_REACHABLE, cells, None),
            }
            self.mails = true;
        }
    }

    fn shadow<T: Document>(&mut self, row: &Stored<T>) {
        if self.engine.shared(self.scope).is_some() {
            let place = TypeId::of::<T>();
            let id = row.value.key().to_owned();
            self.shadows.push((place, id, Arc::new(row.clone())));
        }
    }

    /// Tells something in the API's shape; answers with the event's place in lists.
    fn emit(&mut self, kind: &str, object: Value, previous: Option<Value>) -> i64 {
        let event = self.engine.event(kind, object, previous);
        self.append(kind, event.object, event.data)
    }

    /// Adds an event; answers with its place in lists.
    fn append(&mut self, kind: &str, object: String, data: Data) -> i64 {
        let (engine, told) = (self.engine, self.engine.real_now());
        let place = match engine.shared(self.scope) {
            Some(ground) => ground.place(&engine.store, told),
            None => self.slot.place(&engine.store, told),
        };
        let event = event::Entry {
            kind: kind.to_owned(),
            object,
            created: engine.now(),
            data,
            cause: engine.cause.as_deref().cloned(),
        };
        self.writes.tell(place, event);
        place
    }

    /// Writes and keeps everything. It has reached the disk when this returns.
    ///
    /// # Errors
    /// When it did not; nothing was kept then. [`crate::store::StoreError::Conflict`] when somebody
    /// else was faster, [`crate::store::StoreError::Exists`] when a new row's id is taken.
    pub async fn commit(mut self) -> Result<(), Refused> {
        if let Some(ground) = self.engine.shared(self.scope) {
            ground.absorb(self.writes, self.wholes, self.shadows);
            return Ok(());
        }
        if self.writes.is_empty() {
            return Ok(());
        }
        let store = &self.engine.store;
        if let Some(key) = self
            .engine
            .cause
            .as_ref()
            .and_then(|own| own.idempotency_key.clone())
        {
            self.writes
                .statement(idempotency::BEGAN, vec![Column::Text(Some(key))], None);
        }
        let mut tx = store.begin().await?;
        self.writes.write(store, tx.connection()).await?;
        tx.commit().await?;
        self.engine.wake();
        if self.mails {
            self.engine.ring_for_mail();
        }
        drop(self.turn);
        Ok(())
    }
}
