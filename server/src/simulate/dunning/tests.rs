//! The comparison itself: repeatable, fair, and with the order that the policies ought to have.

use perennial::dunning::smart::{Knowledge, TALLIES, Tally as Count, tally_name, tally_place};

use super::report::{Estimate, compare};
use super::world::{Variant, year};
use super::*;

#[test]
fn the_same_seed_is_the_same_year() {
    let (one, again) = (year(Variant::Base, 3, 120), year(Variant::Base, 3, 120));
    let other = year(Variant::Base, 4, 120);
    let failures = |cases: &[Case]| -> Vec<Failure> {
        cases.iter().map(|case| case.failure.clone()).collect()
    };
    assert_eq!(failures(&one), failures(&again));
    assert_ne!(failures(&one), failures(&other));
    assert!(one.len() > 40, "{}", one.len());
    for (_, policy) in ARMS {
        let tally = run(policy, Variant::Base, &one, 3);
        assert_eq!(tally, run(policy, Variant::Base, &again, 3));
    }
}

#[test]
fn failures_fail_and_money_that_is_there_is_found() {
    for variant in Variant::ALL {
        for case in year(variant, 5, 300) {
            let first = case.answer(variant, case.failure.failed_at, &[]);
            let unlucky = ["generic_decline", "do_not_honor", "call_issuer"];
            // A bank's mood may have turned within the hour; everything else is as it was.
            if !unlucky.contains(&case.failure.decline_code) {
                assert_ne!(first, Answer::Approved, "{:?}", case.failure);
            }
        }
    }
}

/// Loose bounds that hold with a margin; the figures themselves stand in the documentation.
#[test]
fn more_and_better_attempts_recover_more() {
    let table = compare(Variant::Base, 3, 160);
    let row = |name: &str| {
        let found = table.rows.iter().find(|row| row.name == name);
        found.unwrap_or_else(|| panic!("{name}"))
    };
    let (fixed, even, smart) = (row("fixed 1-3-5-7"), row("even 8 in 14 days"), row("smart"));
    let text = table.text();
    assert!(
        even.recovered.mean_ppm > fixed.recovered.mean_ppm + 40_000,
        "{text}"
    );
    assert!(
        smart.recovered.mean_ppm > fixed.recovered.mean_ppm + 40_000,
        "{text}"
    );
    assert!(
        smart.attempts.mean_ppm < even.attempts.mean_ppm - 700_000,
        "{text}"
    );
    assert!(
        smart.attempts.mean_ppm < fixed.attempts.mean_ppm + 300_000,
        "{text}"
    );
}

#[test]
fn estimates_are_those_of_the_textbook() {
    // Mean 3, variance 2.5, so the standard error is 0.7071 and t with 4 degrees 2.776.
    let estimate = Estimate::of(&[1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000]);
    assert_eq!(estimate.mean_ppm, 3_000_000);
    assert!(
        (estimate.half_width_ppm - 1_962_800).abs() < 300,
        "{estimate:?}"
    );
    assert_eq!(Estimate::of(&[]), Estimate::default());
    assert_eq!(Estimate::of(&[7]).half_width_ppm, 0);
}

#[test]
fn counts_have_names_and_add_up() {
    let mut names = std::collections::BTreeSet::new();
    for place in 0..TALLIES {
        let name = tally_name(place).unwrap();
        assert_eq!(tally_place(&name), Some(place), "{name}");
        assert!(names.insert(name));
    }
    assert_eq!(tally_name(TALLIES), None);
    for unknown in [
        "",
        "funds_debit",
        "funds_debit/hour/8",
        "funds_debit/hour/1/2",
        "x/hour/1",
    ] {
        assert_eq!(tally_place(unknown), None, "{unknown}");
    }
    let count = Count {
        recovered: 2,
        failed: 3,
    };
    let (mut once, mut twice) = (Knowledge::default(), Knowledge::default());
    for place in [3, 40, 3] {
        once.add(place, count);
    }
    for place in [40, 3, 3] {
        twice.add(place, count);
    }
    assert_eq!(once, twice);
}
