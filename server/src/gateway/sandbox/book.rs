//! The sandbox's SQL: cards and attempts. Every statement names merchant and mode, and a row that
//! was written changes at most once, so no statement needs another one to be right.

mod cards;

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::money::Money;
use perennial::payment::{Decline, Outcome};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::behaviour::{Act, Behaviour};
use super::challenge;
use crate::gateway::{Challenge, ChallengeAnswer, GatewayError, ReturnPath, Scope, Usage};
use crate::store::document::Column;
use crate::store::writes::{Table, Writes};
use crate::store::{Store, StoreError};
pub(super) use cards::{CardRow, card, card_updates, cards, keep_card, reissue};
use cards::{behaviour, brand_from};

/// A set-up or a charge.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) idempotency_key: String,
    pub(super) id: String,
    pub(super) act: Act,
    pub(super) token: String,
    pub(super) amount: Option<Money>,
    pub(super) description: Option<String>,
    /// JSON.
    pub(super) metadata: String,
    /// A hash of the parameters.
    pub(super) request: String,
    pub(super) standing: Standing,
    /// The secret part of its challenge's address.
    pub(super) challenge: Option<String>,
    pub(super) return_path: Option<ReturnPath>,
    pub(super) answer: Option<ChallengeAnswer>,
}

/// Where an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Succeeded,
    Declined(Decline),
    RequiresAction,
}

impl Attempt {
    /// What the gateway says of it.
    pub(super) fn outcome(&self, scope: &Scope) -> Outcome {
        match (&self.standing, &self.challenge) {
            (Standing::Declined(decline), _) => Outcome::Declined(decline.clone()),
            (Standing::RequiresAction, Some(secret)) => Outcome::RequiresAction {
                challenge: challenge::address(scope, secret),
            },
            (Standing::Succeeded | Standing::RequiresAction, _) => Outcome::Succeeded {
                charge: self.id.clone(),
                charged: self.amount,
            },
        }
    }
}

const INSERT_ATTEMPT: &str = "
    insert into sandbox_attempt (merchant, livemode, idempotency_key, id, kind, session, token,
        amount_minor, currency, description, metadata, request, status, code, decline_code,
        challenge, return_path, created)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    on conflict (merchant, livemode, idempotency_key) do nothing";

const SELECT_ATTEMPT: &str = "
    select idempotency_key, id, kind, session, token, amount_minor, currency, description, metadata,
        request, status, code, decline_code, challenge, return_path, answer
    from sandbox_attempt
    where merchant = $1 and livemode = $2 and idempotency_key = $3";

const SELECT_CHALLENGE: &str = "
    select a.idempotency_key, a.id, a.kind, a.session, a.token, a.amount_minor, a.currency,
        a.description, a.metadata, a.request, a.status, a.code, a.decline_code, a.challenge,
        a.return_path, a.answer, c.brand, c.last4, c.behaviour
    from sandbox_attempt as a
    join sandbox_card as c
        on c.merchant = a.merchant and c.livemode = a.livemode and c.token = a.token
    where a.merchant = $1 and a.livemode = $2 and a.challenge = $3";

// The last condition lets the first answer win.
const ANSWER: &str = "
    update sandbox_attempt set status = $4, code = $5, decline_code = $6, answer = $7
    where merchant = $1 and livemode = $2 and challenge = $3 and status = 'requires_action'";

static ATTEMPTS: Table = Table {
    name: "sandbox_attempt",
    columns: &[
        "idempotency_key",
        "id",
        "kind",
        "session",
        "token",
        "amount_minor",
        "currency",
        "description",
        "metadata",
        "request",
        "status",
        "code",
        "decline_code",
        "challenge",
        "return_path",
        "created",
    ],
    after: "",
};

/// Writes attempts, unless one of their keys is taken: then none, and false.
pub(super) async fn keep_attempts(
    store: &Store,
    scope: &Scope,
    attempts: Vec<Attempt>,
    now: Timestamp,
) -> Result<bool, GatewayError> {
    let mut writes = Writes::new(scope);
    for attempt in attempts {
        let (kind, session) = act_text(attempt.act);
        let (status, code, decline_code) = standing_text(&attempt.standing);
        let path = attempt.return_path.as_ref();
        writes.add(
            &ATTEMPTS,
            vec![
                Column::Text(Some(attempt.idempotency_key)),
                Column::Text(Some(attempt.id)),
                Column::text(kind),
                Column::text(session),
                Column::Text(Some(attempt.token)),
                Column::Number(attempt.amount.map(|amount| amount.minor)),
                Column::Text(attempt.amount.map(|own| own.currency.lower().to_owned())),
                Column::Text(attempt.description),
                Column::Text(Some(attempt.metadata)),
                Column::Text(Some(attempt.request)),
                Column::text(status),
                Column::Text(code),
                Column::Text(decline_code),
                Column::Text(attempt.challenge),
                Column::Text(path.map(|path| path.as_str().to_owned())),
                Column::Number(Some(now.0)),
            ],
        );
    }
    let mut tx = store.begin().await.map_err(unknown)?;
    match writes.write(store, tx.connection()).await {
        Ok(()) => tx.commit().await.map_err(unknown).map(|()| true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(unknown(error)),
    }
}

/// Writes an attempt unless its key is taken; false if it was.
pub(super) async fn keep_attempt(
    store: &Store,
    scope: &Scope,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<bool, GatewayError> {
    let (kind, session) = act_text(attempt.act);
    let (status, code, decline_code) = standing_text(&attempt.standing);
    let mut tx = store.begin().await.map_err(unknown)?;
    let done = sqlx::query(INSERT_ATTEMPT)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(attempt.idempotency_key.as_str())
        .bind(attempt.id.as_str())
        .bind(kind)
        .bind(session)
        .bind(attempt.token.as_str())
        .bind(attempt.amount.map(|amount| amount.minor))
        .bind(attempt.amount.map(|amount| amount.currency.lower()))
        .bind(attempt.description.clone())
        .bind(attempt.metadata.as_str())
        .bind(attempt.request.as_str())
        .bind(status)
        .bind(code)
        .bind(decline_code)
        .bind(attempt.challenge.clone())
        .bind(
            attempt
                .return_path
                .as_ref()
                .map(|path| path.as_str().to_owned()),
        )
        .bind(now.0)
        .execute(tx.connection())
        .await
        .map_err(lost)?;
    tx.commit().await.map_err(unknown)?;
    Ok(done.rows_affected() == 1)
}

/// Reads an attempt by its key.
pub(super) async fn attempt(
    store: &Store,
    scope: &Scope,
    idempotency_key: &str,
) -> Result<Option<Attempt>, GatewayError> {
    let mut connection = store.read().await.map_err(unknown)?;
    let row = sqlx::query(SELECT_ATTEMPT)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(idempotency_key)
        .fetch_optional(&mut *connection)
        .await
        .map_err(lost)?;
    row.as_ref().map(read_attempt).transpose()
}

/// Reads a challenge, with what the bank needs to answer.
pub(super) async fn challenge(
    store: &Store,
    scope: &Scope,
    secret: &str,
) -> Result<Option<(Attempt, Challenge, Behaviour)>, GatewayError> {
    let mut connection = store.read().await.map_err(unknown)?;
    let row = sqlx::query(SELECT_CHALLENGE)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(secret)
        .fetch_optional(&mut *connection)
        .await
        .map_err(lost)?;
    let Some(row) = row else { return Ok(None) };
    let attempt = read_attempt(&row)?;
    let challenge = Challenge {
        amount: attempt.amount,
        description: attempt.description.clone(),
        brand: brand_from(&text(&row, "brand")?),
        last4: text(&row, "last4")?,
        answer: attempt.answer,
        return_path: attempt.return_path.clone(),
    };
    Ok(Some((attempt, challenge, behaviour(&row)?)))
}

/// Writes the answer to a challenge; does nothing if there is one already.
pub(super) async fn answer(
    store: &Store,
    scope: &Scope,
    secret: &str,
    answer: ChallengeAnswer,
    standing: &Standing,
) -> Result<(), GatewayError> {
    let (status, code, decline_code) = standing_text(standing);
    let mut tx = store.begin().await.map_err(unknown)?;
    sqlx::query(ANSWER)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(secret)
        .bind(status)
        .bind(code)
        .bind(decline_code)
        .bind(answer_text(answer))
        .execute(tx.connection())
        .await
        .map_err(lost)?;
    tx.commit().await.map_err(unknown)
}

fn read_attempt(row: &AnyRow) -> Result<Attempt, GatewayError> {
    let amount_minor: Option<i64> = row.try_get("amount_minor").map_err(lost)?;
    let currency = optional(row, "currency")?;
    let amount = match (amount_minor, currency) {
        (Some(minor), Some(currency)) => {
            let currency = Currency::parse(&currency).map_err(|_| damaged("currency"))?;
            Some(Money::new(minor, currency))
        }
        _ => None,
    };
    let act = match (text(row, "kind")?.as_str(), text(row, "session")?.as_str()) {
        ("charge", session) => Act::Charge {
            on_session: session == "on_session",
        },
        ("set_up", "attach") => Act::SetUp(Usage::Attach),
        ("set_up", "on_session") => Act::SetUp(Usage::OnSession),
        ("set_up", "off_session") => Act::SetUp(Usage::OffSession),
        _ => return Err(damaged("kind")),
    };
    let standing = match text(row, "status")?.as_str() {
        "succeeded" => Standing::Succeeded,
        "requires_action" => Standing::RequiresAction,
        _ => Standing::Declined(Decline {
            code: optional(row, "code")?.unwrap_or_default(),
            decline_code: optional(row, "decline_code")?,
        }),
    };
    let answer = optional(row, "answer")?.map(|answer| match answer.as_str() {
        "approved" => ChallengeAnswer::Approved,
        _ => ChallengeAnswer::Failed,
    });
    Ok(Attempt {
        idempotency_key: text(row, "idempotency_key")?,
        id: text(row, "id")?,
        act,
        token: text(row, "token")?,
        amount,
        description: optional(row, "description")?,
        metadata: text(row, "metadata")?,
        request: text(row, "request")?,
        standing,
        challenge: optional(row, "challenge")?,
        return_path: optional(row, "return_path")?.and_then(|path| ReturnPath::parse(&path)),
        answer,
    })
}

fn act_text(act: Act) -> (&'static str, &'static str) {
    match act {
        Act::SetUp(usage) => ("set_up", usage.as_str()),
        Act::Charge { on_session: true } => ("charge", "on_session"),
        Act::Charge { on_session: false } => ("charge", "off_session"),
    }
}

fn standing_text(standing: &Standing) -> (&'static str, Option<String>, Option<String>) {
    match standing {
        Standing::Succeeded => ("succeeded", None, None),
        Standing::RequiresAction => ("requires_action", None, None),
        Standing::Declined(decline) => (
            "declined",
            Some(decline.code.clone()),
            decline.decline_code.clone(),
        ),
    }
}

fn answer_text(answer: ChallengeAnswer) -> &'static str {
    match answer {
        ChallengeAnswer::Approved => "approved",
        ChallengeAnswer::Failed => "failed",
    }
}

fn text(row: &AnyRow, column: &str) -> Result<String, GatewayError> {
    row.try_get(column).map_err(lost)
}

fn optional(row: &AnyRow, column: &str) -> Result<Option<String>, GatewayError> {
    row.try_get(column).map_err(lost)
}

pub(super) fn damaged(column: &str) -> GatewayError {
    GatewayError::Unknown(format!("the sandbox's {column} can't be read"))
}

pub(super) fn unknown(error: StoreError) -> GatewayError {
    GatewayError::Unknown(error.to_string())
}

pub(super) fn lost(error: sqlx::Error) -> GatewayError {
    GatewayError::Unknown(error.to_string())
}
