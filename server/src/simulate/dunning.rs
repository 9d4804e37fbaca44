//! How much of what failed comes back: retry policies side by side on the same failures.
//!
//! [`world`] draws the failures and knows the truth of each. A policy sees of a failure only what a
//! merchant sees. All policies meet the same failures, the same pay days and the same customers'
//! acts, so that their differences are theirs.

pub mod chance;
pub mod world;
