//! Events: written in the transaction of the change that they tell of, so that none is lost and
//! none tells of what did not happen.
//!
//! Those that one transaction tells lie together in one row, a group: a slot of [`SLOT`] places in
//! lists that no other transaction has. An event's id says at which place it lies.

mod search;

use std::collections::BTreeMap;

use perennial::calendar::Timestamp;
use perennial::id::EventId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::document::Column;
use super::writes::{Table, Writes};
use super::{Scope, Store, StoreError, patch};
pub use search::{Filter, KINDS_MAX, load, search};

/// Places in a slot: so many events are in one group at most.
pub const SLOT: i64 = 64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`
    pub id: EventId,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The id of what it happened to.
    pub object: String,
    /// When, by the clock of whom it concerns. Lists go by when it was told, in real time, whatever
    /// test clocks say. Several decisions are written at one time, so one may be kept a moment after
    /// others that were told later: whoever reads on from the newest one looks back a minute too.
    pub created: Timestamp,
    /// What it tells.
    pub data: Data,
    /// The API request that caused it, if one did.
    pub cause: Option<Cause>,
}

/// An event that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The id of what it happened to.
    pub object: String,
    /// When, by the clock of whom it concerns.
    pub created: Timestamp,
    /// What it tells.
    pub data: Data,
    /// The API request that caused it, if one did.
    pub cause: Option<Cause>,
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `{"object": …, "previous_attributes": …}` as JSON, in the API's shape.
    Shown(String),
    /// An aggregate, which gets the API's shape when somebody reads the event.
    Kept(Kept),
}

/// An aggregate as it was when something happened to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// [`super::document::Document::KIND`].
    pub noun: String,
    /// The event that has the whole of it, by its `sort`; `None` when this one has.
    pub basis: Option<i64>,
    /// `{"object": …}` with the whole, or `{"changes": …}` beyond the basis; with `"before": …`, the
    /// old values of changed fields, on updates. Once read, always the whole.
    pub body: String,
}

/// What [`Kept::body`] says.
#[derive(Debug, Default, serde::Deserialize)]
struct Said {
    object: Option<Map<String, Value>>,
    changes: Option<Map<String, Value>>,
    before: Option<Map<String, Value>>,
}

/// The aggregate of an event, and what it was before, where that is told.
#[derive(Debug)]
pub struct Snapshot {
    /// As it was when it happened.
    pub object: Value,
    /// As it was before.
    pub before: Option<Value>,
}

impl Kept {
    /// The whole aggregate; `None` if it can't be read.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let said: Said = serde_json::from_str(&self.body).ok()?;
        let object = said.object?;
        let before = said.before.map(|changes| {
            let mut before = object.clone();
            patch::apply(&mut before, changes);
            Value::Object(before)
        });
        Some(Snapshot {
            object: Value::Object(object),
            before,
        })
    }
}

/// An API request that events tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `req_…`
    pub request: String,
    /// The key that it came with.
    pub idempotency_key: Option<String>,
}

/// Groups as rows that are added.
static GROUPS: Table = Table {
    name: "event_group",
    columns: &["sort", "events", "body"],
    after: "",
};

/// The types in groups as rows that are added.
static KINDS: Table = Table {
    name: "event_kind",
    columns: &["type", "sort", "events"],
    after: "",
};

/// Where the next events go: places in a slot that nobody else writes to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    told: Timestamp,
    next: i64,
    end: i64,
}

impl Slot {
    /// The next place in lists for an event that is told now, in a new slot when this one is full or
    /// of another second.
    pub fn place(&mut self, store: &Store, told: Timestamp) -> i64 {
        if self.next == self.end || self.told != told {
            let next = store.slot(told);
            *self = Self {
                told,
                next,
                end: next.saturating_add(SLOT),
            };
        }
        let place = self.next;
        self.next = self.next.saturating_add(1);
        place
    }
}

/// The slot that a place is in.
fn slot_of(place: i64) -> i64 {
    place.saturating_sub(place.rem_euclid(SLOT))
}

/// The id of the event at a place: it can be found without an index of ids, and is nowhere else.
fn id_at(scope: &Scope, place: i64) -> EventId {
    let place = u128::from(place.cast_unsigned());
    EventId::from_random((place << 64) | u128::from(mark(scope)))
}

/// The place that an id of [`id_at`] says.
fn place_in(scope: &Scope, id: &str) -> Option<i64> {
    let id = EventId::parse(id).ok()?;
    let place = u64::try_from(id.bits()? >> 64).ok()?.cast_signed();
    (id_at(scope, place) == id).then_some(place)
}

/// What sets the ids of one merchant and mode apart from those of others.
fn mark(scope: &Scope) -> u64 {
    let bits = scope.merchant.bits().unwrap_or_default();
    let halves = [bits >> 64, bits & u128::from(u64::MAX)];
    let [high, low] = halves.map(|half| u64::try_from(half).unwrap_or_default());
    (high ^ low.rotate_left(17)).wrapping_mul(2) | u64::from(scope.livemode)
}

/// The room that an entry needs beside what it tells, in bytes.
const ROOM: usize = 192;

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::Shown(data) => data.len(),
            Self::Kept(kept) => kept.body.len(),
        }
    }
}

/// Adds the rows of events, each at its place, to what is to be written.
pub(super) fn group(writes: &mut Writes, mut events: Vec<(i64, Entry)>) {
    events.sort_by_key(|(place, _)| *place);
    let number = |n: i64| Column::Number(Some(n));
    for events in events.chunk_by(|(one, _), (other, _)| slot_of(*one) == slot_of(*other)) {
        let slot = events.first().map_or(0, |(place, _)| slot_of(*place));
        let rooms = events.iter().map(|(_, entry)| entry.data.len() + ROOM);
        let mut body = String::with_capacity(rooms.sum::<usize>());
        let mut kinds = BTreeMap::new();
        for (place, entry) in events {
            body.push(if body.is_empty() { '[' } else { ',' });
            write_entry(&mut body, place.saturating_sub(slot), entry);
            *kinds.entry(entry.kind.as_str()).or_insert(0_i64) += 1;
        }
        body.push(']');
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let body = Column::Text(Some(body));
        writes.add(&GROUPS, vec![number(slot), number(count), body]);
        for (kind, events) in kinds {
            let kind = Column::Text(Some(kind.to_owned()));
            writes.add(&KINDS, vec![kind, number(slot), number(events)]);
        }
    }
}

/// Adds an entry as [`Lying`] reads it.
fn write_entry(body: &mut String, n: i64, entry: &Entry) {
    let mut say = |name: &str, text: &str| {
        body.push_str(name);
        push_quoted(body, text);
    };
    say("{\"t\":", &entry.kind);
    say(",\"o\":", &entry.object);
    if let Some(cause) = &entry.cause {
        say(",\"r\":", &cause.request);
        if let Some(key) = &cause.idempotency_key {
            say(",\"k\":", key);
        }
    }
    let mut count = |name: &str, number: i64| {
        body.push_str(name);
        body.push_str(&number.to_string());
    };
    count(",\"n\":", n);
    count(",\"c\":", entry.created.0);
    let data = match &entry.data {
        Data::Shown(data) => data,
        Data::Kept(kept) => {
            if let Some(basis) = kept.basis {
                count(",\"b\":", basis);
            }
            body.push_str(",\"m\":");
            push_quoted(body, &kept.noun);
            &kept.body
        }
    };
    // It is JSON already.
    if !data.is_empty() {
        body.push_str(",\"d\":");
        body.push_str(data);
    }
    body.push('}');
}

/// Adds a text with quotation marks. Ids and names of ours have nothing to escape.
fn push_quoted(body: &mut String, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        body.push('"');
        body.push_str(text);
        body.push('"');
    } else {
        body.push_str(&Value::from(text).to_string());
    }
}

/// An entry of a group's body.
#[derive(Debug, Deserialize)]
struct Lying<'a> {
    /// Its place, from the group's on.
    n: i64,
    /// The type.
    t: String,
    /// The id of what it happened to.
    o: String,
    /// When.
    c: i64,
    /// Its own id, where the place does not say it.
    i: Option<EventId>,
    /// The noun of an aggregate that is kept.
    m: Option<String>,
    /// The place of the event that has the whole aggregate.
    b: Option<i64>,
    /// The request that caused it.
    r: Option<String>,
    /// That request's idempotency key.
    k: Option<String>,
    /// What it tells.
    #[serde(borrow)]
    d: Option<&'a RawValue>,
}

impl Lying<'_> {
    fn event(self, scope: &Scope, place: i64) -> Event {
        let body = self.d.map_or("", RawValue::get).to_owned();
        let key = self.k;
        Event {
            id: self.i.unwrap_or_else(|| id_at(scope, place)),
            kind: self.t,
            object: self.o,
            created: Timestamp(self.c),
            data: match self.m {
                None => Data::Shown(body),
                Some(noun) => Data::Kept(Kept {
                    noun,
                    basis: self.b,
                    body,
                }),
            },
            cause: self.r.map(|request| Cause {
                request,
                idempotency_key: key,
            }),
        }
    }
}

/// Adds events that were told at `told`, in the order in which they happened.
///
/// # Errors
/// When the database fails.
pub async fn append(
    store: &Store,
    connection: &mut AnyConnection,
    scope: &Scope,
    told: Timestamp,
    events: Vec<Entry>,
) -> Result<(), StoreError> {
    let (mut slot, mut writes) = (Slot::default(), Writes::new(scope));
    for event in events {
        writes.tell(slot.place(store, told), event);
    }
    writes.write(store, connection).await
}

/// The body of an event with the whole aggregate, from its basis' and its own.
fn joined(basis: &str, own: &str) -> Result<String, serde_json::Error> {
    let basis: Said = serde_json::from_str(basis)?;
    let own: Said = match own {
        "" => Said::default(),
        own => serde_json::from_str(own)?,
    };
    let mut object = basis.object.unwrap_or_default();
    patch::apply(&mut object, own.changes.unwrap_or_default());
    let mut body = json!({ "object": object });
    if let (Some(before), Some(body)) = (own.before, body.as_object_mut()) {
        body.insert("before".to_owned(), Value::Object(before));
    }
    Ok(body.to_string())
}

#[cfg(test)]
mod tests;
