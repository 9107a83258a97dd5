//! Which maps of two sets belong to the same unit.

use super::maps::LayerSet;
use super::{ComparisonError, ComparisonSettings, LeftOut, MapArray, MapSet};
use crate::analysis::Raster;
use crate::files::counted;
use crate::report::results::{LayerResults, Results};

/// A layer that both sets have, with one pair of sides.
#[derive(Debug)]
pub(super) struct MatchedLayer<'a> {
    pub name: String,
    /// The sides, as they are shown.
    pub sides: String,
    /// The RF's side length in pixels; of two arrays the longer side of the first.
    pub rf: f64,
    pub sets: [LayerSet<'a>; 2],
    /// The units, ascending.
    pub units: Vec<usize>,
}

/// The layers and units that two sets have in common, and the others.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    pub layers: Vec<MatchedLayer<'a>>,
    pub left_out: Vec<LeftOut>,
}

impl MatchedLayer<'_> {
    /// The cells on which both are compared.
    pub fn raster(&self) -> Raster {
        let [one, other] = self.sets.each_ref().map(LayerSet::raster);
        Raster { y: one.y.coarser(other.y).coarsened(), x: one.x.coarser(other.x).coarsened() }
    }
}

/// Matches two sets.
pub(super) fn matched<'a>(
    sets: [&'a MapSet<'a>; 2],
    settings: &ComparisonSettings,
) -> Result<Matched<'a>, ComparisonError> {
    settings.pairs.check()?;
    let mut matched = Matched { layers: Vec::new(), left_out: Vec::new() };
    match sets {
        [MapSet::Results(one), MapSet::Results(other)] => {
            folders([one, other], settings, &mut matched)?;
        }
        [MapSet::Results(results), MapSet::Array(array)] => {
            let layer = only_layer(results, settings)?;
            for sides in &settings.sides {
                let folder = LayerSet::of_results(results, layer, sides.0[0]);
                let name = sides.0[0].name();
                let sets = [folder, LayerSet::of_array(over(array, layer)?, [layer.rf(); 2])];
                add(layer.name(), name, layer.rf(), sets, settings, &mut matched)?;
            }
        }
        [MapSet::Array(array), MapSet::Results(results)] => {
            let layer = only_layer(results, settings)?;
            for sides in &settings.sides {
                let folder = LayerSet::of_results(results, layer, sides.0[1]);
                let name = sides.0[1].name();
                let sets = [LayerSet::of_array(over(array, layer)?, [layer.rf(); 2]), folder];
                add(layer.name(), name, layer.rf(), sets, settings, &mut matched)?;
            }
        }
        [MapSet::Array(one), MapSet::Array(other)] => {
            if !settings.layers.is_empty() {
                let problem = "layers are named, and neither of two arrays has any".into();
                return Err(ComparisonError::Selection(problem));
            }
            let ([_, height, width], [_, rows, columns]) = (one.shape(), other.shape());
            let rounding = 0.5 / height.min(width) as f64 + 0.5 / rows.min(columns) as f64;
            let ratio = (height * columns) as f64 / (width * rows) as f64;
            if ratio.ln().abs() > rounding {
                let problem = format!(
                    "{} has maps of {height} rows and {width} columns, and {} of {rows} and {columns}: \
                     they cannot both be maps of one receptive field; expected the same aspect",
                    one.name(),
                    other.name()
                );
                return Err(ComparisonError::Selection(problem));
            }
            let sets = [one, other].map(|array| LayerSet::of_array(array, [height, width]));
            add("maps", "", height.max(width), sets, settings, &mut matched)?;
        }
    }
    if matched.layers.is_empty() {
        let reasons =
            matched.left_out.iter().map(|left| format!("{}: {}", left.layer, left.reason));
        let [one, other] = sets.map(MapSet::name);
        let why = reasons.collect::<Vec<_>>().join("; ");
        return Err(ComparisonError::Nothing { one, other, why });
    }
    Ok(matched)
}

/// The layers that two folders have.
fn folders<'a>(
    [one, other]: [&'a Results; 2],
    settings: &ComparisonSettings,
    matched: &mut Matched<'a>,
) -> Result<(), ComparisonError> {
    let mut left_out = |layer: &LayerResults, reason: String| {
        matched.left_out.push(LeftOut { layer: layer.name().into(), reason });
    };
    let mut both = Vec::new();
    let found = |name: &str| other.layers().iter().find(|layer| layer.name() == name);
    for layer in one.layers_named(&settings.layers)? {
        match found(layer.name()) {
            None => left_out(layer, "only in A".into()),
            Some(same) if same.rf() != layer.rf() => {
                let (rf, other) = (layer.rf(), same.rf());
                let reason = format!("receptive fields of {rf} pixels in A and of {other} in B");
                left_out(layer, reason);
            }
            Some(same) => both.push((layer, same)),
        }
    }
    if settings.layers.is_empty() {
        for layer in other.layers() {
            if one.layers().iter().all(|there| there.name() != layer.name()) {
                left_out(layer, "only in B".into());
            }
        }
    }
    for (layer, same) in both {
        for sides in &settings.sides {
            let sets = [
                LayerSet::of_results(one, layer, sides.0[0]),
                LayerSet::of_results(other, same, sides.0[1]),
            ];
            add(layer.name(), &sides.to_string(), layer.rf(), sets, settings, matched)?;
        }
    }
    Ok(())
}

/// Adds a layer, with the units that both sets have.
fn add<'a>(
    name: &str,
    sides: &str,
    rf: usize,
    sets: [LayerSet<'a>; 2],
    settings: &ComparisonSettings,
    matched: &mut Matched<'a>,
) -> Result<(), ComparisonError> {
    let [one, other] = sets.each_ref().map(LayerSet::units);
    let common = one.min(other);
    let units = settings.units.of(common).map_err(|missing| {
        let last = common - 1;
        let problem =
            format!("{name} has no unit {missing} in both sets; they have units 0 to {last}");
        ComparisonError::Selection(problem)
    })?;
    if one != other && settings.units.is_all() {
        let set = if one > other { "A" } else { "B" };
        let reason =
            format!("{} only in {set}, from unit {common} on", units_of(one.abs_diff(other)));
        let layer = label(name, sides);
        matched.left_out.push(LeftOut { layer, reason });
    }
    let (name, sides) = (name.to_owned(), sides.to_owned());
    matched.layers.push(MatchedLayer { name, sides, rf: rf as f64, sets, units });
    Ok(())
}

/// A layer and its sides, as they are shown.
pub(super) fn label(name: &str, sides: &str) -> String {
    if sides.is_empty() { name.to_owned() } else { format!("{name} {sides}") }
}

/// So many units, in words.
pub(super) fn units_of(count: usize) -> String {
    counted(count, "unit")
}

/// The layer that an array is compared with.
fn only_layer<'r>(
    results: &'r Results,
    settings: &ComparisonSettings,
) -> Result<&'r LayerResults, ComparisonError> {
    match results.layers_named(&settings.layers)?[..] {
        [layer] => Ok(layer),
        ref layers => {
            let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
            let problem = format!(
                "an array has the maps of one layer, and {} are meant ({}); name one",
                layers.len(),
                names.join(", ")
            );
            Err(ComparisonError::Selection(problem))
        }
    }
}

/// An array that can lie over the RFs of a layer: they are squares.
fn over<'a>(array: &'a MapArray, layer: &LayerResults) -> Result<&'a MapArray, ComparisonError> {
    let [_, height, width] = array.shape();
    if height == width {
        return Ok(array);
    }
    let problem = format!(
        "{}: its maps have {height} rows and {width} columns; those of {} are squares of {} pixels",
        array.name(),
        layer.name(),
        layer.rf()
    );
    Err(ComparisonError::Selection(problem))
}
