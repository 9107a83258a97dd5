//! The noise and other fills of occluders: pure functions of the presentation.
#![allow(clippy::inline_always, reason = "what is inlined gets the caller's vector instructions")]

mod blur;
mod fill;
mod gaussian;
mod others;
mod philox;
mod torch;

use std::fmt;
use std::str::FromStr;

use crate::error::ParseError;
use crate::geometry::Occluder;

use self::gaussian::gaussian;

pub use blur::blurred;
pub use fill::{Fill, FillRule};
pub use others::other_image;
pub use philox::philox4x32_10;
pub use torch::TorchStream;

/// The source of noise. Every number is uniform on [-1, 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Philox4x32-10, keyed by `seed` and counted by the image, the occluder's size and position,
    /// the draw, the channel and the pixel. It depends on nothing else: any order, batch, shard or
    /// restart presents the same pixels, and two units with the same position on the same image see
    /// the same occluder.
    Philox {
        /// The key.
        seed: u64,
        /// The draw: one of several independent realisations.
        draw: u16,
    },
    /// The stream of `torch.rand` on the CPU after `torch.manual_seed(seed)`, consumed as the
    /// reference does: occluders in grid order, each in channel, row, column order. It is the
    /// reference's for the reference's grid only.
    Torch {
        /// The seed.
        seed: u32,
    },
}

impl Noise {
    /// Limit of draws: the counter has 16 bits for them.
    pub const DRAWS: usize = 1 << 16;

    /// The noise `draws` draws after this one; `None` past the last draw, and for torch's stream,
    /// which has only one.
    #[must_use]
    pub fn draw_after(self, draws: usize) -> Option<Self> {
        match self {
            Self::Philox { seed, draw } => {
                let draw = u16::try_from(usize::from(draw) + draws).ok()?;
                Some(Self::Philox { seed, draw })
            }
            Self::Torch { .. } => (draws == 0).then_some(self),
        }
    }
}

/// The pixels of one map's occluders.
#[derive(Debug)]
pub struct Patches<'a> {
    fill: Fill<'a>,
    image: u32,
    channels: usize,
    occluders: &'a [Occluder],
    stream: Vec<f32>,
}

impl Patches<'_> {
    /// Fills the occluder's square in `image`, which is `[channels, height, width]`
    /// with `width` columns.
    ///
    /// `which` is an index into the occluders given to [`Fill::patches`].
    pub fn occlude(&self, which: usize, image: &mut [f32], width: usize) {
        let occluder = &self.occluders[which];
        let (size, area) = (occluder.size, image.len() / self.channels);
        let offset = |element: usize| {
            let (channel, within) = (element / (size * size), element % (size * size));
            let (row, column) = (within / size, within % size);
            channel * area + (occluder.top + row) * width + occluder.left + column
        };
        self.runs(which, |first, values| {
            for (element, &value) in (first..).zip(values) {
                image[offset(element)] = value;
            }
        });
    }

    /// Writes the pixels of one occluder, `[channels, size, size]`, to `values`.
    #[inline(always)]
    pub fn draw(&self, which: usize, values: &mut Vec<f32>) {
        values.resize(self.channels * self.occluders[which].size.pow(2), 0.0);
        self.runs(which, |first, run| values[first..][..run.len()].copy_from_slice(run));
    }

    /// Calls `put` with runs of an occluder's values, `[channels, size, size]`, each with the
    /// offset of its first value.
    #[inline(always)]
    fn runs(&self, which: usize, mut put: impl FnMut(usize, &[f32])) {
        let occluder = &self.occluders[which];
        let elements = self.channels * occluder.size.pow(2);
        let mut run = [0.0; 4 * philox::BLOCKS];
        match self.fill {
            Fill::Noise(Noise::Philox { seed, draw }) => {
                let uniform = |bits| symmetric(unit_interval(bits));
                self.drawn(occluder, seed, draw, uniform, put);
            }
            Fill::Gaussian { seed, draw } => self.drawn(occluder, seed, draw, gaussian, put),
            Fill::Noise(Noise::Torch { .. }) => {
                let stream = &self.stream[occluder.index * elements..][..elements];
                for (part, values) in stream.chunks(run.len()).enumerate() {
                    for (value, &uniform) in run.iter_mut().zip(values) {
                        *value = symmetric(uniform);
                    }
                    put(part * run.len(), &run[..values.len()]);
                }
            }
            Fill::Picture(picture) => {
                let Occluder { top, left, size, .. } = *occluder;
                for (row, channel) in
                    (0..self.channels).flat_map(|c| (0..size).map(move |r| (r, c)))
                {
                    for first in (0..size).step_by(run.len()) {
                        let columns = run.len().min(size - first);
                        for (column, value) in run[..columns].iter_mut().enumerate() {
                            *value = picture[[channel, top + row, left + first + column]];
                        }
                        put((channel * size + row) * size + first, &run[..columns]);
                    }
                }
            }
        }
    }

    /// Calls `put` with the values that `value` makes of Philox's numbers of 24 bits.
    #[inline(always)]
    fn drawn(
        &self,
        occluder: &Occluder,
        seed: u64,
        draw: u16,
        value: impl Fn(u32) -> f32,
        mut put: impl FnMut(usize, &[f32]),
    ) {
        let elements = self.channels * occluder.size.pow(2);
        let mut run = [0.0; 4 * philox::BLOCKS];
        for first in (0..elements).step_by(run.len()) {
            let words = philox::blocks(seed, draw, self.image, occluder, first as u32 / 4);
            for (word, blocks) in words.into_iter().enumerate() {
                for (slot, bits) in run[word..].iter_mut().step_by(4).zip(blocks) {
                    *slot = value(bits >> 8);
                }
            }
            put(first, &run[..run.len().min(elements - first)]);
        }
    }
}

/// A 24-bit integer as a number in [0, 1): every value is exact in `f32`.
fn unit_interval(bits: u32) -> f32 {
    const SCALE: f32 = 1.0 / 16_777_216.0;
    bits as f32 * SCALE
}

/// From [0, 1) to [-1, 1), by the reference's formula.
fn symmetric(value: f32) -> f32 {
    value * 2.0 - 1.0
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Philox { seed, draw: 0 } => write!(f, "philox:{seed}"),
            Self::Philox { seed, draw } => write!(f, "philox:{seed}:{draw}"),
            Self::Torch { seed } => write!(f, "torch:{seed}"),
        }
    }
}

impl FromStr for Noise {
    type Err = ParseError;

    /// `philox:SEED`, `philox:SEED:DRAW` or `torch:SEED`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || {
            ParseError(format!(
                "`{text}` is not a noise; expected philox:SEED (0 to 2^64-1), philox:SEED:DRAW \
                 (0 to 65535) or torch:SEED (0 to 2^32-1)"
            ))
        };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["philox", seed] => {
                Ok(Self::Philox { seed: seed.parse().map_err(|_| wrong())?, draw: 0 })
            }
            ["philox", seed, draw] => Ok(Self::Philox {
                seed: seed.parse().map_err(|_| wrong())?,
                draw: draw.parse().map_err(|_| wrong())?,
            }),
            ["torch", seed] => Ok(Self::Torch { seed: seed.parse().map_err(|_| wrong())? }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 20;

    fn occluder(index: usize, top: usize, left: usize, size: usize) -> Occluder {
        Occluder { index, top, left, size }
    }

    fn presented<'a>(
        fill: impl Into<Fill<'a>>,
        image: u32,
        occluders: &'a [Occluder],
        which: usize,
    ) -> Vec<f32> {
        let mut pixels = vec![9.0; 3 * 12 * WIDTH];
        fill.into().patches(image, 3, occluders).occlude(which, &mut pixels, WIDTH);
        pixels
    }

    #[test]
    fn only_the_occluders_square_is_replaced_and_by_values_in_range() {
        let square = occluder(0, 3, 5, 7);
        for noise in [Noise::Philox { seed: 1, draw: 0 }, Noise::Torch { seed: 1 }] {
            let pixels = presented(noise, 0, &[square], 0);
            for (offset, &value) in pixels.iter().enumerate() {
                let (y, x) = (offset / WIDTH % 12, offset % WIDTH);
                if square.pixels().contains(y, x) {
                    assert!((-1.0..1.0).contains(&value), "{noise} ({y}, {x}): {value}");
                } else {
                    assert_eq!(value, 9.0, "{noise} ({y}, {x})");
                }
            }
        }
    }

    #[test]
    fn philox_depends_on_what_is_presented_and_on_nothing_else() {
        let noise = Noise::Philox { seed: 7, draw: 0 };
        let here = occluder(4, 2, 3, 5);
        let alone = presented(noise, 1, &[here], 0);
        let among = presented(noise, 1, &[occluder(0, 0, 0, 5), occluder(9, 2, 3, 5)], 1);
        assert_eq!(alone, among, "the grid around it and its index do not count");

        let differs = |other: Vec<f32>| assert_ne!(alone[3 + 2 * WIDTH], other[3 + 2 * WIDTH]);
        differs(presented(noise, 2, &[here], 0));
        differs(presented(Noise::Philox { seed: 8, draw: 0 }, 1, &[here], 0));
        differs(presented(Noise::Philox { seed: 7, draw: 1 }, 1, &[here], 0));
        differs(presented(noise, 1, &[occluder(4, 2, 3, 4)], 0));
        differs(presented(noise, 1, &[occluder(4, 1, 3, 5)], 0));
        differs(presented(noise, 1, &[occluder(4, 2, 2, 5)], 0));
    }

    #[test]
    fn philox_pixels_are_uniform_and_channels_independent() {
        let size = 12;
        let mut values = Vec::new();
        for image in 0..200 {
            let pixels =
                presented(Noise::Philox { seed: 3, draw: 0 }, image, &[occluder(0, 0, 0, size)], 0);
            values.extend((0..12).map(|y| [pixels[y * WIDTH], pixels[(12 + y) * WIDTH]]));
        }
        let mean =
            |f: &dyn Fn(&[f32; 2]) -> f32| values.iter().map(f).sum::<f32>() / values.len() as f32;
        // 2,400 samples: a standard error of 0.012 for the mean, 0.007 for the products.
        assert!(mean(&|v| v[0]).abs() < 0.05);
        assert!((mean(&|v| v[0] * v[0]) - 1.0 / 3.0).abs() < 0.03);
        assert!(mean(&|v| v[0] * v[1]).abs() < 0.03);
    }

    #[test]
    fn a_subsampled_grid_replays_the_same_stream() {
        let grid: Vec<Occluder> = (0..6).map(|i| occluder(i, 0, 2 * i, 2)).collect();
        let some = [grid[1], grid[4]];
        let noise = Noise::Torch { seed: 5 };
        assert_eq!(presented(noise, 0, &grid, 4), presented(noise, 0, &some, 1));
    }

    #[test]
    fn gaussian_noise_is_that_of_the_same_numbers_in_the_same_order() {
        let square = [occluder(0, 3, 5, 7)];
        let uniform = presented(Noise::Philox { seed: 5, draw: 2 }, 4, &square, 0);
        let gaussian = presented(Fill::Gaussian { seed: 5, draw: 2 }, 4, &square, 0);
        let mut pairs: Vec<(f32, f32)> = uniform.into_iter().zip(gaussian).collect();
        pairs.retain(|&(uniform, _)| uniform != 9.0);
        assert_eq!(pairs.len(), 3 * 49);
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(pairs.is_sorted_by(|one, other| one.1 < other.1), "{pairs:?}");
    }

    #[test]
    fn gaussian_noise_has_the_moments_of_a_gaussian_with_the_variance_of_uniform_noise() {
        let square = [occluder(0, 0, 0, 12)];
        let values: Vec<f64> = (0..200)
            .flat_map(|image| {
                let mut values = Vec::new();
                let fill = Fill::Gaussian { seed: 3, draw: 0 };
                fill.patches(image, 3, &square).draw(0, &mut values);
                values
            })
            .map(f64::from)
            .collect();
        let mean = |power: i32| {
            values.iter().map(|value| value.powi(power)).sum::<f64>() / values.len() as f64
        };
        // 86,400 samples: standard errors of 0.002, 0.0016 and 0.004.
        assert!(mean(1).abs() < 0.01);
        assert!((mean(2) - 1.0 / 3.0).abs() < 0.01);
        assert!((mean(4) - 1.0 / 3.0).abs() < 0.02, "three times the squared variance");
    }

    #[test]
    fn a_picture_fills_a_square_by_the_same_square_also_a_wide_one() {
        let (height, width) = (70, 90);
        let value =
            |(channel, y, x): (usize, usize, usize)| (channel * 10_000 + y * 100 + x) as f32;
        let picture = ndarray::Array3::from_shape_fn((3, height, width), value);
        // Wider than a run of values.
        let squares = [occluder(0, 2, 17, 66), occluder(1, 69, 89, 1)];
        let patches = Fill::Picture(&picture).patches(0, 3, &squares);
        for (which, square) in squares.iter().enumerate() {
            let mut pixels = ndarray::Array3::from_elem((3, height, width), -1.0);
            patches.occlude(which, pixels.as_slice_mut().unwrap(), width);
            for ((channel, y, x), &found) in pixels.indexed_iter() {
                let inside = square.pixels().contains(y, x);
                assert_eq!(found, if inside { value((channel, y, x)) } else { -1.0 });
            }
        }
    }

    #[test]
    fn draws_of_the_same_place_follow_each_other_to_the_last() {
        let noise = |draw| Noise::Philox { seed: 7, draw };
        assert_eq!(noise(3).draw_after(2), Some(noise(5)));
        assert_eq!(noise(0).draw_after(Noise::DRAWS - 1), Some(noise(u16::MAX)));
        assert_eq!(noise(0).draw_after(Noise::DRAWS), None);
        assert_eq!(noise(9).draw_after(Noise::DRAWS - 1), None);
        let torch = Noise::Torch { seed: 7 };
        assert_eq!((torch.draw_after(0), torch.draw_after(1)), (Some(torch), None));
    }

    #[test]
    fn names_are_read_and_written() {
        for name in ["philox:0", "philox:18446744073709551615", "philox:3:2", "torch:4294967295"] {
            assert_eq!(name.parse::<Noise>().unwrap().to_string(), name);
        }
        for wrong in ["", "philox", "torch:-1", "torch:4294967296", "mt:1", "philox:1:2:3"] {
            assert!(
                wrong.parse::<Noise>().unwrap_err().0.contains("expected philox:SEED"),
                "{wrong}"
            );
        }
    }
}
