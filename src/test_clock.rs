//! Test clocks: a time of its own for some customers of a merchant's tests. It stands still until
//! somebody moves it; then everything that falls due on the way is done, each at its own moment.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::id::TestClockId;

/// How long a clock is kept after it was made, in seconds of real time (Stripe: 30 days).
pub const KEPT_SECONDS: i64 = 30 * 86_400;

/// A clock that a merchant moves in tests. Only in test mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestClock {
    /// `clock_…`
    pub id: TestClockId,
    /// What the merchant calls it.
    pub name: Option<String>,
    /// The time of everything that belongs to it. While it advances, as far as it has come.
    pub frozen_time: Timestamp,
    /// Whether it stands still.
    pub status: ClockStatus,
    /// When it was made, in real time.
    pub created: Timestamp,
    /// When it is deleted by itself, in real time.
    pub deletes_after: Timestamp,
    /// Until when the process that moves it may be silent, in real time, before another takes over.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
}

/// Whether a clock stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockStatus {
    /// It stands still.
    Ready,
    /// It moves.
    Advancing {
        /// To this moment.
        target: Timestamp,
    },
    /// Something that was due could not be done; it can only be deleted.
    InternalFailure,
}

/// Why a clock can't be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Time goes forward only.
    #[error(
        "frozen_time must be after the test clock's current frozen time, and before the year 10000"
    )]
    NotForward,
    /// It moves already.
    #[error("Test clock advancement underway - cannot perform modifications")]
    Advancing,
    /// It stopped for good.
    #[error("This test clock could not finish an advance. It can only be deleted.")]
    Failed,
}

impl TestClock {
    /// A clock that stands at `frozen_time`, made at `now` of real time.
    #[must_use]
    pub fn new(
        id: TestClockId,
        name: Option<String>,
        frozen_time: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name,
            frozen_time,
            status: ClockStatus::Ready,
            created: now,
            deletes_after: Timestamp(now.0.saturating_add(KEPT_SECONDS)),
            lease_until: None,
        }
    }

    /// Begins to move to `target`, however far that is.
    ///
    /// # Errors
    /// When it moves already, stopped for good, or `target` is not ahead.
    pub fn advance(&mut self, target: Timestamp) -> Result<(), ClockError> {
        match self.status {
            ClockStatus::Ready => {}
            ClockStatus::Advancing { .. } => return Err(ClockError::Advancing),
            ClockStatus::InternalFailure => return Err(ClockError::Failed),
        }
        if target <= self.frozen_time || target > Timestamp::MAX {
            return Err(ClockError::NotForward);
        }
        self.status = ClockStatus::Advancing { target };
        Ok(())
    }

    /// Comes to `moment` on its way; never back, never beyond its target.
    pub fn reach(&mut self, moment: Timestamp) {
        if let ClockStatus::Advancing { target } = self.status {
            self.frozen_time = self.frozen_time.max(moment.min(target));
        }
    }

    /// Stands still at its target.
    pub fn arrive(&mut self) {
        if let ClockStatus::Advancing { target } = self.status {
            self.frozen_time = self.frozen_time.max(target);
            self.status = ClockStatus::Ready;
            self.lease_until = None;
        }
    }

    /// Stops for good.
    pub fn fail(&mut self) {
        self.status = ClockStatus::InternalFailure;
        self.lease_until = None;
    }

    /// Whether it moves.
    #[must_use]
    pub fn is_advancing(&self) -> bool {
        matches!(self.status, ClockStatus::Advancing { .. })
    }

    /// When a worker looks after it next, in real time: at once while it moves and nobody else does,
    /// else to delete it.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        match self.status {
            ClockStatus::Advancing { .. } => self.lease_until.unwrap_or(self.created),
            ClockStatus::Ready | ClockStatus::InternalFailure => self.deletes_after,
        }
    }
}

#[cfg(test)]
mod tests;
