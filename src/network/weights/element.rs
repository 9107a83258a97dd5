//! Numbers as files store them, made into finite `f32`.

use half::{bf16, f16};

use super::TensorProblem;

/// The most elements that a requested tensor may have (1 GiB as `f32`): well above the largest
/// convolution in use, and a limit to what a small file can make the program allocate.
pub(in super::super) const MAX_ELEMENTS: usize = 1 << 28;

/// An element type that weights are read from; little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
}

impl Element {
    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The element with an index, exact. `None` past the end.
    pub fn get(self, bytes: &[u8], index: usize) -> Option<f64> {
        let start = index.checked_mul(self.size())?;
        let bytes = bytes.get(start..)?;
        Some(match self {
            Self::F16 => f16::from_le_bytes(*bytes.first_chunk()?).to_f64(),
            Self::Bf16 => bf16::from_le_bytes(*bytes.first_chunk()?).to_f64(),
            Self::F32 => f64::from(f32::from_le_bytes(*bytes.first_chunk()?)),
            Self::F64 => f64::from_le_bytes(*bytes.first_chunk()?),
        })
    }
}

/// The number of elements of a shape, checked against [`MAX_ELEMENTS`].
pub(in super::super) fn count(shape: &[usize]) -> Result<usize, TensorProblem> {
    shape
        .iter()
        .try_fold(1_usize, |product, &length| product.checked_mul(length))
        .filter(|&count| count <= MAX_ELEMENTS)
        .ok_or_else(|| {
            TensorProblem::content(format!(
                "its shape {shape:?} has more than the {MAX_ELEMENTS} elements that are read"
            ))
        })
}

/// Rounds row-major values to `f32`; one that is not finite then is an error.
pub(in super::super) fn finite(
    values: impl ExactSizeIterator<Item = f64>,
) -> Result<Vec<f32>, TensorProblem> {
    let mut rounded = Vec::with_capacity(values.len());
    for (index, value) in values.enumerate() {
        let value_f32 = value as f32;
        if !value_f32.is_finite() {
            return Err(TensorProblem::NotFinite { index, value });
        }
        rounded.push(value_f32);
    }
    Ok(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_widened_exactly() {
        assert_eq!(Element::F16.get(&[0x00, 0x3c, 0x00, 0xc1], 1), Some(-2.5));
        assert_eq!(Element::Bf16.get(&0xc020_u16.to_le_bytes(), 0), Some(-2.5));
        assert_eq!(Element::F32.get(&0.1_f32.to_le_bytes(), 0), Some(f64::from(0.1_f32)));
        assert_eq!(Element::F64.get(&0.1_f64.to_le_bytes(), 0), Some(0.1));
        assert_eq!(Element::F32.get(&[0; 7], 1), None);
        assert_eq!(Element::F64.get(&[0; 8], usize::MAX), None);
    }

    #[test]
    fn a_double_beyond_the_range_of_f32_is_not_finite() {
        let Err(TensorProblem::NotFinite { index: 1, value }) = finite([1.0, -1e39].into_iter())
        else {
            panic!("accepted");
        };
        assert!((value / -1e39 - 1.0).abs() < 1e-12);
        assert_eq!(finite([0.1].into_iter()).unwrap(), [0.1_f32]);
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert_eq!(count(&[]).unwrap(), 1);
        assert_eq!(count(&[3, 0]).unwrap(), 0);
        for shape in [&[usize::MAX, 2][..], &[usize::MAX, usize::MAX, 0], &[1 << 29]] {
            assert!(count(shape).is_err(), "{shape:?}");
        }
    }
}
