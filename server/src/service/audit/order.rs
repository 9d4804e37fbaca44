//! The order in which changes of one second led from balance to balance.

use std::collections::{HashMap, VecDeque};

/// A change that leads from one balance to another, in minor units.
pub(super) trait Leap {
    /// What is added to the balance.
    fn amount_minor(&self) -> i128;
    /// The balance that it led to.
    fn ending_minor(&self) -> i128;
}

/// Changes of one second, in an order in which each begins at the balance that the one before it led
/// to, from `balance` on. Two processes may have put them into any order, and there may be circles:
/// what is looked for is a way over all of them (Hierholzer's), not just a next one that fits.
///
/// Where there is no such order, somebody's figures are wrong: they come as they stand, but for those
/// that fit at once.
pub(super) fn in_order<T: Leap + Copy>(changes: &[T], balance: i128) -> Vec<T> {
    if fits(changes, balance) {
        return changes.to_vec();
    }
    let way = way(changes, balance);
    if way.len() == changes.len() && fits(&way, balance) {
        return way;
    }
    let (mut left, mut balance): (VecDeque<T>, i128) = (changes.iter().copied().collect(), balance);
    let mut order = Vec::with_capacity(changes.len());
    while !left.is_empty() {
        let follows = |change: &T| change.ending_minor() == balance + change.amount_minor();
        let place = left.iter().position(follows).unwrap_or(0);
        let Some(next) = left.remove(place) else {
            break;
        };
        balance += next.amount_minor();
        order.push(next);
    }
    order
}

/// Whether each change begins where the one before it led to.
fn fits<T: Leap>(changes: &[T], mut balance: i128) -> bool {
    changes.iter().all(|change| {
        balance += change.amount_minor();
        balance == change.ending_minor()
    })
}

/// As many changes as a way from `balance` on has, circles put in where it comes by.
fn way<T: Leap + Copy>(changes: &[T], balance: i128) -> Vec<T> {
    let mut from: HashMap<i128, VecDeque<T>> = HashMap::new();
    for change in changes {
        let start = change.ending_minor() - change.amount_minor();
        from.entry(start).or_default().push_back(*change);
    }
    let (mut open, mut way): (Vec<T>, Vec<T>) = (Vec::new(), Vec::with_capacity(changes.len()));
    loop {
        let here = open.last().map_or(balance, Leap::ending_minor);
        if let Some(next) = from.get_mut(&here).and_then(VecDeque::pop_front) {
            open.push(next);
        } else if let Some(done) = open.pop() {
            way.push(done);
        } else {
            break;
        }
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Change(i128, i128);

    impl Leap for Change {
        fn amount_minor(&self) -> i128 {
            self.0
        }
        fn ending_minor(&self) -> i128 {
            self.1
        }
    }

    #[test]
    fn a_circle_is_walked_before_what_leads_away() {
        // 18 → 0 → 18 → -1087, told with the last one first.
        let told = [Change(-1_105, -1_087), Change(-18, 0), Change(18, 18)];
        let order = in_order(&told, 18);
        assert_eq!(order, [told[1], told[2], told[0]]);
    }

    #[test]
    fn figures_that_lead_nowhere_are_kept_and_do_not_fit() {
        let told = [Change(5, 7), Change(5, 5)];
        let order = in_order(&told, 0);
        assert_eq!(order, [Change(5, 5), Change(5, 7)]);
        assert!(!fits(&order, 0));
        assert_eq!(in_order::<Change>(&[], 3), []);
    }

    proptest! {
        #[test]
        fn every_shuffled_second_is_put_in_order(
            start in -20_i128..20,
            steps in prop::collection::vec(-4_i128..=4, 0..24),
            seed in any::<u64>(),
        ) {
            let mut balance = start;
            let mut told: Vec<Change> = steps
                .iter()
                .map(|step| {
                    balance += step;
                    Change(*step, balance)
                })
                .collect();
            let mut state = seed;
            for place in (1..told.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let other = usize::try_from(state >> 33).unwrap_or(0) % (place + 1);
                told.swap(place, other);
            }
            let order = in_order(&told, start);
            prop_assert!(fits(&order, start));
            let count = |all: &[Change], one: &Change| all.iter().filter(|own| *own == one).count();
            prop_assert!(told.iter().all(|one| count(&told, one) == count(&order, one)));
        }
    }
}
