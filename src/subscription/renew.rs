//! The next period: what a renewal, the end of a trial, and the end of a subscription bill.

use super::change::replace_items;
use super::state::Event;
use super::{Due, Item, ItemChange, Status, Subscription, SubscriptionError};
use crate::calendar::{Period, Timestamp};
use crate::customer::Customer;
use crate::decimal::Decimal12;
use crate::discount::Discount;
use crate::id::{InvoiceItemId, InvoiceLineId, Randomness, SubscriptionItemId};
use crate::invoice::{BillingReason, Draft, Invoice, InvoiceItem, LineDraft, LineKind, draft};
use crate::proration;
use crate::schedule::{PhaseAnchor, PhaseTerms};
use crate::usage;

/// The reported usage of one metered item in the period that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Which item.
    pub item: SubscriptionItemId,
    /// Units or parts of them, never negative (a negative sum bills 0).
    pub quantity: Decimal12,
}

/// What a renewal brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The moment at which the periods met: what is billed is billed as of then.
    pub at: Timestamp,
    /// The draft; `None` when nothing is on it.
    pub invoice: Option<Invoice>,
    /// Waiting items that the draft took up.
    pub taken: Vec<InvoiceItemId>,
    /// New items of a phase that began; those that the draft took up name it.
    pub added: Vec<InvoiceItem>,
}

impl Subscription {
    /// Moves on by one boundary: every item whose period ends first gets its next one. A trial that
    /// ends there ends, a change that waited for it is made. Licensed items are billed in advance,
    /// metered ones for the period that ended (`usage`; what is missing counts as 0; usage in a
    /// trial is free). A caller who is late calls again until [`Subscription::next_due`] lies ahead.
    ///
    /// # Errors
    /// When nothing is due by `now`, the subscription ends instead, or an amount can't be computed.
    /// `self` is unchanged then.
    pub fn renew(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        usage: &[Usage],
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Renewed, SubscriptionError> {
        let (at, due) = self
            .next_due()
            .ok_or(SubscriptionError::Status(self.status))?;
        match due {
            Due::Renewal if at <= now => {}
            Due::End if at <= now => return Err(SubscriptionError::EndsInstead { at }),
            Due::FirstPaymentExpiry => return Err(SubscriptionError::Status(self.status)),
            _ => {
                return Err(SubscriptionError::NotDue {
                    due: self.period_end().unwrap_or(at),
                });
            }
        }
        let mut next = self.clone();
        let mut lines = Vec::new();
        let trial_ends = next.status == Status::Trialing;
        if trial_ends {
            next.status = next.status.transition(Event::TrialEnded)?;
        } else {
            lines.extend(next.usage_lines(at, usage, ids)?);
        }
        let mut added = Vec::new();
        let entered = next.make_scheduled_change(customer, at, &mut lines, &mut added, ids)?;
        let waiting: Vec<InvoiceItem> = pending.iter().chain(&added).cloned().collect();
        let phase = entered.as_deref();
        let free = phase.is_some_and(|terms| next.start_phase_trial(terms, at, &mut lines, ids));
        let from = match free {
            true => at,
            false => next.bill_next_periods(customer, at, &mut lines, ids)?,
        };
        let invoice = next.drafted(
            customer,
            &waiting,
            lines,
            Period {
                start: from,
                end: at,
            },
            ids,
        )?;
        if let Some(terms) = phase {
            let billed = invoice.as_ref().map(|invoice| invoice.lines.as_slice());
            next.commit_to(terms, at, billed.unwrap_or_default())?;
        }
        *self = next;
        let taken = taken_up(invoice.as_ref());
        for item in added.iter_mut().filter(|item| taken.contains(&item.id)) {
            item.invoice = invoice.as_ref().map(|invoice| invoice.id.clone());
        }
        Ok(Renewed {
            at,
            invoice,
            taken,
            added,
        })
    }

    /// Ends it at its `cancel_at`. A last invoice bills usage and waiting items, if there are any.
    ///
    /// # Errors
    /// When it is not due to end by `now`, or an amount can't be computed. `self` is unchanged then.
    pub fn finish(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        usage: &[Usage],
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Renewed, SubscriptionError> {
        let at = self.cancel_at.ok_or(SubscriptionError::NotEnding)?;
        if at > now {
            return Err(SubscriptionError::NotDue { due: at });
        }
        let mut next = self.clone();
        let billing = next.status.is_billing();
        let lines = if billing {
            next.usage_lines(at, usage, ids)?
        } else {
            Vec::new()
        };
        let start = next
            .items
            .iter()
            .map(|item| item.current_period.start)
            .min()
            .unwrap_or(at);
        next.status = next.status.transition(Event::Cancel)?;
        next.ended_at = Some(at);
        next.end_pause(at);
        next.scheduled_change = None;
        let period = Period {
            start: start.min(at),
            end: at,
        };
        let invoice = next.drafted(customer, pending, lines, period, ids)?;
        *self = next;
        let taken = taken_up(invoice.as_ref());
        Ok(Renewed {
            at,
            invoice,
            taken,
            added: Vec::new(),
        })
    }

    /// A line for each metered item whose period ends at `at` (or would end later, when the whole
    /// subscription ends there).
    pub(super) fn usage_lines(
        &self,
        at: Timestamp,
        reported: &[Usage],
        ids: &mut dyn Randomness,
    ) -> Result<Vec<LineDraft>, SubscriptionError> {
        let ends = |item: &&Item| {
            let period = item.current_period;
            period.end == at || (self.cancel_at == Some(at) && period.contains(at))
        };
        let mut lines = Vec::new();
        for item in self
            .items
            .iter()
            .filter(|item| item.price.is_metered())
            .filter(ends)
        {
            let reported = reported.iter().find(|usage| usage.item == item.id);
            let quantity = reported.map_or(Decimal12::ZERO, |usage| usage.quantity);
            let text = format!("{quantity} × {}", item.price.product_name);
            let rates = proration::rates_of(self, item);
            let mut line = proration::line_of(self, item, LineKind::Usage, text, rates);
            line.id = InvoiceLineId::new(ids);
            line.quantity = Some(usage::whole_units(quantity));
            line.quantity_decimal = usage::fraction_of(quantity);
            line.amount_minor = item.usage_amount_minor(quantity)?;
            line.period = Period {
                start: item.usage_start(),
                end: at,
            };
            lines.push(LineDraft {
                line,
                discounts: item.discounts.clone(),
            });
        }
        Ok(lines)
    }

    /// Makes the change that waited for `at`. Periods end there, so nothing is prorated (but items of
    /// a phase whose periods go on). The anchor keeps its day where `at` is a boundary of the new
    /// interval too (yearly to monthly), and moves to `at` where it isn't (monthly to yearly).
    /// Answers with the phase that begins, if one does.
    fn make_scheduled_change(
        &mut self,
        customer: &Customer,
        at: Timestamp,
        lines: &mut Vec<LineDraft>,
        added: &mut Vec<InvoiceItem>,
        ids: &mut dyn Randomness,
    ) -> Result<Option<Box<PhaseTerms>>, SubscriptionError> {
        let Some(change) = self.scheduled_change.take_if(|change| change.at <= at) else {
            return Ok(None);
        };
        let (inside, changes) = self.enter_at_boundary(&change, customer, at, added, ids)?;
        lines.extend(inside);
        self.make_changes(&changes, at)?;
        if let Some(terms) = &change.phase {
            self.dress(terms)?;
            if terms.anchor == PhaseAnchor::PhaseStart {
                self.billing_cycle_anchor = at;
            }
        }
        Ok(change.phase)
    }

    fn make_changes(
        &mut self,
        changes: &[ItemChange],
        at: Timestamp,
    ) -> Result<(), SubscriptionError> {
        let mut items = replace_items(self, changes, at)?;
        let first = items.first().ok_or(SubscriptionError::NoItems)?.cadence()?;
        let mut one_interval = true;
        for item in &mut items {
            let cadence = item.cadence()?;
            one_interval &= cadence == first;
            let old = self.items.iter().find(|old| old.id == item.id);
            // An item that takes up another interval starts its new period here, even if its old one
            // would have gone on.
            if old.is_some_and(|old| old.price.cadence() != Some(cadence)) {
                item.current_period.end = at;
            }
        }
        let aligned = first.boundary_at_or_after(self.billing_cycle_anchor, at)? == at;
        if one_interval && !aligned && items.iter().all(|item| item.current_period.end == at) {
            self.billing_cycle_anchor = at;
        }
        self.items = items;
        Ok(())
    }

    /// Gives every item whose period ends at `at` its next one and bills licensed ones. Answers with
    /// the start of the earliest period that ended.
    fn bill_next_periods(
        &mut self,
        customer: &Customer,
        at: Timestamp,
        lines: &mut Vec<LineDraft>,
        ids: &mut dyn Randomness,
    ) -> Result<Timestamp, SubscriptionError> {
        let discounts: Vec<Discount> = self.effective_discounts(customer).to_vec();
        let mut items = core::mem::take(&mut self.items);
        let mut from = at;
        for item in items
            .iter_mut()
            .filter(|item| item.current_period.end <= at)
        {
            from = from.min(item.current_period.start);
            let cadence = item.cadence()?;
            item.current_period = cadence.period_after(self.billing_cycle_anchor, at)?;
            item.billed.clear();
            item.usage_from = None;
            item.usage_before = None;
            // Nobody is billed beyond the end.
            if let Some(end) = self.cancel_at.filter(|end| *end > at) {
                item.current_period.end = item.current_period.end.min(end);
            }
            if item.price.is_metered() {
                continue;
            }
            let whole = proration::whole_around(self, item, at)?;
            lines.push(if whole == item.current_period {
                proration::whole_period(self, item, ids)?
            } else {
                proration::stub(self, item, &discounts, whole, ids)?
            });
        }
        self.items = items;
        Ok(from)
    }

    /// The draft of a cycle's invoice, if anything is on it, with whole periods noted on the items.
    fn drafted(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        lines: Vec<LineDraft>,
        period: Period,
        ids: &mut dyn Randomness,
    ) -> Result<Option<Invoice>, SubscriptionError> {
        let input = Draft {
            customer,
            subscription: Some(self),
            currency: self.currency,
            billing_reason: BillingReason::SubscriptionCycle,
            lines,
            pending,
            period,
            at: period.end,
        };
        let mut invoice = draft(input.clone(), ids)?;
        // What is short of a commitment is known only once everything else is priced.
        let short = self.true_ups(&invoice.lines, period.end, ids)?;
        if !short.is_empty() {
            let mut lines = input.lines.clone();
            lines.extend(short);
            invoice = draft(Draft { lines, ..input }, ids)?;
        }
        self.count_commitments(&invoice.lines, period.end)?;
        if invoice.lines.is_empty() {
            return Ok(None);
        }
        proration::note_billed(&mut self.items, &invoice.lines)?;
        self.latest_invoice = Some(invoice.id.clone());
        Ok(Some(invoice))
    }
}

/// The waiting items that an invoice took up.
pub(crate) fn taken_up(invoice: Option<&Invoice>) -> Vec<InvoiceItemId> {
    let lines = invoice
        .map(|invoice| invoice.lines.as_slice())
        .unwrap_or_default();
    lines
        .iter()
        .filter_map(|line| line.invoice_item.clone())
        .collect()
}
