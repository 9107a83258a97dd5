//! Functions of 64-bit numbers without branches, on some numbers at a time, so that compilers turn
//! them into vectors; the same bits on every processor.
#![allow(clippy::inline_always, reason = "only what is inlined gets the caller's vectors")]

use std::f64::consts::LOG2_E;

/// How many numbers are worked on together: enough chains of operations to keep a core busy, few
/// enough to stay in its registers.
pub const LANES: usize = 16;

/// Numbers that are worked on together.
pub type Lanes = [f64; LANES];

/// 1.5 * 2^52: what is added to it is rounded to an integer, in the last bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// The part of `ln 2` whose products with exponents are exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;

/// The rest of it.
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1 / k!, from the highest power that matters on down.
const TAYLOR: [f64; 12] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
];

/// One function of each number.
#[inline(always)]
pub(super) fn each(x: Lanes, function: impl Fn(f64) -> f64) -> Lanes {
    let mut result = [0.0; LANES];
    for (result, x) in result.iter_mut().zip(x) {
        *result = function(x);
    }
    result
}

/// One function of each pair of numbers.
#[inline(always)]
pub(super) fn pairs(x: Lanes, y: Lanes, function: impl Fn(f64, f64) -> f64) -> Lanes {
    let mut result = [0.0; LANES];
    for (result, (x, y)) in result.iter_mut().zip(x.into_iter().zip(y)) {
        *result = function(x, y);
    }
    result
}

/// `min(max(x, low), high)`; a NaN stays one.
#[inline(always)]
pub(super) fn clip(x: f64, low: f64, high: f64) -> f64 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// The exponential, to a few units in the last digit; beyond ±700 that of ±700.
#[inline(always)]
pub(super) fn exp(x: Lanes) -> Lanes {
    let x = each(x, |x| clip(x, -700.0, 700.0));
    let rounded = each(x, |x| x * LOG2_E + ROUNDING);
    let rest = pairs(x, rounded, |x, rounded| {
        let power = rounded - ROUNDING;
        x - power * LN_2_HIGH - power * LN_2_LOW
    });
    let mut sum = [TAYLOR[0]; LANES];
    for factor in TAYLOR[1..].iter().copied().chain([1.0, 1.0]) {
        sum = pairs(sum, rest, |sum, rest| sum * rest + factor);
    }
    pairs(sum, rounded, |mantissa, rounded| {
        let exponent = rounded.to_bits().wrapping_sub(ROUNDING.to_bits()).wrapping_add(1023);
        mantissa * f64::from_bits(exponent << 52)
    })
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn sigmoid(x: Lanes) -> Lanes {
    each(exp(each(x, |x| -x)), |small| 1.0 / (1.0 + small))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: Lanes) -> Lanes {
    let small = exp(each(x, |x| -2.0 * x.abs()));
    pairs(small, x, |small, x| ((1.0 - small) / (1.0 + small)).copysign(x))
}

/// `ln(erfc(z) exp(z²) / t)` with `t = 2 / (2 + z)`, as a series of Chebyshev polynomials of
/// `2t - 1`: computed with 40 digits for this program.
const ERROR_SERIES: [f64; 28] = [
    -1.302_653_719_781_709_4,
    0.641_969_792_356_490_2,
    0.019_476_473_204_185_836,
    -0.009_561_514_786_808_632,
    -0.000_946_595_344_482_036_9,
    0.000_366_839_497_852_761_45,
    4.252_332_480_690_777e-5,
    -2.027_857_811_253_424_2e-5,
    -1.624_290_004_647_025_6e-6,
    1.303_655_835_580_523_2e-6,
    1.562_644_172_206_614_2e-8,
    -8.523_809_591_492_654e-8,
    6.529_054_439_098_851_5e-9,
    5.059_343_495_551_469e-9,
    -9.913_641_564_930_33e-10,
    -2.273_651_222_931_836e-10,
    9.646_791_102_015_527e-11,
    2.394_038_083_039_114_6e-12,
    -6.886_027_526_497_553e-12,
    8.944_879_273_090_725e-13,
    3.130_921_399_342_958e-13,
    -1.127_082_236_136_725_2e-13,
    3.810_905_255_189_232e-16,
    7.106_097_613_609_237e-15,
    -1.523_028_201_457_104_3e-15,
    -9.457_494_571_291_233e-17,
    1.210_237_189_224_279e-16,
    -2.816_663_087_747_177e-17,
];

/// The error function.
#[inline(always)]
pub(super) fn erf(x: Lanes) -> Lanes {
    let ratio = each(x, |x| 2.0 / (2.0 + x.abs()));
    let argument = each(ratio, |ratio| 4.0 * ratio - 2.0);
    let (mut one, mut other) = ([0.0; LANES], [0.0; LANES]);
    for &factor in ERROR_SERIES[1..].iter().rev() {
        let next = pairs(pairs(argument, one, |argument, one| argument * one), other, |a, b| {
            a - b + factor
        });
        (one, other) = (next, one);
    }
    let series = pairs(
        pairs(argument, one, |argument, one| 0.5 * (argument * one + ERROR_SERIES[0])),
        other,
        |a, b| a - b,
    );
    let small = exp(pairs(series, x, |series, x| series - x * x));
    pairs(pairs(ratio, small, |ratio, small| 1.0 - ratio * small), x, f64::copysign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(function: impl Fn(Lanes) -> Lanes, x: f64) -> f64 {
        function([x; LANES])[LANES - 1]
    }

    #[test]
    fn the_exponential_is_the_libraries_to_the_last_places() {
        for step in -70_000..=70_000 {
            let x = f64::from(step) * 0.01;
            assert!((at(exp, x) / x.exp() - 1.0).abs() < 1e-15, "{x}");
        }
        assert_eq!(at(exp, 0.0), 1.0);
        assert!(at(exp, f64::NEG_INFINITY) < 1e-300 && at(exp, f64::INFINITY) > 1e300);
        assert!(at(exp, f64::NAN).is_nan());
    }

    #[test]
    fn sigmoid_and_tangent_are_those_of_the_library() {
        for step in -4_000..=4_000 {
            let x = f64::from(step) * 0.01;
            assert!((at(tanh, x) - x.tanh()).abs() < 4e-16, "{x}");
            assert!((at(sigmoid, x) - 1.0 / (1.0 + (-x).exp())).abs() < 4e-16, "{x}");
        }
        assert!(at(tanh, f64::NAN).is_nan() && at(sigmoid, f64::NAN).is_nan());
        assert_eq!(
            (at(sigmoid, f64::NEG_INFINITY) < 1e-300, at(sigmoid, f64::INFINITY)),
            (true, 1.0)
        );
    }

    #[test]
    fn the_error_function_has_its_known_values() {
        // By mpmath, with 40 digits.
        for (x, expected) in [
            (0.0, 0.0),
            (1e-3, 0.001_128_378_790_969_236_5),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.5, 0.999_593_047_982_555),
            (6.0, 1.0),
            (40.0, 1.0),
        ] {
            assert!((at(erf, x) - expected).abs() < 4e-16, "{x}: {}", at(erf, x));
            assert!((at(erf, -x) + expected).abs() < 4e-16, "{x}: {}", at(erf, -x));
        }
        assert!(at(erf, f64::NAN).is_nan());
    }
}
