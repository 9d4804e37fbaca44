//! The use cases, on both databases, with a moving clock, seeded ids and the sandbox bank.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod renewing;
mod starting;
pub(crate) mod world;
