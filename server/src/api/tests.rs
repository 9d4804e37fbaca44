//! The API through its router, on both databases, with a moving clock and the sandbox bank.

mod audits;
mod catalogue;
mod changes;
mod contracts;
mod customers;
mod exchanges;
mod expansions;
mod forms;
mod journey;
mod lists;
mod office;
