//! Convolution as a matrix product: im2col, then the crate `gemm`.

use std::borrow::Cow;
use std::ops::Range;

use gemm::{Parallelism, gemm};

use crate::engine::real::Real;
use crate::geometry::{ImageSize, SlidingWindow};
use crate::network::{Convolution, Filters};

/// A convolution on an input of one size.
pub(super) struct Convolve<'a> {
    pub conv: &'a Convolution,
    pub input_channels: usize,
    pub input: ImageSize,
    pub output: ImageSize,
}

/// [`Filters`] in the engine's arithmetic.
pub(super) struct RealFilters<'a, T: Real> {
    pub weight: Cow<'a, [T]>,
    pub bias: Cow<'a, [T]>,
}

impl<'a, T: Real> From<&'a Filters> for RealFilters<'a, T> {
    fn from(Filters { weight, bias }: &'a Filters) -> Self {
        Self { weight: T::of(weight), bias: T::of(bias) }
    }
}

impl<T: Real> RealFilters<'_, T> {
    /// A copy of a layer's numbers.
    pub fn owned(Filters { weight, bias }: &Filters) -> Self {
        let owned = |numbers| Cow::Owned(T::of(numbers).into_owned());
        Self { weight: owned(weight), bias: owned(bias) }
    }
}

/// Values of the column matrix that are made at a time: it should stay in a core's own cache
/// between being written and being multiplied.
const COLUMN_VALUES: usize = 320 * 1024;

/// Convolves `input`, `[channel, y, x]`, into `output`, `[unit, y, x]`, band by band of output
/// rows. `columns` is scratch.
///
/// The bands depend on shapes alone, and within a product each output value is summed over the
/// taps in an order that depends on shapes alone, so equal inputs give equal bits.
pub(super) fn convolve<T: Real>(
    shape: &Convolve<'_>,
    filters: &RealFilters<'_, T>,
    input: &[T],
    output: &mut [T],
    columns: &mut Vec<T>,
) {
    let Convolution { out_channels, groups, .. } = *shape.conv;
    let area = shape.output.area();
    let inputs = shape.input_channels / groups;
    let units = out_channels / groups;
    let taps = inputs * shape.conv.taps();
    for unit in 0..out_channels {
        let bias = filters.bias.get(unit).copied().unwrap_or_default();
        output[unit * area..(unit + 1) * area].fill(bias);
    }
    let band = (COLUMN_VALUES / (taps * shape.output.width)).clamp(1, shape.output.height);
    for group in 0..groups {
        let planes = &input[group * inputs * shape.input.area()..][..inputs * shape.input.area()];
        let weight = &filters.weight[group * units * taps..][..units * taps];
        let responses = &mut output[group * units * area..][..units * area];
        for first in (0..shape.output.height).step_by(band) {
            let rows = first..(first + band).min(shape.output.height);
            let positions = rows.len() * shape.output.width;
            im2col(shape, planes, rows, columns);
            add_product(
                weight,
                columns,
                &mut responses[first * shape.output.width..],
                [units, taps, positions],
                area,
            );
        }
    }
}

/// `output += weight · columns`, for `weight` `[units, taps]`, `columns` `[taps, positions]` and
/// `output` `[units, positions]` with `row` values between the units.
fn add_product<T: Real>(
    weight: &[T],
    columns: &[T],
    output: &mut [T],
    [units, taps, positions]: [usize; 3],
    row: usize,
) {
    assert!(weight.len() == units * taps && columns.len() == taps * positions);
    assert!(output.len() >= (units - 1) * row + positions);
    // SAFETY: the three matrices lie inside their slices, as just checked: `weight` and `columns`
    // are dense, and `output`'s last element is at `(units - 1) * row + positions - 1`. `output`
    // is borrowed mutably, so it overlaps neither of the others.
    unsafe {
        gemm(
            units,
            positions,
            taps,
            output.as_mut_ptr(),
            1,
            row as isize,
            true,
            weight.as_ptr(),
            1,
            taps as isize,
            columns.as_ptr(),
            1,
            positions as isize,
            T::from(1.0),
            T::from(1.0),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Writes the columns of some output rows: `[channel, ky, kx][y, x]`, zero in the padding.
fn im2col<T: Real>(shape: &Convolve<'_>, planes: &[T], rows: Range<usize>, columns: &mut Vec<T>) {
    let window = shape.conv.window().axes;
    let SlidingWindow { kernel, stride, dilation, padding } = window.x;
    let (input, width) = (shape.input, shape.output.width);
    columns.clear();
    for plane in planes.chunks_exact(input.area()) {
        for (ky, kx) in (0..window.y.kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
            let (ky, kx) = (ky * window.y.dilation, kx * dilation);
            // Output columns whose tap meets the input; before and after lies padding.
            let begin = padding.saturating_sub(kx).div_ceil(stride).min(width);
            let end =
                (input.width + padding).saturating_sub(kx).div_ceil(stride).clamp(begin, width);
            for y in rows.clone() {
                let Some(row) = (y * window.y.stride + ky)
                    .checked_sub(window.y.padding)
                    .filter(|&row| row < input.height)
                else {
                    columns.resize(columns.len() + width, T::default());
                    continue;
                };
                let row = &plane[row * input.width..][..input.width];
                columns.resize(columns.len() + begin, T::default());
                if begin < end {
                    let source = &row[begin * stride + kx - padding..];
                    if stride == 1 {
                        columns.extend_from_slice(&source[..end - begin]);
                    } else {
                        columns.extend(source.iter().step_by(stride).take(end - begin));
                    }
                }
                columns.resize(columns.len() + width - end, T::default());
            }
        }
    }
}
