//! The calendar against jiff, the reference's dates, and the law that periods tile time.

use super::*;
use crate::ratio::Ratio;
use jiff::civil::DateTime;
use proptest::prelude::*;

type Outcome = Result<(), Box<dyn core::error::Error>>;

/// `2026-01-31` or `2026-01-31 12:30:00`, in UTC.
fn at(text: &str) -> Result<Timestamp, Box<dyn core::error::Error>> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let date: Vec<i64> = date.split('-').map(str::parse).collect::<Result<_, _>>()?;
    let time: Vec<u8> = time.split(':').map(str::parse).collect::<Result<_, _>>()?;
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), time.as_slice()) else {
        return Err("not a date".into());
    };
    let (month, day) = (u8::try_from(*month)?, u8::try_from(*day)?);
    let civil = Civil {
        year: *year,
        month,
        day,
        hour: *hour,
        minute: *minute,
        second: *second,
    };
    Ok(civil.timestamp()?)
}

fn shown(t: Timestamp) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = t.civil();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) {
        return date;
    }
    format!("{date} {hour:02}:{minute:02}:{second:02}")
}

#[test]
fn boundaries_of_the_reference() -> Outcome {
    // Reference 3.1. The anchor's day is remembered.
    check(
        "2026-01-31",
        Cadence::MONTHLY,
        &[
            "2026-01-31",
            "2026-02-28",
            "2026-03-31",
            "2026-04-30",
            "2026-05-31",
            "2026-06-30",
            "2026-07-31",
            "2026-08-31",
            "2026-09-30",
            "2026-10-31",
            "2026-11-30",
            "2026-12-31",
            "2027-01-31",
            "2027-02-28",
        ],
    )?;
    check(
        "2024-02-29",
        Cadence::YEARLY,
        &[
            "2024-02-29",
            "2025-02-28",
            "2026-02-28",
            "2027-02-28",
            "2028-02-29",
        ],
    )?;
    check(
        "2026-09-02",
        Cadence::MONTHLY,
        &["2026-09-02", "2026-10-02", "2026-11-02"],
    )?;
    check(
        "2022-06-03",
        Cadence::WEEKLY,
        &["2022-06-03", "2022-06-10", "2022-06-17"],
    )?;
    check(
        "2024-01-31",
        Cadence::MONTHLY,
        &["2024-01-31", "2024-02-29", "2024-03-31"],
    )?;
    let quarterly = Cadence::new(Interval::Month, 3)?;
    check(
        "2025-11-30 23:59:59",
        quarterly,
        &["2025-11-30 23:59:59", "2026-02-28 23:59:59"],
    )?;
    let fortnightly = Cadence::new(Interval::Week, 2)?;
    check("2026-12-25", fortnightly, &["2026-12-25", "2027-01-08"])?;
    let ten_days = Cadence::new(Interval::Day, 10)?;
    check(
        "2024-02-20",
        ten_days,
        &["2024-02-20", "2024-03-01", "2024-03-11"],
    )?;

    fn check(anchor: &str, cadence: Cadence, expected: &[&str]) -> Outcome {
        let anchor = at(anchor)?;
        for (index, expected) in expected.iter().enumerate() {
            let boundary = cadence.boundary(anchor, i64::try_from(index)?)?;
            assert_eq!(
                shown(boundary),
                *expected,
                "{cadence:?} {index} after {}",
                shown(anchor)
            );
        }
        Ok(())
    }
    Ok(())
}

#[test]
fn periods_around_a_moment() -> Outcome {
    check("2026-01-31", "2026-01-31", "2026-01-31", "2026-02-28")?;
    check(
        "2026-01-31",
        "2026-02-27 23:59:59",
        "2026-01-31",
        "2026-02-28",
    )?;
    check("2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31")?;
    check(
        "2026-01-31",
        "2026-03-30 12:00:00",
        "2026-02-28",
        "2026-03-31",
    )?;
    // The anchor may lie ahead.
    check("2026-08-31", "2026-02-10", "2026-01-31", "2026-02-28")?;
    check("2026-08-31", "2026-02-28", "2026-02-28", "2026-03-31")?;
    check(
        "2024-02-29 06:00:00",
        "2023-02-28 05:59:59",
        "2023-01-29 06:00:00",
        "2023-02-28 06:00:00",
    )?;

    fn check(anchor: &str, t: &str, start: &str, end: &str) -> Outcome {
        let period = Cadence::MONTHLY.period_containing(at(anchor)?, at(t)?)?;
        assert_eq!(
            (shown(period.start).as_str(), shown(period.end).as_str()),
            (start, end),
            "{t}"
        );
        Ok(())
    }
    Ok(())
}

#[test]
fn a_stub_ends_at_the_next_boundary() -> Outcome {
    // Reference 3.1: a trial of 7 days, anchored on the 1st. From the 15th it is billed on the 22nd
    // up to the 1st; from the 28th the trial passes the 1st and the stub reaches the next one.
    check("2026-05-01", "2026-04-22", "2026-05-01")?;
    check("2026-05-01", "2026-05-05", "2026-06-01")?;
    // A trial moved to August 1 moves the anchor there: a whole cycle follows.
    check("2026-08-01", "2026-08-01", "2026-09-01")?;
    check("2026-01-31", "2026-02-28", "2026-03-31")?;

    fn check(anchor: &str, start: &str, end: &str) -> Outcome {
        let period = Cadence::MONTHLY.period_after(at(anchor)?, at(start)?)?;
        assert_eq!(
            (period.start, shown(period.end)),
            (at(start)?, end.to_owned())
        );
        Ok(())
    }
    Ok(())
}

#[test]
fn anchors_of_the_reference() -> Outcome {
    let two_months = Cadence::new(Interval::Month, 2)?;
    // Every two months on day 31, created in February: anchored to August 31, first full invoice on
    // February 28 or 29.
    check(
        two_months,
        (31, None),
        "2026-02-10",
        "2026-08-31",
        "2026-02-28",
    )?;
    check(
        two_months,
        (31, None),
        "2028-02-10",
        "2028-08-31",
        "2028-02-29",
    )?;
    check(
        two_months,
        (31, Some(8)),
        "2026-02-10",
        "2026-08-31",
        "2026-02-28",
    )?;
    check(
        Cadence::MONTHLY,
        (1, None),
        "2026-04-15",
        "2026-05-01",
        "2026-05-01",
    )?;
    check(
        Cadence::MONTHLY,
        (31, None),
        "2026-04-15",
        "2026-05-31",
        "2026-04-30",
    )?;
    check(
        Cadence::MONTHLY,
        (31, None),
        "2026-12-31",
        "2026-12-31",
        "2026-12-31",
    )?;
    check(
        Cadence::MONTHLY,
        (15, None),
        "2026-12-16",
        "2027-01-15",
        "2027-01-15",
    )?;
    check(
        Cadence::MONTHLY,
        (31, Some(2)),
        "2026-01-10",
        "2026-03-31",
        "2026-01-31",
    )?;
    check(
        Cadence::YEARLY,
        (1, Some(7)),
        "2026-08-01",
        "2027-07-01",
        "2027-07-01",
    )?;
    check(
        Cadence::YEARLY,
        (29, Some(2)),
        "2026-03-01",
        "2028-02-29",
        "2027-02-28",
    )?;
    check(
        Cadence::YEARLY,
        (31, Some(4)),
        "2026-01-01",
        "2026-04-30",
        "2026-04-30",
    )?;
    check(
        Cadence::YEARLY,
        (5, None),
        "2026-01-06",
        "2026-02-05",
        "2026-02-05",
    )?;

    fn check(
        cadence: Cadence,
        (day_of_month, month): (u8, Option<u8>),
        created: &str,
        anchor: &str,
        first: &str,
    ) -> Outcome {
        let config = AnchorConfig {
            day_of_month,
            month,
            hour: None,
            minute: None,
            second: None,
        };
        let created = at(created)?;
        let found = config.anchor(cadence, created)?;
        assert_eq!(shown(found), anchor, "{config:?} {}", shown(created));
        let found = config.first_boundary(cadence, created)?;
        assert_eq!(shown(found), first, "{config:?} {}", shown(created));
        Ok(())
    }
    Ok(())
}

#[test]
fn an_anchor_takes_missing_times_from_creation() -> Outcome {
    let created = at("2026-04-15 10:20:30")?;
    check(created, [None, None, None], "2026-04-15 10:20:30")?;
    check(created, [Some(0), Some(0), Some(0)], "2026-05-15")?;
    check(created, [Some(11), None, None], "2026-04-15 11:20:30")?;
    check(created, [None, None, Some(29)], "2026-05-15 10:20:29")?;

    fn check(created: Timestamp, [hour, minute, second]: [Option<u8>; 3], first: &str) -> Outcome {
        let config = AnchorConfig {
            day_of_month: 15,
            month: None,
            hour,
            minute,
            second,
        };
        let found = config.first_boundary(Cadence::MONTHLY, created)?;
        assert_eq!(shown(found), first);
        Ok(())
    }
    Ok(())
}

#[test]
fn a_wrong_anchor_is_refused() -> Outcome {
    let good = AnchorConfig {
        day_of_month: 1,
        month: None,
        hour: None,
        minute: None,
        second: None,
    };
    let created = at("2026-04-15")?;
    let check = |config: AnchorConfig, cadence, expected| {
        assert_eq!(config.anchor(cadence, created), Err(expected), "{config:?}");
        assert_eq!(
            config.first_boundary(cadence, created),
            Err(expected),
            "{config:?}"
        );
    };
    let invalid = CalendarError::InvalidDate;
    check(good, Cadence::WEEKLY, CalendarError::AnchorNeedsMonths);
    check(good, Cadence::DAILY, CalendarError::AnchorNeedsMonths);
    check(
        AnchorConfig {
            day_of_month: 0,
            ..good
        },
        Cadence::MONTHLY,
        invalid,
    );
    check(
        AnchorConfig {
            day_of_month: 32,
            ..good
        },
        Cadence::MONTHLY,
        invalid,
    );
    check(
        AnchorConfig {
            month: Some(0),
            ..good
        },
        Cadence::MONTHLY,
        invalid,
    );
    check(
        AnchorConfig {
            month: Some(13),
            ..good
        },
        Cadence::YEARLY,
        invalid,
    );
    check(
        AnchorConfig {
            hour: Some(24),
            ..good
        },
        Cadence::MONTHLY,
        invalid,
    );
    check(
        AnchorConfig {
            minute: Some(60),
            ..good
        },
        Cadence::MONTHLY,
        invalid,
    );
    check(
        AnchorConfig {
            second: Some(60),
            ..good
        },
        Cadence::MONTHLY,
        invalid,
    );
    Ok(())
}

#[test]
fn cadences_last_three_years_at_most() -> Outcome {
    let limits = [
        (Interval::Day, 1_095),
        (Interval::Week, 156),
        (Interval::Month, 36),
        (Interval::Year, 3),
    ];
    for (interval, most) in limits {
        assert_eq!(Cadence::new(interval, 0), Err(CalendarError::ZeroInterval));
        assert!(Cadence::new(interval, 1).is_ok() && Cadence::new(interval, most).is_ok());
        assert_eq!(
            Cadence::new(interval, most + 1),
            Err(CalendarError::IntervalTooLong)
        );
        // One that was put together without `new` is refused where it is used.
        let unchecked = Cadence {
            interval,
            interval_count: 0,
        };
        let found = unchecked.period_containing(Timestamp(0), Timestamp(0));
        assert_eq!(found, Err(CalendarError::ZeroInterval));
    }
    let json = r#"{"interval":"month","interval_count":3}"#;
    let quarterly: Cadence = serde_json::from_str(json)?;
    assert_eq!(quarterly, Cadence::new(Interval::Month, 3)?);
    assert_eq!(serde_json::to_string(&quarterly)?, json);
    assert!(serde_json::from_str::<Cadence>(r#"{"interval":"year","interval_count":4}"#).is_err());
    Ok(())
}

#[test]
fn dates_that_do_not_exist_are_refused() {
    check((2026, 2, 29), (0, 0, 0), CalendarError::InvalidDate);
    check((1900, 2, 29), (0, 0, 0), CalendarError::InvalidDate);
    check((2026, 4, 31), (0, 0, 0), CalendarError::InvalidDate);
    check((2026, 0, 1), (0, 0, 0), CalendarError::InvalidDate);
    check((2026, 13, 1), (0, 0, 0), CalendarError::InvalidDate);
    check((2026, 1, 0), (0, 0, 0), CalendarError::InvalidDate);
    check((2026, 1, 1), (24, 0, 0), CalendarError::InvalidDate);
    check((2026, 1, 1), (0, 60, 0), CalendarError::InvalidDate);
    check((2026, 1, 1), (0, 0, 60), CalendarError::InvalidDate);
    check((0, 1, 1), (0, 0, 0), CalendarError::OutOfRange);
    check((10_000, 1, 1), (0, 0, 0), CalendarError::OutOfRange);
    check((i64::MAX, 1, 1), (0, 0, 0), CalendarError::OutOfRange);
    check((i64::MIN, 12, 31), (23, 59, 59), CalendarError::OutOfRange);

    fn check(date: (i64, u8, u8), time: (u8, u8, u8), expected: CalendarError) {
        let ((year, month, day), (hour, minute, second)) = (date, time);
        let civil = Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        };
        assert_eq!(civil.timestamp(), Err(expected), "{civil:?}");
        assert_eq!(civil.weekday(), Err(expected), "{civil:?}");
    }
}

#[test]
fn the_calendar_ends_where_it_says() -> Outcome {
    assert_eq!(
        (shown(Timestamp::MIN), at("0001-01-01")?),
        ("0001-01-01".to_owned(), Timestamp::MIN)
    );
    assert_eq!(at("9999-12-31 23:59:59")?, Timestamp::MAX);
    assert_eq!(
        Timestamp::MAX.add_seconds(1),
        Err(CalendarError::OutOfRange)
    );
    assert_eq!(
        Timestamp::MIN.add_seconds(-1),
        Err(CalendarError::OutOfRange)
    );
    assert_eq!(
        Timestamp(0).add_days(i64::MAX),
        Err(CalendarError::OutOfRange)
    );
    assert_eq!(Timestamp(0).add_days(1), Ok(Timestamp(86_400)));
    for cadence in [Cadence::DAILY, Cadence::MONTHLY, Cadence::YEARLY] {
        for index in [i64::MIN, i64::MAX] {
            let found = cadence.boundary(Timestamp(0), index);
            assert_eq!(found, Err(CalendarError::OutOfRange), "{cadence:?}");
        }
        let beyond = Timestamp(i64::MAX);
        assert_eq!(cadence.boundary(beyond, 0), Err(CalendarError::OutOfRange));
        let found = cadence.period_containing(Timestamp(0), beyond);
        assert_eq!(found, Err(CalendarError::OutOfRange));
    }
    Ok(())
}

#[test]
fn the_share_left_of_a_period() -> Outcome {
    let period = Period::new(Timestamp(1_000), Timestamp(4_000))?;
    for (t, expected) in [
        (i64::MIN, (1, 1)),
        (999, (1, 1)),
        (1_000, (1, 1)),
        (2_000, (2, 3)),
        (2_500, (1, 2)),
        (3_999, (1, 3_000)),
        (4_000, (0, 1)),
        (i64::MAX, (0, 1)),
    ] {
        let expected = Ratio::new(expected.0, expected.1)?;
        assert_eq!(period.fraction_remaining(Timestamp(t)), expected, "{t}");
        assert_eq!(
            period.contains(Timestamp(t)),
            (1_000..4_000).contains(&t),
            "{t}"
        );
    }
    assert_eq!(period.seconds(), 3_000);
    assert_eq!(
        Period::new(Timestamp(5), Timestamp(5)),
        Err(CalendarError::EmptyPeriod)
    );
    let never = Period {
        start: Timestamp(5),
        end: Timestamp(5),
    };
    assert_eq!(never.fraction_remaining(Timestamp(5)), Ratio::ZERO);
    let all = Period {
        start: Timestamp(i64::MIN),
        end: Timestamp(i64::MAX),
    };
    assert_eq!(all.seconds(), i64::MAX);
    assert!(all.fraction_remaining(Timestamp(0)) > Ratio::ZERO);
    Ok(())
}

#[test]
fn every_day_of_the_calendar_counts_on_from_the_one_before() -> Outcome {
    let mut expected = (1_i64, 1_u8, 1_u8);
    let first = Timestamp::MIN.0.div_euclid(SECONDS_PER_DAY);
    let last = Timestamp::MAX.0.div_euclid(SECONDS_PER_DAY);
    for number in first..=last {
        assert_eq!(date_of(number), expected);
        let (year, month, day) = expected;
        assert_eq!(days_to(year, i64::from(month), i64::from(day)), number);
        expected = if day < days_in_month(year, month) {
            (year, month, day + 1)
        } else if month < 12 {
            (year, month + 1, 1)
        } else {
            (year + 1, 1, 1)
        };
    }
    assert_eq!(expected, (10_000, 1, 1));
    Ok(())
}

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
