//! A stretch of time that is billed as one.

use super::{CalendarError, Timestamp};
use crate::ratio::Ratio;
use serde::{Deserialize, Serialize};

/// From `start`, included, to `end`, excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Period {
    /// The first second.
    pub start: Timestamp,
    /// The first second after it.
    pub end: Timestamp,
}

impl Period {
    /// From `start` to `end`, which must be later.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, CalendarError> {
        if end <= start {
            return Err(CalendarError::EmptyPeriod);
        }
        Ok(Self { start, end })
    }

    /// Whether `t` lies in the period: the start does, the end does not.
    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }

    /// How many seconds long; saturates only for moments no calendar has.
    pub const fn seconds(&self) -> i64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// The exact share of the period that is left at `t`: `(end - t) / (end - start)`.
    /// One before the start, zero from the end on, and zero for a period that never lasts.
    pub fn fraction_remaining(&self, t: Timestamp) -> Ratio {
        if self.end <= self.start || t >= self.end {
            return Ratio::ZERO;
        }
        let (start, end) = (i128::from(self.start.0), i128::from(self.end.0));
        let left = end - i128::from(t.max(self.start).0);
        // The length is positive and both fit 65 bits, so this cannot fail.
        Ratio::new(left, end - start).unwrap_or(Ratio::ZERO)
    }
}
