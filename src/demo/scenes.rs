//! The phantom's images: soft waves and grain, both faint.
//!
//! They are faint because a map shows the weights alone only where the occluder's noise outweighs
//! what it covers. The images that drive a unit most look like its filter, and covering that
//! narrows the map. At these contrasts widths come out 1 to 4 % too small, all causes together.

use std::f64::consts::TAU;

use ndarray::Array3;

use crate::geometry::ImageSize;
use crate::network::RGB;
use crate::noise::philox4x32_10;

/// Images that [`crate::demo::write()`] makes.
pub const COUNT: usize = 24;

/// Their size: not square, so that exchanged axes cannot go unnoticed, and with room for 2×4
/// positions of the phantom's last layer.
pub const SIZE: ImageSize = ImageSize::new(48, 56);

/// Waves that are added up in each channel.
const WAVES: u32 = 6;
/// The longest and the shortest wave, in pixels.
const WAVELENGTHS: (f64, f64) = (48.0, 16.0);
/// Standard deviation of the sum of waves; an occluder's noise has 0.58.
const WAVE_CONTRAST: f64 = 0.02;
/// Half the range of the grain, which is uniform, as an occluder's noise; that has 1.
const GRAIN: f64 = 0.15;

/// The generator's last counter word. Occluders use values from 2^16, so that images and
/// occluders of the same seed are independent.
#[derive(Clone, Copy)]
enum Stream {
    Wave = 1,
    Grain = 2,
}

/// Image number `index`, `[3, height, width]`: a pure function of the index and the seed.
pub fn image(index: usize, seed: u64) -> Array3<f32> {
    let words = |counter: [u32; 2], stream: Stream| {
        let counter = [counter[0], index as u32, counter[1], stream as u32];
        let words = philox4x32_10(counter, [seed as u32, (seed >> 32) as u32]);
        words.map(|word| f64::from(word) / 4_294_967_296.0)
    };
    let shape = (RGB, SIZE.height, SIZE.width);
    let mut image = Array3::from_shape_fn(shape, |(channel, y, x)| {
        let flat = channel * SIZE.area() + y * SIZE.width + x;
        GRAIN * (2.0 * words([(flat / 4) as u32, 0], Stream::Grain)[flat % 4] - 1.0)
    });
    // Each wave has half its squared amplitude as variance.
    let amplitude = WAVE_CONTRAST * (2.0 / f64::from(WAVES)).sqrt();
    for (channel, mut plane) in image.outer_iter_mut().enumerate() {
        for wave in 0..WAVES {
            let [direction, length, phase, _] = words([wave, channel as u32], Stream::Wave);
            let (longest, shortest) = WAVELENGTHS;
            let frequency = TAU / (longest + length * (shortest - longest));
            let (sin, cos) = (TAU * direction).sin_cos();
            for ((y, x), value) in plane.indexed_iter_mut() {
                let along = y as f64 * sin + x as f64 * cos;
                *value += amplitude * (frequency * along + TAU * phase).cos();
            }
        }
    }
    image.mapv(|value| value as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_depend_on_index_and_seed_alone() {
        assert_eq!(image(3, 7), image(3, 7));
        assert_ne!(image(3, 7), image(4, 7));
        assert_ne!(image(3, 7), image(3, 8));
        // Neither half of the seed is lost.
        assert_ne!(image(3, 7), image(3, 7 + (1 << 32)));
    }

    #[test]
    fn images_are_faint_and_centred() {
        let images: Vec<Array3<f32>> = (0..COUNT).map(|index| image(index, 0)).collect();
        let pixels = || images.iter().flatten().map(|&value| f64::from(value));
        let count = pixels().count() as f64;
        let variance = pixels().map(|value| value * value).sum::<f64>() / count;
        let expected = GRAIN.powi(2) / 3.0 + WAVE_CONTRAST.powi(2);
        assert!((variance / expected - 1.0).abs() < 0.02, "{variance} {expected}");
        assert!((pixels().sum::<f64>() / count).abs() < 0.005);
        assert!(pixels().all(|value| value.abs() < 0.3));
    }
}
