//! What Perennial does, in reading order: settings and the clock, the store (all SQL), the services
//! (use cases), the gateways that move money, the workers, and the two front doors: the API for
//! programs and the web for people.

pub mod api;
pub mod auditing;
pub mod clock;
pub mod config;
pub mod demo;
pub mod document;
pub mod gateway;
pub mod logging;
pub mod mail;
pub mod merchant;
pub mod rendering;
pub mod service;
pub mod serving;
pub mod simulate;
pub mod store;
pub mod web;
pub mod work;

/// Renewal runs make and drop many small values on several threads; the system's allocator gives their
/// memory back and asks for it again all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
