//! What was typed into a form that was refused, where no script keeps it: the server brings it back.

use std::collections::BTreeMap;

/// A form as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retyped {
    /// The path of what it was sent to.
    pub act: String,
    /// Names and values.
    pub fields: BTreeMap<String, String>,
}

impl Retyped {
    /// The form of this act, where it came back refused.
    #[must_use]
    pub fn of<S: leptos::server_fn::ServerFn>() -> Option<Self> {
        use leptos::prelude::{ServerActionError, use_context};
        use_context::<ServerActionError>().filter(|error| error.path() == S::PATH)?;
        use_context::<Self>().filter(|typed| typed.act == S::PATH)
    }

    /// What stood in a field, at most so many characters.
    #[must_use]
    pub fn field(&self, name: &str, characters_max: usize) -> String {
        let found = self.fields.get(name);
        found.map_or_else(String::new, |value| {
            value.chars().take(characters_max).collect()
        })
    }
}
