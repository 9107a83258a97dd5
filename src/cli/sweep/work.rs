//! Everything that a sweep needs, opened and checked before any work starts.

use bytesize::ByteSize;

use super::{Settings, SweepArguments};
use crate::cli::failure::Failure;
use crate::cli::inputs::{Inputs, network_and_layers};
use crate::cli::method::Chosen;
use crate::cli::output::OutputFolder;
use crate::cli::progress::Progress;
use crate::cli::share::Share;
use crate::cli::threads;
use crate::engine::{Engine, Float64Engine};
use crate::sweep::MemoryShares;

/// A sweep that can begin.
pub(in crate::cli) struct Work {
    pub arguments: SweepArguments,
    pub settings: Settings,
    pub chosen: Chosen,
    pub share: Share,
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
        let share = arguments.shard.share(arguments.force)?;
        let output = OutputFolder::check_or_resume(&arguments.out, arguments.force, known)?;
        let chosen = arguments.method.choose(progress)?;
        let inputs = Inputs::load(network, layers, &arguments.model, &arguments.images, progress)?;
        settings.check_image(&inputs)?;
        let threads = threads::start(arguments.running.threads)?;
        let memory = shares(&arguments, &chosen, &inputs, threads)?;
        Ok(Self { arguments, settings, chosen, share, output, inputs, threads, memory, progress })
    }

    /// The engines asked for, one a device.
    pub fn engines(&self) -> Vec<Box<dyn Engine>> {
        self.chosen.engines(Some(self.memory.activations))
    }
}

/// How the memory asked for is shared out: what each device's share of the work may hold.
fn shares(
    arguments: &SweepArguments,
    chosen: &Chosen,
    inputs: &Inputs,
    threads: usize,
) -> Result<MemoryShares, Failure> {
    let total = usize::try_from(arguments.memory.as_u64()).unwrap_or(usize::MAX);
    let Inputs { model, layers, images } = inputs;
    let mut engines = chosen.engines(None);
    let devices = engines.len();
    if arguments.verify > 0 {
        engines.push(Box::new(Float64Engine));
    }
    let engines: Vec<&dyn Engine> = engines.iter().map(AsRef::as_ref).collect();
    let shares = MemoryShares::of(total, &engines, model, layers, images.size(), threads);
    shares.map(|shares| shares.among(devices)).map_err(|error| {
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
