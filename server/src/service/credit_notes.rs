//! Credit notes: issued, previewed, voided.

use std::collections::HashMap;

use perennial::credit::{self, BalanceChangeKind};
use perennial::credit_note::{self, CreditNote, CreditNoteError, LineWish, Part, Status, Wish};
use perennial::decimal::Decimal12;
use perennial::id::{CreditNoteId, InvoiceId, InvoiceLineId, TaxRateId};
use perennial::invoice::InvoiceStatus;
use perennial::ledger;
use perennial::metadata::{Metadata, MetadataChange};
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::refund::{Refund, RefundStatus};
use perennial::tax::TaxRate;

use super::booking::{Booking, Edit};
use super::books::Books;
use super::invoices::entry;
use super::named::named_rates;
use super::refunds::NewRefund;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Column, Stored};
use crate::store::nouns;

/// A line of a new credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewLine {
    /// Of a line of the invoice.
    Invoice(InvoiceLineId, Part),
    /// Of the merchant's own: description, minor units for one unit, units, rates.
    Own(String, Decimal12, u64, Vec<TaxRateId>),
}

/// A new credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCreditNote {
    /// What it takes back.
    pub invoice: InvoiceId,
    /// Its lines.
    pub lines: Vec<NewLine>,
    /// Everything else; its own `lines` are not read.
    pub wish: Wish,
}

/// What may be said about a credit note later. `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreditNoteUpdate {
    /// Printed on it.
    pub memo: Option<Option<String>>,
    /// The merchant's own keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Issues a credit note: what is to be paid becomes less, and what was paid is given back as it
    /// says. Refunds are sent after the commit.
    ///
    /// # Errors
    /// Names the parameter that can't stand; [`Refused::State`] when the invoice is a draft or void,
    /// or a payment of it is under way.
    pub async fn create_credit_note(
        &self,
        scope: &Scope,
        new: NewCreditNote,
    ) -> Result<Stored<CreditNote>, Refused> {
        // A charge of the old amount must not be under way.
        self.find_named::<perennial::invoice::Invoice>(scope, new.invoice.as_str(), "invoice")
            .await?;
        self.give_up_payment(scope, &new.invoice).await?;
        let new = &new;
        let (note, refunds) = self.retrying(|| self.issue_note_once(scope, new)).await?;
        for refund in refunds {
            // At most one for each payment of the invoice.
            self.send_refund(scope, refund.id).await?;
        }
        Ok(note)
    }

    async fn issue_note_once(
        &self,
        scope: &Scope,
        new: &NewCreditNote,
    ) -> Result<(Stored<CreditNote>, Vec<Refund>), Refused> {
        let now = self.now();
        let mut books = self.books(scope, &new.invoice).await?;
        let mut note = self.drafted_note(scope, &books, new).await?;
        let mut linked = self.linked(scope, &note).await?;
        let arrived = linked
            .iter()
            .filter(|(refund, _)| refund.status == RefundStatus::Succeeded)
            .fold(0_i64, |sum, (_, amount)| sum.saturating_add(*amount));
        let mut intents = Vec::new();
        let mut refunds = Vec::new();
        if note.credited.refund_minor > note.linked_minor() {
            intents = self.refundable(scope, &books.invoice).await?;
            refunds = self.promised(&mut intents, &mut note)?;
        }
        let transfers = ledger::credited(&books.invoice, note.id.as_str(), &note.credited, now);
        let mut transfers = transfers.map_err(|_| Refused::TooLarge)?;
        let moved = ledger::linked(&books.invoice, note.id.as_str(), arrived, now);
        transfers.extend(moved.map_err(|_| Refused::TooLarge)?);
        let before = books.invoice.status;
        books
            .invoice
            .take_credit(&note.credited, now)
            .map_err(|_| Refused::TooLarge)?;
        let mut entries = Vec::new();
        if note.credited.balance_minor > 0 {
            let amount = note.credited.balance_minor;
            let credit = amount.checked_neg().ok_or(Refused::TooLarge)?;
            let kind = BalanceChangeKind::CreditNote;
            let customer = &mut *books.customer;
            let change = credit::adjust(&mut customer.balance_minor, credit, kind);
            let change = change.map_err(|_| Refused::TooLarge)?;
            let mut own = entry(&change, customer, &books.invoice, now, &mut self.ids());
            own.credit_note = Some(note.id.clone());
            note.balance_transaction = Some(own.id.clone());
            entries.push(own);
        }
        let settled = before != InvoiceStatus::Paid && books.invoice.status == InvoiceStatus::Paid;
        let mut intent = None;
        if settled {
            intent = self.idle_intent(scope, &books.invoice).await?;
            books.customer.delinquent = false;
            if let Some(own) = &mut books.subscription {
                self.standing_after(scope, own, &books.invoice).await?;
            }
        }
        if let Some(intent) = &mut intent {
            intent.status = PaymentStatus::Canceled;
            intent.canceled_at = Some(now);
            intent.challenge = None;
        }
        let mut booking = Booking::begin(self, scope).await?;
        let note = booking.insert(note).await?;
        booking.save(&mut books.invoice).await?;
        if settled {
            booking.tell("invoice.paid", &*books.invoice).await?;
        }
        if let Some(intent) = &mut intent {
            booking.save_quietly(intent).await?;
            booking.tell("payment_intent.canceled", &**intent).await?;
        }
        for own in &mut intents {
            booking.save_quietly(own).await?;
        }
        for (refund, _) in &mut linked {
            booking.save_quietly(refund).await?;
        }
        booking.insert_all(refunds.clone()).await?;
        booking.insert_all(entries).await?;
        booking.post(&transfers).await?;
        books.write(&mut booking).await?;
        booking.commit().await?;
        Ok((note, refunds))
    }

    /// The earlier refunds that a note stands for, noted as such, each with how much of it.
    async fn linked(
        &self,
        scope: &Scope,
        note: &CreditNote,
    ) -> Result<Vec<(Edit<Refund>, i64)>, Refused> {
        if note.refunds.is_empty() {
            return Ok(Vec::new());
        }
        let theirs = self.refunds_of(scope, &note.invoice).await?;
        let mut linked = Vec::with_capacity(note.refunds.len());
        for row in theirs {
            let parts = note.refunds.iter().filter(|(id, _)| *id == row.id);
            let amount = parts.fold(0_i64, |sum, (_, part)| sum.saturating_add(*part));
            if amount > 0 {
                let mut refund = Edit::of(row);
                refund.linked_minor = refund.linked_minor.saturating_add(amount);
                linked.push((refund, amount));
            }
        }
        Ok(linked)
    }

    /// Promises what a note refunds anew, from the newest payment on.
    fn promised(
        &self,
        intents: &mut [Edit<PaymentIntent>],
        note: &mut CreditNote,
    ) -> Result<Vec<Refund>, Refused> {
        let linked = note.linked_minor();
        let mut left = note.credited.refund_minor.saturating_sub(linked);
        let mut refunds = Vec::new();
        for intent in intents {
            let part = intent.refundable_minor().min(left);
            if part <= 0 {
                continue;
            }
            let wanted = NewRefund {
                payment_intent: intent.id.clone(),
                amount_minor: Some(part),
                reason: None,
                metadata: Metadata::default(),
            };
            let refund = self.promise(intent, &wanted, Some(note.id.clone()))?;
            note.refunds.push((refund.id.clone(), part));
            refunds.push(refund);
            left = left.saturating_sub(part);
        }
        if left > 0 {
            let message = format!("{left} more than the payments of this invoice can give back.");
            return Err(Refused::invalid("refund_amount", message));
        }
        Ok(refunds)
    }

    async fn drafted_note(
        &self,
        scope: &Scope,
        books: &Books,
        new: &NewCreditNote,
    ) -> Result<CreditNote, Refused> {
        let rates = new.lines.iter().flat_map(|line| match line {
            NewLine::Own(_, _, _, rates) => rates.as_slice(),
            NewLine::Invoice(..) => &[],
        });
        let rates: Vec<&str> = rates.map(TaxRateId::as_str).collect();
        let rates: HashMap<String, Stored<TaxRate>> = self
            .find_many(scope, nouns::TAX_RATES_BY_IDS, &rates)
            .await?;
        let mut wish = new.wish.clone();
        wish.lines.clear();
        for (index, line) in new.lines.iter().enumerate() {
            wish.lines.push(match line {
                NewLine::Invoice(line, part) => LineWish::Invoice {
                    line: line.clone(),
                    part: *part,
                },
                NewLine::Own(description, unit_amount, quantity, ids) => LineWish::Own {
                    description: description.clone(),
                    unit_amount: *unit_amount,
                    quantity: *quantity,
                    tax_rates: named_rates(&rates, ids, &format!("lines[{index}][tax_rates]"))?,
                },
            });
        }
        if wish.balance_minor.is_some_and(|amount| amount > 0) && books.customer.deleted {
            let message = "The customer was deleted and has no balance any more.";
            return Err(Refused::invalid("credit_amount", message));
        }
        let before = self.credit_notes_of(scope, &books.invoice.id).await?;
        let before: Vec<CreditNote> = before.into_iter().map(|row| row.value).collect();
        let refunds = self.refunds_of(scope, &books.invoice.id).await?;
        let refunds: Vec<Refund> = refunds.into_iter().map(|row| row.value).collect();
        let (invoice, now, mut ids) = (&*books.invoice, self.now(), self.ids());
        let drafted = credit_note::draft(invoice, &before, &refunds, wish, now, &mut ids);
        drafted.map_err(|error| refused(&error))
    }

    /// The credit notes of an invoice, oldest first.
    pub(crate) async fn credit_notes_of(
        &self,
        scope: &Scope,
        invoice: &InvoiceId,
    ) -> Result<Vec<Stored<CreditNote>>, Refused> {
        let mut connection = self.store.read().await?;
        let filter = [Column::text(invoice)];
        let sql = nouns::CREDIT_NOTES_OF_INVOICE;
        Ok(document::select(&mut connection, scope, sql, &filter).await?)
    }

    /// The credit note that would be issued. Nothing is written.
    ///
    /// # Errors
    /// As [`Engine::create_credit_note`].
    pub async fn preview_credit_note(
        &self,
        scope: &Scope,
        new: NewCreditNote,
    ) -> Result<CreditNote, Refused> {
        self.find_named::<perennial::invoice::Invoice>(scope, new.invoice.as_str(), "invoice")
            .await?;
        let books = self.books(scope, &new.invoice).await?;
        let mut note = self.drafted_note(scope, &books, &new).await?;
        if note.credited.refund_minor > note.linked_minor() {
            let mut intents = self.refundable(scope, &books.invoice).await?;
            let linked = note.refunds.clone();
            self.promised(&mut intents, &mut note)?;
            note.refunds = linked;
        }
        Ok(note)
    }

    /// Changes a note's memo or keys.
    ///
    /// # Errors
    /// When there is none, or a key can't stand.
    pub async fn update_credit_note(
        &self,
        scope: &Scope,
        id: &CreditNoteId,
        update: CreditNoteUpdate,
    ) -> Result<Stored<CreditNote>, Refused> {
        let update = &update;
        self.retrying(|| async move {
            let mut note: Edit<CreditNote> = Edit::of(self.find(scope, id.as_str()).await?);
            if let Some(memo) = &update.memo {
                note.memo.clone_from(memo);
            }
            if let Some(change) = &update.metadata {
                let changed = note.metadata.change(change);
                changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
            }
            let mut booking = Booking::begin(self, scope).await?;
            booking.save(&mut note).await?;
            booking.commit().await?;
            Ok(note.into_row())
        })
        .await
    }

    /// Declares a note never to have been: that much is owed again.
    ///
    /// # Errors
    /// [`Refused::State`] unless its invoice is open and it gave nothing back.
    pub async fn void_credit_note(
        &self,
        scope: &Scope,
        id: &CreditNoteId,
    ) -> Result<Stored<CreditNote>, Refused> {
        let note: Stored<CreditNote> = self.find(scope, id.as_str()).await?;
        self.give_up_payment(scope, &note.invoice).await?;
        self.retrying(|| self.void_note_once(scope, id)).await
    }

    async fn void_note_once(
        &self,
        scope: &Scope,
        id: &CreditNoteId,
    ) -> Result<Stored<CreditNote>, Refused> {
        let now = self.now();
        let mut note: Edit<CreditNote> = Edit::of(self.find(scope, id.as_str()).await?);
        let mut books = self.books(scope, &note.invoice).await?;
        if !note.is_voidable(&books.invoice) {
            return Err(Refused::State {
                code: None,
                message: "Only credit notes of open invoices that gave nothing back can be voided."
                    .to_owned(),
            });
        }
        let invoice = &mut *books.invoice;
        let transfers = ledger::credit_voided(invoice, note.id.as_str(), &note.credited, now);
        let transfers = transfers.map_err(|_| Refused::TooLarge)?;
        invoice
            .give_credit_back(&note.credited)
            .map_err(|_| Refused::TooLarge)?;
        note.status = Status::Void;
        note.voided_at = Some(now);
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut note).await?;
        booking.tell("credit_note.voided", &*note).await?;
        booking.save(&mut books.invoice).await?;
        booking.post(&transfers).await?;
        books.write(&mut booking).await?;
        booking.commit().await?;
        Ok(note.into_row())
    }
}

/// A note that can't be issued, by the parameter that says so.
fn refused(error: &CreditNoteError) -> Refused {
    let message = error.to_string();
    match error {
        CreditNoteError::InvoiceStatus => Refused::State {
            code: None,
            message,
        },
        CreditNoteError::Nothing
        | CreditNoteError::Amount { .. }
        | CreditNoteError::AmountMismatch { .. } => Refused::invalid("amount", message),
        CreditNoteError::NoSuchLine(line) => Refused::NotFound {
            kind: "line_item",
            id: line.to_string(),
            param: Some("lines".to_owned()),
        },
        CreditNoteError::LineTooMuch { index, .. } | CreditNoteError::LinePart { index } => {
            Refused::invalid(format!("lines[{index}][amount]"), message)
        }
        CreditNoteError::Split { .. } => Refused::invalid("refund_amount", message),
        CreditNoteError::GivenBack { param, .. } | CreditNoteError::Step { param, .. } => {
            Refused::invalid(*param, message)
        }
        CreditNoteError::NoSuchRefund { index, refund } => Refused::NotFound {
            kind: "refund",
            id: refund.to_string(),
            param: Some(format!("refunds[{index}][refund]")),
        },
        CreditNoteError::LinkTooMuch { index, .. } => {
            Refused::invalid(format!("refunds[{index}][amount_refunded]"), message)
        }
        CreditNoteError::Money(_) => Refused::TooLarge,
    }
}
