//! Test clocks.

use perennial::test_clock::{ClockStatus, TestClock};
use serde_json::Value;

use super::{object, text};

/// A test clock.
#[must_use]
pub fn test_clock(clock: &TestClock, livemode: bool) -> Value {
    let (status, details) = match clock.status {
        ClockStatus::Ready => ("ready", object! {}),
        ClockStatus::Advancing { target } => (
            "advancing",
            object! { advancing: object! { target_frozen_time: target.0 } },
        ),
        ClockStatus::InternalFailure => ("internal_failure", object! {}),
    };
    object! {
        id: clock.id.as_str(),
        object: "test_helpers.test_clock",
        created: clock.created.0,
        deletes_after: clock.deletes_after.0,
        frozen_time: clock.frozen_time.0,
        livemode: livemode,
        name: text(clock.name.as_ref()),
        status: status,
        status_details: details,
    }
}
