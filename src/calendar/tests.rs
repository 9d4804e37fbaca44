//! The reference's dates, and every edge that a date can fall off.

mod laws;

use super::*;
use crate::ratio::Ratio;

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
