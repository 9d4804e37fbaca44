//! A clock goes forward, one move at a time.

use super::{ClockError, ClockStatus, KEPT_SECONDS, TestClock};
use crate::calendar::Timestamp;
use crate::id::TestClockId;

fn clock() -> TestClock {
    let id = TestClockId::from_random(1);
    TestClock::new(id, None, Timestamp(1_000), Timestamp(50_000))
}

#[test]
fn it_goes_forward_only_and_one_move_at_a_time() {
    for (target, refused) in [
        (999, Some(ClockError::NotForward)),
        (1_000, Some(ClockError::NotForward)),
        (Timestamp::MAX.0 + 1, Some(ClockError::NotForward)),
        (1_001, None),
        (Timestamp::MAX.0, None),
    ] {
        let mut clock = clock();
        let outcome = clock.advance(Timestamp(target));
        assert_eq!(outcome.err(), refused, "{target}");
        if refused.is_none() {
            assert_eq!(clock.frozen_time, Timestamp(1_000));
            let again = clock.advance(Timestamp(Timestamp::MAX.0));
            assert_eq!(again, Err(ClockError::Advancing));
        }
    }
    let mut failed = clock();
    failed.fail();
    assert_eq!(failed.advance(Timestamp(2_000)), Err(ClockError::Failed));
}

#[test]
fn on_its_way_it_never_goes_back_and_never_beyond() {
    let mut clock = clock();
    clock.reach(Timestamp(1_500));
    assert_eq!(clock.frozen_time, Timestamp(1_000), "it stands still");
    clock.advance(Timestamp(2_000)).unwrap();
    for (moment, at) in [(1_500, 1_500), (1_200, 1_500), (9_999, 2_000)] {
        clock.reach(Timestamp(moment));
        assert_eq!(clock.frozen_time, Timestamp(at), "{moment}");
    }
    clock.arrive();
    assert_eq!(clock.status, ClockStatus::Ready);
    assert_eq!(clock.frozen_time, Timestamp(2_000));
}

#[test]
fn workers_look_after_it_in_real_time() {
    let mut clock = clock();
    assert_eq!(clock.due_at(), Timestamp(50_000 + KEPT_SECONDS));
    clock.advance(Timestamp(2_000)).unwrap();
    assert!(clock.due_at() <= Timestamp(50_000));
    clock.lease_until = Some(Timestamp(50_060));
    assert_eq!(clock.due_at(), Timestamp(50_060));
    clock.arrive();
    assert_eq!(clock.due_at(), Timestamp(50_000 + KEPT_SECONDS));
}
