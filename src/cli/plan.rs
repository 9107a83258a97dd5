//! `occlumap plan`: the cost of a run, before it runs.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use indicatif::{HumanCount, HumanDuration};
use occlumap::files::counted;
use occlumap::program::Row;
use occlumap::runs::{self, LayerPlan, RunSettings};
use occlumap::sweep::MultiplyAdds;

use super::arguments::at_least_one;
use super::console;
use super::failure::Failure;
use super::sweep::SweepArguments;
use super::table::table;
use super::terminal::Session;

/// Estimate what `run` would take: presentations, multiply-adds, time, memory and disk
///
/// Takes the options of `run` and checks everything that `run` checks before it starts; measures
/// for about a second per layer; writes nothing. The position at which an image drives a unit is
/// known only after ranking, so positions are assumed to be spread evenly.
#[derive(Debug, Args)]
#[command(mut_arg("out", |out| out.required(false)))]
#[command(after_help = "\
Example:
  occlumap plan --model alexnet --weights alexnet.safetensors --images photos/
  occlumap plan --model net.onnx --images photos/ --layers conv9 --program")]
pub(super) struct Plan {
    /// Images per unit, from either end of its ranking
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    /// Print the steps that lead to each layer instead, with their buffers and kept baselines
    #[arg(long)]
    program: bool,
    #[command(flatten)]
    common: SweepArguments,
}

impl Plan {
    pub fn execute(mut self) -> Result<(), Failure> {
        // Nothing is written, so a folder is only checked if it is named.
        let nowhere = tempfile::tempdir().map_err(|error| Failure::failed(error.to_string()))?;
        self.common.out.get_or_insert_with(|| nowhere.path().join("out"));
        let session = Session::start(&self.common.running)?;
        let sweep = self.common.settings()?;
        let settings = RunSettings { sweep, top: self.top, rank_only: false };
        if self.program {
            let programs = runs::programs(&settings, &session.context())?;
            let listings: Vec<String> =
                programs.iter().map(|(name, rows)| listing(name, rows)).collect();
            return console::print(listings.join("\n").as_bytes());
        }
        let plan = runs::plan(&settings, &session.context())?;
        console::print(report(&plan).as_bytes())
    }
}

fn report(plan: &runs::Plan) -> String {
    let mut rows = vec![
        ["layer", "maps", "presentations", "full", "cones", "deltas", "per second", "time", "disk"]
            .map(String::from),
    ];
    let millions = |count: f64| format!("{:.*}", if count < 1e6 { 3 } else { 1 }, count * 1e-6);
    let count = |count: f64| HumanCount(count.round() as u64).to_string();
    for layer in &plan.layers {
        let MultiplyAdds { full, windows, taps } = layer.multiply_adds;
        rows.push([
            layer.name.clone(),
            count(layer.maps as f64),
            count(layer.presentations()),
            millions(full),
            millions(windows),
            millions(taps),
            count(layer.rate),
            duration(layer.seconds()),
            ByteSize(layer.bytes as u64).to_string(),
        ]);
    }
    let sum = |of: fn(&LayerPlan) -> f64| plan.layers.iter().map(of).sum::<f64>();
    rows.push([
        "all".into(),
        count(sum(|layer| layer.maps as f64)),
        count(sum(LayerPlan::presentations)),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        duration(sum(LayerPlan::seconds)),
        ByteSize(sum(|layer| layer.bytes as f64) as u64).to_string(),
    ]);
    let (images, ranking) = (plan.images as f64, plan.ranking_seconds);
    let stops = if plan.stops {
        "presentations and times: at most; units stop once they are reliable (--until-reliable)\n"
    } else {
        ""
    };
    format!(
        "{} on {} images of {}, {}\n\n{}\n{stops}\
         full, cones, deltas: million multiply-adds of a presentation, of whole images, of what the\n  \
         occluder can change and the unit depends on, and with only the taps that meet a delta\n\
         ranking {} images: {}; together {}\n\
         presentations: about, with positions spread evenly over each layer, since only the ranking\n  \
         tells where they are; if no image cuts a receptive field: {}\n\
         memory: about {}, at most {} (--memory)\n",
        plan.model,
        count(images),
        plan.image_size,
        counted(plan.threads, "thread"),
        table(&rows, 1),
        count(images),
        duration(ranking),
        duration(ranking + sum(LayerPlan::seconds)),
        count(sum(LayerPlan::most_presentations)),
        ByteSize(plan.memory as u64),
        ByteSize(plan.memory_limit),
    )
}

/// The program of a layer as a table.
fn listing(name: &str, program: &[Row]) -> String {
    let heads = ["", "layer", "step", "inputs", "output", "cone", "buffer", "baseline"];
    let mut rows = vec![heads.map(String::from)];
    for (index, row) in program.iter().enumerate() {
        let [channels, height, width] = row.output;
        let inputs: Vec<String> = row.inputs.iter().map(usize::to_string).collect();
        rows.push([
            index.to_string(),
            row.layer.clone(),
            row.step.clone(),
            inputs.join(" "),
            format!("{channels}×{height}×{width}"),
            format!("{}×{}", row.cone[0], row.cone[1]),
            row.buffer.map_or(String::new(), |buffer| buffer.to_string()),
            if row.kept { "kept".into() } else { String::new() },
        ]);
    }
    format!("{name}\n\n{}", table(&rows, 3))
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        return "under 1 second".into();
    }
    HumanDuration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)).to_string()
}
