//! Installations that are older than the ledger: what their documents amount to is booked once,
//! before anything new is.

use std::collections::HashMap;

use perennial::customer::Customer;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::ledger::{self as double, Transfer, Way};
use perennial::money::MoneyError;
use perennial::payment::{PaymentIntent, PaymentStatus};

use crate::service::balance::BalanceTransaction;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Document, Stored};
use crate::store::ledger::{self, Opening, STEP_ROWS};

impl Engine {
    /// Books what is older than the ledger; nothing on an installation that began with it. Called
    /// before a process serves. Several processes may do it at once: each part is booked once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_ledger(&self) -> Result<(), Refused> {
        while self.retrying(|| self.open_part()).await? {}
        Ok(())
    }

    /// Books a hundred documents; answers whether there may be more.
    async fn open_part(&self) -> Result<bool, Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let Some(before) = ledger::opening(connection).await? else {
            return Ok(false);
        };
        let scope = &before.scope;
        let invoices: Vec<Stored<Invoice>> =
            after(connection, &before, ledger::INVOICES_AFTER, &before.invoice).await?;
        let mut done = before.clone();
        let mut transfers = Vec::new();
        let mut over = false;
        if let (Some(first), Some(last)) = (invoices.first(), invoices.last()) {
            let range = [Column::text(&first.id), Column::text(&last.id)];
            let sql = ledger::INTENTS_BETWEEN;
            let intents: Vec<Stored<PaymentIntent>> =
                document::select(connection, scope, sql, &range).await?;
            let mut taken: HashMap<&str, Vec<&PaymentIntent>> = HashMap::new();
            for intent in &intents {
                if let (Some(id), PaymentStatus::Succeeded) = (&intent.invoice, intent.status) {
                    taken.entry(id.as_str()).or_default().push(intent);
                }
            }
            for invoice in &invoices {
                let payments = taken.remove(invoice.id.as_str()).unwrap_or_default();
                let own = opening_of(invoice, &payments).map_err(|_| Refused::TooLarge)?;
                transfers.extend(own);
            }
            last.id.as_str().clone_into(&mut done.invoice);
        } else {
            let sql = ledger::CUSTOMERS_AFTER;
            let customers: Vec<Stored<Customer>> =
                after(connection, &before, sql, &before.customer).await?;
            match (customers.first(), customers.last()) {
                (Some(first), Some(last)) => {
                    let range = [Column::text(&first.id), Column::text(&last.id)];
                    let sql = ledger::BALANCES_BETWEEN;
                    let changes: Vec<Stored<BalanceTransaction>> =
                        document::select(connection, scope, sql, &range).await?;
                    for change in changes.iter().filter(|change| !change.is_of_invoice()) {
                        let (who, amount) = (&change.customer, change.amount_minor);
                        let (id, at) = (change.id.as_str(), change.created);
                        let own = double::adjusted(who, amount, change.currency, id, at);
                        transfers.extend(own.map_err(|_| Refused::TooLarge)?);
                    }
                    last.id.as_str().clone_into(&mut done.customer);
                }
                _ => over = true,
            }
        }
        ledger::append(&self.store, connection, scope, &transfers).await?;
        ledger::opened(connection, &before, (!over).then_some(&done)).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn after<T: Document>(
    connection: &mut sqlx::AnyConnection,
    opening: &Opening,
    sql: &'static str,
    after: &str,
) -> Result<Vec<Stored<T>>, Refused> {
    let filter = [Column::text(after), Column::Number(Some(STEP_ROWS))];
    Ok(document::select(connection, &opening.scope, sql, &filter).await?)
}

/// What an invoice of before the ledger amounts to, each part at its own moment.
fn opening_of(invoice: &Invoice, payments: &[&PaymentIntent]) -> Result<Vec<Transfer>, MoneyError> {
    let at = invoice.finalized_at.unwrap_or(invoice.created);
    let mut transfers = Vec::new();
    if invoice.status != InvoiceStatus::Draft {
        transfers.extend(double::finalized(invoice, at)?);
    }
    if let Some(at) = invoice.marked_uncollectible_at {
        // It was written off with all that is due: partial payments came with the ledger.
        let mut unpaid = invoice.clone();
        unpaid.amount_paid_minor = 0;
        transfers.extend(double::written_off(&unpaid, at)?);
    }
    let mut rest = invoice.amount_paid_minor;
    for payment in payments {
        let at = payment.attempted_at.unwrap_or(payment.created);
        let way = Way::Gateway(payment.id.as_str());
        let applied = payment.amount_minor.min(rest);
        let over = payment.amount_minor.saturating_sub(applied);
        rest = rest.saturating_sub(applied);
        if applied > 0 {
            transfers.extend(double::paid(invoice, applied, way, at)?);
        }
        transfers.extend(double::overpaid(invoice, over, way, at)?);
    }
    if let Some(at) = invoice.voided_at {
        transfers.extend(double::voided(invoice, at)?);
    }
    Ok(transfers)
}
