//! Which aggregate a part with an id of its own is of, such as an item of a subscription: a table of pairs beside
//! the aggregates, and how far those of an older installation have been noted in it.

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::{Scope, StoreError, key};

/// The table of one kind of part.
#[derive(Clone, Copy, Debug)]
pub struct Owners {
    /// The table, with `id` of the part.
    pub table: &'static str,
    /// Its column that names the aggregate.
    pub owner: &'static str,
    /// The table of the merchants' modes whose parts are not all noted; it is empty when all are.
    pub opening: &'static str,
    /// Its column with the last aggregate that is done.
    pub done: &'static str,
}

impl Owners {
    /// The id of the aggregate that a part is, or was, of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owner_of(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        part: &str,
    ) -> Result<Option<String>, StoreError> {
        let sql = format!(
            "select {} as owner from {} where merchant = $1 and livemode = $2 and id = $3",
            self.owner, self.table
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(part)
            .fetch_optional(connection)
            .await?;
        Ok(row.map(|row| row.try_get("owner")).transpose()?)
    }

    /// One merchant's mode whose parts are not all noted, with the last aggregate that is done.
    ///
    /// # Errors
    /// When the database fails or a row can't be read.
    pub async fn opening(
        &self,
        connection: &mut AnyConnection,
    ) -> Result<Option<(Scope, String)>, StoreError> {
        let sql = format!(
            "select merchant, livemode, {} as done from {} order by merchant, livemode limit 1",
            self.done, self.opening
        );
        let row = sqlx::query(AssertSqlSafe(sql));
        let Some(row) = row.fetch_optional(connection).await? else {
            return Ok(None);
        };
        Ok(Some((key::scope(&row)?, row.try_get("done")?)))
    }

    /// Notes how far it has come; `None` when all is done.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another process has done this part.
    pub async fn opened(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        before: &str,
        after: Option<&str>,
    ) -> Result<(), StoreError> {
        let (opening, done) = (self.opening, self.done);
        let change = match after {
            Some(_) => format!("update {opening} set {done} = $4"),
            None => format!("delete from {opening}"),
        };
        let sql = format!("{change} where merchant = $1 and livemode = $2 and {done} = $3");
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(before);
        if let Some(after) = after {
            query = query.bind(after);
        }
        match query.execute(connection).await?.rows_affected() {
            1 => Ok(()),
            _ => Err(StoreError::Conflict {
                kind: opening,
                id: scope.merchant.to_string(),
            }),
        }
    }
}
