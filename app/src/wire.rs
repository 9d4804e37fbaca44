//! How the server's answers travel to the browser: inside a page for its first sight, and as the answer of a server
//! function.
//!
//! Both are one compact format without field names. A decoder for JSON is written by the compiler for every type, names
//! and messages included, and twice where pages and functions decode differently: that was more than half of what a
//! browser had to load before the pages came to life. The price is that both sides must have been built from the same
//! definitions; each message begins with [`FINGERPRINT`] so that a tab older than the server is refused, not misled.

use leptos::server::codee::{Decoder, Encoder};
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType, codec::Post};
use serde::{Serialize, de::DeserializeOwned};

include!(concat!(env!("OUT_DIR"), "/wire.rs"));

/// The format of what pages load and of what server functions answer: [`FINGERPRINT`] and then [postcard](https://postcard.jamesmunns.com/wire-format).
#[derive(Clone, Copy, Debug)]
pub struct Wire;

/// What a server function of the pages names as its `output`.
pub type Packed = Post<Wire>;

/// Why a message could not be read or written. There is nothing to tell people apart from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It was written by another version of the product.
    #[error("the message is of another version")]
    OtherVersion,
    /// It does not have the form of its type.
    #[error("the message is malformed")]
    Malformed,
}

/// Writes a value as a message.
///
/// # Errors
/// [`WireError::Malformed`] for a type that the format has no form for.
pub fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    postcard::to_extend(value, FINGERPRINT.to_vec()).map_err(|_| WireError::Malformed)
}

/// Reads a message.
///
/// # Errors
/// When it is of another version or malformed.
pub fn unpack<T: DeserializeOwned>(message: &[u8]) -> Result<T, WireError> {
    let body = message
        .strip_prefix(&FINGERPRINT)
        .ok_or(WireError::OtherVersion)?;
    postcard::from_bytes(body).map_err(|_| WireError::Malformed)
}

impl<T: Serialize> Encoder<T> for Wire {
    type Error = WireError;
    type Encoded = Vec<u8>;

    fn encode(value: &T) -> Result<Vec<u8>, WireError> {
        pack(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Wire {
    type Error = WireError;
    type Encoded = [u8];

    fn decode(message: &[u8]) -> Result<T, WireError> {
        unpack(message)
    }
}

impl ContentType for Wire {
    const CONTENT_TYPE: &'static str = "application/x-postcard";
}

impl FormatType for Wire {
    const FORMAT_TYPE: Format = Format::Binary;
}

impl<T: Serialize> Encodes<T> for Wire {
    type Error = WireError;

    fn encode(value: &T) -> Result<Bytes, WireError> {
        pack(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for Wire {
    type Error = WireError;

    fn decode(message: Bytes) -> Result<T, WireError> {
        unpack(&message)
    }
}

#[cfg(test)]
mod tests;
