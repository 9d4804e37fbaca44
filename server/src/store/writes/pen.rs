//! The pen of [`Writes`](super::Writes): few statements of fixed sizes, made once and prepared once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::any::AnyArguments;
use sqlx::{AnyConnection, Arguments, AssertSqlSafe};

use super::{Act, Kind, Row, Statement, Table};
use crate::store::document::{self, Column};
use crate::store::{Scope, Store, StoreError};

/// How many rows one statement writes: the largest of these that fits, again and again.
const SIZES: [usize; 8] = [64, 32, 16, 8, 4, 3, 2, 1];
/// Statements whose text is kept. There are fewer in a program; it bounds what a defect could do.
const TEXTS_MAX: usize = 4_096;

/// What a statement's text depends on, beside the number of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Insert(&'static str),
    Update(&'static str, u32),
    Add(&'static str),
}

/// The texts of statements, made once.
#[derive(Debug, Default)]
pub(in crate::store) struct Texts(Mutex<HashMap<(Shape, usize), Arc<str>>>);

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
pub(super) struct Places {
    pub(super) numbered: bool,
    pub(super) next: usize,
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

/// A statement with all that it binds, and how to read what comes of it.
pub(super) struct Ready {
    sql: Arc<str>,
    cells: AnyArguments,
    expected: Expected,
}

/// What a statement must come to.
enum Expected {
    /// New documents of a kind; their ids, for who asks why not.
    New(&'static str, Vec<String>),
    /// So many documents, as they were read.
    Changed(&'static str, Vec<String>),
    /// Added rows of a table.
    Added(&'static str),
    /// So many rows, if that is known.
    Touched(Option<u64>),
}

impl Ready {
    pub(super) async fn run(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.cells);
        let done = query.execute(connection).await;
        match (self.expected, done) {
            (Expected::New(kind, ids), Err(error)) => {
                Err(document::not_inserted(error, kind, &ids.join(", ")))
            }
            (Expected::Changed(kind, ids), Err(error)) => {
                Err(document::not_inserted(error, kind, &ids.join(", ")))
            }
            // These rows have no names of their own: what clashes is their place in an order, which
            // another process took at this moment.
            (Expected::Added(name), Err(error)) if document::is_unique(&error) => {
                Err(conflict(name, String::new()))
            }
            (_, Err(error)) => Err(error.into()),
            (Expected::Changed(kind, ids), Ok(done))
                if done.rows_affected() != ids.len() as u64 =>
            {
                Err(conflict(kind, ids.join(", ")))
            }
            (Expected::Touched(Some(touches)), Ok(done)) if done.rows_affected() != touches => {
                Err(conflict("row", String::new()))
            }
            _ => Ok(()),
        }
    }
}

/// What a statement binds, in its order.
struct Cells(AnyArguments);

impl Cells {
    fn for_so_many(count: usize) -> Self {
        let mut cells = AnyArguments::default();
        cells.reserve(count, 0);
        Self(cells)
    }

    fn text(&mut self, text: &str) -> Result<(), StoreError> {
        self.0.add(text).map_err(not_bound)
    }

    fn number(&mut self, number: i64) -> Result<(), StoreError> {
        self.0.add(number).map_err(not_bound)
    }

    fn column(&mut self, column: Column) -> Result<(), StoreError> {
        let added = match column {
            // A text is given away by itself: an option of one would be copied.
            Column::Text(Some(text)) => self.0.add(text),
            Column::Text(None) => self.0.add(None::<String>),
            Column::Number(number) => self.0.add(number),
        };
        added.map_err(not_bound)
    }
}

fn not_bound(error: sqlx::error::BoxDynError) -> StoreError {
    sqlx::Error::Encode(error).into()
}

/// Makes the statements that write something, before a connection is taken for it.
pub(super) struct Pen<'a> {
    pub(super) store: &'a Store,
    pub(super) scope: &'a Scope,
    pub(super) ready: Vec<Ready>,
}

impl Pen<'_> {
    fn places(&self) -> Places {
        Places {
            numbered: !self.store.is_sqlite(),
            next: 0,
        }
    }

    fn scope(&self, cells: &mut Cells) -> Result<(), StoreError> {
        cells.text(self.scope.merchant.as_str())?;
        cells.number(self.scope.mode())
    }

    fn push(&mut self, sql: Arc<str>, cells: Cells, expected: Expected) {
        self.ready.push(Ready {
            sql,
            cells: cells.0,
            expected,
        });
    }

    pub(super) fn insert(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        for rows in portions(rows) {
            let Some(first) = rows.first() else { continue };
            let (noun, columns, count) = (first.noun, first.columns.len(), rows.len());
            let shape = Shape::Insert(noun.insert);
            let sql = self.store.texts().get(shape, count, || {
                let head = noun.insert.split(" values ").next().unwrap_or_default();
                let head = or_fail(head, "insert", &self.places());
                values_sql(&head, columns + 6, count, self.places(), "")
            });
            let mut cells = Cells::for_so_many(count * (columns + 6));
            let mut ids = Vec::with_capacity(count);
            for row in rows {
                self.scope(&mut cells)?;
                cells.text(&row.id)?;
                cells.number(row.revision)?;
                cells.number(row.sort)?;
                cells.text(row.body.as_str())?;
                for column in row.columns {
                    cells.column(column)?;
                }
                ids.push(row.id);
            }
            self.push(sql, cells, Expected::New(noun.kind, ids));
        }
        Ok(())
    }

    pub(super) fn update(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        for rows in portions(rows) {
            let Some(first) = rows.first() else { continue };
            let (noun, mask, count) = (first.noun, first.mask(), rows.len());
            let kinds: Vec<Kind> = masked(mask, &first.columns).map(kind_of).collect();
            let shape = Shape::Update(noun.update, mask);
            let sql = self.store.texts().get(shape, count, || {
                update_sql(noun.update, mask, &kinds, count, self.places())
            });
            let mut cells = Cells::for_so_many(count * (kinds.len() + 4) + 2);
            let mut ids = Vec::with_capacity(count);
            for row in rows {
                let Act::Update { read, mask } = row.act else {
                    continue;
                };
                cells.text(&row.id)?;
                cells.number(read)?;
                cells.number(row.revision)?;
                cells.text(row.body.as_str())?;
                let own = row.columns.into_iter().enumerate();
                for (_, column) in own.filter(|(index, _)| has(mask, *index)) {
                    cells.column(column)?;
                }
                ids.push(row.id);
            }
            self.scope(&mut cells)?;
            self.push(sql, cells, Expected::Changed(noun.kind, ids));
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, row: Row) -> Result<(), StoreError> {
        let Act::Delete { read } = row.act else {
            return Ok(());
        };
        let table = table(row.noun.update);
        let sql = format!(
            "delete from {table} where merchant = $1 and livemode = $2 and id = $3 and revision = $4"
        );
        let mut cells = Cells::for_so_many(4);
        self.scope(&mut cells)?;
        cells.text(&row.id)?;
        cells.number(read)?;
        let expected = Expected::Changed(row.noun.kind, vec![row.id]);
        self.push(sql.into(), cells, expected);
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        table: &'static Table,
        rows: Vec<Vec<Column>>,
    ) -> Result<(), StoreError> {
        for rows in portions(rows) {
            let (count, width) = (rows.len(), table.columns.len() + 2);
            let sql = self.store.texts().get(Shape::Add(table.name), count, || {
                let columns = table.columns.join(", ");
                let head = format!("insert into {} (merchant, livemode, {columns})", table.name);
                let head = match table.after {
                    "" => or_fail(&head, "insert", &self.places()),
                    _ => head,
                };
                values_sql(&head, width, count, self.places(), table.after)
            });
            let mut cells = Cells::for_so_many(count * width);
            for row in rows {
                self.scope(&mut cells)?;
                for column in row {
                    cells.column(column)?;
                }
            }
            self.push(sql, cells, Expected::Added(table.name));
        }
        Ok(())
    }

    pub(super) fn run(&mut self, statement: Statement) -> Result<(), StoreError> {
        let mut cells = Cells::for_so_many(statement.cells.len() + 2);
        self.scope(&mut cells)?;
        for column in statement.cells {
            cells.column(column)?;
        }
        let expected = Expected::Touched(statement.touches);
        self.push(statement.sql.into(), cells, expected);
        Ok(())
    }
}

fn conflict(kind: &'static str, id: String) -> StoreError {
    StoreError::Conflict { kind, id }
}

/// Cuts rows into numbers that statements are made for.
pub(super) fn portions<R>(rows: Vec<R>) -> Vec<Vec<R>> {
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

/// A statement that begins with `verb`, told to leave what it has done so far where it fails: SQLite
/// keeps no copies of the pages that it changes then. Whoever writes with a pen undoes the whole
/// transaction on an error, as Postgres does by itself.
fn or_fail(head: &str, verb: &str, places: &Places) -> String {
    match head.strip_prefix(verb) {
        Some(rest) if !places.numbered => format!("{verb} or fail{rest}"),
        _ => head.to_owned(),
    }
}

/// `head values (?, …), …` for so many columns and rows.
pub(super) fn values_sql(
    head: &str,
    columns: usize,
    rows: usize,
    mut places: Places,
    after: &str,
) -> String {
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
pub(super) fn update_sql(
    update: &str,
    mask: u32,
    kinds: &[Kind],
    rows: usize,
    mut places: Places,
) -> String {
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
    text.push(' ');
    text.push_str(&or_fail("update ", "update", &places));
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
