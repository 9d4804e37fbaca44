//! The reported usage of metered prices.

use perennial::calendar::Timestamp;
use perennial::subscription::{Subscription, Usage};

/// Where the usage of metered items comes from when their period ends.
pub trait UsageSource: Send + Sync {
    /// What was used of each metered item in its period that ends at `until`. What is missing
    /// counts as nothing.
    fn reported(&self, subscription: &Subscription, until: Timestamp) -> Vec<Usage>;
}

/// Nothing is ever reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoUsage;

impl UsageSource for NoUsage {
    fn reported(&self, _subscription: &Subscription, _until: Timestamp) -> Vec<Usage> {
        Vec::new()
    }
}
