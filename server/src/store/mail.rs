//! The outbox: mails that are to be sent and were, and the links in them.

mod link;

use std::borrow::Cow;

use perennial::calendar::Timestamp;
use perennial::id::MailId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::document::Column;
use super::key::scope;
use super::writes::Table;
use super::{Scope, Store, StoreError};
use crate::mail::Kind;
use crate::mail::cause::Wanted;
use crate::service::due::moments;
pub use link::{Link, Purpose, find_link, insert_link};

/// Due at once: before every moment of any clock.
const AT_ONCE: i64 = 0;

/// Mails as rows that are added. One whose cause has its mail already adds none.
pub static TABLE: Table = Table {
    name: "mail",
    columns: &[
        "id",
        "cause",
        "kind",
        "customer",
        "object",
        "facts",
        "created",
        "state",
        "due_at",
        "tries",
        "refusals",
        "copies",
        "test_clock",
        "clock_due_at",
    ],
    after: "on conflict (merchant, livemode, cause) do nothing",
};

/// Adds a mail to somebody who may be deleted or have no address; then there is none. It follows the
/// customer's test clock, if there is one. Binds `$1` merchant, `$2` livemode, then [`cells`].
pub const INSERT_IF_REACHABLE: &str = "insert into mail (merchant, livemode, id, cause, kind, customer, object, facts, created, state, \
     due_at, tries, refusals, copies, test_clock, clock_due_at) \
     select merchant, livemode, cast($3 as text), cast($4 as text), cast($5 as text), id, \
     cast($7 as text), cast($8 as text), cast($9 as bigint), cast($10 as text), \
     case when test_clock is null or cast($11 as bigint) = 0 then cast($11 as bigint) end, \
     cast($12 as bigint), cast($13 as bigint), cast($14 as bigint), coalesce(cast($15 as text), test_clock), \
     case when test_clock is not null and cast($11 as bigint) > 0 then cast($11 as bigint) \
     else cast($16 as bigint) end from customer \
     where merchant = $1 and livemode = $2 and id = $6 and deleted = 0 and email is not null \
     on conflict (merchant, livemode, cause) do nothing";

/// A new mail's cells, in the order of [`TABLE`].
#[must_use]
pub fn cells(id: &MailId, created: Timestamp, mail: &Wanted) -> Vec<Column> {
    // At once is at once by every clock; a moment to come is that of the customer's.
    let [real, clock, clocked] = match mail.due_at {
        None => {
            let [_, clock, _] = moments(mail.clock.as_ref(), None);
            [Column::Number(Some(AT_ONCE)), clock, Column::Number(None)]
        }
        later => moments(mail.clock.as_ref(), later),
    };
    vec![
        Column::text(id),
        Column::text(&mail.cause),
        Column::text(mail.kind.name()),
        Column::text(&mail.customer),
        Column::text(&mail.object),
        Column::text(&mail.facts),
        Column::Number(Some(created.0)),
        Column::text("waiting"),
        real,
        Column::Number(Some(0)),
        Column::Number(Some(0)),
        Column::Number(Some(0)),
        clock,
        clocked,
    ]
}

/// Adds a mail as [`INSERT_IF_REACHABLE`] does.
///
/// # Errors
/// When the database fails.
pub async fn insert_if_reachable(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &MailId,
    created: Timestamp,
    mail: &Wanted,
) -> Result<(), StoreError> {
    let mut query = sqlx::query(INSERT_IF_REACHABLE)
        .bind(scope.merchant.as_str())
        .bind(scope.mode());
    for cell in cells(id, created, mail) {
        query = match cell {
            Column::Text(text) => query.bind(text),
            Column::Number(number) => query.bind(number),
        };
    }
    query.execute(connection).await?;
    Ok(())
}

/// A mail that a worker has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Whose.
    pub scope: Scope,
    /// `mail_…`
    pub id: MailId,
    /// Which kind.
    pub kind: Kind,
    /// What causes it.
    pub cause: String,
    /// To whom.
    pub customer: String,
    /// What about.
    pub object: String,
    /// What its text needs beside, as JSON.
    pub facts: String,
    /// When it was decided on.
    pub created: Timestamp,
    /// How often it was claimed, this time included.
    pub tries: i64,
    /// How often it was refused for a time.
    pub refusals: i64,
    /// How often it was sent once more because its reader asked.
    pub copies: i64,
}

impl Claimed {
    /// What this copy is called: the mail's id, so that it is the same after a crash, but another one
    /// for a copy that somebody asked for.
    #[must_use]
    pub fn name(&self) -> String {
        match self.copies {
            0 => self.id.to_string(),
            copies => format!("{}-{copies}", self.id),
        }
    }
}

const CLAIMED: &str = "merchant, livemode, id, kind, cause, customer, object, facts, created, \
                       tries, refusals, copies";

/// Claims at most `limit` mails that are due, longest waiting first, until `until`: if they are not
/// settled by then, they are due again.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn claim(
    connection: &mut AnyConnection,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Claimed>, StoreError> {
    // Asked twice: where two workers meet at a row, the second one sees that it is not due any more.
    let sql = format!(
        "update mail set due_at = $2, tries = tries + 1 where due_at <= $1 \
         and (merchant, livemode, id) in (select merchant, livemode, id from mail \
         where due_at <= $1 order by due_at limit cast($3 as bigint)) returning {CLAIMED}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(now.0)
        .bind(until.0)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(claimed).collect()
}

/// Claims one mail that waits for a moment of a test clock, until `until` of real time. `None` where
/// it waits for none any more.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn claim_by_clock(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &MailId,
    until: Timestamp,
) -> Result<Option<Claimed>, StoreError> {
    let sql = format!(
        "update mail set due_at = $4, clock_due_at = null, tries = tries + 1 \
         where merchant = $1 and livemode = $2 and id = $3 and clock_due_at is not null \
         returning {CLAIMED}"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(id.as_str())
        .bind(until.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(claimed).transpose()
}

fn claimed(row: &AnyRow) -> Result<Claimed, StoreError> {
    let (id, kind): (String, String) = (row.try_get("id")?, row.try_get("kind")?);
    let unreadable = |reason: String| StoreError::Unreadable {
        kind: "mail",
        id: id.clone(),
        reason,
    };
    Ok(Claimed {
        scope: scope(row)?,
        kind: Kind::named(&kind).ok_or_else(|| unreadable(format!("no mail is a {kind}")))?,
        cause: row.try_get("cause")?,
        customer: row.try_get("customer")?,
        object: row.try_get("object")?,
        facts: row.try_get("facts")?,
        created: Timestamp(row.try_get("created")?),
        tries: row.try_get("tries")?,
        refusals: row.try_get("refusals")?,
        copies: row.try_get("copies")?,
        id: MailId::parse(&id).map_err(|error| unreadable(error.to_string()))?,
    })
}

/// What became of a claimed mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It has left.
    Sent {
        /// To which address.
        recipient: String,
    },
    /// It is not true, not wanted or not possible any more.
    Skipped {
        /// Why.
        reason: Cow<'static, str>,
    },
    /// It can't be delivered as it is: somebody must look at it.
    SetAside {
        /// What the other side said.
        reason: String,
    },
    /// It was refused for a time.
    Later {
        /// What the other side said.
        reason: String,
        /// When it is tried again.
        at: Timestamp,
    },
    /// Nobody was there to take it: that is not this mail's fault, and does not count.
    Unsent {
        /// What was the matter.
        reason: String,
        /// When it is tried again.
        at: Timestamp,
    },
}

impl Settled {
    fn state(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "sent",
            Self::Skipped { .. } => "skipped",
            Self::SetAside { .. } => "set_aside",
            Self::Later { .. } | Self::Unsent { .. } => "waiting",
        }
    }
}

/// Writes down what became of a claimed mail. Answers false when the claim was lost meanwhile: the
/// other worker's word counts.
///
/// # Errors
/// When the database fails.
pub async fn settle(
    connection: &mut AnyConnection,
    mail: &Claimed,
    settled: &Settled,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (due_at, refused, recipient, reason) = match settled {
        Settled::Sent { recipient } => (None, 0, Some(recipient.as_str()), None),
        Settled::Skipped { reason } => (None, 0, None, Some(reason.as_ref())),
        Settled::SetAside { reason } => (None, 1, None, Some(reason.as_str())),
        Settled::Later { reason, at } => (Some(at.0), 1, None, Some(reason.as_str())),
        Settled::Unsent { reason, at } => (Some(at.0), 0, None, Some(reason.as_str())),
    };
    let done = sqlx::query(
        "update mail set state = $5, due_at = $6, refusals = refusals + $7, recipient = $8, \
         reason = $9, settled_at = $10 \
         where merchant = $1 and livemode = $2 and id = $3 and tries = $4 and due_at is not null",
    )
    .bind(mail.scope.merchant.as_str())
    .bind(mail.scope.mode())
    .bind(mail.id.as_str())
    .bind(mail.tries)
    .bind(settled.state())
    .bind(due_at)
    .bind(i64::from(refused))
    .bind(recipient)
    .bind(reason)
    .bind(due_at.is_none().then_some(now.0))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How long a mail rests before it is sent once more, in seconds: whoever asks again and again gets
/// one a day.
const REST_SECONDS: i64 = 86_400;

/// Makes a mail that has left due once more, unless it has just left.
///
/// # Errors
/// When the database fails.
pub async fn again(
    connection: &mut AnyConnection,
    mail: &Claimed,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "update mail set state = 'waiting', due_at = $4, refusals = 0, settled_at = null, \
         copies = copies + 1 where merchant = $1 and livemode = $2 and id = $3 and state = 'sent' \
         and settled_at <= $5",
    )
    .bind(mail.scope.merchant.as_str())
    .bind(mail.scope.mode())
    .bind(mail.id.as_str())
    .bind(AT_ONCE)
    .bind(now.0.saturating_sub(REST_SECONDS))
    .execute(connection)
    .await?;
    Ok(())
}

/// The next moment at which a mail is due.
///
/// # Errors
/// When the database fails.
pub async fn next_due_at(connection: &mut AnyConnection) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("select min(due_at) as due_at from mail where due_at is not null")
        .fetch_one(connection)
        .await?;
    let at: Option<i64> = row.try_get("due_at")?;
    Ok(at.map(Timestamp))
}

/// How the outbox stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Mails that are due and not under way; counted to [`COUNT_MAX`](super::due::COUNT_MAX).
    pub due: i64,
    /// When the oldest of them was decided on.
    pub oldest_at: Option<Timestamp>,
    /// Mails that nobody will take as they are, newest first; at most as many as were asked for.
    pub aside: Vec<Aside>,
}

/// A mail that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Whose.
    pub scope: Scope,
    /// `mail_…`
    pub id: String,
    /// Which kind.
    pub kind: String,
    /// What the other side said.
    pub reason: String,
    /// When.
    pub since: Timestamp,
}

/// Looks at the outbox of all merchants.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn standing(
    connection: &mut AnyConnection,
    now: Timestamp,
    aside_max: i64,
) -> Result<Standing, StoreError> {
    let row = sqlx::query(
        "select count(*) as due, min(created) as oldest_at from (select created from mail \
         where due_at <= $1 order by due_at limit cast($2 as bigint)) as waiting",
    )
    .bind(now.0)
    .bind(super::due::COUNT_MAX)
    .fetch_one(&mut *connection)
    .await?;
    let oldest_at: Option<i64> = row.try_get("oldest_at")?;
    let rows = sqlx::query(
        "select merchant, livemode, id, kind, coalesce(reason, '') as reason, settled_at from mail \
         where state = 'set_aside' order by settled_at desc limit cast($1 as bigint)",
    )
    .bind(aside_max)
    .fetch_all(connection)
    .await?;
    let aside = rows.iter().map(|row| {
        Ok(Aside {
            scope: scope(row)?,
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            reason: row.try_get("reason")?,
            since: Timestamp(row.try_get("settled_at")?),
        })
    });
    Ok(Standing {
        due: row.try_get("due")?,
        oldest_at: oldest_at.map(Timestamp),
        aside: aside.collect::<Result<_, StoreError>>()?,
    })
}

/// Forgets the mails that were decided on before `before` and have not left.
///
/// # Errors
/// When the database fails.
pub async fn forget_unsent(
    store: &Store,
    scope: &Scope,
    before: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query(
        "delete from mail where merchant = $1 and livemode = $2 and created < $3 and due_at = $4",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(before.0)
    .bind(AT_ONCE)
    .execute(tx.connection())
    .await?;
    tx.commit().await
}

/// Makes every mail that was set aside due at once, as if it had never been refused: for after the
/// reason is gone. Answers how many there were.
///
/// # Errors
/// When the database fails.
pub async fn retry_all(store: &Store) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    let done = sqlx::query(
        "update mail set state = 'waiting', due_at = $1, refusals = 0, settled_at = null \
         where state = 'set_aside'",
    )
    .bind(AT_ONCE)
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}

/// How long a mail that is done with stays, in seconds: as long as its cause might be told again, and
/// somebody might ask what was sent.
const KEPT_SECONDS: i64 = 400 * 86_400;
/// How long a link that has ended stays, so that its page can say so, in seconds.
const LINK_KEPT_SECONDS: i64 = 30 * 86_400;

/// Forgets mails that are long done with, and links that ended.
///
/// # Errors
/// When the database fails.
pub async fn prune(connection: &mut AnyConnection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("delete from mail_link where expires_at < $1")
        .bind(now.0.saturating_sub(LINK_KEPT_SECONDS))
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from mail where settled_at < $1 and state <> 'set_aside'")
        .bind(now.0.saturating_sub(KEPT_SECONDS))
        .execute(&mut *connection)
        .await?;
    Ok(())
}
