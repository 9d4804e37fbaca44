//! The state machine, whole.

use crate::subscription::{Event, MissingPaymentMethod, Status, WhenExhausted};

pub(super) const STATUSES: [Status; 8] = [
    Status::Trialing,
    Status::Active,
    Status::Incomplete,
    Status::IncompleteExpired,
    Status::PastDue,
    Status::Unpaid,
    Status::Canceled,
    Status::Paused,
];

#[test]
fn every_transition_is_known_and_every_other_refused() {
    use Event as E;
    use Status as S;
    let events = [
        E::FirstPaymentSucceeded,
        E::FirstPaymentNeeded,
        E::FirstPaymentExpired,
        E::TrialStarted,
        E::TrialEnded,
        E::TrialEndedUnpayable(MissingPaymentMethod::Cancel),
        E::TrialEndedUnpayable(MissingPaymentMethod::CreateInvoice),
        E::TrialEndedUnpayable(MissingPaymentMethod::Pause),
        E::RenewalFailed,
        E::Paid,
        E::RetriesExhausted(WhenExhausted::Cancel),
        E::RetriesExhausted(WhenExhausted::MarkUnpaid),
        E::RetriesExhausted(WhenExhausted::LeavePastDue),
        E::Cancel,
        E::Pause,
        E::Resume,
    ];
    let legal = [
        (S::Incomplete, E::FirstPaymentSucceeded, S::Active),
        (S::Incomplete, E::Paid, S::Active),
        (S::Incomplete, E::FirstPaymentNeeded, S::Incomplete),
        (S::Incomplete, E::FirstPaymentExpired, S::IncompleteExpired),
        (S::Incomplete, E::Cancel, S::Canceled),
        (S::Trialing, E::TrialStarted, S::Trialing),
        (S::Trialing, E::TrialEnded, S::Active),
        (
            S::Trialing,
            E::TrialEndedUnpayable(MissingPaymentMethod::Cancel),
            S::Canceled,
        ),
        (
            S::Trialing,
            E::TrialEndedUnpayable(MissingPaymentMethod::CreateInvoice),
            S::Active,
        ),
        (
            S::Trialing,
            E::TrialEndedUnpayable(MissingPaymentMethod::Pause),
            S::Paused,
        ),
        (S::Trialing, E::Paid, S::Trialing),
        (S::Trialing, E::Cancel, S::Canceled),
        (S::Trialing, E::Pause, S::Paused),
        (S::Active, E::Paid, S::Active),
        (S::Active, E::TrialStarted, S::Trialing),
        (S::Active, E::RenewalFailed, S::PastDue),
        (S::Active, E::Cancel, S::Canceled),
        (S::Active, E::Pause, S::Paused),
        (S::PastDue, E::Paid, S::Active),
        (S::PastDue, E::RenewalFailed, S::PastDue),
        (
            S::PastDue,
            E::RetriesExhausted(WhenExhausted::Cancel),
            S::Canceled,
        ),
        (
            S::PastDue,
            E::RetriesExhausted(WhenExhausted::MarkUnpaid),
            S::Unpaid,
        ),
        (
            S::PastDue,
            E::RetriesExhausted(WhenExhausted::LeavePastDue),
            S::PastDue,
        ),
        (S::PastDue, E::Cancel, S::Canceled),
        (S::PastDue, E::Pause, S::Paused),
        (S::Unpaid, E::Paid, S::Active),
        (S::Unpaid, E::RenewalFailed, S::Unpaid),
        (S::Unpaid, E::Cancel, S::Canceled),
        (S::Paused, E::Paid, S::Paused),
        (S::Paused, E::Resume, S::Active),
        (S::Paused, E::Cancel, S::Canceled),
    ];
    for status in STATUSES {
        for event in events {
            let found = legal
                .iter()
                .find(|(from, by, _)| (*from, *by) == (status, event));
            let reached = status.transition(event);
            assert_eq!(
                reached.ok(),
                found.map(|(_, _, to)| *to),
                "{status:?} {event:?}"
            );
        }
        assert_eq!(
            status.is_final(),
            !legal.iter().any(|(from, ..)| *from == status)
        );
    }
}
