//! Whose time a call has to take. Whoever calls a use case names, somewhere in the path or the
//! parameters, the customer whom it concerns, or something of theirs. So this is found out once,
//! before any use case begins, from every id that a call brings; no use case can forget it.

use perennial::test_clock::TestClock;
use sqlx::AnyConnection;

use crate::service::{Engine, Refused};
use crate::store::document::{self, Stored};
use crate::store::{Scope, StoreError};

/// What belongs to a customer: the prefix of its ids, and the table whose column `customer` says to
/// whom. A longer prefix stands before a shorter one that it begins with. A test compares this with
/// the tables that have such a column.
const HOLDINGS: [(&str, &str); 15] = [
    // Before `sub_`, which it begins with.
    ("sub_sched_", "subscription_schedule"),
    ("sub_", "subscription"),
    ("si_", "subscription_item"),
    ("in_", "invoice"),
    ("ii_", "invoice_item"),
    ("pi_", "payment_intent"),
    ("pr_", "payment_record"),
    ("seti_", "setup_intent"),
    ("re_", "refund"),
    ("cn_", "credit_note"),
    ("pm_", "payment_method"),
    ("cbtxn_", "balance_transaction"),
    ("bps_", "portal_session"),
    ("txi_", "customer_tax_id"),
    // Customers themselves: their ids are their own.
    ("cus_", "customer"),
];

/// The most ids of one call that are looked at.
const IDS_MAX: usize = 8;

/// The ids of a call that may lead to a customer, or to a clock itself.
#[derive(Debug, Default)]
pub struct Named {
    ids: Vec<(&'static str, String)>,
    clock: Option<String>,
}

impl Named {
    /// Notes a text of the call, if it can be an id that leads to a customer.
    pub fn note(&mut self, text: &str) {
        let table = HOLDINGS.iter().find(|(prefix, _)| text.starts_with(prefix));
        if let Some((_, table)) = table
            && text.len() <= perennial::id::MAX_ID_BYTES
            && self.ids.len() < IDS_MAX
            && !self.ids.iter().any(|(_, id)| id == text)
        {
            self.ids.push((table, text.to_owned()));
        }
    }

    /// Notes the clock that a new customer is to follow.
    pub fn note_clock(&mut self, id: &str) {
        self.clock = Some(id.to_owned());
    }
}

impl Engine {
    /// The test clock that a call has to follow: that of the first customer among those whom it
    /// names. One query, and none in live mode.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn followed(
        &self,
        scope: &Scope,
        named: &Named,
    ) -> Result<Option<Stored<TestClock>>, Refused> {
        if scope.livemode || (named.ids.is_empty() && named.clock.is_none()) {
            return Ok(None);
        }
        let mut read = self.store.read().await?;
        Ok(load(&mut read, scope, named).await?)
    }
}

async fn load(
    connection: &mut AnyConnection,
    scope: &Scope,
    named: &Named,
) -> Result<Option<Stored<TestClock>>, StoreError> {
    if let Some(id) = &named.clock {
        return document::load(connection, scope, id).await;
    }
    let customers: Vec<String> = named
        .ids
        .iter()
        .enumerate()
        .map(|(index, (table, _))| match *table {
            "customer" => format!("${}", index + 3),
            table => format!(
                "(select customer from {table} where merchant = $1 and livemode = $2 and id = ${})",
                index + 3
            ),
        })
        .collect();
    let sql = format!(
        "select body, revision, sort from test_clock where merchant = $1 and livemode = $2 \
         and id in (select test_clock from customer where merchant = $1 and livemode = $2 \
         and id in ({})) order by sort limit 1",
        customers.join(", ")
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode());
    for (_, id) in &named.ids {
        query = query.bind(id.as_str());
    }
    let row = query.fetch_optional(connection).await?;
    row.as_ref().map(document::decode).transpose()
}

/// The tables that lead to customers.
#[cfg(test)]
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    HOLDINGS.iter().map(|(_, table)| *table)
}
