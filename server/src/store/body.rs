//! A document as the body of its row: compact JSON without what is not there, and where its fields
//! lie. Written in one pass, since a renewal writes and tells of a dozen.

use std::cell::RefCell;
use std::io;
use std::mem::take;
use std::ops::Range;

use serde::Serialize;
use serde_json::ser::Formatter;

/// The room that is kept for the next body, in bytes.
const ROOM_MAX: usize = 65_536;

/// A document's JSON. Fields that are null are left out, at any depth: readers take a missing one for
/// the same. (Elements of arrays stay, and so does the only field of an object, which says what it is.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    text: String,
    /// Where the names, with their quotation marks, and the values of its own fields lie.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Body {
    /// Writes one.
    ///
    /// # Errors
    /// When it can't be JSON: a key of a map that is no text.
    pub(crate) fn of<T: Serialize>(value: &T) -> serde_json::Result<Self> {
        SCRATCH.with(|sheet| {
            sheet.0.borrow_mut().wipe();
            let mut writer = serde_json::Serializer::with_formatter(sheet, Structure(sheet));
            value.serialize(&mut writer)?;
            let lines = sheet.0.borrow();
            let text = str::from_utf8(&lines.text).map_err(|error| {
                serde_json::Error::io(io::Error::new(io::ErrorKind::InvalidData, error))
            })?;
            Ok(Self {
                text: text.to_owned(),
                fields: lines.fields.clone(),
            })
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its fields in their order: names with quotation marks, and values as JSON.
    pub(crate) fn fields(&self) -> Vec<(&str, &str)> {
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        let fields = self.fields.iter();
        fields
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }
}

thread_local! {
    /// Where bodies are written first, so that each takes just the room that it needs.
    static SCRATCH: Sheet = Sheet(RefCell::new(Lines::default()));
}

/// What is written so far. The serialiser and its formatter both write here.
struct Sheet(RefCell<Lines>);

#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// How many objects and arrays are open.
    depth: u32,
    /// Where the newest key began, with the comma before it, and where its value began.
    key: usize,
    value: usize,
    /// As these two, of the document's own field that is being written; its name without the comma.
    own_name: Range<usize>,
    own_value: usize,
    /// The first field of the object that begins there, if it was left out.
    first: Option<(usize, Vec<u8>)>,
}

impl Lines {
    fn wipe(&mut self) {
        let (mut text, mut fields) = (take(&mut self.text), take(&mut self.fields));
        text.clear();
        // What a very large one took is given back.
        text.shrink_to(ROOM_MAX);
        fields.clear();
        *self = Self {
            text,
            fields,
            ..Self::default()
        };
    }
}

impl io::Write for &Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().text.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact, as `serde_json` writes by itself, but for nulls.
struct Structure<'a>(&'a Sheet);

impl Structure<'_> {
    fn push(&self, byte: u8, deeper: i32) {
        let lines = &mut *self.0.0.borrow_mut();
        lines.text.push(byte);
        lines.depth = lines.depth.saturating_add_signed(deeper);
    }
}

impl Formatter for Structure<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        let lines = &mut *self.0.0.borrow_mut();
        if lines.text.len() != lines.value || lines.value == 0 {
            lines.text.extend_from_slice(b"null");
            return Ok(());
        }
        // From here on the text may be that long again.
        lines.value = 0;
        if lines.text.get(..lines.key).and_then(|text| text.last()) == Some(&b'{') {
            let left_out = lines.text.split_off(lines.key);
            lines.first.get_or_insert((lines.key, left_out));
        } else {
            lines.text.truncate(lines.key);
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.push(b'[', 1);
        Ok(())
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.push(b']', -1);
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.push(b'{', 1);
        self.0.0.borrow_mut().first = None;
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        let lines = &mut *self.0.0.borrow_mut();
        if let Some((at, left_out)) = lines.first.take()
            && at == lines.text.len()
        {
            lines.text.extend_from_slice(&left_out);
            lines.text.extend_from_slice(b"null");
        }
        lines.text.push(b'}');
        lines.depth = lines.depth.saturating_sub(1);
        Ok(())
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        _writer: &mut W,
        _first: bool,
    ) -> io::Result<()> {
        let lines = &mut *self.0.0.borrow_mut();
        lines.key = lines.text.len();
        if lines.text.last() != Some(&b'{') {
            lines.text.push(b',');
        }
        if lines.depth == 1 {
            lines.own_name.start = lines.text.len();
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        let lines = &mut *self.0.0.borrow_mut();
        if lines.depth == 1 {
            lines.own_name.end = lines.text.len();
            lines.own_value = lines.text.len().saturating_add(1);
        }
        lines.text.push(b':');
        lines.value = lines.text.len();
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        let lines = &mut *self.0.0.borrow_mut();
        let end = lines.text.len();
        if lines.depth == 1 && end > lines.own_value {
            let value = lines.own_value..end;
            lines.fields.push((lines.own_name.clone(), value));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// As [`Body`] leaves nulls out, over trees.
    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Array(own) => own.into_iter().map(without_nulls).collect(),
            Value::Object(own) => {
                let whole = own.clone();
                let kept = own.into_iter().filter(|(_, one)| !one.is_null());
                let kept: Map<String, Value> =
                    kept.map(|(name, one)| (name, without_nulls(one))).collect();
                match (kept.is_empty(), whole.into_iter().next()) {
                    (true, Some((name, one))) => json!({ name: one }),
                    _ => Value::Object(kept),
                }
            }
            leaf => leaf,
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            3 => Just(Value::Null),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            2 => "[a\"\\\\{}\\[\\],:é\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d\"\\\\,:]{0,2}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_body_is_the_compact_text_without_nulls(value in values()) {
            let body = Body::of(&value).unwrap();
            prop_assert_eq!(body.as_str(), without_nulls(value).to_string());
        }

        #[test]
        fn a_body_knows_its_fields(fields in prop::collection::btree_map("[a-d\"\\\\,:]{0,2}", values(), 0..5)) {
            let body = Body::of(&fields).unwrap();
            let whole: BTreeMap<String, Value> = serde_json::from_str(body.as_str()).unwrap();
            let said = body.fields().into_iter().map(|(name, value)| {
                (serde_json::from_str(name).unwrap(), serde_json::from_str(value).unwrap())
            });
            let said: BTreeMap<String, Value> = said.filter(|(_, own)| *own != Value::Null).collect();
            prop_assert_eq!(said, whole.into_iter().filter(|(_, own)| *own != Value::Null).collect::<BTreeMap<_, _>>());
        }
    }

    #[test]
    fn what_an_object_says_by_its_only_field_stays() {
        #[derive(Serialize)]
        enum Kind {
            #[serde(rename = "by_hand")]
            ByHand(Option<u8>),
        }
        #[derive(Serialize)]
        struct Whole {
            gone: Option<u8>,
            kind: Kind,
            list: Vec<Option<u8>>,
            last: Option<u8>,
        }
        let whole = Whole {
            gone: None,
            kind: Kind::ByHand(None),
            list: vec![None, Some(1)],
            last: None,
        };
        let body = Body::of(&whole).unwrap();
        assert_eq!(
            body.as_str(),
            r#"{"kind":{"by_hand":null},"list":[null,1]}"#
        );
        let fields = [
            ("\"kind\"", r#"{"by_hand":null}"#),
            ("\"list\"", "[null,1]"),
        ];
        assert_eq!(body.fields(), fields);
    }
}
