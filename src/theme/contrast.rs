//! Contrast as WCAG 2.2 defines it, in whole numbers.

use super::Rgb;

/// Text: 4.5 to 1.
pub const TEXT_HUNDREDTHS: u64 = 450;
/// Controls, focus rings, large text: 3 to 1.
pub const CONTROL_HUNDREDTHS: u64 = 300;

/// The linear light of an sRGB channel, in millionths.
const LINEAR: [u64; 256] = [
    0, 304, 607, 911, 1_214, 1_518, 1_821, 2_125, 2_428, 2_732, 3_035, 3_347, 3_677, 4_025, 4_391,
    4_777, 5_182, 5_605, 6_049, 6_512, 6_995, 7_499, 8_023, 8_568, 9_134, 9_721, 10_330, 10_960,
    11_612, 12_286, 12_983, 13_702, 14_444, 15_209, 15_996, 16_807, 17_642, 18_500, 19_382, 20_289,
    21_219, 22_174, 23_153, 24_158, 25_187, 26_241, 27_321, 28_426, 29_557, 30_713, 31_896, 33_105,
    34_340, 35_601, 36_889, 38_204, 39_546, 40_915, 42_311, 43_735, 45_186, 46_665, 48_172, 49_707,
    51_269, 52_861, 54_480, 56_128, 57_805, 59_511, 61_246, 63_010, 64_803, 66_626, 68_478, 70_360,
    72_272, 74_214, 76_185, 78_187, 80_220, 82_283, 84_376, 86_500, 88_656, 90_842, 93_059, 95_307,
    97_587, 99_899, 102_242, 104_616, 107_023, 109_462, 111_932, 114_435, 116_971, 119_538,
    122_139, 124_772, 127_438, 130_136, 132_868, 135_633, 138_432, 141_263, 144_128, 147_027,
    149_960, 152_926, 155_926, 158_961, 162_029, 165_132, 168_269, 171_441, 174_647, 177_888,
    181_164, 184_475, 187_821, 191_202, 194_618, 198_069, 201_556, 205_079, 208_637, 212_231,
    215_861, 219_526, 223_228, 226_966, 230_740, 234_551, 238_398, 242_281, 246_201, 250_158,
    254_152, 258_183, 262_251, 266_356, 270_498, 274_677, 278_894, 283_149, 287_441, 291_771,
    296_138, 300_544, 304_987, 309_469, 313_989, 318_547, 323_143, 327_778, 332_452, 337_164,
    341_914, 346_704, 351_533, 356_400, 361_307, 366_253, 371_238, 376_262, 381_326, 386_429,
    391_572, 396_755, 401_978, 407_240, 412_543, 417_885, 423_268, 428_690, 434_154, 439_657,
    445_201, 450_786, 456_411, 462_077, 467_784, 473_531, 479_320, 485_150, 491_021, 496_933,
    502_886, 508_881, 514_918, 520_996, 527_115, 533_276, 539_479, 545_724, 552_011, 558_340,
    564_712, 571_125, 577_580, 584_078, 590_619, 597_202, 603_827, 610_496, 617_207, 623_960,
    630_757, 637_597, 644_480, 651_406, 658_375, 665_387, 672_443, 679_542, 686_685, 693_872,
    701_102, 708_376, 715_694, 723_055, 730_461, 737_910, 745_404, 752_942, 760_525, 768_151,
    775_822, 783_538, 791_298, 799_103, 806_952, 814_847, 822_786, 830_770, 838_799, 846_873,
    854_993, 863_157, 871_367, 879_622, 887_923, 896_269, 904_661, 913_099, 921_582, 930_111,
    938_686, 947_307, 955_973, 964_686, 973_445, 982_251, 991_102, 1_000_000,
];

/// WCAG's 0.05 of stray light, in the unit of [`luminance`].
const STRAY: u64 = 500_000_000;

impl Rgb {
    /// Relative luminance: 0 for black, 10^10 for white.
    #[must_use]
    pub fn luminance(self) -> u64 {
        let linear = |channel: u8| {
            LINEAR
                .get(usize::from(channel))
                .copied()
                .unwrap_or_default()
        };
        2_126 * linear(self.0) + 7_152 * linear(self.1) + 722 * linear(self.2)
    }

    /// The contrast with another colour in hundredths, rounded down: 100 (the same) to 2100.
    #[must_use]
    pub fn contrast_hundredths(self, other: Self) -> u64 {
        let (own, others) = (self.luminance(), other.luminance());
        let (light, dark) = (own.max(others), own.min(others));
        (light + STRAY) * 100 / (dark + STRAY)
    }

    /// `percent` of `self`, the rest `other`: 100 is `self`, 0 is `other`.
    #[must_use]
    pub fn mixed(self, percent: u8, other: Self) -> Self {
        let share = u16::from(percent.min(100));
        let channel = |own: u8, others: u8| {
            let sum = u16::from(own) * share + u16::from(others) * (100 - share);
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self(
            channel(self.0, other.0),
            channel(self.1, other.1),
            channel(self.2, other.2),
        )
    }

    /// Whether it stands out from all of `grounds` by `hundredths`.
    #[must_use]
    pub fn stands_out(self, grounds: &[Self], hundredths: u64) -> bool {
        grounds
            .iter()
            .all(|ground| self.contrast_hundredths(*ground) >= hundredths)
    }

    /// The nearest colour to `self` on the way to `toward` that stands out from all of `grounds`;
    /// `toward` itself if none before it does.
    #[must_use]
    pub fn until_it_stands_out(self, toward: Self, grounds: &[Self], hundredths: u64) -> Self {
        let steps = (0..=100).rev().map(|percent| self.mixed(percent, toward));
        let mut fitting = steps.filter(|colour| colour.stands_out(grounds, hundredths));
        fitting.next().unwrap_or(toward)
    }

    /// The colour for text on `self`: white where that is readable, else a soft black, else black.
    /// One of them always reaches 4.5 to 1.
    #[must_use]
    pub fn readable_on(self) -> Self {
        let fits = |text: &Self| text.contrast_hundredths(self) >= TEXT_HUNDREDTHS;
        [Self::WHITE, Self::SOFT_BLACK]
            .into_iter()
            .find(fits)
            .unwrap_or(Self::BLACK)
    }
}
