//! The time and the ids, as parameters: nothing else in the server reads a clock or a random source.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use perennial::calendar::Timestamp;
use perennial::id::Randomness;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// UTC seconds since 1970.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everybody asks"
        )]
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(
            since
                .ok()
                .and_then(|d| i64::try_from(d.as_secs()).ok())
                .unwrap_or(0),
        )
    }
}

/// A clock that stands still until it is moved: for tests, and for demo data that the engine makes
/// by living through a year.
#[derive(Debug)]
pub struct MovingClock(AtomicI64);

impl MovingClock {
    /// Stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(start.0)))
    }

    /// Moves to `to`; never back.
    pub fn advance_to(&self, to: Timestamp) {
        self.0.fetch_max(to.0, Ordering::SeqCst);
    }

    /// Stands at `to`, also where that is earlier: as a machine's clock that somebody set.
    #[cfg(test)]
    pub(crate) fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for MovingClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A source of ids and keys that may be shared.
pub trait Entropy: Send + Sync {
    /// 128 bits that nobody can guess.
    fn bits(&self) -> u128;
}

/// The operating system's random source.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bits(&self) -> u128 {
        let mut bytes = [0_u8; 16];
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the source that everybody asks"
        )]
        let filled = getrandom::fill(&mut bytes);
        if let Err(error) = filled {
            // Guessable ids would be worse than none: every link and key is made of them.
            tracing::error!(%error, "the operating system gives no random bytes");
            std::process::abort();
        }
        u128::from_le_bytes(bytes)
    }
}

/// A repeatable source for tests and demo data.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u128>);

impl SeededEntropy {
    /// The same seed gives the same ids.
    #[must_use]
    pub fn new(seed: u128) -> Arc<Self> {
        Arc::new(Self(Mutex::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn bits(&self) -> u128 {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // splitmix64, twice: spreads a counter over all bits.
        let mut half = || {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = u64::try_from(*state & u128::from(u64::MAX)).unwrap_or_default();
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            u128::from(z ^ (z >> 31))
        };
        (half() << 64) | half()
    }
}

/// Random bits of an id below those that order it.
const RANDOM_BITS: u32 = 80;
/// Steps of the order within a second.
const STEP_BITS: u32 = 14;
/// Ids in one step.
const IDS_PER_STEP: u64 = 32;

/// Mints ids that grow with time: 48 bits that order them, 80 that nobody can guess. New rows then
/// stand side by side in an index, where random ids would each change a page of their own. Keys and
/// links must not come from here.
pub struct Ordered {
    source: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    minted: AtomicU64,
}

impl Ordered {
    /// Takes the random part from `source`.
    #[must_use]
    pub fn new(source: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            minted: AtomicU64::new(0),
        }
    }
}

impl Entropy for Ordered {
    fn bits(&self) -> u128 {
        let second = u64::try_from(self.clock.now().0).unwrap_or(0);
        let floor = (second << STEP_BITS).saturating_mul(IDS_PER_STEP);
        let (mut place, order) = (floor, Ordering::Relaxed);
        // Never back, also when the clock goes back.
        let _ = self.minted.fetch_update(order, order, |minted| {
            place = minted.saturating_add(1).max(floor);
            Some(place)
        });
        let step = u128::from(place / IDS_PER_STEP);
        let random = self.source.bits() & ((1 << RANDOM_BITS) - 1);
        (step << RANDOM_BITS) | random
    }
}

/// Lends a shared source to the domain's id constructors.
pub struct Ids<'a>(pub &'a dyn Entropy);

impl Randomness for Ids<'_> {
    fn bits(&mut self) -> u128 {
        self.0.bits()
    }
}

#[cfg(test)]
mod tests {
    use perennial::id::EventId;

    use super::*;

    #[test]
    fn ids_grow_with_time_and_repeat_with_their_seed() {
        let mint = |seed| {
            let clock = MovingClock::new(Timestamp(1_769_853_600));
            let ordered = Ordered::new(SeededEntropy::new(seed), clock.clone());
            let mut ids = Vec::new();
            for moment in [1_769_853_600, 1_769_853_601, 1_769_853_599, 4_102_444_800] {
                clock.advance_to(Timestamp(moment));
                ids.extend((0..100).map(|_| String::from(EventId::new(&mut Ids(&ordered)))));
            }
            ids
        };
        let ids = mint(7);
        assert_eq!(ids, mint(7));
        assert_ne!(ids, mint(8));
        // Those of one step are not ordered among each other.
        let step = usize::try_from(IDS_PER_STEP).unwrap();
        for pair in ids.windows(step + 1) {
            assert!(pair.first() < pair.last(), "{pair:?}");
        }
    }
}
