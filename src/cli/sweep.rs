//! `occlumap sweep`: the maps of every unit, from a ranking.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use indicatif::HumanCount;

use super::arguments::{
    DepositName, FrameName, ImageArguments, LayerArguments, ModelArguments, OccluderArguments,
    RunningArguments, at_least_one,
};
use super::failure::{Failure, OrUsage};
use super::inputs::{Inputs, network_and_layers};
use super::method::MethodArguments;
use super::output::OutputFolder;
use super::progress::{Progress, Task};
use super::rank::RANKING;
use super::{STOP, threads};
use crate::VERSION;
use crate::engine::{Prepared, Watch};
use crate::files::{FileError, digest_of};
use crate::geometry::{Deposit, FrameRule, GeometryError, GridRule};
use crate::maps::{
    ImageRecord, LayerRecord, Manifest, MeanMaps, ModelRecord, SettingsRecord, discrepancy_map,
    write_layer,
};
use crate::network::{LayerId, Network};
use crate::noise::Noise;
use crate::ranking::{Expected, LayerFiles, LayerRanking, Provenance, RankingError};
use crate::sweep::{Extent, LayerGeometry, LayerSweep, UnitSelection};

/// Sweep the units over their ranked images
///
/// Writes OUT/maps/conv1_max.npy and conv1_min.npy, … (float64 [units, RF, RF]: mean discrepancy
/// maps over the top and the bottom images; units that were not asked for are NaN), and
/// OUT/manifest.json.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap sweep --ranking out/ranking --model alexnet --weights alexnet.safetensors \\
      --images photos/ --layers conv3 --units 0-15,40 --out out/")]
pub(super) struct Sweep {
    /// Folder of conv1.npy, …, as `rank` or the reference wrote it
    #[arg(long, value_name = "DIR")]
    ranking: PathBuf,
    /// Images a unit, from either end [default: all that are ranked]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    top: Option<usize>,
    #[command(flatten)]
    common: SweepArguments,
}

/// What `sweep` and `run` share.
#[derive(Debug, Args)]
pub(super) struct SweepArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub images: ImageArguments,
    #[command(flatten)]
    pub layers: LayerArguments,
    /// Units of each layer, such as 0-15,40 [default: all]
    #[arg(long, value_name = "UNITS", default_value = "", hide_default_value = true, value_parser = units)]
    pub units: UnitSelection,
    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace files of the same names, each as a whole; maps of layers that this run does not
    /// sweep stay, and the new manifest does not list them
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub occluders: OccluderArguments,
    /// Where an occluder's effect is added to the map
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub deposit: DepositName,
    /// Which pixel of the image is the map's first
    #[arg(long, value_enum, default_value_t, help_heading = "Occluders")]
    pub frame: FrameName,
    /// Seed of the noise
    #[arg(long, value_name = "S", default_value_t = 0, help_heading = "Occluders")]
    pub seed: u64,
    /// Maps computed together: more share more work, and need more memory; the result does not
    /// depend on it
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one, help_heading = "Running")]
    pub batch: usize,
    #[command(flatten)]
    pub method: MethodArguments,
    #[command(flatten)]
    pub running: RunningArguments,
}

fn units(text: &str) -> Result<UnitSelection, String> {
    if text.is_empty() { Ok(UnitSelection::default()) } else { text.parse() }
}

/// The folder, inside the output folder, that maps are written to.
pub(super) const MAPS: &str = "maps";

impl Sweep {
    pub fn execute(self) -> Result<(), Failure> {
        let common = self.common;
        let progress = Progress::new(common.running.quiet);
        let (network, layers) = network_and_layers(&common.model, &common.layers)?;
        let settings = Settings::new(&common, &network, &layers)?;
        let output = OutputFolder::check(&common.out, common.force, &[RANKING])?;
        let inputs = Inputs::load(network, layers, &common.model, &common.images, progress)?;
        settings.check_image(&inputs)?;
        let (rankings, top) = read_ranking(&inputs, &self.ranking, self.top)?;
        let engine = common.method.engine();
        let prepared = engine.prepare(&inputs.model, &inputs.layers, inputs.images.size())?;
        let threads = threads::start(common.running.threads)?;
        let manifest = manifest(&inputs, &common, &settings, top, engine.name(), threads);
        sweep_layers(&inputs, &*prepared, &rankings, &settings, manifest, &output, progress)
    }
}

/// The settings of a sweep, checked against the network.
pub(super) struct Settings {
    rule: GridRule,
    every: usize,
    deposit: Deposit,
    frame: FrameRule,
    noise: Noise,
    batch: usize,
    /// The units of each layer.
    units: Vec<Vec<usize>>,
}

impl Settings {
    pub fn new(
        arguments: &SweepArguments,
        network: &Network,
        layers: &[LayerId],
    ) -> Result<Self, Failure> {
        let units = layers.iter().map(|&layer| {
            let units = network.channels(layer);
            arguments.units.of(units).map_err(|unit| {
                let layer = network.short_name(layer);
                let last = units - 1;
                Failure::usage(format!("{layer} has no unit {unit}; its units are 0 to {last}"))
            })
        });
        Ok(Self {
            rule: arguments.occluders.rule(network, layers)?,
            every: arguments.occluders.every,
            deposit: arguments.deposit.into(),
            frame: arguments.frame.into(),
            noise: Noise::Philox { seed: arguments.seed, draw: 0 },
            batch: arguments.batch,
            units: units.collect::<Result<_, _>>()?,
        })
    }

    /// Checks that the occluders of every layer fit into the images. Their size may come from the
    /// RF's, which may be larger than the image.
    pub fn check_image(&self, inputs: &Inputs) -> Result<(), Failure> {
        let (network, image) = (inputs.network(), inputs.images.size());
        for &layer in &inputs.layers {
            let (size, _) = self.rule.size_and_stride(network.projection(layer).size).or_usage()?;
            if size > image.height.min(image.width) {
                let error = GeometryError::OccluderLargerThanImage { size, image };
                let layer = network.short_name(layer);
                return Err(Failure::usage(format!("{layer}: {error}")));
            }
        }
        Ok(())
    }
}

/// Reads the rankings of all layers and checks that they were made for these inputs; returns
/// them and the number of images a unit.
fn read_ranking(
    inputs: &Inputs,
    folder: &Path,
    asked: Option<usize>,
) -> Result<(Vec<LayerRanking>, usize), Failure> {
    if !folder.is_dir() {
        return Err(FileError::content(
            folder,
            "there is no such folder; expected that of conv1.npy, …, which `rank` writes as \
             OUT/ranking",
        )
        .into());
    }
    if let Some(provenance) = Provenance::read(folder)? {
        provenance.check(folder, &inputs.provenance(0))?;
    }
    let network = inputs.network();
    let mut rankings = Vec::with_capacity(inputs.layers.len());
    for &layer in &inputs.layers {
        let sizes = network.sizes(inputs.images.size(), layer)?;
        let expected = Expected {
            units: network.channels(layer),
            positions: sizes[layer.0].area(),
            images: inputs.images.len(),
        };
        rankings.push(LayerFiles::new(folder, &network.short_name(layer)).read(expected)?);
    }
    let there = rankings.iter().map(|ranking| ranking[0].top.len()).min().unwrap_or(0);
    match asked {
        Some(asked) if asked > there => Err(RankingError::TooFew { asked, there }).or_usage(),
        _ => Ok((rankings, asked.unwrap_or(there))),
    }
}

/// The manifest of a sweep that is about to begin.
pub(super) fn manifest(
    inputs: &Inputs,
    arguments: &SweepArguments,
    settings: &Settings,
    top: usize,
    engine: &'static str,
    threads: usize,
) -> Manifest {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Manifest {
        format: Manifest::FORMAT,
        version: Manifest::VERSION,
        program: VERSION,
        complete: false,
        started_unix: now.as_secs(),
        model: ModelRecord {
            name: inputs.network().name().into(),
            weights: arguments.model.weights.display().to_string(),
            network_sha256: inputs.network().digest(),
            weights_sha256: inputs.model.digest().clone(),
        },
        images: ImageRecord {
            folder: arguments.images.images.display().to_string(),
            size: inputs.images.size(),
            preprocessing: inputs.images.preprocessing().to_string(),
            names: inputs.images.names().to_vec(),
        },
        settings: SettingsRecord {
            top,
            noise: settings.noise.to_string(),
            grid: settings.rule,
            every: settings.every,
            frame: settings.frame,
            deposit: settings.deposit,
        },
        engine,
        threads,
        ranking_seconds: None,
        layers: BTreeMap::new(),
    }
}

/// Sweeps layer by layer. A layer's maps are written as soon as they are finished, and the
/// manifest after each, so a run that is stopped leaves what it has.
pub(super) fn sweep_layers(
    inputs: &Inputs,
    engine: &dyn Prepared,
    rankings: &[LayerRanking],
    settings: &Settings,
    mut manifest: Manifest,
    output: &OutputFolder,
    progress: Progress,
) -> Result<(), Failure> {
    let network = inputs.network();
    let mut sweeps = Vec::with_capacity(rankings.len());
    for ((&layer, ranking), units) in inputs.layers.iter().zip(rankings).zip(&settings.units) {
        let image = inputs.images.size();
        let mut geometry =
            LayerGeometry::new(network, layer, image, settings.rule, settings.every)?;
        geometry.frame = settings.frame;
        let sweep = LayerSweep {
            engine,
            layer,
            geometry,
            images: &inputs.images,
            ranking,
            units,
            top: manifest.settings.top,
            noise: settings.noise,
            batch: settings.batch,
        };
        // Counted before the first presentation: this finds occluders that cannot be placed.
        sweeps.push((sweep.extent().or_usage()?, sweep));
    }
    announce(&sweeps.iter().map(|(extent, _)| *extent).collect::<Vec<_>>(), progress);
    for (extent, sweep) in sweeps {
        let (name, geometry) = (network.short_name(sweep.layer), sweep.geometry);
        let (units, rf) = (network.channels(sweep.layer), geometry.projection.size);
        let mut maps = MeanMaps::new(units, rf).with_context(|| {
            format!("{name}: no memory for two arrays of {units} maps of {rf}×{rf} numbers")
        })?;
        let watch = Watch::new(&STOP);
        let task = Task { label: &name, counted: "presentations", total: extent.presentations };
        let tracked = progress.track(&task, &watch, || {
            sweep.run(&watch, |finished| {
                let placement = finished.placement;
                let map = discrepancy_map(
                    rf,
                    placement.frame,
                    settings.deposit,
                    &placement.occluders,
                    &finished.presented.differences,
                );
                maps.add(finished.unit, finished.side, &map);
            })
        });
        let ((), seconds) = tracked.with_context(|| name.clone())?;
        let maps = maps.finish();
        let folder = output.create(MAPS)?;
        if manifest.layers.is_empty() {
            // Files are replaced from here on: the manifest of an earlier sweep no longer holds.
            manifest.write(output.path())?;
        }
        let mut files = BTreeMap::new();
        for path in write_layer(&folder, &name, &maps)? {
            let file = path.file_name().map(|file| file.to_string_lossy().into_owned());
            files.insert(file.unwrap_or_default(), digest_of(&path)?);
        }
        let (occluder_size, occluder_stride) = settings.rule.size_and_stride(rf)?;
        let record = LayerRecord {
            name: network.layer(sweep.layer).name.clone(),
            units,
            swept: (sweep.units.len() < units).then(|| sweep.units.to_vec()),
            rf,
            occluder_size,
            occluder_stride,
            presentations: extent.presentations,
            maps_without_occluders: extent.maps_without_occluders,
            seconds,
            files,
        };
        manifest.layers.insert(name, record);
        manifest.complete = manifest.layers.len() == inputs.layers.len();
        manifest.write(output.path())?;
    }
    progress.say(format!("wrote {}", output.path().join(MAPS).display()));
    Ok(())
}

/// Says how much there is to do, over all layers, and what takes part in nothing.
fn announce(extents: &[Extent], progress: Progress) {
    let sum = |count: fn(&Extent) -> u64| HumanCount(extents.iter().map(count).sum());
    progress.say(format!(
        "sweep: {} presentations for {} maps",
        sum(|extent| extent.presentations),
        sum(|extent| extent.maps)
    ));
    if extents.iter().any(|extent| extent.maps_without_occluders > 0) {
        progress.say(format!(
            "note: {} maps have no occluder, since the image cuts their receptive field to less \
             than one; they count as zeros",
            sum(|extent| extent.maps_without_occluders)
        ));
    }
}
