//! `occlumap derive`: maps that are made of finished maps.

use std::path::PathBuf;

use clap::Args;
use occlumap::report::Results;
use occlumap::report::derived::{Derivation, DerivedKind, LeftOutKind};
use occlumap::runs::{OutputFolder, Task};

use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Derive composite, normalised and tested maps from finished maps
///
/// Writes arrays, float64 [units, rf, rf]; each pixel has the value of its cell, or NaN if it was
/// not measured. conv1_composite.npy: top and bottom maps together, each divided by its sum.
/// conv1_max_relative.npy: divided by the mean absolute response. conv1_max_floor.npy: divided
/// by the map's noise floor. conv1_max_exceeds.npy: 1 if the map exceeds its floor at a false
/// discovery rate, otherwise 0. floors.csv has the floor of each map, and the part of it that
/// exceeds the floor.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap derive out/
      every kind that the sweep's files allow, in derived/
  occlumap derive out/ --layers conv3 --only exceeds --fdr 0.01 --out tested/
      cells of conv3 above the noise floor")]
pub(super) struct Derive {
    /// Output folder of a `run` or `sweep`
    #[arg(value_name = "OUT")]
    results: PathBuf,
    /// Folder of the files
    #[arg(long, value_name = "DIR", default_value = "derived")]
    out: PathBuf,
    /// Layers, such as conv1,conv3 [default: all with maps]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<String>,
    /// Kinds of maps [default: all that the sweep's files allow]
    #[arg(long, value_enum, value_name = "KINDS", value_delimiter = ',')]
    only: Vec<DerivedKind>,
    /// False discovery rate of cells that exceed the floor
    #[arg(long, value_name = "RATE", default_value_t = 0.05)]
    fdr: f64,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    running: RunningArguments,
}

impl Derive {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let results = Results::open(&self.results, None)?;
        let layers = results.layers_named(&self.layers)?;
        let derivation = Derivation::new(&results, layers, &self.only, self.fdr)?;
        for LeftOutKind { kind, error } in derivation.left_out() {
            session.say(format!("note: no maps of kind {}: {error}", kind.name()));
        }
        let output = OutputFolder::check_files(&self.out, derivation.files(), self.force)?;
        let folder = output.create("")?;
        let task = Task { label: "derive", counted: "units", total: derivation.count() };
        session.context().compute(&task, |progress| derivation.write(&folder, progress))?;
        session.say(format!("wrote {}", folder.display()));
        Ok(())
    }
}
