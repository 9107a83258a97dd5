//! The program on a GPU, or on the emulator: whole runs.

mod choice;

use std::path::Path;

use occlumap::engine::cuda::Precision;
use occlumap::engine::cuda::embedded;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::emulator::{Gpu, say_skipped, told};
use crate::common::{Golden, cube, floats, json, occlumap};

/// Some units, images and occluders of the tiny network.
const SOME: &str = "--units 0,3-5 --every 7 --threads 2 --quiet";

/// What a GPU of before Ampere is told of precisions that it has not.
const NO_TENSOR_CORES: &str = "tf32, fp16 and bf16 need 8.0 (Ampere) or newer; use fp32";

/// The tiny network in a folder of its own, swept on this device.
struct Runs {
    gpu: Gpu,
    folder: TempDir,
}

impl Runs {
    fn new(test: &str) -> Option<Self> {
        let gpu = Gpu::find(test)?;
        Some(Self { gpu, folder: tempfile::tempdir().expect("a folder") })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command on the tiny network, with results in `out`; whether it ended well, and all
    /// that it said.
    fn run(&self, line: &str, out: &str, played: &[(&str, &str)]) -> (bool, String) {
        let mut command = occlumap();
        let mut words = line.split_whitespace();
        command.args(words.next()).args(Golden::tiny().arguments().split_whitespace());
        command.args(words).arg("--out").arg(self.path(out)).envs(played.iter().copied());
        let output = self.gpu.lend(&mut command).output().expect("the program starts");
        let text = told(&output);
        assert!(!text.contains("panicked"), "{line}: {text}");
        (output.status.success(), text)
    }

    fn succeeds(&self, line: &str, out: &str) {
        let (well, text) = self.run(line, out, &[]);
        assert!(well, "{line}: {text}");
    }

    /// Whether it succeeds; where tensor cores are missing, says that `what` is skipped.
    fn succeeds_with_tensor_cores(&self, line: &str, out: &str, what: &str) -> bool {
        let (well, text) = self.run(line, out, &[]);
        if !well && text.contains(NO_TENSOR_CORES) {
            say_skipped(what, NO_TENSOR_CORES);
            return false;
        }
        assert!(well, "{line}: {text}");
        true
    }

    fn sweep(&self, more: &str, out: &str) -> Value {
        let ranking = self.path("ranked/ranking");
        self.succeeds(&format!("sweep --ranking {} {SOME} {more}", ranking.display()), out);
        json(&self.path(out).join("manifest.json"))
    }

    /// Every map file of a run.
    fn maps(&self, out: &str) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.path(out).join("maps")).expect("maps");
        let read = |path: &Path| std::fs::read(path).expect("a file");
        let mut maps: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.file_name().expect("a name").to_string_lossy().into(), read(&path)))
            .collect();
        maps.sort();
        maps
    }

    /// The largest difference of two runs' mean maps, as a part of the map's largest value.
    fn difference(&self, found: &str, expected: &str) -> f64 {
        self.difference_of("", found, expected)
    }

    /// As [`difference`](Self::difference), of another kind of map, such as `_sem`.
    fn difference_of(&self, kind: &str, found: &str, expected: &str) -> f64 {
        let mut worst: f64 = 0.0;
        let names = |out| {
            let names = self.maps(out).into_iter().map(|(name, _)| name);
            names.filter(|name| {
                ["max", "min"].iter().any(|side| name.ends_with(&format!("_{side}{kind}.npy")))
            })
        };
        assert!(names(expected).eq(names(found)) && names(expected).count() > 0);
        for name in names(expected) {
            let [found, expected] =
                [found, expected].map(|out| cube(floats(&self.path(out).join("maps").join(&name))));
            for (found, expected) in found.outer_iter().zip(expected.outer_iter()) {
                let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
                for (found, expected) in found.iter().zip(expected) {
                    assert_eq!(found.is_nan(), expected.is_nan());
                    if largest > 0.0 && !expected.is_nan() {
                        worst = worst.max((found - expected).abs() / largest);
                    }
                }
            }
        }
        worst
    }
}

#[test]
fn maps_of_every_method_and_precision_are_those_of_whole_images_in_64_bits() {
    let test = "maps_of_every_method_and_precision_are_those_of_whole_images_in_64_bits";
    let Some(runs) = Runs::new(test) else { return };
    runs.succeeds("rank --top 2 --device cpu --quiet", "ranked");
    let exact = runs.sweep("--method full --precision fp64", "exact");
    assert_eq!(exact["layers"]["conv4"]["devices"], serde_json::json!(["cpu"]));
    for (name, more, precision) in [
        ("cuda-incremental", "", Precision::Fp32),
        ("cuda-incremental-tf32", "--precision tf32", Precision::Tf32),
        ("cuda-incremental-fp16", "--precision fp16", Precision::Fp16),
        ("cuda-incremental-bf16", "--precision bf16", Precision::Bf16),
        ("cuda-full", "--method full", Precision::Fp32),
    ] {
        // Of the deepest layer, behind three convolutions.
        let tolerance = precision.limits(3).largest;
        let sweep = format!("sweep --ranking {} {SOME}", runs.path("ranked/ranking").display());
        if !runs.succeeds_with_tensor_cores(&format!("{sweep} --device cuda {more}"), name, name) {
            continue;
        }
        let manifest: Value = json(&runs.path(name).join("manifest.json"));
        assert_eq!(manifest["configuration"]["engine"], name);
        let device = manifest["layers"]["conv4"]["devices"][0].as_str().expect("a device");
        assert!(device.starts_with("cuda:0 ("), "{device}");
        let difference = runs.difference(name, "exact");
        assert!(difference <= tolerance, "{name}: {difference:e}");
        assert!(difference > 0.0 || name == "cuda-full", "{name} is no engine of its own");
    }
}

/// Copies of so many bytes are made by several threads: by those of the command, however early.
#[test]
fn a_map_of_a_large_image_has_the_threads_that_were_asked_for() {
    let test = "a_map_of_a_large_image_has_the_threads_that_were_asked_for";
    let Some(runs) = Runs::new(test) else { return };
    let images = runs.path("images");
    std::fs::create_dir(&images).expect("a folder");
    let pixel = |(channel, y, x)| ((channel * 7 + y * 5 + x * 3) % 11) as f32 / 5.5 - 1.0;
    // 270 KiB, and a copy by one thread is at most of 96.
    let image = ndarray::Array3::from_shape_fn((3, 150, 154), pixel);
    occlumap::files::npy::write(&images.join("0.npy"), &image.into_dyn()).expect("an image");
    let golden = Golden::tiny();
    for (threads, device) in [("1", "cuda"), ("3", "cuda"), ("1", "cpu")] {
        let mut command = occlumap();
        command.args(["map", "--model", &golden.model, "--layer", "conv3", "--unit", "2"]);
        command.args(["--image", "0", "--position", "5,6", "--every", "9", "--quiet"]);
        command.args(["--threads", threads, "--device", device]);
        command.arg("--weights").arg(&golden.weights).arg("--images").arg(&images);
        command.arg("--out").arg(runs.path(&format!("{device}{threads}.npy")));
        let output = runs.gpu.lend(&mut command).output().expect("the program starts");
        assert!(output.status.success(), "{threads} threads, {device}: {}", told(&output));
    }
    let [one, three] = ["cuda1.npy", "cuda3.npy"].map(|name| std::fs::read(runs.path(name)));
    assert!(one.expect("a map") == three.expect("a map"));
}

#[test]
fn bytes_do_not_depend_on_the_batch_or_on_the_devices_memory() {
    let test = "bytes_do_not_depend_on_the_batch_or_on_the_devices_memory";
    let Some(runs) = Runs::new(test) else { return };
    let run = format!("run --top 2 --device cuda {SOME}");
    runs.succeeds(&run, "first");
    // What is verified is summed on the host and not on the device.
    for (out, more, memory) in [
        ("second", "--batch 1", 1_u64 << 33),
        ("third", "--batch 5", 3 << 20),
        ("fourth", "--verify 5", 1 << 33),
        ("fifth", "--batch 2 --verify 5", 3 << 20),
    ] {
        let memory = memory.to_string();
        // Whenever the device does what it was asked for.
        let played = [("EMULATOR_MEMORY", &*memory), ("EMULATOR_LAZY", "1")];
        let (well, text) = runs.run(&format!("{run} {more}"), out, &played);
        assert!(well, "{text}");
        assert!(runs.maps(out) == runs.maps("first"), "{out}: other maps");
    }
}

#[test]
fn the_bytes_of_tensor_cores_do_not_depend_on_them_either() {
    let test = "the_bytes_of_tensor_cores_do_not_depend_on_them_either";
    let Some(runs) = Runs::new(test) else { return };
    for precision in ["tf32", "fp16", "bf16"] {
        let run = format!("run --top 2 --device cuda {SOME} --precision {precision}");
        let first = format!("{precision}-first");
        if !runs.succeeds_with_tensor_cores(&run, &first, test) {
            return;
        }
        for (out, more, memory) in
            [("second", "--batch 3", 3_u64 << 20), ("third", "--batch 1 --verify 5", 1 << 33)]
        {
            let out = format!("{precision}-{out}");
            let memory = memory.to_string();
            let played = [("EMULATOR_MEMORY", &*memory)];
            let (well, text) = runs.run(&format!("{run} {more}"), &out, &played);
            assert!(well, "{text}");
            assert!(runs.maps(&out) == runs.maps(&first), "{out}: other maps");
        }
    }
    assert!(runs.maps("tf32-first") != runs.maps("bf16-first"), "one precision for both");
    // No group of the tiny network has a multiple of 16 channels: there fp16 is tf32.
    assert!(runs.maps("fp16-first") == runs.maps("tf32-first"), "few channels in fp16");
}

#[test]
fn what_is_verified_is_held_to_the_precision_that_computed_it() {
    let test = "what_is_verified_is_held_to_the_precision_that_computed_it";
    let Some(runs) = Runs::new(test) else { return };
    for (precision, limits, more_than) in [
        ("fp32", Precision::Fp32, 0.0),
        ("tf32", Precision::Tf32, 1e-5),
        ("fp16", Precision::Fp16, 1e-5),
        ("bf16", Precision::Bf16, 1e-5),
    ] {
        let run = format!("run --top 2 --device cuda {SOME} --verify 40 --precision {precision}");
        if !runs.succeeds_with_tensor_cores(&run, precision, test) {
            return;
        }
        let manifest: Value = json(&runs.path(precision).join("manifest.json"));
        let layers = manifest["layers"].as_object().expect("layers");
        let mut largest: f64 = 0.0;
        for (before, layer) in ["conv1", "conv2", "conv3", "conv4"].into_iter().enumerate() {
            let verified = &layers[layer]["verified"];
            let number = |name: &str| verified[name].as_f64().expect("a number");
            assert_eq!(verified["passed"], true, "{precision} {layer}: {verified}");
            let tolerance = limits.limits(before).largest;
            // What was written and read may differ in the last bit.
            assert!((number("tolerance") / tolerance - 1.0).abs() < 1e-12, "{precision} {layer}");
            largest = largest.max(number("largest_error"));
        }
        // What 32 bits allow would not do.
        assert!(largest > more_than, "{precision}: {largest:e}");
    }
}

#[test]
fn several_gpus_share_the_work_and_give_the_same_bytes() {
    let test = "several_gpus_share_the_work_and_give_the_same_bytes";
    let Some(gpu) = Gpu::emulated(test) else { return };
    let runs = Runs { gpu, folder: tempfile::tempdir().expect("a folder") };
    let run = format!("run --top 2 --block 1 {SOME}");
    let three = [("EMULATOR_DEVICES", "3"), ("EMULATOR_LAZY", "1")];
    for (out, device, devices) in [
        ("one", "cuda", &["cuda:0"][..]),
        ("two", "cuda:2,cuda:0", &["cuda:0", "cuda:2"]),
        ("all", "cuda:all", &["cuda:0", "cuda:1", "cuda:2"]),
    ] {
        let (well, text) = runs.run(&format!("{run} --device {device}"), out, &three);
        assert!(well, "{text}");
        assert!(runs.maps(out) == runs.maps("one"), "{out}: other maps");
        let manifest: Value = json(&runs.path(out).join("manifest.json"));
        let mut used = std::collections::BTreeSet::new();
        for layer in manifest["layers"].as_object().expect("layers").values() {
            used.extend(layer["devices"].as_array().expect("devices").iter().map(|device| {
                let name = device.as_str().expect("a name");
                name.split(' ').next().expect("a number").to_owned()
            }));
        }
        assert!(used.iter().eq(devices), "{out}: {used:?}");
    }
}

#[test]
fn repeats_and_statistics_are_those_of_whole_images_in_64_bits() {
    let test = "repeats_and_statistics_are_those_of_whole_images_in_64_bits";
    let Some(runs) = Runs::new(test) else { return };
    runs.succeeds("rank --top 3 --device cpu --quiet", "ranked");
    for (number, asked) in
        ["--repeats 3 --moments", "--statistics --moments --mean-over covering --deposit area"]
            .into_iter()
            .enumerate()
    {
        let [exact, gpu, host] = ["exact", "gpu", "host"].map(|name| format!("{name}-{number}"));
        let asked = format!("--layers conv2,conv4 {asked}");
        runs.sweep(&format!("{asked} --method full --precision fp64"), &exact);
        runs.sweep(&format!("{asked} --device cuda"), &gpu);
        // What is verified is summed on the host: its sums are the device's to the bit.
        runs.sweep(&format!("{asked} --device cuda --batch 3 --verify 5"), &host);
        assert!(runs.maps(&gpu) == runs.maps(&host), "{asked}: other sums");
        // Means, errors, counts, frames, reliabilities and two moments of two sides of two layers.
        assert_eq!(runs.maps(&gpu).len(), 28);
        for (kind, tolerance) in [("", 1e-5), ("_sem", 1e-4), ("_signed", 1e-5), ("_squared", 1e-5)]
        {
            let difference = runs.difference_of(kind, &gpu, &exact);
            assert!(0.0 < difference && difference <= tolerance, "{asked}{kind}: {difference:e}");
        }
        for (found, expected) in runs.maps(&gpu).iter().zip(runs.maps(&exact)) {
            let name = &found.0;
            if name.ends_with("_counts.npy") || name.ends_with("_frames.npy") {
                assert!(*found == expected, "{asked}: {name}");
            }
            if name.ends_with("_reliability.npy") {
                let [found, expected] =
                    [&gpu, &exact].map(|out| floats(&runs.path(out).join("maps").join(name)));
                assert!(found.iter().any(|value| value.is_finite()), "{asked}: {name}");
                for (found, expected) in found.iter().zip(&expected) {
                    let near = (found - expected).abs() <= 1e-4;
                    assert!(near || found.is_nan() && expected.is_nan(), "{asked}: {name}");
                }
            }
        }
    }
}

#[test]
fn a_ranking_of_one_device_serves_a_sweep_of_another() {
    let test = "a_ranking_of_one_device_serves_a_sweep_of_another";
    let Some(runs) = Runs::new(test) else { return };
    runs.succeeds("rank --top 2 --device cuda --quiet", "out");
    let ranking: Value = json(&runs.path("out/ranking/ranking.json"));
    assert_eq!(ranking["configuration"]["layers"][0]["engine"], "cuda-full");
    runs.succeeds(&format!("run --top 2 --device cpu {SOME}"), "out");
    let manifest: Value = json(&runs.path("out/manifest.json"));
    assert_eq!(
        (&manifest["configuration"]["engine"], &manifest["complete"]),
        (&"cpu-incremental".into(), &true.into())
    );
}

#[test]
fn a_gpu_that_is_lost_on_the_way_leaves_what_was_finished() {
    let test = "a_gpu_that_is_lost_on_the_way_leaves_what_was_finished";
    let Some(gpu) = Gpu::emulated(test) else { return };
    let runs = Runs { gpu, folder: tempfile::tempdir().expect("a folder") };
    runs.succeeds("rank --top 2 --device cpu --quiet", "ranked");
    let ranking = runs.path("ranked/ranking");
    let sweep = format!(
        "sweep --ranking {} --top 2 --device cuda --block 1 --threads 2 --units 0,3-5 --every 7",
        ranking.display()
    );
    runs.succeeds(&sweep, "whole");
    let lost = [("EMULATOR_FAULT", "46"), ("EMULATOR_FAULT_AFTER", "60")];
    let (_, text) = runs.run(&sweep, "lost", &lost);
    assert!(text.contains("exit status: 1") && text.contains("the GPU is busy or lost"), "{text}");
    let (well, text) = runs.run(&sweep, "lost", &[]);
    let (before, _) =
        text.split_once(" of 16 blocks already done").unwrap_or_else(|| panic!("{text}"));
    assert!(well && !before.ends_with(" 0"), "{text}");
    assert!(runs.maps("lost") == runs.maps("whole"), "other maps");
}

#[test]
fn bytes_do_not_depend_on_the_hosts_memory() {
    let test = "bytes_do_not_depend_on_the_hosts_memory";
    let Some(runs) = Runs::new(test) else { return };
    let run = format!("run --top 2 --device cuda --deposit area --moments {SOME}");
    runs.succeeds(&run, "plenty");
    // The least memory, of which sums and deposits have the least parts.
    let (well, text) = runs.run(&format!("{run} --memory 1MiB"), "none", &[]);
    let least = text.split_once("needs at least ").map(|(_, rest)| rest);
    let least = least.and_then(|rest| rest.split_once(';')).unwrap_or_else(|| panic!("{text}")).0;
    assert!(!well, "{text}");
    runs.succeeds(&format!("{run} --memory {}", least.replace(' ', "")), "little");
    assert!(runs.maps("little") == runs.maps("plenty"), "other maps");
}
