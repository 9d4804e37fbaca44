//! Standing still and going on: Stripe's paused status. A paused subscription bills nothing and has
//! no running period. (`pause_collection` is another thing: there billing goes on, and only
//! collecting stops.)

use serde::{Deserialize, Serialize};

use super::change::replace_items;
use super::renew::taken_up;
use super::state::Event;
use super::{
    Item, ProrationBehavior, Renewed, ScheduledChange, Status, Subscription, SubscriptionError,
    Usage,
};
use crate::calendar::{Period, Timestamp};
use crate::customer::Customer;
use crate::discount::Discount;
use crate::id::{InvoiceId, InvoiceItemId, Randomness};
use crate::invoice::{BillingReason, Draft, Invoice, InvoiceItem, LineDraft, LineKind, draft};
use crate::proration;
use crate::quote::waiting_items;

/// How long a resumption's invoice may stay unpaid, in seconds (Stripe: 23 hours).
pub const RESUMPTION_SECONDS: i64 = 23 * 3600;

/// Pauses that a subscription remembers; of more, the oldest are forgotten.
pub const STILL_MAX: usize = 1_000;

/// Since when and why a subscription stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Why.
    pub reason: PauseReason,
    /// Since when.
    pub at: Timestamp,
    /// When it goes on by itself, if it does.
    pub resumes_at: Option<Timestamp>,
    /// A resumption whose invoice waits to be paid.
    pub resuming: Option<Resuming>,
}

/// Why a subscription stands still, in Stripe's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody asked for it.
    PauseRequested,
    /// A trial ended and there was nothing to pay with.
    TrialEndWithoutPaymentMethod,
}

/// A resumption that waits for its payment, and what to go back to without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resuming {
    /// What must be paid.
    pub invoice: InvoiceId,
    /// Until when; then the invoice is voided and the pause goes on.
    pub until: Timestamp,
    /// The items as they stood in the pause.
    pub items: Vec<Item>,
    /// The anchor as it stood in the pause.
    pub billing_cycle_anchor: Timestamp,
    /// The newest invoice before.
    pub latest_invoice: Option<InvoiceId>,
    /// The change that waited in the pause.
    #[serde(default)]
    pub scheduled_change: Option<ScheduledChange>,
}

/// From when unused time is given back in a pause: Stripe's `bill_for[unused_time_from]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnusedTimeFrom {
    /// From the pause on.
    #[default]
    Now,
    /// The whole period.
    ItemCurrentPeriodStart,
    /// Not at all. What was paid for still counts when the subscription goes on.
    None,
}

/// How a subscription is paused. The defaults are Stripe's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseTerms {
    /// What is given back.
    pub unused_time_from: UnusedTimeFrom,
    /// The usage of the running periods; empty where it is not to be billed.
    pub usage: Vec<Usage>,
    /// Whether usage is left unbilled: Stripe's `outstanding_usage_through` `none`. It is forgiven.
    pub forgives_usage: bool,
    /// On an invoice now, instead of the next one.
    pub invoice_now: bool,
    /// When it goes on by itself.
    pub resumes_at: Option<Timestamp>,
}

/// What a pause brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The invoice, as a draft.
    pub invoice: Option<Invoice>,
    /// Waiting items that it took up.
    pub taken: Vec<InvoiceItemId>,
    /// Items that wait for the next invoice.
    pub pending: Vec<InvoiceItem>,
}

/// How a subscription goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeTerms {
    /// Whether the anchor stays where it was; else periods start now.
    pub keeps_anchor: bool,
    /// How the rest of the period is billed where the anchor stays.
    pub proration_behavior: ProrationBehavior,
}

impl Default for ResumeTerms {
    fn default() -> Self {
        Self {
            keeps_anchor: false,
            proration_behavior: ProrationBehavior::CreateProrations,
        }
    }
}

impl Subscription {
    /// Stands still from `at` on. What was paid beyond is given back and usage is billed, as `terms`
    /// say; in a trial there is nothing to give back. A change that waits for the period's end is
    /// kept: what the customer agreed on holds for the next period that starts.
    /// A subscription under a merchant's schedule can't be paused directly, as at Stripe ("Cannot
    /// pause subscriptions with attached schedules").
    ///
    /// # Errors
    /// When its status or a merchant's schedule does not allow it, `resumes_at` is not in the future,
    /// or an amount can't be computed. `self` is unchanged then.
    pub fn pause(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        terms: &PauseTerms,
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Stopped, SubscriptionError> {
        if terms.resumes_at.is_some_and(|then| then <= at) {
            return Err(SubscriptionError::ResumesAt);
        }
        self.check_free(SubscriptionError::PauseUnderContract)?;
        let mut next = self.clone();
        let mut lines: Vec<LineDraft> = Vec::new();
        if next.status.is_billing() && !terms.forgives_usage {
            // As if it ended here: every metered item is billed until now.
            let mut ending = next.clone();
            ending.cancel_at = Some(at);
            lines.extend(ending.usage_lines(at, &terms.usage, ids)?);
        }
        lines.extend(self.given_back(customer, terms.unused_time_from, at, ids)?);
        next.status = next.status.transition(Event::Pause)?;
        next.paused = Some(Paused {
            reason: PauseReason::PauseRequested,
            at,
            resumes_at: terms.resumes_at,
            resuming: None,
        });
        if terms.unused_time_from != UnusedTimeFrom::None {
            for item in &mut next.items {
                item.billed.clear();
            }
        }
        let mut brought = Stopped {
            invoice: None,
            taken: Vec::new(),
            pending: Vec::new(),
        };
        if terms.invoice_now && !lines.is_empty() {
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
            let invoice = draft(input, ids)?;
            next.latest_invoice = Some(invoice.id.clone());
            brought.taken = taken_up(Some(&invoice));
            brought.invoice = Some(invoice);
        } else {
            brought.pending = waiting_items(&next, lines, at, ids);
            // Usage is owed; only what is given back is a proration.
            for item in &mut brought.pending {
                item.proration = item.line.kind != LineKind::Usage;
            }
        }
        *self = next;
        Ok(brought)
    }

    fn given_back(
        &self,
        customer: &Customer,
        from: UnusedTimeFrom,
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Vec<LineDraft>, SubscriptionError> {
        match from {
            UnusedTimeFrom::None => Ok(Vec::new()),
            UnusedTimeFrom::Now => self.unused_time(customer, at, ids),
            UnusedTimeFrom::ItemCurrentPeriodStart => {
                let mut lines = Vec::new();
                for item in &self.items {
                    let mut alone = self.clone();
                    alone.items = vec![item.clone()];
                    let start = item.current_period.start;
                    lines.extend(alone.unused_time(customer, start, ids)?);
                }
                Ok(lines)
            }
        }
    }

    /// Stands still because a trial ended and nothing can pay.
    pub(super) fn stand_still(&mut self, reason: PauseReason, at: Timestamp) {
        self.paused = Some(Paused {
            reason,
            at,
            resumes_at: None,
            resuming: None,
        });
    }

    /// Goes on after a pause at `now`: in its trial where that has time left; else with new periods
    /// from now on, which are billed, or with what is left of the period around the anchor that
    /// stays, which is prorated. Time that was paid before the pause and never given back is not
    /// billed again.
    ///
    /// # Errors
    /// When it is not paused, is about to go on already, or an amount can't be computed. `self` is
    /// unchanged then.
    pub fn resume(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        terms: ResumeTerms,
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<(Renewed, Vec<InvoiceItem>), SubscriptionError> {
        let waits = self
            .paused
            .as_ref()
            .is_some_and(|own| own.resuming.is_some());
        if self.status != Status::Paused || waits {
            return Err(SubscriptionError::NotPaused);
        }
        let mut next = self.clone();
        next.end_pause(now);
        let mut renewed = Renewed {
            at: now,
            invoice: None,
            taken: Vec::new(),
            added: Vec::new(),
        };
        if let Some(end) = next.trial_end.filter(|end| *end > now) {
            // The trial that it was paused in has time left; nobody gives a paused one a new trial.
            next.status = Status::Trialing;
            for item in &mut next.items {
                item.current_period = Period { start: now, end };
                item.usage_from = None;
                item.usage_before = None;
            }
            *self = next;
            return Ok((renewed, Vec::new()));
        }
        next.status = next.status.transition(Event::Resume)?;
        if !terms.keeps_anchor {
            next.billing_cycle_anchor = now;
        }
        let mut lines = Vec::new();
        if !terms.keeps_anchor {
            // New periods start: what is left of paid ones is given back first.
            let mut paid = next.clone();
            paid.billing_cycle_anchor = self.billing_cycle_anchor;
            let open =
                |billed: &super::Billed| billed.credited.is_none() && billed.period.contains(now);
            paid.items.retain(|item| item.billed.iter().any(open));
            lines.extend(paid.unused_time(customer, now, ids)?);
        }
        let credited = !lines.is_empty();
        next.make_waiting_change(terms, now);
        next.bill_rest(customer, terms, now, &mut lines, ids)?;
        let waits = terms.keeps_anchor
            && terms.proration_behavior == ProrationBehavior::CreateProrations
            && !credited;
        let mut left = Vec::new();
        if waits {
            left = waiting_items(&next, lines, now, ids);
        } else if !lines.is_empty() {
            let input = Draft {
                customer,
                subscription: Some(&next),
                currency: next.currency,
                billing_reason: BillingReason::SubscriptionUpdate,
                lines,
                pending,
                period: Period {
                    start: now,
                    end: now,
                },
                at: now,
            };
            let invoice = draft(input, ids)?;
            proration::note_billed(&mut next.items, &invoice.lines)?;
            next.latest_invoice = Some(invoice.id.clone());
            renewed.taken = taken_up(Some(&invoice));
            renewed.invoice = Some(invoice);
        }
        *self = next;
        Ok((renewed, left))
    }

    /// Makes the change that waited for a period's end where the pause outlived that period, or where
    /// new periods start now: the customer asked for the next period on other terms, and this is it.
    /// Where the anchor stays and the end is still to come, it goes on waiting for it. A change that
    /// can't be made any more is dropped, as it is at a renewal.
    fn make_waiting_change(&mut self, terms: ResumeTerms, now: Timestamp) {
        let due = |change: &mut ScheduledChange| {
            change.phase.is_none() && (!terms.keeps_anchor || change.at <= now)
        };
        let Some(change) = self.scheduled_change.take_if(due) else {
            return;
        };
        if let Ok(items) = replace_items(self, &change.items, now) {
            self.items = items;
        }
    }

    /// Notes that a pause ends at `at`.
    pub(super) fn end_pause(&mut self, at: Timestamp) {
        let Some(pause) = self.paused.take() else {
            return;
        };
        self.note_still(Period {
            start: pause.at,
            end: at.max(pause.at),
        });
    }

    /// Remembers a trial that another one follows: what was used in it is free.
    pub(crate) fn note_trial(&mut self, at: Timestamp) {
        if let Some((start, end)) = self.trial_start.zip(self.trial_end)
            && start < end.min(at)
        {
            self.note_still(Period {
                start,
                end: end.min(at),
            });
        }
    }

    fn note_still(&mut self, time: Period) {
        self.stood_still.push(time);
        let over = self.stood_still.len().saturating_sub(STILL_MAX);
        self.stood_still.drain(..over);
    }

    /// Gives every item its period from `now` on, and bills it where nothing has paid for it yet.
    fn bill_rest(
        &mut self,
        customer: &Customer,
        terms: ResumeTerms,
        now: Timestamp,
        lines: &mut Vec<LineDraft>,
        ids: &mut dyn Randomness,
    ) -> Result<(), SubscriptionError> {
        let discounts: Vec<Discount> = self.effective_discounts(customer).to_vec();
        let anchor = self.billing_cycle_anchor;
        let mut items = core::mem::take(&mut self.items);
        for item in &mut items {
            let end = item.cadence()?.period_containing(anchor, now)?.end;
            item.current_period = Period { start: now, end };
            item.usage_from = None;
            item.usage_before = None;
        }
        self.fit(&mut items, anchor, now, false)?;
        for item in &mut items {
            let end = item.current_period.end;
            let paid = |billed: &super::Billed| {
                billed.credited.is_none() && billed.period.end >= end && billed.period.start <= now
            };
            if !(terms.keeps_anchor && item.billed.iter().any(paid)) {
                item.billed.clear();
            }
        }
        let free = terms.keeps_anchor && terms.proration_behavior == ProrationBehavior::None;
        if free
            && let Some(end) = items.iter().map(|item| item.current_period.end).min()
            && let Some(still) = self.stood_still.last_mut()
        {
            still.end = still.end.max(end);
        }
        for item in items.iter_mut().filter(|item| !item.price.is_metered()) {
            if free || !item.billed.is_empty() {
                continue;
            }
            let whole = proration::whole_around(self, item, now)?;
            lines.push(if whole == item.current_period {
                proration::whole_period(self, item, ids)?
            } else {
                proration::stub(self, item, &discounts, whole, ids)?
            });
        }
        self.items = items;
        Ok(())
    }

    /// Lets a resumption wait for the payment of its invoice: it stays paused until then. `before` is
    /// how it stood in the pause.
    pub fn wait_for_resumption(&mut self, before: &Self, invoice: InvoiceId, now: Timestamp) {
        let Some(paused) = &before.paused else { return };
        self.status = Status::Paused;
        self.stood_still.clone_from(&before.stood_still);
        self.paused = Some(Paused {
            resuming: Some(Resuming {
                invoice,
                until: Timestamp(now.0.saturating_add(RESUMPTION_SECONDS)),
                items: before.items.clone(),
                billing_cycle_anchor: before.billing_cycle_anchor,
                latest_invoice: before.latest_invoice.clone(),
                scheduled_change: before.scheduled_change.clone(),
            }),
            ..paused.clone()
        });
    }

    /// The invoice that a resumption waits for.
    #[must_use]
    pub fn resumption(&self) -> Option<&Resuming> {
        self.paused.as_ref().and_then(|own| own.resuming.as_ref())
    }

    /// The resumption's invoice was paid or written off: it goes on, in the periods that the invoice
    /// billed.
    ///
    /// # Errors
    /// When no resumption waits.
    pub fn finish_resumption(&mut self) -> Result<(), SubscriptionError> {
        let waits = self.resumption().ok_or(SubscriptionError::NotPaused)?;
        // That is from when its invoice bills.
        let at = Timestamp(waits.until.0.saturating_sub(RESUMPTION_SECONDS));
        self.status = self.status.transition(Event::Resume)?;
        self.end_pause(at);
        Ok(())
    }

    /// The resumption's invoice was voided: it stays paused, as it stood before.
    pub fn drop_resumption(&mut self) {
        if let Some(paused) = &mut self.paused
            && let Some(before) = paused.resuming.take()
        {
            paused.resumes_at = None;
            self.items = before.items;
            self.billing_cycle_anchor = before.billing_cycle_anchor;
            let phase = |change: &ScheduledChange| change.phase.is_some();
            if !self.scheduled_change.as_ref().is_some_and(phase) {
                self.scheduled_change = before.scheduled_change;
            }
        }
    }
}
