//! What keeping blocks costs: `cargo bench --bench resume`
//!
//! 1. Checkpoints: what claiming, writing and releasing a block takes alone, as a share of what blocks
//!    of AlexNet's third convolution say they took, of as many units as by default and of one.
//! 2. How soon a shard is done that finds 10,000 blocks done.
//! 3. The memory of a merge, for 1,000 and for 10,000 units.
#![allow(clippy::print_stdout, reason = "a benchmark reports")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail by panicking")]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use occlumap::blocks::{Block, BlockError, BlockFolder, Stored, Taken};
use occlumap::noise::TorchStream;
use safetensors::tensor::{Dtype, TensorView};

/// A run of the program.
struct Ran {
    seconds: f64,
    /// The most that it had resident, in MB.
    megabytes: f64,
}

fn main() {
    let place = tempfile::tempdir().unwrap();
    checkpoints(place.path());
    resume_and_merge(place.path());
}

fn checkpoints(place: &Path) {
    let model = common::preset("alexnet");
    let weights = place.join("alexnet.safetensors");
    let mut tensors = Tensors::default();
    for (id, _) in model.network().convolutions() {
        let name = &model.network().layer(id).name;
        let filters = model.filters(id).unwrap();
        let inputs = model.network().channels_of(model.network().layer(id).inputs[0]);
        let units = filters.bias.len();
        let kernel = (filters.weight.len() / units / inputs).isqrt();
        tensors.add(&format!("{name}.weight"), &[units, inputs, kernel, kernel], &filters.weight);
        tensors.add(&format!("{name}.bias"), &[units], &filters.bias);
    }
    tensors.write(&weights);
    images(&place.join("alexnet"), 20, [3, 227, 227]);
    let each = checkpoint(place);
    println!(
        "checkpoints: claiming, writing and releasing a block on this disk: {:.2} ms",
        1e3 * each
    );
    println!("  conv3 of AlexNet, 12 units, 20 images a side");
    for block in [12, 1] {
        let out = place.join(format!("alexnet-{block}"));
        let run = |rest: &str| {
            let line = format!(
                "run --model alexnet --layers conv3 --units 0-11 --top 20 --block {block} {rest}"
            );
            ran(
                &line,
                [("--weights", &weights), ("--images", &place.join("alexnet")), ("--out", &out)],
            )
        };
        run("--rank-only");
        run("");
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
        let inside = manifest["layers"]["conv3"]["seconds"].as_f64().unwrap();
        let blocks = 12_usize.div_ceil(block);
        let share = 100.0 * each * blocks as f64 / inside;
        println!(
            "  {blocks:2} blocks: {inside:6.2} s; checkpoints, were they not beside it: {share:.2} %"
        );
    }
}

/// Seconds of a block's lease and files, without a computation beside which they are written.
fn checkpoint(place: &Path) -> f64 {
    let stored = Stored { configuration: "none", about: () };
    let folder = BlockFolder::open(&place.join("blocks"), &stored).unwrap();
    let names: Vec<String> = (0..500).map(|block| format!("block-{block}")).collect();
    let compute = |_: &str| Ok::<_, BlockError>(Block { record: (), payload: vec![7; 4096] });
    let start = Instant::now();
    folder.pass(&names, Taken::Try, &[compute]).unwrap();
    start.elapsed().as_secs_f64() / names.len() as f64
}

/// A network of one convolution with so many units, and small images.
fn resume_and_merge(place: &Path) {
    images(&place.join("small"), 4, [3, 48, 48]);
    println!("resume and merge: a layer of receptive fields of 31 pixels, a block a unit");
    for units in [1000, 10_000] {
        let path = |name: &str| place.join(format!("{units}{name}"));
        let (model, weights, out) = (path(".json"), path(".safetensors"), path("-out"));
        let layer = serde_json::json!({
            "name": "wide",
            "layers": [
                {"name": "0", "op": "conv", "out_channels": 4, "kernel": 31, "stride": 8},
                {"name": "1", "op": "conv", "out_channels": units, "kernel": 1},
            ],
        });
        std::fs::write(&model, layer.to_string()).unwrap();
        let mut values = TorchStream::new(1).map(|value| value - 0.5);
        let mut take = |count| values.by_ref().take(count).collect::<Vec<f32>>();
        let mut tensors = Tensors::default();
        tensors.add("0.weight", &[4, 3, 31, 31], &take(4 * 3 * 31 * 31));
        tensors.add("0.bias", &[4], &take(4));
        tensors.add("1.weight", &[units, 4, 1, 1], &take(4 * units));
        tensors.add("1.bias", &[units], &take(units));
        tensors.write(&weights);
        let run = |rest: &str| {
            let line = format!("run --layers conv2 --top 1 --block 1 --every 4 {rest}");
            let images = place.join("small");
            let paths = [("--model", &model), ("--weights", &weights), ("--images", &images)];
            ran(&line, paths.into_iter().chain([("--out", &out)]))
        };
        run("--rank-only");
        let first = run("--shard 1/1");
        let again = run("--shard 1/1");
        let merge = ran(&format!("merge {}", out.display()), []);
        let bytes = std::fs::metadata(out.join("maps/conv2_max.npy")).unwrap().len();
        println!(
            "  {units:6} blocks: computed in {:.1} s; a shard that finds all done: {:.2} s; merge: \
             {:.1} s, {:.1} MB resident, for two files of {:.1} MB",
            first.seconds,
            again.seconds,
            merge.seconds,
            merge.megabytes,
            bytes as f64 * 1e-6
        );
    }
}

/// Runs the program with words of `line` and paths behind their options; it must end well.
fn ran<'a>(line: &str, paths: impl IntoIterator<Item = (&'a str, &'a std::path::PathBuf)>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_occlumap"));
    command.args(line.split_whitespace()).arg("--quiet");
    for (option, path) in paths {
        command.arg(option).arg(path);
    }
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut kilobytes = 0.0;
    let ended = loop {
        // The most so far: the last look before the end tells.
        let most = std::fs::read_to_string(&status).unwrap_or_default();
        let most = most.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = most.and_then(|most| most.split_whitespace().next()?.parse().ok());
        kilobytes = number.unwrap_or(kilobytes);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(ended.success(), "{line}");
    Ran { seconds: start.elapsed().as_secs_f64(), megabytes: kilobytes * 1.024e-3 }
}

/// Random images, as `.npy`.
fn images(folder: &Path, count: u32, shape: [usize; 3]) {
    std::fs::create_dir_all(folder).unwrap();
    for image in 0..count {
        let [channels, height, width] = shape;
        let mut header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({channels}, {height}, {width}), }}"
        );
        let _ = writeln!(header);
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        let pixels = TorchStream::new(image).take(channels * height * width);
        bytes.extend(pixels.flat_map(f32::to_le_bytes));
        std::fs::write(folder.join(format!("{image}.npy")), bytes).unwrap();
    }
}

/// Tensors on their way into a file.
#[derive(Default)]
struct Tensors(BTreeMap<String, (Vec<usize>, Vec<u8>)>);

impl Tensors {
    fn add(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.insert(name.into(), (shape.to_vec(), bytes));
    }

    fn write(&self, path: &Path) {
        let views: Vec<(&String, TensorView<'_>)> = (self.0.iter())
            .map(|(name, (shape, bytes))| {
                (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
            })
            .collect();
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }
}
