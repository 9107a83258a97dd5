//! Everything that a sweep needs, opened and checked before any work starts.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bytesize::ByteSize;

use super::{Settings, SweepArguments};
use crate::VERSION;
use crate::cli::failure::Failure;
use crate::cli::inputs::{Inputs, network_and_layers};
use crate::cli::output::OutputFolder;
use crate::cli::progress::Progress;
use crate::cli::threads;
use crate::engine::{Engine, Float64Engine};
use crate::maps::{ImageRecord, Manifest, ModelRecord, SettingsRecord};
use crate::sweep::MemoryShares;

/// A sweep that can begin.
pub(in crate::cli) struct Work {
    pub arguments: SweepArguments,
    pub settings: Settings,
    pub output: OutputFolder,
    pub inputs: Inputs,
    pub threads: usize,
    pub memory: MemoryShares,
    pub progress: Progress,
}

impl Work {
    /// Opens what the arguments name, and starts the threads; `known` may be in the output folder
    /// already.
    pub fn open(arguments: SweepArguments, known: &[&str]) -> Result<Self, Failure> {
        let progress = Progress::new(arguments.running.quiet);
        let (network, layers) = network_and_layers(&arguments.model, &arguments.layers)?;
        let settings = Settings::new(&arguments, &network, &layers)?;
        let output = OutputFolder::check(&arguments.out, arguments.force, known)?;
        let inputs = Inputs::load(network, layers, &arguments.model, &arguments.images, progress)?;
        settings.check_image(&inputs)?;
        let threads = threads::start(arguments.running.threads)?;
        let memory = shares(&arguments, &inputs, threads)?;
        Ok(Self { arguments, settings, output, inputs, threads, memory, progress })
    }

    /// The engine asked for.
    pub fn engine(&self) -> Result<Box<dyn Engine>, Failure> {
        self.arguments.method.engine(Some(self.memory.activations))
    }

    /// The manifest of a sweep that is about to begin.
    pub fn manifest(&self, top: usize, engine: &'static str) -> Manifest {
        let Self { arguments, settings, inputs, .. } = self;
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
            threads: self.threads,
            ranking_seconds: None,
            layers: BTreeMap::new(),
        }
    }
}

/// How the memory asked for is shared out.
fn shares(
    arguments: &SweepArguments,
    inputs: &Inputs,
    threads: usize,
) -> Result<MemoryShares, Failure> {
    let total = usize::try_from(arguments.memory.as_u64()).unwrap_or(usize::MAX);
    let Inputs { model, layers, images } = inputs;
    let mut engines = vec![arguments.method.engine(None)?];
    if arguments.verify > 0 {
        engines.push(Box::new(Float64Engine));
    }
    let engines: Vec<&dyn Engine> = engines.iter().map(AsRef::as_ref).collect();
    MemoryShares::of(total, &engines, model, layers, images.size(), threads).map_err(|error| {
        // Rounded up to what can be typed.
        let needed = ByteSize::mib((error.needed as u64).div_ceil(1 << 20));
        Failure::usage(format!(
            "--memory {}: {} with {threads} threads needs at least {needed}; give more, or fewer \
             --threads",
            arguments.memory,
            inputs.network().name()
        ))
    })
}
