//! Everything that a sweep needs, opened and checked before any work starts.

use bytesize::ByteSize;

use crate::engine::{Engine, Float64Engine};
use crate::runs::{Compute, Context, Inputs, OutputFolder, RunError, SweepSettings};
use crate::sweep::MemoryShares;

/// A sweep that can begin.
pub struct SweepRun<'a> {
    pub(in crate::runs) settings: &'a SweepSettings,
    /// Units of each layer.
    pub(in crate::runs) units: Vec<Vec<usize>>,
    pub(in crate::runs) compute: Compute,
    pub(in crate::runs) output: OutputFolder,
    pub(in crate::runs) inputs: Inputs,
    pub(in crate::runs) memory: MemoryShares,
    pub(in crate::runs) context: Context<'a>,
}

impl<'a> SweepRun<'a> {
    /// Opens what the settings name; `known` may be in the output folder already.
    pub(in crate::runs) fn open(
        settings: &'a SweepSettings,
        known: &[&str],
        context: &Context<'a>,
    ) -> Result<Self, RunError> {
        let SweepSettings { input, output, .. } = settings;
        let chosen = input.choose_layers()?;
        let units = settings.check(&chosen)?;
        let folder = OutputFolder::check_or_resume(&output.folder, output.force, known)?;
        let compute = settings.compute.open(context)?;
        let inputs = Inputs::load(chosen, input, context)?;
        settings.occlusion.check_image(&inputs)?;
        let memory = shares(settings, &compute, &inputs, context.threads())?;
        let context = *context;
        Ok(Self { settings, units, compute, output: folder, inputs, memory, context })
    }

    /// The engines, one a device.
    pub(in crate::runs) fn engines(&self) -> Vec<Box<dyn Engine>> {
        self.compute.engines(Some(self.memory.activations))
    }
}

/// How the memory is shared out: what each device's share of the work may hold.
fn shares(
    settings: &SweepSettings,
    compute: &Compute,
    inputs: &Inputs,
    threads: usize,
) -> Result<MemoryShares, RunError> {
    let total = usize::try_from(settings.memory).unwrap_or(usize::MAX);
    let Inputs { model, layers, images } = inputs;
    let mut engines = compute.engines(None);
    let devices = engines.len();
    if settings.verify > 0 {
        engines.push(Box::new(Float64Engine));
    }
    let engines: Vec<&dyn Engine> = engines.iter().map(AsRef::as_ref).collect();
    let shares = MemoryShares::of(total, &engines, model, layers, images.size(), threads);
    shares.map(|shares| shares.among(devices)).map_err(|error| {
        // Rounded up to what can be typed.
        let needed = ByteSize::mib((error.needed as u64).div_ceil(1 << 20));
        RunError::usage(format!(
            "--memory {}: {} with {threads} threads needs at least {needed}; give more, or fewer \
             --threads",
            ByteSize(settings.memory),
            inputs.network().name()
        ))
    })
}
