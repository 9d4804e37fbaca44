//! The schedule, to its end.

use super::{Next, RetryPolicy, RetryPolicyError, is_hard};
use crate::calendar::Timestamp;
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

#[test]
fn the_default_tries_eight_times_within_two_weeks() {
    let (policy, mut at, mut attempts) = (RetryPolicy::default(), Timestamp(0), 1);
    loop {
        match policy.next(attempts, at, None, true).unwrap() {
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
    let policy = RetryPolicy {
        wait_days: vec![3],
        then: WhenExhausted::MarkUnpaid,
    };
    let stolen = decline("card_declined", Some("stolen_card"));
    for (same_method, reason, needs) in [
        (true, Some(&stolen), true),
        (false, Some(&stolen), false),
        (
            true,
            Some(&decline("card_declined", Some("insufficient_funds"))),
            false,
        ),
        (true, None, false),
    ] {
        let next = policy.next(1, Timestamp(0), reason, same_method).unwrap();
        let wanted = Next::Retry {
            at: Timestamp(3 * DAY),
            needs_new_method: needs,
        };
        assert_eq!(next, wanted, "{reason:?}");
    }
    let next = policy.next(2, Timestamp(0), Some(&stolen), true);
    assert_eq!(next, Ok(Next::Exhausted(WhenExhausted::MarkUnpaid)));
    assert!(is_hard(&decline("authentication_required", None)));
    assert!(!is_hard(&decline("expired_card", None)));
}

#[test]
fn limits_are_named() {
    let policy = |wait_days| RetryPolicy {
        wait_days,
        then: WhenExhausted::default(),
    };
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

proptest! {
    #[test]
    fn it_always_comes_to_an_end(wait_days in proptest::collection::vec(0_u16.., 0..12),
        attempts in any::<u32>(), at in any::<i64>()) {
        let policy = RetryPolicy { wait_days, then: WhenExhausted::LeavePastDue };
        let next = policy.next(attempts, Timestamp(at), None, true);
        if usize::try_from(attempts).unwrap() > policy.wait_days.len() {
            prop_assert_eq!(next, Ok(Next::Exhausted(WhenExhausted::LeavePastDue)));
        }
    }
}
