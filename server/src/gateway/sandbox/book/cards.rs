//! The sandbox's cards: kept, read, and reissued by their bank.

use std::collections::HashMap;
use std::sync::Arc;

use perennial::calendar::Timestamp;
use perennial::payment::{Card, CardBrand, Funding};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{damaged, lost, text, unknown};
use crate::gateway::sandbox::behaviour::Behaviour;
use crate::gateway::{CardUpdate, GatewayError, Scope};
use crate::store::Store;

/// A kept card.
#[derive(Clone, Debug)]
pub(in crate::gateway::sandbox) struct CardRow {
    pub(in crate::gateway::sandbox) behaviour: Behaviour,
    /// Whether it was set up for payments without its holder.
    pub(in crate::gateway::sandbox) set_up: bool,
}

const INSERT_CARD: &str = "
    insert into sandbox_card (merchant, livemode, token, brand, last4, exp_month, exp_year,
        fingerprint, funding, country, behaviour, created)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const SELECT_CARD: &str = "
    select behaviour, (
        select count(*) from sandbox_attempt as a
        where a.merchant = $1 and a.livemode = $2 and a.token = $3 and a.kind = 'set_up'
            and a.session = 'off_session' and a.status = 'succeeded') as set_ups
    from sandbox_card
    where merchant = $1 and livemode = $2 and token = $3";

/// What a reissued card is from then on.
const REISSUED_LAST4: &str = "4242";
/// How much longer it is valid, in years.
const REISSUED_YEARS: i64 = 4;

/// Puts a bank's new card behind a token, and notes the news. Doing it twice does it once.
pub(in crate::gateway::sandbox) async fn reissue(
    store: &Store,
    scope: &Scope,
    token: &str,
) -> Result<(), GatewayError> {
    let mut tx = store.begin().await.map_err(unknown)?;
    let done = sqlx::query(
        "update sandbox_card set behaviour = $4, last4 = $5, exp_year = exp_year + $6 \
         where merchant = $1 and livemode = $2 and token = $3 and behaviour = $7",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(token)
    .bind(Behaviour::Succeed.code())
    .bind(REISSUED_LAST4)
    .bind(REISSUED_YEARS)
    .bind(Behaviour::Reissue.code())
    .execute(tx.connection())
    .await
    .map_err(lost)?;
    if done.rows_affected() == 1 {
        // The row stays locked until the commit: nobody's news overtake these.
        sqlx::query("update sandbox_news set cursor = cursor + 1 where name = 'cards'")
            .execute(tx.connection())
            .await
            .map_err(lost)?;
        let row = sqlx::query("select cursor from sandbox_news where name = 'cards'")
            .fetch_one(tx.connection())
            .await
            .map_err(lost)?;
        let cursor: i64 = row.try_get("cursor").map_err(lost)?;
        sqlx::query(
            "insert into sandbox_card_update (merchant, livemode, cursor, token) \
             values ($1, $2, $3, $4)",
        )
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(cursor)
        .bind(token)
        .execute(tx.connection())
        .await
        .map_err(lost)?;
    }
    tx.commit().await.map_err(unknown)
}

/// News of cards after a cursor, oldest first.
pub(in crate::gateway::sandbox) async fn card_updates(
    store: &Store,
    after: i64,
    limit: u32,
) -> Result<Vec<(Scope, CardUpdate)>, GatewayError> {
    let mut connection = store.read().await.map_err(unknown)?;
    let rows = sqlx::query(
        "select u.merchant, u.livemode, u.cursor, u.token, c.brand, c.last4, c.exp_month, \
         c.exp_year, c.fingerprint, c.funding, c.country from sandbox_card_update as u \
         join sandbox_card as c on c.merchant = u.merchant and c.livemode = u.livemode \
         and c.token = u.token where u.cursor > $1 order by u.cursor limit cast($2 as bigint)",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await
    .map_err(lost)?;
    rows.iter().map(card_update).collect()
}

fn card_update(row: &AnyRow) -> Result<(Scope, CardUpdate), GatewayError> {
    let scope = crate::store::key::scope(row).map_err(unknown)?;
    let text = |name: &str| row.try_get::<String, _>(name).map_err(lost);
    let number = |name: &str| row.try_get::<i64, _>(name).map_err(lost);
    let odd = |_| GatewayError::Unknown("a kept card can't be read".to_owned());
    let funding = match text("funding")?.as_str() {
        "credit" => Funding::Credit,
        "debit" => Funding::Debit,
        "prepaid" => Funding::Prepaid,
        _ => Funding::Unknown,
    };
    let card = Card {
        brand: brand_from(&text("brand")?),
        last4: text("last4")?,
        exp_month: u8::try_from(number("exp_month")?).map_err(odd)?,
        exp_year: u16::try_from(number("exp_year")?).map_err(odd)?,
        fingerprint: text("fingerprint")?,
        funding,
        country: row.try_get("country").map_err(lost)?,
    };
    let (cursor, token) = (number("cursor")?, text("token")?);
    let update = CardUpdate {
        cursor,
        token,
        card,
    };
    Ok((scope, update))
}

/// Keeps a card.
pub(in crate::gateway::sandbox) async fn keep_card(
    store: &Store,
    scope: &Scope,
    token: &str,
    card: &Card,
    behaviour: Behaviour,
    now: Timestamp,
) -> Result<(), GatewayError> {
    let mut tx = store.begin().await.map_err(unknown)?;
    sqlx::query(INSERT_CARD)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(token)
        .bind(brand_text(card.brand))
        .bind(card.last4.as_str())
        .bind(i64::from(card.exp_month))
        .bind(i64::from(card.exp_year))
        .bind(card.fingerprint.as_str())
        .bind(funding_text(card.funding))
        .bind(card.country.clone())
        .bind(behaviour.code())
        .bind(now.0)
        .execute(tx.connection())
        .await
        .map_err(lost)?;
    tx.commit().await.map_err(unknown)
}

/// Reads how a card behaves.
pub(in crate::gateway::sandbox) async fn card(
    store: &Store,
    scope: &Scope,
    token: &str,
) -> Result<Option<CardRow>, GatewayError> {
    let mut connection = store.read().await.map_err(unknown)?;
    let row = sqlx::query(SELECT_CARD)
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(token)
        .fetch_optional(&mut *connection)
        .await
        .map_err(lost)?;
    let Some(row) = row else { return Ok(None) };
    let set_ups: i64 = row.try_get("set_ups").map_err(lost)?;
    Ok(Some(CardRow {
        behaviour: behaviour(&row)?,
        set_up: set_ups > 0,
    }))
}

/// The most cards that one statement of [`cards`] names.
const CARDS_MAX: usize = 64;

/// Reads how cards behave, by token, sixty-four with each statement.
pub(in crate::gateway::sandbox) async fn cards(
    store: &Store,
    scope: &Scope,
    mut tokens: Vec<String>,
) -> Result<HashMap<String, CardRow>, GatewayError> {
    tokens.sort_unstable();
    tokens.dedup();
    let mut cards = HashMap::with_capacity(tokens.len());
    let mut connection = store.read().await.map_err(unknown)?;
    let places: Vec<String> = (3..3 + CARDS_MAX).map(|n| format!("${n}")).collect();
    let sql = format!(
        "select token, behaviour, (
            select count(*) from sandbox_attempt as a
            where a.merchant = $1 and a.livemode = $2 and a.token = c.token and a.kind = 'set_up'
                and a.session = 'off_session' and a.status = 'succeeded') as set_ups
        from sandbox_card as c
        where c.merchant = $1 and c.livemode = $2 and c.token in ({})",
        places.join(", ")
    );
    let sql: Arc<str> = sql.into();
    for tokens in tokens.chunks(CARDS_MAX) {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&sql)))
            .bind(scope.merchant.as_str())
            .bind(scope.mode());
        for place in 0..CARDS_MAX {
            query = query.bind(tokens.get(place).cloned().unwrap_or_default());
        }
        for row in &query.fetch_all(&mut *connection).await.map_err(lost)? {
            let set_ups: i64 = row.try_get("set_ups").map_err(lost)?;
            let card = CardRow {
                behaviour: behaviour(row)?,
                set_up: set_ups > 0,
            };
            cards.insert(text(row, "token")?, card);
        }
    }
    Ok(cards)
}

const BRANDS: &[(CardBrand, &str)] = &[
    (CardBrand::Amex, "amex"),
    (CardBrand::Diners, "diners"),
    (CardBrand::Discover, "discover"),
    (CardBrand::Jcb, "jcb"),
    (CardBrand::Mastercard, "mastercard"),
    (CardBrand::Unionpay, "unionpay"),
    (CardBrand::Visa, "visa"),
    (CardBrand::Unknown, "unknown"),
];

fn brand_text(brand: CardBrand) -> &'static str {
    BRANDS
        .iter()
        .find(|(known, _)| *known == brand)
        .map_or("unknown", |(_, text)| text)
}

pub(super) fn brand_from(text: &str) -> CardBrand {
    BRANDS
        .iter()
        .find(|(_, known)| *known == text)
        .map_or(CardBrand::Unknown, |(brand, _)| *brand)
}

fn funding_text(funding: Funding) -> &'static str {
    match funding {
        Funding::Credit => "credit",
        Funding::Debit => "debit",
        Funding::Prepaid => "prepaid",
        Funding::Unknown => "unknown",
    }
}

pub(super) fn behaviour(row: &AnyRow) -> Result<Behaviour, GatewayError> {
    Behaviour::from_code(&text(row, "behaviour")?).ok_or_else(|| damaged("behaviour"))
}
