//! The use cases, named by verbs: load, decide (in the domain), save, answer. The only place where
//! domain, store and gateway meet. The gateway is never called inside a transaction.

pub mod balance;
pub mod due;
