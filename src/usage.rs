//! Usage: what meters count, how events add up, and which stretches of time are read together.
//!
//! An event is a value at a second. What a period used is the [`Total`] of the events in it, the
//! first second included and the last excluded. Totals of parts merge into the total of the whole,
//! in any order, so that running totals by hour and day answer for any period without looking at
//! its events again.

mod span;

pub use span::{SETTLE_SECONDS, Span, SpanCharge, ended_spans, fraction_of, whole_units};

use serde::{Deserialize, Serialize};

use crate::calendar::{Period, Timestamp};
use crate::decimal::Decimal12;
use crate::id::{BillingAlertId, CustomerId, MeterId};
use crate::money::MoneyError;

/// How old an event may be, in seconds (Stripe: 35 calendar days).
pub const EVENT_AGE_SECONDS_MAX: i64 = 35 * 86_400;
/// How far ahead of the clock an event may lie, in seconds (Stripe: 5 minutes).
pub const EVENT_AHEAD_SECONDS_MAX: i64 = 300;
/// How long after its receipt an event can be cancelled, in seconds (Stripe: 24 hours).
pub const CANCEL_SECONDS_MAX: i64 = 86_400;
/// The most digits before the point of an event's value. With 12 places after it, sums stay far
/// from what 64 and 128 bits hold.
pub const VALUE_WHOLE_DIGITS_MAX: u32 = 15;
/// The longest identifier of an event, and the longest text that a `unique` meter counts, in
/// characters.
pub const TEXT_CHARS_MAX: usize = 100;
/// An hour, in seconds: the small step of running totals.
pub const HOUR_SECONDS: i64 = 3_600;
/// A day, in seconds: the large step of running totals.
pub const DAY_SECONDS: i64 = 86_400;

const ONE_SCALED: i128 = 1_000_000_000_000;

/// A meter: says which events count for whom, and how they add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// `mtr_…`
    pub id: MeterId,
    /// For the merchant's eyes.
    pub display_name: String,
    /// The name by which events come; one active meter has it.
    pub event_name: String,
    /// How values add up. Never changes.
    pub formula: Formula,
    /// The key of the payload that names the customer.
    pub customer_key: String,
    /// The key of the payload that has the value.
    pub value_key: String,
    /// The merchant's note that events were added up beforehand. Kept and shown; it changes nothing.
    pub event_time_window: Option<TimeWindow>,
    /// Whether events are taken.
    pub status: MeterStatus,
    /// When it was last deactivated; `None` while active.
    pub deactivated_at: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// Stripe's default key for the customer.
pub const CUSTOMER_KEY: &str = "stripe_customer_id";
/// Stripe's default key for the value.
pub const VALUE_KEY: &str = "value";

/// How the values of a period become one. Stripe has sum, count and last; `max` and `unique` are
/// ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// All values together.
    Sum,
    /// How many events, whatever their values.
    Count,
    /// The largest value.
    Max,
    /// The value of the newest event; of two at one second, the one that was received later.
    Last,
    /// How many different values. They may be any texts, such as user ids.
    Unique,
}

/// Stripe's pre-aggregation windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeWindow {
    /// A day.
    Day,
    /// An hour.
    Hour,
}

impl TimeWindow {
    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Day => DAY_SECONDS,
            Self::Hour => HOUR_SECONDS,
        }
    }
}

/// Whether a meter takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterStatus {
    /// It does.
    Active,
    /// It refuses them. What it has counted stays.
    Inactive,
}

/// Tells once for each customer when their usage of a meter, since the alert was made or activated
/// again, reaches a mark. (Stripe does not say from when it counts; a merchant who sets a mark today
/// hardly wants to hear of last year.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `alrt_…`
    pub id: BillingAlertId,
    /// For the merchant's eyes.
    pub title: String,
    /// What is watched.
    pub meter: MeterId,
    /// Only this customer; `None` watches all.
    pub customer: Option<CustomerId>,
    /// The mark, at least 1.
    pub gte: i64,
    /// Usage from this moment on counts: when it was made, or last activated.
    pub since: Timestamp,
    /// Whether it watches.
    pub status: AlertStatus,
    /// When it was made.
    pub created: Timestamp,
}

/// Stripe's statuses of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It watches.
    Active,
    /// It doesn't, for now.
    Inactive,
    /// It never will again. Final.
    Archived,
}

/// Why an event can't be counted. [`UsageError::code`] is Stripe's name of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// Older than [`EVENT_AGE_SECONDS_MAX`].
    #[error("The timestamp is more than 35 days in the past.")]
    TooOld,
    /// Further ahead than [`EVENT_AHEAD_SECONDS_MAX`].
    #[error("The timestamp is more than 5 minutes in the future.")]
    InFuture,
    /// Not a decimal number, or not a text that can be counted.
    #[error("The value is not a decimal number such as 12 or 0.5.")]
    InvalidValue,
    /// More than 15 digits before the point or 12 after it.
    #[error("The value has more than 15 digits before the point or 12 after it.")]
    TooManyDigits,
    /// What all events come to is beyond what can be kept.
    #[error("The usage is too large.")]
    TooLarge,
}

impl UsageError {
    /// Stripe's code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooOld => "timestamp_too_far_in_past",
            Self::InFuture => "timestamp_in_future",
            Self::InvalidValue => "meter_event_invalid_value",
            Self::TooManyDigits | Self::TooLarge => "meter_event_value_too_many_digits",
        }
    }
}

impl From<UsageError> for MoneyError {
    fn from(_: UsageError) -> Self {
        Self::Overflow
    }
}

/// Checks that an event's moment may be reported at `now`.
///
/// # Errors
/// [`UsageError::TooOld`] or [`UsageError::InFuture`].
pub const fn check_moment(at: Timestamp, now: Timestamp) -> Result<(), UsageError> {
    if at.0 < now.0.saturating_sub(EVENT_AGE_SECONDS_MAX) {
        return Err(UsageError::TooOld);
    }
    if at.0 > now.0.saturating_add(EVENT_AHEAD_SECONDS_MAX) {
        return Err(UsageError::InFuture);
    }
    Ok(())
}

/// Reads the value of an event: a decimal number with at most [`VALUE_WHOLE_DIGITS_MAX`] digits
/// before the point and 12 after it, perhaps negative (a correction).
///
/// # Errors
/// [`UsageError::InvalidValue`] or [`UsageError::TooManyDigits`].
pub fn parse_value(text: &str) -> Result<Decimal12, UsageError> {
    use crate::decimal::DecimalError;
    let value = Decimal12::parse(text).map_err(|error| match error {
        DecimalError::Malformed => UsageError::InvalidValue,
        DecimalError::TooManyPlaces | DecimalError::OutOfRange => UsageError::TooManyDigits,
    })?;
    let limit = 10_u128.pow(VALUE_WHOLE_DIGITS_MAX) * ONE_SCALED.unsigned_abs();
    if value.scaled().unsigned_abs() >= limit {
        return Err(UsageError::TooManyDigits);
    }
    Ok(value)
}

/// Where an event stands among those of a meter and customer: its second, then the order of receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The event's moment.
    pub at: i64,
    /// Rises with each event that is received.
    pub order: i64,
}

/// What the events of a stretch of time come to under one formula.
///
/// For [`Formula::Unique`] a stretch counts the values whose newest appearance lies in it: then the
/// stretches from a moment on add up to the number of different values since then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Total {
    /// How many events; at [`Formula::Unique`], how many values.
    pub events: i64,
    /// The sum, the largest or the newest value, times 10^12. 0 at [`Formula::Count`] and
    /// [`Formula::Unique`], and where there is no event.
    pub scaled: i128,
    /// The newest event, at [`Formula::Last`].
    pub newest: Place,
}

impl Total {
    /// Of no event.
    pub const NONE: Self = Self {
        events: 0,
        scaled: 0,
        newest: Place { at: 0, order: 0 },
    };

    /// Of one event.
    #[must_use]
    pub const fn of(formula: Formula, value: Decimal12, place: Place) -> Self {
        let (scaled, newest) = match formula {
            Formula::Sum | Formula::Max => (value.scaled(), Self::NONE.newest),
            Formula::Last => (value.scaled(), place),
            Formula::Count | Formula::Unique => (0, Self::NONE.newest),
        };
        Self {
            events: 1,
            scaled,
            newest,
        }
    }

    /// Of two stretches that have no event in common. The order does not matter.
    ///
    /// # Errors
    /// [`UsageError::TooLarge`].
    pub fn merge(self, formula: Formula, other: Self) -> Result<Self, UsageError> {
        if other.events == 0 && formula != Formula::Unique && formula != Formula::Sum {
            return Ok(self);
        }
        if self.events == 0 && formula != Formula::Unique && formula != Formula::Sum {
            return Ok(other);
        }
        let events = self.events.checked_add(other.events);
        let events = events.ok_or(UsageError::TooLarge)?;
        let (scaled, newest) = match formula {
            Formula::Sum => {
                let sum = self.scaled.checked_add(other.scaled);
                (sum.ok_or(UsageError::TooLarge)?, self.newest)
            }
            Formula::Count | Formula::Unique => (0, self.newest),
            Formula::Max => (self.scaled.max(other.scaled), self.newest),
            Formula::Last if other.newest > self.newest => (other.scaled, other.newest),
            Formula::Last => (self.scaled, self.newest),
        };
        Ok(Self {
            events,
            scaled,
            newest,
        })
    }

    /// The opposite of a sum or a count: merging it takes those events away. A largest or newest
    /// value can't be taken away; it has to be counted again without the event.
    #[must_use]
    pub const fn opposite(self, formula: Formula) -> Option<Self> {
        match formula {
            Formula::Sum | Formula::Count | Formula::Unique => Some(Self {
                events: -self.events,
                scaled: -self.scaled,
                newest: self.newest,
            }),
            Formula::Max | Formula::Last => None,
        }
    }

    /// What the stretch used; may be negative at sums with corrections.
    ///
    /// # Errors
    /// [`UsageError::TooLarge`].
    pub fn value(self, formula: Formula) -> Result<Decimal12, UsageError> {
        match formula {
            Formula::Count | Formula::Unique => Ok(Decimal12::from_integer(self.events)),
            Formula::Sum | Formula::Max | Formula::Last => {
                Decimal12::from_scaled(self.scaled).map_err(|_| UsageError::TooLarge)
            }
        }
    }

    /// What is billed for the stretch: never below zero, as at Stripe.
    ///
    /// # Errors
    /// [`UsageError::TooLarge`].
    pub fn billable(self, formula: Formula) -> Result<Decimal12, UsageError> {
        Ok(self.value(formula)?.max(Decimal12::ZERO))
    }
}

/// How a value of a `unique` meter moves between stretches when it appears at `at`, and when it was
/// seen last before that: the moment whose stretch loses it, the one whose stretch gains it.
#[must_use]
pub const fn appearance(
    seen: Option<Timestamp>,
    at: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    match seen {
        None => (None, Some(at)),
        Some(seen) if seen.0 >= at.0 => (None, None),
        Some(seen) => (Some(seen), Some(at)),
    }
}

/// The start of the hour or day that `at` lies in; `step` in seconds.
#[must_use]
pub const fn step_start(at: Timestamp, step: i64) -> Timestamp {
    Timestamp(at.0.saturating_sub(at.0.rem_euclid(step)))
}

/// A period cut into pieces, so that running totals serve all of it but two ends shorter than an
/// hour. Pieces are `[from, until)` in seconds since 1970; an empty one has `from == until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Whole days.
    pub days: (i64, i64),
    /// Whole hours before and after them.
    pub hours: [(i64, i64); 2],
    /// What is left at both ends, to be read event by event.
    pub ends: [(i64, i64); 2],
}

impl Cover {
    /// Cuts a period; one that ends before it starts is empty.
    #[must_use]
    pub const fn of(period: Period) -> Self {
        let (start, mut end) = (period.start.0, period.end.0);
        if end < start {
            end = start;
        }
        // Far from what any calendar has; keeps the arithmetic below from overflowing.
        let start = clamped(start);
        let end = clamped(end);
        let first_hour = ceil(start, HOUR_SECONDS);
        let last_hour = floor(end, HOUR_SECONDS);
        if first_hour >= last_hour {
            // No whole hour, or no hour between: one end, cut where an hour begins if one does.
            let cut = if first_hour < end { first_hour } else { end };
            return Self {
                days: (end, end),
                hours: [(end, end), (end, end)],
                ends: [(start, cut), (cut, end)],
            };
        }
        let first_day = ceil(first_hour, DAY_SECONDS);
        let last_day = floor(last_hour, DAY_SECONDS);
        let (days, hours) = if first_day >= last_day {
            (
                (last_hour, last_hour),
                [(first_hour, last_hour), (last_hour, last_hour)],
            )
        } else {
            (
                (first_day, last_day),
                [(first_hour, first_day), (last_day, last_hour)],
            )
        };
        Self {
            days,
            hours,
            ends: [(start, first_hour), (last_hour, end)],
        }
    }
}

const fn clamped(at: i64) -> i64 {
    const LIMIT: i64 = 1 << 50;
    if at < -LIMIT {
        -LIMIT
    } else if at > LIMIT {
        LIMIT
    } else {
        at
    }
}

const fn floor(at: i64, step: i64) -> i64 {
    at - at.rem_euclid(step)
}

const fn ceil(at: i64, step: i64) -> i64 {
    floor(at + step - 1, step)
}

/// The parts of a value times 10^12 that fit 64 bits each: whole units (rounded down) and 10^-12ths,
/// the latter never negative.
///
/// # Errors
/// [`UsageError::TooLarge`].
pub fn split(scaled: i128) -> Result<(i64, i64), UsageError> {
    let whole = i64::try_from(scaled.div_euclid(ONE_SCALED)).map_err(|_| UsageError::TooLarge)?;
    let part = i64::try_from(scaled.rem_euclid(ONE_SCALED)).map_err(|_| UsageError::TooLarge)?;
    Ok((whole, part))
}

/// The value that [`split`] took apart; the parts may be sums of several.
#[must_use]
pub const fn joined(whole: i64, part: i64) -> i128 {
    whole as i128 * ONE_SCALED + part as i128
}

#[cfg(test)]
mod tests;
