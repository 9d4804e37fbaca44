//! Odds in whole numbers: natural logarithms in thousandths, chances in millionths.

/// A chance of one, in millionths.
pub(super) const ONE_PPM: i64 = 1_000_000;

/// `ln(1 + i/16)` in thousandths.
const LN_SIXTEENTHS: [i64; 17] = [
    0, 61, 118, 172, 223, 272, 318, 363, 405, 446, 486, 523, 560, 595, 629, 661, 693,
];

/// The natural logarithm of a positive number, in thousandths, to within two of them. 0 counts as 1.
pub(super) fn ln_milli(n: u64) -> i64 {
    let n = n.max(1);
    let whole = n.ilog2();
    // The part behind the leading one, in 1/16384.
    let rest = match whole {
        0..=14 => (n << (14 - whole)) & 0x3fff,
        _ => (n >> (whole - 14)) & 0x3fff,
    };
    let index = usize::try_from(rest >> 10).unwrap_or(0);
    let part = i64::try_from(rest & 0x3ff).unwrap_or(0);
    let low = LN_SIXTEENTHS.get(index).copied().unwrap_or(0);
    let high = LN_SIXTEENTHS.get(index + 1).copied().unwrap_or(low);
    i64::from(whole) * 693_147 / 1_000 + low + (high - low) * part / 1_024
}

/// `1 / (1 + e^-x)` for x = -8, -7.5, … 8, in millionths.
const LOGISTIC: [i64; 33] = [
    335, 553, 911, 1_501, 2_473, 4_070, 6_693, 10_987, 17_986, 29_312, 47_426, 75_858, 119_203,
    182_426, 268_941, 377_541, 500_000, 622_459, 731_059, 817_574, 880_797, 924_142, 952_574,
    970_688, 982_014, 989_013, 993_307, 995_930, 997_527, 998_499, 999_089, 999_447, 999_665,
];

/// The chance that belongs to log odds in thousandths.
pub(super) fn chance_ppm(log_odds_milli: i64) -> i64 {
    let x = log_odds_milli.clamp(-8_000, 7_999) + 8_000;
    let index = usize::try_from(x / 500).unwrap_or(0);
    let low = LOGISTIC.get(index).copied().unwrap_or(0);
    let high = LOGISTIC.get(index + 1).copied().unwrap_or(low);
    low + (high - low) * (x % 500) / 500
}

#[cfg(test)]
mod tests {
    //! Against numbers from a table of logarithms.
    use super::*;

    #[test]
    fn logarithms() {
        for (n, wanted) in [
            (0, 0),
            (1, 0),
            (2, 693),
            (3, 1_099),
            (10, 2_303),
            (1_000, 6_908),
            (123_456, 11_724),
            (u64::MAX, 44_361),
        ] {
            assert!((ln_milli(n) - wanted).abs() <= 3, "{n}: {}", ln_milli(n));
        }
    }

    #[test]
    fn chances() {
        for (x, wanted) in [
            (0, 500_000),
            (1_000, 731_059),
            (-1_000, 268_941),
            (-2_250, 97_530),
            (100_000, 999_665),
            (i64::MIN, 335),
        ] {
            assert!((chance_ppm(x) - wanted).abs() <= 4_000, "{x}");
        }
        let all: Vec<i64> = (-9_000..9_000).map(chance_ppm).collect();
        assert!(all.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
