//! What an update names and says, set on the subscription.

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, SubscriptionItemId};
use perennial::subscription::{
    Cancellation, CollectionMethod, ItemChange, ItemExtras, Subscription, SubscriptionError,
};

use super::{EndAt, SubscriptionUpdate};
use crate::service::changes::Ground;
use crate::service::choices::{Asked, Choices, Recipient};
use crate::service::{Engine, Refused};
use crate::store::Scope;

impl Engine {
    /// Finds what an update names, a few queries in all.
    pub(super) async fn named(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        update: &SubscriptionUpdate,
    ) -> Result<Choices, Refused> {
        let items = &update.items;
        let added = &update.added;
        let own_prices = items.iter().filter_map(|item| item.price.as_ref());
        let own_rates = items.iter().filter_map(|item| item.tax_rates.as_ref());
        let own_discounts = items.iter().filter_map(|item| item.discounts.as_ref());
        let asked = Asked {
            prices: own_prices
                .chain(added.iter().map(|one| &one.price))
                .collect(),
            rates: own_rates
                .flatten()
                .chain(update.default_tax_rates.iter().flatten())
                .chain(added.iter().flat_map(|one| &one.tax_rates))
                .collect(),
            discounts: own_discounts
                .flatten()
                .chain(update.discounts.iter().flatten())
                .chain(added.iter().flat_map(|one| &one.discounts))
                .collect(),
        };
        self.choices(scope, customer, &asked).await
    }

    /// Everything but items, anchor and trial.
    pub(super) async fn set_fields(
        &self,
        scope: &Scope,
        ground: &mut Ground,
        update: &SubscriptionUpdate,
        named: &mut Choices,
    ) -> Result<(), Refused> {
        let now = self.now();
        if let Some(Some(method)) = &update.default_payment_method {
            self.own_method(scope, method, &ground.subscription.customer)
                .await?;
        }
        self.change_settings(scope, &mut ground.subscription, &update.settings, now)
            .await?;
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
            own.default_tax_rates = named.rates(ids, "default_tax_rates")?;
        }
        if let Some(coupons) = &update.discounts {
            let to = Recipient {
                customer: own.customer.clone(),
                purchase: None,
            };
            let present = own.discounts.clone();
            own.discounts = named.discounts(self, &present, coupons, &to, now, "discounts")?;
        }
        if let Some(thresholds) = update.billing_thresholds {
            own.billing_thresholds = thresholds;
        }
        if let Some(choice) = update.trial_missing_payment_method {
            own.trial_missing_payment_method = choice;
        }
        if let Some(keeps) = update.trial_keeps_anchor {
            own.trial_keeps_anchor = keeps;
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

    /// The wishes in the domain's words. Tax rates, discounts and metadata of items that stay are
    /// set directly: they change nothing that was billed.
    pub(super) fn item_changes(
        &self,
        own: &mut Subscription,
        update: &SubscriptionUpdate,
        named: &mut Choices,
    ) -> Result<Vec<ItemChange>, Refused> {
        let mut changes = Vec::with_capacity(update.items.len());
        for (index, wish) in update.items.iter().enumerate() {
            let param = format!("items[{index}]");
            let price = match &wish.price {
                Some(choice) => Some(named.price(self, choice, &param)?),
                None => None,
            };
            let rates = match &wish.tax_rates {
                Some(ids) => Some(named.rates(ids, &format!("{param}[tax_rates]"))?),
                None => None,
            };
            let Some(id) = &wish.id else {
                let price = price.ok_or_else(|| {
                    Refused::invalid(format!("{param}[price]"), "A new item needs a price.")
                })?;
                let to = Recipient {
                    customer: own.customer.clone(),
                    purchase: None,
                };
                let coupons = wish.discounts.as_deref().unwrap_or_default();
                let about = format!("{param}[discounts]");
                let mut with = ItemExtras {
                    discounts: named.discounts(self, &[], coupons, &to, self.now(), &about)?,
                    usage_gte: wish.usage_gte.flatten(),
                    ..ItemExtras::default()
                };
                let metadata = with.metadata.merge(&wish.metadata);
                metadata.map_err(|error| {
                    Refused::invalid(format!("{param}[metadata]"), error.to_string())
                })?;
                let id = wish.new_id.clone();
                changes.push(ItemChange::Add {
                    id: id.unwrap_or_else(|| SubscriptionItemId::new(&mut self.ids())),
                    quantity: wish.quantity.unwrap_or(u64::from(!price.is_metered())),
                    price,
                    tax_rates: rates.unwrap_or_default(),
                    with,
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
                    let to = Recipient {
                        customer: own.customer.clone(),
                        purchase: None,
                    };
                    let now = self.now();
                    Some(named.discounts(self, &present, coupons, &to, now, &param)?)
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
                if let Some(mark) = wish.usage_gte {
                    item.usage_gte = mark;
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
        (_, Some(Some(end))) => {
            let ends = own.whole_period_ends(now)?;
            let (first, last) = ends.ok_or(SubscriptionError::NoItems)?;
            let end = match end {
                EndAt::Moment(at) => at,
                EndAt::FirstPeriodEnd => first,
                EndAt::LastPeriodEnd => last,
                EndAt::LastBilled => {
                    let ahead = own.items.iter().filter(|item| !item.price.is_metered());
                    let until = ahead.map(|item| item.current_period.end).max();
                    until.ok_or_else(|| {
                        let message = "Nothing on this subscription is billed in advance.";
                        Refused::invalid("cancel_at", message)
                    })?
                }
            };
            Ok(own.end_at(end, cancellation, now)?)
        }
        (Some(false), _) | (_, Some(None)) if own.cancel_at.is_some() => Ok(own.keep()?),
        _ => Ok(()),
    }
}
