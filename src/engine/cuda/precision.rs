//! In which arithmetic products are computed.

use super::{CudaError, DeviceInfo};
use crate::engine::ARITHMETIC;
use crate::engine::rounding::{Limits, convolutions_before, has_next_better};
use crate::network::{LayerId, Network};

/// The operands of products. Sums are 32 bits in each, and so are baseline activations: how a
/// delta is rectified depends on them.
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
    /// longest way from the pixels ([`has_next_better`]).
    pub(super) const fn behind(self, convolutions: usize) -> Self {
        match self {
            Self::Tf32 | Self::Fp16 if has_next_better(convolutions, false) => Self::Fp32,
            Self::Bf16 if has_next_better(convolutions, true) => Self::Tf32,
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
    /// Of operands: `Limits::behind`. Sums have 32 bits; tensor cores may cut off instead of rounding, so each
    /// step of eight words loses up to an ulp, always to the same side: `DRIFT` a layer, which adds
    /// up linearly.
    ///
    /// In 32 bits the limits are the project's promise, at any depth.
    pub fn limits(self, convolutions: usize) -> Limits {
        let rounded = (0..convolutions).map(|before| self.behind(before));
        let rounded = rounded.filter(|&operands| operands != Self::Fp32);
        Limits::behind(rounded.map(Self::roundoff), DRIFT)
    }

    /// The same of a layer of a network.
    pub fn limits_of(self, network: &Network, layer: LayerId) -> Limits {
        self.limits(convolutions_before(network)[layer.0])
    }
}

/// What a sum loses by cutting off, as a part of it: an ulp at each step of eight words, of which the
/// longest sums of the presets, over 512 channels and 3 × 3 taps, have 576 in tf32.
const DRIFT: f64 = 576.0 / (1 << 23) as f64;

#[cfg(test)]
mod tests {
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
}
