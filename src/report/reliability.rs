//! How reliable maps are, by how many images.

use ndarray::Array2;

use super::csv::{Column, LAYER, QUANTILES, SIDE, Table, UNIT, number, quantiles};
use super::results::{LayerResults, Results, ResultsError};
use crate::analysis::{Distribution, is_fraction};
use crate::ranking::Side;

/// The reliability that is aimed at.
pub const TARGET: f64 = 0.95;

/// The split-half reliabilities of a layer's maps of one side, by how many images. All are stepped up from the halves to the
/// whole by Spearman and Brown's formula.
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityCurve {
    /// The first 2, 4, 8, … images of a ranking, as far as the sweep has kept them, and all.
    pub images: Vec<usize>,
    /// Each unit that was swept, ascending.
    pub units: Vec<UnitCurve>,
}

/// The reliability of a unit's map, by how many images.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitCurve {
    /// The unit.
    pub unit: usize,
    /// Reliability by each of the curve's images; NaN where there is none, as for more images than the
    /// unit was presented.
    pub values: Vec<f64>,
    /// Images that were presented: all, or those at which the unit stopped.
    pub presented: usize,
    /// Reliability by these; NaN where there is none.
    pub last: f64,
}

/// A [`ReliabilityCurve`] over units.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// How many images, and the distribution; none where units stopped at fewer, since the others are
    /// those that were not reliable.
    pub curve: Vec<(usize, Option<Distribution>)>,
    /// The distribution at the images of each unit's last reliability, where some stopped before all.
    pub stopped: Option<Distribution>,
    /// The images that reach [`TARGET`], by [`images_for`] and each unit's last reliability.
    pub needed: Option<Distribution>,
}

/// The images that reach a reliability of `target`, where `images` have one of `reliability`, by Spearman
/// and Brown's formula. It takes images for alike: those further down a ranking may tell less. NaN where
/// there is no reliability to begin with.
pub fn images_for(target: f64, images: usize, reliability: f64) -> f64 {
    let ratio = |reliability: f64| reliability / (1.0 - reliability);
    if is_fraction(reliability) {
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
        let counts = (0..columns).map(|index| 2 << index);
        let counts: Vec<usize> = counts.take_while(|images| *images < top).collect();
        let all = layer.reliability(side)?;
        let of_unit = |unit: usize| {
            let presented = layer.images(unit, side);
            let last = all.get(unit).copied().flatten().unwrap_or(f64::NAN);
            let by = |(index, &images): (usize, &usize)| match &kept {
                Some(kept) if images <= presented => kept[[unit, index]],
                _ => f64::NAN,
            };
            let whole = if presented == top { last } else { f64::NAN };
            let values = counts.iter().enumerate().map(by).chain([whole]).collect();
            UnitCurve { unit, values, presented, last }
        };
        let units = layer.swept().into_iter().map(of_unit).collect();
        Ok(Self { images: [&counts[..], &[top]].concat(), units })
    }

    /// Whether all units were presented this many images.
    fn is_of_all(&self, images: usize) -> bool {
        self.units.iter().all(|unit| unit.presented >= images)
    }

    /// The distributions over units.
    pub fn over_units(&self) -> Reliability {
        let of = |(index, &images): (usize, &usize)| {
            let values = || self.units.iter().map(|unit| unit.values[index]);
            (images, self.is_of_all(images).then(|| Distribution::of(values())).flatten())
        };
        let some_stopped = self.images.last().is_some_and(|&top| !self.is_of_all(top));
        let last = || self.units.iter().map(|unit| unit.last);
        let needed = |unit: &UnitCurve| images_for(TARGET, unit.presented, unit.last);
        Reliability {
            curve: self.images.iter().enumerate().map(of).collect(),
            stopped: some_stopped.then(|| Distribution::of(last())).flatten(),
            needed: Distribution::of(self.units.iter().map(needed)),
        }
    }
}

impl Reliability {
    /// The columns of [`rows`](Self::rows).
    pub(super) const COLUMNS: [Column; 3] = [
        (
            "measure",
            "",
            "reliability: split-half reliability by the first images of the ranking, of which units that stop have none from the first that stops; \
             reliability_stopped: by the images of each unit, where some stop; images_for_0.95: images that reach 0.95, by \
             Spearman and Brown's formula",
        ),
        ("images", "", "the first images of the ranking; empty where they are each unit's own"),
        ("count", "", "units that have a value"),
    ];

    /// A row for each number of images, where units stop one at their stops, and one for the images that
    /// are needed: measure, images, count, mean and quantiles.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let curve = self.curve.iter();
        let mut rows: Vec<(&str, String, Option<Distribution>)> =
            curve.map(|(images, found)| ("reliability", images.to_string(), *found)).collect();
        if self.stopped.is_some() {
            rows.push(("reliability_stopped", String::new(), self.stopped));
        }
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
    let (mut of_units, mut of_layers) = (Vec::new(), Vec::new());
    for layer in layers {
        for side in Side::BOTH {
            let front = [layer.name().to_owned(), side.name().to_owned()];
            let curve = ReliabilityCurve::of(results, layer, side)?;
            for unit in &curve.units {
                let fields = |(&images, &value): (&usize, &f64)| {
                    let unit = unit.unit.to_string();
                    [&front[..], &[unit, images.to_string(), number(value)]].concat()
                };
                let presented = |(images, _): &(&usize, &f64)| **images < unit.presented;
                of_units
                    .extend(curve.images.iter().zip(&unit.values).filter(presented).map(fields));
                of_units.push(fields((&unit.presented, &unit.last)));
            }
            let rows = curve.over_units().rows().into_iter();
            of_layers.extend(rows.map(|fields| [&front[..], &fields].concat()));
        }
    }
    let unit = [
        UNIT,
        (
            "images",
            "",
            "the first images of the ranking; a unit's last number is that of all it was presented",
        ),
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

    #[test]
    fn units_that_stop_leave_no_distribution_of_those_that_went_on() {
        let unit = |unit, values: [f64; 3], presented, last| {
            let values = values.to_vec();
            UnitCurve { unit, values, presented, last }
        };
        let nan = f64::NAN;
        let units = vec![unit(0, [0.9, nan, nan], 2, 0.9), unit(1, [0.1, 0.2, 0.3], 6, 0.3)];
        let curve = ReliabilityCurve { images: vec![2, 4, 6], units };
        let found = curve.over_units();
        let medians: Vec<Option<f64>> =
            found.curve.iter().map(|(_, found)| found.map(|found| found.median())).collect();
        assert_eq!(medians, [Some(0.5), None, None]);
        assert_eq!(found.stopped.unwrap().count, 2);
        assert!((found.stopped.unwrap().median() - 0.6).abs() < 1e-12);
        let needed = [images_for(TARGET, 2, 0.9), images_for(TARGET, 6, 0.3)];
        let median = found.needed.unwrap().median();
        assert!((2.0 * median - needed[0] - needed[1]).abs() < 1e-9, "{median}");
        let measures: Vec<String> = found.rows().into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(measures[3..], ["reliability_stopped", "images_for_0.95"]);
        // Units that were presented all have no row of their stops.
        let units = vec![unit(1, [0.1, 0.2, 0.3], 6, 0.3)];
        let whole = ReliabilityCurve { units, ..curve }.over_units();
        assert!(whole.stopped.is_none() && whole.rows().len() == 4);
        assert!(whole.curve.iter().all(|(_, found)| found.is_some()));
    }
}
