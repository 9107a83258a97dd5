//! In which arithmetic products are computed.

use crate::engine::rounding::{Limits, convolutions_before, has_next_better};
use crate::network::{LayerId, Network};

/// The operands of deltas' products. Sums have 32 bits in each, and so have baselines and single units' filters; so
/// has all of a convolution whose groups have fewer than 8 channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    #[default]
    Fp32,
    /// Each operand as two of 16 bits, 16 of them mantissa together, and three products.
    Bf16x3,
    /// 16 bits, 7 of them mantissa.
    Bf16,
}

impl Precision {
    /// In which precision a convolution multiplies that has so many convolutions before it, on the
    /// longest way from the pixels ([`has_next_better`]): three products are too many for every other one.
    pub(super) const fn behind(self, convolutions: usize) -> Self {
        match self {
            Self::Bf16x3 if has_next_better(convolutions, false) => Self::Fp32,
            Self::Bf16 if has_next_better(convolutions, false) => Self::Bf16x3,
            _ => self,
        }
    }

    /// The rounding errors that the maps of a layer may have behind so many convolutions, on the longest
    /// way from the pixels ([`convolutions_before`]).
    ///
    /// Of operands: `Limits::behind`. Sums are rounded to nearest. In 32 bits the limits are the project's
    /// promise, at any depth.
    pub fn limits(self, convolutions: usize) -> Limits {
        let roundoff = |before| match self.behind(before) {
            Self::Fp32 => None,
            // Half an ulp of the second part, where that is largest; the product of second parts, which is
            // left out, is as small.
            Self::Bf16x3 => Some(1.0 / f64::from(1 << 17)),
            Self::Bf16 => Some(1.0 / f64::from(1 << 8)),
        };
        Limits::behind((0..convolutions).filter_map(roundoff), 0.0)
    }

    /// The same of a layer of a network.
    pub fn limits_of(self, network: &Network, layer: LayerId) -> Limits {
        self.limits(convolutions_before(network)[layer.0])
    }
}

#[cfg(test)]
mod tests {
    use super::Precision::{Bf16, Bf16x3, Fp32};
    use super::*;

    #[test]
    fn some_convolutions_are_in_the_next_better_precision() {
        let network = Network::preset("alexnet").unwrap();
        let before = convolutions_before(&network);
        let of = |asked: Precision| -> Vec<Precision> {
            network.convolutions().map(|(id, _)| asked.behind(before[id.0])).collect()
        };
        assert_eq!(of(Fp32), [Fp32; 5]);
        assert_eq!(of(Bf16x3), [Fp32, Bf16x3, Bf16x3, Bf16x3, Bf16x3]);
        assert_eq!(of(Bf16), [Bf16x3, Bf16, Bf16, Bf16, Bf16]);
    }

    /// Two significant digits, as documents quote them.
    #[test]
    fn limits_grow_with_the_root_of_the_number_of_rounded_layers() {
        let of = |precision: Precision| {
            let network = Network::preset("alexnet").unwrap();
            let layers = network.convolutions().map(|(id, _)| id);
            let limits = layers.map(|id| precision.limits_of(&network, id));
            limits.map(|l| format!("{:.1e} {:.1e}", l.largest, l.rms)).collect::<Vec<_>>()
        };
        assert_eq!(of(Fp32), ["1.0e-5 5.0e-6"; 5]);
        let bf16x3 =
            ["1.0e-5 5.0e-6", "1.0e-5 5.0e-6", "2.7e-5 1.8e-5", "3.9e-5 2.6e-5", "4.8e-5 3.2e-5"];
        assert_eq!(of(Bf16x3), bf16x3);
        let bf16 =
            ["1.0e-5 5.0e-6", "2.7e-5 1.8e-5", "1.4e-2 9.4e-3", "2.0e-2 1.3e-2", "2.4e-2 1.6e-2"];
        assert_eq!(of(Bf16), bf16);
    }
}
