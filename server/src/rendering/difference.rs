//! What a change replaced: an event's `previous_attributes`.

use serde_json::{Map, Value};

/// The old values of everything that differs; `None` if nothing does. Objects are compared field by
/// field, lists as wholes. A field that was not there before counts as null, as at Stripe.
#[must_use]
pub fn previous_attributes(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return (before != after).then(|| before.clone());
    };
    let mut old = Map::new();
    for (key, value) in before {
        // A list of objects is one value, even where it hides in a page.
        let now = after.get(key).unwrap_or(&Value::Null);
        let whole = !value.is_object() || !now.is_object() || is_list(value);
        let previous = match whole {
            true => (value != now).then(|| value.clone()),
            false => previous_attributes(value, now),
        };
        if let Some(previous) = previous {
            old.insert(key.clone(), previous);
        }
    }
    for key in after.keys().filter(|key| !before.contains_key(*key)) {
        old.insert(key.clone(), Value::Null);
    }
    (!old.is_empty()).then_some(Value::Object(old))
}

fn is_list(value: &Value) -> bool {
    value.get("object").and_then(Value::as_str) == Some("list")
}
