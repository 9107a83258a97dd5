//! Where a profile lies, how wide it is and which way it points: its moments up to the second.

use ndarray::ArrayView2;

/// A Gaussian profile `exp(-d · C⁻¹ · d / 2)` of the offset `d` from its centre, or any profile
/// seen through its centre of mass and its covariance `C`.
///
/// Coordinates are pixels, `y` downward; `(0, 0)` is the middle of a map's first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// Row of the centre.
    pub y: f64,
    /// Column of the centre.
    pub x: f64,
    /// Variance along `y`, in pixels².
    pub yy: f64,
    /// Variance along `x`.
    pub xx: f64,
    /// Covariance of the two; negative where the profile rises to the right, as it is drawn.
    pub yx: f64,
}

impl Gaussian {
    /// A profile with a centre `(y, x)`, the standard deviations along its long and its short
    /// axis, and the angle of its long axis ([`Gaussian::angle`]) in degrees.
    pub fn oriented([y, x]: [f64; 2], [long, short]: [f64; 2], degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (long, short) = (long * long, short * short);
        Self {
            y,
            x,
            yy: long * sin * sin + short * cos * cos,
            xx: long * cos * cos + short * sin * sin,
            yx: (short - long) * sin * cos,
        }
    }

    /// The moments of a map of values that are not negative; `None` where all are zero, or one is
    /// not finite.
    ///
    /// The map is taken as it is: a profile that reaches past the map's edge looks narrower.
    pub fn of_map(map: &ArrayView2<'_, f64>) -> Option<Self> {
        let mean = |value: &dyn Fn(f64, f64) -> f64, sum: f64| {
            let terms = map.indexed_iter().map(|((y, x), &v)| v * value(y as f64, x as f64));
            terms.sum::<f64>() / sum
        };
        let sum = mean(&|_, _| 1.0, 1.0);
        if !(sum.is_finite() && sum > 0.0) {
            return None;
        }
        let (y0, x0) = (mean(&|y, _| y, sum), mean(&|_, x| x, sum));
        Some(Self {
            y: y0,
            x: x0,
            yy: mean(&|y, _| (y - y0).powi(2), sum),
            xx: mean(&|_, x| (x - x0).powi(2), sum),
            yx: mean(&|y, x| (y - y0) * (x - x0), sum),
        })
    }

    /// The profile of the weights under a map that square occluders of `size` pixels drew, their
    /// effect added at their centres.
    ///
    /// Noise on weights `w` changes a linear response by an amount whose root mean square is that
    /// of the weights under the occluder, times a constant. If `w` is Gaussian with covariance
    /// `C`, then `w²` is Gaussian with `C / 2`; summing it over a square adds the square's own
    /// variance, `(size² - 1) / 12` along either axis; the root doubles the whole. So the map is
    /// wider than the weights by `(size² - 1) / 6`. A square is no Gaussian, so this is a little
    /// too much: a width comes out 3 % too small where the occluder's side is 1.7 times as long.
    ///
    /// Where `size` is even, the occluder's centre lies between two pixels, and the map takes the
    /// first of them.
    #[must_use]
    pub fn without_occluder(self, size: usize) -> Self {
        let blur = (size.pow(2) as f64 - 1.0) / 6.0;
        let shift = if size.is_multiple_of(2) { 0.5 } else { 0.0 };
        Self {
            y: self.y + shift,
            x: self.x + shift,
            yy: self.yy - blur,
            xx: self.xx - blur,
            yx: self.yx,
        }
    }

    /// Standard deviations along the long and the short axis, in pixels.
    pub fn widths(&self) -> [f64; 2] {
        let mean = f64::midpoint(self.yy, self.xx);
        let half = ((self.yy - self.xx) / 2.0).hypot(self.yx);
        [mean + half, mean - half].map(|variance| variance.max(0.0).sqrt())
    }

    /// Angle of the long axis in degrees, from 0 up to 180: counter-clockwise from the x axis as
    /// the map is drawn, `y` downward, so that 45 points to the upper right.
    pub fn angle(&self) -> f64 {
        let angle = (-2.0 * self.yx).atan2(self.xx - self.yy).to_degrees() / 2.0;
        // The remainder of a tiny negative angle rounds to 180 itself, and that of -0 is -0.
        let angle = angle.rem_euclid(180.0);
        if angle < 180.0 { angle + 0.0 } else { 0.0 }
    }

    /// The profile's value at a point, 1 at its centre.
    pub fn value(&self, y: f64, x: f64) -> f64 {
        (-0.5 * self.squared_distance(y, x)).exp()
    }

    /// The Mahalanobis distance of a point, `d · C⁻¹ · d`, in squared standard deviations.
    pub fn squared_distance(&self, y: f64, x: f64) -> f64 {
        let (dy, dx) = (y - self.y, x - self.x);
        let determinant = self.yy * self.xx - self.yx * self.yx;
        (self.xx * dy * dy - 2.0 * self.yx * dy * dx + self.yy * dx * dx) / determinant
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn drawn(profile: &Gaussian, side: usize) -> Array2<f64> {
        Array2::from_shape_fn((side, side), |(y, x)| profile.value(y as f64, x as f64))
    }

    #[test]
    fn a_drawn_profile_is_found_again() {
        for degrees in [0.0, 30.0, 90.0, 135.0, 179.0] {
            let truth = Gaussian::oriented([20.3, 17.6], [4.0, 2.0], degrees);
            let found = Gaussian::of_map(&drawn(&truth, 41).view()).unwrap();
            assert!((found.y - 20.3).abs() < 1e-3 && (found.x - 17.6).abs() < 1e-3, "{found:?}");
            let [long, short] = found.widths();
            assert!((long - 4.0).abs() < 1e-2 && (short - 2.0).abs() < 1e-2, "{long} {short}");
            assert!((found.angle() - degrees).abs() < 0.1, "{} {degrees}", found.angle());
        }
    }

    #[test]
    fn angles_turn_from_right_to_up() {
        let rising = array![[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];
        assert_eq!(Gaussian::of_map(&rising.view()).unwrap().angle(), 45.0);
        let upright = array![[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]];
        assert_eq!(Gaussian::of_map(&upright.view()).unwrap().angle(), 90.0);
        let level = upright.t();
        assert_eq!(Gaussian::of_map(&level).unwrap().angle(), 0.0);
    }

    #[test]
    fn the_occluders_blur_is_taken_out() {
        // The map in closed form: the root of the squared weights under each square.
        let truth = Gaussian::oriented([22.0, 19.0], [5.0, 3.0], 110.0);
        for size in [1, 4, 5] {
            let map = Array2::from_shape_fn((41, 41), |(y, x)| {
                let half = (size - 1) / 2;
                let square = (0..size).flat_map(|row| (0..size).map(move |column| (row, column)));
                let under = square.map(|(row, column)| {
                    let (y, x) = ((y + row) as f64, (x + column) as f64);
                    truth.value(y - half as f64, x - half as f64).powi(2)
                });
                under.sum::<f64>().sqrt()
            });
            let found = Gaussian::of_map(&map.view()).unwrap().without_occluder(size);
            assert!((found.y - truth.y).abs() < 0.02 && (found.x - truth.x).abs() < 0.02);
            for (found, truth) in found.widths().iter().zip(truth.widths()) {
                assert!((found / truth - 1.0).abs() < 0.035, "{size}: {found} {truth}");
            }
            assert!((found.angle() - truth.angle()).abs() < 1.0);
        }
    }

    #[test]
    fn maps_without_a_profile_have_no_moments() {
        assert_eq!(Gaussian::of_map(&Array2::zeros((3, 3)).view()), None);
        assert_eq!(Gaussian::of_map(&array![[1.0, f64::NAN]].view()), None);
        assert_eq!(Gaussian::of_map(&array![[1.0, f64::INFINITY]].view()), None);
        assert_eq!(Gaussian::of_map(&Array2::zeros((0, 0)).view()), None);
    }
}
