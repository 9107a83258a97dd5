//! The stream of `torch.rand` on the CPU, replayed.

use rand_mt::Mt;

/// The values of `torch.rand` after `torch.manual_seed(seed)`, in order, each in [0, 1).
///
/// PyTorch's CPU generator is the Mersenne Twister MT19937 seeded by `init_genrand`; an `f32` is
/// the low 24 bits of one output over 2^24 (ATen, `CPUGeneratorImpl` and
/// `uniform_real_distribution`).
#[derive(Clone, Debug)]
pub struct TorchStream(Mt);

impl TorchStream {
    /// The stream of a seed.
    pub fn new(seed: u32) -> Self {
        Self(Mt::new(seed))
    }
}

impl Iterator for TorchStream {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        Some(super::unit_interval(self.0.next_u32() & 0x00FF_FFFF))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_of_seed_zero() {
        // torch.manual_seed(0); torch.rand(4), as PyTorch prints it.
        let expected = [0.4963, 0.7682, 0.0885, 0.1320];
        for (value, expected) in TorchStream::new(0).zip(expected) {
            assert!((value - expected).abs() < 5e-5, "{value} {expected}");
        }
    }
}
