//! The settlement rule, and its sum.

use super::{BalanceChangeKind, adjust, settle};
use proptest::prelude::*;

#[test]
fn a_total_meets_a_balance() {
    // total, balance before -> due, balance after
    for (total, balance, due, after) in [
        (1_000, 0, 1_000, 0),
        (1_000, -300, 700, 0),
        (1_000, -1_300, 0, -300),
        (1_000, 300, 1_300, 0),
        (0, -300, 0, -300),
        (0, 300, 300, 0),
        (-500, 0, 0, -500),
        (-500, 300, 0, -200),
        (-500, -300, 0, -800),
    ] {
        let settled = settle(total, balance).unwrap();
        assert_eq!(
            (settled.due_minor, settled.balance_minor),
            (due, after),
            "{total} {balance}"
        );
    }
}

#[test]
fn an_adjustment_that_does_not_fit_changes_nothing() {
    let mut balance = i64::MAX;
    assert!(adjust(&mut balance, 1, BalanceChangeKind::Adjustment).is_err());
    assert_eq!(balance, i64::MAX);
    let change = adjust(&mut balance, -1, BalanceChangeKind::Adjustment).unwrap();
    assert_eq!(
        (balance, change.ending_balance_minor),
        (i64::MAX - 1, i64::MAX - 1)
    );
}

proptest! {
    #[test]
    fn nothing_is_lost_between_total_and_balance(total in any::<i64>(), balance in any::<i64>()) {
        if let Ok(settled) = settle(total, balance) {
            let after = i128::from(settled.due_minor) + i128::from(settled.balance_minor);
            prop_assert_eq!(after, i128::from(total) + i128::from(balance));
            prop_assert!(settled.due_minor >= 0);
        }
    }
}
