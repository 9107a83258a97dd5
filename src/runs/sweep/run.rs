//! The inputs of a sweep, opened and checked before any work starts.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use bytesize::ByteSize;

use super::blocks::SUMS;
use crate::engine::{Engine, Float64Engine};
use crate::files::{counted, escaped};
use crate::noise::FillRule;
use crate::runs::memory::{Budget, Demand, free_memory, settle};
use crate::runs::{Compute, Context, Inputs, OutputFolder, RunError, SweepSettings};
use crate::sweep::{MemoryShares, TooLittleMemory};

/// A sweep that is ready to start.
pub struct SweepRun<'a> {
    pub(in crate::runs) settings: &'a SweepSettings,
    /// Units of each layer.
    pub(in crate::runs) units: Vec<Vec<usize>>,
    pub(in crate::runs) compute: Compute,
    pub(in crate::runs) output: OutputFolder,
    pub(in crate::runs) inputs: Inputs,
    pub(in crate::runs) budget: Budget,
    pub(in crate::runs) memory: MemoryShares,
    /// The mean of the images, once it is needed.
    pub(in crate::runs) mean: Arc<OnceLock<Vec<f32>>>,
    /// Whether images were compared with their digests, for all sizes.
    pub(in crate::runs) unchanged: Arc<AtomicBool>,
    pub(in crate::runs) context: Context<'a>,
}

impl<'a> SweepRun<'a> {
    /// Opens the inputs; `known` may be in the output folder already, beside the folders of sizes.
    pub(in crate::runs) fn open(
        settings: &'a SweepSettings,
        known: &[&str],
        context: &Context<'a>,
    ) -> Result<Self, RunError> {
        let SweepSettings { input, output, .. } = settings;
        output.check()?;
        let chosen = input.choose_layers()?;
        let units = settings.check(&chosen.network, &chosen.layers)?;
        let sizes = settings.size_names();
        let known: Vec<&str> =
            sizes.iter().map(String::as_str).chain(known.iter().copied()).collect();
        let folder = OutputFolder::check_or_resume(&output.folder, output.force, &known)?;
        folder.check_sizes(&sizes)?;
        let compute = settings.compute.open(&chosen.network, &chosen.layers, context)?;
        let compute = compute.with_fill(settings.occlusion.fill, context)?;
        let inputs = Inputs::load(chosen, input, context)?;
        inputs.check_fields()?;
        settings.occlusion.check_image(&inputs)?;
        settings.occlusion.check_fill(&inputs.images, settings.occlusion.repeats)?;
        let (budget, memory) = shares(settings, &compute, &inputs, context)?;
        note_whole_maps(&inputs, context);
        note_range(&inputs, settings.occlusion.fill, context);
        let context = *context;
        let (output, mean, unchanged) = (folder, Arc::default(), Arc::default());
        Ok(Self {
            settings,
            units,
            compute,
            output,
            inputs,
            budget,
            memory,
            mean,
            unchanged,
            context,
        })
    }

    /// The engines, one per device.
    pub(in crate::runs) fn engines(&self) -> Vec<Box<dyn Engine>> {
        self.compute.engines(Some(self.memory.activations))
    }
}

/// Notes the layers whose presentations compute whole maps.
fn note_whole_maps(inputs: &Inputs, context: &Context<'_>) {
    let network = inputs.network();
    let mut whole = inputs.layers.iter().filter(|&&layer| network.has_exact_gates_before(layer));
    if let Some(&first) = whole.next() {
        let more = whole.count();
        let and = if more > 0 { format!(" and {more} more layers") } else { String::new() };
        context.note(format!(
            "note: {}{and} lie behind gates of the whole map (squeeze and excitation): each presentation \
             computes whole maps from the first gate on; --context frozen takes the gates of the original \
             image, which is many times faster",
            escaped(&network.short_name(first))
        ));
    }
}

/// Notes images whose values noise in [-1, 1) hardly changes.
fn note_range(inputs: &Inputs, fill: FillRule, context: &Context<'_>) {
    const LARGE: f32 = 16.0;
    let (true, Ok(image)) = (fill.is_noise(), inputs.images.read(0)) else { return };
    let largest = image.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    if largest > LARGE {
        context.note(format!(
            "note: {} has values up to {largest}, which noise in [-1, 1) hardly changes; if the network \
             was trained on such values, choose another --fill, such as mean or blur",
            escaped(&inputs.images.names()[0])
        ));
    }
}

/// Threads and memory of a sweep, and the division of the memory: the limits of each device's share
/// of the work.
fn shares(
    settings: &SweepSettings,
    compute: &Compute,
    inputs: &Inputs,
    context: &Context<'_>,
) -> Result<(Budget, MemoryShares), RunError> {
    let Inputs { model, layers, images } = inputs;
    let mut engines = compute.engines(None);
    let devices = engines.len();
    if settings.verify > 0 {
        engines.push(Box::new(Float64Engine));
    }
    let engines: Vec<&dyn Engine> = engines.iter().map(AsRef::as_ref).collect();
    // Of units that stop, each device holds the sums of some at a time.
    let sums = settings.occlusion.until_reliable.map_or(0, |_| devices * SUMS);
    let of = |total: u64, threads| {
        let total = usize::try_from(total).unwrap_or(usize::MAX).saturating_sub(sums);
        let shares = MemoryShares::of(total, &engines, model, layers, images.size(), threads);
        shares
            .map(|shares| MemoryShares { fixed: shares.fixed + sums, ..shares })
            .map_err(|error| TooLittleMemory { needed: error.needed + sums, ..error })
    };
    let demand = Demand {
        threads: context.threads(),
        fewer_threads: settings.fewer_threads,
        memory: settings.memory,
        usual: SweepSettings::MEMORY,
        free: free_memory(),
    };
    let needs = |threads| of(0, threads).map_or_else(|error| error.needed as u64, |_| 0);
    // Rounded up to a value that can be typed.
    let shown = |bytes: u64| ByteSize::mib(bytes.div_ceil(1 << 20));
    let name = inputs.network().name();
    let threads = demand.threads;
    let fewest = if demand.fewer_threads { 1 } else { threads };
    let too_little = |needed: u64| {
        let limit = settings.memory.map_or_else(
            || format!("{} of free memory", ByteSize(demand.free.unwrap_or_default())),
            |memory| format!("--memory {}", ByteSize(memory)),
        );
        RunError::usage(format!(
            "{limit}: {name} with {} needs at least {}; give more, or fewer --threads",
            counted(fewest, "thread"),
            shown(needed)
        ))
    };
    let budget = settle(demand, needs).map_err(too_little)?;
    if budget.threads < threads {
        context.note(format!(
            "note: {} of {threads} threads work, since {name} with all needs {} of memory; \
             --memory raises the limit",
            budget.threads,
            shown(needs(threads))
        ));
    }
    let shares =
        of(budget.memory, budget.threads).map_err(|error| too_little(error.needed as u64))?;
    Ok((budget, shares.among(devices)))
}
