//! The web for people: what a browser asks for and gets.

pub mod assets;
