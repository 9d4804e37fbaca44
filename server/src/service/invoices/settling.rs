//! What a merchant does with an invoice beside charging it: sending it, and noting that it was paid
//! past the gateway.

use perennial::id::InvoiceId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::ledger::{self, Way};
use perennial::payment::PaymentStatus;

use super::Collect;
use crate::service::booking::Booking;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

impl Engine {
    /// Notes that an invoice was paid past the gateway, in full. A draft becomes final first.
    ///
    /// # Errors
    /// [`Refused::State`] when it is paid or void, or a payment is under way.
    pub async fn pay_out_of_band(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        let found: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        if found.status == InvoiceStatus::Draft {
            self.retrying(|| self.finalize_once(scope, id, Some(Collect::Later)))
                .await?;
        }
        self.give_up_payment(scope, id).await?;
        self.retrying(|| self.pay_out_of_band_once(scope, id)).await
    }

    async fn pay_out_of_band_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        let now = self.now();
        let mut books = self.books(scope, id).await?;
        let invoice = &mut *books.invoice;
        if invoice.status == InvoiceStatus::Paid && invoice.amount_due_minor == 0 {
            // Finalising was all that it took.
            return Ok(books.invoice.into_row());
        }
        let rest = invoice.amount_remaining_minor();
        if invoice.status == InvoiceStatus::Paid {
            return Err(Refused::State {
                code: None,
                message: "Invoice is already paid".to_owned(),
            });
        }
        let transfers = ledger::paid(invoice, rest, Way::OutOfBand, now);
        let transfers = transfers.map_err(|_| Refused::TooLarge)?;
        let mut intent = self.idle_intent(scope, invoice).await?;
        invoice.settle(rest, now)?;
        invoice.out_of_band_minor = invoice
            .out_of_band_minor
            .checked_add(rest)
            .ok_or(Refused::TooLarge)?;
        books.customer.delinquent = false;
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
        if let Some(intent) = &mut intent {
            booking.save_quietly(intent).await?;
            booking.tell("payment_intent.canceled", &**intent).await?;
        }
        booking.post(&transfers).await?;
        booking.tell("invoice.paid", &*books.invoice).await?;
        books.write(&mut booking).await?;
        booking.commit().await?;
        Ok(books.invoice.into_row())
    }

    /// Sends an invoice to its customer; a draft becomes final first.
    ///
    /// # Errors
    /// [`Refused::State`] when it is not to be sent, or is void.
    pub async fn send_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<Stored<Invoice>, Refused> {
        let found: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        if found.status == InvoiceStatus::Void {
            return Err(Refused::State {
                code: Some("invoice_not_editable"),
                message: "A void invoice can't be sent.".to_owned(),
            });
        }
        if found.status == InvoiceStatus::Draft {
            self.finalize_and_collect(scope, id).await?;
        }
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        let mut booking = Booking::begin(self, scope).await?;
        booking.tell("invoice.sent", &invoice.value).await?;
        booking.commit().await?;
        Ok(invoice)
    }
}
