//! Voiding an invoice, writing it off, and what either does to its subscription's standing.

use perennial::id::InvoiceId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::ledger;
use perennial::payment::PaymentStatus;
use perennial::subscription::{CollectionMethod, Event, Status, Subscription};

use super::{defect, entry};
use crate::service::booking::{Booking, Edit};
use crate::service::books::Parts;
use crate::service::pending_updates::settle;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

impl Engine {
    /// Declares an invoice never to have been. A draft is voided too when a subscription ends.
    ///
    /// # Errors
    /// [`Refused::State`] when it is paid or void, or a payment is under way.
    pub async fn void_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        self.give_up_payment(scope, id).await?;
        self.retrying(|| self.close_once(scope, id, Closing::Void))
            .await
    }

    /// Writes an invoice off, as its merchant says. It may still be paid or voided. The customer is
    /// not delinquent any more (Stripe: `delinquent` of a customer).
    ///
    /// # Errors
    /// [`Refused::State`] when it is not open.
    pub async fn mark_uncollectible(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        self.retrying(|| self.close_once(scope, id, Closing::Uncollectible))
            .await
    }

    /// Writes an invoice off because nobody paid it for long. The customer stays delinquent.
    ///
    /// # Errors
    /// [`Refused::State`] when it is not open.
    pub(crate) async fn write_off(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        self.retrying(|| self.close_once(scope, id, Closing::Unpaid))
            .await
    }

    async fn close_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        how: Closing,
    ) -> Result<Stored<Invoice>, Refused> {
        let now = self.now();
        let mut books = self.books(scope, id).await?;
        let mut entries = Vec::new();
        let transfers;
        let mut intent = None;
        let Parts {
            invoice, customer, ..
        } = books.parts();
        match how {
            Closing::Void => {
                transfers = ledger::voided(invoice, now).map_err(|_| Refused::TooLarge)?;
                if let Some(change) = invoice.void(customer, now)? {
                    entries.push(entry(&change, customer, invoice, now, &mut self.ids()));
                }
                intent = self.idle_intent(scope, invoice).await?;
            }
            Closing::Uncollectible | Closing::Unpaid => {
                if how == Closing::Uncollectible {
                    customer.delinquent = false;
                }
                invoice.mark_uncollectible(now)?;
                transfers = ledger::written_off(invoice, now).map_err(|_| Refused::TooLarge)?;
            }
        }
        if let Some(own) = &mut books.subscription {
            self.standing_after(scope, own, &books.invoice).await?;
        }
        if let Some(intent) = &mut intent {
            intent.status = PaymentStatus::Canceled;
            intent.canceled_at = Some(now);
            intent.challenge = None;
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut books.invoice).await?;
        booking.tell(how.event(), &*books.invoice).await?;
        if let Some(intent) = &mut intent {
            booking.save_quietly(intent).await?;
            booking.tell("payment_intent.canceled", &**intent).await?;
        }
        booking.insert_all(entries).await?;
        booking.post(&transfers).await?;
        books.write(&mut booking).await?;
        booking.commit().await?;
        Ok(books.invoice.into_row())
    }

    /// Moves a subscription's standing after one of its invoices was paid, voided or written off.
    ///
    /// A first invoice that is voided ends an incomplete subscription. Later, Stripe's walk from the
    /// newest invoice to the oldest decides: paid or written off means good standing, one that is
    /// open and failed does not, others don't count.
    pub(crate) async fn standing_after(
        &self,
        scope: &Scope,
        subscription: &mut Edit<Subscription>,
        invoice: &Invoice,
    ) -> Result<(), Refused> {
        let event = match subscription.status {
            Status::Incomplete if subscription.latest_invoice.as_ref() == Some(&invoice.id) => {
                match invoice.status {
                    InvoiceStatus::Paid | InvoiceStatus::Uncollectible => {
                        Some(Event::FirstPaymentSucceeded)
                    }
                    InvoiceStatus::Void => Some(Event::FirstPaymentExpired),
                    InvoiceStatus::Draft | InvoiceStatus::Open => None,
                }
            }
            status @ (Status::PastDue | Status::Unpaid) => {
                let invoices = self.invoices_of(scope, &subscription.id).await?;
                settled(status, &invoices, invoice).then_some(Event::Paid)
            }
            _ => None,
        };
        if let Some(event) = event {
            subscription.status = subscription.status.transition(event).map_err(defect)?;
        }
        settle(subscription, invoice);
        settle_resumption(subscription, invoice)?;
        if subscription.status == Status::IncompleteExpired {
            subscription.ended_at = Some(self.now());
        }
        Ok(())
    }
}

/// Ends a pause whose resumption was paid or written off, or goes back to it where the invoice was
/// voided.
fn settle_resumption(own: &mut Subscription, invoice: &Invoice) -> Result<(), Refused> {
    if own
        .resumption()
        .is_none_or(|waits| waits.invoice != invoice.id)
    {
        return Ok(());
    }
    match invoice.status {
        InvoiceStatus::Paid | InvoiceStatus::Uncollectible => own.finish_resumption()?,
        InvoiceStatus::Void => own.drop_resumption(),
        InvoiceStatus::Draft | InvoiceStatus::Open => {}
    }
    Ok(())
}

/// Whether nothing is owed any more, now that `changed` is as it is.
fn settled(status: Status, invoices: &[Stored<Invoice>], changed: &Invoice) -> bool {
    for row in invoices {
        let invoice = if row.id == changed.id {
            changed
        } else {
            &row.value
        };
        match invoice.status {
            InvoiceStatus::Paid | InvoiceStatus::Uncollectible => return true,
            InvoiceStatus::Open if invoice.attempt_count > 0 || is_overdue(invoice) => {
                return false;
            }
            // Drafts of an unpaid subscription are owed as well.
            InvoiceStatus::Draft if status == Status::Unpaid => return false,
            InvoiceStatus::Open | InvoiceStatus::Draft | InvoiceStatus::Void => {}
        }
    }
    true
}

/// Whether a sent invoice has been found past its due date.
fn is_overdue(invoice: &Invoice) -> bool {
    invoice.collection_method == CollectionMethod::SendInvoice
        && invoice.due_date.is_some()
        && invoice.next_payment_attempt.is_none()
}

/// What becomes of an invoice instead of collecting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Void,
    /// The merchant writes it off.
    Uncollectible,
    /// It is written off by itself.
    Unpaid,
}

impl Closing {
    const fn event(self) -> &'static str {
        match self {
            Self::Void => "invoice.voided",
            Self::Uncollectible | Self::Unpaid => "invoice.marked_uncollectible",
        }
    }
}
