//! Billing usage before its period ends, once enough has come together: Stripe's
//! `billing_thresholds`.

use super::{Renewed, Status, Subscription, SubscriptionError, Usage};
use crate::calendar::{Period, Timestamp};
use crate::customer::Customer;
use crate::decimal::Decimal12;
use crate::id::Randomness;
use crate::invoice::{BillingReason, Draft, InvoiceItem, draft};
use crate::money::MoneyError;
use crate::proration;

use super::renew::taken_up;

impl Subscription {
    /// Whether anything about it waits for a threshold.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        let amount = self.billing_thresholds.and_then(|own| own.amount_gte);
        amount.is_some() || self.items.iter().any(|item| item.usage_gte.is_some())
    }

    /// Whether what was used since it was billed last has reached a threshold: an item's units, or
    /// the amount of all together, before discounts and tax. Only what runs as agreed is billed
    /// early; where collection is paused, or a change waits for its payment, the end of the period
    /// bills it.
    ///
    /// # Errors
    /// When an amount can't be computed.
    pub fn reaches_threshold(&self, usage: &[Usage]) -> Result<bool, SubscriptionError> {
        let runs = matches!(self.status, Status::Active | Status::PastDue);
        if !runs || self.pause_collection.is_some() || self.pending_update.is_some() {
            return Ok(false);
        }
        let mut sum = 0_i64;
        for own in usage.iter().filter(|own| !own.quantity.is_negative()) {
            let Ok(item) = self.item(&own.item) else {
                continue;
            };
            let mark = item.usage_gte.and_then(|mark| i64::try_from(mark).ok());
            let mark = mark.map(Decimal12::from_integer);
            if mark.is_some_and(|mark| own.quantity >= mark && !own.quantity.is_zero()) {
                return Ok(true);
            }
            let amount = item.usage_amount_minor(own.quantity)?;
            sum = sum.checked_add(amount).ok_or(MoneyError::Overflow)?;
        }
        let mark = self.billing_thresholds.and_then(|own| own.amount_gte);
        Ok(mark.is_some_and(|mark| sum >= mark && sum > 0))
    }

    /// Remembers that usage is billed until `at`; what comes after goes on from there, in the tiers
    /// that it has reached.
    ///
    /// # Errors
    /// When the sum is out of range.
    pub fn count_billed_usage(
        &mut self,
        usage: &[Usage],
        at: Timestamp,
    ) -> Result<(), SubscriptionError> {
        for item in &mut self.items {
            let Some(own) = usage.iter().find(|own| own.item == item.id) else {
                continue;
            };
            let before = item.usage_before.unwrap_or(Decimal12::ZERO).scaled();
            let sum = before.checked_add(own.quantity.scaled());
            let sum = sum.and_then(|sum| Decimal12::from_scaled(sum).ok());
            item.usage_before = Some(sum.ok_or(MoneyError::Overflow)?);
            item.usage_from = Some(at);
        }
        Ok(())
    }

    /// An invoice of what waits, as a draft; `None` when nothing does.
    ///
    /// # Errors
    /// When an amount can't be computed.
    pub fn invoice_waiting(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Renewed, SubscriptionError> {
        let input = Draft {
            customer,
            subscription: Some(self),
            currency: self.currency,
            billing_reason: BillingReason::SubscriptionThreshold,
            lines: Vec::new(),
            pending,
            period: Period { start: at, end: at },
            at,
        };
        let invoice = Some(draft(input, ids)?).filter(|invoice| !invoice.lines.is_empty());
        if let Some(invoice) = &invoice {
            self.count_commitments(&invoice.lines, at)?;
            proration::note_billed(&mut self.items, &invoice.lines)?;
            self.latest_invoice = Some(invoice.id.clone());
        }
        Ok(Renewed {
            at,
            taken: taken_up(invoice.as_ref()),
            invoice,
            added: Vec::new(),
        })
    }
}
