//! One decision, written down: its rows and the events that tell of them go into one transaction,
//! so that neither is ever there without the other.
//!
//! A booking collects them in memory and opens the transaction when it commits, so that the rows of
//! one table are written together, and the only writer of SQLite is held as short as can be.
//! What is read meanwhile does not see them.

mod told;

pub use told::Told;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

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
use crate::store::body::Body;
use crate::store::document::{self, Column, Document, Stored};
use crate::store::event::{Data, Kept};
use crate::store::mail as outbox;
use crate::store::writes::{Table, Writes};
use crate::store::{Scope, StoreError, event, idempotency, ledger, patch};

/// A row as it was read or saved. Whoever needs its body finds it written, once one of them wrote it.
#[derive(Debug)]
pub(crate) struct Known<T> {
    row: Stored<T>,
    body: OnceLock<Arc<Body>>,
}

impl<T: Document> Known<T> {
    pub(crate) fn new(row: Stored<T>) -> Arc<Self> {
        let body = OnceLock::new();
        Arc::new(Self { row, body })
    }

    fn written(row: Stored<T>, body: Arc<Body>) -> Arc<Self> {
        let body = OnceLock::from(body);
        Arc::new(Self { row, body })
    }

    fn body(&self) -> Result<Arc<Body>, StoreError> {
        if let Some(body) = self.body.get() {
            return Ok(Arc::clone(body));
        }
        let body = Arc::new(document::encode(&self.row.value)?);
        Ok(Arc::clone(self.body.get_or_init(|| body)))
    }
}

impl<T> std::ops::Deref for Known<T> {
    type Target = Stored<T>;
    fn deref(&self) -> &Stored<T> {
        &self.row
    }
}

/// A row that a decision works on, with what it was.
#[derive(Clone, Debug)]
pub struct Edit<T> {
    row: Stored<T>,
    before: Arc<Known<T>>,
}

impl<T: Document> Edit<T> {
    /// Starts from a row as it was read.
    pub fn of(row: Stored<T>) -> Self {
        Self::from_known(Known::new(row))
    }

    pub(crate) fn from_known(before: Arc<Known<T>>) -> Self {
        let row = before.row.clone();
        Self { row, before }
    }

    /// What it was when it was read or last saved.
    pub fn before(&self) -> &T {
        &self.before.row.value
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
    body: Arc<Body>,
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
        let body = Arc::new(document::encode(&value)?);
        let stored = Stored {
            value,
            revision: 1,
            sort: store.sort(now),
        };
        self.writes.insert_as(&stored, Arc::clone(&body));
        for (table, cells) in stored.value.beside(None) {
            self.writes.add(table, cells);
        }
        let known = Known::written(stored.clone(), body);
        self.shadow(&known);
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
            let body = Arc::new(document::encode(&row.value)?);
            self.writes.update_as(row, None, Arc::clone(&body));
            self.shadow(&Known::written(row.clone(), body));
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
        self.put(edit)?;
        Ok(())
    }

    /// Saves a row if anything about it changed, and tells what.
    ///
    /// # Errors
    /// When it can't be written as JSON. That somebody else was faster shows when the booking
    /// commits.
    pub async fn save<T: Told>(&mut self, edit: &mut Edit<T>) -> Result<(), Refused> {
        if edit.row.value == edit.before.value {
            return Ok(());
        }
        let known = Arc::clone(&edit.before);
        self.save_quietly(edit).await?;
        let Some(kind) = T::UPDATED else {
            return Ok(());
        };
        let after = &edit.row.value;
        if T::KEPT && T::plainly_differs(&known.value, after) {
            return self.tell_now(kind, after, Some(&known));
        }
        let mut before = known.value.clone();
        T::hush(&mut before, after);
        if before == *after {
            return Ok(());
        }
        let (livemode, now) = (self.scope.livemode, self.engine.now());
        let object = after.render(livemode, now);
        let previous = rendering::previous_attributes(&before.render(livemode, now), &object);
        // What is not shown has not changed for those outside.
        if previous.is_none() {
            return Ok(());
        }
        if T::KEPT {
            // What is hushed is not in what it was before either.
            let known = match before == known.value {
                true => known,
                false => Known::new(Stored {
                    value: before,
                    ..known.row
                }),
            };
            return self.tell_now(kind, after, Some(&known));
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
        if edit.row.value != edit.before.value {
            let known = self.put(edit)?;
            for (table, cells) in edit.row.value.beside(Some(&edit.before.value)) {
                self.writes.add(table, cells);
            }
            for (kind, shown, previous) in edit.row.value.side_events(Some(&edit.before.value)) {
                self.emit(kind, shown, previous);
            }
            edit.before = known;
        }
        Ok(())
    }

    /// Writes a row as it is now, whether anything about it changed or not.
    fn put<T: Told>(&mut self, edit: &mut Edit<T>) -> Result<Arc<Known<T>>, Refused> {
        let body = Arc::new(document::encode(&edit.row.value)?);
        let before = Some(&edit.before.row.value);
        self.writes
            .update_as(&mut edit.row, before, Arc::clone(&body));
        let known = Known::written(edit.row.clone(), body);
        self.shadow(&known);
        Ok(known)
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
        known: Option<&Known<T>>,
    ) -> Result<(), Refused> {
        let was = known.map(|known| &known.row.value);
        if !T::KEPT {
            let object = noun.render(self.scope.livemode, self.engine.now());
            let place = self.emit(kind, object, None);
            self.note_mails(kind, place, noun, was);
            return Ok(());
        }
        let body = self.body_of(noun)?;
        let before = match known {
            Some(known) => patch::changes(&body, &*known.body()?),
            None => None,
        };
        let name = (T::KIND, noun.key().to_owned());
        let ground = self.engine.shared(self.scope);
        let basis = self.wholes.get(&name).cloned();
        let basis = basis.or_else(|| ground.and_then(|ground| ground.whole(&name)));
        let mut said = String::new();
        let mut say = |name: &str, value: &str| {
            said.reserve(name.len() + value.len() + 2);
            said.push(if said.is_empty() { '{' } else { ',' });
            said.push_str(name);
            said.push_str(value);
        };
        match &basis {
            None => say("\"object\":", body.as_str()),
            Some(whole) => {
                if let Some(changes) = patch::changes(&whole.body, &body) {
                    say("\"changes\":", &changes);
                }
            }
        }
        if let Some(before) = &before {
            say("\"before\":", before);
        }
        if !said.is_empty() {
            said.push('}');
        }
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
    pub(crate) fn note_mails<T: Told>(
        &mut self,
        kind: &str,
        place: i64,
        noun: &T,
        before: Option<&T>,
    ) {
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

    /// The body of a noun: mostly it was written just now, to be saved.
    fn body_of<T: Told>(&self, noun: &T) -> Result<Arc<Body>, Refused> {
        let of = |row: &Arc<dyn Any + Send + Sync>| {
            let known = row.downcast_ref::<Known<T>>()?;
            (known.row.value == *noun).then(|| known.body())
        };
        let place = TypeId::of::<T>();
        let own = self.shadows.iter().rev();
        let mut own = own.filter(|(kind, id, _)| *kind == place && id == noun.key());
        let found = own.find_map(|(_, _, row)| of(row));
        let laid = || {
            let ground = self.engine.shared(self.scope)?;
            let known = ground.get::<T>(noun.key())?;
            (known.row.value == *noun).then(|| known.body())
        };
        match found.or_else(laid) {
            Some(body) => Ok(body?),
            None => Ok(Arc::new(document::encode(noun)?)),
        }
    }

    fn shadow<T: Document>(&mut self, known: &Arc<Known<T>>) {
        let place = TypeId::of::<T>();
        let id = known.row.value.key().to_owned();
        let known: Arc<Known<T>> = Arc::clone(known);
        self.shadows.push((place, id, known));
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
        let ready = self.writes.ready(store)?;
        let mut tx = store.begin().await?;
        ready.run(tx.connection()).await?;
        tx.commit().await?;
        self.engine.wake();
        if self.mails {
            self.engine.ring_for_mail();
        }
        drop(self.turn);
        Ok(())
    }
}
