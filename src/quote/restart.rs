//! Changes that move the billing cycle: a new period now, or a trial in between.

use super::price::{Applied, ChangeContext, ChangeError, invoice_now, make, tell, unpriced};
use super::waiting_items;
use crate::calendar::{Period, Timestamp};
use crate::id::Randomness;
use crate::subscription::{
    Event, ItemChange, ProrationBehavior, Status, SubscriptionError, TRIAL_SECONDS_MAX,
    apply_changes, restarted, trial_line,
};

/// Makes `changes` (perhaps none) and starts new periods for every item at `at`: Stripe's
/// `billing_cycle_anchor=now`. Unused time is credited (unless
/// [`ProrationBehavior::None`]), whole periods are billed now. Metered items go on until the new
/// boundary, so that no usage is lost.
///
/// # Errors
/// As [`super::apply`]. In a trial or a pause there is no cycle to restart.
pub fn restart(
    context: &ChangeContext<'_>,
    changes: &[ItemChange],
    behavior: ProrationBehavior,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Applied, ChangeError> {
    let own = context.subscription;
    if context.customer.deleted {
        return Err(SubscriptionError::CustomerDeleted);
    }
    if !own.status.is_billing() {
        return Err(SubscriptionError::Status(own.status));
    }
    let mut changed = apply_changes(own, changes, at)?;
    changed.resets = true;
    changed.billing_cycle_anchor = at;
    for item in &mut changed.items {
        let kept = own.items.iter().find(|old| old.id == item.id);
        item.current_period = restarted(item, kept, at)?;
    }
    own.fit(&mut changed.items, at, at, false)?;
    make(context, changed, behavior, at, ids)
}

/// Makes `changes` (perhaps none) and fits the running periods to an end that was set or taken back
/// just before (on `context`'s subscription): what was billed beyond the end is given back, what is
/// to be billed again until the period's end is billed (unless [`ProrationBehavior::None`]).
///
/// # Errors
/// As [`super::apply`].
pub fn fit_to_end(
    context: &ChangeContext<'_>,
    changes: &[ItemChange],
    behavior: ProrationBehavior,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Applied, ChangeError> {
    let own = context.subscription;
    if context.customer.deleted {
        return Err(SubscriptionError::CustomerDeleted);
    }
    let mut changed = apply_changes(own, changes, at)?;
    let anchor = changed.billing_cycle_anchor;
    own.fit(&mut changed.items, anchor, at, true)?;
    make(context, changed, behavior, at, ids)
}

/// Gives a trial until `trial_end` to a running subscription, or moves the end of the one it is in.
/// Unused paid time is credited (unless [`ProrationBehavior::None`]); the cycle starts at the
/// trial's end. A free line is invoiced now, as for a new trial.
///
/// # Errors
/// When `trial_end` is not in the future or more than two years away, or the status does not allow a
/// trial.
pub fn give_trial(
    context: &ChangeContext<'_>,
    trial_end: Timestamp,
    behavior: ProrationBehavior,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Applied, ChangeError> {
    let own = context.subscription;
    if context.customer.deleted {
        return Err(SubscriptionError::CustomerDeleted);
    }
    if trial_end <= at || trial_end.0 > at.0.saturating_add(TRIAL_SECONDS_MAX) {
        return Err(SubscriptionError::TrialEnd);
    }
    let mut next = own.clone();
    next.status = own.status.transition(Event::TrialStarted)?;
    let extends = own.status == Status::Trialing;
    let lines = match behavior {
        ProrationBehavior::None => Vec::new(),
        _ => own.unused_time(context.customer, at, ids)?,
    };
    if !extends {
        next.note_trial(at);
        next.trial_start = Some(at);
    }
    let follows = !extends || own.trial_end == Some(own.billing_cycle_anchor);
    if follows && !own.trial_keeps_anchor {
        next.billing_cycle_anchor = trial_end;
    }
    next.trial_end = Some(trial_end);
    for item in &mut next.items {
        let goes_on = extends || item.price.is_metered();
        let start = if goes_on {
            item.current_period.start.min(at)
        } else {
            at
        };
        item.current_period = Period {
            start,
            end: trial_end,
        };
        item.billed.clear();
    }
    next.put_off_change(trial_end);
    let mut made = unpriced(next, at);
    made.terms.anchor_reset = made.subscription.billing_cycle_anchor != own.billing_cycle_anchor;
    let mut free = Vec::new();
    let licensed = made
        .subscription
        .items
        .iter()
        .filter(|item| !item.price.is_metered());
    for item in licensed.filter(|_| !extends) {
        free.push(trial_line(&made.subscription, item, ids));
    }
    if behavior == ProrationBehavior::AlwaysInvoice {
        free.splice(0..0, lines);
    } else {
        made.pending = waiting_items(&made.subscription, lines, at, ids);
    }
    invoice_now(context, &mut made, free, at, ids)?;
    tell(context, &mut made, at)?;
    Ok(made)
}
