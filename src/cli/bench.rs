//! `occlumap bench`: the speed of this machine, without weights or images.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::HumanCount;
use occlumap::files::write_json;
use occlumap::geometry::ImageSize;
use occlumap::runs::{self, BenchReport, BenchSettings};

use super::arguments::{
    LayerArguments, NetworkArguments, OccluderArguments, RunningArguments, at_least_one,
};
use super::compute::ComputeArguments;
use super::console;
use super::failure::Failure;
use super::table::table;
use super::terminal::Session;

/// Measure how many occluders per second this machine presents
///
/// Uses random weights and random images in memory; the time hardly depends on them. Prints
/// presentations per second of each layer at random positions, including the original images, and
/// the time of all units of all layers at that rate. On a GPU, a second run measures the time of each kernel.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  occlumap bench --model alexnet")]
pub(super) struct Bench {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    layers: LayerArguments,
    /// Size of the images: 227, or HEIGHTxWIDTH
    #[arg(long, value_name = "SIZE", default_value = "227")]
    image_size: ImageSize,
    /// Images per unit, from either end of its ranking, for the time of all units
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    top: usize,
    /// Seconds of each measurement: of a layer, and of ranking
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    time: Duration,
    /// Also write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    occluders: OccluderArguments,
    #[command(flatten)]
    compute: ComputeArguments,
    #[command(flatten)]
    running: RunningArguments,
}

impl Bench {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&self.running)?;
        let settings = BenchSettings {
            model: self.network.model,
            response: self.layers.response,
            layers: self.layers.layers,
            image: self.image_size,
            top: self.top,
            time: self.time,
            grid: self.occluders.rule()?,
            every: self.occluders.every,
            compute: self.compute.settings(),
        };
        let found = runs::bench(&settings, &session.context())?;
        if let Some(path) = &self.json {
            write_json(path, &found)?;
        }
        console::print(report(&found, self.top).as_bytes())
    }
}

fn report(bench: &BenchReport, top: usize) -> String {
    let count = |count: f64| HumanCount(count.round() as u64).to_string();
    let mut rows = vec![
        ["layer", "units", "occluders", "per second", "M multiply-adds", "GFLOP/s"]
            .map(String::from),
    ];
    for layer in &bench.layers {
        rows.push([
            layer.layer.clone(),
            layer.units.to_string(),
            format!("{:.1}", layer.occluders),
            count(layer.rate),
            format!("{:.3}", layer.multiply_adds),
            format!("{:.1}", 2e-3 * layer.multiply_adds * layer.rate),
        ]);
    }
    let mut text = format!(
        "occlumap {}, {} on images of {}, {} on {}{}, {} threads\n\n{}\n\
         ranking: {} images a second, reading them not included\n\
         all units, {top} images from either end: {} presentations, {:.3} hours\n",
        bench.version,
        bench.model,
        bench.image,
        bench.engine,
        bench.device,
        bench.instructions.map_or(String::new(), |instructions| format!(" by {instructions}")),
        bench.threads,
        table(&rows, 1),
        count(bench.ranking_rate),
        count(bench.presentations),
        bench.seconds / 3600.0,
    );
    let mut rows = vec![
        ["layer", "kernel", "starts", "µs a presentation", "of all", "GB/s", "GFLOP/s"]
            .map(String::from),
    ];
    for layer in &bench.layers {
        let all = 1e6 / layer.rate;
        rows.extend(layer.kernels.iter().map(|kernel| {
            // Blank where it is not counted.
            let a_second = |count: f64| match count {
                0.0 => String::new(),
                count => format!("{:.1}", 1e-3 * count / kernel.microseconds),
            };
            [
                layer.layer.clone(),
                kernel.kernel.to_owned(),
                kernel.starts.to_string(),
                format!("{:.4}", kernel.microseconds),
                format!("{:.1} %", 100.0 * kernel.microseconds / all),
                a_second(kernel.bytes),
                a_second(kernel.operations),
            ]
        }));
    }
    if rows.len() > 1 {
        text.extend([
            "\n",
            &table(&rows, 2),
            "\nof all: of the time of a presentation; a second: what \
                     has to be moved and multiplied, each once\n",
        ]);
    }
    let mut rows =
        vec![["layer", "MFLOP", "kB", "floor, µs", "of a presentation"].map(String::from)];
    for layer in &bench.layers {
        rows.extend(layer.floor.iter().map(|floor| {
            [
                layer.layer.clone(),
                format!("{:.3}", 1e-6 * floor.operations),
                format!("{:.1}", 1e-3 * floor.bytes),
                format!("{:.4}", floor.microseconds),
                format!("{:.1} %", 100.0 * floor.share),
            ]
        }));
    }
    if rows.len() > 1 {
        text.extend(["\n", &table(&rows, 1), "\n"]);
        text += "floor: of each kernel its bytes or its products, at the device's rates\n";
    }
    text
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, 0.001 to 3600".into()),
    }
}
