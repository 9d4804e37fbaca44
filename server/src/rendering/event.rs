//! Events.

use perennial::calendar::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{API_VERSION, object};
use crate::store::event::{Data, Event, Kept};

/// An event. Its object stands as it was when it happened; its request is the API call that caused it,
/// or nothing where it happened by itself or in the portal.
#[must_use]
pub fn event(event: &Event, livemode: bool) -> Value {
    let cause = event.cause.as_ref();
    let data = match &event.data {
        Data::Shown(data) => serde_json::from_str::<Value>(data).ok(),
        Data::Kept(kept) => kept_data(kept, livemode, event.created),
    };
    object! {
        id: event.id.as_str(),
        object: "event",
        api_version: API_VERSION,
        created: event.created.0,
        data: data.unwrap_or_else(|| object! { object: object! {} }),
        livemode: livemode,
        pending_webhooks: 0,
        request: object! {
            id: cause.map(|cause| cause.request.as_str()),
            idempotency_key: cause.and_then(|cause| cause.idempotency_key.as_deref()),
        },
        type: event.kind.as_str(),
    }
}

/// An event's data in the API's shape, from the aggregate that is kept.
fn kept_data(kept: &Kept, livemode: bool, now: Timestamp) -> Option<Value> {
    let snapshot = kept.snapshot()?;
    let object = aggregate(&kept.noun, snapshot.object, livemode, now)?;
    let mut data = object! { object: object.clone() };
    if let Some(before) = snapshot.before {
        let before = aggregate(&kept.noun, before, livemode, now)?;
        let previous = super::previous_attributes(&before, &object).unwrap_or(Value::Null);
        if let Some(map) = data.as_object_mut() {
            map.insert("previous_attributes".to_owned(), previous);
        }
    }
    Some(data)
}

/// The nouns that events keep as they are: those whose `Told::KEPT` is set.
fn aggregate(noun: &str, body: Value, livemode: bool, _now: Timestamp) -> Option<Value> {
    fn of<T: DeserializeOwned>(
        body: Value,
        livemode: bool,
        show: impl Fn(&T, bool) -> Value,
    ) -> Option<Value> {
        let read = serde_json::from_value(body);
        if let Err(error) = &read {
            tracing::error!(%error, "the aggregate of an event can't be read");
        }
        read.ok().map(|value| show(&value, livemode))
    }
    match noun {
        "customer" => of(body, livemode, super::customer),
        "subscription" => of(body, livemode, super::subscription),
        "invoice" => of(body, livemode, super::invoice),
        "invoiceitem" => of(body, livemode, super::invoice_item),
        "payment_intent" => of(body, livemode, super::payment_intent),
        _ => {
            tracing::error!(noun, "an event keeps what it can't show");
            None
        }
    }
}
