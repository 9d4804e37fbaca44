//! The use cases, on both databases, with a moving clock, seeded ids and the sandbox bank.

mod alerted;
mod aside;
mod backwards;
mod batching;
mod changing;
mod giving;
mod living;
mod mail_server;
mod mails;
mod matrix;
mod metered;
mod metered_together;
mod metering;
pub(crate) mod money;
mod noticing;
mod parts;
mod prefixes;
mod receipts;
mod recovering;
mod renewing;
mod revising;
mod rubbish;
mod sharing;
mod starting;
mod unapplied;
mod waiting;
pub(crate) mod world;
