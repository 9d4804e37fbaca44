//! The beginnings of invoice numbers: no two customers of a merchant's mode have the same, now or ever,
//! because the numbers would meet.

use perennial::customer::Customer;

use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::invoice_prefix::{self, OWNERS};
use crate::store::ledger::{CUSTOMERS_AFTER, STEP_ROWS};
use crate::store::{Scope, StoreError};

impl Engine {
    /// Eight letters and digits that no other customer has, as good as certainly; who takes them looks.
    pub(super) fn invoice_prefix(&self) -> String {
        const SIGNS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        let bits = self.entropy.bits();
        (0..8)
            .map(|place| {
                let index = (bits >> (place * 5)) & 31;
                SIGNS
                    .get(index as usize)
                    .map_or('0', |sign| char::from(*sign))
            })
            .collect()
    }

    /// Refuses a prefix that another customer has or had, or that numbers over all customers begin with.
    pub(super) async fn check_prefix_free(
        &self,
        scope: &Scope,
        customer: &Customer,
    ) -> Result<(), Refused> {
        let prefix = customer.invoice_prefix.as_str();
        let owner = self.prefix_owner(scope, prefix).await?;
        let others = owner.is_some_and(|owner| owner != customer.id.as_str());
        if others || prefix == self.merchant(scope).await?.number_prefix() {
            let message = format!(
                "The invoice prefix {prefix} is already in use. Invoice prefixes must be unique."
            );
            return Err(Refused::invalid("invoice_prefix", message));
        }
        Ok(())
    }

    /// Whose a prefix is, or was; empty where nobody may use it.
    pub(in crate::service) async fn prefix_owner(
        &self,
        scope: &Scope,
        prefix: &str,
    ) -> Result<Option<String>, Refused> {
        let mut read = self.store.read().await?;
        Ok(OWNERS.owner_of(&mut read, scope, prefix).await?)
    }

    /// Notes whose the prefixes are that are older than the table that says it, for a server that
    /// starts. Where customers have the same, later ones get a prefix of their own for the invoices to
    /// come; the first one too, where a later one's invoices bear it, since its numbers would meet
    /// those.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_invoice_prefixes(&self) -> Result<(), Refused> {
        while self.retrying(|| self.open_invoice_prefixes_part()).await? {}
        Ok(())
    }

    /// Notes the prefixes of some customers; answers whether there may be more.
    async fn open_invoice_prefixes_part(&self) -> Result<bool, Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let Some((scope, before)) = OWNERS.opening(connection).await? else {
            return Ok(false);
        };
        let filter = [Column::text(&before), Column::Number(Some(STEP_ROWS))];
        let found: Vec<Stored<Customer>> =
            document::select(connection, &scope, CUSTOMERS_AFTER, &filter).await?;
        let last = found.last().map(|row| row.id.to_string());
        let doubles = invoice_prefix::note(&self.store, connection, &scope, found).await?;
        for mut double in doubles {
            let (prefix, own) = (double.invoice_prefix.clone(), &scope);
            if invoice_prefix::is_in_use(connection, own, &double).await?
                && let Some(first) = OWNERS.owner_of(connection, own, &prefix).await?
                && !first.is_empty()
            {
                let first = document::load::<Customer>(connection, own, &first).await?;
                if let Some(mut first) = first {
                    self.give_prefix(connection, own, &mut first).await?;
                }
                sqlx::query(invoice_prefix::CLOSE)
                    .bind(own.merchant.as_str())
                    .bind(own.mode())
                    .bind(&prefix)
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::from)?;
            }
            self.give_prefix(connection, own, &mut double).await?;
        }
        OWNERS
            .opened(connection, &scope, &before, last.as_deref())
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a customer a prefix that nobody has.
    async fn give_prefix(
        &self,
        connection: &mut sqlx::AnyConnection,
        scope: &Scope,
        customer: &mut Stored<Customer>,
    ) -> Result<(), Refused> {
        let old = std::mem::replace(&mut customer.value.invoice_prefix, self.invoice_prefix());
        tracing::warn!(
            customer = %customer.id,
            old,
            new = customer.invoice_prefix,
            "two customers had the same invoice prefix; this one has another now"
        );
        let taken = sqlx::query(invoice_prefix::TAKE)
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(customer.invoice_prefix.as_str())
            .bind(customer.id.as_str())
            .execute(&mut *connection)
            .await
            .map_err(StoreError::from)?;
        if taken.rows_affected() != 1 {
            // Chance hit another's: the whole page is done again.
            return Err(Refused::Store(StoreError::Conflict {
                kind: "customer",
                id: customer.id.to_string(),
            }));
        }
        document::update(connection, scope, customer).await?;
        Ok(())
    }
}
