//! Invoice numbers that run over all customers of a merchant, without a gap.
//!
//! The next number is a row that is saved with the invoice that took it, so a number is taken exactly
//! when its invoice is kept. Of two processes that take the same one, the row's revision lets one decide
//! again. Within a process they wait for each other instead: a decision holds the sequence from taking a
//! number until it is written, a batch until the whole batch is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::merchant::InvoiceNumbering;
use crate::service::booking::Edit;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// The id of the only row.
const ID: &str = "invoice";

/// The sequence of a merchant's mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Always "invoice".
    pub id: String,
    /// The next number that an invoice gets.
    pub next: u64,
}

/// Who may take a number now, for each merchant's mode.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<Scope, Arc<Turn<()>>>>);

/// The turn to take numbers; it ends when the last of these is dropped.
pub(crate) type Held = Arc<OwnedMutexGuard<()>>;

impl Turns {
    async fn take(&self, scope: &Scope) -> Held {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(scope.clone()).or_default())
        };
        Arc::new(turn.lock_owned().await)
    }
}

/// A number that was taken, to be written with its invoice.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) row: Edit<Sequence>,
    pub(crate) held: Held,
}

impl Engine {
    /// The merchant's next number and what is to be written with the invoice that gets it; `None` where
    /// each customer has numbers of their own.
    pub(super) async fn take_number(
        &self,
        scope: &Scope,
    ) -> Result<Option<(String, Taken)>, Refused> {
        let merchant = self.merchant(scope).await?;
        if merchant.numbering == InvoiceNumbering::Customer {
            return Ok(None);
        }
        let ground = self.shared(scope);
        let held = match ground.and_then(|ground| ground.turn()) {
            Some(held) => held,
            None => self.numbering.take(scope).await,
        };
        if let Some(ground) = ground {
            ground.keep_turn(Arc::clone(&held));
        }
        let found: Option<Stored<Sequence>> = self.look_up(scope, ID).await?;
        let found = match found {
            Some(found) => found,
            None => {
                self.begin_sequence(scope).await?;
                self.find(scope, ID).await?
            }
        };
        let mut row = Edit::of(found);
        let number = format!("{}-{:04}", merchant.number_prefix(), row.next);
        row.next = row.next.checked_add(1).ok_or(Refused::TooLarge)?;
        Ok(Some((number, Taken { row, held })))
    }

    /// Makes the row, unless another process is faster.
    async fn begin_sequence(&self, scope: &Scope) -> Result<(), Refused> {
        let first = Sequence {
            id: ID.to_owned(),
            next: 1,
        };
        let mut tx = self.store.begin().await?;
        let now = self.real_now();
        let made = document::insert(&self.store, tx.connection(), scope, first, now).await;
        match made {
            Ok(_) => Ok(tx.commit().await?),
            Err(crate::store::StoreError::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
