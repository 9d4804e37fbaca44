//! Periods that end early, because the subscription does.

use super::{Item, Status, Subscription, SubscriptionError};
use crate::calendar::Timestamp;

impl Subscription {
    /// Cuts the running periods of `items` where the subscription is to end, so that nobody is billed
    /// beyond it; with `extends`, periods that were cut before first get back their whole length
    /// from `anchor`. In a trial nothing is billed, so nothing is cut; a pause has no periods.
    ///
    /// # Errors
    /// When a date can't be computed.
    pub(crate) fn fit(
        &self,
        items: &mut [Item],
        anchor: Timestamp,
        at: Timestamp,
        extends: bool,
    ) -> Result<(), SubscriptionError> {
        if matches!(self.status, Status::Trialing | Status::Paused) {
            return Ok(());
        }
        let end = self.cancel_at.filter(|end| *end > at);
        for item in items {
            let running = item.current_period.end;
            let natural = match extends && running > at {
                true => running.max(item.cadence()?.period_containing(anchor, at)?.end),
                false => running,
            };
            item.current_period.end = end.map_or(natural, |end| natural.min(end));
        }
        Ok(())
    }

    /// When the first and the last of the running periods would end, if the subscription were not to
    /// end before.
    ///
    /// # Errors
    /// When a date can't be computed.
    pub fn whole_period_ends(
        &self,
        at: Timestamp,
    ) -> Result<Option<(Timestamp, Timestamp)>, SubscriptionError> {
        let mut free = self.clone();
        free.cancel_at = None;
        let mut items = core::mem::take(&mut free.items);
        free.fit(&mut items, free.billing_cycle_anchor, at, true)?;
        let ends = || items.iter().map(|item| item.current_period.end);
        Ok(ends().min().zip(ends().max()))
    }

    /// Whether the running periods are not as the end of the subscription, which may have been set or
    /// taken back, would have them.
    ///
    /// # Errors
    /// When a date can't be computed.
    pub fn is_unfit(&self, at: Timestamp) -> Result<bool, SubscriptionError> {
        let mut items = self.items.clone();
        self.fit(&mut items, self.billing_cycle_anchor, at, true)?;
        Ok(items != self.items)
    }
}
