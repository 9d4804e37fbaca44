//! Updating a subscription by its parameters, as the API names them.

mod fields;

use perennial::calendar::Timestamp;
use perennial::id::{PaymentMethodId, SubscriptionId, SubscriptionItemId, TaxRateId};
use perennial::quote::{Applied, ChangeContext, apply, fit_to_end, give_trial, restart};
use perennial::subscription::{
    BillingThresholds, CollectionMethod, Feedback, ItemChange, MissingPaymentMethod,
    PauseCollection, ProrationBehavior, Renewed, Status, Subscription, added_items,
};

use super::added::NewAdded;
use super::booking::Booking;
use super::books::save_subscription;
use super::changes::{Ground, Prepared};
use super::choices::{Choices, DiscountChoice, PriceChoice, Recipient};
use super::invoices::Collect;
use super::payments::{Claim, PaymentResult};
use super::pending_updates::{may_wait, set_aside};
use super::subscriptions::{PaymentBehavior, SettingsChange};
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// What is to be different. `None` leaves a field as it is; where a field can be unset, the inner
/// `None` unsets it.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionUpdate {
    /// Wishes about items.
    pub items: Vec<UpdateItem>,
    /// How the difference is billed.
    pub proration_behavior: ProrationBehavior,
    /// The moment to prorate to; now if absent.
    pub proration_date: Option<Timestamp>,
    /// What happens when a payment is needed and does not succeed.
    pub payment_behavior: PaymentBehavior,
    /// Start new periods now.
    pub billing_cycle_anchor_now: bool,
    /// End the trial now, or give one until then.
    pub trial_end: Option<TrialEnd>,
    /// End then.
    pub cancel_at: Option<Option<EndAt>>,
    /// End with the running period, or take that back.
    pub cancel_at_period_end: Option<bool>,
    /// What a trial's end does without a payment method.
    pub trial_missing_payment_method: Option<MissingPaymentMethod>,
    /// Whether the end of a trial leaves the anchor where it is.
    pub trial_keeps_anchor: Option<bool>,
    /// Why it is to end: the reason that was picked.
    pub cancel_feedback: Option<Feedback>,
    /// Why it is to end: in own words.
    pub cancel_comment: Option<String>,
    /// Let collection stand still, or go on.
    pub pause_collection: Option<Option<PauseCollection>>,
    /// What pays before the customer's default.
    pub default_payment_method: Option<Option<PaymentMethodId>>,
    /// Rates for lines without rates of their own.
    pub default_tax_rates: Option<Vec<TaxRateId>>,
    /// Discounts instead of the present ones.
    pub discounts: Option<Vec<DiscountChoice>>,
    /// One-off amounts on the next invoice, or on that of the change.
    pub added: Vec<NewAdded>,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<Option<BillingThresholds>>,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: Option<CollectionMethod>,
    /// Only with `send_invoice`.
    pub days_until_due: Option<u16>,
    /// What is settled about its invoices.
    pub settings: SettingsChange,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
    /// For the customer's eyes.
    pub description: Option<Option<String>>,
    /// Keys to set; an empty value takes one away.
    pub metadata: Vec<(String, String)>,
}

/// When a subscription is to end: Stripe's `cancel_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndAt {
    /// At that moment.
    Moment(Timestamp),
    /// With the first of the running periods: `min_period_end`.
    FirstPeriodEnd,
    /// With the last of them: `max_period_end`.
    LastPeriodEnd,
    /// With the last of the running periods that were billed in advance: `max_billed_until`. Usage is
    /// billed afterwards, so metered items don't count.
    LastBilled,
}

/// When a trial is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialEnd {
    /// At once.
    Now,
    /// Then.
    At(Timestamp),
}

/// A wish about one item.
#[derive(Clone, Debug, Default)]
pub struct UpdateItem {
    /// Which; `None` adds one.
    pub id: Option<SubscriptionItemId>,
    /// Other terms.
    pub price: Option<PriceChoice>,
    /// Other units.
    pub quantity: Option<u64>,
    /// The id of a new one, where the caller minted it.
    pub new_id: Option<SubscriptionItemId>,
    /// It goes.
    pub deleted: bool,
    /// What it used until it goes is not billed.
    pub clear_usage: bool,
    /// Rates instead of the subscription's.
    pub tax_rates: Option<Vec<TaxRateId>>,
    /// Discounts of its own instead of the present ones.
    pub discounts: Option<Vec<DiscountChoice>>,
    /// Bill once this much was used.
    pub usage_gte: Option<Option<u64>>,
    /// Keys to set; an empty value takes one away.
    pub metadata: Vec<(String, String)>,
}

impl SubscriptionUpdate {
    /// Whether a change is made only once it is paid.
    fn waits_for_payment(&self) -> bool {
        matches!(
            self.payment_behavior,
            PaymentBehavior::PendingIfIncomplete | PaymentBehavior::ErrorIfIncomplete
        )
    }

    /// The first thing that can't wait with a change.
    fn beside_a_waiting_change(&self) -> Option<&'static str> {
        let fields = [
            (self.cancel_at.is_some(), "cancel_at"),
            (self.cancel_at_period_end.is_some(), "cancel_at_period_end"),
            (self.pause_collection.is_some(), "pause_collection"),
            (
                self.default_payment_method.is_some(),
                "default_payment_method",
            ),
            (self.default_tax_rates.is_some(), "default_tax_rates"),
            (self.discounts.is_some(), "discounts"),
            (self.billing_thresholds.is_some(), "billing_thresholds"),
            (self.collection_method.is_some(), "collection_method"),
            (self.days_until_due.is_some(), "days_until_due"),
            (self.has_trial_settings(), "trial_settings"),
            (
                self.settings.bills_otherwise(),
                "pending_invoice_item_interval",
            ),
            (self.description.is_some(), "description"),
            (!self.metadata.is_empty(), "metadata"),
        ];
        let found = fields.into_iter().find(|(sent, _)| *sent);
        found.map(|(_, field)| field)
    }

    fn has_trial_settings(&self) -> bool {
        self.trial_missing_payment_method.is_some() || self.trial_keeps_anchor.is_some()
    }

    /// Whether it says when the subscription ends.
    fn is_about_the_end(&self) -> bool {
        self.cancel_at.is_some() || self.cancel_at_period_end.is_some()
    }

    /// Whether it touches anything but what may always be changed.
    fn is_beyond_labels(&self) -> bool {
        !self.items.is_empty()
            || self.billing_cycle_anchor_now
            || self.trial_end.is_some()
            || self.cancel_at.is_some()
            || self.cancel_at_period_end.is_some()
            || self.pause_collection.is_some()
            || self.has_trial_settings()
            || self.default_tax_rates.is_some()
            || self.discounts.is_some()
            || !self.added.is_empty()
            || self.billing_thresholds.is_some()
            || self.collection_method.is_some()
            || self.days_until_due.is_some()
            || self.settings.bills_otherwise()
    }
}

impl Engine {
    /// Updates a subscription. What is due because of it is charged at once.
    ///
    /// # Errors
    /// Names the parameter that can't be used. [`Refused::State`] when its status does not allow
    /// the change. A decline is no error: the change stands and the subscription is past due.
    pub async fn update_subscription(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        update: SubscriptionUpdate,
    ) -> Result<(Stored<Subscription>, Option<PaymentResult>), Refused> {
        if update.is_beyond_labels() {
            // A change that waits for its payment was computed from what is changed now.
            self.expire_pending_update(scope, id).await?;
        }
        let claim = self
            .retrying(|| self.update_once(scope, id, &update))
            .await?;
        let payment = match claim {
            Some(claim) => Some(self.send(scope, claim).await?),
            None => None,
        };
        if update.payment_behavior == PaymentBehavior::ErrorIfIncomplete
            && let Some(result) = &payment
        {
            self.refuse_unpaid(scope, result.clone()).await?;
        }
        Ok((self.find(scope, id.as_str()).await?, payment))
    }

    async fn update_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        update: &SubscriptionUpdate,
    ) -> Result<Option<Claim>, Refused> {
        let (mut ground, computed, choices) = self.tried_update(scope, id, update).await?;
        let prepared = match computed {
            Some(applied) => {
                let collect = match update.payment_behavior {
                    PaymentBehavior::DefaultIncomplete => Collect::Later,
                    PaymentBehavior::AllowIncomplete
                    | PaymentBehavior::ErrorIfIncomplete
                    | PaymentBehavior::PendingIfIncomplete => Collect::Now {
                        on_session: update.on_session,
                    },
                };
                let prepared = self
                    .prepare(scope, &mut ground, applied, collect, None)
                    .await?;
                if update.waits_for_payment() && may_wait(ground.subscription.before()) {
                    self.let_wait(&mut ground, &prepared)?;
                }
                Some(prepared)
            }
            None => None,
        };
        self.keep_update(scope, ground, choices, prepared).await
    }

    /// Lets what a change made of a subscription wait for its invoice, if that is to be paid.
    fn let_wait(&self, ground: &mut Ground, prepared: &Prepared) -> Result<(), Refused> {
        let Some(invoice) = prepared.to_be_paid() else {
            return Ok(());
        };
        let before = ground.subscription.before().clone();
        let after = std::mem::replace(&mut *ground.subscription, before.clone());
        *ground.subscription = set_aside(&before, after, invoice, self.now())?;
        Ok(())
    }

    /// An update tried on copies: the subscription with its fields set, what its items, anchor or
    /// trial bring, and the coupons that it gives.
    pub(super) async fn tried_update(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        update: &SubscriptionUpdate,
    ) -> Result<(Ground, Option<Applied>, Choices), Refused> {
        let ground = self.ground(scope, id).await?;
        self.tried_on(scope, ground, update).await
    }

    /// As [`Engine::tried_update`], on what was loaded.
    pub(super) async fn tried_on(
        &self,
        scope: &Scope,
        mut ground: Ground,
        update: &SubscriptionUpdate,
    ) -> Result<(Ground, Option<Applied>, Choices), Refused> {
        allowed(&ground.subscription, update)?;
        let owner = ground.subscription.customer.clone();
        let mut named = self.named(scope, &owner, update).await?;
        self.set_fields(scope, &mut ground, update, &mut named)
            .await?;
        let changes = self.item_changes(&mut ground.subscription, update, &mut named)?;
        let to = Recipient {
            customer: owner,
            purchase: None,
        };
        let added = named.added_with_discounts(self, &update.added, &to, "add_invoice_items")?;
        let now = self.now();
        let cleared = update.items.iter().filter(|wish| wish.clear_usage);
        ground.forgiven = cleared.filter_map(|wish| wish.id.clone()).collect();
        let added = added_items(&ground.subscription, &added, now, &mut self.ids())?;
        ground.added.extend(added);
        let computed = self.computed(&mut ground, update, &changes)?;
        Ok((ground, computed, named))
    }

    async fn keep_update(
        &self,
        scope: &Scope,
        mut ground: Ground,
        mut choices: Choices,
        prepared: Option<Prepared>,
    ) -> Result<Option<Claim>, Refused> {
        let mut booking = Booking::begin(self, scope).await?;
        choices.write(&mut booking).await?;
        let claim = match prepared {
            Some(prepared) => prepared.write(&mut booking, ground).await?.claim,
            None => {
                booking
                    .insert_all(std::mem::take(&mut ground.added))
                    .await?;
                save_subscription(&mut booking, &mut ground.subscription).await?;
                booking.save(&mut ground.customer).await?;
                None
            }
        };
        booking.commit().await?;
        Ok(claim)
    }

    /// What an update of items, the anchor or the trial brings; `None` when it has none of them.
    fn computed(
        &self,
        ground: &mut Ground,
        update: &SubscriptionUpdate,
        changes: &[ItemChange],
    ) -> Result<Option<Applied>, Refused> {
        let now = self.now();
        let at = update.proration_date.unwrap_or(now);
        let behavior = update.proration_behavior;
        let pending = ground.waiting();
        let mut ids = self.ids();
        if let Some(end) = update.trial_end {
            if !changes.is_empty() {
                return Err(Refused::invalid(
                    "trial_end",
                    "Change the items and the trial in two requests.",
                ));
            }
            if let TrialEnd::At(end) = end {
                let context = context(ground, &pending);
                return Ok(Some(give_trial(&context, end, behavior, now, &mut ids)?));
            }
            return self.end_trial_now(ground, &pending, now).map(Some);
        }
        let context = context(ground, &pending);
        if update.billing_cycle_anchor_now {
            return Ok(Some(restart(&context, changes, behavior, at, &mut ids)?));
        }
        if update.is_about_the_end() && ground.subscription.is_unfit(at)? {
            let made = fit_to_end(&context, changes, behavior, at, &mut ids)?;
            return Ok(Some(made));
        }
        if changes.is_empty() {
            return Ok(None);
        }
        Ok(Some(apply(&context, changes, behavior, &[], at, &mut ids)?))
    }

    /// Ends a trial at once: the first period starts and is billed now.
    fn end_trial_now(
        &self,
        ground: &mut Ground,
        pending: &[perennial::invoice::InvoiceItem],
        now: Timestamp,
    ) -> Result<Applied, Refused> {
        let mut next = (*ground.subscription).clone();
        next.end_trial(now)?;
        let mut ids = self.ids();
        let Renewed { invoice, taken, .. } =
            next.renew(&ground.customer, pending, &[], now, &mut ids)?;
        let terms_of = ChangeContext {
            subscription: &next,
            customer: &ground.customer,
            pending: &[],
        };
        // Only its shape is wanted: a change of nothing.
        let unchanged = ProrationBehavior::None;
        let mut made = apply(&terms_of, &[], unchanged, &[], now, &mut ids)?;
        made.subscription = next;
        made.taken = taken;
        made.pending = Vec::new();
        made.invoice = invoice.map(|mut invoice| {
            invoice.billing_reason = perennial::invoice::BillingReason::SubscriptionUpdate;
            invoice
        });
        Ok(made)
    }
}

fn context<'a>(
    ground: &'a Ground,
    pending: &'a [perennial::invoice::InvoiceItem],
) -> ChangeContext<'a> {
    ChangeContext {
        subscription: &ground.subscription,
        customer: &ground.customer,
        pending,
    }
}

/// What the status of a subscription allows, in Stripe's words.
fn allowed(own: &Subscription, update: &SubscriptionUpdate) -> Result<(), Refused> {
    let refuse = |message: &str| {
        Err(Refused::State {
            code: None,
            message: message.to_owned(),
        })
    };
    match own.status {
        Status::Canceled | Status::IncompleteExpired
            if update.is_beyond_labels()
                || update.settings.is_said()
                || update.default_payment_method.is_some() =>
        {
            refuse("A canceled subscription can only update its cancellation_details and metadata.")
        }
        Status::Incomplete if update.is_beyond_labels() => refuse(
            "This subscription's first payment is still open: only its metadata and its default \
             payment method can be updated.",
        ),
        Status::Paused if own.resumption().is_some() && update.is_beyond_labels() => refuse(
            "The end of this subscription's pause waits for its payment: pay or void its latest \
             invoice first.",
        ),
        _ => match update.beside_a_waiting_change() {
            Some(field) if update.payment_behavior == PaymentBehavior::PendingIfIncomplete => {
                Err(Refused::invalid(
                    field,
                    format!(
                        "When `payment_behavior` is set to `pending_if_incomplete`, you can only \
                         update attributes that may generate an invoice; `{field}` is not one."
                    ),
                ))
            }
            _ => Ok(()),
        },
    }
}
