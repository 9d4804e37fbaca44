//! What a decision writes, collected before a transaction opens, and written then with few
//! statements: the rows of one table together, in fixed numbers, so that the databases prepare few.
//!
//! A row that is written twice before it reaches the database is written once, as it is at last.

mod pen;

use std::collections::HashMap;
use std::sync::Arc;

use perennial::calendar::Timestamp;
use sqlx::AnyConnection;

use super::body::Body;
use super::document::{self, Column, Document, Stored};
use super::{Scope, Store, StoreError, event};

use pen::Pen;
pub(super) use pen::Texts;

/// Columns of a document's own that a mask can tell apart.
const ALL_COLUMNS: u32 = u32::MAX;

/// What a column of a [`Table`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TEXT.
    Text,
    /// BIGINT.
    Number,
}

/// A table whose rows are only added: events, entries of ledgers. Its first two columns are merchant
/// and livemode.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns after merchant and livemode.
    pub columns: &'static [&'static str],
    /// What follows the values, such as `on conflict do nothing`; mostly nothing.
    pub after: &'static str,
}

/// A statement of its own, for what is neither a document nor an added row.
#[derive(Debug)]
struct Statement {
    sql: &'static str,
    cells: Vec<Column>,
    /// How many rows it must touch; another number is a conflict.
    touches: Option<u64>,
}

/// The statements of a noun, without its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Noun {
    kind: &'static str,
    insert: &'static str,
    update: &'static str,
}

#[derive(Debug)]
enum Act {
    Insert,
    Update { read: i64, mask: u32 },
    Delete { read: i64 },
    Nothing,
}

#[derive(Debug)]
struct Row {
    noun: Noun,
    id: String,
    /// As it will be.
    revision: i64,
    sort: i64,
    body: Arc<Body>,
    columns: Vec<Column>,
    act: Act,
}

/// All that is to be written for one merchant and mode.
#[derive(Debug)]
pub struct Writes {
    scope: Scope,
    rows: Vec<Row>,
    /// Where a row stands, by table and id.
    places: HashMap<(&'static str, String), usize>,
    added: Vec<(&'static Table, Vec<Vec<Column>>)>,
    statements: Vec<Statement>,
    /// What is told, with its places in lists.
    events: Vec<(i64, event::Entry)>,
}

impl Writes {
    /// Nothing yet.
    #[must_use]
    pub fn new(scope: &Scope) -> Self {
        Self {
            scope: scope.clone(),
            rows: Vec::new(),
            places: HashMap::new(),
            added: Vec::new(),
            statements: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.added.is_empty()
            && self.statements.is_empty()
            && self.events.is_empty()
    }

    /// How many rows will be written.
    #[must_use]
    pub fn len(&self) -> usize {
        let added: usize = self.added.iter().map(|(_, rows)| rows.len()).sum();
        self.rows.len() + added + self.statements.len() + self.events.len()
    }

    /// A new document, and its place in lists.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn insert<T: Document>(
        &mut self,
        store: &Store,
        value: T,
        now: Timestamp,
    ) -> Result<Stored<T>, StoreError> {
        let stored = Stored {
            value,
            revision: 1,
            sort: store.sort(now),
        };
        let body = document::encode(&stored.value)?;
        self.insert_as(&stored, Arc::new(body));
        Ok(stored)
    }

    /// A new document that is written already.
    pub(crate) fn insert_as<T: Document>(&mut self, stored: &Stored<T>, body: Arc<Body>) {
        self.push(row(stored, body, Act::Insert));
    }

    /// A document that was read, as it is now; `before` says which columns need no writing. Counts
    /// its revision up.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn update<T: Document>(
        &mut self,
        stored: &mut Stored<T>,
        before: Option<&T>,
    ) -> Result<(), StoreError> {
        let body = document::encode(&stored.value)?;
        self.update_as(stored, before, Arc::new(body));
        Ok(())
    }

    /// As [`Writes::update`], of one that is written already.
    pub(crate) fn update_as<T: Document>(
        &mut self,
        stored: &mut Stored<T>,
        before: Option<&T>,
        body: Arc<Body>,
    ) {
        let read = stored.revision;
        stored.revision += 1;
        let mut row = row(stored, body, Act::Delete { read });
        let mask = before.map_or(ALL_COLUMNS, |before| mask(&before.columns(), &row.columns));
        row.act = Act::Update { read, mask };
        self.push(row);
    }

    /// A document that was read goes away.
    pub fn delete<T: Document>(&mut self, stored: &Stored<T>) {
        self.push(Row {
            noun: noun::<T>(),
            id: stored.value.key().to_owned(),
            revision: stored.revision,
            sort: stored.sort,
            body: Arc::default(),
            columns: Vec::new(),
            act: Act::Delete {
                read: stored.revision,
            },
        });
    }

    /// A row that is added: its cells after merchant and livemode, in the table's order.
    pub fn add(&mut self, table: &'static Table, cells: Vec<Column>) {
        debug_assert_eq!(cells.len(), table.columns.len(), "{}", table.name);
        match self
            .added
            .iter_mut()
            .find(|(own, _)| own.name == table.name)
        {
            Some((_, rows)) => rows.push(cells),
            None => self.added.push((table, vec![cells])),
        }
    }

    /// A statement of its own, which runs after the documents are written. It binds `$1` merchant,
    /// `$2` livemode, then `cells`. Touching another number of rows than `touches` is a conflict.
    pub fn statement(&mut self, sql: &'static str, cells: Vec<Column>, touches: Option<u64>) {
        self.statements.push(Statement {
            sql,
            cells,
            touches,
        });
    }

    /// An event, at its place in lists.
    pub fn tell(&mut self, place: i64, event: event::Entry) {
        self.events.push((place, event));
    }

    /// Takes in what another decision of the same merchant and mode writes after this.
    pub fn absorb(&mut self, other: Self) {
        for row in other.rows {
            self.push(row);
        }
        for (table, rows) in other.added {
            match self
                .added
                .iter_mut()
                .find(|(own, _)| own.name == table.name)
            {
                Some((_, own)) => own.extend(rows),
                None => self.added.push((table, rows)),
            }
        }
        self.statements.extend(other.statements);
        self.events.extend(other.events);
    }

    fn push(&mut self, row: Row) {
        let place = (row.noun.update, row.id.clone());
        let Some(index) = self.places.get(&place).copied() else {
            self.places.insert(place, self.rows.len());
            self.rows.push(row);
            return;
        };
        let Some(own) = self.rows.get_mut(index) else {
            return;
        };
        let act = match (&own.act, &row.act) {
            (Act::Insert, Act::Insert | Act::Update { .. }) => Act::Insert,
            (Act::Update { read, mask }, Act::Update { mask: more, .. }) => Act::Update {
                read: *read,
                mask: *mask | *more,
            },
            // It goes away as it was read, whatever was to be saved before.
            (Act::Update { read, .. }, Act::Delete { .. }) => Act::Delete { read: *read },
            // Made and taken away again: it never was.
            (Act::Insert, Act::Delete { .. }) => Act::Nothing,
            // What is gone stays gone.
            (Act::Delete { .. } | Act::Nothing, _) | (_, Act::Insert | Act::Nothing) => return,
        };
        *own = Row { act, ..row };
    }

    /// Writes everything, in an order that is the same for all writers.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a row changed since it was read, [`StoreError::Exists`] when a
    /// key is taken; the transaction must not be kept then.
    pub async fn write(
        self,
        store: &Store,
        connection: &mut AnyConnection,
    ) -> Result<(), StoreError> {
        self.ready(store)?.run(connection).await
    }

    /// Makes the statements, so that whoever writes many rows does not keep others from writing
    /// meanwhile.
    ///
    /// # Errors
    /// When a value can't be bound.
    pub fn ready(mut self, store: &Store) -> Result<Ready, StoreError> {
        let events = std::mem::take(&mut self.events);
        event::group(&mut self, events);
        let mut pen = Pen {
            store,
            scope: &self.scope,
            ready: Vec::new(),
        };
        let (mut inserts, mut updates, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        for row in self.rows {
            match row.act {
                Act::Insert => inserts.push(row),
                Act::Update { .. } => updates.push(row),
                Act::Delete { .. } => deletes.push(row),
                Act::Nothing => {}
            }
        }
        // What others may write too, in one order, so that no two wait for each other.
        updates.sort_by(|a, b| (a.noun, a.mask(), &a.id).cmp(&(b.noun, b.mask(), &b.id)));
        for row in deletes {
            pen.delete(row)?;
        }
        for group in groups(updates, |row| (row.noun, row.mask())) {
            pen.update(group)?;
        }
        // New rows keep their order within a table: keys and places in lists grow.
        inserts.sort_by_key(|row| row.noun);
        for group in groups(inserts, |row| (row.noun, 0)) {
            pen.insert(group)?;
        }
        for statement in self.statements {
            pen.run(statement)?;
        }
        for (table, rows) in self.added {
            pen.add(table, rows)?;
        }
        Ok(Ready(pen.ready))
    }
}

/// The statements of [`Writes`], with all that they bind.
pub struct Ready(Vec<pen::Ready>);

impl Ready {
    /// Runs them.
    ///
    /// # Errors
    /// As [`Writes::write`].
    pub async fn run(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for statement in self.0 {
            statement.run(connection).await?;
        }
        Ok(())
    }
}

impl Row {
    fn mask(&self) -> u32 {
        match self.act {
            Act::Update { mask, .. } => mask,
            Act::Insert | Act::Delete { .. } | Act::Nothing => 0,
        }
    }
}

fn noun<T: Document>() -> Noun {
    Noun {
        kind: T::KIND,
        insert: T::INSERT,
        update: T::UPDATE,
    }
}

fn row<T: Document>(stored: &Stored<T>, body: Arc<Body>, act: Act) -> Row {
    Row {
        noun: noun::<T>(),
        id: stored.value.key().to_owned(),
        revision: stored.revision,
        sort: stored.sort,
        body,
        columns: stored.value.columns(),
        act,
    }
}

/// Which columns differ, a bit for each. Writing only those spares the indexes of the others.
fn mask(before: &[Column], after: &[Column]) -> u32 {
    let mut mask = 0;
    for (index, column) in after.iter().enumerate().take(32) {
        if before.get(index) != Some(column) {
            mask |= 1 << index;
        }
    }
    mask
}

/// Neighbours with the same key, together.
fn groups<K: PartialEq>(rows: Vec<Row>, key: impl Fn(&Row) -> K) -> Vec<Vec<Row>> {
    let mut groups: Vec<Vec<Row>> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|own| key(own) == key(&row)) => {
                group.push(row);
            }
            _ => groups.push(vec![row]),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
