//! The audit: proves that the ledger and the documents say the same, that what is paid was paid by
//! something, that each period of each subscription was invoiced exactly once, and that what was used
//! was billed.
//!
//! It reads as of one moment, in steps of a hundred documents, so its memory does not grow with the
//! business. What does not fit is named, up to [`EXCEPTIONS_MAX`].

mod metered;
mod opening;
mod order;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use perennial::currency::Currency;
use perennial::id::MerchantId;
use perennial::ledger::{Account, Standing};
use serde::Serialize;

use super::{Engine, Refused};
use crate::store::{Scope, ledger};
use steps::Auditor;

/// The most exceptions that are named; more are counted only.
pub const EXCEPTIONS_MAX: usize = 1_000;

/// What an audit of one merchant's mode found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Whose.
    pub scope: Scope,
    /// Invoices that were looked through.
    pub invoices: u64,
    /// Customers that were looked through.
    pub customers: u64,
    /// Subscriptions that were looked through.
    pub subscriptions: u64,
    /// Periods that were invoiced.
    pub periods: u64,
    /// The books, by currency.
    pub books: BTreeMap<Currency, Book>,
    /// What does not fit, at most [`EXCEPTIONS_MAX`].
    pub exceptions: Vec<Exception>,
    /// How much does not fit, named or not.
    pub exceptions_count: u64,
}

/// The books of one currency, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// What the ledger's accounts come to.
    pub ledger: Standing,
    /// What they must come to by the documents.
    pub documents: Standing,
    /// All that was moved from an account to another.
    pub moved_minor: i128,
    /// Of it, what belongs to documents that explain it.
    pub explained_minor: i128,
}

impl Book {
    /// The share that is explained, in ten thousandths, rounded down.
    #[must_use]
    pub fn explained_share(&self) -> i128 {
        match self.moved_minor {
            0 => 10_000,
            moved => self.explained_minor.saturating_mul(10_000) / moved,
        }
    }
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// What kind of thing.
    pub kind: ExceptionKind,
    /// Which object.
    pub object: String,
    /// What is wrong with it.
    pub message: String,
}

/// Kinds of exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// An account is not what the documents say.
    Account,
    /// The transfers about an invoice are not what the documents say.
    Ledger,
    /// An invoice's amounts don't follow from each other.
    Invoice,
    /// A paid invoice that payments and credits don't explain.
    Payment,
    /// A customer's balance is not the sum of its changes, or not the ledger's.
    Balance,
    /// A period was invoiced twice, or never.
    Period,
    /// What was used is not what was billed.
    Usage,
    /// Transfers about something that is not there.
    Orphan,
}

impl Audit {
    fn new(scope: &Scope) -> Self {
        Self {
            scope: scope.clone(),
            invoices: 0,
            customers: 0,
            subscriptions: 0,
            periods: 0,
            books: BTreeMap::new(),
            exceptions: Vec::new(),
            exceptions_count: 0,
        }
    }

    /// Whether nothing is amiss.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.exceptions_count == 0
    }

    fn except(&mut self, kind: ExceptionKind, object: impl ToString, message: String) {
        self.exceptions_count += 1;
        if self.exceptions.len() < EXCEPTIONS_MAX {
            self.exceptions.push(Exception {
                kind,
                object: object.to_string(),
                message,
            });
        }
    }

    fn book(&mut self, currency: Currency) -> &mut Book {
        self.books.entry(currency).or_default()
    }

    /// Compares the accounts when all documents have been read.
    fn close(&mut self) -> bool {
        let mut found = Vec::new();
        for (currency, book) in &self.books {
            for account in Account::ALL {
                let (own, theirs) = (book.ledger.of(account), book.documents.of(account));
                if own != theirs {
                    let name = format!("{} {currency}", account.name());
                    let message = format!(
                        "the ledger has {own}, the documents come to {theirs} (minor units)"
                    );
                    found.push((name, message));
                }
            }
            if book.ledger.sum() != 0 {
                let message = "the accounts together are not zero".to_owned();
                found.push((currency.to_string(), message));
            }
        }
        let differs = !found.is_empty();
        for (name, message) in found {
            self.except(ExceptionKind::Account, name, message);
        }
        differs
    }
}

impl Engine {
    /// Audits one merchant's mode. What is older than the ledger is booked first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, scope: &Scope) -> Result<Audit, Refused> {
        let mut reading = self.store.read().await?;
        let mut connection = ledger::snapshot(&mut reading).await?;
        let mut auditor = Auditor {
            connection: &mut connection,
            scope,
            now: self.now(),
            audit: Audit::new(scope),
        };
        auditor.accounts().await?;
        auditor.invoices().await?;
        auditor.customers().await?;
        auditor.subscriptions().await?;
        if auditor.audit.close() || !auditor.audit.holds() {
            auditor.orphans().await?;
        }
        Ok(auditor.audit)
    }

    /// Audits all merchants in both modes, in order; `heard` gets each as it is done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_all(&self, mut heard: impl FnMut(Audit)) -> Result<(), Refused> {
        self.open_ledger().await?;
        let mut after = String::new();
        loop {
            let mut connection = self.store.read().await?;
            let merchants = ledger::merchants(&mut connection, &after).await?;
            drop(connection);
            let Some(last) = merchants.last() else {
                return Ok(());
            };
            after.clone_from(last);
            for merchant in &merchants {
                let merchant = MerchantId::parse(merchant);
                let merchant = merchant.map_err(|error| Refused::Defect(error.to_string()))?;
                for livemode in [false, true] {
                    let scope = Scope {
                        merchant: merchant.clone(),
                        livemode,
                    };
                    heard(self.audit(&scope).await?);
                }
            }
        }
    }
}
