//! How often one client, one visit or one key may ask. A bucket for each that leaks at a steady
//! rate; full buckets are refused.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use perennial::calendar::Timestamp;

use super::notice::Notice;
use super::{FORM_BYTES_MAX, Web};
use crate::api::problem::Problem;
use crate::api::{authentication, exchange};

/// A rate, and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Tells the buckets of this rate from others.
    pub name: &'static str,
    /// At once, after a rest.
    pub burst: u32,
    /// In the long run.
    pub per_minute: u32,
}

/// Posts of one address: many people may share it.
pub const POSTS_OF_ADDRESS: Rate = Rate {
    name: "posts of an address",
    burst: 120,
    per_minute: 300,
};
/// Posts of one visit: no person is faster.
pub const POSTS_OF_VISIT: Rate = Rate {
    name: "posts of a visit",
    burst: 60,
    per_minute: 120,
};
/// Links opened by one address: guessing is hopeless, and pays nobody's patience.
pub const LINKS_OF_ADDRESS: Rate = Rate {
    name: "links of an address",
    burst: 60,
    per_minute: 120,
};
/// Calls with one API key (Stripe: 100 a second).
pub const CALLS_OF_KEY: Rate = Rate {
    name: "calls of an API key",
    burst: 200,
    per_minute: 6_000,
};
/// Reports of usage with one key. Each may be a single event, and what they cost is shared, so there
/// may be many more of them than of other calls.
pub const REPORTS_OF_KEY: Rate = Rate {
    name: "reports of usage of an API key",
    burst: 20_000,
    per_minute: 1_200_000,
};
/// The most buckets that are remembered. At the limit, those that would be empty by now go first.
const BUCKETS_MAX: usize = 50_000;
/// Buckets count in thousandths, so that a rate below one a second loses nothing.
const ONE: u64 = 1_000;

/// Who asked how often.
#[derive(Debug, Default)]
pub struct Limits(Mutex<HashMap<u64, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a request.
    fill: u64,
    at: Timestamp,
    rate: Rate,
}

impl Bucket {
    /// What is left in it at `now`.
    fn fill_at(&self, now: Timestamp) -> u64 {
        let seconds = u64::try_from(now.0.saturating_sub(self.at.0)).unwrap_or(0);
        let leaked = seconds
            .saturating_mul(u64::from(self.rate.per_minute))
            .saturating_mul(ONE)
            / 60;
        self.fill.saturating_sub(leaked)
    }
}

impl Limits {
    /// Counts a request of `who`; false when it is one too many, which is then not counted.
    pub fn admit(&self, rate: Rate, who: impl Hash, now: Timestamp) -> bool {
        let key = key_of(rate, who);
        let mut buckets = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.fill_at(now) > 0);
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let fill = buckets.get(&key).map_or(0, |bucket| bucket.fill_at(now));
        let fill = fill.saturating_add(ONE);
        if fill > u64::from(rate.burst).saturating_mul(ONE) {
            return false;
        }
        let at = now;
        buckets.insert(key, Bucket { fill, at, rate });
        true
    }
}

fn key_of(rate: Rate, who: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (rate.name, who).hash(&mut hasher);
    hasher.finish()
}

/// The client's address, as far as it is known.
pub fn address_of(request: &Request, trust_proxy: bool) -> Option<IpAddr> {
    if trust_proxy && let Some(address) = forwarded(request.headers()) {
        return Some(address);
    }
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip())
}

/// The last entry of the last `X-Forwarded-For`: what our own proxy saw. All before it is hearsay.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?;
    value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Refuses what comes too often: posts, links.
pub async fn guard(State(web): State<Web>, request: Request, next: Next) -> Response {
    let rate = if *request.method() == Method::POST {
        Some(POSTS_OF_ADDRESS)
    } else if ["/p/", "/m/", "/u/"]
        .iter()
        .any(|room| request.uri().path().starts_with(room))
    {
        Some(LINKS_OF_ADDRESS)
    } else {
        None
    };
    if let Some(rate) = rate
        && web.config.limited
    {
        let address = address_of(&request, web.config.trust_proxy);
        if !web.limits.admit(rate, address, web.engine.now()) {
            return too_many(rate);
        }
    }
    next.run(request).await
}

/// Refuses calls of the API that come too often with one key, or from one address without any.
pub async fn guard_calls(State(web): State<Web>, request: Request, next: Next) -> Response {
    if !web.config.limited {
        return next.run(request).await;
    }
    // By the key itself: one key can be written in many ways.
    let key = authentication::secret(request.headers());
    let nobody = address_of(&request, web.config.trust_proxy).filter(|_| key.is_none());
    let rate = match request.uri().path() {
        "/v1/billing/meter_events"
        | "/v2/billing/meter_events"
        | "/v2/billing/meter_event_stream" => REPORTS_OF_KEY,
        _ => CALLS_OF_KEY,
    };
    if web.limits.admit(rate, (key, nobody), web.engine.now()) {
        return next.run(request).await;
    }
    tracing::warn!(limit = rate.name, "refused: too often");
    let message = "Request rate limit exceeded. Slow down, and try again in a second.";
    let problem = Problem::invalid(message)
        .coded("rate_limit")
        .status(StatusCode::TOO_MANY_REQUESTS);
    exchange::plain(&problem)
}

/// Reads what was posted to its end before anybody works with it: a form is short. One that is too long
/// is refused alike whether it says its length or comes in chunks.
pub async fn read_whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, FORM_BYTES_MAX).await {
        Ok(body) => next.run(Request::from_parts(parts, body.into())).await,
        Err(error) if is_too_long(&error) => {
            (StatusCode::PAYLOAD_TOO_LARGE, Notice::TooLong).into_response()
        }
        Err(error) => {
            tracing::debug!(%error, "a request broke off");
            StatusCode::BAD_REQUEST.into_response()
        }
    }
}

/// Whether a limit is why a body could not be read.
fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.any(|cause| cause.is::<LengthLimitError>())
}

/// The refusal of one request too many.
pub fn too_many(rate: Rate) -> Response {
    tracing::warn!(limit = rate.name, "refused: too often");
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Notice::TooMany).into_response();
    // By then there is room for at least one again.
    let seconds = 60_u32.div_ceil(rate.per_minute.max(1));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS_MAX, Limits, Rate};
    use perennial::calendar::Timestamp;

    const RATE: Rate = Rate {
        name: "test",
        burst: 3,
        per_minute: 30,
    };

    #[test]
    fn a_burst_then_a_steady_rate() {
        let limits = Limits::default();
        let asked = [0, 0, 0, 0, 1, 2, 3, 4, 10, 10, 10, 10];
        let admitted = asked.map(|second| limits.admit(RATE, "a", Timestamp(1_000 + second)));
        assert_eq!(
            admitted,
            [
                true, true, true, false, false, true, false, true, true, true, true, false
            ]
        );
        assert!(
            limits.admit(RATE, "b", Timestamp(1_000)),
            "others have their own"
        );
    }

    #[test]
    fn memory_has_a_limit() {
        let limits = Limits::default();
        for n in 0..BUCKETS_MAX + 10 {
            assert!(limits.admit(RATE, n, Timestamp(0)));
        }
        assert!(limits.0.lock().unwrap().len() <= BUCKETS_MAX);
    }
}
