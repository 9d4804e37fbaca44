//! What a merchant settles about a subscription's invoices: how they are paid, what stands on them, and
//! how often waiting amounts are billed between its periods.

use serde::{Deserialize, Serialize};

use super::renew::taken_up;
use super::{Renewed, Subscription, SubscriptionError};
use crate::calendar::{Cadence, Timestamp};
use crate::customer::{Customer, TaxId};
use crate::id::{PaymentMethodId, Randomness, SetupIntentId};
use crate::invoice::{BillingReason, CustomField, Invoice, InvoiceItem};

/// Stripe's `payment_settings`, `invoice_settings` and `pending_invoice_item_interval`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether the method that pays an invoice becomes the subscription's default one: Stripe's
    /// `save_default_payment_method` `on_subscription`.
    pub saves_payment_method: bool,
    /// Whether the merchant said that cards pay it, instead of leaving that to us. Nothing else pays
    /// here, so that it is only shown.
    pub cards_only: bool,
    /// Whether the merchant said that the bank decides when the customer must prove who they are. It
    /// does anyway, so that it is only shown.
    pub bank_asks_for_proof: bool,
    /// How often waiting amounts are billed, beside each renewal.
    pub pending_items: Option<PendingItems>,
    /// The merchant's tax registrations that stand on its invoices.
    pub account_tax_ids: Vec<TaxId>,
    /// Printed in the head of its invoices.
    pub custom_fields: Vec<CustomField>,
    /// Printed above the lines of its invoices.
    pub description: Option<String>,
    /// Printed below the lines of its invoices.
    pub footer: Option<String>,
    /// The set-up that waits, so that the end of a trial finds something to pay with.
    pub pending_setup_intent: Option<SetupIntentId>,
}

/// How often waiting amounts are billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingItems {
    /// Every so often, counted from the subscription's anchor.
    pub every: Cadence,
    /// The next time.
    pub next_at: Timestamp,
}

impl Settings {
    /// Bills waiting amounts every so often from `now` on. Times are counted from `anchor`, so that they
    /// fall together with renewals where they can. Stripe does not say from where it counts.
    ///
    /// # Errors
    /// When the next time lies beyond the last year.
    pub fn bill_pending_items(
        &mut self,
        every: Cadence,
        anchor: Timestamp,
        now: Timestamp,
    ) -> Result<(), SubscriptionError> {
        let next_at = every.period_containing(anchor, now)?.end;
        self.pending_items = Some(PendingItems { every, next_at });
        Ok(())
    }

    /// Puts on a new draft what stands on all invoices of the subscription.
    pub(crate) fn write_on(&self, invoice: &mut Invoice) {
        invoice.seller_tax_ids.clone_from(&self.account_tax_ids);
        invoice.custom_fields.clone_from(&self.custom_fields);
        invoice.description.clone_from(&self.description);
        invoice.footer.clone_from(&self.footer);
    }
}

impl Subscription {
    /// When waiting amounts are billed next, beside renewals.
    #[must_use]
    pub fn pending_items_at(&self) -> Option<Timestamp> {
        let settings = self.settings.as_ref()?;
        settings.pending_items.map(|own| own.next_at)
    }

    /// Bills what waits, as of the moment that was settled for it. What began to wait later waits on;
    /// where nothing waits there is no invoice, and the times that are over by `now` are passed over.
    ///
    /// # Errors
    /// When nothing is due by `now`, or an amount can't be computed. `self` is unchanged then.
    pub fn bill_pending_items(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Renewed, SubscriptionError> {
        let due = self.settings.as_ref().and_then(|own| own.pending_items);
        let due = due.filter(|own| own.next_at <= now);
        let Some(PendingItems { every, next_at: at }) = due else {
            let due = self.pending_items_at().unwrap_or(now);
            return Err(SubscriptionError::NotDue { due });
        };
        let waiting: Vec<InvoiceItem> = pending
            .iter()
            .filter(|item| item.date <= at)
            .cloned()
            .collect();
        let mut next = self.clone();
        let mut made = next.invoice_waiting(customer, &waiting, at, ids)?;
        if let Some(invoice) = &mut made.invoice {
            invoice.billing_reason = BillingReason::AutomaticPendingInvoiceItemInvoice;
        }
        let passed = if pending.is_empty() { now } else { at };
        if let Some(settings) = &mut next.settings {
            settings.bill_pending_items(every, next.billing_cycle_anchor, passed)?;
        }
        *self = next;
        Ok(Renewed {
            taken: taken_up(made.invoice.as_ref()),
            ..made
        })
    }

    /// Notes that a method has paid one of its invoices: it becomes the default one where that is
    /// settled.
    pub fn note_payment(&mut self, method: &PaymentMethodId) {
        let saves = |own: &Settings| own.saves_payment_method;
        if self.settings.as_deref().is_some_and(saves) {
            self.default_payment_method = Some(method.clone());
        }
    }
}
