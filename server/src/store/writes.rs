//! What a decision writes, collected before a transaction opens, and written then with few
//! statements: the rows of one table together, in fixed numbers, so that the databases prepare few.
//!
//! A row that is written twice before it reaches the database is written once, as it is at last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use perennial::calendar::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::document::{self, AnyQuery, Column, Document, Stored};
use super::{Scope, Store, StoreError, event};

/// How many rows one statement writes: the largest of these that fits, again and again.
const SIZES: [usize; 8] = [64, 32, 16, 8, 4, 3, 2, 1];
/// Columns of a document's own that a mask can tell apart.
const ALL_COLUMNS: u32 = u32::MAX;
/// Statements whose text is kept. There are fewer in a program; it bounds what a defect could do.
const TEXTS_MAX: usize = 4_096;

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
    body: String,
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
        let row = row(&stored, Act::Insert)?;
        self.push(row);
        Ok(stored)
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
        let read = stored.revision;
        stored.revision += 1;
        let mut row = row(stored, Act::Delete { read })?;
        let mask = before.map_or(ALL_COLUMNS, |before| mask(&before.columns(), &row.columns));
        row.act = Act::Update { read, mask };
        self.push(row);
        Ok(())
    }

    /// A document that was read goes away.
    pub fn delete<T: Document>(&mut self, stored: &Stored<T>) {
        self.push(Row {
            noun: noun::<T>(),
            id: stored.value.key().to_owned(),
            revision: stored.revision,
            sort: stored.sort,
            body: String::new(),
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
        mut self,
        store: &Store,
        connection: &mut AnyConnection,
    ) -> Result<(), StoreError> {
        let events = std::mem::take(&mut self.events);
        event::group(&mut self, events);
        let mut pen = Pen {
            store,
            connection,
            scope: &self.scope,
            merchant: Arc::new(self.scope.merchant.to_string()),
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
            pen.delete(row).await?;
        }
        for group in groups(updates, |row| (row.noun, row.mask())) {
            pen.update(group).await?;
        }
        // New rows keep their order within a table: keys and places in lists grow.
        inserts.sort_by_key(|row| row.noun);
        for group in groups(inserts, |row| (row.noun, 0)) {
            pen.insert(group).await?;
        }
        for statement in self.statements {
            pen.run(statement).await?;
        }
        for (table, rows) in self.added {
            pen.add(table, rows).await?;
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

fn row<T: Document>(stored: &Stored<T>, act: Act) -> Result<Row, StoreError> {
    Ok(Row {
        noun: noun::<T>(),
        id: stored.value.key().to_owned(),
        revision: stored.revision,
        sort: stored.sort,
        body: document::encode(&stored.value)?,
        columns: stored.value.columns(),
        act,
    })
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

/// What a statement's text depends on, beside the number of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Insert(&'static str),
    Update(&'static str, u32),
    Add(&'static str),
}

/// The texts of statements, made once.
#[derive(Debug, Default)]
pub(super) struct Texts(Mutex<HashMap<(Shape, usize), Arc<str>>>);

impl Texts {
    fn get(&self, shape: Shape, rows: usize, make: impl FnOnce() -> String) -> Arc<str> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(&(shape, rows)) {
            return Arc::clone(text);
        }
        let text: Arc<str> = make().into();
        if texts.len() < TEXTS_MAX {
            texts.insert((shape, rows), Arc::clone(&text));
        }
        text
    }
}

/// Writes placeholders in the order of the text. SQLite finds a numbered one by a search through
/// all of them, so a statement with hundreds spends its time there; it gets nameless ones.
struct Places {
    numbered: bool,
    next: usize,
}

impl Places {
    fn push(&mut self, text: &mut String) {
        self.next += 1;
        if self.numbered {
            text.push('$');
            text.push_str(&self.next.to_string());
        } else {
            text.push('?');
        }
    }

    fn cast(&mut self, text: &mut String, kind: Kind) {
        if !self.numbered {
            return self.push(text);
        }
        // Postgres does not see the types of a list of values.
        text.push_str("cast(");
        self.push(text);
        text.push_str(match kind {
            Kind::Text => " as text)",
            Kind::Number => " as bigint)",
        });
    }
}

/// Writes with one connection.
struct Pen<'a> {
    store: &'a Store,
    connection: &'a mut AnyConnection,
    scope: &'a Scope,
    merchant: Arc<String>,
}

impl Pen<'_> {
    fn places(&self) -> Places {
        Places {
            numbered: !self.store.is_sqlite(),
            next: 0,
        }
    }

    async fn insert(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        for rows in portions(rows) {
            let Some(first) = rows.first() else { continue };
            let (noun, columns, count) = (first.noun, first.columns.len(), rows.len());
            let shape = Shape::Insert(noun.insert);
            let sql = self.store.texts().get(shape, count, || {
                let head = noun.insert.split(" values ").next().unwrap_or_default();
                values_sql(head, columns + 6, count, self.places(), "")
            });
            let ids = ids(&rows);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for row in rows {
                query = query
                    .bind(Arc::clone(&self.merchant))
                    .bind(self.scope.mode())
                    .bind(row.id)
                    .bind(row.revision)
                    .bind(row.sort)
                    .bind(row.body);
                query = bind(query, row.columns);
            }
            let done = query.execute(&mut *self.connection).await;
            done.map_err(|error| document::not_inserted(error, noun.kind, &ids))?;
        }
        Ok(())
    }

    async fn update(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        for rows in portions(rows) {
            let Some(first) = rows.first() else { continue };
            let (noun, mask, count) = (first.noun, first.mask(), rows.len());
            let kinds: Vec<Kind> = masked(mask, &first.columns).map(kind_of).collect();
            let shape = Shape::Update(noun.update, mask);
            let sql = self.store.texts().get(shape, count, || {
                update_sql(noun.update, mask, &kinds, count, self.places())
            });
            let ids = ids(&rows);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for row in rows {
                let Act::Update { read, mask } = row.act else {
                    continue;
                };
                query = query
                    .bind(row.id)
                    .bind(read)
                    .bind(row.revision)
                    .bind(row.body);
                let own = row.columns.into_iter().enumerate();
                let own = own.filter(|(index, _)| has(mask, *index));
                query = bind(query, own.map(|(_, column)| column).collect());
            }
            query = query
                .bind(Arc::clone(&self.merchant))
                .bind(self.scope.mode());
            let done = query.execute(&mut *self.connection).await;
            let done = done.map_err(|error| document::not_inserted(error, noun.kind, &ids))?;
            if done.rows_affected() != count as u64 {
                return Err(conflict(noun.kind, ids));
            }
        }
        Ok(())
    }

    async fn delete(&mut self, row: Row) -> Result<(), StoreError> {
        let Act::Delete { read } = row.act else {
            return Ok(());
        };
        let table = table(row.noun.update);
        let sql = format!(
            "delete from {table} where merchant = $1 and livemode = $2 and id = $3 and revision = $4"
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(Arc::clone(&self.merchant))
            .bind(self.scope.mode())
            .bind(row.id.as_str())
            .bind(read)
            .execute(&mut *self.connection)
            .await?;
        if done.rows_affected() != 1 {
            return Err(conflict(row.noun.kind, row.id));
        }
        Ok(())
    }

    async fn add(
        &mut self,
        table: &'static Table,
        rows: Vec<Vec<Column>>,
    ) -> Result<(), StoreError> {
        for rows in portions(rows) {
            let count = rows.len();
            let sql = self.store.texts().get(Shape::Add(table.name), count, || {
                let columns = table.columns.join(", ");
                let head = format!("insert into {} (merchant, livemode, {columns})", table.name);
                let width = table.columns.len() + 2;
                values_sql(&head, width, count, self.places(), table.after)
            });
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for cells in rows {
                query = query
                    .bind(Arc::clone(&self.merchant))
                    .bind(self.scope.mode());
                query = bind(query, cells);
            }
            let done = query.execute(&mut *self.connection).await;
            // These rows have no names of their own: what clashes is their place in an order, which
            // another process took at this moment.
            done.map_err(|error| match document::is_unique(&error) {
                true => conflict(table.name, String::new()),
                false => error.into(),
            })?;
        }
        Ok(())
    }

    async fn run(&mut self, statement: Statement) -> Result<(), StoreError> {
        let query = sqlx::query(statement.sql)
            .bind(Arc::clone(&self.merchant))
            .bind(self.scope.mode());
        let done = bind(query, statement.cells)
            .execute(&mut *self.connection)
            .await?;
        match statement.touches {
            Some(touches) if touches != done.rows_affected() => Err(conflict("row", String::new())),
            _ => Ok(()),
        }
    }
}

fn conflict(kind: &'static str, id: String) -> StoreError {
    StoreError::Conflict { kind, id }
}

fn ids(rows: &[Row]) -> String {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.join(", ")
}

fn bind(mut query: AnyQuery<'_>, cells: Vec<Column>) -> AnyQuery<'_> {
    for cell in cells {
        query = match cell {
            Column::Text(text) => query.bind(text),
            Column::Number(number) => query.bind(number),
        };
    }
    query
}

/// Cuts rows into numbers that statements are made for.
fn portions<R>(rows: Vec<R>) -> Vec<Vec<R>> {
    let mut portions = Vec::new();
    let mut rows = rows.into_iter();
    let mut left = rows.len();
    for size in SIZES {
        while left >= size {
            portions.push(rows.by_ref().take(size).collect());
            left -= size;
        }
    }
    portions
}

fn has(mask: u32, index: usize) -> bool {
    // Beyond what a mask tells apart, everything is written.
    index >= 32 || mask & (1 << index) != 0
}

fn masked(mask: u32, columns: &[Column]) -> impl Iterator<Item = &Column> {
    let columns = columns.iter().enumerate();
    columns.filter_map(move |(index, column)| has(mask, index).then_some(column))
}

fn kind_of(column: &Column) -> Kind {
    match column {
        Column::Text(_) => Kind::Text,
        Column::Number(_) => Kind::Number,
    }
}

/// `head values (?, …), …` for so many columns and rows.
fn values_sql(head: &str, columns: usize, rows: usize, mut places: Places, after: &str) -> String {
    let mut text = format!("{head} values ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                text.push_str(", ");
            }
            places.push(&mut text);
        }
        text.push(')');
    }
    if !after.is_empty() {
        text.push(' ');
        text.push_str(after);
    }
    text
}

/// The table of an `update … set …`.
fn table(update: &str) -> &str {
    let rest = update.strip_prefix("update ").unwrap_or(update);
    rest.split(' ').next().unwrap_or_default()
}

/// The columns that an `update … set revision = …, body = …, <column> = … where …` sets beyond the
/// first two, in order.
fn own_columns(update: &str) -> impl Iterator<Item = &str> {
    let set = update.split(" where ").next().unwrap_or_default();
    let set = set.split_once(" set ").map_or("", |(_, set)| set);
    let names = set.split(", ");
    names
        .skip(2)
        .map(|one| one.split(" = ").next().unwrap_or_default())
}

/// Updates so many rows of a document's table from a list of values: for each its id, the revision
/// that was read, the new one, the body and the columns of `mask`; then merchant and livemode.
fn update_sql(update: &str, mask: u32, kinds: &[Kind], rows: usize, mut places: Places) -> String {
    let own: Vec<&str> = own_columns(update)
        .enumerate()
        .filter_map(|(index, name)| has(mask, index).then_some(name))
        .collect();
    let mut all = vec![Kind::Text, Kind::Number, Kind::Number, Kind::Text];
    all.extend(kinds);
    let names: Vec<String> = (0..own.len()).map(|n| format!(", w_{n}")).collect();
    let mut text = format!(
        "with changed (w_id, w_read, w_revision, w_body{}) as (values ",
        names.concat()
    );
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (index, kind) in all.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            places.cast(&mut text, *kind);
        }
        text.push(')');
    }
    text.push(')');
    // With many values SQLite would go through the whole table and look each row up in them; found
    // before, by the key, they lead the way.
    let (list, own_row) = match places.numbered {
        true => ("changed", String::new()),
        false => {
            text.push_str(", found as materialized (select own.rowid as w_row, changed.* from changed cross join ");
            text.push_str(table(update));
            text.push_str(" as own where own.merchant = ");
            places.push(&mut text);
            text.push_str(" and own.livemode = ");
            places.push(&mut text);
            text.push_str(" and own.id = changed.w_id and own.revision = changed.w_read)");
            ("found", format!("{}.rowid = found.w_row", table(update)))
        }
    };
    text.push_str(" update ");
    text.push_str(table(update));
    text.push_str(&format!(
        " set revision = {list}.w_revision, body = {list}.w_body"
    ));
    for (index, name) in own.iter().enumerate() {
        text.push_str(&format!(", {name} = {list}.w_{index}"));
    }
    text.push_str(&format!(" from {list} where {own_row}"));
    if places.numbered {
        text.push_str("merchant = ");
        places.push(&mut text);
        text.push_str(" and livemode = ");
        places.push(&mut text);
        text.push_str(" and id = changed.w_id and revision = changed.w_read");
    }
    text
}

#[cfg(test)]
mod tests;
