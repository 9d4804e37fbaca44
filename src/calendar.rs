//! Billing time: UTC seconds, civil dates, and the periods that a cadence cuts out of time.
//!
//! Proleptic Gregorian calendar, no leap seconds, no time zones: what is owed never depends on where
//! somebody is. Dates from the years 1 to 9999 can be billed; beyond them every function answers
//! `CalendarError::OutOfRange`.

mod anchor;
mod cadence;
mod period;

pub use anchor::AnchorConfig;
pub use cadence::{Cadence, Interval};
pub use period::Period;

use serde::{Deserialize, Serialize};

const SECONDS_PER_DAY: i64 = 86_400;

/// Days from 0000-03-01, where the leap day ends a year, to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days in the 400 years after which the Gregorian calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

/// A moment: seconds since 1970-01-01 00:00:00 UTC, as everywhere in Stripe's API.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A date and time of day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// 1 to 9999 for everything that can become a `Timestamp`.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the length of the month.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// A day of the week; `Weekday::number` counts as ISO 8601 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Why a date, a cadence or a boundary does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Outside the years 1 to 9999.
    #[error("the date is outside the years 1 to 9999")]
    OutOfRange,
    /// No such day or time of day: February 30th, 24:00, a month 13.
    #[error("there is no such date or time of day")]
    InvalidDate,
    /// An interval count of zero.
    #[error("interval_count must be at least 1")]
    ZeroInterval,
    /// Longer than Stripe's limit of three years.
    #[error("a billing interval is at most 3 years, 36 months, 156 weeks or 1095 days")]
    IntervalTooLong,
    /// `billing_cycle_anchor_config` with an interval of days or weeks.
    #[error("billing_cycle_anchor_config needs a monthly or yearly interval")]
    AnchorNeedsMonths,
    /// A period that does not end after it starts.
    #[error("a period must end after it starts")]
    EmptyPeriod,
}

impl Timestamp {
    /// 0001-01-01 00:00:00 UTC.
    pub const MIN: Self = Self(-62_135_596_800);
    /// 9999-12-31 23:59:59 UTC.
    pub const MAX: Self = Self(253_402_300_799);

    /// The date and time of this second. Answers for every second, even beyond `MIN..=MAX`.
    pub fn civil(self) -> Civil {
        let seconds = self.0.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = date_of(self.0.div_euclid(SECONDS_PER_DAY));
        Civil {
            year,
            month,
            day,
            hour: small(seconds / 3_600),
            minute: small(seconds / 60 % 60),
            second: small(seconds % 60),
        }
    }

    /// The day of the week, in UTC.
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match self.0.div_euclid(SECONDS_PER_DAY).rem_euclid(7) {
            0 => Weekday::Thursday,
            1 => Weekday::Friday,
            2 => Weekday::Saturday,
            3 => Weekday::Sunday,
            4 => Weekday::Monday,
            5 => Weekday::Tuesday,
            _ => Weekday::Wednesday,
        }
    }

    /// This moment moved by `seconds`; the result must lie in `MIN..=MAX`.
    pub fn add_seconds(self, seconds: i64) -> Result<Self, CalendarError> {
        let moved = self
            .0
            .checked_add(seconds)
            .ok_or(CalendarError::OutOfRange)?;
        Self(moved).in_range()
    }

    /// This moment moved by whole days of 86,400 seconds; the result must lie in `MIN..=MAX`.
    pub fn add_days(self, days: i64) -> Result<Self, CalendarError> {
        let seconds = days
            .checked_mul(SECONDS_PER_DAY)
            .ok_or(CalendarError::OutOfRange)?;
        self.add_seconds(seconds)
    }

    fn in_range(self) -> Result<Self, CalendarError> {
        if self < Self::MIN || self > Self::MAX {
            return Err(CalendarError::OutOfRange);
        }
        Ok(self)
    }
}

impl Civil {
    /// The second of this date and time; refuses dates that do not exist and years beyond 1..=9999.
    pub fn timestamp(&self) -> Result<Timestamp, CalendarError> {
        if !(1..=9_999).contains(&self.year) {
            return Err(CalendarError::OutOfRange);
        }
        let day_exists = self.day >= 1 && self.day <= days_in_month(self.year, self.month);
        if !day_exists || self.hour > 23 || self.minute > 59 || self.second > 59 {
            return Err(CalendarError::InvalidDate);
        }
        let (hour, minute) = (i64::from(self.hour), i64::from(self.minute));
        let time = hour * 3_600 + minute * 60 + i64::from(self.second);
        let days = days_to(self.year, i64::from(self.month), i64::from(self.day));
        Ok(Timestamp(days * SECONDS_PER_DAY + time))
    }

    /// The day of the week; refuses what `timestamp` refuses.
    pub fn weekday(&self) -> Result<Weekday, CalendarError> {
        Ok(self.timestamp()?.weekday())
    }
}

impl Weekday {
    /// 1 for Monday to 7 for Sunday, as in ISO 8601.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// How many days a month has: 28 to 31, or 0 for a month outside 1 to 12.
pub const fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days since 1970-01-01. Counts years from March, so that the leap day comes last.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let march_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    // The lengths from March on repeat every five months; this line hits each first day.
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS
}

/// The inverse of `days_to`: year, month, day.
fn date_of(days: i64) -> (i64, u8, u8) {
    let shifted = days + EPOCH_DAYS;
    let (era, day_of_era) = (
        shifted.div_euclid(DAYS_PER_ERA),
        shifted.rem_euclid(DAYS_PER_ERA),
    );
    // Taking out the leap days first leaves years of 365 days.
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, small(month), small(day))
}

/// A part of a date or time, which the arithmetic above keeps below 60.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 59"
)]
const fn small(value: i64) -> u8 {
    value as u8
}

#[cfg(test)]
mod tests;
