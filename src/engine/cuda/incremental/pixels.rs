//! The part of an image that is needed, on its way to the device: laid out anew in the very memory
//! that the device copies.

use std::mem::MaybeUninit;

use ndarray::{ArrayView3, ArrayViewMut1, Zip, s};

use crate::engine::cuda::transfer::{Source, WHOLE};
use crate::network::RGB;

/// Bytes of a value.
const VALUE: usize = size_of::<f32>();
/// Bytes of a pixel of the usual images.
const PIXEL: usize = RGB * VALUE;
const _: () = assert!(WHOLE.is_multiple_of(PIXEL));

/// Pixels `[channel][y][x]`, of which the device gets `[y][x][channel]`, 32 bits each.
pub(super) struct Pixels<'a>(pub ArrayView3<'a, f32>);

impl Source for Pixels<'_> {
    fn length(&self) -> usize {
        VALUE * self.0.len()
    }

    fn write(&self, first: usize, to: &mut [MaybeUninit<u8>]) {
        if self.0.dim().0 == RGB {
            self.write_rgb(first, to);
            return;
        }
        let (channels, _, width) = self.0.dim();
        let (values, _) = to.as_chunks_mut::<VALUE>();
        for (index, to) in (first / VALUE..).zip(values) {
            let (pixel, channel) = (index / channels, index % channels);
            let value = self.0[[channel, pixel / width, pixel % width]];
            *to = value.to_ne_bytes().map(MaybeUninit::new);
        }
    }
}

impl Pixels<'_> {
    /// Writes images of three channels. Neither parts nor copies end within a pixel.
    fn write_rgb(&self, first: usize, to: &mut [MaybeUninit<u8>]) {
        let width = self.0.dim().2;
        let (mut left, _) = to.as_chunks_mut::<PIXEL>();
        let mut pixel = first / PIXEL;
        while !left.is_empty() {
            // What is left of a row, or all of one.
            let (y, x) = (pixel / width, pixel % width);
            let (row, behind) = left.split_at_mut(left.len().min(width - x));
            let line = |channel| self.0.slice(s![channel, y, x..x + row.len()]);
            let [red, green, blue] = [0, 1, 2].map(line);
            pixel += row.len();
            left = behind;
            Zip::from(ArrayViewMut1::from(row)).and(red).and(green).and(blue).for_each(
                |to, &red, &green, &blue| {
                    let bytes: [u8; PIXEL] = bytemuck::cast([red, green, blue]);
                    *to = bytes.map(MaybeUninit::new);
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn from_any_pixel_on_they_are_those_of_the_image_channel_by_channel() {
        for channels in [3, 1, 5] {
            from_any_pixel(channels);
        }
    }

    fn from_any_pixel(channels: usize) {
        let value = |(c, y, x)| (100 * c + 10 * y + x) as f32;
        let image = Array3::from_shape_fn((channels, 7, 9), value);
        let mut turned = image.view();
        turned.swap_axes(1, 2);
        for part in [image.slice(s![.., 1..6, 2..9]), turned.slice(s![.., 3..9, 0..5]), turned] {
            let mut expected = Vec::new();
            for y in 0..part.dim().1 {
                for x in 0..part.dim().2 {
                    expected.extend((0..channels).flat_map(|c| part[[c, y, x]].to_ne_bytes()));
                }
            }
            let pixels = Pixels(part);
            assert_eq!(pixels.length(), expected.len());
            for first in (0..expected.len()).step_by(channels * VALUE) {
                for end in (first..=expected.len()).step_by(channels * VALUE) {
                    let mut found = vec![MaybeUninit::new(255_u8); end - first];
                    pixels.write(first, &mut found);
                    // SAFETY: written in the beginning.
                    let found = found.iter().map(|byte| unsafe { byte.assume_init() });
                    assert!(found.eq(expected[first..end].iter().copied()), "{first} {end}");
                }
            }
        }
    }
}
