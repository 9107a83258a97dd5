//! In which arithmetic products are computed.

use super::{CudaError, DeviceInfo};
use crate::engine::ARITHMETIC;

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

    /// What is rounding in a difference, as a part of the largest difference of its map. Above, the
    /// engine is wrong: the other engines, which have 32 bits and more, are held to what 32 bits are.
    /// On tensor cores it is twice the most that is expected of the goldens' maps, which are few.
    pub const fn tolerance(self) -> f64 {
        match self {
            Self::Fp32 => 1e-5,
            Self::Tf32 | Self::Fp16 => 2e-3,
            Self::Bf16 => 2e-2,
        }
    }
}
