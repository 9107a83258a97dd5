//! Whether a manifest's numbers are those of its network, its settings and its files.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::fmt::Display;

use crate::analysis::is_fraction;
use crate::error::ParseError;
use crate::geometry::{Frame, GeometryError, ImageSize, LayerGeometry};
use crate::maps::{
    LayerConfiguration, LayerRecord, Manifest, MapFrames, SweepAbout, SweepConfiguration,
    SweepParameters,
};
use crate::network::{LayerId, Network};
use crate::noise::{FillRule, Noise};

/// The last second of the year 9999: dates behind it have no usual form.
const LAST_SECOND: u64 = 253_402_300_799;

/// Checks the numbers of a manifest that need no layer.
pub(super) fn settings(manifest: &Manifest) -> Result<(), ParseError> {
    let SweepConfiguration { images, settings, .. } = &manifest.configuration;
    let SweepAbout { started_unix, ranking_seconds, .. } = &manifest.about;
    let SweepParameters { top, every, repeats, ref noise, .. } = *settings;
    let within = |field: &str, found: usize, most: usize| {
        let problem = || format!("{field} is {found}; expected 1 to {most}");
        (1..=most).contains(&found).then_some(()).ok_or_else(problem)
    };
    within("images.size.height", images.size.height, ImageSize::MAX_SIDE)?;
    within("images.size.width", images.size.width, ImageSize::MAX_SIDE)?;
    within("settings.top", top, images.names.len().max(1))?;
    within("settings.every", every, usize::MAX)?;
    // Each draw takes another image.
    let others = images.names.len().saturating_sub(1);
    let draws = if settings.fill == FillRule::Images { others } else { Noise::DRAWS };
    within("settings.repeats", repeats, draws)?;
    let values = settings.fill_values.as_deref();
    if values.is_some() != settings.fill.is_constant()
        || values.is_some_and(|values| !values.iter().all(|&value| (value as f32).is_finite()))
    {
        let fill = settings.fill.name();
        let expected = if settings.fill.is_constant() { "finite numbers" } else { "none" };
        return Err(ParseError(format!("settings.fill_values: expected {expected} for {fill}")));
    }
    if let Some(until) = settings.until_reliable.filter(|until| !is_fraction(*until)) {
        let problem = format!("settings.until_reliable is {until}; expected above 0 and below 1");
        return Err(ParseError(problem));
    }
    if let Err(error) = noise.parse::<Noise>() {
        return Err(ParseError(format!("settings.noise: {error}")));
    }
    if *started_unix > LAST_SECOND {
        return Err(ParseError(format!(
            "started_unix is {started_unix}; expected at most {LAST_SECOND}"
        )));
    }
    match ranking_seconds {
        Some(seconds) => duration("ranking_seconds", *seconds),
        None => Ok(()),
    }
}

/// A layer of a manifest.
#[derive(Clone, Copy)]
pub(super) struct FinishedLayer<'a> {
    /// Its entry in the sweep's configuration.
    pub configuration: &'a LayerConfiguration,
    /// Its record.
    pub record: &'a LayerRecord,
}

/// Checks a layer's record against the network and the settings; returns where its occluders are.
pub(super) fn layer(
    sweep: &SweepConfiguration,
    network: &Network,
    id: LayerId,
    layer: FinishedLayer<'_>,
) -> Result<LayerGeometry, ParseError> {
    let FinishedLayer { configuration: configured, record } = layer;
    let name = network.short_name(id);
    let (grid, every) = (sweep.settings.grid, sweep.settings.every);
    let geometry = LayerGeometry::new(network, id, sweep.images.size, grid, every)
        .map_err(|error| format!("{name}: {error}"))?;
    let geometry = LayerGeometry { frame: sweep.settings.frame, ..geometry };
    let rf = geometry.projection.size;
    let geometry_error = |error: GeometryError| ParseError(format!("{name}: {error}"));
    let (size, stride) = grid.size_and_stride(rf).map_err(geometry_error)?;
    if size > geometry.image.height.min(geometry.image.width) {
        let image = geometry.image;
        return Err(geometry_error(GeometryError::OccluderLargerThanImage { size, image }));
    }
    let same = |field, found, expected| same(&name, field, found, expected);
    same("units", configured.units, network.channels(id))?;
    same("rf", configured.rf, rf)?;
    same("occluder_size", configured.occluder_size, size)?;
    same("occluder_stride", configured.occluder_stride, stride)?;
    if let Some(swept) = &configured.swept {
        let ascending = swept.is_sorted_by(|one, other| one < other);
        if !ascending || swept.is_empty() || swept.iter().any(|&unit| unit >= configured.units) {
            let last = configured.units - 1;
            return Err(ParseError(format!(
                "{name}.swept: expected units of 0 to {last}, ascending"
            )));
        }
    }
    let expected = sweep.settings.files(&name);
    if let Some(missing) = expected.iter().find(|file| !record.files.contains_key(*file)) {
        return Err(ParseError(format!("{name}.files has no {missing}")));
    }
    if let Some(unknown) = record.files.keys().find(|file| !expected.contains(*file)) {
        return Err(ParseError(format!(
            "{name}.files has {unknown:?}, which no sweep of it writes"
        )));
    }
    if configured.name != network.layer(network.tapped(id)).name {
        let expected = &network.layer(network.tapped(id)).name;
        return Err(ParseError(format!(
            "{name}.name is {:?}; the network has {expected:?}",
            configured.name
        )));
    }
    duration(&format!("{name}.seconds"), record.seconds)?;
    Ok(geometry)
}

/// Checks a layer's record against the frames of either side's maps, which tell all occluders.
pub(super) fn frames(
    name: &str,
    geometry: &LayerGeometry,
    settings: &SweepParameters,
    layer: FinishedLayer<'_>,
    swept: &[usize],
    sides: &[MapFrames; 2],
) -> Result<(), ParseError> {
    let FinishedLayer { configuration: configured, record } = layer;
    let mut counts: HashMap<Frame, u64> = HashMap::new();
    let (mut occluders, mut without) = (0, 0);
    for (frames, &unit) in sides.iter().flat_map(|side| swept.iter().map(move |unit| (side, unit)))
    {
        let frames = frames.of(unit);
        let found = frames.len();
        let stops = settings.until_reliable.is_some()
            && (2..settings.top).contains(&found)
            && found.is_power_of_two();
        if found != settings.top && !stops {
            let expected = settings.top;
            return Err(ParseError(format!(
                "{name}: {found} frames of unit {unit}; settings.top is {expected}"
            )));
        }
        for &frame in frames {
            let count = match counts.entry(frame) {
                Occupied(known) => *known.get(),
                Vacant(new) => {
                    let placement = geometry.placement_of(frame);
                    let placement = placement.map_err(|error| format!("{name}: {error}"))?;
                    *new.insert(placement.occluders.len() as u64)
                }
            };
            occluders += count;
            without += u64::from(count == 0);
        }
    }
    let presentations = occluders * settings.repeats as u64;
    same(name, "presentations", record.presentations, presentations)?;
    if settings.until_reliable.is_none() || configured.presentations < presentations {
        same(name, "presentations", configured.presentations, presentations)?;
    }
    same(name, "maps_without_occluders", record.maps_without_occluders, without)
}

fn same<T: Copy + Display + PartialEq>(
    name: &str,
    field: &str,
    found: T,
    expected: T,
) -> Result<(), ParseError> {
    if found == expected {
        return Ok(());
    }
    Err(ParseError(format!(
        "{name}.{field} is {found}; its network, settings and frames make it {expected}"
    )))
}

fn duration(field: &str, seconds: f64) -> Result<(), ParseError> {
    if seconds >= 0.0 && seconds.is_finite() {
        return Ok(());
    }
    Err(ParseError(format!("{field} is {seconds}; expected seconds of at least 0")))
}
