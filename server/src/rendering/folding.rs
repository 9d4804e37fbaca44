//! What is left out until `expand[]` asks for it.

use std::collections::BTreeMap;

use serde_json::Value;

/// A tree of what `expand[]` asks for: a field, and what below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(pub BTreeMap<String, Wanted>);

impl Wanted {
    /// What is wanted below a field; nothing if it was not asked for.
    #[must_use]
    pub fn below(&self, field: &str) -> Option<&Self> {
        self.0.get(field)
    }

    /// Adds a path such as `data.customer`.
    pub fn add<'a>(&mut self, mut path: impl Iterator<Item = &'a str>) {
        if let Some(field) = path.next() {
            self.0.entry(field.to_owned()).or_default().add(path);
        }
    }
}

/// Fields that are shown only when they are wanted, by the kind of object they stand on.
fn hidden(kind: &str, field: &str) -> bool {
    matches!(
        (kind, field),
        ("customer", "tax_ids")
            | ("price" | "plan", "tiers")
            | ("coupon", "applies_to" | "currency_options")
            | ("invoice", "payments" | "confirmation_secret")
    )
}

/// Takes out what is not wanted, and replaces whole discounts by their ids unless they are wanted.
pub fn fold(value: &mut Value, wanted: &Wanted) {
    fold_in("", value, wanted);
}

fn fold_in(kind: &str, value: &mut Value, wanted: &Wanted) {
    match value {
        Value::Array(values) => {
            for value in values {
                fold_in(kind, value, wanted);
            }
        }
        Value::Object(map) => {
            let kind = map.get("object").and_then(Value::as_str).unwrap_or(kind);
            let kind = kind.to_owned();
            let in_update = map.contains_key("default_allowed_updates");
            map.retain(|field, _| {
                let hidden = hidden(&kind, field) || (in_update && field == "products");
                !hidden || wanted.below(field).is_some()
            });
            let none = Wanted::default();
            for (field, value) in map.iter_mut() {
                let below = wanted.below(field);
                if field == "discounts" && below.is_none() {
                    to_ids(value);
                }
                fold_in(&kind, value, below.unwrap_or(&none));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn to_ids(value: &mut Value) {
    for value in value.as_array_mut().into_iter().flatten() {
        if let Some(id) = value.get("id").cloned() {
            *value = id;
        }
    }
}
