//! What many decisions of one merchant stand on together: the rows that they read, fetched before in
//! few statements, and what they write, committed after as one.
//!
//! An engine over a ground ([`Engine::over`]) runs the same use cases as any other. `find` and its
//! kin look here first; a booking that commits hands its rows over, so that the next decision sees
//! them; the ground's own commit writes all of it in one transaction. When that is refused, because
//! somebody else changed one of the rows, nothing has happened, and whoever made the ground decides
//! again with fewer.
//!
//! Lists are read from the database and don't see what the ground has not committed. A decision that
//! needs one asks [`Engine::alone`] first and is then made by itself.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, InvoiceId};
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::usage::Span;

use super::booking::{Known, Whole, Wholes};
use super::invoices::numbering::{Held, Sequence};
use super::spans::{Drafted, Metered};
use super::{Engine, Refused};
use crate::merchant::Merchant;
use crate::store::document::{Document, Stored};
use crate::store::event::Slot;
use crate::store::writes::Writes;
use crate::store::{Scope, Store};

/// A row as some decision left it, without its type.
pub(crate) type Shadow = (TypeId, String, Arc<dyn Any + Send + Sync>);

/// The rows that decisions share.
pub(crate) struct Ground {
    scope: Scope,
    inner: Mutex<Inner>,
}

struct Inner {
    /// By noun and id, each a [`Known`].
    rows: HashMap<TypeId, HashMap<String, Arc<dyn Any + Send + Sync>>>,
    /// A customer's items that wait for an invoice, where they were read.
    pending: HashMap<String, Vec<Stored<InvoiceItem>>>,
    /// What a subscription's step at a moment bills of metered items, where it was read.
    metered: HashMap<String, (Timestamp, Metered)>,
    /// The stretches of usage that stand on a draft, by invoice, where they were read or made.
    drafted: HashMap<String, Vec<Drafted>>,
    merchant: Option<Merchant>,
    writes: Writes,
    /// Where the next events go: those of many decisions share groups.
    slot: Slot,
    wholes: Wholes,
    /// Invoices that decisions made here, oldest first.
    made: Vec<InvoiceId>,
    /// The turn to take invoice numbers, until they are written.
    turn: Option<Held>,
}

impl Ground {
    pub(crate) fn new(scope: &Scope) -> Arc<Self> {
        Arc::new(Self {
            scope: scope.clone(),
            inner: Mutex::new(Inner {
                rows: HashMap::new(),
                pending: HashMap::new(),
                metered: HashMap::new(),
                drafted: HashMap::new(),
                merchant: None,
                writes: Writes::new(scope),
                slot: Slot::default(),
                wholes: Wholes::new(),
                made: Vec::new(),
                turn: None,
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn covers(&self, scope: &Scope) -> bool {
        self.scope == *scope
    }

    /// A row, if it is here.
    pub(crate) fn get<T: Document>(&self, id: &str) -> Option<Arc<Known<T>>> {
        let row = {
            let inner = self.inner();
            Arc::clone(inner.rows.get(&TypeId::of::<T>())?.get(id)?)
        };
        row.downcast::<Known<T>>().ok()
    }

    /// Lays out a row that was read. One that is here already is newer.
    pub(crate) fn lay<T: Document>(&self, row: Stored<T>) {
        self.lay_known(&Known::new(row));
    }

    /// As [`Ground::lay`].
    pub(crate) fn lay_known<T: Document>(&self, known: &Arc<Known<T>>) {
        let mut inner = self.inner();
        let rows = inner.rows.entry(TypeId::of::<T>()).or_default();
        let known: Arc<Known<T>> = Arc::clone(known);
        rows.entry(known.key().to_owned()).or_insert(known);
    }

    pub(crate) fn pending(&self, customer: &CustomerId) -> Option<Vec<Stored<InvoiceItem>>> {
        self.inner().pending.get(customer.as_str()).cloned()
    }

    pub(crate) fn lay_pending(&self, customer: &CustomerId, items: Vec<Stored<InvoiceItem>>) {
        self.inner().pending.insert(customer.to_string(), items);
    }

    pub(crate) fn lay_metered(&self, subscription: &str, at: Timestamp, metered: Metered) {
        let place = subscription.to_owned();
        self.inner().metered.insert(place, (at, metered));
    }

    /// What was read of a step; it answers once, since that step books it.
    pub(crate) fn take_metered(&self, subscription: &str, at: Timestamp) -> Option<Metered> {
        let mut inner = self.inner();
        let (own, _) = inner.metered.get(subscription)?;
        if *own != at {
            return None;
        }
        inner.metered.remove(subscription).map(|(_, own)| own)
    }

    pub(crate) fn lay_drafted(&self, invoice: String, spans: Vec<Drafted>) {
        self.inner().drafted.insert(invoice, spans);
    }

    /// What stands on a draft; it answers once, since whoever asks takes it off.
    pub(crate) fn take_drafted(&self, invoice: &str) -> Option<Vec<Drafted>> {
        self.inner().drafted.remove(invoice)
    }

    pub(crate) fn merchant(&self) -> Option<Merchant> {
        self.inner().merchant.clone()
    }

    pub(crate) fn lay_merchant(&self, merchant: Merchant) {
        self.inner().merchant = Some(merchant);
    }

    pub(crate) fn whole(&self, place: &(&'static str, String)) -> Option<Whole> {
        self.inner().wholes.get(place).cloned()
    }

    /// The turn to take invoice numbers, if a decision here has it.
    pub(crate) fn turn(&self) -> Option<Held> {
        self.inner().turn.clone()
    }

    /// Keeps the turn until what was decided is written.
    pub(crate) fn keep_turn(&self, held: Held) {
        self.inner().turn = Some(held);
    }

    fn end_turn(&self) -> Option<Held> {
        let mut inner = self.inner();
        let turn = inner.turn.take();
        if turn.is_some() {
            let own = TypeId::of::<Sequence>();
            inner.rows.remove(&own);
        }
        turn
    }

    /// The place in lists of an event that is told now.
    pub(crate) fn place(&self, store: &Store, told: Timestamp) -> i64 {
        self.inner().slot.place(store, told)
    }

    /// Takes in what a decision wrote.
    pub(crate) fn absorb(&self, writes: Writes, wholes: Wholes, shadows: Vec<Shadow>) {
        let mut inner = self.inner();
        inner.writes.absorb(writes);
        inner.wholes.extend(wholes);
        for (kind, id, row) in shadows {
            if let Some(item) = row.downcast_ref::<Known<InvoiceItem>>() {
                inner.keep_waiting(item);
            }
            if let Some(span) = row.downcast_ref::<Known<Span>>()
                && let Some(draft) = &span.draft
            {
                // It was counted for this very batch.
                let drafted = inner.drafted.entry(draft.to_string()).or_default();
                drafted.push((Stored::clone(span), span.billed));
            }
            let made = row.downcast_ref::<Known<Invoice>>();
            let made = made.map(|invoice| invoice.id.clone());
            let known = inner.rows.entry(kind).or_default().insert(id, row);
            inner.made.extend(made.filter(|_| known.is_none()));
        }
    }

    /// The invoices that were made here since this was last asked.
    pub(crate) fn take_made(&self) -> Vec<InvoiceId> {
        std::mem::take(&mut self.inner().made)
    }

    /// Writes what was decided, in one transaction. Decisions may go on here afterwards.
    ///
    /// # Errors
    /// When it was not kept; the ground is of no use any more then.
    pub(crate) async fn commit(&self, engine: &Engine) -> Result<(), Refused> {
        let writes = {
            let mut inner = self.inner();
            // What is told later goes into a group of its own: this one is written now.
            inner.slot = Slot::default();
            std::mem::replace(&mut inner.writes, Writes::new(&self.scope))
        };
        // Ends with this function, whatever comes of it: others take numbers then, so where the sequence
        // stands is read again.
        let _turn = self.end_turn();
        if writes.is_empty() {
            return Ok(());
        }
        let ready = writes.ready(&engine.store)?;
        let mut tx = engine.store.begin().await?;
        ready.run(tx.connection()).await?;
        tx.commit().await?;
        engine.ring_for_mail();
        Ok(())
    }
}

impl Inner {
    fn keep_waiting(&mut self, item: &Stored<InvoiceItem>) {
        let Some(items) = self.pending.get_mut(item.customer.as_str()) else {
            return;
        };
        items.retain(|own| own.id != item.id);
        if item.invoice.is_none() {
            items.push(item.clone());
        }
    }
}

impl Engine {
    /// The same engine, deciding on a ground.
    pub(crate) fn over(&self, ground: &Arc<Ground>) -> Self {
        Self {
            ground: Some(Arc::clone(ground)),
            ..self.clone()
        }
    }

    /// The ground under this merchant's decisions, if there is one.
    pub(crate) fn shared(&self, scope: &Scope) -> Option<&Arc<Ground>> {
        self.ground.as_ref().filter(|ground| ground.covers(scope))
    }

    /// Says that a decision reads what a ground does not have: it must be made by itself.
    ///
    /// # Errors
    /// [`Refused::Busy`] on a ground. Whoever made it decides again without one.
    pub(crate) fn alone(&self) -> Result<(), Refused> {
        match self.ground {
            Some(_) => Err(Refused::Busy),
            None => Ok(()),
        }
    }
}
