//! How much more all threads do than one: presentations a second of the incremental engine by each
//! of AlexNet's convolutions, at positions all over the layer; and, since no program scales better
//! than its machine, large matrix products.
//!
//! `cargo bench --bench threads`: one and all in turn, medians of several rounds. Layers, `direct`
//! or `winograd` can be named.
#![allow(clippy::print_stdout, reason = "it reports")]

mod common;
#[path = "common/gemm.rs"]
mod gemm;

use occlumap::progress::{CancelToken, Progress};
use std::time::Instant;

use common::{Asked, IMAGE, Jobs, preset};
use gemm::Products;
use occlumap::engine::{CpuEngine, Engine};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Jobs handed over at a time, as many as a sweep does where that does not take minutes.
const JOBS: [(&str, usize); 5] =
    [("conv1", 256), ("conv2", 256), ("conv3", 64), ("conv4", 48), ("conv5", 32)];
const ROUNDS: usize = 7;

fn main() {
    let asked = Asked::new();
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let (one, all) = (pool(1), pool(0));
    let model = preset("alexnet");
    println!("layer, form, presentations/s of one thread, of {}, ratio", all.current_num_threads());
    println!("… and how much more matrix products all do, in the same rounds");
    for (layer, count) in JOBS {
        if !asked.wants(layer, &JOBS.map(|(layer, _)| layer)) {
            continue;
        }
        let id = model.network().convolution(layer).expect("a layer");
        let jobs = Jobs::new(&model, id, count, true, 1);
        let batch = jobs.batch();
        for (form, direct) in [("direct", true), ("winograd", false)] {
            if !asked.wants(form, &["direct", "winograd"]) {
                continue;
            }
            let engine = CpuEngine { direct, ..CpuEngine::default() };
            let engine = engine.prepare(&model, &[id], IMAGE).expect("room");
            let cancel = CancelToken::default();
            let present = || {
                engine.present(id, &batch, &Progress::new(&cancel)).expect("finite responses");
            };
            let round = || {
                let times = [&one, &all].map(|pool| seconds(pool, present));
                let rates = [&one, &all].map(gemm_rate);
                (times, rates[1] / rates[0])
            };
            // Buffers, and weights that are transformed when they are first needed.
            all.install(present);
            let rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
            let of = |thing: fn(&([f64; 2], f64)) -> f64| median(rounds.iter().map(thing));
            let rate = jobs.presentations() as f64;
            println!(
                "{layer} {form:7} {:9.0} {:9.0} {:.2}; {:.2}",
                rate / of(|(times, _)| times[0]),
                rate / of(|(times, _)| times[1]),
                of(|(times, _)| times[0] / times[1]),
                of(|(_, products)| *products),
            );
        }
    }
}

/// How long something takes on the threads of a pool.
fn seconds(pool: &ThreadPool, work: impl Fn() + Send + Sync) -> f64 {
    pool.install(|| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    })
}

/// Floating-point operations a second of all threads of a pool.
fn gemm_rate(pool: &ThreadPool) -> f64 {
    pool.install(|| {
        let mut products = Products::new();
        let start = Instant::now();
        products.run();
        products.operations() / start.elapsed().as_secs_f64()
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
