//! What a browser gets.
