//! Numbers out of bytes; nothing once they are used up.

/// Bytes that are being read.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte, or 0.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// Any number: the first byte says how many bytes follow, so that small ones are as likely as large.
    pub fn number(&mut self) -> i64 {
        let length = self.byte() % 9;
        let mut number = 0_i64;
        for place in 0..length {
            let byte = i64::from(self.byte());
            number = if place == 0 && byte >= 128 {
                byte - 256
            } else {
                (number << 8) | byte
            };
        }
        number
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::from(self.byte()) % bound.max(1)
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1);
        low.saturating_add(self.number().rem_euclid(width))
    }
}
