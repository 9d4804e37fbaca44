//! The schedule, to its end.

use super::{Collected, Failed, Next, RetryMode, RetryPolicy, RetryPolicyError, is_hard};
use super::{DeclineClass, meaning};
use crate::calendar::Timestamp;
use crate::dunning::smart::Knowledge;
use crate::payment::Decline;
use crate::subscription::WhenExhausted;
use proptest::prelude::*;

const DAY: i64 = 86_400;

fn decline(code: &str, decline_code: Option<&str>) -> Decline {
    Decline {
        code: code.to_owned(),
        decline_code: decline_code.map(str::to_owned),
    }
}

fn scheduled(wait_days: Vec<u16>, then: WhenExhausted) -> RetryPolicy {
    RetryPolicy {
        mode: RetryMode::Schedule { wait_days },
        then,
        ..RetryPolicy::default()
    }
}

/// The next step of a renewal that first failed at 0.
fn next(
    policy: &RetryPolicy,
    attempts: u32,
    at: Timestamp,
    decline: Option<&Decline>,
) -> Result<Next, crate::calendar::CalendarError> {
    policy.next(&Failed {
        collected: Collected::Renewal,
        attempts,
        since: Timestamp(0),
        failed_at: at,
        decline,
        card: None,
        knowledge: &Knowledge::default(),
        seed: 0,
    })
}

#[test]
fn the_default_tries_eight_times_within_two_weeks() {
    let (policy, mut at, mut attempts) = (RetryPolicy::default(), Timestamp(0), 1);
    loop {
        match next(&policy, attempts, at, None).unwrap() {
            Next::Retry {
                at: next,
                needs_new_method,
            } => {
                assert!(!needs_new_method && next > at);
                (at, attempts) = (next, attempts + 1);
            }
            Next::Exhausted(then) => {
                assert_eq!(then, WhenExhausted::Cancel);
                break;
            }
        }
    }
    assert_eq!((attempts, at), (8, Timestamp(14 * DAY)));
}

#[test]
fn a_hard_decline_waits_for_another_method() {
    let policy = scheduled(vec![3], WhenExhausted::MarkUnpaid);
    let stolen = decline("card_declined", Some("stolen_card"));
    let poor = decline("card_declined", Some("insufficient_funds"));
    for (reason, needs) in [(Some(&stolen), true), (Some(&poor), false), (None, false)] {
        let wanted = Next::Retry {
            at: Timestamp(3 * DAY),
            needs_new_method: needs,
        };
        let next = next(&policy, 1, Timestamp(0), reason);
        assert_eq!(next, Ok(wanted), "{reason:?}");
    }
    let next = next(&policy, 2, Timestamp(0), Some(&stolen));
    assert_eq!(next, Ok(Next::Exhausted(WhenExhausted::MarkUnpaid)));
    assert!(is_hard(&decline("authentication_required", None)));
    assert!(!is_hard(&decline("expired_card", None)));
}

#[test]
fn limits_are_named() {
    let policy = |wait_days| scheduled(wait_days, WhenExhausted::default());
    assert_eq!(policy(vec![]).validate(), Ok(()));
    assert_eq!(policy(vec![1; 8]).validate(), Ok(()));
    assert_eq!(
        policy(vec![1; 9]).validate(),
        Err(RetryPolicyError::TooMany)
    );
    assert_eq!(
        policy(vec![0]).validate(),
        Err(RetryPolicyError::WaitOutOfRange)
    );
    assert_eq!(
        policy(vec![61]).validate(),
        Err(RetryPolicyError::WaitOutOfRange)
    );
}

#[test]
fn policies_of_all_times_are_read() {
    let old: RetryPolicy =
        serde_json::from_str(r#"{"wait_days":[1,2],"then":"mark_unpaid"}"#).unwrap();
    assert_eq!(old, scheduled(vec![1, 2], WhenExhausted::MarkUnpaid));
    let smart = RetryPolicy {
        mode: RetryMode::Smart {
            window_days: 14,
            retries_max: 8,
        },
        then: WhenExhausted::LeavePastDue,
        first_wait_hours: vec![1, 5],
        write_off_days: Some(30),
    };
    for policy in [old, smart, RetryPolicy::default()] {
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<RetryPolicy>(&text).unwrap(), policy);
        assert_eq!(policy.validate(), Ok(()));
    }
}

#[test]
fn declines_mean_what_their_graver_code_says() {
    for (code, decline_code, wanted) in [
        (
            "card_declined",
            Some("insufficient_funds"),
            DeclineClass::Soft,
        ),
        ("card_declined", Some("lost_card"), DeclineClass::Hard),
        (
            "authentication_required",
            Some("authentication_required"),
            DeclineClass::NeedsAction,
        ),
        (
            "authentication_required",
            Some("generic_decline"),
            DeclineClass::NeedsAction,
        ),
        ("expired_card", None, DeclineClass::Soft),
        ("resource_missing", None, DeclineClass::Hard),
        ("card_declined", Some("never_heard_of"), DeclineClass::Soft),
        ("rubbish", None, DeclineClass::Soft),
    ] {
        let meant = meaning(&decline(code, decline_code)).0;
        assert_eq!(meant, wanted, "{code} {decline_code:?}");
    }
}

#[test]
fn first_payments_have_hours_and_smart_ones_a_window() {
    let mut policy = scheduled(vec![1], WhenExhausted::Cancel);
    policy.first_wait_hours = vec![2, 6];
    let poor = decline("card_declined", Some("insufficient_funds"));
    let failed = Failed {
        collected: Collected::First,
        attempts: 2,
        since: Timestamp(0),
        failed_at: Timestamp(100),
        decline: Some(&poor),
        card: None,
        knowledge: &Knowledge::default(),
        seed: 1,
    };
    let at = |seconds| Next::Retry {
        at: Timestamp(seconds),
        needs_new_method: false,
    };
    assert_eq!(policy.next(&failed), Ok(at(100 + 6 * 3_600)));
    let over = Failed {
        attempts: 3,
        ..failed
    };
    assert_eq!(
        policy.next(&over),
        Ok(Next::Exhausted(WhenExhausted::Cancel))
    );
    policy.mode = RetryMode::Smart {
        window_days: 7,
        retries_max: 3,
    };
    // Nothing to charge: the customer has until the window's end.
    let renewal = Failed {
        collected: Collected::Renewal,
        ..failed
    };
    let idle = Next::Retry {
        at: Timestamp(7 * DAY),
        needs_new_method: true,
    };
    assert_eq!(policy.next(&renewal), Ok(idle));
    let late = Failed {
        failed_at: Timestamp(7 * DAY),
        ..renewal
    };
    assert_eq!(
        policy.next(&late),
        Ok(Next::Exhausted(WhenExhausted::Cancel))
    );
    policy.first_wait_hours = vec![12, 12];
    assert_eq!(
        policy.validate(),
        Err(RetryPolicyError::FirstWaitOutOfRange)
    );
}

proptest! {
    #[test]
    fn it_always_comes_to_an_end(wait_days in proptest::collection::vec(0_u16.., 0..12),
        attempts in any::<u32>(), at in any::<i64>()) {
        let retries = wait_days.len();
        let policy = scheduled(wait_days, WhenExhausted::LeavePastDue);
        let next = next(&policy, attempts, Timestamp(at), None);
        if usize::try_from(attempts).unwrap() > retries {
            prop_assert_eq!(next, Ok(Next::Exhausted(WhenExhausted::LeavePastDue)));
        }
    }
}
