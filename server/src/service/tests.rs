//! The use cases, on both databases, with a moving clock, seeded ids and the sandbox bank.

mod changing;
mod living;
mod renewing;
mod starting;
pub(crate) mod world;
