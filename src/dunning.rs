//! After a failed charge: what to do next, and when.

mod decline;
mod payer;
pub mod smart;

pub use decline::{DeclineClass, Obstacle, is_hard, meaning};

use serde::{Deserialize, Serialize};

use crate::calendar::{CalendarError, Timestamp};
use crate::payment::Decline;
use crate::subscription::WhenExhausted;

/// The most retries after the first attempt (Stripe: 8 attempts in all by its own schedule).
pub const RETRIES_MAX: usize = 8;
/// The longest wait between two attempts, in days.
pub const WAIT_DAYS_MAX: u16 = 60;

/// How a merchant retries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Days from each failed attempt to the next one.
    pub wait_days: Vec<u16>,
    /// What follows the last one.
    pub then: WhenExhausted,
}

impl Default for RetryPolicy {
    /// Eight attempts within two weeks, then the subscription ends.
    fn default() -> Self {
        Self {
            wait_days: vec![1, 1, 2, 2, 2, 3, 3],
            then: WhenExhausted::default(),
        }
    }
}

/// Why a policy was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryPolicyError {
    /// More than [`RETRIES_MAX`].
    #[error("wait_days can have at most 8 retries")]
    TooMany,
    /// Zero, or more than [`WAIT_DAYS_MAX`].
    #[error("wait_days must each be between 1 and 60")]
    WaitOutOfRange,
}

/// What to do about an open invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Charge again.
    Retry {
        /// When.
        at: Timestamp,
        /// Whether only with another payment method: the bank said that this one never works. At
        /// `at` the attempt counts all the same, so that the schedule comes to its end.
        needs_new_method: bool,
    },
    /// Give up.
    Exhausted(WhenExhausted),
}

impl RetryPolicy {
    /// Checks a policy.
    ///
    /// # Errors
    /// Names the limit that it breaks.
    pub fn validate(&self) -> Result<(), RetryPolicyError> {
        if self.wait_days.len() > RETRIES_MAX {
            return Err(RetryPolicyError::TooMany);
        }
        if self
            .wait_days
            .iter()
            .any(|days| !(1..=WAIT_DAYS_MAX).contains(days))
        {
            return Err(RetryPolicyError::WaitOutOfRange);
        }
        Ok(())
    }

    /// What follows attempt number `attempts` (the first charge is 1), which failed at `failed_at`
    /// with `decline` on a method that is still the one to charge (`same_method`).
    ///
    /// # Errors
    /// When the date of the retry is beyond the calendar.
    pub fn next(
        &self,
        attempts: u32,
        failed_at: Timestamp,
        decline: Option<&Decline>,
        same_method: bool,
    ) -> Result<Next, CalendarError> {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(days) = self.wait_days.get(index) else {
            return Ok(Next::Exhausted(self.then));
        };
        let at = failed_at.add_days(i64::from(*days))?;
        let needs_new_method = same_method && decline.is_some_and(is_hard);
        Ok(Next::Retry {
            at,
            needs_new_method,
        })
    }
}

#[cfg(test)]
mod tests;
