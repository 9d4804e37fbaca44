//! What the beginning of a schedule's phase does to the subscription.

use super::change::replace_items;
use super::{
    Changed, CollectionMethod, Event, Item, ItemChange, ItemExtras, ProrationBehavior,
    ScheduledChange, Subscription, SubscriptionError,
};
use crate::calendar::{Period, Timestamp};
use crate::catalog::TaxBehavior;
use crate::customer::Customer;
use crate::id::{InvoiceItemId, InvoiceLineId, Randomness, SubscriptionItemId};
use crate::invoice::{Invoice, InvoiceItem, Line, LineDraft, LineKind};
use crate::metadata::Metadata;
use crate::proration;
use crate::quote::{ChangeContext, apply, give_trial, restart};
use crate::schedule::{AddedItem, Commitment, PhaseAnchor, PhaseItem, PhaseTerms, TRUE_UP};
use crate::tax;

/// What the beginning of a phase in mid-period brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// When it began.
    pub at: Timestamp,
    /// The draft, where the step is invoiced at once.
    pub invoice: Option<Invoice>,
    /// Waiting items that the draft took up; of `pending` too.
    pub taken: Vec<InvoiceItemId>,
    /// New items: prorations and the phase's one-off amounts.
    pub pending: Vec<InvoiceItem>,
}

impl Subscription {
    /// Computes again what stands between the subscription and the phase that waits.
    pub fn aim_again(&mut self, ids: &mut dyn Randomness) {
        let Some(mut change) = self.scheduled_change.take() else {
            return;
        };
        if let Some(terms) = &change.phase {
            change.items = difference(&self.items, &terms.items, ids);
        }
        self.scheduled_change = Some(change);
    }

    /// What makes its items those of a phase.
    #[must_use]
    pub fn steps_to(&self, terms: &PhaseTerms, ids: &mut dyn Randomness) -> Vec<ItemChange> {
        difference(&self.items, &terms.items, ids)
    }

    /// The phase that begins by `now` in mid-period, if one does.
    #[must_use]
    pub fn phase_due(&self) -> Option<Timestamp> {
        let change = self.scheduled_change.as_ref()?;
        let end = self.period_end()?;
        (change.phase.is_some() && change.at < end).then_some(change.at)
    }

    /// Whether a merchant's schedule drives it, so that only the schedule may say how it ends.
    #[must_use]
    pub fn is_under_contract(&self) -> bool {
        let waiting = self.scheduled_change.as_ref();
        self.schedule.is_some() && waiting.is_none_or(|change| change.phase.is_some())
    }

    /// Begins the phase that is due in mid-period: items, settings and anchor change, and the step is
    /// billed as the phase says. (At the end of a period [`Subscription::renew`] does it.)
    ///
    /// # Errors
    /// When none is due by `now`, or an amount can't be computed. `self` is unchanged then.
    pub fn turn(
        &mut self,
        customer: &Customer,
        pending: &[InvoiceItem],
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Turned, SubscriptionError> {
        let due = self.phase_due().filter(|at| *at <= now);
        let due = due.ok_or(SubscriptionError::NotDue {
            due: self.period_end().unwrap_or(now),
        })?;
        let mut next = self.clone();
        let change = next.scheduled_change.take();
        let change = change.ok_or(SubscriptionError::NoScheduledChange)?;
        let terms = change.phase.ok_or(SubscriptionError::NoScheduledChange)?;
        // After a pause, its running period may have begun later.
        let starts = next.items.iter().map(|item| item.current_period.start);
        let at = due.max(starts.max().unwrap_or(due));
        let turned = next.enter(&terms, &change.items, customer, pending, at, ids)?;
        *self = next;
        Ok(turned)
    }

    /// Makes it what a phase says, at `at` in a running period.
    ///
    /// # Errors
    /// When a rule is broken or an amount can't be computed; `self` may be half done, so work on a
    /// copy.
    pub fn enter(
        &mut self,
        terms: &PhaseTerms,
        changes: &[ItemChange],
        customer: &Customer,
        pending: &[InvoiceItem],
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Turned, SubscriptionError> {
        self.take_terms(terms)?;
        let added = added_items(self, &terms.added, at, ids)?;
        let all: Vec<InvoiceItem> = pending.iter().chain(&added).cloned().collect();
        let context = ChangeContext {
            subscription: self,
            customer,
            pending: &all,
        };
        let behavior = terms.proration_behavior;
        let trial = terms.trial_end.filter(|end| *end > at);
        let made = if let Some(end) = trial {
            let changed = match changes {
                [] => self.clone(),
                _ => apply(&context, changes, ProrationBehavior::None, &[], at, ids)?.subscription,
            };
            let context = ChangeContext {
                subscription: &changed,
                ..context
            };
            Some(give_trial(&context, end, behavior, at, ids)?)
        } else if terms.anchor == PhaseAnchor::PhaseStart && self.status.is_billing() {
            Some(restart(&context, changes, behavior, at, ids)?)
        } else if changes.is_empty() {
            None
        } else {
            Some(apply(&context, changes, behavior, &[], at, ids)?)
        };
        let mut turned = Turned {
            at,
            invoice: None,
            taken: Vec::new(),
            pending: added,
        };
        if let Some(made) = made {
            *self = made.subscription;
            turned.invoice = made.invoice;
            turned.taken = made.taken;
            turned.pending.extend(made.pending);
        }
        if let Some(invoice) = &turned.invoice {
            for item in &mut turned.pending {
                if turned.taken.contains(&item.id) {
                    item.invoice = Some(invoice.id.clone());
                }
            }
        }
        self.dress(terms)?;
        self.commit_to(terms, at, &[])?;
        Ok(turned)
    }

    /// Begins a phase where periods meet. Items whose periods go on are prorated: their lines are
    /// answered. New one-off amounts are put into `added`.
    pub(super) fn enter_at_boundary(
        &mut self,
        change: &ScheduledChange,
        customer: &Customer,
        at: Timestamp,
        added: &mut Vec<InvoiceItem>,
        ids: &mut dyn Randomness,
    ) -> Result<(Vec<LineDraft>, Vec<ItemChange>), SubscriptionError> {
        let Some(terms) = &change.phase else {
            return Ok((Vec::new(), change.items.clone()));
        };
        self.take_terms(terms)?;
        added.extend(added_items(self, &terms.added, at, ids)?);
        let goes_on = |change: &ItemChange| match change {
            ItemChange::Set { item, .. } | ItemChange::Remove { item } => self
                .item(item)
                .is_ok_and(|item| item.current_period.end > at),
            ItemChange::Add { .. } => false,
        };
        let (inside, rest): (Vec<_>, Vec<_>) = change.items.iter().cloned().partition(goes_on);
        if inside.is_empty() {
            return Ok((Vec::new(), rest));
        }
        // What a phase takes away all of is replaced by what it brings, so check the whole later.
        let changed = Changed {
            items: replace_items(self, &inside, at)?,
            billing_cycle_anchor: self.billing_cycle_anchor,
            resets: false,
        };
        let discounts = self.effective_discounts(customer).to_vec();
        let behavior = terms.proration_behavior;
        let proration = proration::prorate(self, changed, &discounts, behavior, at, ids)?;
        self.items = proration.items;
        Ok((proration.lines, rest))
    }

    /// Starts a phase's trial where periods meet; answers whether it did. What is behind with its
    /// payments gets no trial.
    pub(super) fn start_phase_trial(
        &mut self,
        terms: &PhaseTerms,
        at: Timestamp,
        lines: &mut Vec<LineDraft>,
        ids: &mut dyn Randomness,
    ) -> bool {
        let Some(end) = terms.trial_end.filter(|end| *end > at) else {
            return false;
        };
        let Ok(status) = self.status.transition(Event::TrialStarted) else {
            return false;
        };
        self.status = status;
        self.note_trial(at);
        self.trial_start = Some(at);
        self.trial_end = Some(end);
        self.billing_cycle_anchor = end;
        for item in &mut self.items {
            item.current_period = Period { start: at, end };
            item.billed.clear();
        }
        let free = self.items.iter().filter(|item| !item.price.is_metered());
        lines.extend(free.map(|item| super::trial_line(self, item, ids)));
        true
    }

    /// The settings of a phase, without its items.
    pub(super) fn take_terms(&mut self, terms: &PhaseTerms) -> Result<(), SubscriptionError> {
        self.discounts.clone_from(&terms.discounts);
        self.default_tax_rates.clone_from(&terms.default_tax_rates);
        self.collection_method = terms.collection_method;
        self.days_until_due = match terms.collection_method {
            CollectionMethod::SendInvoice => {
                let days = terms.days_until_due.or(self.days_until_due);
                Some(days.ok_or(SubscriptionError::DaysUntilDue)?)
            }
            CollectionMethod::ChargeAutomatically => None,
        };
        if let Some(method) = &terms.default_payment_method {
            self.default_payment_method = Some(method.clone());
        }
        if let Some(description) = &terms.description {
            self.description = Some(description.clone());
        }
        self.billing_thresholds = terms.billing_thresholds;
        for (key, value) in &terms.metadata.0 {
            self.metadata.0.insert(key.clone(), value.clone());
        }
        Ok(())
    }

    /// What the items of a phase have beside price and quantity.
    pub fn dress(&mut self, terms: &PhaseTerms) -> Result<(), SubscriptionError> {
        for wanted in &terms.items {
            let item = self
                .items
                .iter_mut()
                .find(|item| item.price.id == wanted.price.id);
            let Some(item) = item else { continue };
            item.tax_rates.clone_from(&wanted.tax_rates);
            item.discounts.clone_from(&wanted.discounts);
            item.usage_gte = wanted.usage_gte;
            for (key, value) in &wanted.metadata.0 {
                item.metadata.0.insert(key.clone(), value.clone());
            }
        }
        Ok(())
    }

    /// Begins the commitment of a phase, and counts what has been billed in advance for it.
    ///
    /// # Errors
    /// When a date or a sum can't be computed.
    pub fn commit_to(
        &mut self,
        terms: &PhaseTerms,
        at: Timestamp,
        lines: &[Line],
    ) -> Result<(), SubscriptionError> {
        let Some(agreed) = terms.minimum_commitment else {
            return Ok(());
        };
        let mut begun = Commitment::begin(agreed, at, terms.period.end, self)?;
        begun.count(lines)?;
        self.commitments.push(begun);
        Ok(())
    }

    /// The lines that make up for commitments whose time is over by `at` (or that end with the
    /// subscription), given the lines that are about to be billed.
    pub(super) fn true_ups(
        &self,
        lines: &[Line],
        at: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Vec<LineDraft>, SubscriptionError> {
        let ends = self.status.is_final();
        let mut drafts = Vec::new();
        for own in &self.commitments {
            if own.period.end > at && !ends {
                continue;
            }
            let amount_minor = own.short_minor(at, lines)?;
            if amount_minor == 0 {
                continue;
            }
            let rates = tax::line_rates(TaxBehavior::Unspecified, &[], &self.default_tax_rates);
            drafts.push(LineDraft {
                line: Line {
                    id: InvoiceLineId::new(ids),
                    description: TRUE_UP.to_owned(),
                    kind: LineKind::TrueUp,
                    amount_minor,
                    quantity: None,
                    quantity_decimal: None,
                    price: None,
                    product: None,
                    product_name: None,
                    unit_amount: None,
                    period: Period {
                        start: own.period.start,
                        end: own.period.end.min(at),
                    },
                    discountable: false,
                    discount_amounts: Vec::new(),
                    tax_rates: rates,
                    default_taxed: false,
                    discounts: Vec::new(),
                    taxes: Vec::new(),
                    subscription: Some(self.id.clone()),
                    subscription_item: None,
                    invoice_item: None,
                    metadata: Metadata::default(),
                },
                discounts: Vec::new(),
            });
        }
        Ok(drafts)
    }

    /// Counts billed lines, and goes on to the next stretch where one is over by `at`.
    pub(crate) fn count_commitments(
        &mut self,
        lines: &[Line],
        at: Timestamp,
    ) -> Result<(), SubscriptionError> {
        let mut running = Vec::with_capacity(self.commitments.len());
        for mut own in core::mem::take(&mut self.commitments) {
            own.count(lines)?;
            if own.period.end > at {
                running.push(own);
            } else {
                running.extend(own.next(self)?);
            }
        }
        self.commitments = running;
        Ok(())
    }
}

/// One-off amounts as items that wait for an invoice of the subscription.
///
/// # Errors
/// When an amount can't be computed or a price is in another currency.
pub fn added_items(
    subscription: &Subscription,
    added: &[AddedItem],
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Vec<InvoiceItem>, SubscriptionError> {
    let mut items = Vec::with_capacity(added.len());
    for one in added {
        if one.price.currency != subscription.currency {
            return Err(SubscriptionError::CurrencyMismatch {
                price: one.price.currency,
                subscription: subscription.currency,
            });
        }
        let id = InvoiceItemId::new(ids);
        let price = &one.price;
        let rates = tax::line_rates(
            price.tax_behavior,
            &one.tax_rates,
            &subscription.default_tax_rates,
        );
        let line = Line {
            id: InvoiceLineId::new(ids),
            description: price.product_name.clone(),
            kind: LineKind::OneTime,
            amount_minor: price.pricing.amount_minor(one.quantity)?,
            quantity: Some(one.quantity),
            quantity_decimal: None,
            price: Some(price.id.clone()),
            product: Some(price.product.clone()),
            product_name: Some(price.product_name.clone()),
            unit_amount: price.pricing.unit_amount(),
            period: one.period.unwrap_or(Period { start: at, end: at }),
            discountable: one.discountable,
            discount_amounts: Vec::new(),
            tax_rates: rates,
            default_taxed: false,
            discounts: one.discounts.clone(),
            taxes: Vec::new(),
            subscription: Some(subscription.id.clone()),
            subscription_item: None,
            invoice_item: Some(id.clone()),
            metadata: one.metadata.clone(),
        };
        items.push(InvoiceItem {
            id,
            customer: subscription.customer.clone(),
            currency: subscription.currency,
            line,
            proration: false,
            date: at,
            invoice: None,
            test_clock: subscription.test_clock.clone(),
            made_for_invoice: false,
        });
    }
    Ok(items)
}

/// What makes `items` the items of a phase. An item stays where its price stays; where its price does
/// not come again, it takes up a price of its product, or the only other one, so that what was billed
/// for it is credited.
fn difference(items: &[Item], wanted: &[PhaseItem], ids: &mut dyn Randomness) -> Vec<ItemChange> {
    let mut changes = Vec::new();
    let mut left: Vec<&Item> = items.iter().collect();
    let mut new: Vec<&PhaseItem> = Vec::new();
    for want in wanted {
        let Some(place) = left.iter().position(|item| item.price.id == want.price.id) else {
            new.push(want);
            continue;
        };
        let item = left.remove(place);
        if item.quantity != want.quantity {
            changes.push(ItemChange::Set {
                item: item.id.clone(),
                price: None,
                quantity: Some(want.quantity),
            });
        }
    }
    for want in new {
        let fits = |item: &&&Item| {
            let (old, new) = (item.price.tax_behavior, want.price.tax_behavior);
            let free = TaxBehavior::Unspecified;
            old == new || old == free || new == free
        };
        let kin = left
            .iter()
            .position(|item| item.price.product == want.price.product && fits(&item));
        let only = (left.len() == 1 && left.iter().all(|item| fits(&item))).then_some(0);
        match kin.or(only) {
            Some(place) => {
                let item = left.remove(place);
                changes.push(ItemChange::Set {
                    item: item.id.clone(),
                    price: Some(want.price.clone()),
                    quantity: (!want.price.is_metered()).then_some(want.quantity),
                });
            }
            None => changes.push(ItemChange::Add {
                id: SubscriptionItemId::new(ids),
                price: want.price.clone(),
                quantity: want.quantity,
                tax_rates: want.tax_rates.clone(),
                with: ItemExtras::default(),
            }),
        }
    }
    changes.extend(left.into_iter().map(|item| ItemChange::Remove {
        item: item.id.clone(),
    }));
    changes
}
