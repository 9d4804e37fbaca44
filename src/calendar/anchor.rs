//! `billing_cycle_anchor_config`: a billing day that a merchant fixes for everyone.

use super::cadence::{in_month, month_number};
use super::{Cadence, CalendarError, Civil, Timestamp, days_in_month};
use serde::{Deserialize, Serialize};

/// How many intervals ahead a month with the wanted day is looked for. Twelve pass every month of
/// the year, or several leap years.
const MAX_INTERVALS_AHEAD: i64 = 12;

/// On which day (and in which month, at which time) full billing periods start.
/// For cadences of months and years only, as at Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnchorConfig {
    /// 1 to 31; a shorter month bills on its last day.
    pub day_of_month: u8,
    /// 1 to 12: the month full periods start in, for cadences longer than a month.
    #[serde(default)]
    pub month: Option<u8>,
    /// 0 to 23 UTC; the hour of creation if absent.
    #[serde(default)]
    pub hour: Option<u8>,
    /// 0 to 59; the minute of creation if absent.
    #[serde(default)]
    pub minute: Option<u8>,
    /// 0 to 59; the second of creation if absent.
    #[serde(default)]
    pub second: Option<u8>,
}

impl AnchorConfig {
    /// The `billing_cycle_anchor` of a subscription created at `created`.
    ///
    /// It is aligned with the first full period and stands in a month that has the wanted day, so
    /// the day is remembered: every two months on day 31, created in February, is anchored to
    /// August 31, the first month in step that has one; full periods start on February 28.
    pub fn anchor(&self, cadence: Cadence, created: Timestamp) -> Result<Timestamp, CalendarError> {
        let months = cadence.months()?;
        let wanted = self.wanted(created)?;
        let first = self.first_month(&wanted, created)?;
        let mut best = (0, first);
        for ahead in 0..=MAX_INTERVALS_AHEAD {
            let number = first + ahead * months;
            let day = wanted.day.min(length_of(number));
            // Past the calendar's end there is nothing better to find.
            if day > best.0 && in_month(&wanted, number).is_ok() {
                best = (day, number);
            }
        }
        in_month(&wanted, best.1)
    }

    /// Where the first full period starts: the first boundary at or after `created`. Before it lies
    /// a stub, unless the two are the same second.
    pub fn first_boundary(
        &self,
        cadence: Cadence,
        created: Timestamp,
    ) -> Result<Timestamp, CalendarError> {
        let anchor = self.anchor(cadence, created)?;
        cadence.boundary_at_or_after(anchor, created)
    }

    /// The wanted day and time in the month of creation; the day may not exist there.
    fn wanted(&self, created: Timestamp) -> Result<Civil, CalendarError> {
        let now = created.in_range()?.civil();
        let wanted = Civil {
            day: self.day_of_month,
            hour: self.hour.unwrap_or(now.hour),
            minute: self.minute.unwrap_or(now.minute),
            second: self.second.unwrap_or(now.second),
            ..now
        };
        // January has every day there can be.
        Civil { month: 1, ..wanted }.timestamp()?;
        match self.month {
            Some(month) if !(1..=12).contains(&month) => Err(CalendarError::InvalidDate),
            _ => Ok(wanted),
        }
    }

    /// The first month, the given one if any, whose wanted day is not before `created`.
    fn first_month(&self, wanted: &Civil, created: Timestamp) -> Result<i64, CalendarError> {
        let (month, apart) = match self.month {
            Some(month) => (month, 12),
            None => (wanted.month, 1),
        };
        let this = month_number(&Civil { month, ..*wanted });
        if in_month(wanted, this)? < created {
            return Ok(this + apart);
        }
        Ok(this)
    }
}

/// How many days the month with that number has.
fn length_of(number: i64) -> u8 {
    days_in_month(
        number.div_euclid(12),
        super::small(number.rem_euclid(12) + 1),
    )
}
