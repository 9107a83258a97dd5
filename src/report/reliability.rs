//! How reliable maps are, by how many images.

use ndarray::Array2;

use super::csv::{Column, QUANTILES, Table, number, quantiles};
use super::results::{LayerResults, Results, ResultsError};
use crate::analysis::Distribution;
use crate::ranking::Side;

/// The reliability that is aimed at.
pub const TARGET: f64 = 0.95;

/// The split-half reliabilities of a layer's maps of one side, by how many images. All are stepped up from the halves to the
/// whole by Spearman and Brown's formula.
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityCurve {
    /// The first 2, 4, 8, … images of a ranking, as far as the sweep has kept them, and all.
    pub images: Vec<usize>,
    /// Of each unit that was swept, ascending, the reliability by each of `images`; NaN where there is
    /// none.
    pub units: Vec<(usize, Vec<f64>)>,
    /// Of each unit, the images of its last reliability: all, or those at which the unit stopped.
    pub presented: Vec<usize>,
}

/// A [`ReliabilityCurve`] over units.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// How many images, and the distribution.
    pub curve: Vec<(usize, Option<Distribution>)>,
    /// The images that reach [`TARGET`], by [`images_for`] and the reliability of all.
    pub needed: Option<Distribution>,
}

/// The images that reach a reliability of `target`, where `images` have one of `reliability`, by Spearman
/// and Brown's formula. It takes images for alike: those further down a ranking may tell less. NaN where
/// there is no reliability to begin with.
pub fn images_for(target: f64, images: usize, reliability: f64) -> f64 {
    let ratio = |reliability: f64| reliability / (1.0 - reliability);
    if reliability > 0.0 && reliability < 1.0 {
        images as f64 * ratio(target) / ratio(reliability)
    } else {
        f64::NAN
    }
}

impl ReliabilityCurve {
    /// That of a layer's maps of one side.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn of(results: &Results, layer: &LayerResults, side: Side) -> Result<Self, ResultsError> {
        let top = results.configuration().settings.top;
        let kept = layer.reliability_curve(side)?;
        let columns = kept.as_ref().map_or(0, Array2::ncols);
        let counts = (0..columns).map(|place| 2 << place);
        let counts: Vec<usize> = counts.take_while(|images| *images < top).collect();
        let all = layer.reliability(side)?;
        let of_unit = |unit: usize| {
            let kept = kept.iter().flat_map(|kept| kept.row(unit).into_iter().take(counts.len()));
            let all = all.get(unit).copied().flatten().unwrap_or(f64::NAN);
            (unit, kept.copied().chain([all]).collect())
        };
        let swept = layer.swept();
        let presented = swept.iter().map(|&unit| layer.images(unit, side)).collect();
        let units = swept.into_iter().map(of_unit).collect();
        Ok(Self { images: [&counts[..], &[top]].concat(), units, presented })
    }

    /// The distributions over units.
    pub fn over_units(&self) -> Reliability {
        let column = |place: usize| self.units.iter().map(move |(_, values)| values[place]);
        let last = self.images.len() - 1;
        let curve = self.images.iter().enumerate();
        Reliability {
            curve: curve.map(|(place, &n)| (n, Distribution::of(column(place)))).collect(),
            needed: Distribution::of(
                column(last)
                    .zip(&self.presented)
                    .map(|(found, &images)| images_for(TARGET, images, found)),
            ),
        }
    }
}

impl Reliability {
    /// The columns of [`rows`](Self::rows).
    pub(super) const COLUMNS: [Column; 3] = [
        (
            "measure",
            "",
            "reliability: split-half reliability by so many images; images_for_0.95: images that reach 0.95, by Spearman and Brown's formula",
        ),
        ("images", "", "the first images of the ranking"),
        ("count", "", "units that have a value"),
    ];

    /// A row for each number of images, and one for the images that are needed: measure, images, count,
    /// mean and quantiles.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let curve = self.curve.iter();
        let mut rows: Vec<(&str, String, Option<Distribution>)> =
            curve.map(|(images, found)| ("reliability", images.to_string(), *found)).collect();
        rows.push(("images_for_0.95", String::new(), self.needed));
        let fields = |(measure, images, found): (&str, String, Option<Distribution>)| {
            let count = found.map_or(0, |found| found.count).to_string();
            [vec![measure.to_owned(), images, count], quantiles(found)].concat()
        };
        rows.into_iter().map(fields).collect()
    }
}

/// The reliability curves of some layers: a row a unit, side and number of images, and a row a layer,
/// side and number of images with the distribution over units.
///
/// # Errors
/// Files that cannot be read.
pub fn tables(results: &Results, layers: &[&LayerResults]) -> Result<[Table; 2], ResultsError> {
    const LAYER: Column = ("layer", "", "short name of the layer");
    const SIDE: Column = ("side", "", "max: maps over the top images; min: over the bottom images");
    let (mut of_units, mut of_layers) = (Vec::new(), Vec::new());
    for layer in layers {
        for side in Side::BOTH {
            let front = [layer.name().to_owned(), side.name().to_owned()];
            let curve = ReliabilityCurve::of(results, layer, side)?;
            for (unit, values) in &curve.units {
                let fields = |(images, value): (&usize, &f64)| {
                    [&front[..], &[unit.to_string(), images.to_string(), number(*value)]].concat()
                };
                of_units.extend(curve.images.iter().zip(values).map(fields));
            }
            let rows = curve.over_units().rows().into_iter();
            of_layers.extend(rows.map(|fields| [&front[..], &fields].concat()));
        }
    }
    let unit = [
        ("unit", "", "the unit, from 0"),
        ("images", "", "the first images of the ranking; the last number is that of all"),
        ("reliability", "", "split-half reliability of the map by these images"),
    ];
    Ok([
        Table::new(&[&[LAYER, SIDE][..], &unit].concat(), of_units),
        Table::new(&[&[LAYER, SIDE][..], &Reliability::COLUMNS, &QUANTILES].concat(), of_layers),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_as_many_as_spearman_and_brown_say() {
        // Twice the images step 0.5 up to 2 · 0.5 / (1 + 0.5).
        assert!((images_for(2.0 / 3.0, 10, 0.5) - 20.0).abs() < 1e-12);
        assert!((images_for(0.95, 100, 0.95) - 100.0).abs() < 1e-9);
        assert!(images_for(0.95, 100, 0.0).is_nan() && images_for(0.95, 100, -0.2).is_nan());
        assert!(images_for(0.95, 100, 1.0).is_nan());
    }
}
