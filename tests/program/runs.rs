//! Runs as a program calls them: without a command line, several in one process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::common::{Golden, run_well, tree};
use ndarray::{Array3, Axis};
use occlumap::error::{ErrorKind, HasKind};
use occlumap::files::npy::{self, Values};
use occlumap::geometry::{GridRule, OccluderSize};
use occlumap::images::{ImageFolder, ImageReader, ImageSource, RawImage};
use occlumap::maps::Manifest;
use occlumap::network::{Model, Network};
use occlumap::progress::CancelToken;
use occlumap::runs::{
    self, ComputeSettings, Context, DeviceChoice, InputSettings, ModelSource, Observer,
    OutputSettings, RunSettings, Share, Stage, SweepSettings, Task,
};
use rayon::ThreadPool;

fn settings(out: &Path) -> RunSettings {
    let tiny = Golden::tiny();
    let input = InputSettings::new(tiny.model, tiny.weights, tiny.images);
    let mut sweep = SweepSettings::new(input, OutputSettings::new(out));
    sweep.block = Some(2);
    sweep.compute = ComputeSettings { device: DeviceChoice::Cpu, ..ComputeSettings::default() };
    RunSettings { sweep, top: 2, rank_only: false }
}

fn pool(threads: usize) -> ThreadPool {
    runs::thread_pool(Some(threads)).unwrap()
}

/// The arrays of a run: all that must not depend on how the run was made.
fn arrays(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let is_array = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "npy");
    tree(out).into_iter().filter(|(path, _)| is_array(path)).collect()
}

/// Cancels itself when so much is done, and keeps what it is told.
#[derive(Default)]
struct Recorder {
    cancel: CancelToken,
    notes: Mutex<Vec<String>>,
    tasks: Mutex<Vec<String>>,
    /// Presentations of each layer.
    done: Mutex<Vec<(String, u64)>>,
    cancel_after: Option<&'static str>,
}

impl Observer for Recorder {
    fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.into());
    }

    fn finished(&self, task: &Task<'_>, done: u64, seconds: Option<f64>) {
        if self.cancel_after == Some(task.label) {
            self.cancel.cancel();
        }
        if task.counted == "presentations" {
            self.done.lock().unwrap().push((task.label.into(), done));
        }
        if seconds.is_some() {
            self.tasks.lock().unwrap().push(task.label.into());
        }
    }
}

#[test]
fn a_second_run_in_the_same_process_and_two_at_a_time_give_the_bytes_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    let (tiny, program) = (Golden::tiny(), out("program"));
    run_well(&format!("run {} --top 2 --device cpu --out {{}}", tiny.arguments()), &[&program]);
    let expected = arrays(&program);
    assert!(expected.len() > 20);
    let run = |name: &str, threads| {
        let (observer, pool) = (CancelToken::default(), pool(threads));
        let context = Context { observer: &observer, pool: &pool };
        runs::run(&settings(&out(name)), &context).unwrap();
        assert!(arrays(&out(name)) == expected, "{name}");
    };
    run("first", 1);
    run("second", 3);
    std::thread::scope(|scope| {
        scope.spawn(|| run("side", 1));
        scope.spawn(|| run("by side", 2));
    });
}

#[test]
fn a_cancelled_run_keeps_what_is_finished_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = (folder.path().join("out"), folder.path().join("whole"));
    let pool = pool(2);
    let recorder = Recorder { cancel_after: Some("conv1"), ..Recorder::default() };
    let context = Context { observer: &recorder, pool: &pool };
    let error = runs::run(&settings(&out), &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    let context = Context { observer: &CancelToken::default(), pool: &pool };
    let status = runs::status(&out, &context).unwrap();
    assert_eq!(status.stage, Stage::Maps);
    assert_eq!(status.parts["conv1"].done, status.parts["conv1"].blocks);
    assert_eq!(status.parts["conv4"].done, 0);

    let recorder = Recorder::default();
    let context = Context { observer: &recorder, pool: &pool };
    runs::run(&settings(&out), &context).unwrap();
    // conv1 and the ranking were there.
    assert_eq!(*recorder.tasks.lock().unwrap(), ["conv2", "conv3", "conv4"]);
    let notes = recorder.notes.lock().unwrap().join("\n");
    assert!(notes.contains("ranking: already complete"), "{notes}");
    assert_eq!(runs::status(&out, &context).unwrap().stage, Stage::Complete);
    runs::run(&settings(&whole), &context).unwrap();
    assert!(arrays(&out) == arrays(&whole));
}

#[test]
fn sizes_that_start_anew_do_so_before_the_first_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (pool, quiet) = (pool(2), CancelToken::default());
    let mut settings = settings(&out);
    settings.sweep.input.layers = vec!["conv1".into()];
    let of_size = |size| GridRule { size: OccluderSize::Pixels(size), ..GridRule::REFERENCE };
    settings.sweep.sizes = [1, 2].map(of_size).into();
    settings.sweep.occlusion.every = 3;
    runs::run(&settings, &Context { observer: &quiet, pool: &pool }).unwrap();
    let maps = |size: &str| arrays(&out.join(size).join("maps"));
    let whole = [maps("size1"), maps("size2")];

    settings.sweep.output.force = true;
    let recorder = Recorder { cancel_after: Some("conv1"), ..Recorder::default() };
    let error = runs::run(&settings, &Context { observer: &recorder, pool: &pool }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert!(!out.join("size2/manifest.json").exists());
    settings.sweep.output.force = false;
    let recorder = Recorder::default();
    runs::run(&settings, &Context { observer: &recorder, pool: &pool }).unwrap();
    let notes = recorder.notes.lock().unwrap().join("\n");
    assert!(!notes.contains("size2: already complete"), "{notes}");
    assert!(whole == [maps("size1"), maps("size2")]);
}

#[test]
fn what_units_that_stop_are_spared_counts_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, recorder) = (pool(2), Recorder::default());
    let mut settings = settings(&folder.path().join("out"));
    settings.sweep.input.layers = vec!["conv2".into()];
    settings.sweep.occlusion.every = 3;
    settings.sweep.occlusion.until_reliable = Some(1e-9);
    settings.top = 6;
    runs::run(&settings, &Context { observer: &recorder, pool: &pool }).unwrap();
    let manifest = Manifest::read(&folder.path().join("out")).unwrap().unwrap();
    let all = manifest.configuration.layers[0].presentations;
    assert!(manifest.layers["conv2"].presentations < all);
    assert_eq!(*recorder.done.lock().unwrap(), [("conv2".to_owned(), all)]);
}

#[test]
fn shards_of_one_process_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = (folder.path().join("out"), folder.path().join("whole"));
    let pool = pool(2);
    let context = Context { observer: &CancelToken::default(), pool: &pool };
    for shard in ["1/3", "2/3", "3/3"] {
        let mut settings = settings(&out);
        settings.sweep.output.share = Share::of(shard.parse().unwrap());
        runs::run(&settings, &context).unwrap();
        if shard == "2/3" {
            let error = runs::merge(&out, &[], &context).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(error.to_string().contains("is missing"), "{error}");
        }
    }
    runs::merge(&out, &[], &context).unwrap();
    runs::run(&settings(&whole), &context).unwrap();
    assert!(arrays(&out) == arrays(&whole));
}

/// Images of this process.
#[derive(Debug)]
struct Arrays(Vec<Array3<f32>>);

impl ImageReader for Arrays {
    fn name(&self) -> &'static str {
        "images.npy"
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn read(&self, index: usize) -> Result<RawImage, String> {
        Ok(RawImage::Array(Values::F32(self.0[index].clone().into_dyn())))
    }
}

#[test]
fn a_run_on_what_a_process_holds_is_gone_on_with_by_the_program_on_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (tiny, pool, out) = (Golden::tiny(), pool(2), path("out"));
    let folder = ImageFolder::open(&tiny.images, None, None).unwrap();
    let images: Vec<_> = (0..folder.len()).map(|index| folder.read(index).unwrap()).collect();
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    npy::write(&path("images.npy"), &ndarray::stack(Axis(0), &views).unwrap()).unwrap();
    let network = Network::named(&tiny.model).unwrap();
    let read = Model::load(network.clone(), &tiny.weights).unwrap();
    let filters = network.convolutions().map(|(id, _)| read.filters(id).unwrap().clone()).collect();
    let model = Model::new(network, filters).unwrap();
    model.save_weights(&path("weights.safetensors")).unwrap();

    let mut settings = settings(&out);
    settings.sweep.input.model = ModelSource::Given(Arc::new(model));
    settings.sweep.input.images = ImageSource::Reader(Arc::new(Arrays(images)));
    let recorder = Recorder { cancel_after: Some("conv2"), ..Recorder::default() };
    let context = Context { observer: &recorder, pool: &pool };
    assert_eq!(runs::run(&settings, &context).unwrap_err().kind(), ErrorKind::Stopped);

    let (weights, batch, whole) = (path("weights.safetensors"), path("images.npy"), path("whole"));
    let arguments = format!(
        "run --model {} --weights {{}} --images {{}} --top 2 --block 2 --device cpu --out {{}}",
        tiny.model
    );
    run_well(&arguments, &[&weights, &batch, &out]);
    run_well(&arguments, &[&weights, &batch, &whole]);
    assert!(arrays(&out) == arrays(&whole));
    let configuration = |out: &Path| Manifest::read(out).unwrap().unwrap().configuration;
    assert_eq!(configuration(&out), configuration(&whole));
    let recorder = Recorder::default();
    let context = Context { observer: &recorder, pool: &pool };
    runs::run(&settings, &context).unwrap();
    let notes = recorder.notes.lock().unwrap().join("\n");
    assert!(notes.contains("already complete"), "{notes}");
}

#[test]
fn errors_tell_what_a_caller_can_do() {
    let folder = tempfile::tempdir().unwrap();
    let (out, pool) = (folder.path().join("out"), pool(1));
    let context = Context { observer: &CancelToken::default(), pool: &pool };
    let kind = |change: &dyn Fn(&mut RunSettings)| {
        let mut settings = settings(&out);
        change(&mut settings);
        let error = runs::run(&settings, &context).unwrap_err();
        (error.kind(), error.to_string())
    };
    let layer = |settings: &mut RunSettings| settings.sweep.input.layers = vec!["conv9".into()];
    assert_eq!(kind(&layer).0, ErrorKind::Usage);
    let nothing = |settings: &mut RunSettings| settings.sweep.occlusion.every = 0;
    assert_eq!(kind(&nothing).0, ErrorKind::Usage);
    assert_eq!(kind(&|settings| settings.top = 0).0, ErrorKind::Usage);
    let weights = |settings: &mut RunSettings| {
        let absent = ModelSource::Files { model: Golden::tiny().model, weights: "absent".into() };
        settings.sweep.input.model = absent;
    };
    let (found, message) = kind(&weights);
    assert_eq!(found, ErrorKind::Input);
    assert!(message.contains("absent: cannot be read"), "{message}");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let inside = folder.path().join("file/out");
    let output = |settings: &mut RunSettings| settings.sweep.output.folder.clone_from(&inside);
    assert_eq!(kind(&output).0, ErrorKind::Usage);
    let little = |settings: &mut RunSettings| settings.sweep.memory = Some(1);
    assert_eq!(kind(&little).0, ErrorKind::Usage);
    assert!(!out.exists());
}

#[test]
fn the_example_ranks_sweeps_in_shards_and_reads_a_map() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = Golden::tiny();
    // Cargo builds examples with the tests, beside the program.
    let program = Path::new(env!("CARGO_BIN_EXE_occlumap"));
    let example = program.with_file_name("examples").join("sweep");
    let output = std::process::Command::new(example)
        .args([&tiny.model, &tiny.weights.display().to_string()])
        .args([&tiny.images, &folder.path().join("out")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("conv1 unit 0: 5×5 pixels"), "{output:?}");
}
