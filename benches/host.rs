//! What the host does for a presentation on a GPU: nanoseconds of the time that passes, of AlexNet at
//! 227×227, before a device that does nothing (`tests/emulator`, `EMULATOR_IDLE=1`). Where that is
//! less than the device needs for a presentation, the device never waits. And, likewise, how many
//! images that are in memory the host can hand over a second to be ranked.
//!
//! `cargo bench --bench host` runs on all cores, `RAYON_NUM_THREADS=1` on one; layers, and `ranking`,
//! can be named. It needs the kernels' compiler and a C++ compiler. What it leaves out are the driver's
//! own calls.
#![allow(clippy::print_stdout, reason = "it reports")]

mod common;
#[path = "../tests/common/emulator.rs"]
mod emulator;

use occlumap::progress::{CancelToken, Progress};
use std::sync::Arc;
use std::time::Instant;

use common::{IMAGE, Jobs, image, preset};
use emulator::{Gpu, is_inside, told};
use occlumap::engine::cuda::{CudaEngine, CudaFullEngine, Device, Precision};
use occlumap::engine::{Engine, PendingExtremes, RankingEngine};
use occlumap::network::Model;

/// Jobs handed over at a time, and images that they share.
const CASES: [(&str, usize, usize); 3] =
    [("middle", 256, 16), ("scattered", 256, 16), ("scattered", 4096, 256)];
const LAYERS: [&str; 5] = ["conv1", "conv2", "conv3", "conv4", "conv5"];
const REPETITIONS: usize = 5;
/// Images that are ranked.
const IMAGES: usize = 256;

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if is_inside() {
        return measure(&asked);
    }
    let Some(gpu) = Gpu::emulated("host") else { return };
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let output = gpu.run(&[("EMULATOR_IDLE", "1")], &asked);
    assert!(output.status.success(), "{}", told(&output));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

fn measure(asked: &[String]) {
    println!(
        "{} threads; layer, positions, maps, images, presentations, ns a presentation: median, least",
        rayon::current_num_threads()
    );
    let model = preset("alexnet");
    let device = Arc::new(Device::open(0).expect("the emulator"));
    let wanted = |name: &&str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    if wanted(&"ranking") {
        rank(&model, &device);
    }
    for layer in LAYERS.into_iter().filter(wanted) {
        let id = model.network().convolution(layer).expect("a layer");
        let engine = CudaEngine::new(Arc::clone(&device), Precision::Tf32);
        let prepared = engine.prepare(&model, &[id], IMAGE).expect("room");
        for (positions, maps, images) in CASES {
            let jobs = Jobs::sharing(&model, id, (maps, images), positions == "scattered", 1);
            let batch = jobs.batch();
            let presentations = jobs.presentations();
            let mut firsts = vec![0];
            firsts.extend(batch.placed().scan(0, |next, job| {
                *next += job.occluders.len();
                Some(*next)
            }));
            firsts.pop();
            let cancel = CancelToken::default();
            let progress = Progress::new(&cancel);
            let kept = prepared.keep(id, presentations).expect("a device");
            let mut kept = kept.expect("room for the differences");
            let mut nanoseconds: Vec<f64> = (0..REPETITIONS)
                .map(|_| {
                    let start = Instant::now();
                    kept.present(&batch, &firsts, &progress).expect("zeros");
                    1e9 * start.elapsed().as_secs_f64() / presentations as f64
                })
                .collect();
            nanoseconds.sort_by(f64::total_cmp);
            println!(
                "{layer} {positions:9} {maps:4} {images:3} {presentations:7} {:8.1} {:8.1}",
                nanoseconds[REPETITIONS / 2],
                nanoseconds[0]
            );
        }
    }
}

/// Ranks images for all units of all layers.
fn rank(model: &Model, device: &Arc<Device>) {
    let layers: Vec<_> = model.network().convolutions().map(|(id, _)| id).collect();
    let engine = CudaFullEngine { device: Arc::clone(device) };
    let prepared = engine.ranker(model, &layers, IMAGE).expect("room");
    let images: Vec<_> = (0..IMAGES).map(|seed| image(seed as u32)).collect();
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    let cancel = CancelToken::default();
    let progress = Progress::new(&cancel);
    let mut rates: Vec<f64> = (0..=REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            // As a ranking does: what is begun is waited for when the next is.
            let mut begun: Option<PendingExtremes<'_>> = None;
            for views in views.chunks(prepared.images_at_a_time(rayon::current_num_threads())) {
                let next = prepared.begin_extremes(views, 0, &progress).expect("a device");
                if let Some(before) = begun.replace(next) {
                    before().expect("zeros");
                }
            }
            if let Some(last) = begun {
                last().expect("zeros");
            }
            IMAGES as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!(
        "ranking, {IMAGES} images, a second: median {:.0}, most {:.0}",
        rates[REPETITIONS / 2],
        rates[REPETITIONS]
    );
}
