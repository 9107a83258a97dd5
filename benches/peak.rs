//! How much of the machine the incremental engine uses: presentations a second of each of
//! AlexNet's convolutions, their counted multiply-adds, and what share that is of the rate at
//! which the crate `gemm` multiplies large matrices, measured in the same run. Of forms with fewer
//! multiplications than taps the taps are counted, so that their share may exceed 100 %.
//!
//! `cargo bench --bench peak` runs on all cores; `RAYON_NUM_THREADS=1` on one. Layers, and
//! `middle` or `scattered`, or `direct`, `winograd`, `bf16x3` or `bf16`, can be named: `cargo bench --bench peak -- conv5 scattered`.
#![allow(clippy::print_stdout, reason = "it reports")]

mod common;
#[path = "common/gemm.rs"]
mod gemm;

use occlumap::progress::{CancelToken, Progress};
use std::time::Instant;

use common::{Asked, IMAGE, Jobs, preset};
use gemm::Products;
use occlumap::engine::cpu::Precision;
use occlumap::engine::{Batch, CpuEngine, Engine};
use occlumap::network::{LayerId, Network};
use occlumap::program::{Planner, Subgraph};

/// Jobs handed over at a time. Their grids are presented whole: the original images' activations
/// are computed once a job, and should weigh what they weigh in a sweep.
const JOBS: [(&str, usize); 5] =
    [("conv1", 256), ("conv2", 128), ("conv3", 64), ("conv4", 64), ("conv5", 64)];
const REPETITIONS: usize = 2;

fn main() {
    let asked = Asked::new();
    let model = preset("alexnet");
    let layers = JOBS.map(|(layer, _)| layer);
    println!(
        "{} threads; layer, positions, form, presentations/s, presentations per second of one core, M \
         multiply-adds a presentation, GFLOP/s of one core, of its peak",
        rayon::current_num_threads()
    );
    for (layer, count) in JOBS {
        for positions in ["middle", "scattered"] {
            if !asked.wants(layer, &layers) || !asked.wants(positions, &["middle", "scattered"]) {
                continue;
            }
            let id: LayerId = model.network().convolution(layer).expect("a layer");
            let jobs = Jobs::new(&model, id, count, positions == "scattered", 1);
            let batch = jobs.batch();
            let counted = multiply_adds(model.network(), id, &batch) as f64;
            for (form, direct, precision) in [
                ("direct", true, Precision::Fp32),
                ("winograd", false, Precision::Fp32),
                ("bf16x3", false, Precision::Bf16x3),
                ("bf16", false, Precision::Bf16),
            ] {
                if !asked.wants(form, &["direct", "winograd", "bf16x3", "bf16"]) {
                    continue;
                }
                let engine = CpuEngine { direct, precision, ..CpuEngine::default() };
                let engine = engine.prepare(&model, &[id], IMAGE).expect("room");
                let cancel = CancelToken::default();
                let progress = Progress::new(&cancel);
                let (mut best, mut peak) = (Seconds::NEVER, 0.0_f64);
                for _ in 0..REPETITIONS {
                    peak = peak.max(gemm_rate());
                    best = best.min(Seconds::of(|| {
                        engine.present(id, &batch, &progress).expect("finite responses");
                    }));
                }
                let presentations = jobs.presentations() as f64;
                let (rate, flops) = (presentations / best.wall, 2.0 * counted / best.processor);
                println!(
                    "{layer} {positions:9} {form:7} {rate:9.0} {:9.0} {:7.3} {:6.1} {:4.0} % of {:.0}",
                    presentations / best.processor,
                    counted / presentations * 1e-6,
                    flops * 1e-9,
                    100.0 * flops / peak,
                    peak * 1e-9
                );
            }
        }
    }
}

/// Multiply-adds that meet a difference.
fn multiply_adds(network: &Network, layer: LayerId, batch: &Batch<'_>) -> u64 {
    let subgraph = Subgraph::new(network, layer, IMAGE).expect("room");
    let mut planner = Planner::new(&subgraph);
    let mut sum = 0;
    for job in batch.placed() {
        for occluder in job.occluders {
            let key = planner.key(job.position, occluder);
            let plan = planner.plan(key);
            sum += (0..subgraph.nodes().len()).map(|node| plan.multiply_adds(node)).sum::<u64>();
        }
    }
    sum
}

/// How long something took.
#[derive(Clone, Copy)]
struct Seconds {
    wall: f64,
    /// Of all threads together: what other programs take from the machine does not count.
    processor: f64,
}

impl Seconds {
    const NEVER: Self = Self { wall: f64::INFINITY, processor: f64::INFINITY };

    fn of(work: impl FnOnce()) -> Self {
        let (start, before) = (Instant::now(), processor_seconds());
        work();
        let wall = start.elapsed().as_secs_f64();
        let processor = match (before, processor_seconds()) {
            (Some(before), Some(after)) => after - before,
            _ => wall * rayon::current_num_threads() as f64,
        };
        Self { wall, processor }
    }

    fn min(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), processor: self.processor.min(other.processor) }
    }
}

/// Processor time of this program so far, where the system tells it per thread (Linux).
fn processor_seconds() -> Option<f64> {
    let mut sum = 0.0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<f64>().ok()? * 1e-9;
    }
    Some(sum)
}

/// Floating-point operations a second that one core does in large products, while all do.
fn gemm_rate() -> f64 {
    let mut products = Products::new();
    let seconds = Seconds::of(|| products.run());
    products.operations() / seconds.processor
}
