//! What customers see and may do, on both databases.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod acts;
mod cards;
mod details;
pub(crate) mod house;
mod overview;
mod strangers;
