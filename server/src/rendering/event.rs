//! Events.

use serde_json::Value;

use super::{API_VERSION, object};
use crate::store::event::Event;

/// An event. Its object stands as it was when it happened; its request is the API call that caused it,
/// or nothing where it happened by itself or in the portal.
#[must_use]
pub fn event(event: &Event, livemode: bool) -> Value {
    let cause = event.cause.as_ref();
    let data = serde_json::from_str::<Value>(&event.data);
    object! {
        id: event.id.as_str(),
        object: "event",
        api_version: API_VERSION,
        created: event.created.0,
        data: data.unwrap_or_else(|_| object! { object: object! {} }),
        livemode: livemode,
        pending_webhooks: 0,
        request: object! {
            id: cause.map(|cause| cause.request.as_str()),
            idempotency_key: cause.and_then(|cause| cause.idempotency_key.as_deref()),
        },
        type: event.kind.as_str(),
    }
}
