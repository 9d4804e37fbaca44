//! The API through its router, on both databases, with a moving clock and the sandbox bank.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod catalogue;
mod changes;
mod customers;
mod exchanges;
mod expansions;
mod forms;
mod journey;
mod office;
