//! `/v2/billing/meter_event_stream` and what belongs to it: usage in batches, as JSON.
//!
//! Version 2 of Stripe's API speaks JSON both ways, and its stream is opened by a session's token,
//! good for 15 minutes. The token says whose it is, signed by this installation: no look-up stands
//! in the way of a batch. (Stripe takes 100 events in a batch; we take [`EVENTS_MAX`].)

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use perennial::calendar::{Civil, Timestamp};
use perennial::id::RequestId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::{Api, authentication};
use crate::rendering;
use crate::service::Engine;
use crate::service::metering::{Naming, NewEvent};
use crate::store::Scope;

/// The most events of a batch.
pub const EVENTS_MAX: usize = 10_000;
/// The largest batch, in bytes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The routes.
pub fn routes() -> Router<Api> {
    Router::new()
        .route("/v2/billing/meter_event_session", post(open_session))
        .route("/v2/billing/meter_event_stream", post(stream))
        .route("/v2/billing/meter_events", post(report))
        .route("/v2/billing/meter_event_adjustments", post(adjust))
}

/// An event as version 2 writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event_name: String,
    identifier: Option<String>,
    payload: Payload,
    timestamp: Option<String>,
}

/// Keys and texts, in the order in which they come.
#[derive(Debug)]
struct Payload(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> serde::de::Visitor<'de> for Pairs {
            type Value = Vec<(String, String)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(2);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Pairs).map(Payload)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Adjustment {
    cancel: Cancel,
    event_name: String,
    r#type: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    identifier: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Event {
    fn read(self, index: usize) -> Result<NewEvent, Problem> {
        let at = match &self.timestamp {
            None => None,
            Some(text) => Some(moment(text).ok_or_else(|| {
                let message = format!(
                    "Invalid timestamp: {}. Use RFC 3339 in UTC, such as 2026-01-31T10:00:00Z.",
                    text.chars().take(40).collect::<String>()
                );
                Problem::invalid(message).about(format!("events[{index}][timestamp]"))
            })?),
        };
        Ok(NewEvent {
            event_name: self.event_name,
            identifier: self.identifier,
            at,
            payload: self.payload.0,
            now: None,
        })
    }
}

/// Reads `2026-01-31T10:00:00Z`, perhaps with a fraction of a second, which is left out, or with an
/// offset such as `+01:00`.
fn moment(text: &str) -> Option<Timestamp> {
    let digits = |from: usize, until: usize| text.get(from..until)?.parse::<u16>().ok();
    let mark =
        |place: usize, marks: &[u8]| marks.contains(text.as_bytes().get(place)?).then_some(());
    let small = |from: usize, until: usize| digits(from, until).and_then(|n| u8::try_from(n).ok());
    mark(4, b"-")?;
    mark(7, b"-")?;
    mark(10, b"Tt ")?;
    mark(13, b":")?;
    mark(16, b":")?;
    let civil = Civil {
        year: i64::from(digits(0, 4)?),
        month: small(5, 7)?,
        day: small(8, 10)?,
        hour: small(11, 13)?,
        minute: small(14, 16)?,
        second: small(17, 19)?,
    };
    let mut rest = text.get(19..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(fraction.len());
        if end == 0 {
            return None;
        }
        rest = fraction.get(end..)?;
    }
    let seconds = match rest {
        "Z" | "z" => 0,
        _ => {
            let (sign, offset) = match rest.split_at_checked(1)? {
                ("+", offset) => (-1, offset),
                ("-", offset) => (1, offset),
                _ => return None,
            };
            let (hours, minutes) = offset.split_once(':')?;
            let two = |text: &str| {
                (text.len() == 2)
                    .then(|| text.parse::<i64>().ok())
                    .flatten()
            };
            sign * (two(hours)? * 3_600 + two(minutes)? * 60)
        }
    };
    civil.timestamp().ok()?.add_seconds(seconds).ok()
}

/// A call whose body was read, with its scope and engine.
struct Call {
    engine: Engine,
    scope: Scope,
    body: Bytes,
    request_id: String,
}

/// Whose call it is: that of a secret key or, on the stream, of a session's token.
async fn admit(api: &Api, headers: &HeaderMap, stream: bool) -> Result<Scope, Problem> {
    let token = authentication::secret(headers).filter(|secret| secret.starts_with(TOKEN_PREFIX));
    match token {
        Some(token) if stream => api.engine.scope_of_session(&token).await?.ok_or_else(|| {
            let mut problem = Problem::invalid("The session has expired. Open a new one.");
            problem.code = Some("billing_meter_event_session_expired".to_owned());
            problem.status(StatusCode::UNAUTHORIZED)
        }),
        _ => authentication::authenticate(&api.engine.store, headers).await,
    }
}

/// What the tokens of sessions begin with.
const TOKEN_PREFIX: &str = crate::service::metering::TOKEN_PREFIX;

async fn begin(api: &Api, request: Request, stream: bool) -> Result<Call, (Problem, String)> {
    let given = request.extensions().get::<RequestId>().cloned();
    let request_id = given
        .unwrap_or_else(|| RequestId::new(&mut api.engine.ids()))
        .to_string();
    let (parts, body) = request.into_parts();
    let scope = match admit(api, &parts.headers, stream).await {
        Ok(scope) => scope,
        Err(problem) => return Err((problem, request_id)),
    };
    match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => Ok(Call {
            engine: api.engine.clone(),
            scope,
            body,
            request_id,
        }),
        Err(_) => {
            let message = format!("The request is larger than {BODY_BYTES_MAX} bytes.");
            let problem = Problem::invalid(message).status(StatusCode::PAYLOAD_TOO_LARGE);
            Err((problem, request_id))
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| Problem::invalid(format!("The JSON can't be read: {error}.")))
}

/// Carries out a call and answers as version 2 does.
async fn answer<F, Fut>(api: Api, request: Request, stream: bool, work: F) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Value, Problem>>,
{
    match begin(&api, request, stream).await {
        Err((problem, id)) => respond(&id, Err(problem)),
        Ok(call) => {
            let id = call.request_id.clone();
            let result = work(call).await;
            respond(&id, result)
        }
    }
}

fn respond(request_id: &str, result: Result<Value, Problem>) -> Response {
    let (status, body) = match result {
        Ok(value) => (StatusCode::OK, value),
        Err(problem) => {
            let mut body = problem.body();
            // Where the token is too old, clients look for this type.
            let expired = problem.code.as_deref() == Some("billing_meter_event_session_expired");
            if expired && let Some(Value::Object(error)) = body.get_mut("error") {
                error.insert("type".to_owned(), "temporary_session_expired".into());
            }
            (problem.status, body)
        }
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    response
}

async fn open_session(State(api): State<Api>, request: Request) -> Response {
    answer(api, request, false, |call| async move {
        let Nothing {} = read(&call.body)?;
        let session = call.engine.open_usage_session(&call.scope).await?;
        Ok(json!({
            "id": session.id,
            "object": "v2.billing.meter_event_session",
            "authentication_token": session.token,
            "created": rendering::iso(session.created),
            "expires_at": rendering::iso(session.expires_at),
            "livemode": call.scope.livemode,
        }))
    })
    .await
}

async fn stream(State(api): State<Api>, request: Request) -> Response {
    answer(api, request, true, |call| async move {
        let batch: Batch = read(&call.body)?;
        if batch.events.is_empty() || batch.events.len() > EVENTS_MAX {
            let message = format!("A batch has 1 to {EVENTS_MAX} events.");
            return Err(Problem::invalid(message).about("events"));
        }
        let events = batch.events.into_iter().enumerate();
        let events: Result<Vec<NewEvent>, Problem> =
            events.map(|(index, event)| event.read(index)).collect();
        call.engine
            .report_usage(
                &call.scope,
                call.engine.by_test_clocks(&call.scope, events?).await?,
                Naming::Listed,
            )
            .await?;
        Ok(Value::Object(Map::new()))
    })
    .await
}

async fn report(State(api): State<Api>, request: Request) -> Response {
    answer(api, request, false, |call| async move {
        let event: Event = read(&call.body)?;
        let event = event
            .read(0)
            .map_err(|problem| problem.about("timestamp"))?;
        let (name, payload) = (event.event_name.clone(), event.payload.clone());
        let (now, live) = (call.engine.now(), call.scope.livemode);
        let taken = call
            .engine
            .report_usage(
                &call.scope,
                call.engine.by_test_clocks(&call.scope, vec![event]).await?,
                Naming::Single,
            )
            .await?;
        let taken = taken.first().ok_or_else(Problem::internal)?;
        Ok(rendering::meter_event_v2(&name, taken, &payload, now, live))
    })
    .await
}

async fn adjust(State(api): State<Api>, request: Request) -> Response {
    answer(api, request, false, |call| async move {
        let wanted: Adjustment = read(&call.body)?;
        if wanted.r#type != "cancel" {
            return Err(Problem::invalid("Invalid type: must be cancel").about("type"));
        }
        let identifier = wanted.cancel.identifier;
        let engine = &call.engine;
        engine
            .cancel_usage(&call.scope, &wanted.event_name, &identifier)
            .await?;
        Ok(json!({
            "id": format!("mtrea_{:032x}", engine.entropy.bits()),
            "object": "v2.billing.meter_event_adjustment",
            "cancel": { "identifier": identifier },
            "created": rendering::iso(engine.now()),
            "event_name": wanted.event_name,
            "livemode": call.scope.livemode,
            "status": "complete",
            "type": "cancel",
        }))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_read_as_rfc_3339_has_them() {
        let table = [
            ("2026-01-31T10:00:00Z", Some(1_769_853_600)),
            ("2026-01-31T10:00:00.123Z", Some(1_769_853_600)),
            ("2026-01-31T11:00:00+01:00", Some(1_769_853_600)),
            ("2026-01-31T04:30:00.5-05:30", Some(1_769_853_600)),
            ("2026-02-30T10:00:00Z", None),
            ("2026-01-31T10:00:00", None),
            ("2026-01-31T10:00:00.Z", None),
            ("2026-01-31", None),
            ("", None),
            ("now, please and thank you", None),
            ("2026-01-31T10:00:00+1:00", None),
        ];
        for (text, want) in table {
            assert_eq!(moment(text).map(|at| at.0), want, "{text}");
        }
    }
}
