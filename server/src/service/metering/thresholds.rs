//! Thresholds: usage that is billed before its period ends, because enough has come together.
//!
//! A worker looks whenever usage came in. What it misses by dying in between is found when the next one
//! starts, and once an hour (`watching.rs`).

use perennial::calendar::Period;
use perennial::id::{InvoiceId, SubscriptionId};
use perennial::invoice::{BillingReason, Invoice, InvoiceItem};
use perennial::quote::{ChangeContext, restart};
use perennial::subscription::{Item, ProrationBehavior, Subscription, Usage};
use perennial::test_clock::TestClock;
use perennial::usage::{Formula, Meter, Span};

use super::THRESHOLD;
use crate::service::billing::schedule_draft;
use crate::service::booking::Booking;
use crate::service::books::save_subscription;
use crate::service::changes::Ground;
use crate::service::invoices::book_taken;
use crate::service::spans::Metered;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Stored};
use crate::store::failure::Place;
use crate::store::{Scope, threshold};

/// Subscriptions of a test clock that are found together.
const TOGETHER: i64 = 500;

/// What a threshold that was reached brings.
#[derive(Default)]
struct Early {
    spans: Vec<Span>,
    /// The usage, and what restarting the period gives back, as items.
    items: Vec<InvoiceItem>,
    invoice: Option<Invoice>,
    taken: Vec<perennial::id::InvoiceItemId>,
}

impl Engine {
    /// Bills the subscriptions of these customers that have reached a threshold.
    ///
    /// # Errors
    /// When the database fails. What can't be billed for another reason is left to the end of the
    /// period, and set aside with its reason.
    pub(super) async fn watch_thresholds(
        &self,
        scope: &Scope,
        customers: &[&str],
    ) -> Result<(), Refused> {
        let found = {
            let mut read = self.store.read().await?;
            threshold::watched(&mut read, scope, customers).await?
        };
        if found.is_empty() {
            return Ok(());
        }
        let mut looking = self.looking(THRESHOLD).await?;
        for id in found {
            let Ok(id) = SubscriptionId::parse(&id) else {
                continue;
            };
            let billed = self.bill_at_threshold(scope, &id).await;
            looking.note(Place::new(scope, id.as_str()), billed)?;
        }
        looking.write().await
    }

    /// Bills a subscription's usage if it has reached a threshold, at the time that it lives in.
    ///
    /// # Errors
    /// When an amount can't be computed, or the database fails.
    pub async fn bill_at_threshold(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<(), Refused> {
        let own: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if own.status.is_final() {
            let mut tx = self.store.begin().await?;
            threshold::forget(tx.connection(), scope, &own).await?;
            tx.commit().await?;
            return Ok(());
        }
        if !own.is_watched() {
            return Ok(());
        }
        let engine = match &own.test_clock {
            None => self.clone(),
            Some(clock) => {
                let clock: Stored<TestClock> = self.find(scope, clock.as_str()).await?;
                if clock.is_advancing() {
                    // Renewals on the way bill what was used before them.
                    return Ok(());
                }
                self.at(clock.frozen_time)
            }
        };
        engine.bill_if_reached(scope, id).await
    }

    /// Bills the subscriptions of a test clock that have reached a threshold, before the clock leaves
    /// the moment at which it stands: what is used is billed early, however fast time goes on.
    ///
    /// # Errors
    /// As [`Engine::watch_thresholds`].
    pub(in crate::service) async fn bill_before_leaving(
        &self,
        scope: &Scope,
        clock: &TestClock,
    ) -> Result<(), Refused> {
        let then = self.at(clock.frozen_time);
        let mut after = (String::new(), String::new());
        loop {
            let mut read = self.store.read().await?;
            let found = threshold::of_clock(&mut read, scope, &clock.id, &after, TOGETHER).await?;
            drop(read);
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = last.clone();
            for (_, id) in found {
                let Ok(id) = SubscriptionId::parse(&id) else {
                    continue;
                };
                let own: Stored<Subscription> = then.find(scope, id.as_str()).await?;
                if own.status.is_final() || !own.is_watched() {
                    continue;
                }
                match then.bill_if_reached(scope, &id).await {
                    Ok(()) => {}
                    Err(error) if error.is_outage() => return Err(error),
                    Err(error) => tracing::error!(%id, %error, "usage could not be billed early"),
                }
            }
        }
    }

    async fn bill_if_reached(&self, scope: &Scope, id: &SubscriptionId) -> Result<(), Refused> {
        let made = self
            .retrying(|| self.bill_at_threshold_once(scope, id))
            .await?;
        let Some(invoice) = made else { return Ok(()) };
        match self.finalize_and_collect(scope, &invoice).await {
            // A worker was faster.
            Err(Refused::State { .. }) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    async fn bill_at_threshold_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Option<InvoiceId>, Refused> {
        let now = self.now();
        let mut ground = self.ground(scope, id).await?;
        let own = &ground.subscription;
        if own.next_due_at().is_some_and(|at| at <= now) {
            // What is due now bills it.
            return Ok(None);
        }
        let mut metered = self.metered(scope, own, now).await?;
        let usage = self.additive(scope, own, &mut metered).await?;
        if !ground.subscription.reaches_threshold(&usage)? {
            return Ok(None);
        }
        let mut early = self.early(&mut ground, &metered, &usage)?;
        let Some(mut invoice) = early.invoice.take() else {
            return Ok(None);
        };
        invoice.billing_reason = BillingReason::SubscriptionThreshold;
        schedule_draft(&mut invoice, &ground.subscription, now, 0, now)?;
        for item in &mut early.items {
            if early.taken.contains(&item.id) {
                item.invoice = Some(invoice.id.clone());
            }
        }
        let mut booking = Booking::begin(self, scope).await?;
        let invoice = booking.insert(invoice).await?;
        book_taken(&mut booking, ground.pending, &early.taken, &invoice.id).await?;
        booking.insert_all(early.items).await?;
        booking.insert_all(early.spans).await?;
        let (own, before) = (&*ground.subscription, ground.subscription.before());
        metered
            .book(&mut booking, own, before, Some(&invoice), &early.taken, now)
            .await?;
        booking.save(&mut ground.customer).await?;
        save_subscription(&mut booking, &mut ground.subscription).await?;
        booking.commit().await?;
        Ok(Some(invoice.value.id))
    }

    /// Usage of meters whose values add up. What a largest or newest value costs is known only when
    /// the period ends, and is billed then.
    async fn additive(
        &self,
        scope: &Scope,
        own: &Subscription,
        metered: &mut Metered,
    ) -> Result<Vec<Usage>, Refused> {
        let meter = |item: &Item| {
            let recurring = item.price.recurring.as_ref();
            recurring.and_then(|own| own.meter.clone())
        };
        let mut ids: Vec<String> = own
            .items
            .iter()
            .filter_map(meter)
            .map(|id| id.to_string())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let meters: Vec<Stored<Meter>> = {
            let mut read = self.store.read().await?;
            document::load_many(&mut read, scope, &ids).await?
        };
        let adds_up = |usage: &Usage| {
            let item = own.items.iter().find(|item| item.id == usage.item);
            let meter = item.and_then(meter);
            let found = meters.iter().find(|row| Some(&row.id) == meter.as_ref());
            found.is_some_and(|meter| matches!(meter.formula, Formula::Sum | Formula::Count))
        };
        let usage = std::mem::take(&mut metered.usage);
        Ok(usage.into_iter().filter(adds_up).collect())
    }

    /// The usage as items, and the invoice that takes them up; the subscription remembers both.
    fn early(
        &self,
        ground: &mut Ground,
        metered: &Metered,
        usage: &[Usage],
    ) -> Result<Early, Refused> {
        let now = self.now();
        let mut ids = self.ids();
        let mut early = Early::default();
        let mut waiting = ground.waiting();
        waiting.extend(metered.owed.iter().cloned());
        let own = &mut ground.subscription;
        for used in usage {
            let Ok(item) = own.item(&used.item) else {
                continue;
            };
            let period = Period {
                start: item.usage_start(),
                end: now,
            };
            if period.start >= period.end {
                continue;
            }
            let mut span = Span::of(own, item, period, now, &mut ids);
            let billed = span.bill(used.quantity, now, &mut ids);
            let billed = billed.map_err(|_| Refused::TooLarge)?;
            waiting.extend(billed.clone());
            early.items.extend(billed);
            early.spans.push(span);
        }
        own.count_billed_usage(usage, now)?;
        let resets = own
            .billing_thresholds
            .is_some_and(|own| own.reset_billing_cycle_anchor);
        if resets {
            let context = ChangeContext {
                subscription: own,
                customer: &ground.customer,
                pending: &waiting,
            };
            let behavior = ProrationBehavior::AlwaysInvoice;
            let made = restart(&context, &[], behavior, now, &mut ids)?;
            **own = made.subscription;
            for item in &mut own.items {
                // A new period begins in the first tier.
                item.usage_before = None;
            }
            early.invoice = made.invoice;
            early.taken = made.taken;
            early.items.extend(made.pending);
            if early.invoice.is_some() {
                return Ok(early);
            }
            waiting = ground.waiting();
            waiting.extend(metered.owed.iter().chain(&early.items).cloned());
        }
        let made =
            ground
                .subscription
                .invoice_waiting(&ground.customer, &waiting, now, &mut ids)?;
        early.invoice = made.invoice;
        early.taken = made.taken;
        Ok(early)
    }
}
