//! Collecting money for invoices.
//!
//! A charge happens once. The attempt is committed as `processing`, with its idempotency key, before
//! the gateway is called; the outcome is committed after. Whatever happens in between (a crash, a
//! timeout, a caller who goes away), the key is asked after at the gateway and never replaced by
//! another one while its outcome is unknown.

mod attaching;
mod attempt;
mod editing;
mod outcome;
mod particulars;
mod scheduling;
mod unapplied;

use perennial::customer::Customer;
use perennial::id::{InvoiceId, PaymentIntentId, PaymentMethodId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::payment::{Decline, PaymentIntent, PaymentMethod, PaymentStatus};
use perennial::subscription::Subscription;

use super::booking::Edit;
use super::invoices::Collect;
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

pub use attaching::NewIntent;
pub(crate) use attempt::Begun;
use attempt::payable as refused_in;
pub use attempt::return_path;
pub(crate) use attempt::{Claim, begin, count_attempt, nothing_to_pay_with, refused_as, unsent};
pub use editing::IntentUpdate;
use outcome::{Failure, leave_out};
pub(crate) use outcome::{fail, tell_failure};
pub use particulars::ParticularsUpdate;
pub(crate) use particulars::check_statement_of;

/// What became of a payment.
#[derive(Clone, Debug)]
pub enum PaymentResult {
    /// The invoice is paid.
    Paid {
        /// As it is now.
        invoice: Stored<Invoice>,
    },
    /// The bank said no; the invoice is still open.
    Declined {
        /// As it is now.
        invoice: Stored<Invoice>,
        /// What the bank said.
        decline: Decline,
    },
    /// The customer must prove who they are.
    RequiresAction {
        /// As it is now.
        invoice: Stored<Invoice>,
        /// Where: a path on this site or a URL of the gateway.
        challenge_url: String,
    },
    /// The gateway has not answered. A worker finds out what became of it; nothing is sent twice.
    Unknown {
        /// As it is now.
        invoice: Stored<Invoice>,
    },
}

impl PaymentResult {
    /// The invoice as it is now.
    #[must_use]
    pub fn invoice(&self) -> &Stored<Invoice> {
        match self {
            Self::Paid { invoice }
            | Self::Declined { invoice, .. }
            | Self::RequiresAction { invoice, .. }
            | Self::Unknown { invoice } => invoice,
        }
    }

    /// The invoice as it is now.
    #[must_use]
    pub fn into_invoice(self) -> Stored<Invoice> {
        match self {
            Self::Paid { invoice }
            | Self::Declined { invoice, .. }
            | Self::RequiresAction { invoice, .. }
            | Self::Unknown { invoice } => invoice,
        }
    }

    fn of(invoice: Stored<Invoice>, intent: &PaymentIntent) -> Self {
        match (intent.status, &intent.challenge, &intent.last_error) {
            (PaymentStatus::Succeeded, _, _) => Self::Paid { invoice },
            (PaymentStatus::RequiresAction, Some(url), _) => Self::RequiresAction {
                challenge_url: url.clone(),
                invoice,
            },
            (PaymentStatus::Processing, _, _) => Self::Unknown { invoice },
            (_, _, Some(decline)) => Self::Declined {
                decline: decline.clone(),
                invoice,
            },
            _ => Self::Declined {
                decline: nothing_to_pay_with(),
                invoice,
            },
        }
    }
}

/// Who starts an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starter {
    /// The customer, here to answer a challenge, or the merchant's code.
    Somebody {
        /// The customer is here.
        on_session: bool,
    },
    /// A worker, by the schedule.
    Schedule,
    /// A worker, right after the schedule's attempt was declined, with another method that the
    /// customer allowed.
    Backup,
}

impl Engine {
    /// Pays an invoice with `method`, or with what pays it by default.
    ///
    /// # Errors
    /// [`Refused::State`] when there is nothing to pay or nothing to pay with;
    /// [`Refused::NotFound`] when the method is not the customer's. A decline is no error.
    pub async fn pay_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        method: Option<PaymentMethodId>,
        on_session: bool,
    ) -> Result<PaymentResult, Refused> {
        let found: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        if found.status == InvoiceStatus::Draft {
            self.retrying(|| self.finalize_once(scope, id, Some(Collect::Later)))
                .await?;
        }
        self.pay(scope, id, method.as_ref(), Starter::Somebody { on_session })
            .await
    }

    pub(crate) async fn pay(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        method: Option<&PaymentMethodId>,
        starter: Starter,
    ) -> Result<PaymentResult, Refused> {
        if let Some(result) = self.clear_the_way(scope, id, method, starter).await? {
            return Ok(result);
        }
        match self
            .retrying(|| self.begin_once(scope, id, method, starter))
            .await?
        {
            Begun::Send(claim) => self.send(scope, *claim).await,
            Begun::Over(result) => Ok(*result),
        }
    }

    /// Deals with an attempt that is still out, so that no two can both succeed.
    async fn clear_the_way(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        method: Option<&PaymentMethodId>,
        starter: Starter,
    ) -> Result<Option<PaymentResult>, Refused> {
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        let Some(intent) = &invoice.payment_intent else {
            return Ok(None);
        };
        let intent: Stored<PaymentIntent> = self.find(scope, intent.as_str()).await?;
        let result = match intent.status {
            PaymentStatus::Processing => self.ask_after(scope, &intent.id).await?,
            PaymentStatus::RequiresAction => {
                let same = method.is_none() || method == intent.payment_method.as_ref();
                let here = starter == Starter::Somebody { on_session: true };
                if same && here {
                    self.ask_after(scope, &intent.id).await?
                } else {
                    self.abandon(scope, &intent).await?
                }
            }
            _ => return Ok(None),
        };
        Ok(match result {
            PaymentResult::Declined { .. } => None,
            result => Some(result),
        })
    }

    /// Called when a customer comes back from a challenge: finds out what became of the payment.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such payment.
    pub async fn finish_payment(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<PaymentResult, Refused> {
        let intent: Stored<PaymentIntent> = self.find(scope, id.as_str()).await?;
        if intent.invoice.is_none() {
            // It belongs to no invoice, so there is none to go back to.
            self.ask_after_unapplied(scope, &intent).await?;
            return Err(Refused::not_found("invoice", id.as_str()));
        }
        self.ask_after(scope, id).await
    }

    /// Makes sure that no attempt on an invoice is out any more, unless nobody knows what became of
    /// it. What the bank has taken already is recorded.
    pub(crate) async fn give_up_payment(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<(), Refused> {
        let schedule = Starter::Schedule;
        let result = self.clear_the_way(scope, id, None, schedule).await?;
        // It was with the bank and came to the customer only now: nobody waits for their proof.
        if let Some(PaymentResult::RequiresAction { .. }) = result {
            self.clear_the_way(scope, id, None, schedule).await?;
        }
        Ok(())
    }

    /// Gives up what is out on any of these invoices, so that no challenge that is still open can
    /// take money for them later.
    pub(crate) async fn give_up_payments(
        &self,
        scope: &Scope,
        invoices: &[Stored<Invoice>],
    ) -> Result<(), Refused> {
        let ids = invoices.iter().filter_map(|row| {
            let unpaid = matches!(
                row.status,
                InvoiceStatus::Open | InvoiceStatus::Uncollectible
            );
            let id = row.payment_intent.as_ref().filter(|_| unpaid)?;
            Some(id.to_string())
        });
        let ids: Vec<String> = ids.collect();
        let mut connection = self.store.read().await?;
        let mut intents: Vec<Stored<PaymentIntent>> =
            document::load_many(&mut connection, scope, &ids).await?;
        drop(connection);
        intents.retain(|intent| intent.status.is_out());
        for intent in &intents {
            if let Some(invoice) = &intent.invoice {
                self.give_up_payment(scope, invoice).await?;
            }
        }
        Ok(())
    }

    /// The intent of an invoice, if it can be given up: not while it is being charged.
    pub(crate) async fn idle_intent(
        &self,
        scope: &Scope,
        invoice: &Invoice,
    ) -> Result<Option<Edit<PaymentIntent>>, Refused> {
        let Some(id) = &invoice.payment_intent else {
            return Ok(None);
        };
        let intent = self.edit_intent(scope, id).await?;
        match intent.status {
            PaymentStatus::Processing | PaymentStatus::RequiresAction => Err(Refused::State {
                code: Some("invoice_payment_in_progress"),
                message: "A payment of this invoice is under way. Try again in a moment."
                    .to_owned(),
            }),
            PaymentStatus::Succeeded | PaymentStatus::Canceled => Ok(None),
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation => {
                Ok(Some(intent))
            }
        }
    }

    /// What pays an invoice: `wanted`, or the invoice's own method, the subscription's, the
    /// customer's, in this order. Methods that were removed don't count.
    pub(crate) async fn paying_method(
        &self,
        scope: &Scope,
        invoice: &Invoice,
        subscription: Option<&Subscription>,
        customer: &Customer,
        wanted: Option<&PaymentMethodId>,
    ) -> Result<Option<Stored<PaymentMethod>>, Refused> {
        let theirs =
            |method: &Stored<PaymentMethod>| method.customer.as_ref() == Some(&customer.id);
        if let Some(id) = wanted {
            let found = self.look_up(scope, id.as_str()).await?;
            let found = found.filter(theirs).ok_or_else(|| Refused::NotFound {
                kind: "payment_method",
                id: id.to_string(),
                param: Some("payment_method".to_owned()),
            })?;
            return Ok(Some(found));
        }
        self.method_of(
            scope,
            invoice.default_payment_method.as_ref(),
            subscription,
            customer,
        )
        .await
    }

    /// A method by its id, if it is still known.
    pub(crate) async fn lookup_method(
        &self,
        scope: &Scope,
        id: &PaymentMethodId,
    ) -> Result<Option<Stored<PaymentMethod>>, Refused> {
        let mut connection = self.store.read().await?;
        Ok(document::load(&mut connection, scope, id.as_str()).await?)
    }

    /// The first of these that is still there: `first`, the subscription's, the customer's.
    pub(crate) async fn method_of(
        &self,
        scope: &Scope,
        first: Option<&PaymentMethodId>,
        subscription: Option<&Subscription>,
        customer: &Customer,
    ) -> Result<Option<Stored<PaymentMethod>>, Refused> {
        let own = subscription.and_then(|own| own.default_payment_method.as_ref());
        let candidates = [first, own, customer.default_payment_method.as_ref()];
        for id in candidates.into_iter().flatten() {
            let found = self.look_up(scope, id.as_str()).await?;
            if let Some(method) = found
                .filter(|own: &Stored<PaymentMethod>| own.customer.as_ref() == Some(&customer.id))
            {
                return Ok(Some(method));
            }
        }
        Ok(None)
    }
}
