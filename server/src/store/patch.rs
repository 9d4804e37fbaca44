//! What changed between two states of one aggregate, field by field, without building trees: both
//! are JSON objects as we write them ourselves, so that a field that is the same is the same text.

use serde_json::{Map, Value};

/// The fields of a compact JSON object with their values, as text. Nothing for any other text.
fn fields(object: &str) -> Vec<(&str, &str)> {
    let mut fields = Vec::with_capacity(40);
    let Some(inner) = object.strip_prefix('{').and_then(|o| o.strip_suffix('}')) else {
        return fields;
    };
    let bytes = inner.as_bytes();
    let (mut start, mut colon, mut depth, mut at) = (0, None, 0_u32, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = after_text(bytes, at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && colon.is_none() => colon = Some(at),
            b',' if depth == 0 => {
                fields.extend(field(inner, start, colon, at));
                (start, colon) = (at + 1, None);
            }
            _ => {}
        }
        at += 1;
    }
    fields.extend(field(inner, start, colon, inner.len()));
    fields
}

/// Where a text ends that begins at `at`: at its closing quotation mark.
fn after_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

fn field(inner: &str, start: usize, colon: Option<usize>, end: usize) -> Option<(&str, &str)> {
    let colon = colon?;
    Some((inner.get(start..colon)?, inner.get(colon + 1..end)?))
}

/// The fields of `to` that `from` has otherwise, with their values in `to`, as a JSON object; null for
/// those that `to` leaves out. `None` when there are none.
#[must_use]
pub fn changes(from: &str, to: &str) -> Option<String> {
    let (from, to) = (fields(from), fields(to));
    let mut text = String::new();
    let mut note = |name: &str, value: &str| {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(name);
        text.push(':');
        text.push_str(value);
    };
    // Fields stand in the same order on both sides; only some are left out on one of them.
    let mut old = from.iter().peekable();
    for (name, value) in &to {
        let was = match old.peek() {
            Some((own, was)) if own == name => {
                old.next();
                Some(*was)
            }
            _ => from
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, was)| *was),
        };
        if was != Some(*value) {
            note(name, value);
        }
    }
    for (name, value) in &from {
        let gone = !to.iter().any(|(own, _)| own == name);
        if gone && *value != "null" {
            note(name, "null");
        }
    }
    if text.is_empty() {
        return None;
    }
    text.push('}');
    Some(text)
}

/// A compact JSON object without its fields that are null: readers take a missing one for the same.
#[must_use]
pub fn without_nulls(object: String) -> String {
    if !object.contains(":null") {
        return object;
    }
    let mut text = String::with_capacity(object.len());
    for (name, value) in fields(&object) {
        if value != "null" {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(name);
            text.push(':');
            text.push_str(value);
        }
    }
    if text.is_empty() {
        return object;
    }
    text.push('}');
    text
}

/// Makes the changes that [`changes`] found. Null takes a field away.
pub fn apply(object: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// Objects with texts that look like JSON.
    fn objects() -> impl Strategy<Value = Map<String, Value>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\],:é]{0,6}".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"]{1,2}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-d\"\\\\,:]{1,2}", value, 0..6)
            .prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn changes_lead_from_one_state_to_the_other(from in objects(), to in objects()) {
            let (a, b) = (Value::Object(from.clone()), Value::Object(to.clone()));
            let patch = changes(&a.to_string(), &b.to_string());
            prop_assert_eq!(patch.is_none(), from == to);
            let patch: Value = serde_json::from_str(&patch.unwrap_or_else(|| "{}".to_owned())).unwrap();
            let mut changed = from;
            apply(&mut changed, map(patch));
            prop_assert_eq!(changed, to);
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let from = r#"{"id":"in_1","lines":[{"a":"},{"}],"paid":null,"status":"open"}"#;
        let to = r#"{"id":"in_1","lines":[{"a":"},{"}],"number":"A-1","status":"paid"}"#;
        assert_eq!(
            changes(from, to).unwrap(),
            r#"{"number":"A-1","status":"paid"}"#
        );
        assert_eq!(
            changes(to, from).unwrap(),
            r#"{"paid":null,"status":"open","number":null}"#
        );
        assert_eq!(changes(from, from), None);
        assert_eq!(
            without_nulls(from.to_owned()),
            r#"{"id":"in_1","lines":[{"a":"},{"}],"status":"open"}"#
        );
        for same in [
            r#"{"a":":null"}"#,
            r#"{"a":[null],"b":{"c":null}}"#,
            "{}",
            "null",
            "[]",
        ] {
            assert_eq!(without_nulls(same.to_owned()), same);
        }
        assert_eq!(json!({}).to_string(), "{}");
    }
}
