//! Gaussian noise.

/// Coefficients near the median, of the numerator and the denominator, in rising powers.
const MIDDLE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_6,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_855,
    ],
];

/// Coefficients of the tails.
const TAIL: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];

/// The Gaussian quantile of the `number`-th of 2^24 equal parts of (0, 1), at its middle, with the
/// variance 1/3 of uniform noise on [-1, 1). At most 3.13 in size.
pub(super) fn gaussian(number: u32) -> f32 {
    const PARTS: f64 = 16_777_216.0;
    const DEVIATION: f64 = 0.577_350_269_189_625_8;
    (DEVIATION * quantile((f64::from(number) + 0.5) / PARTS)) as f32
}

/// The quantile of the standard normal distribution for `p` of 1.4e-11 to 1 - 1.4e-11, to 16 digits:
/// Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics
/// 37 (1988).
fn quantile(p: f64) -> f64 {
    let polynomial =
        |coefficients: &[f64; 8], x: f64| coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c);
    let ratio = |of: &[[f64; 8]; 2], x: f64| polynomial(&of[0], x) / polynomial(&of[1], x);
    let centred = p - 0.5;
    if centred.abs() <= 0.425 {
        return centred * ratio(&MIDDLE, 0.180_625 - centred * centred);
    }
    let distance = (-p.min(1.0 - p).ln()).sqrt() - 1.6;
    ratio(&TAIL, distance).copysign(centred)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        // SciPy's `scipy.special.ndtri`, to the digits that printed tables have in common with it.
        let known = [
            (0.5, 0.0),
            (0.075, -1.439_531_470_938_455_7),
            (0.25, -0.674_489_750_196_081_7),
            (0.9, 1.281_551_565_544_600_4),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813_5),
            (0.5 / 16_777_216.0, -5.419_983_174_916_869),
        ];
        for (p, expected) in known {
            assert!((quantile(p) - expected).abs() <= 4e-15 * expected.abs(), "{p}");
        }
    }

    #[test]
    fn the_lowest_and_the_highest_number_are_mirrored_and_within_the_bound() {
        let (lowest, highest) = (gaussian(0), gaussian((1 << 24) - 1));
        assert_eq!(lowest, -highest);
        assert!(
            (3.12..3.13).contains(&highest)
                && gaussian(1 << 23) > 0.0
                && gaussian((1 << 23) - 1) < 0.0
        );
    }
}
