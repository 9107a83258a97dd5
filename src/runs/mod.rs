//! Runs: ranking, sweeping, resuming, sharing, merging, verifying.
//!
//! A run is a function of plain settings: [`rank`], [`sweep`](sweep()), [`run`](run()),
//! [`merge`](merge()), [`status`](status()), [`plan`](plan()), [`map`](map()). It checks the
//! settings before it works, cuts the work into blocks, reuses finished blocks, shares the others
//! with other processes by leases, and merges. A [`Context`] brings the threads and the
//! [`Observer`], which receives progress and can cancel. The [kind](crate::error::HasKind::kind) of
//! a [`RunError`] says what a caller can do.
//!
//! Runs read no command line, write to no terminal and keep no global state: several can work in
//! one process, also at the same time.

mod bench;
mod compute;
mod context;
mod device;
mod error;
mod few_occluders;
mod fill;
mod inputs;
pub mod layout;
mod map;
mod map_files;
mod memory;
mod merge;
mod output;
mod plan;
mod ranking;
mod run;
mod settings;
mod share;
mod sized;
pub mod slurm;
mod status;
mod sweep;
mod text;

pub use bench::{BenchReport, BenchSettings, Floor, KernelBench, LayerBench, bench};
pub use compute::{Compute, ComputeSettings, Method, Precision};
pub use context::{Context, Observer, Task, thread_pool};
pub use device::{DeviceChoice, Devices};
pub use error::RunError;
pub use few_occluders::LEAST_OCCLUDERS;
pub use inputs::{ChosenLayers, Inputs, ModuleLayer};
pub use map::{
    ImageChoice, MapImage, MapSettings, MapTarget, OwnMaps, PreparedMaps, SweptWeights, UnitMap,
    map,
};
pub use map_files::MapFiles;
pub use merge::merge;
pub use output::{OutputFolder, check_file};
pub use plan::{LayerPlan, Plan, plan, programs};
pub use ranking::{Ranking, rank};
pub use run::{Checked, check, run};
pub use settings::{
    InputSettings, ModelSource, OcclusionSettings, OutputSettings, RankSettings, RunSettings,
    SweepSettings,
};
pub use share::{Rest, Share, ShareChoice};
pub use sized::sized_folders;
pub use status::{PartStatus, Stage, Status, check_files, status};
pub use sweep::{SweepRun, sweep};

use context::DevicePools;
