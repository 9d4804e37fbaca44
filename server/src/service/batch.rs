//! Many pieces of due work at once: the rows around them read in few statements, the decisions made
//! one after another by the code that makes any, and what they come to committed in one transaction;
//! then the charges, sent together, and their outcomes, committed together.
//!
//! Where a batch is refused (somebody changed one of its rows meanwhile), halves of it are tried, down
//! to single ones, which are done as ever. So a row that can't be done never stops the others.
//!
//! The order is the same as for one: an attempt is committed, with its key, before the gateway is
//! called.

use std::collections::HashSet;
use std::sync::Arc;

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceId, PaymentIntentId, SubscriptionId};
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus};
use perennial::payment::{Outcome, PaymentIntent, PaymentMethod};
use perennial::subscription::{CollectionMethod, Due, Status, Subscription};
use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;

use super::due::{invoice_due_at, trial_notice_at};
use super::duties::Done;
use super::ground::Ground;
use super::noticing::upcoming_notice_at;
use super::payments::{Begun, Claim, Starter};
use super::{Engine, Refused};
use crate::store::document::{self, Stored};
use crate::store::due::DueRow;
use crate::store::{Scope, StoreError, nouns};

/// Periods that a batch catches up on for one subscription; the next sweep goes on from there.
const BOUNDARIES_MAX: usize = 36;

/// What a batch works on.
#[derive(Clone, Debug)]
enum Piece {
    Subscription(SubscriptionId),
    Invoice(InvoiceId),
}

impl Piece {
    fn id(&self) -> &str {
        match self {
            Self::Subscription(id) => id.as_str(),
            Self::Invoice(id) => id.as_str(),
        }
    }
}

/// What the gateway said to an attempt.
struct Answered {
    intent: PaymentIntentId,
    attempt: u32,
    outcome: Outcome,
}

/// Pieces of a batch, with the rows that were read along with their keys.
struct Lot {
    pieces: Vec<Piece>,
    subscriptions: Vec<Stored<Subscription>>,
    invoices: Vec<Stored<Invoice>>,
}

impl Engine {
    /// Renews, or ends, subscriptions of one merchant that are due. `begun` hears when others may
    /// decide about the same customers.
    pub(crate) async fn advance_many(
        self,
        scope: Scope,
        rows: Vec<DueRow>,
        begun: oneshot::Sender<()>,
    ) -> Vec<Done> {
        let mut done = Vec::with_capacity(rows.len());
        let mut lot = Lot::new();
        for due in rows {
            match document::decode::<Subscription>(&due.row) {
                Ok(row) => {
                    lot.pieces.push(Piece::Subscription(row.id.clone()));
                    lot.subscriptions.push(row);
                }
                Err(error) => done.push((due.id, Err(error.into()))),
            }
        }
        done.extend(self.work_off(&scope, lot, Some(begun)).await);
        done
    }

    /// Finalises and charges invoices of one merchant that are due.
    pub(crate) async fn collect_many(
        self,
        scope: Scope,
        rows: Vec<DueRow>,
        begun: oneshot::Sender<()>,
    ) -> Vec<Done> {
        let mut done = Vec::with_capacity(rows.len());
        let mut lot = Lot::new();
        for due in rows {
            match document::decode::<Invoice>(&due.row) {
                Ok(row) => {
                    lot.pieces.push(Piece::Invoice(row.id.clone()));
                    lot.invoices.push(row);
                }
                Err(error) => done.push((due.id, Err(error.into()))),
            }
        }
        done.extend(self.work_off(&scope, lot, Some(begun)).await);
        done
    }

    /// Does pieces together, or in halves where that is refused.
    fn work_off<'a>(
        &'a self,
        scope: &'a Scope,
        lot: Lot,
        begun: Option<oneshot::Sender<()>>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Vec<Done>> + Send + 'a>> {
        Box::pin(async move {
            let pieces = lot.pieces.clone();
            match pieces.as_slice() {
                [] => return Vec::new(),
                [one] => return vec![self.by_itself(scope, one).await],
                _ => {}
            }
            let error = match self.together(scope, lot, begun).await {
                Ok(done) => return done,
                Err(error) => error,
            };
            if error.is_outage() {
                let text = error.to_string();
                let all = pieces.iter().map(|piece| {
                    let error = sqlx::Error::Protocol(text.clone());
                    (piece.id().to_owned(), Err(Refused::from(error)))
                });
                return all.collect();
            }
            tracing::debug!(pieces = pieces.len(), %error, "a batch was refused; trying halves");
            if let Refused::Store(error) = &error
                && error.is_conflict()
            {
                self.store.note_conflict(error);
            }
            let (left, right) = pieces.split_at(pieces.len() / 2);
            // The rows are read again: one of them changed.
            let mut done = self.work_off(scope, Lot::of(left), None).await;
            done.extend(self.work_off(scope, Lot::of(right), None).await);
            done
        })
    }

    async fn by_itself(&self, scope: &Scope, piece: &Piece) -> Done {
        let id = piece.id().to_owned();
        let result = match piece {
            Piece::Subscription(own) => self.advance_subscription(scope, own).await,
            Piece::Invoice(own) => self.advance_invoice(scope, own).await,
        };
        (id, result)
    }

    /// Decides about all pieces on one ground and commits that, then charges and commits that.
    async fn together(
        &self,
        scope: &Scope,
        lot: Lot,
        begun: Option<oneshot::Sender<()>>,
    ) -> Result<Vec<Done>, Refused> {
        let ground = Ground::new(scope);
        let pieces = lot.pieces.clone();
        self.lay_out(scope, &ground, lot).await?;
        let engine = self.over(&ground);
        let (mut claims, mut alone) = (Vec::new(), Vec::new());
        let mut done = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let result = match &piece {
                Piece::Subscription(id) => engine.advance_here(scope, id).await.map(|()| None),
                Piece::Invoice(id) => engine.collect_here(scope, id).await,
            };
            match result {
                Ok(claim) => {
                    claims.extend(claim);
                    done.push((piece.id().to_owned(), Ok(())));
                }
                Err(error) => {
                    tracing::debug!(?piece, %error, "will be done by itself");
                    alone.push(piece);
                }
            }
        }
        for id in ground.take_made() {
            match engine.finalize_here(scope, &id).await {
                Ok(claim) => claims.extend(claim),
                // It is due, so the next sweep finds it and says what is wrong with it.
                Err(error) => tracing::debug!(%id, %error, "will be finalised by itself"),
            }
        }
        ground.commit(self).await?;
        drop(begun);
        self.charge(scope, &ground, claims).await;
        for piece in alone {
            done.push(self.by_itself(scope, &piece).await);
        }
        Ok(done)
    }

    /// Reads what decisions about these pieces will ask for.
    async fn lay_out(&self, scope: &Scope, ground: &Arc<Ground>, lot: Lot) -> Result<(), Refused> {
        let mut reading = self.store.read().await?;
        let connection = &mut *reading;
        let Lot {
            pieces,
            mut subscriptions,
            mut invoices,
        } = lot;
        let missing = |read: &HashSet<String>| {
            let ids = pieces.iter().map(|piece| piece.id().to_owned());
            ids.filter(|id| !read.contains(id)).collect::<Vec<_>>()
        };
        let of_invoices = matches!(pieces.first(), Some(Piece::Invoice(_)));
        if of_invoices {
            let read = invoices.iter().map(|row| row.id.to_string()).collect();
            invoices.extend(document::load_many(connection, scope, &missing(&read)).await?);
            let owners = distinct(invoices.iter().filter_map(|row| row.subscription.as_ref()));
            subscriptions.extend(document::load_many(connection, scope, &owners).await?);
            let intents = distinct(
                invoices
                    .iter()
                    .filter_map(|row| row.payment_intent.as_ref()),
            );
            for row in document::load_many::<PaymentIntent>(connection, scope, &intents).await? {
                ground.lay(row);
            }
        } else {
            let read = subscriptions.iter().map(|row| row.id.to_string()).collect();
            subscriptions.extend(document::load_many(connection, scope, &missing(&read)).await?);
        }
        let payers = invoices.iter().map(|row| &row.customer);
        let payers = payers.chain(subscriptions.iter().map(|row| &row.customer));
        let payers = distinct(payers);
        let customers: Vec<Stored<Customer>> =
            document::load_many(connection, scope, &payers).await?;
        let own = subscriptions.iter().map(|row| &row.default_payment_method);
        let named = own.chain(invoices.iter().map(|row| &row.default_payment_method));
        let named = named.chain(customers.iter().map(|row| &row.default_payment_method));
        let methods = distinct(named.flatten());
        for row in document::load_many::<PaymentMethod>(connection, scope, &methods).await? {
            ground.lay(row);
        }
        if !of_invoices {
            lay_pending(connection, scope, ground, &payers).await?;
        }
        drop(reading);
        if of_invoices {
            self.lay_drafted(scope, ground, &invoices).await?;
        } else {
            self.lay_metered(scope, ground, &subscriptions).await?;
        }
        customers.into_iter().for_each(|row| ground.lay(row));
        subscriptions.into_iter().for_each(|row| ground.lay(row));
        invoices.into_iter().for_each(|row| ground.lay(row));
        Ok(())
    }

    /// Renews a subscription on a ground, boundary by boundary.
    async fn advance_here(&self, scope: &Scope, id: &SubscriptionId) -> Result<(), Refused> {
        for _ in 0..BOUNDARIES_MAX {
            let subscription = self.known::<Subscription>(scope, id.as_str()).await?;
            if !is_plain(&subscription, self.now()) {
                return self.alone();
            }
            if !self.advance_once(scope, id).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Finalises an invoice on a ground, or begins to charge it.
    async fn collect_here(&self, scope: &Scope, id: &InvoiceId) -> Result<Option<Claim>, Refused> {
        let invoice = self.known::<Invoice>(scope, id.as_str()).await?;
        let due = invoice_due_at(&invoice).is_some_and(|at| at <= self.now());
        match (invoice.status, invoice.collection_method) {
            _ if !due => Ok(None),
            _ if invoice
                .retrying
                .as_ref()
                .is_some_and(|own| own.write_off_at.is_some()) =>
            {
                self.alone().map(|()| None)
            }
            (InvoiceStatus::Draft, _) => self.finalize_once(scope, id, None).await,
            (_, CollectionMethod::SendInvoice) => self.overdue_once(scope, id).await.map(|()| None),
            (_, CollectionMethod::ChargeAutomatically) => {
                if let Some(own) = &invoice.subscription {
                    let own = self.known::<Subscription>(scope, own.as_str()).await?;
                    if own.latest_invoice.as_ref() != Some(id) {
                        // What became of a newer one may have to be asked first.
                        self.alone()?;
                    }
                }
                match self.begin_once(scope, id, None, Starter::Schedule).await? {
                    Begun::Send(claim) => Ok(Some(*claim)),
                    Begun::Over(_) => Ok(None),
                }
            }
        }
    }

    /// Finalises an invoice that was made on this ground, if it is due at once.
    async fn finalize_here(&self, scope: &Scope, id: &InvoiceId) -> Result<Option<Claim>, Refused> {
        let invoice = self.known::<Invoice>(scope, id.as_str()).await?;
        match invoice.status {
            InvoiceStatus::Draft => self.collect_here(scope, id).await,
            _ => Ok(None),
        }
    }

    /// Sends committed claims together and commits what comes of them.
    async fn charge(&self, scope: &Scope, ground: &Arc<Ground>, claims: Vec<Claim>) {
        if claims.is_empty() {
            return;
        }
        let requests = claims.iter().map(Claim::charge).collect();
        let answers = self.gateway.charge_many(scope, requests).await;
        let mut answered = Vec::with_capacity(claims.len());
        for (claim, answer) in claims.iter().zip(answers) {
            if let Some(outcome) = claim.outcome(answer) {
                answered.push(Answered {
                    intent: claim.intent().id.clone(),
                    attempt: claim.intent().attempt,
                    outcome,
                });
            }
        }
        self.record(scope, ground, answered).await;
    }

    /// Commits outcomes together, or each by itself where that is refused. One that can't be
    /// committed is asked after again: the gateway remembers it by its key.
    async fn record(&self, scope: &Scope, ground: &Arc<Ground>, answered: Vec<Answered>) {
        let engine = self.over(ground);
        let mut alone = Vec::new();
        for (index, own) in answered.iter().enumerate() {
            let (id, outcome) = (&own.intent, &own.outcome);
            let result = engine
                .commit_outcome_once(scope, id, own.attempt, outcome)
                .await;
            if result.is_err() {
                alone.push(index);
            }
        }
        if let Err(error) = ground.commit(self).await {
            tracing::debug!(%error, "outcomes were refused together; committing each");
            alone = (0..answered.len()).collect();
        }
        let mut left = alone.len();
        for index in alone {
            let Some(own) = answered.get(index) else {
                continue;
            };
            let result = self
                .commit_outcome(scope, &own.intent, own.attempt, own.outcome.clone())
                .await;
            if let Err(error) = result {
                tracing::error!(intent = %own.intent, left, %error, "an outcome could not be committed");
                if error.is_outage() {
                    return;
                }
            }
            left -= 1;
        }
        for own in &answered {
            if matches!(own.outcome, Outcome::Declined(_))
                && let Err(error) = self.fall_back_after(scope, &own.intent).await
            {
                tracing::warn!(intent = %own.intent, %error, "no other card could be tried");
            }
        }
    }
}

impl Lot {
    fn new() -> Self {
        Self::of(&[])
    }

    fn of(pieces: &[Piece]) -> Self {
        Self {
            pieces: pieces.to_vec(),
            subscriptions: Vec::new(),
            invoices: Vec::new(),
        }
    }
}

impl Refused {
    /// Whether it says nothing about the work itself: the database is out of reach or full.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Store(StoreError::Database(error)) => {
                !self.is_overtaken() && !is_of_the_row(error)
            }
            Self::Store(StoreError::Commit(_)) => true,
            _ => false,
        }
    }

    /// Whether somebody else was faster; nothing is wrong.
    pub(crate) fn is_overtaken(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Store(error) => error.is_conflict(),
            _ => false,
        }
    }
}

/// Whether the database refused what was to be written rather than to write: data that it can't hold,
/// a constraint.
fn is_of_the_row(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // Postgres: classes 22 and 23. SQLite: TOOBIG, CONSTRAINT with its kinds, MISMATCH.
    code.is_some_and(|code| match code.len() {
        5 => code.starts_with("22") || code.starts_with("23"),
        _ => matches!(code.parse::<u32>().map(|code| code & 0xff), Ok(18..=20)),
    })
}

/// Whether all that is due to it is the next period of an ordinary subscription. Everything else is
/// rare, reads lists, and is done by itself.
fn is_plain(subscription: &Subscription, now: Timestamp) -> bool {
    let standing = matches!(
        subscription.status,
        Status::Active | Status::PastDue | Status::Unpaid
    );
    let renewal = subscription
        .next_due()
        .is_none_or(|(at, due)| at > now || due == Due::Renewal);
    let notice = upcoming_notice_at(subscription).is_some_and(|at| at <= now);
    standing && renewal && !notice && trial_notice_at(subscription).is_none()
}

/// Ids, each once.
fn distinct<'a, T: AsRef<str> + 'a>(ids: impl Iterator<Item = &'a T>) -> Vec<String> {
    let ids: HashSet<&str> = ids.map(AsRef::as_ref).collect();
    let mut ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
    // In the order in which they were made, which is that of the pages.
    ids.sort_unstable();
    ids
}

/// Reads the items that wait for customers' invoices.
async fn lay_pending(
    connection: &mut sqlx::AnyConnection,
    scope: &Scope,
    ground: &Ground,
    customers: &[String],
) -> Result<(), Refused> {
    let most = nouns::FEW_CUSTOMERS_MAX;
    let places: Vec<String> = (3..3 + most).map(|n| format!("${n}")).collect();
    let sql = nouns::INVOICE_ITEMS_PENDING_MANY.replace("{}", &places.join(", "));
    let sql: Arc<str> = sql.into();
    for few in customers.chunks(most) {
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&sql)))
            .bind(scope.merchant.as_str())
            .bind(scope.mode());
        for place in 0..most {
            query = query.bind(few.get(place).cloned().unwrap_or_default());
        }
        let rows = query.fetch_all(&mut *connection).await?;
        if rows.len() >= nouns::MANY_ITEMS_MAX {
            // Too many to know whose are all here: each decision reads its customer's.
            continue;
        }
        let mut items: Vec<Stored<InvoiceItem>> = Vec::with_capacity(rows.len());
        for row in &rows {
            items.push(document::decode(row)?);
        }
        for id in few {
            let Ok(customer) = CustomerId::parse(id) else {
                continue;
            };
            let own = items.iter().filter(|item| item.customer == customer);
            ground.lay_pending(&customer, own.cloned().collect());
        }
    }
    Ok(())
}
