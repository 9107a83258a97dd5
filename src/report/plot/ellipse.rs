//! The fitted Gaussian on a map.

use std::f64::consts::TAU;

use crate::report::numbers::{Cells, Fit};

/// Points of an ellipse.
const POINTS: usize = 48;

/// Where a fitted Gaussian falls to half its height over its offset, from point `[x, y]` to point, in
/// parts of the RF. What lies outside of it runs along its edge.
pub(super) fn half_height(fit: &Fit, cells: &Cells) -> Vec<[f32; 2]> {
    // exp(-r² / 2) is a half at this r, in standard deviations.
    let half = (2.0 * std::f64::consts::LN_2).sqrt();
    let [long, short] = [fit.long, fit.short].map(|width| width.value * half);
    // Of a round one any angle will do.
    let (sin, cos) = fit.angle.map_or(0.0, |angle| angle.value).to_radians().sin_cos();
    // The middle of the first pixel is half a pixel from the edge.
    let [y, x] = [fit.y, fit.x].map(|estimate| estimate.value + cells.shift() + 0.5);
    let part = |pixel: f64| (pixel / cells.rf() as f64).clamp(0.0, 1.0) as f32;
    let point = |index: usize| {
        let (up, along) = (TAU * index as f64 / POINTS as f64).sin_cos();
        let (along, up) = (long * along, short * up);
        // The angle is counter-clockwise, and y downward.
        [part(x + along * cos - up * sin), part(y - along * sin - up * cos)]
    };
    (0..POINTS).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Gaussian;
    use crate::report::numbers::{Measured, measure, phantoms};

    #[test]
    fn the_gaussian_is_half_its_height_on_the_line() {
        let cells = Cells::new(&phantoms::layer(61), &phantoms::settings());
        let phantom = phantoms::Phantom {
            y: 25.0,
            x: 35.0,
            long: 9.0,
            short: 5.0,
            degrees: 30.0,
            ..phantoms::Phantom::default()
        };
        let Measured::Numbers(numbers) = measure(&phantom.map(61), &cells, false) else {
            panic!("a map with a peak");
        };
        let line = half_height(&numbers.fit.unwrap(), &cells);
        let gaussian = Gaussian::oriented([25.0, 35.0], [9.0, 5.0], 30.0);
        let pixel = |part: f32| f64::from(part) * 61.0 - 0.5 - cells.shift();
        for &[x, y] in &line {
            let value = gaussian.value(pixel(y), pixel(x));
            assert!((value - 0.5).abs() < 1e-2, "{value} at {y}, {x}");
        }
        // The upper right end of the long axis.
        assert!(line[0][0] > 0.7 && line[0][1] < 0.4, "{:?}", line[0]);
    }
}
