//! Meters and what they count.

use perennial::calendar::Timestamp;
use perennial::decimal::Decimal12;
use perennial::id::CustomerId;
use perennial::usage::{Alert, Meter};
use serde_json::{Map, Value};

use super::{moment, name, number, object};
use crate::service::metering::{Summary, Taken};

/// A meter.
#[must_use]
pub fn meter(meter: &Meter, livemode: bool) -> Value {
    object! {
        id: meter.id.as_str(),
        object: "billing.meter",
        created: meter.created.0,
        customer_mapping: object! {
            event_payload_key: meter.customer_key.as_str(),
            type: "by_id",
        },
        default_aggregation: object! { formula: name(meter.formula) },
        display_name: meter.display_name.as_str(),
        event_name: meter.event_name.as_str(),
        event_time_window: name(meter.event_time_window),
        livemode: livemode,
        status: name(meter.status),
        status_transitions: object! { deactivated_at: moment(meter.deactivated_at) },
        updated: meter.updated.0,
        value_settings: object! { event_payload_key: meter.value_key.as_str() },
    }
}

/// An event as it was taken.
#[must_use]
pub fn meter_event(
    event_name: &str,
    taken: &Taken,
    payload: &[(String, String)],
    created: Timestamp,
    livemode: bool,
) -> Value {
    object! {
        object: "billing.meter_event",
        created: created.0,
        event_name: event_name,
        identifier: taken.identifier.as_str(),
        livemode: livemode,
        payload: texts(payload),
        timestamp: taken.at.0,
    }
}

/// An event as version 2 of the API shows it.
#[must_use]
pub fn meter_event_v2(
    event_name: &str,
    taken: &Taken,
    payload: &[(String, String)],
    created: Timestamp,
    livemode: bool,
) -> Value {
    object! {
        object: "v2.billing.meter_event",
        created: iso(created),
        event_name: event_name,
        identifier: taken.identifier.as_str(),
        livemode: livemode,
        payload: texts(payload),
        timestamp: iso(taken.at),
    }
}

fn texts(pairs: &[(String, String)]) -> Value {
    let pairs = pairs.iter();
    Value::Object(
        pairs
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect::<Map<_, _>>(),
    )
}

/// A cancelled event. We cancel at once, so it is always complete.
#[must_use]
pub fn meter_event_adjustment(event_name: &str, identifier: &str, livemode: bool) -> Value {
    object! {
        object: "billing.meter_event_adjustment",
        cancel: object! { identifier: identifier },
        event_name: event_name,
        livemode: livemode,
        status: "complete",
        type: "cancel",
    }
}

/// What a customer used of a meter in a stretch of time.
#[must_use]
pub fn meter_event_summary(summary: &Summary, livemode: bool) -> Value {
    object! {
        id: summary.id(),
        object: "billing.meter_event_summary",
        aggregated_value: number(summary.value),
        end_time: summary.period.end.0,
        livemode: livemode,
        meter: summary.meter.as_str(),
        start_time: summary.period.start.0,
    }
}

/// A moment as version 2 of the API writes it: `2026-01-31T10:00:00.000Z`.
#[must_use]
pub fn iso(at: Timestamp) -> String {
    let date = at.civil();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z",
        date.year, date.month, date.day, date.hour, date.minute, date.second
    )
}

/// An alert.
#[must_use]
pub fn alert(alert: &Alert, livemode: bool) -> Value {
    let filters = alert.customer.iter().map(|customer| {
        object! { customer: customer.as_str(), type: "customer" }
    });
    object! {
        id: alert.id.as_str(),
        object: "billing.alert",
        alert_type: "usage_threshold",
        livemode: livemode,
        status: name(alert.status),
        title: alert.title.as_str(),
        usage_threshold: object! {
            filters: filters.collect::<Vec<_>>(),
            gte: alert.gte,
            meter: alert.meter.as_str(),
            recurrence: "one_time",
        },
    }
}

/// A mark that a customer's usage has reached.
#[must_use]
pub fn alert_triggered(
    of: &Alert,
    customer: &CustomerId,
    used: Decimal12,
    created: Timestamp,
    livemode: bool,
) -> Value {
    object! {
        object: "billing.alert_triggered",
        alert: alert(of, livemode),
        created: created.0,
        customer: customer.as_str(),
        livemode: livemode,
        value: number(used),
    }
}
