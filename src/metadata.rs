//! Free keys that merchants put on their objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Up to [`Metadata::KEYS_MAX`] keys that the merchant's own systems read; Perennial never does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(pub BTreeMap<String, String>);

impl Metadata {
    /// The most keys an object may carry (Stripe: 50).
    pub const KEYS_MAX: usize = 50;
    /// The longest key, in characters (Stripe: 40).
    pub const KEY_CHARS_MAX: usize = 40;
    /// The longest value, in characters (Stripe: 500).
    pub const VALUE_CHARS_MAX: usize = 500;

    /// Applies an update as Stripe does: an empty value removes its key, others are set.
    ///
    /// # Errors
    /// Names the first limit that the result would break; `self` is then unchanged.
    pub fn merge(&mut self, changes: &[(String, String)]) -> Result<(), MetadataError> {
        let mut next = self.0.clone();
        for (key, value) in changes {
            if key.chars().count() > Self::KEY_CHARS_MAX {
                return Err(MetadataError::KeyTooLong);
            }
            if value.chars().count() > Self::VALUE_CHARS_MAX {
                return Err(MetadataError::ValueTooLong { key: key.clone() });
            }
            if value.is_empty() {
                next.remove(key);
            } else {
                next.insert(key.clone(), value.clone());
            }
        }
        if next.len() > Self::KEYS_MAX {
            return Err(MetadataError::TooManyKeys);
        }
        self.0 = next;
        Ok(())
    }
}

/// A wish about metadata, as updates of any object carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataChange {
    /// All keys go.
    Clear,
    /// These keys are set, or unset where the value is empty.
    Merge(Vec<(String, String)>),
}

impl Metadata {
    /// Applies a wish.
    ///
    /// # Errors
    /// As [`Metadata::merge`].
    pub fn change(&mut self, change: &MetadataChange) -> Result<(), MetadataError> {
        match change {
            MetadataChange::Clear => self.0.clear(),
            MetadataChange::Merge(pairs) => self.merge(pairs)?,
        }
        Ok(())
    }
}

/// Why metadata was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// More than [`Metadata::KEYS_MAX`] keys.
    #[error("metadata can have at most 50 keys")]
    TooManyKeys,
    /// A key of more than [`Metadata::KEY_CHARS_MAX`] characters.
    #[error("metadata keys can have at most 40 characters")]
    KeyTooLong,
    /// A value of more than [`Metadata::VALUE_CHARS_MAX`] characters.
    #[error("metadata values can have at most 500 characters")]
    ValueTooLong {
        /// Whose value it is.
        key: String,
    },
}
