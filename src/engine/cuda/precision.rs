//! In which arithmetic products are computed.

use super::{CudaError, DeviceInfo};
use crate::engine::ARITHMETIC;
use crate::network::{Input, LayerId, Network, Op};

/// The operands of products. Sums are 32 bits in each, and so are original activations: how a
/// change is rectified depends on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    #[default]
    Fp32,
    /// 19 bits, 10 of them mantissa, on tensor cores.
    Tf32,
    /// 16 bits, 10 of them mantissa, on tensor cores: rounded as in tf32, in half the memory. Operands are
    /// scaled, since the other 5 bits reach no further than from 6e-8 to 65504; beyond, a response is no
    /// number. Convolutions whose groups have no multiple of 16 channels multiply in tf32.
    Fp16,
    /// 16 bits, 7 of them mantissa, on tensor cores. Every other convolution, and those whose groups
    /// have no multiple of 16 channels, multiply in tf32.
    Bf16,
}

impl Precision {
    /// Whether devices of this compute capability, major and minor, have it.
    pub fn is_on(self, (major, _): (i32, i32)) -> bool {
        self == Self::Fp32 || major >= 8
    }

    /// Checks that a device has it.
    ///
    /// # Errors
    /// [`CudaError::Precision`].
    pub fn check_on(self, device: &DeviceInfo) -> Result<(), CudaError> {
        if self.is_on(device.capability) {
            return Ok(());
        }
        Err(CudaError::Precision { device: device.to_string(), capability: device.capability })
    }

    /// In which precision a convolution multiplies that has so many convolutions before it, on the
    /// longest way from the pixels.
    ///
    /// The first has the next better one: its sums are short, so that rounding does not average out,
    /// all layers behind it inherit what it rounds, and it has a thirtieth of the products of AlexNet's
    /// conv5. With bf16 so has every other behind it: what each rounds adds up, and with all of them in
    /// bf16 one of AlexNet's goldens is off by more than a hundredth of its largest value
    /// (`docs/design/precision.md`).
    pub(super) const fn behind(self, convolutions: usize) -> Self {
        match self {
            Self::Tf32 | Self::Fp16 if convolutions == 0 => Self::Fp32,
            Self::Bf16 if convolutions.is_multiple_of(2) => Self::Tf32,
            _ => self,
        }
    }

    /// In what responses are too large that are no numbers, and what to take instead, if there is something.
    pub(super) const fn arithmetic(self) -> &'static str {
        match self {
            Self::Fp16 => "fp16, where tf32 or bf16 might do",
            // They reach as far as fp32.
            Self::Fp32 | Self::Tf32 | Self::Bf16 => ARITHMETIC,
        }
    }

    /// The unit roundoff of operands: half the distance of 1 from the next number.
    const fn roundoff(self) -> f64 {
        match self {
            Self::Fp32 => 1.0 / (1 << 24) as f64,
            Self::Tf32 | Self::Fp16 => 1.0 / (1 << 11) as f64,
            Self::Bf16 => 1.0 / (1 << 8) as f64,
        }
    }

    /// The rounding errors that the maps of a layer may have behind so many convolutions, on the longest
    /// way from the pixels ([`convolutions_before`]).
    ///
    /// *One layer.* Rounding to nearest errs by a uniform part of a last place. Of operands whose
    /// mantissas are distributed as those of products are, evenly on a logarithmic scale, that is
    /// `u / √(8 ln 2)` of the operand in the root mean square, `u` being the unit roundoff; of a product
    /// of two `u / √(4 ln 2)`, 0.6 `u`; and of a sum of products with independent errors the same part of
    /// the root of the sum of their squares, which is the usual size of a sum of terms of either sign.
    ///
    /// *Several.* Errors of layers are independent, and neither ReLU nor pooling enlarges them: their
    /// squares add up. The response itself is computed in 32 bits.
    ///
    /// *Sums.* They have 32 bits. Tensor cores may cut off instead of rounding, so each step of eight
    /// words loses up to a last place, always to the same side: `DRIFT` a layer, which adds up linearly.
    ///
    /// *Margins.* A map's largest difference is one of a few hundred, each with an error of its own, and
    /// may itself have come out small by cancellation: `PEAK` times the root mean square. The root mean
    /// square of a map's errors varies less: `SPREAD` times, as a part of that of its differences.
    ///
    /// In 32 bits the limits are the project's promise, at any depth.
    pub fn limits(self, convolutions: usize) -> Limits {
        if self == Self::Fp32 {
            return Limits::FP32;
        }
        let (mut squares, mut drift) = (0.0, 0.0);
        for before in 0..convolutions {
            let operands = self.behind(before);
            if operands != Self::Fp32 {
                squares += operands.roundoff().powi(2) / (4.0 * std::f64::consts::LN_2);
                drift += DRIFT;
            }
        }
        let rounding = squares.sqrt();
        Limits {
            largest: (PEAK * rounding + drift).max(Limits::FP32.largest),
            rms: (SPREAD * rounding + drift).max(Limits::FP32.rms),
        }
    }

    /// The same of a layer of a network.
    pub fn limits_of(self, network: &Network, layer: LayerId) -> Limits {
        self.limits(convolutions_before(network)[layer.0])
    }
}

/// The largest error as a multiple of the expected root mean square: of a million normal errors none is
/// beyond five times that, and the sixth is for a map whose largest difference came out small.
const PEAK: f64 = 6.0;
/// The root mean square of a map's errors as a multiple of the expected one: differences that are sums of few
/// products come out at half of the usual size of such sums, or less, by cancellation.
const SPREAD: f64 = 4.0;
/// What a sum loses by cutting off, as a part of it: a last place at each step of eight words, of which the
/// longest sums of the presets, over 512 channels and 3 × 3 taps, have 576 in tf32.
const DRIFT: f64 = 576.0 / (1 << 23) as f64;

/// Rounding errors of a map that are allowed. Beyond, the engine is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The largest error of a difference, as a part of the largest difference of its map.
    pub largest: f64,
    /// The root mean square of all errors of a map, as a part of that of its differences.
    pub rms: f64,
}

impl Limits {
    /// Of 32-bit arithmetic, whichever engine.
    pub const FP32: Self = Self { largest: 1e-5, rms: 5e-6 };
}

/// The number of convolutions before each layer, on the longest way from the pixels.
pub fn convolutions_before(network: &Network) -> Vec<usize> {
    let mut before: Vec<usize> = Vec::new();
    for layer in network.layers() {
        let through = |input: &Input| match *input {
            Input::Image => 0,
            Input::Layer(id) => {
                before[id.0] + usize::from(matches!(network.layer(id).op, Op::Conv(_)))
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

    /// Two significant digits, as documents quote them.
    #[test]
    fn limits_grow_with_the_root_of_the_number_of_rounded_layers() {
        let of = |precision: Precision| {
            let network = Network::preset("alexnet").unwrap();
            let layers = network.convolutions().map(|(id, _)| id);
            let limits = layers.map(|id| precision.limits_of(&network, id));
            limits.map(|l| format!("{:.1e} {:.1e}", l.largest, l.rms)).collect::<Vec<_>>()
        };
        assert_eq!(of(Precision::Fp32), ["1.0e-5 5.0e-6"; 5]);
        let tf32 =
            ["1.0e-5 5.0e-6", "1.0e-5 5.0e-6", "1.8e-3 1.2e-3", "2.6e-3 1.8e-3", "3.3e-3 2.2e-3"];
        assert_eq!(of(Precision::Tf32), tf32);
        assert_eq!(of(Precision::Fp16), tf32);
        let bf16 =
            ["1.0e-5 5.0e-6", "1.8e-3 1.2e-3", "1.4e-2 9.6e-3", "1.4e-2 9.7e-3", "2.0e-2 1.4e-2"];
        assert_eq!(of(Precision::Bf16), bf16);
    }

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
        for (name, precision) in [
            ("fp32", Precision::Fp32),
            ("tf32", Precision::Tf32),
            ("fp16", Precision::Fp16),
            ("bf16", Precision::Bf16),
        ] {
            for convolutions in 0..20 {
                let words: Vec<&str> = lines.next().unwrap().split(' ').collect();
                assert_eq!(words[..2], [name, &convolutions.to_string()]);
                let [largest, rms] = [2, 3].map(|word| words[word].parse::<f64>().unwrap());
                let limits = precision.limits(convolutions);
                assert!((largest / limits.largest - 1.0).abs() < 1e-12, "{words:?} {limits:?}");
                assert!((rms / limits.rms - 1.0).abs() < 1e-12, "{words:?} {limits:?}");
            }
        }
    }
}
