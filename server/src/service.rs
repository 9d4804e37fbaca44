//! The use cases, named by verbs: load, decide (in the domain), save, answer. The only place where
//! domain, store and gateway meet. The gateway is never called inside a transaction.

pub mod added;
mod aside;
pub mod audit;
pub mod balance;
mod batch;
pub mod billing;
pub mod booking;
mod books;
pub mod catalog;
pub mod changes;
pub mod choices;
pub mod credit_notes;
pub mod customers;
mod discounting;
pub mod due;
pub(crate) mod duties;
mod find;
mod ground;
pub mod invoices;
pub mod links;
mod logos;
pub mod mails;
pub mod merchants;
pub mod metering;
mod named;
mod noticing;
pub mod payment_methods;
pub mod payment_records;
pub mod payments;
mod pending_items;
mod pending_updates;
pub mod portal;
pub mod portal_configurations;
pub mod portal_sessions;
pub mod previews;
pub mod promotions;
pub mod recovering;
pub mod refunds;
mod saving;
pub mod schedules;
mod scheduling;
pub mod setup_intents;
mod spans;
pub mod status;
pub mod subscription_items;
pub mod subscriptions;
pub mod supposing;
pub mod tax_ids;
pub mod test_clocks;
pub mod updates;
pub mod usage;

use std::sync::Arc;

use perennial::calendar::Timestamp;
use perennial::payment::Decline;
use serde_json::{Value, json};
use sqlx::AnyConnection;
use tokio::sync::Notify;

use crate::clock::{Clock, Entropy, Ids, MovingClock, Ordered};
use crate::gateway::Gateway;
use crate::store::{Scope, Store, StoreError, event, idempotency};
pub use duties::Swept;
pub(crate) use duties::UPKEEP_SHARD;

/// How often a decision is made again when somebody else changed the same rows meanwhile.
const DECISIONS_MAX: u32 = 6;

/// Everything that a use case needs.
#[derive(Clone)]
pub struct Engine {
    /// The database.
    pub store: Store,
    /// The time: of the machine, or of whom it works for.
    pub clock: Arc<dyn Clock>,
    /// The machine's time, whatever moment it works at.
    pub wall: Arc<dyn Clock>,
    /// Keys and links.
    pub entropy: Arc<dyn Entropy>,
    /// Ids, which grow with the machine's time.
    pub ordered: Arc<Ordered>,
    /// Where money moves. Never called inside a transaction.
    pub gateway: Arc<dyn Gateway>,
    /// Events of usage on their way to the store.
    pub metering: Arc<metering::Metering>,
    /// Tells workers that something may have become due.
    pub due: Arc<Notify>,
    /// Tells a worker that a test clock was set in motion.
    pub clocks: Arc<Notify>,
    /// How mail leaves; `None` where customers get none.
    pub post: Option<Arc<mails::Post>>,
    /// The API request that it works for, which its events name.
    pub cause: Option<Arc<event::Cause>>,
    /// The keys of links that open single documents.
    pub links: Arc<links::LinkKeys>,
    /// Whose turn it is to take an invoice number of a merchant's own sequence.
    pub numbering: Arc<invoices::numbering::Turns>,
    /// What many decisions stand on together.
    ground: Option<Arc<ground::Ground>>,
}

impl Engine {
    /// An engine over a database, a gateway, a clock and an id source.
    #[must_use]
    pub fn new(
        store: Store,
        gateway: Arc<dyn Gateway>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let ordered = Ordered::new(Arc::clone(&entropy), Arc::clone(&clock));
        Self {
            store,
            wall: Arc::clone(&clock),
            clock,
            entropy,
            ordered: Arc::new(ordered),
            gateway,
            metering: Arc::default(),
            due: Arc::default(),
            clocks: Arc::default(),
            post: None,
            cause: None,
            links: Arc::default(),
            numbering: Arc::default(),
            ground: None,
        }
    }

    /// The same engine, working for an API request.
    #[must_use]
    pub fn caused_by(mut self, cause: event::Cause) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// Tells workers that something may have become due.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The machine's time: for secrets and leases, which end in real time even where a test clock
    /// says another.
    #[must_use]
    pub fn real_now(&self) -> Timestamp {
        self.wall.now()
    }

    /// The same engine at another moment: for what is done as of then.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self {
            clock: MovingClock::new(now),
            ..self.clone()
        }
    }

    /// The id source, for the domain's constructors.
    #[must_use]
    pub fn ids(&self) -> Ids<'_> {
        Ids(&*self.ordered)
    }

    /// Writes an event into the transaction of the change that it tells of. `object` is the changed
    /// object in the API's shape; `previous` has the old values of changed fields, on updates.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn emit(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        kind: &str,
        object: Value,
        previous: Option<Value>,
    ) -> Result<(), Refused> {
        if let Some(key) = self
            .cause
            .as_ref()
            .and_then(|own| own.idempotency_key.as_deref())
        {
            idempotency::begin(connection, scope, key).await?;
        }
        let event = self.event(kind, object, previous);
        let told = self.real_now();
        Ok(event::append(&self.store, connection, scope, told, vec![event]).await?)
    }

    /// An event as [`Engine::emit`] writes it.
    pub(crate) fn event(&self, kind: &str, object: Value, previous: Option<Value>) -> event::Entry {
        let id = object
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let mut data = json!({ "object": object });
        if let (Some(previous), Some(data)) = (previous, data.as_object_mut()) {
            data.insert("previous_attributes".to_owned(), previous);
        }
        event::Entry {
            kind: kind.to_owned(),
            object: id,
            created: self.now(),
            data: event::Data::Shown(data.to_string()),
            cause: self.cause.as_deref().cloned(),
        }
    }

    /// Reads, decides and saves by `decide`, again from the start when somebody else was faster.
    ///
    /// # Errors
    /// What `decide` refuses; [`Refused::Busy`] when it was overtaken too often.
    pub async fn retrying<T, F>(&self, decide: impl Fn() -> F) -> Result<T, Refused>
    where
        F: Future<Output = Result<T, Refused>>,
    {
        for attempt in 1..=DECISIONS_MAX {
            match decide().await {
                Err(Refused::Store(error)) if error.is_conflict() => {
                    tracing::debug!(attempt, %error, "overtaken; deciding again");
                    self.store.note_conflict(&error);
                    let millis = (self.entropy.bits() % 16) as u64 + u64::from(attempt) * 4;
                    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
                }
                answer => return answer,
            }
        }
        Err(Refused::Busy)
    }
}

/// Why a use case was refused. Nothing was changed unless a variant says so.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such thing for this merchant (or this customer).
    #[error("no such {kind}: '{id}'")]
    NotFound {
        /// Stripe's object name.
        kind: &'static str,
        /// What was asked for.
        id: String,
        /// The parameter that named it; `None` when the path did.
        param: Option<String>,
    },
    /// A parameter that can't be used.
    #[error("{message}")]
    Invalid {
        /// In Stripe's bracket form, such as `items[0][price]`.
        param: String,
        /// Stripe's error code, where there is one.
        code: Option<&'static str>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// It is in a state in which this can't be done.
    #[error("{message}")]
    State {
        /// Stripe's error code, where there is one.
        code: Option<&'static str>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The card was refused.
    #[error("the card was declined: {}", .decline.code)]
    Card {
        /// What the bank said.
        decline: Decline,
        /// The parameter, when it is about the details rather than the bank.
        param: Option<&'static str>,
    },
    /// The merchant's rules don't allow it.
    #[error("{0}")]
    NotAllowed(String),
    /// What was confirmed is no longer what it would cost.
    #[error("the quote no longer binds")]
    Stale,
    /// Others change the same thing at the same time. Trying again is safe.
    #[error("too many changes at the same time")]
    Busy,
    /// Amounts beyond what can be billed.
    #[error("an amount is too large")]
    TooLarge,
    /// The gateway failed; whether money moved is looked up before anything is tried again.
    #[error("the payment gateway did not answer: {0}")]
    Gateway(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rule of ours was broken: a defect. It is logged and shown as an internal error.
    #[error("broken rule: {0}")]
    Defect(String),
}

impl Refused {
    /// A parameter that can't be used, without a code.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            param: param.into(),
            code: None,
            message: message.into(),
        }
    }

    /// A missing object that the path named.
    pub fn not_found(kind: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound {
            kind,
            id: id.into(),
            param: None,
        }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreError::Database(error))
    }
}

#[cfg(test)]
pub(crate) mod tests;
