//! The rules of changing items.

use super::{
    BillingMode, ITEMS_MAX, Item, ItemChange, ScheduledChange, Status, Subscription,
    SubscriptionError,
};
use crate::calendar::{Cadence, Period, Timestamp};
use crate::catalog::{Price, TaxBehavior};
use crate::currency::Currency;
use crate::decimal::Decimal12;
use crate::discount;
use crate::id::{PriceId, SubscriptionItemId};
use crate::metadata::Metadata;
use crate::pricing::PricingError;
use crate::tax::{self, TaxRate};

/// The largest quantity of an item.
pub const QUANTITY_MAX: u64 = 999_999_999;

/// The items as they are after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Kept, changed and new items, in order. What was billed is still on the kept ones.
    pub items: Vec<Item>,
    /// From where periods are counted afterwards.
    pub billing_cycle_anchor: Timestamp,
    /// Whether new periods start at the moment of the change.
    pub resets: bool,
}

/// The items of `subscription` after `changes` at `at`, without a word about money.
///
/// Rules: at most [`ITEMS_MAX`] items, at least one, no price twice, one currency, recurring and
/// active prices only, no move between prices with and without tax, quantities up to
/// [`QUANTITY_MAX`]. A new price without a quantity means 1 (as at Stripe).
///
/// Where every item takes up one interval that none had before, new periods start at `at` (the
/// anchor moves there): monthly to yearly starts a year today. So do they in classic mode when
/// something free starts to cost. In flexible mode a single item may take up another interval than
/// the rest; then the anchor stays and the item joins the running period of its interval. Trials
/// keep their end, and the anchor with it.
///
/// # Errors
/// Names the first rule that is broken.
pub fn apply_changes(
    subscription: &Subscription,
    changes: &[ItemChange],
    at: Timestamp,
) -> Result<Changed, SubscriptionError> {
    if !subscription.status.is_changeable() {
        return Err(SubscriptionError::Status(subscription.status));
    }
    if subscription.status != Status::Paused {
        check_moment(subscription, changes, at)?;
    }
    let mut items = replace_items(subscription, changes, at)?;
    let resets = subscription.status != Status::Trialing
        && subscription.status != Status::Paused
        && (takes_up_interval(&subscription.items, &items)
            || starts_to_cost(subscription.billing_mode, &subscription.items, &items)?);
    let anchor = if resets {
        at
    } else {
        subscription.billing_cycle_anchor
    };
    for item in &mut items {
        let kept = subscription.items.iter().find(|old| old.id == item.id);
        let same_cadence = kept.is_some_and(|old| old.price.cadence() == item.price.cadence());
        if resets {
            item.current_period = restarted(item, kept, at)?;
        } else if !same_cadence {
            item.current_period = joined_period(subscription, item, at)?;
        }
    }
    subscription.fit(&mut items, anchor, at, false)?;
    Ok(Changed {
        items,
        billing_cycle_anchor: anchor,
        resets,
    })
}

/// The items after `changes`, with the rules checked. New items have an empty period at `at`.
pub(super) fn replace_items(
    subscription: &Subscription,
    changes: &[ItemChange],
    at: Timestamp,
) -> Result<Vec<Item>, SubscriptionError> {
    let mut items = subscription.items.clone();
    let mut seen: Vec<&SubscriptionItemId> = Vec::new();
    for change in changes {
        if let Some(id) = changed_item(change) {
            subscription.item(id)?;
            if seen.contains(&id) {
                return Err(SubscriptionError::DuplicateItem(id.clone()));
            }
            seen.push(id);
        }
        match change {
            ItemChange::Add {
                id,
                price,
                quantity,
                tax_rates,
                with,
            } => {
                if items.iter().any(|item| item.id == *id) {
                    return Err(SubscriptionError::DuplicateItem(id.clone()));
                }
                tax::validate_list(tax_rates)?;
                discount::validate_list(&with.discounts, subscription.currency)?;
                check_new_price(price, subscription.currency)?;
                let mut item =
                    new_item(id.clone(), price.clone(), *quantity, tax_rates.clone(), at);
                item.discounts.clone_from(&with.discounts);
                item.usage_gte = with.usage_gte;
                item.metadata.clone_from(&with.metadata);
                // What was used before it was there is not its business.
                item.usage_from = price.is_metered().then_some(at);
                items.push(item);
            }
            ItemChange::Set {
                item,
                price,
                quantity,
            } => {
                if let Some(found) = items.iter_mut().find(|other| other.id == *item) {
                    set(found, price.as_ref(), *quantity, subscription.currency, at)?;
                }
            }
            ItemChange::Remove { item } => items.retain(|other| other.id != *item),
        }
    }
    check_items(&items, subscription.currency, subscription.billing_mode)?;
    Ok(items)
}

/// The items as they will be once a waiting change is made. Their periods are still the old ones.
///
/// # Errors
/// When the change breaks a rule after all.
pub fn items_after(
    subscription: &Subscription,
    change: &ScheduledChange,
) -> Result<Vec<Item>, SubscriptionError> {
    replace_items(subscription, &change.items, change.at)
}

/// Checks a whole list of items: how many, no price twice, one currency, recurring, quantities,
/// one interval in classic mode, and that each has an amount.
pub(super) fn check_items(
    items: &[Item],
    currency: Currency,
    mode: BillingMode,
) -> Result<(), SubscriptionError> {
    let Some(first) = items.first() else {
        return Err(SubscriptionError::NoItems);
    };
    if items.len() > ITEMS_MAX {
        return Err(SubscriptionError::TooManyItems);
    }
    for (index, item) in items.iter().enumerate() {
        check_price(&item.price, currency)?;
        if items
            .iter()
            .take(index)
            .any(|other| other.price.id == item.price.id)
        {
            return Err(SubscriptionError::DuplicatePrice(item.price.id.clone()));
        }
        if mode == BillingMode::Classic && item.price.cadence() != first.price.cadence() {
            return Err(SubscriptionError::MixedIntervals);
        }
        if item.quantity > QUANTITY_MAX {
            return Err(SubscriptionError::QuantityTooLarge);
        }
        if item.price.is_metered() && item.quantity != 0 {
            return Err(SubscriptionError::QuantityOfMetered);
        }
        item.price.pricing.amount_minor(item.quantity)?;
    }
    Ok(())
}

pub(super) fn new_item(
    id: SubscriptionItemId,
    price: Price,
    quantity: u64,
    tax_rates: Vec<TaxRate>,
    at: Timestamp,
) -> Item {
    Item {
        id,
        price,
        quantity,
        current_period: Period { start: at, end: at },
        discounts: Vec::new(),
        tax_rates,
        usage_from: None,
        usage_before: None,
        billed: Vec::new(),
        usage_gte: None,
        metadata: Metadata::default(),
        created: at,
    }
}

/// A price that comes onto a subscription must be one that can, and still be sold.
pub(super) fn check_new_price(price: &Price, currency: Currency) -> Result<(), SubscriptionError> {
    if !(price.active || price.inline) {
        return Err(SubscriptionError::PriceInactive(price.id.clone()));
    }
    check_price(price, currency)
}

fn check_price(price: &Price, currency: Currency) -> Result<(), SubscriptionError> {
    if price.cadence().is_none() {
        return Err(SubscriptionError::NotRecurring(price.id.clone()));
    }
    if price.currency != currency {
        return Err(SubscriptionError::CurrencyMismatch {
            price: price.currency,
            subscription: currency,
        });
    }
    Ok(())
}

fn set(
    item: &mut Item,
    price: Option<&Price>,
    quantity: Option<u64>,
    currency: Currency,
    at: Timestamp,
) -> Result<(), SubscriptionError> {
    let switched = price.filter(|price| price.id != item.price.id);
    if let Some(price) = switched {
        check_new_price(price, currency)?;
        let (old, new) = (item.price.tax_behavior, price.tax_behavior);
        if old != new && old != TaxBehavior::Unspecified && new != TaxBehavior::Unspecified {
            return Err(SubscriptionError::TaxBehaviorMismatch(price.id.clone()));
        }
        item.price = price.clone();
        item.quantity = u64::from(!price.is_metered());
        // Each price bills the usage of its own time.
        item.usage_from = price.is_metered().then_some(at);
        item.usage_before = None;
    }
    if let Some(quantity) = quantity {
        item.quantity = quantity;
    }
    Ok(())
}

fn changed_item(change: &ItemChange) -> Option<&SubscriptionItemId> {
    match change {
        ItemChange::Set { item, .. } | ItemChange::Remove { item } => Some(item),
        ItemChange::Add { .. } => None,
    }
}

/// Whether every item now has one interval that no item had before.
fn takes_up_interval(before: &[Item], after: &[Item]) -> bool {
    let Some(cadence) = after.first().and_then(|item| item.price.cadence()) else {
        return false;
    };
    after
        .iter()
        .all(|item| item.price.cadence() == Some(cadence))
        && before
            .iter()
            .all(|item| item.price.cadence() != Some(cadence))
        && after
            .iter()
            .any(|item| before.iter().any(|old| old.id == item.id))
}

/// Classic mode starts new periods when something free starts to cost.
fn starts_to_cost(
    mode: BillingMode,
    before: &[Item],
    after: &[Item],
) -> Result<bool, SubscriptionError> {
    if mode != BillingMode::Classic || before.iter().any(|item| item.price.is_metered()) {
        return Ok(false);
    }
    Ok(licensed_sum(before)? == 0 && licensed_sum(after)? > 0)
}

fn licensed_sum(items: &[Item]) -> Result<i128, SubscriptionError> {
    let mut sum = 0_i128;
    for item in items.iter().filter(|item| !item.price.is_metered()) {
        sum += i128::from(item.price.pricing.amount_minor(item.quantity)?);
    }
    Ok(sum)
}

/// The running period of an item that is new or has a new interval.
fn joined_period(
    subscription: &Subscription,
    item: &Item,
    at: Timestamp,
) -> Result<Period, SubscriptionError> {
    if subscription.status == Status::Paused {
        // A pause has no running period; going on gives it one.
        let first = subscription.items.first();
        return first
            .map(|old| old.current_period)
            .ok_or(SubscriptionError::NoItems);
    }
    if subscription.status == Status::Trialing
        && let Some(other) = subscription
            .items
            .iter()
            .find(|old| old.current_period.contains(at))
    {
        return Ok(other.current_period);
    }
    let cadence = item.cadence()?;
    let beside = subscription
        .items
        .iter()
        .find(|old| old.price.cadence() == Some(cadence) && old.current_period.contains(at));
    match beside {
        Some(old) => Ok(old.current_period),
        None => Ok(cadence.period_containing(subscription.billing_cycle_anchor, at)?),
    }
}

/// A whole period from `at` on. Usage since the old period began is not lost: a metered item's
/// period goes on from there.
pub(crate) fn restarted(
    item: &Item,
    kept: Option<&Item>,
    at: Timestamp,
) -> Result<Period, SubscriptionError> {
    let whole = item.cadence()?.period_containing(at, at)?;
    let metered = kept.filter(|old| old.price.is_metered() && item.price.is_metered());
    let start = metered.map_or(whole.start, |old| old.current_period.start.min(at));
    Ok(Period {
        start,
        end: whole.end,
    })
}

/// A change needs a running period: of the subscription, and of every item that it is about.
/// Whoever is late renews first. A pause has no running period.
fn check_moment(
    subscription: &Subscription,
    changes: &[ItemChange],
    at: Timestamp,
) -> Result<(), SubscriptionError> {
    let ends = subscription
        .period_end()
        .ok_or(SubscriptionError::NoItems)?;
    if at >= ends || at < subscription.start_date {
        return Err(SubscriptionError::OutsidePeriod { ends });
    }
    for id in changes.iter().filter_map(changed_item) {
        let period = subscription.item(id)?.current_period;
        if !period.contains(at) {
            return Err(SubscriptionError::OutsidePeriod { ends: period.end });
        }
    }
    Ok(())
}

impl Subscription {
    /// The item with this id.
    ///
    /// # Errors
    /// When there is none.
    pub fn item(&self, id: &SubscriptionItemId) -> Result<&Item, SubscriptionError> {
        let found = self.items.iter().find(|item| item.id == *id);
        found.ok_or_else(|| SubscriptionError::UnknownItem(id.clone()))
    }

    /// The item that stands on this price.
    #[must_use]
    pub fn item_of(&self, price: &PriceId) -> Option<&Item> {
        self.items.iter().find(|item| item.price.id == *price)
    }
}

impl Item {
    /// From when its price bills usage in the running period.
    #[must_use]
    pub fn usage_start(&self) -> Timestamp {
        let start = self.current_period.start;
        self.usage_from.map_or(start, |from| from.max(start))
    }

    /// What usage since [`Item::usage_start`] costs, in minor units.
    ///
    /// # Errors
    /// When the amount can't be computed.
    pub fn usage_amount_minor(&self, quantity: Decimal12) -> Result<i64, PricingError> {
        let before = self.usage_before.unwrap_or(Decimal12::ZERO);
        self.price.pricing.amount_minor_after(before, quantity)
    }

    /// How often it bills. Every item of a subscription has a recurring price.
    ///
    /// # Errors
    /// When its price is a one-time price after all.
    pub fn cadence(&self) -> Result<Cadence, SubscriptionError> {
        let cadence = self.price.cadence();
        cadence.ok_or_else(|| SubscriptionError::NotRecurring(self.price.id.clone()))
    }
}
