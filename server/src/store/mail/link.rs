//! The links in mails, by the hashes of their secrets.

use perennial::calendar::Timestamp;
use sqlx::{AnyConnection, Row as _};

use super::{Claimed, claimed};
use crate::store::StoreError;
use crate::store::key::hash;

/// What a link in a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To come in.
    Open,
    /// To get no more mails of this kind.
    Unsubscribe,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// Keeps the hash of a link's secret.
///
/// # Errors
/// When the database fails.
pub async fn insert_link(
    connection: &mut AnyConnection,
    mail: &Claimed,
    purpose: Purpose,
    secret: &str,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into mail_link (hash, purpose, merchant, livemode, mail, expires_at) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(hash(secret))
    .bind(purpose.name())
    .bind(mail.scope.merchant.as_str())
    .bind(mail.scope.mode())
    .bind(mail.id.as_str())
    .bind(expires_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The mail that it stands in.
    pub mail: Claimed,
    /// Where that mail went; `None` until it has left.
    pub recipient: Option<String>,
    /// When the link ends.
    pub expires_at: Timestamp,
}

/// The mail of a link's secret, if there is such a link, whether it has ended or not.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn find_link(
    connection: &mut AnyConnection,
    purpose: Purpose,
    secret: &str,
) -> Result<Option<Link>, StoreError> {
    let row = sqlx::query(
        "select m.merchant as merchant, m.livemode as livemode, m.id as id, m.kind as kind, \
         m.cause as cause, m.customer as customer, m.object as object, m.facts as facts, \
         m.created as created, m.tries as tries, m.refusals as refusals, m.copies as copies, m.recipient as recipient, \
         l.expires_at as expires_at from mail_link l join mail m on m.merchant = l.merchant \
         and m.livemode = l.livemode and m.id = l.mail where l.hash = $1 and l.purpose = $2",
    )
    .bind(hash(secret))
    .bind(purpose.name())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Link {
        mail: claimed(&row)?,
        recipient: row.try_get("recipient")?,
        expires_at: Timestamp(row.try_get("expires_at")?),
    }))
}
