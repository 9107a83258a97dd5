//! From values to colours.

use colorous::{CIVIDIS, GREYS, Gradient, MAGMA, VIRIDIS};
use image::{Rgb, RgbImage};
use ndarray::ArrayView2;

use super::figure::Colour;

/// A scale of colours from 0 to the largest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ColourMap {
    /// Black, red, pale yellow: perceptually uniform.
    #[default]
    Magma,
    /// Blue, green, yellow: perceptually uniform.
    Viridis,
    /// Blue, grey, yellow: the same to colour-blind eyes.
    Cividis,
    /// Black to white, as the reference's figures.
    #[cfg_attr(feature = "cli", value(alias = "gray"))]
    Grey,
}

/// A map of zeros.
pub const SILENT: Colour = [190, 190, 196];

/// Stripes where nothing was measured, which is no value of any scale.
pub const NOT_COVERED: [Colour; 2] = [[216, 222, 230], [166, 177, 192]];

/// Stripes along a picture's longer side, about, of what was not measured.
const STRIPES: usize = 24;

/// The colour of a pixel of a picture `side` pixels long, where nothing was measured.
pub const fn not_covered(x: usize, y: usize, side: usize) -> Colour {
    let width = side.div_ceil(STRIPES);
    NOT_COVERED[(x + y) / if width == 0 { 1 } else { width } % 2]
}

impl ColourMap {
    /// The colour of a value, as a part of the largest; others than 0 to 1 are cut to that.
    pub fn colour(self, part: f64) -> Colour {
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        let gradient: Gradient = match self {
            Self::Magma => MAGMA,
            Self::Viridis => VIRIDIS,
            Self::Cividis => CIVIDIS,
            // This one is from white to black.
            Self::Grey => return GREYS.eval_continuous(1.0 - part).into_array(),
        };
        gradient.eval_continuous(part).into_array()
    }

    /// The values of a grid, up to `largest`. Each axis of the picture has a pixel for each of
    /// `cells`, the cell of the grid that the pixel shows. NaN are [striped](NOT_COVERED).
    pub fn picture(self, grid: &ArrayView2<'_, f64>, cells: &[usize], largest: f64) -> RgbImage {
        let side = cells.len();
        RgbImage::from_fn(side as u32, side as u32, |x, y| {
            let (x, y) = (x as usize, y as usize);
            let value = grid[[cells[y], cells[x]]];
            Rgb(if value.is_nan() { not_covered(x, y, side) } else { self.colour(value / largest) })
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const ALL: [ColourMap; 4] =
        [ColourMap::Magma, ColourMap::Viridis, ColourMap::Cividis, ColourMap::Grey];

    #[test]
    fn lightness_rises_all_the_way() {
        let lightness = |[red, green, blue]: Colour| {
            0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)
        };
        for colours in ALL {
            let all: Vec<f64> =
                (0..=20).map(|i| lightness(colours.colour(f64::from(i) / 20.0))).collect();
            assert!(all.is_sorted(), "{colours:?}: {all:?}");
            assert!(all[20] - all[0] > 120.0, "{colours:?}: {all:?}");
        }
    }

    #[test]
    fn values_are_parts_of_the_largest_and_what_is_not_known_has_a_colour_of_its_own() {
        for colours in ALL {
            let grid = array![[0.0, 2.0], [f64::NAN, 9.0]];
            let picture = colours.picture(&grid.view(), &[0, 0, 1], 4.0);
            assert_eq!(picture.get_pixel(0, 0).0, colours.colour(0.0));
            assert_eq!(picture.get_pixel(2, 1).0, colours.colour(0.5));
            let stripes = [0, 1].map(|x| picture.get_pixel(x, 2).0);
            assert_eq!(stripes, NOT_COVERED);
            assert_eq!(picture.get_pixel(2, 2).0, colours.colour(1.0));
            // No colour of a value, and not that of a silent map.
            let all = (0..=255).map(|part| colours.colour(f64::from(part) / 255.0));
            assert!(all.chain([SILENT]).all(|colour| !NOT_COVERED.contains(&colour)));
        }
    }
}
