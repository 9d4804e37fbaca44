//! The real process, and what can happen to it: it is killed, its disk fails, its database goes away.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop at what it did not expect, and waits by the machine's clock"
)]

mod business;
mod crash;
#[cfg(target_os = "linux")]
mod disk;
mod operating;
mod outage;
mod site;
mod together;
