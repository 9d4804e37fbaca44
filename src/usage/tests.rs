//! The laws of totals and covers.

use proptest::prelude::*;

use super::*;

const FORMULAS: [Formula; 5] = [
    Formula::Sum,
    Formula::Count,
    Formula::Max,
    Formula::Last,
    Formula::Unique,
];

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: i64,
    scaled: i128,
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let one = (0_i64..400_000, -5_000_000_000_000_i128..5_000_000_000_000);
    prop::collection::vec(one.prop_map(|(at, scaled)| Sample { at, scaled }), 0..60)
}

fn total(formula: Formula, of: &[(usize, Sample)]) -> Total {
    of.iter().fold(Total::NONE, |sum, (order, sample)| {
        let place = Place {
            at: sample.at,
            order: i64::try_from(*order).unwrap(),
        };
        let value = Decimal12::from_scaled(sample.scaled).unwrap();
        sum.merge(formula, Total::of(formula, value, place))
            .unwrap()
    })
}

/// What a formula means, said in the plainest way.
fn meaning(formula: Formula, of: &[(usize, Sample)]) -> i128 {
    match formula {
        Formula::Sum => of.iter().map(|(_, s)| s.scaled).sum(),
        Formula::Count | Formula::Unique => of.len() as i128 * ONE_SCALED,
        Formula::Max => of.iter().map(|(_, s)| s.scaled).max().unwrap_or(0),
        Formula::Last => {
            let newest = of.iter().max_by_key(|(order, s)| (s.at, *order));
            newest.map_or(0, |(_, s)| s.scaled)
        }
    }
}

proptest! {
    #[test]
    fn totals_do_not_depend_on_order_and_parts_merge(
        events in samples(),
        shuffle in any::<u64>(),
        cut in 0_usize..60,
    ) {
        let numbered: Vec<_> = events.into_iter().enumerate().collect();
        let mut mixed = numbered.clone();
        mixed.sort_by_key(|(order, _)| (*order as u64).wrapping_mul(shuffle | 1).rotate_left(17));
        for formula in FORMULAS {
            let whole = total(formula, &numbered);
            prop_assert_eq!(whole, total(formula, &mixed));
            let (one, other) = mixed.split_at(cut.min(mixed.len()));
            let (one, other) = (total(formula, one), total(formula, other));
            prop_assert_eq!(one.merge(formula, other), Ok(whole));
            prop_assert_eq!(other.merge(formula, one), Ok(whole));
            prop_assert_eq!(whole.value(formula).unwrap().scaled(), meaning(formula, &numbered));
            prop_assert!(!whole.billable(formula).unwrap().is_negative());
        }
    }

    #[test]
    fn a_late_event_changes_only_its_own_stretch(
        events in samples(), late in 0_i64..400_000, start in 0_i64..400_000, long in 0_i64..400_000,
    ) {
        let within = |at: i64| at >= start && at < start + long;
        let numbered: Vec<_> = events.into_iter().enumerate().collect();
        let inside: Vec<_> = numbered.iter().copied().filter(|(_, s)| within(s.at)).collect();
        let one = (numbered.len(), Sample { at: late, scaled: ONE_SCALED });
        let mut after = inside.clone();
        after.extend(Some(one).filter(|(_, s)| within(s.at)));
        for formula in FORMULAS {
            let (before, after) = (total(formula, &inside), total(formula, &after));
            prop_assert_eq!(before == after, !within(late));
        }
    }

    #[test]
    fn cancelling_gives_back_what_the_event_added(events in samples(), which in 0_usize..60) {
        let numbered: Vec<_> = events.into_iter().enumerate().collect();
        prop_assume!(which < numbered.len());
        let rest: Vec<_> = numbered.iter().copied().filter(|(order, _)| *order != which).collect();
        for formula in [Formula::Sum, Formula::Count] {
            let one = total(formula, &numbered[which..=which]).opposite(formula).unwrap();
            let left = total(formula, &numbered).merge(formula, one).unwrap();
            prop_assert_eq!(left, total(formula, &rest));
        }
    }

    #[test]
    fn different_values_since_any_moment_are_the_stretches_since_then(
        events in prop::collection::vec((0_i64..300_000, 0_u8..12), 0..80),
        since in 0_i64..80,
    ) {
        let mut seen = std::collections::HashMap::new();
        let mut hours = std::collections::BTreeMap::<i64, i64>::new();
        for (at, mark) in &events {
            let old = seen.get(mark).copied();
            let (loses, gains) = appearance(old, Timestamp(*at));
            for (moved, by) in [(loses, -1), (gains, 1)] {
                if let Some(moved) = moved {
                    *hours.entry(step_start(moved, HOUR_SECONDS).0).or_default() += by;
                }
            }
            seen.insert(*mark, Timestamp(*at).max(old.unwrap_or(Timestamp(*at))));
        }
        let since = since * HOUR_SECONDS;
        let counted: i64 = hours.range(since..).map(|(_, count)| count).sum();
        let marks: std::collections::HashSet<_> =
            events.iter().filter(|(at, _)| *at >= since).map(|(_, mark)| mark).collect();
        prop_assert_eq!(counted, i64::try_from(marks.len()).unwrap());
    }

    #[test]
    fn a_cover_has_each_second_once(start in -200_000_i64..400_000, long in -10_i64..400_000) {
        let end = start + long;
        let cover = Cover::of(Period { start: Timestamp(start), end: Timestamp(end) });
        let mut pieces = vec![cover.days, cover.hours[0], cover.hours[1], cover.ends[0], cover.ends[1]];
        pieces.retain(|(from, until)| from != until);
        pieces.sort_unstable();
        let mut next = start;
        for (from, until) in &pieces {
            prop_assert!(from < until);
            prop_assert_eq!(*from, next);
            next = *until;
        }
        prop_assert_eq!(next, end.max(start));
        prop_assert!(cover.days.0.rem_euclid(DAY_SECONDS) == 0 || cover.days.0 == cover.days.1);
        for (from, until) in cover.hours {
            prop_assert!(from == until || (from % HOUR_SECONDS == 0 && until % HOUR_SECONDS == 0));
            prop_assert!(until - from < DAY_SECONDS * 2);
        }
        for (from, until) in cover.ends {
            prop_assert!(until - from < HOUR_SECONDS);
        }
    }

    #[test]
    fn parts_join_again(scaled in -4_000_000_000_000_000_000_000_000_i128..4_000_000_000_000_000_000_000_000) {
        let (whole, part) = split(scaled).unwrap();
        prop_assert!((0..1_000_000_000_000).contains(&part));
        prop_assert_eq!(joined(whole, part), scaled);
    }
}

#[test]
fn values_and_moments_have_bounds() {
    let table = [
        ("0", Ok("0")),
        ("-12.5", Ok("-12.5")),
        (
            "999999999999999.999999999999",
            Ok("999999999999999.999999999999"),
        ),
        ("1000000000000000", Err(UsageError::TooManyDigits)),
        ("0.0000000000001", Err(UsageError::TooManyDigits)),
        ("99999999999999999999999999", Err(UsageError::TooManyDigits)),
        ("1e3", Err(UsageError::InvalidValue)),
        ("", Err(UsageError::InvalidValue)),
        ("twelve", Err(UsageError::InvalidValue)),
    ];
    for (text, want) in table {
        assert_eq!(
            parse_value(text).map(|v| v.to_string()),
            want.map(str::to_owned),
            "{text}"
        );
    }
    let now = Timestamp(100 * DAY_SECONDS);
    let table = [
        (0, Ok(())),
        (-EVENT_AGE_SECONDS_MAX, Ok(())),
        (-EVENT_AGE_SECONDS_MAX - 1, Err(UsageError::TooOld)),
        (EVENT_AHEAD_SECONDS_MAX, Ok(())),
        (EVENT_AHEAD_SECONDS_MAX + 1, Err(UsageError::InFuture)),
    ];
    for (off, want) in table {
        assert_eq!(check_moment(Timestamp(now.0 + off), now), want, "{off}");
    }
}
