//! `application/x-www-form-urlencoded` with nested and indexed keys, decoded into a tree:
//! `items[0][price]=price_1&expand[]=customer` is an object of two lists.
//!
//! Everything has a limit, and nothing that a client can send makes the decoder panic.

use std::collections::BTreeMap;

/// The longest body or query string, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The most pairs of a key and a value.
pub const PAIRS_MAX: usize = 2_000;
/// How deep keys may nest: `a[b][c]` is three deep.
pub const DEPTH_MAX: usize = 8;
/// The longest part of a key, in bytes.
pub const SEGMENT_BYTES_MAX: usize = 256;

/// A decoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A value as it was sent; empty means "unset".
    Leaf(String),
    /// An object, or a list: then its keys are numbers.
    Branch(Branch),
}

/// The fields of an object, or the places of a list.
pub type Branch = BTreeMap<String, Node>;

/// Why a form can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// More than [`BODY_BYTES_MAX`].
    #[error("The request is larger than {BODY_BYTES_MAX} bytes.")]
    TooLarge,
    /// More than [`PAIRS_MAX`].
    #[error("The request has more than {PAIRS_MAX} parameters.")]
    TooMany,
    /// Deeper than [`DEPTH_MAX`], or a part longer than [`SEGMENT_BYTES_MAX`].
    #[error("The parameter is nested more than {DEPTH_MAX} levels deep or its name is too long.")]
    TooDeep(String),
    /// Brackets that don't match, or a name that is missing.
    #[error("The parameter's name is not well formed.")]
    Name(String),
    /// `%` without two hexadecimal digits after it, or bytes that are no UTF-8.
    #[error("The request is not valid UTF-8 in percent encoding.")]
    Encoding,
    /// The same name twice, or once as a value and once as an object.
    #[error("The parameter was received more than once.")]
    Twice(String),
}

impl FormError {
    /// The parameter that it is about.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::TooDeep(name) | Self::Name(name) | Self::Twice(name) => Some(name),
            Self::TooLarge | Self::TooMany | Self::Encoding => None,
        }
    }
}

/// Decodes a body or a query string.
///
/// # Errors
/// Names what is malformed or beyond a limit.
pub fn decode(text: &[u8]) -> Result<Branch, FormError> {
    if text.len() > BODY_BYTES_MAX {
        return Err(FormError::TooLarge);
    }
    let mut root = Branch::new();
    let pairs = text.split(|byte| *byte == b'&');
    for (index, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
        if index >= PAIRS_MAX {
            return Err(FormError::TooMany);
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = unescape(halves.next().unwrap_or_default())?;
        let value = unescape(halves.next().unwrap_or_default())?;
        let segments = segments(&name)?;
        insert(&mut root, &segments, value, &name)?;
    }
    Ok(root)
}

/// Undoes percent encoding; `+` is a space.
fn unescape(text: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex).ok_or(FormError::Encoding)?;
                let low = rest.next().and_then(hex).ok_or(FormError::Encoding)?;
                high << 4 | low
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Encoding)
}

fn hex(digit: &u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `items[0][price]` as `items`, `0`, `price`; an empty segment (only as the last one) appends.
fn segments(name: &str) -> Result<Vec<&str>, FormError> {
    let malformed = || FormError::Name(name.chars().take(80).collect());
    let (first, mut rest) = match name.find('[') {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    if first.is_empty() || first.contains(']') {
        return Err(malformed());
    }
    let mut segments = vec![first];
    while !rest.is_empty() {
        let inner = rest.strip_prefix('[').ok_or_else(malformed)?;
        let (segment, after) = inner.split_once(']').ok_or_else(malformed)?;
        if segment.contains('[') {
            return Err(malformed());
        }
        segments.push(segment);
        rest = after;
    }
    let too_long = segments.iter().any(|s| s.len() > SEGMENT_BYTES_MAX);
    if segments.len() > DEPTH_MAX || too_long {
        return Err(FormError::TooDeep(name.chars().take(80).collect()));
    }
    let last = segments.len() - 1;
    if segments.iter().take(last).any(|segment| segment.is_empty()) {
        return Err(malformed());
    }
    Ok(segments)
}

fn insert(
    branch: &mut Branch,
    segments: &[&str],
    value: String,
    name: &str,
) -> Result<(), FormError> {
    let twice = || FormError::Twice(name.to_owned());
    match segments {
        [] => Ok(()),
        [last] => {
            let key = match *last {
                "" => branch.len().to_string(),
                key => key.to_owned(),
            };
            match branch.insert(key, Node::Leaf(value)) {
                None => Ok(()),
                Some(_) => Err(twice()),
            }
        }
        [first, rest @ ..] => {
            let place = branch
                .entry((*first).to_owned())
                .or_insert_with(|| Node::Branch(Branch::new()));
            match place {
                Node::Branch(inner) => insert(inner, rest, value, name),
                Node::Leaf(_) => Err(twice()),
            }
        }
    }
}
