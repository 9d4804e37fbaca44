//! The calendar against jiff, and the law that periods tile time.

use super::super::*;
use super::shown;
use crate::ratio::Ratio;
use jiff::civil::DateTime;
use proptest::prelude::*;

/// Jiff's date and time for the same second. Its own timestamps end a day early; its civil
/// arithmetic does not.
fn oracle(t: Timestamp) -> Result<DateTime, jiff::Error> {
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    epoch.checked_add(jiff::SignedDuration::from_secs(t.0))
}

fn same(t: Timestamp, expected: DateTime) -> bool {
    let civil = t.civil();
    let date = (civil.year, civil.month, civil.day) == {
        let (month, day) = (
            expected.month().unsigned_abs(),
            expected.day().unsigned_abs(),
        );
        (i64::from(expected.year()), month, day)
    };
    let time = [expected.hour(), expected.minute(), expected.second()].map(i8::unsigned_abs);
    date && [civil.hour, civil.minute, civil.second] == time
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Timestamp::MIN.0..=Timestamp::MAX.0,
        1_600_000_000..2_000_000_000_i64,
        // Around month ends, where the rules are.
        (-20_000..90_000_i64, -2..=2_i64).prop_map(|(month, days)| {
            let start = days_to(1970 + month.div_euclid(12), month.rem_euclid(12) + 1, 1);
            (start + days) * SECONDS_PER_DAY
        }),
    ]
    .prop_map(Timestamp)
}

fn cadence() -> impl Strategy<Value = Cadence> {
    let interval = prop_oneof![
        Just(Interval::Day),
        Just(Interval::Week),
        Just(Interval::Month),
        Just(Interval::Year),
    ];
    interval.prop_flat_map(|interval| {
        let count = prop_oneof![Just(1), 1..=interval.max_count()];
        count.prop_map(move |interval_count| Cadence {
            interval,
            interval_count,
        })
    })
}

/// More than the longest interval: closer than this to the ends, a boundary may not exist.
const LONGEST: i64 = 1_098 * SECONDS_PER_DAY;

fn is_inside(t: Timestamp) -> bool {
    t.0 - LONGEST >= Timestamp::MIN.0 && t.0 + LONGEST <= Timestamp::MAX.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn dates_are_those_of_jiff(t in moment()) {
        let expected = oracle(t)?;
        prop_assert!(same(t, expected), "{:?} is not {}", t.civil(), expected);
        prop_assert_eq!(t.civil().timestamp(), Ok(t));
        let weekday = expected.weekday().to_monday_one_offset().unsigned_abs();
        prop_assert_eq!(t.weekday().number(), weekday);
        let civil = t.civil();
        let length = expected.days_in_month().unsigned_abs();
        prop_assert_eq!(days_in_month(civil.year, civil.month), length);
    }

    #[test]
    fn boundaries_are_those_of_jiff(anchor in moment(), cadence in cadence(), index in -400..400_i64) {
        let count = index * i64::from(cadence.interval_count);
        let span = jiff::Span::new();
        let span = match cadence.interval {
            Interval::Day => span.try_days(count)?,
            Interval::Week => span.try_weeks(count)?,
            Interval::Month => span.try_months(count)?,
            Interval::Year => span.try_years(count)?,
        };
        // Jiff's years go below 1; ours end there.
        let expected = oracle(anchor)?.checked_add(span).ok().filter(|moved| moved.year() >= 1);
        match (cadence.boundary(anchor, index), expected) {
            (Ok(boundary), Some(expected)) => prop_assert!(same(boundary, expected)),
            (found, expected) => {
                prop_assert_eq!(found, Err(CalendarError::OutOfRange));
                prop_assert_eq!(expected, None);
            }
        }
    }

    #[test]
    fn periods_tile_time(anchor in moment(), cadence in cadence(), t in moment()) {
        let period = match cadence.period_containing(anchor, t) {
            Ok(period) => period,
            Err(error) => {
                prop_assert_eq!(error, CalendarError::OutOfRange);
                prop_assert!(!is_inside(t), "no period at {}", shown(t));
                return Ok(());
            }
        };
        prop_assert!(period.contains(t));
        // The same period from its first and its last second, and whole ones beside it.
        let last = Timestamp(period.end.0 - 1);
        prop_assert_eq!(cadence.period_containing(anchor, period.start), Ok(period));
        prop_assert_eq!(cadence.period_containing(anchor, last), Ok(period));
        if is_inside(period.start) && is_inside(period.end) {
            let next = cadence.period_containing(anchor, period.end)?;
            prop_assert_eq!(next.start, period.end);
            prop_assert_eq!(cadence.period_after(anchor, period.end), Ok(next));
            let before = Timestamp(period.start.0 - 1);
            prop_assert_eq!(cadence.period_containing(anchor, before)?.end, period.start);
            let coming = if t == period.start { t } else { period.end };
            prop_assert_eq!(cadence.boundary_at_or_after(anchor, t), Ok(coming));
        }
    }

    #[test]
    fn boundaries_rise_and_start_their_periods(
        anchor in 0..4_000_000_000_i64,
        cadence in cadence(),
        index in -200..200_i64,
    ) {
        let anchor = Timestamp(anchor);
        let (start, end) = (cadence.boundary(anchor, index)?, cadence.boundary(anchor, index + 1)?);
        prop_assert!(start < end);
        prop_assert_eq!(cadence.period_containing(anchor, start), Ok(Period { start, end }));
        prop_assert_eq!(cadence.period_after(anchor, start), Ok(Period { start, end }));
        prop_assert_eq!(cadence.boundary_at_or_after(anchor, start), Ok(start));
        prop_assert_eq!(cadence.boundary_at_or_after(anchor, Timestamp(start.0 + 1)), Ok(end));
    }

    #[test]
    fn an_anchor_remembers_its_day(
        created in -30_000_000_000..200_000_000_000_i64,
        years: bool,
        count in 1..=36_u16,
        day_of_month in prop_oneof![1..=31_u8, 28..=31_u8],
        month in prop::option::of(1..=12_u8),
        hour in prop::option::of(0..24_u8),
    ) {
        let interval = if years { Interval::Year } else { Interval::Month };
        let cadence = Cadence::new(interval, if years { (count - 1) % 3 + 1 } else { count })?;
        let created = Timestamp(created);
        let config = AnchorConfig { day_of_month, month, hour, minute: None, second: None };
        let (anchor, first) =
            (config.anchor(cadence, created)?, config.first_boundary(cadence, created)?);
        prop_assert!(first >= created);
        let stub = cadence.period_containing(anchor, Timestamp(first.0 - 1))?;
        prop_assert_eq!(stub.end, first);
        prop_assert!(stub.start < created, "a boundary was skipped");
        if month.is_none() {
            prop_assert!(first.0 - created.0 <= 31 * SECONDS_PER_DAY);
        }
        if let (Some(month), true) = (month, years) {
            prop_assert_eq!(first.civil().month, month);
        }
        for index in -40..40 {
            let civil = cadence.boundary(anchor, index)?.civil();
            let day = day_of_month.min(days_in_month(civil.year, civil.month));
            prop_assert_eq!(civil.day, day, "{} after {}", index, shown(anchor));
            prop_assert_eq!(civil.hour, hour.unwrap_or(created.civil().hour));
        }
    }

    #[test]
    fn shares_left_add_up(start in 0..4_000_000_000_i64, length in 1..100_000_000_i64, part: u32) {
        let period = Period::new(Timestamp(start), Timestamp(start + length))?;
        let t = Timestamp(start + i64::from(part) % (length + 1));
        let left = period.fraction_remaining(t);
        prop_assert!(Ratio::ZERO <= left && left <= Ratio::ONE);
        let used = Ratio::new(i128::from(t.0 - start), i128::from(length))?;
        prop_assert_eq!(left.checked_add(used), Ok(Ratio::ONE));
    }

    #[test]
    fn nothing_panics(
        anchor: i64,
        t: i64,
        index: i64,
        interval_count: u16,
        cadence in cadence(),
        parts: (i64, u8, u8, u8, u8, u8),
    ) {
        let (anchor, t) = (Timestamp(anchor), Timestamp(t));
        let (year, month, day, hour, minute, second) = parts;
        let civil = Civil { year, month, day, hour, minute, second };
        let _ = (civil.timestamp(), civil.weekday(), days_in_month(year, month));
        let _ = (t.civil(), t.weekday(), t.add_seconds(index), t.add_days(index));
        let config = AnchorConfig {
            day_of_month: day,
            month: Some(month),
            hour: Some(hour),
            minute: Some(minute),
            second: None,
        };
        for cadence in [cadence, Cadence { interval_count, ..cadence }] {
            let _ = (cadence.boundary(anchor, index), cadence.boundary(Timestamp(0), index));
            let _ = (cadence.period_containing(anchor, t), cadence.period_after(anchor, t));
            let _ = (cadence.period_containing(Timestamp(0), t), config.anchor(cadence, t));
            let _ = config.first_boundary(cadence, t);
        }
        let period = Period { start: anchor, end: t };
        prop_assert!(period.fraction_remaining(Timestamp(index)) <= Ratio::ONE);
        let _ = (period.seconds(), period.contains(Timestamp(index)));
    }
}
