//! Rounding errors that maps may have, whichever engine computes them in whichever precision.

use crate::network::{Input, Network};

/// Rounding errors of a map that are allowed. Beyond, the engine is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The largest error of a difference, as a part of the largest difference of its map.
    pub largest: f64,
    /// The root mean square of all errors of a map, as a part of that of its differences.
    pub rms: f64,
}

/// The largest error as a multiple of the expected root mean square: of a million normal errors none is
/// beyond five times that, and the sixth is for a map whose largest difference came out small.
const PEAK: f64 = 6.0;
/// The root mean square of a map's errors as a multiple of the expected one: differences that are sums of few
/// products come out at half of the usual size of such sums, or less, by cancellation.
const SPREAD: f64 = 4.0;

impl Limits {
    /// Of 32-bit arithmetic, whichever engine.
    pub const FP32: Self = Self { largest: 1e-5, rms: 5e-6 };

    /// Behind convolutions with these unit roundoffs of their operands: half the distance of 1 from the next
    /// number. Each loses `drift` of its sums beside.
    ///
    /// *One layer.* Rounding to nearest errs by a uniform part of an ulp. Of operands whose
    /// mantissas are distributed as those of products are, evenly on a logarithmic scale, that is
    /// `u / √(8 ln 2)` of the operand in the root mean square, `u` being the unit roundoff; of a product
    /// of two `u / √(4 ln 2)`, 0.6 `u`; and of a sum of products with independent errors the same part of
    /// the root of the sum of their squares, which is the usual size of a sum of terms of either sign.
    ///
    /// *Several.* Errors of layers are independent, and neither ReLU nor pooling enlarges them: their
    /// squares add up. The response itself is computed in 32 bits.
    ///
    /// *Margins.* A map's largest difference is one of a few hundred, each with an error of its own, and
    /// may itself have come out small by cancellation: `PEAK` times the root mean square. The root mean
    /// square of a map's errors varies less: `SPREAD` times, as a part of that of its differences.
    pub(super) fn behind(roundoffs: impl Iterator<Item = f64>, drift: f64) -> Self {
        let (mut squares, mut drifts) = (0.0, 0.0);
        for roundoff in roundoffs {
            squares += roundoff.powi(2) / (4.0 * std::f64::consts::LN_2);
            drifts += drift;
        }
        let rounding = squares.sqrt();
        Self {
            largest: (PEAK * rounding + drifts).max(Self::FP32.largest),
            rms: (SPREAD * rounding + drifts).max(Self::FP32.rms),
        }
    }
}

/// Whether a convolution that has so many before it, on the longest way from the pixels, multiplies in the next
/// better precision.
///
/// The first does: its sums are short, so that rounding does not average out, all layers behind it inherit
/// what it rounds, and it has a thirtieth of the products of AlexNet's conv5. Where the next better precision
/// costs little more, so does `every_other` behind it: what each rounds adds up, and with all of them in bf16
/// one of AlexNet's goldens is off by more than a hundredth of its largest value (`docs/design/precision.md`).
pub(super) const fn has_next_better(convolutions: usize, every_other: bool) -> bool {
    if every_other { convolutions.is_multiple_of(2) } else { convolutions == 0 }
}

/// The number of convolutions before each layer, on the longest way from the pixels.
pub fn convolutions_before(network: &Network) -> Vec<usize> {
    let mut before: Vec<usize> = Vec::new();
    for layer in network.layers() {
        let through = |input: &Input| match *input {
            Input::Image => 0,
            Input::Layer(id) => {
                before[id.0] + usize::from(network.layer(id).op.convolution().is_some())
            }
        };
        let most = layer.inputs.iter().map(through).max().unwrap_or(0);
        before.push(most);
    }
    before
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::engine::{cpu, cuda};

    /// The comparison with PyTorch, a Python program, has the same formula.
    #[test]
    #[allow(clippy::print_stdout, reason = "it tells that it was skipped")]
    fn the_comparison_with_pytorch_allows_the_same() {
        // Where the test program runs elsewhere (`scripts/gpu-pack`), the variable names its folder.
        let root = std::env::var("CARGO_MANIFEST_DIR");
        let root = root.unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let script = format!("{root}/benches/pytorch/limits.py");
        let Ok(output) = Command::new("python3").arg(script).output() else {
            println!("SKIPPED the_comparison_with_pytorch_allows_the_same: there is no python3");
            return;
        };
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines();
        let mut same = |names: &str, limits: &dyn Fn(usize) -> Limits| {
            for convolutions in 0..20 {
                let line = lines.next().unwrap();
                let numbers = line.strip_prefix(&format!("{names} {convolutions} ")).unwrap();
                let (largest, rms) = numbers.split_once(' ').unwrap();
                let limits = limits(convolutions);
                for (found, limit) in [(largest, limits.largest), (rms, limits.rms)] {
                    let ratio = found.parse::<f64>().unwrap() / limit;
                    assert!((ratio - 1.0).abs() < 1e-12, "{line}: {limits:?}");
                }
            }
        };
        for (names, precision) in [
            ("cpu fp32", cpu::Precision::Fp32),
            ("cpu bf16x3", cpu::Precision::Bf16x3),
            ("cpu bf16", cpu::Precision::Bf16),
        ] {
            same(names, &|convolutions| precision.limits(convolutions));
        }
        for (names, precision) in [
            ("cuda fp32", cuda::Precision::Fp32),
            ("cuda tf32", cuda::Precision::Tf32),
            ("cuda fp16", cuda::Precision::Fp16),
            ("cuda bf16", cuda::Precision::Bf16),
        ] {
            same(names, &|convolutions| precision.limits(convolutions));
        }
        assert_eq!(lines.next(), None);
    }
}
