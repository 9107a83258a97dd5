//! Sweeps of a layer: the same whatever may be held at a time, and verified against whole images.

use occlumap::progress::{CancelToken, Progress};

use occlumap::engine::cuda::Precision;
use occlumap::engine::{
    Batch, CpuEngine, Engine, EngineError, Float64Engine, JobResult, Presenter, RankingEngine,
    ReferenceEngine,
};
use occlumap::geometry::{GridRule, LayerGeometry};
use occlumap::images::ImageFolder;
use occlumap::network::{LayerId, MapContext, Model, Network};
use occlumap::noise::Noise;
use occlumap::ranking::{LayerRanking, Side};
use occlumap::sweep::{
    ImageRange, LayerSweep, MemoryShares, Sample, SweepError, SweepFill, Verification, rank,
};

use crate::common::Golden;
use crate::common::gated::gated;

/// The tiny network and its ranked images.
struct Tiny {
    model: Model,
    layer: LayerId,
    images: ImageFolder,
    ranking: LayerRanking,
    fill: SweepFill,
}

const TOP: usize = 3;
const EVERY: usize = 11;
const PLENTY: MemoryShares =
    MemoryShares { fixed: 0, activations: 1 << 30, images: 1 << 30, responses: 1 << 30 };

impl Tiny {
    fn new() -> Self {
        let golden = Golden::tiny();
        let model = Model::load(Network::named(&golden.model).unwrap(), &golden.weights).unwrap();
        Self::of(model, "conv3")
    }

    /// A layer of another model, on the same images.
    fn of(model: Model, layer: &str) -> Self {
        let golden = Golden::tiny();
        let layer = model.network().convolution(layer).unwrap();
        let images = ImageFolder::open(&golden.images, None, None).unwrap();
        let cancel = CancelToken::default();
        let engine = ReferenceEngine.ranker(&model, &[layer], images.size()).unwrap();
        let units = [model.network().channels(layer)];
        let all = ImageRange { images: &images, range: 0..images.len() };
        let ranked = rank(&*engine, &units, all, TOP, 2, &Progress::new(&cancel)).unwrap();
        drop(engine);
        let ranking = ranked.layers.into_iter().next().unwrap();
        let fill = vec![Noise::Philox { seed: 0, draw: 0 }].into();
        Self { model, layer, images, ranking, fill }
    }

    fn engine(&self, engine: &dyn Engine) -> Box<dyn Presenter + '_> {
        engine.prepare(&self.model, &[self.layer], self.images.size()).unwrap()
    }

    fn sweep<'a>(&'a self, engine: &'a dyn Presenter, units: &'a [usize]) -> LayerSweep<'a> {
        let (network, size) = (self.model.network(), self.images.size());
        LayerSweep {
            engine,
            layer: self.layer,
            geometry: LayerGeometry::new(network, self.layer, size, GridRule::REFERENCE, EVERY)
                .unwrap(),
            images: &self.images,
            ranking: &self.ranking,
            units,
            top: TOP,
            fill: &self.fill,
            batch: 256,
            memory: PLENTY,
        }
    }
}

type Map = (usize, Side, u32, Vec<f32>);

/// All maps of a sweep, and a sample of it.
fn swept(sweep: &LayerSweep<'_>, sample: u64) -> (Vec<Map>, Sample) {
    let cancel = CancelToken::default();
    let mut maps = Vec::new();
    let mut sample = Sample::new(sample, sweep.extent().unwrap().presentations, 5);
    sweep
        .run(&Progress::new(&cancel), |finished| -> Result<(), SweepError> {
            sample.see(&finished);
            let differences = finished.presented[0].differences.clone();
            maps.push((finished.unit, finished.side, finished.entry.image, differences));
            Ok(())
        })
        .unwrap();
    (maps, sample)
}

#[test]
fn maps_come_in_order_and_do_not_depend_on_what_is_held() {
    let tiny = Tiny::new();
    let engine = tiny.engine(&CpuEngine::default());
    let units = [0, 2, 3, 5];
    let sweep = tiny.sweep(&*engine, &units);
    let (expected, _) = swept(&sweep, 0);
    let order: Vec<(usize, Side, u32)> =
        expected.iter().map(|&(unit, side, image, _)| (unit, side, image)).collect();
    let ranked: Vec<(usize, Side, u32)> = units
        .iter()
        .flat_map(|&unit| {
            let tiny = &tiny;
            Side::BOTH.into_iter().flat_map(move |side| {
                let entries = tiny.ranking[unit].side(side).iter();
                entries.map(move |entry| (unit, side, entry.image))
            })
        })
        .collect();
    assert_eq!(order, ranked);
    assert!(expected.iter().all(|(.., differences)| differences.iter().any(|&d| d != 0.0)));
    // A block a unit, one image at a time, a batch a map; and some of these.
    for (batch, images, responses) in [(1, 1, 1), (256, 1, 1 << 30), (5, 1 << 30, 1), (1, 1, 2000)]
    {
        let memory = MemoryShares { images, responses, ..PLENTY };
        let sweep = LayerSweep { batch, memory, ..tiny.sweep(&*engine, &units) };
        assert_eq!(swept(&sweep, 0).0, expected, "{batch} {images} {responses}");
    }
}

#[test]
fn what_the_caller_returns_ends_the_sweep() {
    let tiny = Tiny::new();
    let engine = tiny.engine(&CpuEngine::default());
    let cancel = CancelToken::default();
    let mut maps = 0;
    let ended = tiny.sweep(&*engine, &[0, 1]).run(&Progress::new(&cancel), |_| {
        maps += 1;
        if maps == 2 { Err(EngineError::Stopped.into()) } else { Ok(()) }
    });
    assert!(matches!(ended, Err(SweepError::Engine(EngineError::Stopped))));
    assert_eq!(maps, 2);
}

/// An engine that is wrong about one unit.
struct Wrong<'m> {
    engine: Box<dyn Presenter + 'm>,
    unit: usize,
    factor: f32,
}

impl Presenter for Wrong<'_> {
    fn present(
        &self,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        let mut presented = self.engine.present(layer, batch, progress)?;
        for (job, presented) in batch.jobs.iter().zip(&mut presented) {
            if job.unit == self.unit {
                presented.differences.iter_mut().for_each(|difference| *difference *= self.factor);
            }
        }
        Ok(presented)
    }
}

#[test]
fn a_verification_finds_differences_that_are_wrong_and_no_others() {
    let tiny = Tiny::new();
    let plain = tiny.engine(&Float64Engine);
    let cancel = CancelToken::default();
    for (factor, precision, fine) in [
        (1.0, Precision::Fp32, true),
        (1.0 + 1e-6, Precision::Fp32, true),
        (1.0005, Precision::Fp32, false),
        (f32::NAN, Precision::Fp32, false),
        (1.001, Precision::Tf32, true),
        (1.01, Precision::Tf32, false),
        (1.001, Precision::Fp16, true),
        (1.01, Precision::Fp16, false),
        (1.01, Precision::Bf16, true),
        (1.1, Precision::Bf16, false),
        (f32::NAN, Precision::Bf16, false),
    ] {
        let tolerance = precision.limits(3).largest;
        let engine = Wrong { engine: tiny.engine(&CpuEngine::default()), unit: 3, factor };
        let sweep = tiny.sweep(&engine, &[1, 3]);
        let (_, sample) = swept(&sweep, 40);
        let progress = Progress::new(&cancel);
        let found = Verification::of(&sweep, sample, &*plain, tolerance, &progress).unwrap();
        assert_eq!((found.presentations, found.tolerance), (40, tolerance));
        assert_eq!(found.beyond.is_none(), fine, "{factor}, {precision:?}: {found:?}");
        match found.beyond {
            None => assert!(found.largest_error < tolerance),
            Some((sampled, expected)) => {
                assert_eq!(sampled.unit, 3);
                let wrong = sampled.difference / expected / factor;
                assert!(wrong.is_nan() || (wrong - 1.0).abs() < 1e-3, "{sampled:?} {expected}");
            }
        }
    }
}

/// Behind squeeze and excitation, deltas of gates that kept their numbers are wrong, and so are others.
#[test]
fn a_verification_finds_wrong_deltas_behind_exact_gates() {
    let tiny = |context| {
        let network = Network::from_description(gated(3).as_bytes());
        Tiny::of(Model::random(network.unwrap().with_context(context), 3).unwrap(), "last")
    };
    let [exact, frozen] = [MapContext::Exact, MapContext::Frozen].map(tiny);
    let plain = exact.engine(&Float64Engine);
    let engine = |factor| Wrong { engine: exact.engine(&CpuEngine::default()), unit: 3, factor };
    let kept = Wrong { engine: frozen.engine(&CpuEngine::default()), unit: 3, factor: 1.0 };
    let tolerance = Precision::Fp32.limits(2).largest;
    let cancel = CancelToken::default();
    for (engine, fine) in [(engine(1.0), true), (engine(1.0005), false), (kept, false)] {
        let sweep = exact.sweep(&engine, &[1, 3]);
        let (_, sample) = swept(&sweep, 40);
        let progress = Progress::new(&cancel);
        let found = Verification::of(&sweep, sample, &*plain, tolerance, &progress).unwrap();
        assert_eq!((found.presentations, found.beyond.is_none()), (40, fine), "{found:?}");
    }
}
