//! What changed between two states of one aggregate, field by field, without building trees: both
//! are JSON objects as we write them ourselves, so that a field that is the same is the same text.

use serde_json::{Map, Value};

use super::body::Body;

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

/// The elements of a compact JSON array, as text. `None` for any other text.
fn elements(array: &str) -> Option<Vec<&str>> {
    let inner = array.strip_prefix('[')?.strip_suffix(']')?;
    let (bytes, mut elements) = (inner.as_bytes(), Vec::new());
    let (mut start, mut depth, mut at) = (0, 0_u32, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = after_text(bytes, at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                elements.push(inner.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if !inner.is_empty() {
        elements.push(inner.get(start..)?);
    }
    Some(elements)
}

/// The field of a patch that has the patches of fields which changed in part. No field of ours has an
/// empty name.
const WITHIN: &str = "";

/// The fields of `to` that `from` has otherwise, as a JSON object: with their values in `to`, null for
/// those that `to` leaves out, and under the empty name a patch of those of which a part is the same.
/// `None` when there are none.
#[must_use]
pub(crate) fn changes(from: &Body, to: &Body) -> Option<String> {
    if from.as_str() == to.as_str() {
        return None;
    }
    between(&from.fields(), &to.fields())
}

/// As [`changes`], of fields with their names.
fn between(from: &[(&str, &str)], to: &[(&str, &str)]) -> Option<String> {
    let (mut text, mut within) = (String::with_capacity(256), String::new());
    let note = |text: &mut String, name: &str, value: &str| {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(name);
        text.push(':');
        text.push_str(value);
    };
    // Fields stand in the same order on both sides; only some are left out on one of them.
    let (mut old, mut passed) = (from, Vec::new());
    for (name, value) in to {
        let was = match old.iter().position(|(own, _)| own == name) {
            Some(at) => {
                let (before, rest) = old.split_at(at);
                passed.extend(before);
                old = rest.get(1..).unwrap_or_default();
                rest.first().map(|(_, was)| *was)
            }
            None => passed
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, was)| *was),
        };
        if was == Some(*value) {
            continue;
        }
        match was.and_then(|was| within_value(was, value)) {
            Some(patch) => note(&mut within, name, &patch),
            None => note(&mut text, name, value),
        }
    }
    passed.extend(old);
    for (name, value) in passed {
        let gone = !to.iter().any(|(own, _)| *own == name);
        if gone && value != "null" {
            note(&mut text, name, "null");
        }
    }
    if !within.is_empty() {
        within.push('}');
        note(&mut text, "\"\"", &within);
    }
    if text.is_empty() {
        return None;
    }
    text.push('}');
    Some(text)
}

/// A patch from one value to another, where both are objects, or arrays of the same length whose
/// elements that differ are; `None` where the value itself is shorter, or it is neither.
fn within_value(from: &str, to: &str) -> Option<String> {
    let patch = match to.as_bytes().first()? {
        b'{' if from.starts_with('{') => {
            // Such a name would be taken for what it is not.
            let (from, to) = (fields(from), fields(to));
            let mut names = from.iter().chain(&to).map(|(name, _)| *name);
            if names.any(|name| name == "\"\"") {
                return None;
            }
            between(&from, &to)?
        }
        b'[' => {
            let (from, to) = (elements(from)?, elements(to)?);
            if from.len() != to.len() {
                return None;
            }
            let mut patch = String::new();
            let pairs = from.iter().zip(&to).enumerate();
            for (index, (from, to)) in pairs.filter(|(_, (from, to))| from != to) {
                patch.push(if patch.is_empty() { '{' } else { ',' });
                patch.push_str(&format!("\"{index}\":{}", within_value(from, to)?));
            }
            patch.push('}');
            patch
        }
        _ => return None,
    };
    (patch.len() < to.len()).then_some(patch)
}

/// Makes the changes that `changes` found. Null takes a field away.
pub fn apply(object: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        if name == WITHIN {
            let Value::Object(within) = value else {
                continue;
            };
            for (name, patch) in within {
                if let Some(own) = object.get_mut(&name) {
                    apply_within(own, patch);
                }
            }
        } else if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

fn apply_within(own: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else { return };
    match own {
        Value::Object(own) => apply(own, patch),
        Value::Array(own) => {
            for (index, patch) in patch {
                let index = index.parse::<usize>().ok();
                if let Some(own) = index.and_then(|index| own.get_mut(index)) {
                    apply_within(own, patch);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A body as it is written, fields in their order.
    fn written(text: &str) -> Body {
        let fields = fields(text).into_iter().map(|(name, value)| {
            let name: String = serde_json::from_str(name).unwrap();
            (name, serde_json::from_str::<Value>(value).unwrap())
        });
        struct Ordered(Vec<(String, Value)>);
        impl serde::Serialize for Ordered {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        body(&Ordered(fields.collect()))
    }

    fn body<T: serde::Serialize>(value: &T) -> Body {
        Body::of(value).unwrap()
    }

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

    /// Changes some leaves, so that much stays the same.
    fn touched(value: Value, touch: &mut impl FnMut() -> bool) -> Value {
        match value {
            Value::Array(own) => own.into_iter().map(|one| touched(one, touch)).collect(),
            Value::Object(own) => {
                let own = own.into_iter();
                Value::Object(own.map(|(name, one)| (name, touched(one, touch))).collect())
            }
            leaf if touch() => json!([leaf, "touched"]),
            leaf => leaf,
        }
    }

    proptest! {
        #[test]
        fn changes_within_lead_there_too(from in objects(), seed: u64) {
            let mut bits = seed;
            let mut touch = || { bits = bits.rotate_left(1); bits & 1 == 1 };
            let to = map(touched(Value::Object(from.clone()), &mut touch));
            let (a, b) = (Value::Object(from.clone()), Value::Object(to.clone()));
            let patch = changes(&body(&a), &body(&b));
            let patch: Value = serde_json::from_str(&patch.unwrap_or_else(|| "{}".to_owned())).unwrap();
            let mut changed = from;
            apply(&mut changed, map(patch));
            prop_assert_eq!(changed, to);
        }

        #[test]
        fn changes_lead_from_one_state_to_the_other(from in objects(), to in objects()) {
            let (a, b) = (Value::Object(from.clone()), Value::Object(to.clone()));
            let patch = changes(&body(&a), &body(&b));
            prop_assert_eq!(patch.is_none(), from == to);
            let patch: Value = serde_json::from_str(&patch.unwrap_or_else(|| "{}".to_owned())).unwrap();
            let mut changed = from;
            apply(&mut changed, map(patch));
            prop_assert_eq!(changed, to);
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let from = r#"{"id":"in_1","lines":[{"a":"},{"}],"due":5,"status":"open"}"#;
        let to = r#"{"id":"in_1","lines":[{"a":"},{"}],"number":"A-1","status":"paid"}"#;
        assert_eq!(
            changes(&written(from), &written(to)).unwrap(),
            r#"{"number":"A-1","status":"paid","due":null}"#
        );
        assert_eq!(
            changes(&written(to), &written(from)).unwrap(),
            r#"{"due":5,"status":"open","number":null}"#
        );
        assert_eq!(changes(&written(from), &written(from)), None);
        let before = r#"{"id":"sub_1","items":[{"id":"si_1","price":{"id":"price_1"},"period":{"end":2,"start":1}}]}"#;
        let after = r#"{"id":"sub_1","items":[{"id":"si_1","price":{"id":"price_1"},"period":{"end":3,"start":2}}]}"#;
        assert_eq!(
            changes(&written(before), &written(after)).unwrap(),
            r#"{"":{"items":{"0":{"period":{"end":3,"start":2}}}}}"#
        );
    }
}
