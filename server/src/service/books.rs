//! An invoice with everybody whom its fate concerns: read together, written together.

use perennial::customer::Customer;
use perennial::id::InvoiceId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::subscription::{Status, Subscription};

use super::booking::{Booking, Edit};
use super::pending_updates::fate;
use super::{Engine, Refused};
use crate::store::Scope;

/// The rows around one invoice.
pub(crate) struct Books {
    /// The invoice.
    pub(crate) invoice: Edit<Invoice>,
    /// Who owes.
    pub(crate) customer: Edit<Customer>,
    /// What caused it.
    pub(crate) subscription: Option<Edit<Subscription>>,
    /// Other invoices that stop with the subscription.
    pub(crate) stopped: Vec<Edit<Invoice>>,
    /// A newer invoice of the subscription is settled: what becomes of this one says nothing about the
    /// subscription's standing.
    pub(crate) overtaken: bool,
}

/// The values of [`Books`], to decide about.
pub(crate) struct Parts<'a> {
    pub(crate) invoice: &'a mut Invoice,
    pub(crate) customer: &'a mut Customer,
    pub(crate) subscription: Option<&'a mut Subscription>,
    pub(crate) overtaken: bool,
}

impl Books {
    pub(crate) fn parts(&mut self) -> Parts<'_> {
        Parts {
            invoice: &mut self.invoice,
            customer: &mut self.customer,
            subscription: self.subscription.as_deref_mut(),
            overtaken: self.overtaken,
        }
    }

    /// Saves what changed. Only the customer's and the subscription's changes are told here.
    pub(crate) async fn write(&mut self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        booking.save_quietly(&mut self.invoice).await?;
        booking.save(&mut self.customer).await?;
        for invoice in &mut self.stopped {
            booking.save(invoice).await?;
        }
        if let Some(subscription) = &mut self.subscription {
            save_subscription(booking, subscription).await?;
        }
        Ok(())
    }
}

impl Engine {
    /// Reads the books of an invoice.
    pub(crate) async fn books(&self, scope: &Scope, id: &InvoiceId) -> Result<Books, Refused> {
        let invoice = self.edit_invoice(scope, id).await?;
        let customer = self.edit_customer(scope, &invoice.customer).await?;
        let subscription = match &invoice.subscription {
            Some(id) => Some(self.edit_subscription(scope, id).await?),
            None => None,
        };
        let stopped = Vec::new();
        Ok(Books {
            invoice,
            customer,
            subscription,
            stopped,
            overtaken: false,
        })
    }

    /// Finds out whether a newer invoice of the subscription is settled. A refusal asks before it puts
    /// the subscription in arrears: the newest invoice that was paid, written off or refused decides
    /// about the standing, in whichever order the answers come in.
    pub(crate) async fn look_ahead(&self, scope: &Scope, books: &mut Books) -> Result<(), Refused> {
        let Some(own) = &books.subscription else {
            return Ok(());
        };
        if own.latest_invoice.as_ref() == Some(&books.invoice.id) {
            return Ok(());
        }
        let newest = self.invoices_of(scope, &own.id).await?;
        let mut newer = newest.iter().take_while(|row| row.id != books.invoice.id);
        books.overtaken = newer.any(|row| {
            matches!(
                row.status,
                InvoiceStatus::Paid | InvoiceStatus::Uncollectible
            )
        });
        Ok(())
    }

    /// The unpaid invoices of a subscription that ends: they stop moving by themselves.
    pub(crate) async fn stopped_with(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        except: Option<&Invoice>,
    ) -> Result<Vec<Edit<Invoice>>, Refused> {
        let mut stopped = Vec::new();
        for row in self.invoices_of(scope, &subscription.id).await? {
            let live = matches!(row.status, InvoiceStatus::Draft | InvoiceStatus::Open);
            let own = except.is_some_and(|own| own.id == row.id);
            if own || !live || !row.auto_advance {
                continue;
            }
            let mut invoice = Edit::of(row);
            stop(&mut invoice);
            stopped.push(invoice);
        }
        Ok(stopped)
    }
}

/// Stops an invoice from moving by itself.
pub(crate) fn stop(invoice: &mut Invoice) {
    invoice.auto_advance = false;
    invoice.next_payment_attempt = None;
    invoice.automatically_finalizes_at = None;
}

/// Saves a subscription under the event that fits (its end has one of its own), and its schedule with
/// it. A pause and its end are told in addition to the change that they are.
pub(crate) async fn save_subscription(
    booking: &mut Booking<'_>,
    subscription: &mut Edit<Subscription>,
) -> Result<(), Refused> {
    let led = booking.engine().led(booking.scope(), subscription).await?;
    if let Some(led) = led {
        led.write(booking).await?;
    }
    let waited = fate(subscription.before(), subscription);
    let (was, is) = (subscription.before().status, subscription.status);
    let ended = is == Status::Canceled && was != Status::Canceled;
    if !ended {
        booking.save(subscription).await?;
        if let Some(kind) = waited {
            booking.tell(kind, &**subscription).await?;
        }
        return match (was == Status::Paused, is == Status::Paused) {
            (false, true) => {
                let kind = "customer.subscription.paused";
                booking.tell(kind, &**subscription).await
            }
            (true, false) => {
                let kind = "customer.subscription.resumed";
                booking.tell(kind, &**subscription).await
            }
            _ => Ok(()),
        };
    }
    booking.save_quietly(subscription).await?;
    booking
        .tell("customer.subscription.deleted", &**subscription)
        .await
}
