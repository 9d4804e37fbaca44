//! After a failed charge: what to do next, and when.

mod decline;
mod payer;
pub mod schemes;
pub mod smart;

pub use decline::{DeclineClass, Obstacle, is_hard, meaning};

use serde::{Deserialize, Serialize};

use crate::calendar::{CalendarError, Timestamp};
use crate::id::PaymentMethodId;
use crate::payment::{Card, Decline};
use crate::subscription::WhenExhausted;
use smart::{Knowledge, Payee, Situation};

/// The most retries after the first attempt (Stripe: 8 attempts in all by its own schedule).
pub const RETRIES_MAX: usize = 8;
/// The longest wait between two attempts, and the longest window of smart retries, in days.
pub const WAIT_DAYS_MAX: u16 = 60;
/// A first payment is given up 23 hours after it failed, so retries of it come within that.
pub const FIRST_WAIT_HOURS_MAX: u16 = 22;
/// The longest time until a one-off invoice is written off, in days.
pub const WRITE_OFF_DAYS_MAX: u16 = 365;

/// How a merchant retries, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct RetryPolicy {
    /// Renewals and other invoices of subscriptions that are running, and one-off invoices.
    pub mode: RetryMode,
    /// What follows the last retry of a subscription's invoice.
    pub then: WhenExhausted,
    /// First payments of subscriptions: hours from each failed attempt to the next one. None by
    /// default, as at Stripe: the customer is there, or has gone.
    pub first_wait_hours: Vec<u16>,
    /// One-off invoices are marked uncollectible so many days after they were due; never by default.
    pub write_off_days: Option<u16>,
}

/// When the next attempt comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryMode {
    /// By a schedule.
    Schedule {
        /// Days from each failed attempt to the next one.
        wait_days: Vec<u16>,
    },
    /// When it is likeliest to go through, see [`smart`]. The end comes with the window's, not
    /// with the last attempt, so that the customer has the whole of it.
    Smart {
        /// From the first failure, in days.
        window_days: u16,
        /// Retries at most.
        retries_max: u32,
    },
}

/// As policies were kept at any time.
#[derive(Deserialize)]
struct Stored {
    mode: Option<RetryMode>,
    wait_days: Option<Vec<u16>>,
    #[serde(default)]
    then: WhenExhausted,
    #[serde(default)]
    first_wait_hours: Vec<u16>,
    #[serde(default)]
    write_off_days: Option<u16>,
}

impl From<Stored> for RetryPolicy {
    fn from(stored: Stored) -> Self {
        let wait_days = |wait_days| RetryMode::Schedule { wait_days };
        let mode = stored.mode.or_else(|| stored.wait_days.map(wait_days));
        Self {
            mode: mode.unwrap_or_default(),
            then: stored.then,
            first_wait_hours: stored.first_wait_hours,
            write_off_days: stored.write_off_days,
        }
    }
}

impl Default for RetryMode {
    /// Eight attempts within two weeks.
    fn default() -> Self {
        Self::Schedule {
            wait_days: vec![1, 1, 2, 2, 2, 3, 3],
        }
    }
}

impl Default for RetryPolicy {
    /// Eight attempts within two weeks, then the subscription ends.
    fn default() -> Self {
        Self {
            mode: RetryMode::default(),
            then: WhenExhausted::default(),
            first_wait_hours: Vec::new(),
            write_off_days: None,
        }
    }
}

/// Where the collection of an invoice stands since its first failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrying {
    /// When it first failed.
    pub since: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// Automatic attempts since the first failure.
    pub retries: u32,
    /// What the schedule tried last.
    pub method: Option<PaymentMethodId>,
    /// What came of that; `None` when it waits for the customer's proof.
    pub decline: Option<Decline>,
    /// The next date of the schedule is only counted, not charged, unless another method pays then.
    pub idle: bool,
    /// When it is written off.
    pub write_off_at: Option<Timestamp>,
    /// The schedule is exhausted, and what follows waits until the customer's other methods were tried.
    #[serde(default)]
    pub last_chance: bool,
}

/// Why a policy was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryPolicyError {
    /// More than [`RETRIES_MAX`].
    #[error("there can be at most 8 retries")]
    TooMany,
    /// Zero, or more than [`WAIT_DAYS_MAX`].
    #[error("waits and windows must each be between 1 and 60 days")]
    WaitOutOfRange,
    /// Zero, or more than [`FIRST_WAIT_HOURS_MAX`] together.
    #[error("retries of first payments must come within 22 hours")]
    FirstWaitOutOfRange,
    /// Zero, or more than [`WRITE_OFF_DAYS_MAX`].
    #[error("one-off invoices are written off after 1 to 365 days")]
    WriteOffOutOfRange,
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

/// What kind of invoice is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collected {
    /// The first payment of a subscription.
    First,
    /// Anything later of a subscription.
    Renewal,
    /// Without a subscription.
    OneOff,
}

/// An attempt that failed, with its past.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// Of what.
    pub collected: Collected,
    /// Which attempt it was: the first charge is 1.
    pub attempts: u32,
    /// When the first one failed.
    pub since: Timestamp,
    /// When this one failed.
    pub failed_at: Timestamp,
    /// What the bank said; `None` when it waits for the customer's proof.
    pub decline: Option<&'a Decline>,
    /// What was charged, if anything.
    pub card: Option<&'a Card>,
    /// What the merchant's own attempts have taught.
    pub knowledge: &'a Knowledge,
    /// Makes the answer repeatable.
    pub seed: u64,
}

impl RetryPolicy {
    /// Checks a policy.
    ///
    /// # Errors
    /// Names the limit that it breaks.
    pub fn validate(&self) -> Result<(), RetryPolicyError> {
        let within = |days: &u16| (1..=WAIT_DAYS_MAX).contains(days);
        match &self.mode {
            RetryMode::Schedule { wait_days } => {
                if wait_days.len() > RETRIES_MAX {
                    return Err(RetryPolicyError::TooMany);
                }
                if !wait_days.iter().all(within) {
                    return Err(RetryPolicyError::WaitOutOfRange);
                }
            }
            RetryMode::Smart {
                window_days,
                retries_max,
            } => {
                if usize::try_from(*retries_max).is_ok_and(|retries| retries > RETRIES_MAX) {
                    return Err(RetryPolicyError::TooMany);
                }
                if !within(window_days) {
                    return Err(RetryPolicyError::WaitOutOfRange);
                }
            }
        }
        let hours = self.first_wait_hours.iter().map(|hours| u32::from(*hours));
        let all: u32 = hours.sum();
        if self.first_wait_hours.contains(&0) || all > u32::from(FIRST_WAIT_HOURS_MAX) {
            return Err(RetryPolicyError::FirstWaitOutOfRange);
        }
        let days = self.write_off_days;
        if days.is_some_and(|days| !(1..=WRITE_OFF_DAYS_MAX).contains(&days)) {
            return Err(RetryPolicyError::WriteOffOutOfRange);
        }
        Ok(())
    }

    /// What follows an attempt that failed.
    ///
    /// # Errors
    /// When the date of the retry is beyond the calendar.
    pub fn next(&self, failed: &Failed<'_>) -> Result<Next, CalendarError> {
        let index = usize::try_from(failed.attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let needs_new_method = failed.decline.is_some_and(is_hard);
        let retry = |at| Next::Retry {
            at,
            needs_new_method,
        };
        if failed.collected == Collected::First {
            let Some(hours) = self.first_wait_hours.get(index) else {
                return Ok(Next::Exhausted(self.then));
            };
            let seconds = i64::from(*hours).saturating_mul(3_600);
            return failed.failed_at.add_seconds(seconds).map(retry);
        }
        match &self.mode {
            RetryMode::Schedule { wait_days } => match wait_days.get(index) {
                Some(days) => failed.failed_at.add_days(i64::from(*days)).map(retry),
                None => Ok(Next::Exhausted(self.then)),
            },
            RetryMode::Smart {
                window_days,
                retries_max,
            } => self.smart(failed, *window_days, *retries_max),
        }
    }

    fn smart(
        &self,
        failed: &Failed<'_>,
        window_days: u16,
        retries_max: u32,
    ) -> Result<Next, CalendarError> {
        let window_ends_at = failed.since.add_days(i64::from(window_days))?;
        if failed.failed_at >= window_ends_at {
            return Ok(Next::Exhausted(self.then));
        }
        let retries_done = failed.attempts.saturating_sub(1);
        let choice = match (failed.decline, failed.card) {
            (Some(decline), Some(card)) => {
                let payee = Payee {
                    decline,
                    funding: card.funding,
                    country: card.country.as_deref(),
                };
                let situation = Situation {
                    payee,
                    failed_at: failed.failed_at,
                    retries_done,
                    retries_left: retries_max.saturating_sub(retries_done),
                    window_ends_at,
                    seed: failed.seed,
                };
                smart::choose(&situation, failed.knowledge)
            }
            _ => None,
        };
        Ok(match choice {
            Some(choice) => Next::Retry {
                at: choice.at,
                needs_new_method: false,
            },
            // No attempt is worth it; the customer has until the window's end.
            None => Next::Retry {
                at: window_ends_at,
                needs_new_method: true,
            },
        })
    }
}

#[cfg(test)]
mod tests;
