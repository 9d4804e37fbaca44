//! Which changes wait for the end of the period.

use crate::calendar::{Interval, Timestamp};
use crate::catalog::Price;
use crate::money::MoneyError;
use crate::portal::ScheduleCondition;
use crate::ratio::Ratio;
use crate::subscription::{Item, ItemChange, Status, Subscription, SubscriptionError};

/// When the change has to wait, by the merchant's conditions: any that is true makes the whole
/// change wait for the end of the running period (of the items that change, the latest to end).
///
/// An item decreases when it goes, or costs less than before: for one period where the interval
/// stays, for the same time where it doesn't (so a longer interval that is cheaper in the long run
/// decreases too). Metered items have no amount to decrease. In a trial or a pause nothing was
/// billed, so nothing waits.
///
/// # Errors
/// When an item does not exist or an amount can't be computed.
pub fn waits(
    subscription: &Subscription,
    changes: &[ItemChange],
    conditions: &[ScheduleCondition],
) -> Result<Option<Timestamp>, SubscriptionError> {
    if conditions.is_empty() || matches!(subscription.status, Status::Trialing | Status::Paused) {
        return Ok(None);
    }
    let (mut ends, mut any) = (None, false);
    for change in changes {
        let (ItemChange::Set { item, .. } | ItemChange::Remove { item }) = change else {
            continue;
        };
        let item = subscription.item(item)?;
        ends = ends.max(Some(item.current_period.end));
        for condition in conditions {
            any |= match condition {
                ScheduleCondition::DecreasingItemAmount => decreases(item, change)?,
                ScheduleCondition::ShorteningInterval => shortens(item, change)?,
            };
        }
    }
    Ok(ends.filter(|_| any))
}

fn decreases(item: &Item, change: &ItemChange) -> Result<bool, SubscriptionError> {
    let ItemChange::Set {
        price, quantity, ..
    } = change
    else {
        return Ok(!item.price.is_metered());
    };
    let switched = price.as_ref().filter(|price| price.id != item.price.id);
    let kept = if switched.is_some() { 1 } else { item.quantity };
    let (new, quantity) = (switched.unwrap_or(&item.price), quantity.unwrap_or(kept));
    if item.price.is_metered() || new.is_metered() {
        return Ok(false);
    }
    let before = item.price.pricing.exact_amount(item.quantity)?;
    let after = new.pricing.exact_amount(quantity)?;
    if new.cadence() == item.price.cadence() {
        return Ok(after < before);
    }
    Ok(after.checked_div(months(new)?)? < before.checked_div(months(&item.price)?)?)
}

fn shortens(item: &Item, change: &ItemChange) -> Result<bool, SubscriptionError> {
    match change {
        ItemChange::Set {
            price: Some(price), ..
        } => Ok(months(price)? < months(&item.price)?),
        _ => Ok(false),
    }
}

/// How many months a price's interval lasts on average: a day is 12/365 of a month.
pub(super) fn months(price: &Price) -> Result<Ratio, MoneyError> {
    let Some(cadence) = price.cadence() else {
        return Ok(Ratio::ONE);
    };
    let count = i128::from(cadence.interval_count.max(1));
    match cadence.interval {
        Interval::Day => Ratio::new(count * 12, 365),
        Interval::Week => Ratio::new(count * 84, 365),
        Interval::Month => Ratio::new(count, 1),
        Interval::Year => Ratio::new(count * 12, 1),
    }
}
