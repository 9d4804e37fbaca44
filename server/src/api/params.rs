//! The parameters of a call, read by name and type. Reading takes a parameter out, so what is left
//! at the end is unknown; every complaint is kept, and the first one is the answer.
//!
//! Functions named `change_…` tell "not sent" (`None`) from "unset" (`Some(None)`), as updates need.

use std::ops::RangeInclusive;

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::id::IdError;
use perennial::metadata::MetadataChange;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::form::{Branch, Node};
use super::problem::Problem;

/// The longest text of a parameter, in characters (Stripe: 5000).
pub const TEXT_CHARS_MAX: usize = 5_000;

/// The parameters of a call, or of an object in them.
#[derive(Debug, Default)]
pub struct Params {
    left: Branch,
    /// The name of the object itself, such as `items[0]`; empty at the top.
    path: String,
    problems: Vec<Problem>,
}

impl Params {
    /// Of a decoded form.
    #[must_use]
    pub fn new(left: Branch) -> Self {
        Self {
            left,
            path: String::new(),
            problems: Vec::new(),
        }
    }

    /// The bracket form of a field's name.
    #[must_use]
    pub fn name_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        match name.split_once('[') {
            // A place in a list.
            Some((list, place)) => format!("{}[{list}][{place}", self.path),
            None => format!("{}[{name}]", self.path),
        }
    }

    /// Complains about a field.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        let name = self.name_of(name);
        self.problems.push(Problem::invalid(message).about(name));
    }

    fn refuse_coded(&mut self, name: &str, code: &str, message: impl Into<String>) {
        let name = self.name_of(name);
        let problem = Problem::invalid(message).coded(code).about(name);
        self.problems.push(problem);
    }

    /// Whether a field was sent and not read yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// The names of the fields that were sent and not read yet.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// Whether a field was sent as an object or a list.
    #[must_use]
    pub fn has_object(&self, name: &str) -> bool {
        matches!(self.left.get(name), Some(Node::Branch(_)))
    }

    /// All is read: complains about what is left, then answers with the first complaint.
    ///
    /// # Errors
    /// The first complaint, unknown parameters before all others.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.check_left();
        let unknown = |p: &Problem| p.code.as_deref() == Some("parameter_unknown");
        let first = self.problems.iter().position(unknown).unwrap_or(0);
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(self.problems.swap_remove(first))
    }

    fn check_left(&mut self) {
        let names: Vec<_> = self.left.keys().map(|name| self.name_of(name)).collect();
        let Some(first) = names.first() else { return };
        let many = if names.len() > 1 { "s" } else { "" };
        let listed = names.iter().take(10).cloned().collect::<Vec<_>>();
        let message = format!("Received unknown parameter{many}: {}", listed.join(", "));
        let problem = Problem::invalid(message).coded("parameter_unknown");
        self.problems.push(problem.about(first.clone()));
        self.left.clear();
    }

    fn leaf(&mut self, name: &str) -> Option<String> {
        match self.left.remove(name)? {
            Node::Leaf(text) => Some(text),
            Node::Branch(_) => {
                self.refuse_coded(name, "parameter_invalid_string", "Invalid string");
                None
            }
        }
    }

    /// Complains that a field is missing, unless something was wrong with it already.
    fn missing(&mut self, name: &str) {
        let full = self.name_of(name);
        if self
            .problems
            .iter()
            .any(|p| p.param.as_ref() == Some(&full))
        {
            return;
        }
        let message = format!("Missing required param: {full}.");
        self.refuse_coded(name, "parameter_missing", message);
    }

    /// A text or its removal.
    pub fn change_text(&mut self, name: &str) -> Option<Option<String>> {
        let text = self.leaf(name)?;
        if text.chars().count() > TEXT_CHARS_MAX {
            let message = format!("Invalid string: must be at most {TEXT_CHARS_MAX} characters");
            self.refuse_coded(name, "parameter_invalid_string", message);
            return None;
        }
        if text.contains('\0') {
            // Postgres keeps no NUL in texts.
            self.refuse_coded(
                name,
                "parameter_invalid_string",
                "Invalid string: contains NUL",
            );
            return None;
        }
        Some((!text.is_empty()).then_some(text))
    }

    /// A text; empty is as if it had not been sent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.change_text(name).flatten()
    }

    /// A text that must be there. (What is answered otherwise is never used.)
    pub fn required_text(&mut self, name: &str) -> String {
        if matches!(self.left.get(name), Some(Node::Leaf(text)) if text.is_empty()) {
            self.left.remove(name);
            let message = "You passed an empty string. Either leave it out or give a value.";
            self.refuse_coded(name, "parameter_invalid_empty", message);
            return String::new();
        }
        let text = self.text(name);
        if text.is_none() {
            self.missing(name);
        }
        text.unwrap_or_default()
    }

    /// Something that must be there: complains if it is not.
    pub fn required<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.missing(name);
        }
        value
    }

    fn read<T>(
        &mut self,
        name: &str,
        (kind, code): (&str, &str),
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            let shown: String = text.chars().take(80).collect();
            self.refuse_coded(name, code, format!("Invalid {kind}: {shown}"));
        }
        value
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let kind = ("boolean", "parameter_invalid_boolean");
        self.read(name, kind, |text| text.parse().ok())
    }

    /// A whole number.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let kind = ("integer", "parameter_invalid_integer");
        self.read(name, kind, |text| text.parse().ok())
    }

    /// A whole number within bounds.
    pub fn integer_in(&mut self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let value = self.integer(name)?;
        if bounds.contains(&value) {
            return Some(value);
        }
        let (least, most) = (bounds.start(), bounds.end());
        let message = match (value < *least, *most) {
            (true, _) => format!("This value must be greater than or equal to {least}."),
            (false, most) => format!("This value must be less than or equal to {most}."),
        };
        self.refuse_coded(name, "parameter_invalid_integer", message);
        None
    }

    /// A count of things, such as a quantity.
    pub fn count(&mut self, name: &str) -> Option<u64> {
        let count = self.integer_in(name, 0..=999_999_999_999)?;
        u64::try_from(count).ok()
    }

    /// A decimal number with up to 12 places.
    pub fn decimal(&mut self, name: &str) -> Option<Decimal12> {
        let kind = ("decimal", "parameter_invalid_integer");
        self.read(name, kind, |text| Decimal12::parse(text).ok())
    }

    /// Seconds since 1970, from 1970 to 9999.
    pub fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.integer_in(name, 0..=Timestamp::MAX.0).map(Timestamp)
    }

    /// A moment or its removal.
    pub fn change_moment(&mut self, name: &str) -> Option<Option<Timestamp>> {
        if self.unset(name) {
            return Some(None);
        }
        self.moment(name).map(Some)
    }

    /// A three-letter currency.
    pub fn currency(&mut self, name: &str) -> Option<Currency> {
        let text = self.text(name)?;
        let currency = Currency::parse(&text).ok();
        if currency.is_none() {
            let shown: String = text.chars().take(16).collect();
            let message = format!(
                "Invalid currency: {shown}. Use a three-letter ISO 4217 code, such as usd or eur."
            );
            self.refuse(name, message);
        }
        currency
    }

    /// One of a closed set, by the names that serde gives to it.
    pub fn choice<T: DeserializeOwned>(&mut self, name: &str, names: &[&str]) -> Option<T> {
        let text = self.text(name)?;
        let value = names.contains(&text.as_str()).then(|| Value::from(text));
        let value = value.and_then(|value| serde_json::from_value(value).ok());
        if value.is_none() {
            let message = format!("Invalid {name}: must be one of {}", listed(names));
            self.refuse(name, message);
        }
        value
    }

    /// An id of an object. What can't be one names nothing that exists.
    pub fn id<T: std::str::FromStr<Err = IdError>>(&mut self, name: &str, kind: &str) -> Option<T> {
        let text = self.text(name)?;
        let id = text.parse().ok();
        if id.is_none() {
            let param = self.name_of(name);
            self.problems
                .push(Problem::no_such(kind, &text, Some(param)));
        }
        id
    }

    /// An id or its removal.
    pub fn change_id<T: std::str::FromStr<Err = IdError>>(
        &mut self,
        name: &str,
        kind: &str,
    ) -> Option<Option<T>> {
        if self.unset(name) {
            return Some(None);
        }
        self.id(name, kind).map(Some)
    }

    /// Whether a text is this one: takes it out then.
    pub fn text_is(&mut self, name: &str, text: &str) -> bool {
        let same = matches!(self.left.get(name), Some(Node::Leaf(sent)) if sent == text);
        if same {
            self.left.remove(name);
        }
        same
    }

    /// An empty value: takes it out.
    pub fn unset(&mut self, name: &str) -> bool {
        let empty = matches!(self.left.get(name), Some(Node::Leaf(text)) if text.is_empty());
        if empty {
            self.left.remove(name);
        }
        empty
    }

    /// Free keys.
    pub fn metadata(&mut self, name: &str) -> Option<MetadataChange> {
        match self.left.remove(name)? {
            Node::Leaf(text) if text.is_empty() => Some(MetadataChange::Clear),
            Node::Leaf(_) => {
                self.refuse_coded(name, "parameter_invalid_object", "Invalid object");
                None
            }
            Node::Branch(branch) => {
                let mut pairs = Vec::new();
                for (key, value) in branch {
                    match value {
                        Node::Leaf(text) if !text.contains('\0') => pairs.push((key, text)),
                        _ => {
                            let message = "Metadata values must be strings.";
                            self.refuse(&format!("{name}[{key}]"), message);
                        }
                    }
                }
                Some(MetadataChange::Merge(pairs))
            }
        }
    }

    /// An object, read by `read`; complains about what that leaves.
    pub fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.change_object(name, read).flatten()
    }

    /// An object or its removal.
    pub fn change_object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<Option<T>> {
        match self.left.remove(name)? {
            Node::Leaf(text) if text.is_empty() => Some(None),
            Node::Leaf(_) => {
                self.refuse_coded(name, "parameter_invalid_object", "Invalid object");
                None
            }
            Node::Branch(left) => Some(Some(self.inner(name, left, read))),
        }
    }

    fn inner<T>(&mut self, name: &str, left: Branch, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self {
            left,
            path: self.name_of(name),
            problems: Vec::new(),
        };
        let value = read(&mut inner);
        inner.check_left();
        self.problems.append(&mut inner.problems);
        value
    }

    /// A list of objects, at most `most`; an empty value is an empty list.
    pub fn objects<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Option<Vec<T>> {
        let places = self.places(name, most)?;
        let mut values = Vec::with_capacity(places.len());
        for (place, node) in places {
            let place_name = format!("{name}[{place}]");
            match node {
                Node::Branch(left) => {
                    let path = self.name_of(name);
                    let mut list = Self {
                        left: Branch::new(),
                        path,
                        problems: Vec::new(),
                    };
                    values.push(list.inner(&place, left, &mut read));
                    self.problems.append(&mut list.problems);
                }
                Node::Leaf(_) => {
                    self.refuse_coded(&place_name, "parameter_invalid_object", "Invalid object");
                }
            }
        }
        Some(values)
    }

    /// A list of texts, at most `most`; an empty value is an empty list.
    pub fn texts(&mut self, name: &str, most: usize) -> Option<Vec<String>> {
        let places = self.places(name, most)?;
        let mut values = Vec::with_capacity(places.len());
        for (place, node) in places {
            match node {
                Node::Leaf(text)
                    if text.chars().count() <= TEXT_CHARS_MAX && !text.contains('\0') =>
                {
                    values.push(text);
                }
                _ => {
                    let place = format!("{name}[{place}]");
                    self.refuse_coded(&place, "parameter_invalid_string", "Invalid string");
                }
            }
        }
        Some(values)
    }

    /// A list of ids, at most `most`; an empty value is an empty list.
    pub fn ids<T: std::str::FromStr<Err = IdError>>(
        &mut self,
        name: &str,
        kind: &str,
        most: usize,
    ) -> Option<Vec<T>> {
        let texts = self.texts(name, most)?;
        let mut ids = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(id) => ids.push(id),
                Err(_) => {
                    let param = format!("{}[{index}]", self.name_of(name));
                    self.problems
                        .push(Problem::no_such(kind, text, Some(param)));
                }
            }
        }
        Some(ids)
    }

    /// A list of a closed set's names, none twice.
    pub fn choices<T: DeserializeOwned + PartialEq>(
        &mut self,
        name: &str,
        names: &[&str],
    ) -> Option<Vec<T>> {
        let texts = self.texts(name, names.len())?;
        let mut values: Vec<T> = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let value = serde_json::from_value::<T>(Value::from(text.as_str())).ok();
            match value.filter(|_| names.contains(&text.as_str())) {
                Some(value) if !values.contains(&value) => values.push(value),
                Some(_) => {}
                None => {
                    let message = format!("Invalid {name}: must be one of {}", listed(names));
                    self.refuse(&format!("{name}[{index}]"), message);
                }
            }
        }
        Some(values)
    }

    /// The places of a list in their order.
    fn places(&mut self, name: &str, most: usize) -> Option<Vec<(String, Node)>> {
        let branch = match self.left.remove(name)? {
            Node::Leaf(text) if text.is_empty() => return Some(Vec::new()),
            Node::Leaf(_) => {
                self.refuse_coded(name, "parameter_invalid_array", "Invalid array");
                return None;
            }
            Node::Branch(branch) => branch,
        };
        if branch.len() > most {
            let message = format!("Array can have at most {most} elements.");
            self.refuse_coded(name, "parameter_invalid_array", message);
            return None;
        }
        let mut places = Vec::with_capacity(branch.len());
        for (key, node) in branch {
            match key.parse::<u32>() {
                Ok(place) => places.push((place, key, node)),
                Err(_) => {
                    self.refuse_coded(name, "parameter_invalid_array", "Invalid array");
                    return None;
                }
            }
        }
        places.sort_by_key(|(place, ..)| *place);
        Some(
            places
                .into_iter()
                .map(|(_, key, node)| (key, node))
                .collect(),
        )
    }
}

/// `a`, `a or b`, `a, b, or c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} or {two}"),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}
