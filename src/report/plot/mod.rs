//! Pictures of a layer's maps: a sheet with all of them, and pages with a row a unit.
//!
//! Both are [`Figure`]s, in points at the size in which they are meant to be
//! printed.

mod bar;
mod contour;
mod crops;
mod ellipse;
mod files;
mod maps;
mod pages;
mod settings;
mod sheet;

use super::colours::ColourMap;
use super::figure::{Anchor, Area, Colour, Figure, Item, Line, Pixels};

pub use crops::{CropSource, Crops, OwnOverlay};
pub use files::{Kind, Plots};
pub use maps::{LayerMaps, Map};
pub use pages::{RankedCrops, pages};
pub use settings::{PlotSettings, plot};
pub use sheet::sheet;

/// The largest value of the colour scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Scale {
    /// The peak of each map.
    #[default]
    Map,
    /// The highest peak among the layer's units that are shown, so that maps can be compared.
    Layer,
}

/// The overlay of the images' RFs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Overlay {
    /// A line where the unit's mean map, blurred, is half its peak.
    #[default]
    Mean,
    /// The map of that image alone, computed again as in the sweep.
    Own,
    /// Nothing.
    #[cfg_attr(feature = "cli", value(name = "none"))]
    Nothing,
}

/// How maps are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Colours of values.
    pub colours: ColourMap,
    /// The end of their scale.
    pub scale: Scale,
    /// The overlay of images.
    pub overlay: Overlay,
}

/// Of labels that are less important.
const QUIET: Colour = [90, 90, 96];
/// Around maps and images.
const FRAME: Line = Line { colour: [150, 150, 156], width: 0.3 };

/// A number for a label: four digits.
fn number(value: f64) -> String {
    if value == 0.0 {
        "0".into()
    } else if (1e-3..1e4).contains(&value.abs()) {
        let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

/// Adds a label that is less important.
fn quiet(figure: &mut Figure, at: [f32; 2], anchor: Anchor, size: f32, text: String) {
    figure.items.push(Item::Text { at, anchor, size, colour: QUIET, text });
}

/// Draws a map into a square.
fn draw_map(figure: &mut Figure, area: Area, map: &Map, maps: &LayerMaps, style: Style) {
    match map {
        Map::Silent => {
            figure.fill(area, super::colours::SILENT);
            let size = (area.width / 5.0).clamp(3.0, 7.0);
            let at = [area.x + area.width / 2.0, area.y + area.height / 2.0 + 0.35 * size];
            figure.text(at, Anchor::Middle, size, "silent");
        }
        Map::NotCovered => {
            let pixels = maps.picture(map, style.colours, 1.0);
            figure.picture(area, Pixels::Plain(std::sync::Arc::new(pixels)));
        }
        Map::Values { peak, .. } => {
            let largest = match style.scale {
                Scale::Map => *peak,
                Scale::Layer => maps.peak(),
            };
            let pixels = maps.picture(map, style.colours, largest);
            figure.picture(area, Pixels::Plain(std::sync::Arc::new(pixels)));
        }
    }
    figure.outline(area, FRAME);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_at_any_size() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1.000"),
            (12.3456, "12.35"),
            (1234.56, "1235"),
            (0.012_345_6, "0.01235"),
            (0.000_123_456, "1.235e-4"),
            (123_456.0, "1.235e5"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
