//! Merchants, their API keys, and the secrets that lead to portal sessions. Secrets are kept as
//! SHA-256 only: each holds 128 random bits or more, so a plain hash can't be guessed back.

use perennial::calendar::Timestamp;
use perennial::id::{MerchantId, PortalSessionId};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use sqlx::Row;

use super::{Scope, Store, StoreError};
use crate::merchant::Merchant;
use crate::service::portal_sessions::Visit;

/// The hash under which a secret is kept: SHA-256 in hexadecimal.
#[must_use]
pub fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Adds a merchant.
///
/// # Errors
/// When the database fails or the id is taken.
pub async fn insert_merchant(
    store: &Store,
    connection: &mut AnyConnection,
    merchant: &Merchant,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into merchant (id, name, created, body, revision, sort) values ($1, $2, $3, $4, 1, $5)",
    )
    .bind(merchant.id.as_str())
    .bind(merchant.name.as_str())
    .bind(merchant.created.0)
    .bind(merchant_body(merchant)?)
    .bind(store.sort(merchant.created))
    .execute(connection)
    .await?;
    Ok(())
}

/// Saves a merchant (branding, address, allow-list).
///
/// # Errors
/// When the database fails.
pub async fn update_merchant(
    connection: &mut AnyConnection,
    merchant: &Merchant,
) -> Result<(), StoreError> {
    sqlx::query("update merchant set name = $2, body = $3, revision = revision + 1 where id = $1")
        .bind(merchant.id.as_str())
        .bind(merchant.name.as_str())
        .bind(merchant_body(merchant)?)
        .execute(connection)
        .await?;
    Ok(())
}

fn merchant_body(merchant: &Merchant) -> Result<String, StoreError> {
    serde_json::to_string(merchant).map_err(|error| unreadable(merchant.id.as_str(), &error))
}

fn unreadable(id: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreadable {
        kind: "merchant",
        id: id.to_owned(),
        reason: error.to_string(),
    }
}

/// Reads a merchant.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn load_merchant(
    connection: &mut AnyConnection,
    id: &MerchantId,
) -> Result<Option<Merchant>, StoreError> {
    let row = sqlx::query("select body from merchant where id = $1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let body: &str = row.try_get("body")?;
    serde_json::from_str(body)
        .map(Some)
        .map_err(|error| unreadable(id.as_str(), &error))
}

/// All merchants, oldest first, at most 100.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn merchants(connection: &mut AnyConnection) -> Result<Vec<Merchant>, StoreError> {
    let rows = sqlx::query("select id, body from merchant order by sort limit 100")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let body: &str = row.try_get("body")?;
            serde_json::from_str(body).map_err(|error| unreadable("?", &error))
        })
        .collect()
}

/// Adds an API key by its secret's hash. One that is there already stays as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert_api_key(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
    secret: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let hint: String = secret
        .chars()
        .rev()
        .take(4)
        .collect::<String>()
        .chars()
        .rev()
        .collect();
    sqlx::query(
        "insert into api_key (hash, id, merchant, livemode, hint, created) values ($1, $2, $3, $4, $5, $6) \
         on conflict (hash) do nothing",
    )
    .bind(hash(secret))
    .bind(id)
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(hint)
    .bind(now.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose key it is, unless it was revoked.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn scope_of_api_key(
    connection: &mut AnyConnection,
    secret: &str,
) -> Result<Option<Scope>, StoreError> {
    let row = sqlx::query(
        "select merchant, livemode from api_key where hash = $1 and revoked_at is null",
    )
    .bind(hash(secret))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(scope).transpose()
}

/// The scope in a row's `merchant` and `livemode`.
///
/// # Errors
/// When the row can't be read.
pub fn scope(row: &sqlx::any::AnyRow) -> Result<Scope, StoreError> {
    let merchant: String = row.try_get("merchant")?;
    let livemode: i64 = row.try_get("livemode")?;
    Ok(Scope {
        merchant: MerchantId::parse(&merchant).map_err(|error| unreadable(&merchant, &error))?,
        livemode: livemode == 1,
    })
}

/// What a portal secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalKeyKind {
    /// In a link: works once.
    Link,
    /// In a visitor's cookie.
    Visit,
}

impl PortalKeyKind {
    fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Visit => "visit",
        }
    }
}

/// Adds a portal secret.
///
/// # Errors
/// When the database fails.
pub async fn insert_portal_key(
    connection: &mut AnyConnection,
    scope: &Scope,
    kind: PortalKeyKind,
    secret: &str,
    session: &PortalSessionId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into portal_key (hash, kind, merchant, livemode, session, expires_at) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(hash(secret))
    .bind(kind.name())
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(session.as_str())
    .bind(expires_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Uses a link's secret up: whose session it leads to, if it was neither used nor expired.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn use_link(
    connection: &mut AnyConnection,
    secret: &str,
    now: Timestamp,
) -> Result<Option<(Scope, PortalSessionId)>, StoreError> {
    let row = sqlx::query(
        "update portal_key set used_at = $2 \
         where hash = $1 and kind = 'link' and used_at is null and expires_at > $2 \
         returning merchant, livemode, session",
    )
    .bind(hash(secret))
    .bind(now.0)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(session_of).transpose()
}

/// The session that a link's secret leads to or once led to.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn session_of_link(
    connection: &mut AnyConnection,
    secret: &str,
) -> Result<Option<(Scope, PortalSessionId)>, StoreError> {
    let row = sqlx::query(
        "select merchant, livemode, session from portal_key where hash = $1 and kind = 'link'",
    )
    .bind(hash(secret))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(session_of).transpose()
}

/// The visit of a secret, if it has not expired, with the session, its customer, its rules and its
/// merchant: all that every page needs, in one statement.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn visit_with_all(
    connection: &mut AnyConnection,
    secret: &str,
    now: Timestamp,
) -> Result<Option<Visit>, StoreError> {
    let row = sqlx::query(VISIT_BY_SECRET)
        .bind(hash(secret))
        .bind(now.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(visit).transpose()
}

/// The same by the session, for as long as any secret leads to it.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn visit_of(
    connection: &mut AnyConnection,
    scope: &Scope,
    session: &PortalSessionId,
) -> Result<Option<Visit>, StoreError> {
    let row = sqlx::query(VISIT_BY_SESSION)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(session.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(visit).transpose()
}

/// A visit by a condition on `portal_key k`.
macro_rules! visit_sql {
    ($condition:literal) => {
        concat!(
            "select k.merchant as merchant, k.livemode as livemode, k.expires_at as expires_at, ",
            "s.body as session_body, p.body as configuration_body, m.body as merchant_body, ",
            "c.body as body, c.revision as revision, c.sort as sort, t.body as clock_body ",
            "from portal_key k ",
            "join portal_session s on s.merchant = k.merchant and s.livemode = k.livemode ",
            "and s.id = k.session ",
            "join portal_configuration p on p.merchant = k.merchant and p.livemode = k.livemode ",
            "and p.id = s.configuration ",
            "join customer c on c.merchant = k.merchant and c.livemode = k.livemode ",
            "and c.id = s.customer ",
            "left join test_clock t on t.merchant = c.merchant and t.livemode = c.livemode ",
            "and t.id = c.test_clock ",
            "join merchant m on m.id = k.merchant where ",
            $condition
        )
    };
}

const VISIT_BY_SECRET: &str = visit_sql!("k.hash = $1 and k.kind = 'visit' and k.expires_at > $2");
const VISIT_BY_SESSION: &str =
    visit_sql!("k.merchant = $1 and k.livemode = $2 and k.session = $3 limit 1");

fn visit(row: &sqlx::any::AnyRow) -> Result<Visit, StoreError> {
    Ok(Visit {
        scope: scope(row)?,
        session: body_of(row, "session_body")?,
        customer: super::document::decode(row)?,
        configuration: body_of(row, "configuration_body")?,
        merchant: body_of(row, "merchant_body")?,
        expires_at: Timestamp(row.try_get("expires_at")?),
        test_clock: match row.try_get::<Option<&str>, _>("clock_body")? {
            Some(_) => Some(body_of(row, "clock_body")?),
            None => None,
        },
    })
}

fn body_of<T: serde::de::DeserializeOwned>(
    row: &sqlx::any::AnyRow,
    column: &str,
) -> Result<T, StoreError> {
    let body: &str = row.try_get(column)?;
    serde_json::from_str(body).map_err(|error| unreadable(column, &error))
}

/// Prolongs a visit.
///
/// # Errors
/// When the database fails.
pub async fn prolong_visit(
    connection: &mut AnyConnection,
    secret: &str,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("update portal_key set expires_at = $2 where hash = $1 and kind = 'visit'")
        .bind(hash(secret))
        .bind(expires_at.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends all visits of a session.
///
/// # Errors
/// When the database fails.
pub async fn end_visits(
    connection: &mut AnyConnection,
    scope: &Scope,
    session: &PortalSessionId,
) -> Result<(), StoreError> {
    sqlx::query("delete from portal_key where merchant = $1 and livemode = $2 and session = $3")
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(session.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets expired secrets, an hour after.
///
/// # Errors
/// When the database fails.
pub async fn prune(connection: &mut AnyConnection, now: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query("delete from portal_key where expires_at < $1")
        .bind(now.0.saturating_sub(86_400))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

fn session_of(row: &sqlx::any::AnyRow) -> Result<(Scope, PortalSessionId), StoreError> {
    let session: String = row.try_get("session")?;
    let id = PortalSessionId::parse(&session).map_err(|error| unreadable(&session, &error))?;
    Ok((scope(row)?, id))
}
