//! Presentations a second of each of AlexNet's convolutions, 227×227, by both engines.
//!
//! `cargo bench --bench presentations` runs on all cores; `RAYON_NUM_THREADS=1` on one.
//! `docs/performance.md` has figures; `docs/benchmarks.md` has PyTorch's.

mod common;

use occlumap::progress::{CancelToken, Progress};

use common::{IMAGE, Jobs, preset};
use divan::Bencher;
use divan::counter::ItemsCount;
use occlumap::engine::{CpuEngine, Engine, ReferenceEngine};
use occlumap::network::LayerId;

fn main() {
    divan::main();
}

/// Presents some jobs and counts their occluders.
fn present(bencher: Bencher<'_, '_>, engine: &dyn Engine, layer: &str, count: usize, every: usize) {
    let model = preset("alexnet");
    let id: LayerId = model.network().convolution(layer).expect("a layer");
    let prepared = engine.prepare(&model, &[id], IMAGE).expect("room for the network");
    let jobs = Jobs::new(&model, id, count, false, every);
    let batch = jobs.batch();
    let cancel = CancelToken::default();
    let progress = Progress::new(&cancel);
    bencher
        .counter(ItemsCount::new(jobs.presentations()))
        .bench_local(|| prepared.present(id, &batch, &progress));
}

#[divan::bench(args = ["conv1", "conv2", "conv3", "conv4", "conv5"], sample_count = 5, sample_size = 1)]
fn full_alexnet(bencher: Bencher<'_, '_>, layer: &str) {
    present(bencher, &ReferenceEngine, layer, 1, 8);
}

/// 16 units in the middle, each on its own image, with their whole grids.
#[divan::bench(args = ["conv1", "conv2", "conv3", "conv4", "conv5"], sample_count = 5, sample_size = 1)]
fn incremental_alexnet(bencher: Bencher<'_, '_>, layer: &str) {
    present(bencher, &CpuEngine::default(), layer, 16, 1);
}
