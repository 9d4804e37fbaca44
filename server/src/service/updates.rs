//! Updating a subscription by its parameters, as the API names them.

use std::collections::HashMap;

use perennial::calendar::Timestamp;
use perennial::catalog::Price;
use perennial::id::{
    CouponId, PaymentMethodId, PriceId, SubscriptionId, SubscriptionItemId, TaxRateId,
};
use perennial::quote::{Applied, ChangeContext, apply, give_trial, restart};
use perennial::subscription::{
    Cancellation, CollectionMethod, Feedback, ItemChange, PauseCollection, ProrationBehavior,
    Renewed, Status, Subscription,
};

use super::booking::Booking;
use super::books::save_subscription;
use super::changes::{Ground, Prepared};
use super::find::values;
use super::invoices::Collect;
use super::named::{Redeemed, named_rates};
use super::payments::{Claim, PaymentResult};
use super::subscriptions::PaymentBehavior;
use super::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::{Scope, nouns};

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
    /// End at that moment.
    pub cancel_at: Option<Option<Timestamp>>,
    /// End with the running period, or take that back.
    pub cancel_at_period_end: Option<bool>,
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
    /// Coupons instead of the present discounts.
    pub discounts: Option<Vec<CouponId>>,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: Option<CollectionMethod>,
    /// Only with `send_invoice`.
    pub days_until_due: Option<u16>,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
    /// For the customer's eyes.
    pub description: Option<Option<String>>,
    /// Keys to set; an empty value takes one away.
    pub metadata: Vec<(String, String)>,
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
    pub price: Option<PriceId>,
    /// Other units.
    pub quantity: Option<u64>,
    /// It goes.
    pub deleted: bool,
    /// Rates instead of the subscription's.
    pub tax_rates: Option<Vec<TaxRateId>>,
    /// Coupons of its own instead of the present ones.
    pub discounts: Option<Vec<CouponId>>,
    /// Keys to set; an empty value takes one away.
    pub metadata: Vec<(String, String)>,
}

impl SubscriptionUpdate {
    /// Whether it touches anything but what may always be changed.
    fn is_beyond_labels(&self) -> bool {
        !self.items.is_empty()
            || self.billing_cycle_anchor_now
            || self.trial_end.is_some()
            || self.cancel_at.is_some()
            || self.cancel_at_period_end.is_some()
            || self.pause_collection.is_some()
            || self.default_tax_rates.is_some()
            || self.discounts.is_some()
            || self.collection_method.is_some()
            || self.days_until_due.is_some()
    }
}

/// Everything that an update names, found.
struct Named {
    prices: HashMap<String, Stored<Price>>,
    rates: HashMap<String, Stored<perennial::tax::TaxRate>>,
    redeemed: Redeemed,
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
        let claim = self
            .retrying(|| self.update_once(scope, id, &update))
            .await?;
        let payment = match claim {
            Some(claim) => Some(self.send(scope, claim).await?),
            None => None,
        };
        Ok((self.find(scope, id.as_str()).await?, payment))
    }

    async fn update_once(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        update: &SubscriptionUpdate,
    ) -> Result<Option<Claim>, Refused> {
        let (mut ground, computed, redeemed) = self.tried_update(scope, id, update).await?;
        let prepared = match computed {
            Some(applied) => {
                let collect = match update.payment_behavior {
                    PaymentBehavior::DefaultIncomplete => Collect::Later,
                    PaymentBehavior::AllowIncomplete | PaymentBehavior::ErrorIfIncomplete => {
                        Collect::Now {
                            on_session: update.on_session,
                        }
                    }
                };
                Some(
                    self.prepare(scope, &mut ground, applied, collect, None)
                        .await?,
                )
            }
            None => None,
        };
        self.keep_update(scope, ground, redeemed, prepared).await
    }

    /// An update tried on copies: the subscription with its fields set, what its items, anchor or
    /// trial bring, and the coupons that it gives.
    pub(super) async fn tried_update(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
        update: &SubscriptionUpdate,
    ) -> Result<(Ground, Option<Applied>, Redeemed), Refused> {
        let mut ground = self.ground(scope, id).await?;
        allowed(&ground.subscription, update)?;
        let mut named = self.named(scope, update).await?;
        self.set_fields(scope, &mut ground, update, &mut named)
            .await?;
        let changes = self.item_changes(&mut ground.subscription, update, &mut named)?;
        let computed = self.computed(&mut ground, update, &changes)?;
        Ok((ground, computed, named.redeemed))
    }

    async fn keep_update(
        &self,
        scope: &Scope,
        mut ground: Ground,
        mut redeemed: Redeemed,
        prepared: Option<Prepared>,
    ) -> Result<Option<Claim>, Refused> {
        let mut booking = Booking::begin(self, scope).await?;
        redeemed.write(&mut booking).await?;
        let claim = match prepared {
            Some(prepared) => prepared.write(&mut booking, ground).await?.claim,
            None => {
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
        let pending = values(&ground.pending);
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

    /// Finds what an update names, a few queries in all.
    async fn named(&self, scope: &Scope, update: &SubscriptionUpdate) -> Result<Named, Refused> {
        let prices: Vec<&str> = update
            .items
            .iter()
            .filter_map(|item| item.price.as_ref())
            .map(PriceId::as_str)
            .collect();
        let own_rates = update
            .items
            .iter()
            .filter_map(|item| item.tax_rates.as_ref())
            .flatten();
        let rates: Vec<&TaxRateId> = own_rates
            .chain(update.default_tax_rates.iter().flatten())
            .collect();
        let own_coupons = update
            .items
            .iter()
            .filter_map(|item| item.discounts.as_ref())
            .flatten();
        let coupons: Vec<&CouponId> = own_coupons
            .chain(update.discounts.iter().flatten())
            .collect();
        Ok(Named {
            prices: self.find_many(scope, nouns::PRICES_BY_IDS, &prices).await?,
            rates: self.tax_rates(scope, rates.into_iter()).await?,
            redeemed: self.coupons(scope, coupons.into_iter()).await?,
        })
    }

    /// Everything but items, anchor and trial.
    async fn set_fields(
        &self,
        scope: &Scope,
        ground: &mut Ground,
        update: &SubscriptionUpdate,
        named: &mut Named,
    ) -> Result<(), Refused> {
        let now = self.now();
        if let Some(Some(method)) = &update.default_payment_method {
            self.own_method(scope, method, &ground.subscription.customer)
                .await?;
        }
        let own = &mut ground.subscription;
        let metadata = own.metadata.merge(&update.metadata);
        metadata.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
        if let Some(description) = &update.description {
            own.description.clone_from(description);
        }
        if let Some(method) = &update.default_payment_method {
            own.default_payment_method.clone_from(method);
        }
        if let Some(ids) = &update.default_tax_rates {
            own.default_tax_rates = named_rates(&named.rates, ids, "default_tax_rates")?;
        }
        if let Some(coupons) = &update.discounts {
            own.discounts = self.discounts(&own.discounts, coupons, "discounts", named)?;
        }
        if let Some(pause) = update.pause_collection {
            own.pause_collection = pause;
        }
        if let Some(method) = update.collection_method {
            own.collection_method = method;
        }
        match own.collection_method {
            CollectionMethod::ChargeAutomatically if update.days_until_due.is_some() => {
                return Err(Refused::invalid(
                    "days_until_due",
                    "days_until_due belongs to collection_method send_invoice.",
                ));
            }
            CollectionMethod::ChargeAutomatically => own.days_until_due = None,
            CollectionMethod::SendInvoice => {
                own.days_until_due = update.days_until_due.or(own.days_until_due);
                if own.days_until_due.is_none() {
                    return Err(Refused::invalid(
                        "days_until_due",
                        "collection_method send_invoice needs days_until_due.",
                    ));
                }
            }
        }
        let cancellation = Cancellation {
            comment: update.cancel_comment.clone(),
            feedback: update.cancel_feedback,
            reason: None,
        };
        set_ending(own, update, cancellation, now)
    }

    /// Discounts for a list of coupons; a coupon that is already given goes on as it is.
    fn discounts(
        &self,
        present: &[perennial::discount::Discount],
        coupons: &[CouponId],
        param: &str,
        named: &mut Named,
    ) -> Result<Vec<perennial::discount::Discount>, Refused> {
        let mut discounts = Vec::with_capacity(coupons.len());
        for id in coupons {
            match present.iter().find(|own| own.coupon.id == *id) {
                Some(own) => discounts.push(own.clone()),
                None => {
                    let (now, mut ids) = (self.now(), self.ids());
                    let one = std::slice::from_ref(id);
                    discounts.extend(named.redeemed.give(one, param, now, &mut ids)?);
                }
            }
        }
        Ok(discounts)
    }

    /// The wishes in the domain's words. Tax rates, discounts and metadata of items that stay are
    /// set directly: they change nothing that was billed.
    fn item_changes(
        &self,
        own: &mut Subscription,
        update: &SubscriptionUpdate,
        named: &mut Named,
    ) -> Result<Vec<ItemChange>, Refused> {
        let mut changes = Vec::with_capacity(update.items.len());
        for (index, wish) in update.items.iter().enumerate() {
            let param = format!("items[{index}]");
            let price = match &wish.price {
                Some(id) => Some(
                    named
                        .prices
                        .get(id.as_str())
                        .map(|row| row.value.clone())
                        .ok_or_else(|| Refused::NotFound {
                            kind: "price",
                            id: id.to_string(),
                            param: Some(format!("{param}[price]")),
                        })?,
                ),
                None => None,
            };
            let rates = match &wish.tax_rates {
                Some(ids) => Some(named_rates(
                    &named.rates,
                    ids,
                    &format!("{param}[tax_rates]"),
                )?),
                None => None,
            };
            let Some(id) = &wish.id else {
                let price = price.ok_or_else(|| {
                    Refused::invalid(format!("{param}[price]"), "A new item needs a price.")
                })?;
                changes.push(ItemChange::Add {
                    id: SubscriptionItemId::new(&mut self.ids()),
                    quantity: wish.quantity.unwrap_or(u64::from(!price.is_metered())),
                    price,
                    tax_rates: rates.unwrap_or_default(),
                });
                continue;
            };
            let found = own.item(id).map_err(|_| Refused::NotFound {
                kind: "subscription_item",
                id: id.to_string(),
                param: Some(format!("{param}[id]")),
            })?;
            let present = found.discounts.clone();
            if wish.deleted {
                changes.push(ItemChange::Remove { item: id.clone() });
                continue;
            }
            let discounts = match &wish.discounts {
                Some(coupons) => {
                    let param = format!("{param}[discounts]");
                    Some(self.discounts(&present, coupons, &param, named)?)
                }
                None => None,
            };
            if let Some(item) = own.items.iter_mut().find(|item| item.id == *id) {
                if let Some(rates) = rates {
                    item.tax_rates = rates;
                }
                if let Some(discounts) = discounts {
                    item.discounts = discounts;
                }
                let metadata = item.metadata.merge(&wish.metadata);
                metadata.map_err(|error| {
                    Refused::invalid(format!("{param}[metadata]"), error.to_string())
                })?;
            }
            if price.is_some() || wish.quantity.is_some() {
                let quantity = wish.quantity;
                changes.push(ItemChange::Set {
                    item: id.clone(),
                    price,
                    quantity,
                });
            }
        }
        Ok(changes)
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

/// Sets or takes back that it is to end.
fn set_ending(
    own: &mut Subscription,
    update: &SubscriptionUpdate,
    cancellation: Cancellation,
    now: Timestamp,
) -> Result<(), Refused> {
    match (update.cancel_at_period_end, update.cancel_at) {
        (Some(true), Some(Some(_))) => Err(Refused::invalid(
            "cancel_at_period_end",
            "Give either cancel_at or cancel_at_period_end.",
        )),
        (Some(true), _) => Ok(own.cancel_at_period_end(cancellation, now).map(|_| ())?),
        (_, Some(Some(at))) => Ok(own.end_at(at, cancellation, now)?),
        (Some(false), _) | (_, Some(None)) if own.cancel_at.is_some() => Ok(own.keep()?),
        _ => Ok(()),
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
            if update.is_beyond_labels() || update.default_payment_method.is_some() =>
        {
            refuse("A canceled subscription can only update its cancellation_details and metadata.")
        }
        Status::Incomplete if update.is_beyond_labels() => refuse(
            "This subscription's first payment is still open: only its metadata and its default \
             payment method can be updated.",
        ),
        _ if update.payment_behavior == PaymentBehavior::ErrorIfIncomplete
            && !update.items.is_empty() =>
        {
            Err(Refused::invalid(
                "payment_behavior",
                "error_if_incomplete is not supported when items change; use allow_incomplete.",
            ))
        }
        _ => Ok(()),
    }
}
