//! Blurred images.

use ndarray::{Array3, ArrayView3, Axis};
use rayon::prelude::*;

/// Reach of the Gaussian, in standard deviations.
const REACH: f64 = 4.0;

/// An image `[channels, height, width]` behind a Gaussian with this standard deviation in pixels, cut at
/// four of them. A pixel is the mean of the image's pixels around it, weighted by the Gaussian; what
/// lies outside of the image takes no part. Computed in 64 bits, rows before columns, in a fixed order.
pub fn blurred(image: &ArrayView3<'_, f32>, deviation: f64) -> Array3<f32> {
    let reach = (REACH * deviation).ceil() as usize;
    let weights: Vec<f64> =
        (0..=reach).map(|distance| (-0.5 * (distance as f64 / deviation).powi(2)).exp()).collect();
    let mut blurred = Array3::<f32>::zeros(image.raw_dim());
    let (_, height, width) = image.dim();
    let blur_channel = |(channel, mut output): (usize, ndarray::ArrayViewMut2<'_, f32>)| {
        let rows: Vec<Vec<f64>> = (0..height)
            .into_par_iter()
            .map(|y| {
                let row: Vec<f64> = (0..width).map(|x| f64::from(image[[channel, y, x]])).collect();
                (0..width).map(|x| mean_around(x, width, &weights, |other| row[other])).collect()
            })
            .collect();
        let one = |(y, mut output): (usize, ndarray::ArrayViewMut1<'_, f32>)| {
            let (first, last) = around(y, height, reach);
            let mut sums = vec![0.0; width];
            let mut total = 0.0;
            for (row, other) in rows[first..=last].iter().zip(first..) {
                let weight = weights[y.abs_diff(other)];
                total += weight;
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
            for (output, sum) in output.iter_mut().zip(sums) {
                *output = (sum / total) as f32;
            }
        };
        let outputs: Vec<_> = output.axis_iter_mut(Axis(0)).enumerate().collect();
        outputs.into_par_iter().for_each(one);
    };
    blurred.axis_iter_mut(Axis(0)).enumerate().for_each(blur_channel);
    blurred
}

/// First and last of the pixels around one that lie on an axis of `length` pixels.
fn around(pixel: usize, length: usize, reach: usize) -> (usize, usize) {
    (pixel.saturating_sub(reach), (pixel + reach).min(length - 1))
}

fn mean_around(pixel: usize, length: usize, weights: &[f64], value: impl Fn(usize) -> f64) -> f64 {
    let (first, last) = around(pixel, length, weights.len() - 1);
    let (mut sum, mut total) = (0.0, 0.0);
    for other in first..=last {
        let weight = weights[pixel.abs_diff(other)];
        sum += weight * value(other);
        total += weight;
    }
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array3<f32> {
        Array3::from_shape_fn((2, 9, 13), |(channel, y, x)| {
            ((channel * 37 + y * 11 + x * 5) % 17) as f32 - 8.0
        })
    }

    #[test]
    fn pixels_are_means_of_the_image_around_them_weighted_in_two_dimensions() {
        let (image, deviation) = (image(), 1.5_f64);
        let found = blurred(&image.view(), deviation);
        for ((channel, y, x), &value) in found.indexed_iter() {
            let (mut sum, mut total) = (0.0, 0.0);
            for ((other, v, u), &pixel) in image.indexed_iter() {
                let (dy, dx) = (v.abs_diff(y), u.abs_diff(x));
                if other == channel && dy.max(dx) <= 6 {
                    let squared = (dy * dy + dx * dx) as f64;
                    let weight = (-squared / (2.0 * deviation * deviation)).exp();
                    sum += weight * f64::from(pixel);
                    total += weight;
                }
            }
            assert!((f64::from(value) - sum / total).abs() < 1e-6, "{channel} {y} {x}");
        }
    }

    #[test]
    fn a_constant_image_stays_as_it_is_up_to_its_borders() {
        let image = Array3::from_elem((1, 5, 7), 0.3_f32);
        assert_eq!(blurred(&image.view(), 16.0), image);
    }
}
