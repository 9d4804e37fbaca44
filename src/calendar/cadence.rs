//! How often something is billed, and where its boundaries fall.

use super::{CalendarError, Civil, Period, SECONDS_PER_DAY, Timestamp, days_in_month};
use serde::{Deserialize, Serialize};

/// The unit of a billing interval: `recurring.interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// 86,400 seconds.
    Day,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// A billing interval: every `interval_count` days, weeks, months or years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Cadence {
    /// `recurring.interval`.
    pub interval: Interval,
    /// `recurring.interval_count`, at least 1.
    pub interval_count: u16,
}

/// What a stored or received cadence looks like before it is checked.
#[derive(Deserialize)]
struct Unchecked {
    interval: Interval,
    interval_count: u16,
}

/// A cadence as the calendar counts it.
enum Step {
    Seconds(i64),
    Months(i64),
}

impl Interval {
    /// The longest `interval_count` that Stripe accepts: three years.
    pub const fn max_count(self) -> u16 {
        match self {
            Self::Day => 1_095,
            Self::Week => 156,
            Self::Month => 36,
            Self::Year => 3,
        }
    }
}

impl TryFrom<Unchecked> for Cadence {
    type Error = CalendarError;

    fn try_from(raw: Unchecked) -> Result<Self, CalendarError> {
        Self::new(raw.interval, raw.interval_count)
    }
}

impl Cadence {
    /// Every day.
    pub const DAILY: Self = Self {
        interval: Interval::Day,
        interval_count: 1,
    };
    /// Every week.
    pub const WEEKLY: Self = Self {
        interval: Interval::Week,
        interval_count: 1,
    };
    /// Every month.
    pub const MONTHLY: Self = Self {
        interval: Interval::Month,
        interval_count: 1,
    };
    /// Every year.
    pub const YEARLY: Self = Self {
        interval: Interval::Year,
        interval_count: 1,
    };

    /// Every `interval_count` intervals, from 1 to three years (36 months, 156 weeks, 1095 days).
    pub fn new(interval: Interval, interval_count: u16) -> Result<Self, CalendarError> {
        if interval_count == 0 {
            return Err(CalendarError::ZeroInterval);
        }
        if interval_count > interval.max_count() {
            return Err(CalendarError::IntervalTooLong);
        }
        Ok(Self {
            interval,
            interval_count,
        })
    }

    /// The boundary `index` intervals after `anchor` (before it, if negative); 0 is the anchor.
    ///
    /// Months and years keep the anchor's day and fall back to the last day of a shorter month:
    /// January 31 is followed by February 28 and then March 31. Always computed from the anchor, so
    /// the day is never lost on the way.
    pub fn boundary(self, anchor: Timestamp, index: i64) -> Result<Timestamp, CalendarError> {
        anchor.in_range()?;
        match self.step()? {
            Step::Seconds(length) => {
                let moved = length.checked_mul(index).ok_or(CalendarError::OutOfRange)?;
                anchor.add_seconds(moved)
            }
            Step::Months(length) => {
                let moved = length.checked_mul(index).ok_or(CalendarError::OutOfRange)?;
                let start = anchor.civil();
                let month = month_number(&start).checked_add(moved);
                in_month(&start, month.ok_or(CalendarError::OutOfRange)?)
            }
        }
    }

    /// The period that contains `t`. The anchor may lie before, in or after it: periods tile all of
    /// time, each starting where the one before ends.
    pub fn period_containing(
        self,
        anchor: Timestamp,
        t: Timestamp,
    ) -> Result<Period, CalendarError> {
        let index = self.index_containing(anchor, t)?;
        let start = self.boundary(anchor, index)?;
        Ok(Period {
            start,
            end: self.boundary(anchor, index + 1)?,
        })
    }

    /// The period that starts at `end`, where another ended, and runs to the next boundary after it.
    /// A whole interval if `end` is a boundary of this anchor, else a shorter stub.
    pub fn period_after(self, anchor: Timestamp, end: Timestamp) -> Result<Period, CalendarError> {
        let next = self.period_containing(anchor, end)?.end;
        Ok(Period {
            start: end,
            end: next,
        })
    }

    /// The first boundary that is not before `t`.
    pub fn boundary_at_or_after(
        self,
        anchor: Timestamp,
        t: Timestamp,
    ) -> Result<Timestamp, CalendarError> {
        let index = self.index_containing(anchor, t)?;
        let start = self.boundary(anchor, index)?;
        if start == t {
            Ok(t)
        } else {
            self.boundary(anchor, index + 1)
        }
    }

    /// The number of the boundary at which the period around `t` starts.
    fn index_containing(self, anchor: Timestamp, t: Timestamp) -> Result<i64, CalendarError> {
        let (anchor, t) = (anchor.in_range()?, t.in_range()?);
        match self.step()? {
            Step::Seconds(length) => Ok((t.0 - anchor.0).div_euclid(length)),
            Step::Months(length) => {
                let months = month_number(&t.civil()) - month_number(&anchor.civil());
                let index = months.div_euclid(length);
                // The boundary may fall in the month of `t` and still lie ahead of it.
                let ahead = self.boundary(anchor, index)? > t;
                Ok(if ahead { index - 1 } else { index })
            }
        }
    }

    /// The fields are public, so a cadence that nobody checked may arrive here.
    fn step(self) -> Result<Step, CalendarError> {
        let count = i64::from(Self::new(self.interval, self.interval_count)?.interval_count);
        Ok(match self.interval {
            Interval::Day => Step::Seconds(count * SECONDS_PER_DAY),
            Interval::Week => Step::Seconds(count * 7 * SECONDS_PER_DAY),
            Interval::Month => Step::Months(count),
            Interval::Year => Step::Months(count * 12),
        })
    }

    /// How many months one interval spans, if it is counted in months or years.
    pub(super) fn months(self) -> Result<i64, CalendarError> {
        match self.step()? {
            Step::Months(months) => Ok(months),
            Step::Seconds(_) => Err(CalendarError::AnchorNeedsMonths),
        }
    }
}

/// Months since the year 0.
pub(super) fn month_number(civil: &Civil) -> i64 {
    civil.year * 12 + i64::from(civil.month) - 1
}

/// The day and time of `civil` in the month with that number, or its last day if it is shorter.
pub(super) fn in_month(civil: &Civil, number: i64) -> Result<Timestamp, CalendarError> {
    let year = number.div_euclid(12);
    let month = super::small(number.rem_euclid(12) + 1);
    let day = civil.day.min(days_in_month(year, month));
    Civil {
        year,
        month,
        day,
        ..*civil
    }
    .timestamp()
}
