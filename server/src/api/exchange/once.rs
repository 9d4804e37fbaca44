//! Idempotency keys: a request that comes again gets the first answer, and does nothing more.

use axum::http::{Method, StatusCode};
use perennial::calendar::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Answer, Call, Incoming, perform};
use crate::api::Api;
use crate::api::problem::{Kind, Problem};
use crate::store::idempotency::{self, Found};
use crate::store::{Scope, Store};

/// The longest idempotency key, in characters (Stripe: 255).
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// After this many seconds a key that is still under way was left by a crash.
const UNDER_WAY_SECONDS_MAX: i64 = 120;

/// The key, on a POST that has one. Other methods are idempotent by themselves.
pub(super) fn idempotency_key(incoming: &Incoming) -> Result<Option<String>, Problem> {
    if incoming.method != Method::POST {
        return Ok(None);
    }
    let Some(key) = incoming.headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_CHARS_MAX {
        return Err(Problem::invalid(format!(
            "Idempotency keys must be 1 to {IDEMPOTENCY_KEY_CHARS_MAX} ASCII characters long."
        )));
    }
    Ok(Some(key.to_owned()))
}

/// Performs the call unless its key was used before; keeps its answer if it did anything.
pub(super) async fn once<F, Fut>(
    api: Api,
    scope: Scope,
    key: String,
    incoming: Incoming,
    shows: &'static str,
    function: F,
) -> Answer
where
    F: Fn(Call) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    let store = api.engine.store.clone();
    let fingerprint = fingerprint(&incoming);
    let found = claim(&store, &scope, &key, &fingerprint, api.engine.now()).await;
    match found {
        Ok(Found::Fresh) => {}
        Ok(Found::UnderWay) => return Answer::of(&Err(under_way())),
        Ok(Found::HalfDone) => return Answer::of(&Err(half_done())),
        Ok(Found::Mismatch) => return Answer::of(&Err(mismatch())),
        Ok(Found::Answer { status, body }) => {
            return Answer {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
                body,
                replayed: true,
            };
        }
        Err(problem) => return Answer::of(&Err(problem)),
    }
    let result = perform(api, scope.clone(), incoming, shows, function).await;
    let answer = Answer::of(&result);
    let keep = result
        .as_ref()
        .map_or_else(|problem| problem.began, |_| true);
    if let Err(error) = settle(&store, &scope, &key, keep.then_some(&answer)).await {
        tracing::error!(%error, "an idempotency key could not be settled");
    }
    answer
}

async fn claim(
    store: &Store,
    scope: &Scope,
    key: &str,
    fingerprint: &str,
    now: Timestamp,
) -> Result<Found, Problem> {
    let mut tx = store.begin().await?;
    let found = idempotency::claim(
        tx.connection(),
        scope,
        key,
        fingerprint,
        now,
        UNDER_WAY_SECONDS_MAX,
    )
    .await?;
    tx.commit().await?;
    Ok(found)
}

async fn settle(
    store: &Store,
    scope: &Scope,
    key: &str,
    answer: Option<&Answer>,
) -> Result<(), crate::store::StoreError> {
    let mut tx = store.begin().await?;
    match answer {
        Some(answer) => {
            let (status, body) = (answer.status.as_u16(), &answer.body);
            idempotency::keep(tx.connection(), scope, key, status, body).await?;
        }
        None => idempotency::release(tx.connection(), scope, key).await?,
    }
    tx.commit().await
}

/// What makes two requests the same: method, path and every parameter.
fn fingerprint(incoming: &Incoming) -> String {
    let mut hash = Sha256::new();
    for part in [
        incoming.method.as_str().as_bytes(),
        incoming.target.as_bytes(),
        &incoming.body,
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn under_way() -> Problem {
    Problem {
        kind: Kind::Idempotency,
        ..Problem::invalid(
            "There is currently another in-progress request using this Idempotency-Key. Please \
             try again later.",
        )
        .coded("idempotency_key_in_use")
        .status(StatusCode::CONFLICT)
    }
}

/// The process died between what it did and its answer. What it did is there, and doing it again would
/// do it twice; at Stripe the first answer, an error of the server, would come again.
fn half_done() -> Problem {
    Problem {
        kind: Kind::Idempotency,
        ..Problem::invalid(
            "The first request with this Idempotency-Key did something and stopped before it could \
             answer. It is not done again. See what it did in the events whose \
             request.idempotency_key is this key, and use another key for what is missing.",
        )
        .coded("idempotency_key_in_use")
        .status(StatusCode::CONFLICT)
    }
}

fn mismatch() -> Problem {
    Problem {
        kind: Kind::Idempotency,
        ..Problem::invalid(
            "Keys for idempotent requests can only be used with the same parameters they were \
             first used with. Try using another key for this request.",
        )
    }
}
