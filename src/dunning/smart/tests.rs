//! What the choice must keep, whatever is known.

use super::*;
use crate::calendar::Civil;
use crate::payment::{Decline, Funding};
use proptest::prelude::*;

const HOUR: i64 = 3_600;

fn decline(code: &str) -> Decline {
    Decline {
        code: "card_declined".to_owned(),
        decline_code: Some(code.to_owned()),
    }
}

fn at(year: i64, month: u8, day: u8, hour: u8) -> Timestamp {
    let civil = Civil {
        year,
        month,
        day,
        hour,
        minute: 0,
        second: 0,
    };
    civil.timestamp().unwrap()
}

fn situation<'a>(decline: &'a Decline, country: &'a str, failed_at: Timestamp) -> Situation<'a> {
    Situation {
        payee: Payee {
            decline,
            funding: Funding::Debit,
            country: Some(country),
        },
        failed_at,
        retries_done: 0,
        retries_left: 4,
        window_ends_at: failed_at.add_days(14).unwrap(),
        seed: 11,
    }
}

#[test]
fn wages_are_waited_for() {
    let poor = decline("insufficient_funds");
    // In Japan most are paid on the 25th, in France at the end of the month; nobody waits that long
    // for a bank that was out of reach.
    for (country, code, from, until) in [
        ("JP", "insufficient_funds", (25, 0), (28, 0)),
        ("FR", "insufficient_funds", (27, 0), (31, 12)),
        ("JP", "processing_error", (17, 10), (19, 12)),
        ("XX", "issuer_not_available", (17, 10), (19, 12)),
    ] {
        let why = decline(code);
        let asked = situation(&why, country, at(2027, 8, 17, 9));
        let choice = choose(&asked, &Knowledge::default()).unwrap();
        let bounds = at(2027, 8, from.0, from.1)..at(2027, 8, until.0, until.1);
        let local = Timestamp(choice.at.0 + if country == "JP" { 9 * HOUR } else { 0 });
        assert!(
            bounds.contains(&local),
            "{country} {code} {:?}",
            local.civil()
        );
    }
    let later = situation(&poor, "JP", at(2027, 8, 26, 9));
    let choice = choose(&later, &Knowledge::default());
    assert!(choice.is_none_or(|choice| choice.chance_ppm < 400_000));
}

#[test]
fn what_worked_is_done_again() {
    // This merchant's customers pay on Wednesdays, whatever everybody knows.
    let poor = decline("insufficient_funds");
    let asked = situation(&poor, "DE", at(2027, 6, 4, 9));
    let mut knowledge = Knowledge::default();
    let before = asked.failed_at;
    for hours in 2..330 {
        let moment = Timestamp(before.0 + hours * HOUR);
        let wednesday = Timestamp(moment.0 + HOUR).weekday() == crate::calendar::Weekday::Wednesday;
        for _ in 0..20 {
            knowledge.learn(&asked.payee.traits(before, moment, 0), wednesday);
        }
    }
    let choice = choose(&asked, &knowledge).unwrap();
    let local = Timestamp(choice.at.0 + HOUR);
    assert_eq!(local.weekday(), crate::calendar::Weekday::Wednesday);
    assert!(choice.chance_ppm > choose(&asked, &Knowledge::default()).unwrap().chance_ppm);
}

#[test]
fn what_is_pointless_is_left_alone() {
    for code in [
        "stolen_card",
        "authentication_required",
        "revocation_of_authorization",
    ] {
        let never = decline(code);
        let asked = situation(&never, "US", at(2027, 6, 4, 9));
        assert_eq!(choose(&asked, &Knowledge::default()), None, "{code}");
    }
    let poor = decline("insufficient_funds");
    let mut asked = situation(&poor, "US", at(2027, 6, 4, 9));
    asked.retries_left = 0;
    assert_eq!(choose(&asked, &Knowledge::default()), None);
    asked.retries_left = 4;
    asked.window_ends_at = asked.failed_at;
    assert_eq!(choose(&asked, &Knowledge::default()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_choice_is_repeatable_and_within_the_window(
        code in prop::sample::select(vec!["insufficient_funds", "do_not_honor", "expired_card",
            "processing_error", "card_velocity_exceeded", "made_up"]),
        country in prop::sample::select(vec!["US", "JP", "GB", "BR", "??"]),
        failed_at in 0_i64..4_000_000_000,
        days in 0_i64..62,
        left in 0_u32..5,
        done in 0_u32..20,
        seed in any::<u64>(),
        counts in proptest::collection::vec((0..TALLIES, any::<u64>(), any::<u64>()), 0..40),
    ) {
        let mut knowledge = Knowledge::default();
        for (place, recovered, failed) in counts {
            knowledge.add(place, Tally { recovered, failed });
        }
        let why = decline(code);
        let mut asked = situation(&why, country, Timestamp(failed_at));
        asked.window_ends_at = asked.failed_at.add_days(days).unwrap();
        (asked.retries_left, asked.retries_done, asked.seed) = (left, done, seed);
        let choice = choose(&asked, &knowledge);
        prop_assert_eq!(choice, choose(&asked, &knowledge));
        if let Some(choice) = choice {
            prop_assert!(choice.at.0 >= failed_at + PAUSE_SECONDS);
            prop_assert!(choice.at <= asked.window_ends_at);
            prop_assert!((0..=ONE_PPM).contains(&choice.chance_ppm));
        }
    }

    #[test]
    fn traits_stay_in_their_places(from in any::<i64>(), until in any::<i64>(), retry in any::<u32>()) {
        let why = decline("insufficient_funds");
        let asked = situation(&why, "US", Timestamp(0));
        let traits = asked.payee.traits(Timestamp(from / 4), Timestamp(until / 4), retry);
        for place in traits.places() {
            prop_assert!(place < TALLIES);
        }
    }
}
