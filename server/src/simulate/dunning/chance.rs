//! Repeatable chance in whole numbers.

/// A stream of numbers that one seed fixes (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

/// Mixes two numbers into one that looks unlike either.
#[must_use]
pub fn mix(one: u64, other: u64) -> u64 {
    let mut z = one
        .wrapping_add(other.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Chance {
    /// The same seed gives the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0, 0x5eed)
    }

    /// From 0 to `bound` - 1; 0 where there is nothing to choose from.
    pub fn below(&mut self, bound: i64) -> i64 {
        let bound = u64::try_from(bound).unwrap_or(0).max(1);
        // The remainder is below an i64.
        i64::try_from(self.next() % bound).unwrap_or(0)
    }

    /// From `low` to `high`, both possible.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True `permille` times of a thousand.
    pub fn happens(&mut self, permille: i64) -> bool {
        self.below(1_000) < permille
    }

    /// One of these, as often as its weight says.
    pub fn pick<T: Copy>(&mut self, weighted: &[(i64, T)]) -> Option<T> {
        let sum = weighted.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(sum);
        for (weight, value) in weighted {
            if left < *weight {
                return Some(*value);
            }
            left = left.saturating_sub(*weight);
        }
        None
    }

    /// How many tries until something with so many chances of a thousand happens, at most `most`:
    /// a waiting time without memory.
    pub fn wait(&mut self, permille: i64, most: i64) -> i64 {
        let mut waited = 0;
        while waited < most && !self.happens(permille) {
            waited = waited.saturating_add(1);
        }
        waited
    }
}
