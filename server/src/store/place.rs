//! Places in lists: numbers that sort new rows after older ones, unique without asking the database.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use perennial::calendar::Timestamp;

use crate::clock::{Entropy as _, SeededEntropy};

/// Places for new rows in one second of the clock.
const MICROS: i64 = 1_000_000;
/// How many seconds' newest places are remembered. Every test clock stands at a second of its own,
/// and leaves a trail of those that it passed; four megabytes of them at most.
const SECONDS_MAX: usize = 65_536;

/// Hands out places, `step` at a time.
#[derive(Debug)]
pub(super) struct Places {
    step: i64,
    /// Sets this process apart from others that write at the same time.
    lane: u128,
    seconds: Mutex<Seconds>,
}

/// The newest place in each of the seconds that were written at lately.
#[derive(Debug, Default)]
struct Seconds {
    newest: BTreeMap<i64, Newest>,
    /// Seconds by when they were turned to, so that the one that was left longest ago is forgotten.
    turns: BTreeMap<u64, i64>,
    /// The second that was asked for last.
    latest: Option<i64>,
    turn: u64,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    place: i64,
    turn: u64,
}

impl Seconds {
    /// Notes that a second is asked for, and forgets another one if there are too many.
    fn turn_to(&mut self, second: i64) {
        if self.latest == Some(second) {
            return;
        }
        self.latest = Some(second);
        self.turn += 1;
        self.turns.insert(self.turn, second);
        if let Some(known) = self.newest.get_mut(&second) {
            self.turns.remove(&known.turn);
            known.turn = self.turn;
        }
        if self.turns.len() > SECONDS_MAX
            && let Some((_, left)) = self.turns.pop_first()
        {
            self.newest.remove(&left);
        }
    }
}

impl Places {
    pub(super) fn new(step: i64, lane: u128) -> Self {
        Self {
            step: step.max(1),
            lane,
            seconds: Mutex::default(),
        }
    }

    /// The first of `step` places that nobody else has in this process: after all older ones of the
    /// same or an earlier second. Clocks tick in seconds, so each process starts every second at a
    /// random place; where two meet all the same, the database refuses one row and its writer
    /// decides again. Seconds need not come in order: test clocks have their own.
    pub(super) fn next(&self, now: Timestamp) -> i64 {
        let second = now.0.saturating_mul(MICROS);
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.turn_to(now.0);
        let turn = seconds.turn;
        let place = match seconds.newest.get(&now.0) {
            Some(newest) => newest.place.saturating_add(self.step),
            None => {
                // A second in which very much was written runs over into the next one.
                let before = seconds.newest.get(&now.0.saturating_sub(1));
                let over = before.filter(|before| before.place >= second);
                match over {
                    Some(over) => over.place.saturating_add(self.step),
                    None => second.saturating_add(self.first(now, turn)),
                }
            }
        };
        seconds.newest.insert(now.0, Newest { place, turn });
        place
    }

    /// Where a second begins. A forgotten one begins elsewhere when it comes back.
    fn first(&self, now: Timestamp, turn: u64) -> i64 {
        let steps = (MICROS / self.step).max(1).unsigned_abs();
        let seed = self.lane ^ u128::from(now.0.unsigned_abs()) ^ (u128::from(turn) << 40);
        let place = SeededEntropy::new(seed).bits() % u128::from(steps);
        i64::try_from(place).unwrap_or(0).saturating_mul(self.step)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW: i64 = 1_795_000_000;

    /// A process that has lived through many test clocks must still write many rows in one second.
    #[test]
    fn a_second_among_many_later_ones_has_a_place_for_each_row() {
        for step in [1, 64] {
            let places = Places::new(step, 7);
            let mut taken = BTreeSet::new();
            let mut newest = i64::MIN;
            for later in 0..70_000 {
                assert!(taken.insert(places.next(Timestamp(NOW + 1 + later * 86_400))));
                if later % 7 == 0 {
                    let place = places.next(Timestamp(NOW));
                    assert!(place > newest, "the order of one second is kept");
                    assert!(taken.insert(place));
                    newest = place;
                }
            }
            let seconds = places.seconds.lock().unwrap();
            assert!(seconds.newest.len() <= SECONDS_MAX);
            assert_eq!(seconds.newest.len(), seconds.turns.len());
        }
    }

    /// A second that was left so long ago that it is forgotten begins anew, elsewhere.
    #[test]
    fn a_forgotten_second_begins_elsewhere() {
        let places = Places::new(1, 7);
        let before = [places.next(Timestamp(NOW)), places.next(Timestamp(NOW))];
        for later in 0..70_000 {
            places.next(Timestamp(NOW + 60 + later));
        }
        let after = [places.next(Timestamp(NOW)), places.next(Timestamp(NOW))];
        assert!(after.iter().all(|place| !before.contains(place)));
    }
}
