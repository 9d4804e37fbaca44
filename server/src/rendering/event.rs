//! Events.

use serde_json::Value;

use super::{API_VERSION, object};
use crate::store::event::Event;

/// An event. Its object stands as it was when it happened.
#[must_use]
pub fn event(event: &Event, livemode: bool) -> Value {
    let data = serde_json::from_str::<Value>(&event.data);
    object! {
        id: event.id.as_str(),
        object: "event",
        api_version: API_VERSION,
        created: event.created.0,
        data: data.unwrap_or_else(|_| object! { object: object! {} }),
        livemode: livemode,
        pending_webhooks: 0,
        request: object! { id: (), idempotency_key: () },
        type: event.kind.as_str(),
    }
}
