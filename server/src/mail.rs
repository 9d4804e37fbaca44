//! Mail to customers: what causes one, what it says, and how it leaves.
//!
//! A mail is a row before it is a text (`store/mail.rs`): it is decided on from an event, in the
//! event's own transaction, and written in the customer's words when it leaves, from what is true then.
//! The use cases are in `service/mails.rs`; here is what needs no database: the kinds ([`kind`]), the
//! causes ([`cause`]), the text ([`writing`], [`letter`]) and the ways out ([`carrier`]).

pub mod carrier;
pub mod cause;
pub mod envelope;
pub mod folder;
mod html;
pub mod kind;
pub mod letter;
mod plain;
pub mod reading;
pub mod settings;
pub mod smtp;
pub mod writing;

#[cfg(test)]
mod tests;

pub use kind::{Kind, Switch};
pub use letter::Letter;
pub use settings::MailSettings;
