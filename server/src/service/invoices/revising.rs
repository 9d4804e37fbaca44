//! Revisions: a draft that says what a final invoice says, and replaces it when it becomes final
//! itself. The replaced invoice is voided in the same transaction, and keeps its number.

use perennial::id::InvoiceId;
use perennial::invoice::Invoice;
use perennial::ledger::{self, Transfer};
use perennial::payment::{PaymentIntent, PaymentStatus};

use super::entry;
use super::manual::NewInvoice;
use crate::service::balance::BalanceTransaction;
use crate::service::booking::{Booking, Edit};
use crate::service::books::Books;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// How many older revisions are told of a new one.
const ANCESTORS_MAX: usize = 10;

/// An invoice that is voided because its revision became final.
pub(super) struct Replaced {
    invoice: Edit<Invoice>,
    intent: Option<Edit<PaymentIntent>>,
    entry: Option<BalanceTransaction>,
    transfers: Vec<Transfer>,
    ancestors: Vec<Edit<Invoice>>,
}

impl Replaced {
    pub(super) async fn write(mut self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        booking.save_quietly(&mut self.invoice).await?;
        booking.tell("invoice.voided", &*self.invoice).await?;
        if let Some(intent) = &mut self.intent {
            booking.save_quietly(intent).await?;
            booking.tell("payment_intent.canceled", &**intent).await?;
        }
        booking.insert_all(self.entry.into_iter().collect()).await?;
        booking.post(&self.transfers).await?;
        for ancestor in &mut self.ancestors {
            booking.save(ancestor).await?;
        }
        Ok(())
    }
}

impl Engine {
    pub(super) async fn revise_once(
        &self,
        scope: &Scope,
        from: &InvoiceId,
        new: &NewInvoice,
    ) -> Result<Stored<Invoice>, Refused> {
        let param = "from_invoice[invoice]";
        let original: Stored<Invoice> = self.find_named(scope, from.as_str(), param).await?;
        if new
            .customer
            .as_ref()
            .is_some_and(|own| *own != original.customer)
        {
            let message = "A revision belongs to the customer of the invoice that it revises.";
            return Err(Refused::invalid("customer", message));
        }
        if new.subscription.is_some() || new.currency.is_some() || new.include_pending {
            let message = "A revision has the subscription, the currency and the lines of the \
                           invoice that it revises.";
            return Err(Refused::invalid("from_invoice", message));
        }
        let mut customer = Edit::of(self.billable(scope, &original.customer).await?);
        let now = self.now();
        let mut revision = original
            .revision(&customer, now, &mut self.ids())
            .map_err(|_| Refused::Invalid {
                param: param.to_owned(),
                code: Some("invoice_not_editable"),
                message: "Only open or uncollectible invoices on which nothing was paid can be \
                          revised."
                    .to_owned(),
            })?;
        let mut redeemed = self
            .set_terms(scope, &mut revision, &customer, &new.rest)
            .await?;
        if new.rest.default_tax_rates.is_some() || new.rest.discounts.is_some() {
            let subscription = match &revision.subscription {
                Some(id) => Some(self.edit_subscription(scope, id).await?),
                None => None,
            };
            revision.reprice(&customer, subscription.as_deref(), now)?;
        }
        // Lines that no subscription made stand on items, as on any invoice by hand.
        let lines = std::mem::take(&mut revision.lines);
        let mut items = Vec::new();
        for line in lines {
            if line.subscription_item.is_some() {
                revision.lines.push(line);
            } else {
                items.push(self.put_on(&mut revision, line));
            }
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.hold(&mut customer).await?;
        let revision = booking.insert(revision).await?;
        booking.insert_all(items).await?;
        redeemed.write(&mut booking).await?;
        booking.commit().await?;
        Ok(revision)
    }

    /// Before a revision becomes final: makes sure that nothing is out on what it replaces.
    pub(super) async fn clear_replaced(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<(), Refused> {
        let revision: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        match &revision.from_invoice {
            Some(from) => Box::pin(self.give_up_payment(scope, from)).await,
            None => Ok(()),
        }
    }

    /// Voids what a revision replaces, in memory. What it took from the customer's balance is back on
    /// the customer of `books`, and their subscription goes on with the revision.
    pub(super) async fn replaced_by(
        &self,
        scope: &Scope,
        books: &mut Books,
    ) -> Result<Option<Replaced>, Refused> {
        let Some(from) = books.invoice.from_invoice.clone() else {
            return Ok(None);
        };
        let now = self.now();
        let mut invoice = self.edit_invoice(scope, &from).await?;
        let transfers = ledger::voided(&invoice, now).map_err(|_| Refused::TooLarge)?;
        let customer = &mut *books.customer;
        let change = invoice.void(customer, now).map_err(|_| Refused::State {
            code: Some("invoice_not_editable"),
            message: format!(
                "The invoice {from} was paid or voided meanwhile, so nothing replaces it any more."
            ),
        })?;
        let entry = change.map(|own| entry(&own, customer, &invoice, now, &mut self.ids()));
        let mut intent = self.idle_intent(scope, &invoice).await?;
        if let Some(intent) = &mut intent {
            intent.status = PaymentStatus::Canceled;
            intent.canceled_at = Some(now);
            intent.challenge = None;
        }
        let id = books.invoice.id.clone();
        if let Some(own) = &mut books.subscription
            && own.latest_invoice.as_ref() == Some(&from)
        {
            own.latest_invoice = Some(id.clone());
        }
        invoice.latest_revision = Some(id.clone());
        let mut ancestors = Vec::new();
        let mut before = invoice.from_invoice.clone();
        while let Some(name) = before.take()
            && ancestors.len() < ANCESTORS_MAX
        {
            let mut older = self.edit_invoice(scope, &name).await?;
            older.latest_revision = Some(id.clone());
            before.clone_from(&older.from_invoice);
            ancestors.push(older);
        }
        Ok(Some(Replaced {
            invoice,
            intent,
            entry,
            transfers,
            ancestors,
        }))
    }
}
