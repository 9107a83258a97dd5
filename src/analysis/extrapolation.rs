//! Widths, extrapolated to occluders of one pixel.
//!
//! Noise under a square occluder of `s` pixels widens a map: of a Gaussian field its variance along either
//! axis is the field's plus `(s² - 1) / 6` ([`Gaussian::without_occluder`](super::Gaussian::without_occluder)).
//! So variances are a straight line in `s²`, whatever its slope, and their value at one pixel is that of
//! the field.

/// A width under occluders of a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizedWidth {
    /// Side length of the occluders, in pixels.
    pub size: f64,
    /// The width, a standard deviation in pixels.
    pub width: f64,
    /// Its standard error.
    pub error: f64,
}

/// Extrapolation from widths under occluders of several sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extrapolated {
    /// The width under occluders of one pixel. Its standard error is that by the errors of the widths, or
    /// by how far they lie off the line, whichever is larger. `None` where the line's variance there is
    /// not above 0: the width is undetermined.
    pub width: Option<SizedWidth>,
    /// Growth of the variance with the square of the occluders' size; 1/6 for Gaussian fields.
    pub slope: f64,
}

/// The straight line through the variances, each weighted by its standard error, at one pixel. `None`
/// where there are fewer than two sizes, or an error that is not above 0.
pub fn extrapolated(widths: &[SizedWidth]) -> Option<Extrapolated> {
    let usable = |found: &SizedWidth| found.error > 0.0 && found.error.is_finite();
    if widths.len() < 2 || !widths.iter().all(usable) {
        return None;
    }
    let point = |found: &SizedWidth| {
        let (x, y) = (found.size * found.size - 1.0, found.width * found.width);
        // The error of a square.
        let error = 2.0 * found.width * found.error;
        (error.powi(-2), x, y)
    };
    let points: Vec<(f64, f64, f64)> = widths.iter().map(point).collect();
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        points.iter().map(|&(weight, x, y)| weight * of(x, y)).sum()
    };
    let total = sum(&|_, _| 1.0);
    let (mean_x, mean_y) = (sum(&|x, _| x) / total, sum(&|_, y| y) / total);
    let spread = sum(&|x, _| (x - mean_x).powi(2));
    if spread <= 1e-12 * total * mean_x.powi(2).max(1.0) {
        return None;
    }
    let slope = sum(&|x, y| (x - mean_x) * (y - mean_y)) / spread;
    let variance = mean_y - slope * mean_x;
    let by_errors = 1.0 / total + mean_x * mean_x / spread;
    let off = sum(&|x, y| (y - variance - slope * x).powi(2));
    let free = points.len() as f64 - 2.0;
    let inflated = if free > 0.0 { (off / free).max(1.0) } else { 1.0 };
    let width = (variance > 0.0).then(|| {
        let width = variance.sqrt();
        SizedWidth { size: 1.0, width, error: (by_errors * inflated).sqrt() / (2.0 * width) }
    });
    Some(Extrapolated { width, slope })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(size: f64, variance: f64, error: f64) -> SizedWidth {
        SizedWidth { size, width: variance.sqrt(), error }
    }

    #[test]
    fn a_line_is_followed_to_one_pixel() {
        let sizes = [3.0, 5.0, 9.0, 13.0];
        let widths = sizes.map(|size| at(size, 16.0 + (size * size - 1.0) / 6.0, 0.1));
        let Extrapolated { width, slope } = extrapolated(&widths).unwrap();
        let found = width.unwrap();
        assert!((found.width - 4.0).abs() < 1e-12 && (slope - 1.0 / 6.0).abs() < 1e-12);
        assert!(found.error > 0.0 && found.error < 1.0, "{found:?}");
        // Two sizes determine the line, by hand: variances 20 and 26 at 24 and 48.
        let two = [at(5.0, 20.0, 0.2), at(7.0, 26.0, 0.1)];
        let found = extrapolated(&two).unwrap().width.unwrap();
        assert!((found.width - 14.0_f64.sqrt()).abs() < 1e-12, "{found:?}");
        // 2 · 20 - 26: errors of squares are 2 · width · error.
        let error = (2.0 * 2.0 * 20.0_f64.sqrt() * 0.2).hypot(2.0 * 26.0_f64.sqrt() * 0.1);
        let error = error / (2.0 * 14.0_f64.sqrt());
        assert!((found.error - error).abs() < 1e-12, "{found:?} {error}");
    }

    #[test]
    fn widths_that_are_off_the_line_have_larger_errors() {
        let on = [3.0, 5.0, 9.0].map(|size| at(size, 16.0 + size * size / 6.0, 0.1));
        let mut off = on;
        off[1].width += 1.0;
        let [on, off] = [on, off].map(|widths| extrapolated(&widths).unwrap().width.unwrap().error);
        assert!(off > 2.0 * on, "{off} {on}");
    }

    #[test]
    fn a_variance_that_is_not_above_zero_leaves_the_width_undetermined() {
        // Variances 1 and 9 at 8 and 24: the line is at -3 where there is no occluder.
        let found = extrapolated(&[at(3.0, 1.0, 0.1), at(5.0, 9.0, 0.1)]).unwrap();
        assert_eq!(found.width, None);
        assert!((found.slope - 0.5).abs() < 1e-12, "{found:?}");
        // On the line y = x / 8 it is exactly 0.
        let found = extrapolated(&[at(3.0, 1.0, 0.1), at(5.0, 3.0, 0.1)]).unwrap();
        assert!(found.width.is_none_or(|width| width.width < 1e-6), "{found:?}");
    }

    #[test]
    fn one_size_or_no_error_tells_nothing() {
        assert_eq!(extrapolated(&[at(3.0, 16.0, 0.1)]), None);
        assert_eq!(extrapolated(&[at(3.0, 16.0, 0.1), at(3.0, 17.0, 0.1)]), None);
        assert_eq!(extrapolated(&[at(3.0, 16.0, 0.0), at(5.0, 17.0, 0.1)]), None);
    }
}
