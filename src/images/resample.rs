//! Resizing and centre-cropping of 8-bit pictures, equal to torchvision's on Pillow images in every
//! bit.
//!
//! Pillow resamples rows, then columns, keeps 8 bits in between, and uses integer weights, computed
//! in `f64`, normalised to a sum of 1 and rounded to multiples of 2^-22. Each step shows in the
//! last bit of a pixel, so each is reproduced here. Pillow 13 resamples columns first when it
//! shrinks a picture more than about twice as high as wide, which can change a value by one level
//! of 255; this module follows the releases before it.
//!
//! Only pixels inside the crop are computed, so a long and narrow picture costs no memory.

use std::ops::Range;

use super::picture::Picture;
use crate::geometry::ImageSize;

/// Bits of a weight's fraction: 32 bits minus an 8-bit value and two bits of headroom.
const WEIGHT_BITS: u32 = 32 - 8 - 2;

/// Resizes so that the shorter side becomes `shorter`, at least either side of `crop`, and cuts
/// `crop` out of the centre.
pub(super) fn resize_and_crop(picture: &Picture, shorter: usize, crop: ImageSize) -> Picture {
    let resized = resized_size(picture.size, shorter);
    let rows = weigh(picture.size.height, resized.height, centred(resized.height, crop.height));
    let columns = weigh(picture.size.width, resized.width, centred(resized.width, crop.width));

    // Only the input rows of the crop are resampled.
    let first_row = rows.iter().map(|taps| taps.first).min().unwrap_or(0);
    let end_row = rows.iter().map(Taps::end).max().unwrap_or(0);
    let mut narrowed = Vec::with_capacity((end_row - first_row) * crop.width * 3);
    for row in picture.rgb.chunks_exact(picture.size.width * 3).take(end_row).skip(first_row) {
        narrow(row, &columns, &mut narrowed);
    }

    let mut rgb = Vec::with_capacity(crop.area() * 3);
    for taps in &rows {
        blend(&narrowed, crop.width * 3, taps.first - first_row, &taps.weights, &mut rgb);
    }
    Picture { size: crop, rgb }
}

/// torchvision's `Resize(shorter)`: the longer side is rounded down.
fn resized_size(size: ImageSize, shorter: usize) -> ImageSize {
    let ImageSize { height, width } = size;
    if width <= height {
        ImageSize::new(shorter * height / width, shorter)
    } else {
        ImageSize::new(shorter, shorter * width / height)
    }
}

/// torchvision's `CenterCrop` along one axis: half a pixel rounds to the even start.
fn centred(length: usize, crop: usize) -> Range<usize> {
    let surplus = length.saturating_sub(crop);
    let half = surplus / 2;
    let start = half + (surplus % 2) * (half % 2);
    start..start + crop
}

/// Input pixels from `first` on, and the weight of each for one output pixel.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Taps {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// The taps of the output pixels in `range` when `input` pixels become `output`: a triangle filter,
/// as wide as the scale when shrinking (antialiased), and one pixel when enlarging.
fn weigh(input: usize, output: usize, range: Range<usize>) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let support = scale.max(1.0);
    range
        .map(|output| {
            let centre = (output as f64 + 0.5) * scale;
            // `as` truncates towards zero and saturates below, as the edges need.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let triangle: Vec<f64> = (first..end)
                .map(|tap| (1.0 - ((tap as f64 - centre + 0.5) * (1.0 / support)).abs()).max(0.0))
                .collect();
            let sum: f64 = triangle.iter().sum();
            let one = f64::from(1_i32 << WEIGHT_BITS);
            let weights = triangle.iter().map(|w| (0.5 + w / sum * one) as i32).collect();
            Taps { first, weights }
        })
        .collect()
}

/// Appends one row of pixels, resampled along x.
fn narrow(row: &[u8], columns: &[Taps], out: &mut Vec<u8>) {
    for taps in columns {
        let mut sums = [HALF; 3];
        let pixels = row[taps.first * 3..].chunks_exact(3);
        for (pixel, &weight) in pixels.zip(&taps.weights) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(value) * weight;
            }
        }
        out.extend(sums.map(to_byte));
    }
}

/// Appends one row of values, the weighted sum of the rows of `values` from `first` on.
fn blend(values: &[u8], row_len: usize, first: usize, weights: &[i32], out: &mut Vec<u8>) {
    let mut sums = vec![HALF; row_len];
    let rows = values.chunks_exact(row_len).skip(first);
    for (row, &weight) in rows.zip(weights) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += i32::from(value) * weight;
        }
    }
    out.extend(sums.into_iter().map(to_byte));
}

/// Sums start at one half, so dropping the fraction rounds.
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Digest;

    /// A picture without symmetry, which would hide a transposed axis or channel.
    fn picture(height: usize, width: usize) -> Picture {
        let rgb = (0..height * width * 3)
            .map(|index| {
                let (y, x, channel) = (index / 3 / width, index / 3 % width, index % 3);
                (y * y * 3 + x * x * 5 + y * x * 7 + (channel + 1) * (y * 11 + x * 29)) as u8
            })
            .collect();
        Picture { size: ImageSize::new(height, width), rgb }
    }

    /// Height and width.
    type Size = (usize, usize);

    /// Made with Pillow 11.3.0 and torchvision 0.29.2 as the SHA-256 of the bytes of
    /// `CenterCrop(crop)(Resize(max(256, *crop))(picture))`.
    #[rustfmt::skip]
    const TORCHVISION: [(Size, Size, &str); 8] = [
        ((97, 143), (224, 224), "65a1be82c768d7045dd18f33f173a49bee579938898f99a30610e359f0ea659a"),
        ((143, 97), (224, 224), "36fb9b655c0fe7c4f47db5310108319ff662b3be781b356f9418559f75ed8e2e"),
        ((389, 301), (227, 227), "25420b4e94fd4353aa2fbb153f4ca5e13a399e1f42f5310d71a2fc11b0aa0ea5"),
        ((300, 451), (200, 301), "9864d648d0fa63ab4a67d3a9bf90e392f2d46c22472eac288f57287f5a737547"),
        ((257, 256), (224, 223), "b266f0f11bfafaf544edfca531722f06529b7908fb695b4b3ce3bc35d5f8fcd6"),
        ((5, 900), (224, 224), "6cc0f21ce3434306f706116381cf82a90a8b9df030e070205e8230fe9cbeeede"),
        ((900, 300), (224, 224), "48133aa8c5684a5b5b2e482c5fccee7a27a882300355be1076c532e59d1189eb"),
        ((1, 1), (3, 2), "60daa3a5f7dbfa200f8c82840ecf5b42640b70f3b7218a4c6bbd67db542e75a4"),
    ];

    #[test]
    fn every_byte_is_torchvisions() {
        for ((height, width), (crop_height, crop_width), digest) in TORCHVISION {
            let crop = ImageSize::new(crop_height, crop_width);
            let shorter = crop_height.max(crop_width).max(256);
            let cropped = resize_and_crop(&picture(height, width), shorter, crop);
            assert_eq!(cropped.size, crop);
            assert_eq!(Digest::of(&cropped.rgb).to_string(), digest, "{height}×{width} to {crop}");
        }
    }

    #[test]
    fn a_picture_of_the_right_size_is_left_alone() {
        let original = picture(256, 256);
        let same = resize_and_crop(&original, 256, ImageSize::square(256));
        assert!(same.rgb == original.rgb);
    }

    #[test]
    fn the_longer_side_is_rounded_down() {
        assert_eq!(resized_size(ImageSize::new(97, 143), 256), ImageSize::new(256, 377));
        assert_eq!(resized_size(ImageSize::new(301, 300), 256), ImageSize::new(256, 256));
        assert_eq!(resized_size(ImageSize::new(900, 300), 256), ImageSize::new(768, 256));
    }

    #[test]
    fn half_a_pixel_rounds_to_the_even_start() {
        // Python: [int(round(surplus / 2.0)) for surplus in range(8)]
        let starts: Vec<usize> = (0..8).map(|surplus| centred(10 + surplus, 10).start).collect();
        assert_eq!(starts, [0, 0, 1, 2, 2, 2, 3, 4]);
    }

    #[test]
    fn the_longest_picture_costs_no_more_than_its_crop() {
        // Resized as a whole, this picture would have 256 × 16,776,960 pixels.
        let cropped = resize_and_crop(&picture(1, 65_535), 256, ImageSize::square(224));
        assert_eq!(cropped.rgb.len(), 224 * 224 * 3);
    }
}
