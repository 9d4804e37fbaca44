//! What customers see and may do, on both databases.

mod acts;
mod cards;
mod details;
pub(crate) mod house;
mod overview;
mod pausing;
mod promoting;
mod strangers;
