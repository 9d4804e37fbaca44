//! Ending a subscription, and taking that back.

use super::state::Event;
use super::{
    BillingMode, Cancellation, CancellationReason, Changed, MissingPaymentMethod, PauseReason,
    ProrationBehavior, Status, Subscription, SubscriptionError, Usage,
};
use crate::calendar::{Period, Timestamp};
use crate::customer::Customer;
use crate::id::{InvoiceItemId, Randomness, SubscriptionScheduleId};
use crate::invoice::{BillingReason, Draft, Invoice, InvoiceItem, Line, LineDraft, draft};
use crate::proration;
use crate::quote::waiting_items;

/// How a subscription ends at once. By default nothing is credited and nothing more is billed, as at
/// Stripe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelNow {
    /// Whether unused time is credited.
    pub prorate: bool,
    /// Whether usage, waiting items and the credit are invoiced now.
    pub invoice_now: bool,
    /// The usage of the running periods; billed only with `invoice_now`.
    pub usage: Vec<Usage>,
    /// Lines of its invoices that are drafts or void ([`super::unbilled_lines`]): drafts stop when it
    /// ends, so their time is not credited either.
    pub unbilled: Vec<Line>,
    /// Why.
    pub cancellation: Cancellation,
}

/// What ending at once brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanceledNow {
    /// The last invoice, as a draft.
    pub invoice: Option<Invoice>,
    /// Waiting items that it took up.
    pub taken: Vec<InvoiceItemId>,
    /// Credits that wait for the customer's next invoice.
    pub pending: Vec<InvoiceItem>,
    /// Waiting prorations of this subscription that are dropped, because nothing more is billed.
    pub dropped: Vec<InvoiceItemId>,
}

impl Subscription {
    /// Ends it at `at`.
    ///
    /// # Errors
    /// When it is over already, or an amount can't be computed. `self` is unchanged then.
    pub fn cancel_now(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        how: &CancelNow,
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<CanceledNow, SubscriptionError> {
        let mut next = self.clone();
        let mut lines: Vec<LineDraft> = Vec::new();
        if how.invoice_now && next.status.is_billing() {
            next.cancel_at = Some(at);
            lines.extend(next.usage_lines(at, &how.usage, ids)?);
        }
        if how.prorate {
            let billed = self.without(&how.unbilled);
            lines.extend(billed.unused_time(customer, at, ids)?);
        }
        next.status = next.status.transition(Event::Cancel)?;
        next.cancel_at = None;
        next.cancel_at_period_end = false;
        next.canceled_at = Some(at);
        next.ended_at = Some(at);
        next.paused = None;
        next.scheduled_change = None;
        next.pending_update = None;
        next.cancellation = Some(reasoned(how.cancellation.clone()));
        let mut brought = CanceledNow {
            invoice: None,
            taken: Vec::new(),
            pending: Vec::new(),
            dropped: Vec::new(),
        };
        if how.invoice_now {
            let input = Draft {
                customer,
                subscription: Some(&next),
                currency: next.currency,
                billing_reason: BillingReason::SubscriptionUpdate,
                lines,
                pending,
                period: Period { start: at, end: at },
                at,
            };
            brought.invoice = Some(draft(input, ids)?).filter(|invoice| !invoice.lines.is_empty());
            brought.taken = super::renew::taken_up(brought.invoice.as_ref());
            if let Some(invoice) = &brought.invoice {
                next.latest_invoice = Some(invoice.id.clone());
            }
        } else if how.prorate {
            brought.pending = waiting_items(&next, lines, at, ids);
        } else {
            let theirs = |item: &&InvoiceItem| {
                item.proration
                    && item.invoice.is_none()
                    && item.line.subscription.as_ref() == Some(&next.id)
            };
            brought.dropped = pending
                .iter()
                .filter(theirs)
                .map(|item| item.id.clone())
                .collect();
        }
        *self = next;
        Ok(brought)
    }

    /// What ending at `at` would credit: the unused time of everything billed, as lines.
    ///
    /// # Errors
    /// When an amount can't be computed.
    pub fn unused_time(
        &self,
        customer: &Customer,
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Vec<LineDraft>, SubscriptionError> {
        let gone = Changed {
            items: Vec::new(),
            billing_cycle_anchor: self.billing_cycle_anchor,
            resets: false,
        };
        let behavior = ProrationBehavior::CreateProrations;
        let discounts = self.effective_discounts(customer);
        Ok(proration::prorate(self, gone, discounts, behavior, at, ids)?.lines)
    }

    /// Lets it end with the running period (the earliest to end, where items differ). Flexible mode
    /// sets `cancel_at`, classic mode the flag too. Answers with the moment.
    ///
    /// # Errors
    /// When it is over, or its first payment is still open.
    pub fn cancel_at_period_end(
        &mut self,
        cancellation: Cancellation,
        now: Timestamp,
    ) -> Result<Timestamp, SubscriptionError> {
        if !self.status.is_changeable() || self.status == Status::Paused {
            return Err(SubscriptionError::Status(self.status));
        }
        self.check_free(SubscriptionError::UnderContract)?;
        let ends = self.whole_period_ends(now)?;
        let (end, _) = ends.ok_or(SubscriptionError::NoItems)?;
        // Also when that moment has passed and nobody has renewed yet: then it ends unrenewed.
        self.set_end(end, cancellation, now);
        self.cancel_at_period_end = self.billing_mode == BillingMode::Classic;
        Ok(end)
    }

    /// Lets it end at a moment: Stripe's `cancel_at`. Until then it renews as ever, and the last
    /// period is billed until the end only. What was billed beyond it is given back where the caller
    /// lets [`crate::quote::fit_to_end`] do so.
    ///
    /// # Errors
    /// When it is over, its first payment is still open, or the moment is not in the future.
    pub fn end_at(
        &mut self,
        end: Timestamp,
        cancellation: Cancellation,
        now: Timestamp,
    ) -> Result<(), SubscriptionError> {
        if !self.status.is_changeable() {
            return Err(SubscriptionError::Status(self.status));
        }
        self.check_free(SubscriptionError::UnderContract)?;
        if end <= now {
            return Err(SubscriptionError::CancelAtPassed);
        }
        self.set_end(end, cancellation, now);
        Ok(())
    }

    /// Refuses what only a merchant's schedule may say, with what is said then.
    pub(super) fn check_free(
        &self,
        refusal: fn(SubscriptionScheduleId) -> SubscriptionError,
    ) -> Result<(), SubscriptionError> {
        match &self.schedule {
            Some(schedule) if self.is_under_contract() => Err(refusal(schedule.clone())),
            _ => Ok(()),
        }
    }

    fn set_end(&mut self, end: Timestamp, cancellation: Cancellation, now: Timestamp) {
        self.cancel_at = Some(end);
        self.cancel_at_period_end = false;
        self.canceled_at = Some(now);
        self.cancellation = Some(reasoned(cancellation));
    }

    /// Takes back that it is to end.
    ///
    /// # Errors
    /// When it is over, or not set to end.
    pub fn keep(&mut self) -> Result<(), SubscriptionError> {
        if self.status.is_final() {
            return Err(SubscriptionError::Status(self.status));
        }
        self.check_free(SubscriptionError::UnderContract)?;
        if self.cancel_at.is_none() {
            return Err(SubscriptionError::NotEnding);
        }
        self.cancel_at = None;
        self.cancel_at_period_end = false;
        self.canceled_at = None;
        self.cancellation = None;
        Ok(())
    }

    /// The period whose end a customer's change waits for ends at another moment now. (A phase of a
    /// merchant's schedule keeps its date.)
    pub(crate) fn put_off_change(&mut self, to: Timestamp) {
        if let Some(change) = &mut self.scheduled_change
            && change.phase.is_none()
        {
            change.at = to;
        }
    }

    /// Takes back a change that waits.
    ///
    /// # Errors
    /// When none does.
    pub fn undo_scheduled_change(&mut self) -> Result<(), SubscriptionError> {
        self.check_free(SubscriptionError::ChangeUnderContract)?;
        self.scheduled_change
            .take()
            .map(|_| ())
            .ok_or(SubscriptionError::NoScheduledChange)
    }
}

impl Subscription {
    /// Ends a trial with nothing to pay with, as the merchant chose. Only for the choices that don't
    /// bill; [`super::MissingPaymentMethod::CreateInvoice`] is an ordinary
    /// [`Subscription::renew`].
    ///
    /// # Errors
    /// When it is not in a trial, or the choice is to bill.
    pub fn end_trial_unpayable(&mut self, now: Timestamp) -> Result<Status, SubscriptionError> {
        if self.trial_missing_payment_method == MissingPaymentMethod::CreateInvoice {
            return Err(SubscriptionError::Status(self.status));
        }
        let event = Event::TrialEndedUnpayable(self.trial_missing_payment_method);
        self.status = self.status.transition(event)?;
        if self.status == Status::Paused {
            self.stand_still(PauseReason::TrialEndWithoutPaymentMethod, now);
        }
        if self.status == Status::Canceled {
            self.canceled_at = Some(now);
            self.ended_at = Some(now);
            self.scheduled_change = None;
        }
        Ok(self.status)
    }

    /// Lets a running trial end at `now`; [`Subscription::renew`] is due then and bills the first
    /// period.
    ///
    /// # Errors
    /// When it is not in a trial.
    pub fn end_trial(&mut self, now: Timestamp) -> Result<(), SubscriptionError> {
        if self.status != Status::Trialing {
            return Err(SubscriptionError::Status(self.status));
        }
        if self.trial_end == Some(self.billing_cycle_anchor) && !self.trial_keeps_anchor {
            self.billing_cycle_anchor = now;
        }
        self.trial_end = Some(now);
        for item in &mut self.items {
            item.current_period.start = item.current_period.start.min(now);
            item.current_period.end = now;
        }
        self.put_off_change(now);
        Ok(())
    }
}

/// Somebody asked for it, unless another reason is given.
fn reasoned(mut cancellation: Cancellation) -> Cancellation {
    cancellation
        .reason
        .get_or_insert(CancellationReason::CancellationRequested);
    cancellation
}
