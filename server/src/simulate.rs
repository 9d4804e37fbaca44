//! Trials on made-up worlds, for `perennial simulate`: how good a decision is when the truth is known.

pub mod dunning;
