//! Kernels that do the same: variants of `kernels/lab` against what they would replace, and
//! those that ship for some shapes against those for all. Where that is asked for on a GPU, how long
//! they take.

use cudarc::driver::{CudaSlice, DeviceRepr};
use cudarc::nvrtc::Ptx;
use half::f16;

use super::super::node::NodeGeometry;
use super::super::pool::{Pool, PoolBaselines};
use super::super::present::Presentations;
use super::super::products::Products;
use super::super::tap_product::{DeltaBuffers, DeviceFilters, Patterns, Scales};
use super::emulator::{Gpu, has_tensor_cores, on_device};
use crate::engine::cuda::embedded;
use crate::engine::cuda::loaded::LoadedKernel;
use crate::engine::cuda::tables::layout::{
    Baseline, Baselines, Delta, Output, Presentation, Window, Windows,
};
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::tables::upload::Table;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{PerAxis, SlidingWindow, Span};
use crate::network::{Convolution, Filters};
use crate::noise::TorchStream;
use crate::program::TapRun;

/// A kernel of `kernels/lab/FILE.cu`.
fn variant(device: &Device, file: &str, name: &'static str) -> LoadedKernel {
    let code = Ptx::from_binary(embedded::lab(file));
    let module = device.stream.context().load_module(code).unwrap();
    LoadedKernel { name, function: module.load_function(name).unwrap() }
}

/// Max-pooling of three in steps of two: of the inputs `changed` × `changed` change, of the outputs
/// `outputs` × `outputs` are wanted, and inputs exist in `real` × `real`.
#[derive(Clone, Debug)]
struct Pooling {
    channels: usize,
    changed: Span,
    outputs: Span,
    real: Span,
    presentations: usize,
    images: usize,
    rectify: bool,
}

/// What a pooling reads, on the device.
struct Presenter {
    pool: Pool,
    presentations: Presentations,
    baseline: Baselines,
    pooled: Baselines,
    inputs: Windows,
    from: CudaSlice<f32>,
    outputs: Windows,
}

impl Pooling {
    const WINDOW: SlidingWindow = SlidingWindow { kernel: 3, stride: 2, dilation: 1, padding: 0 };
    /// Where outputs begin in their buffer: not all presentations begin where the first window does.
    const BEGIN: i64 = 32;

    fn window(span: Span, count: usize) -> Window {
        Window {
            y: span.start as i32,
            x: span.start as i32,
            height: span.len() as i32,
            width: span.len() as i32,
            count: count as u32,
            ..Window::default()
        }
    }

    /// Baselines in `span` × `span` of each image; the seed says which values.
    fn baselines(&self, device: &Device, span: Span, seed: u32) -> Baselines {
        let each = span.len() * span.len() * self.channels;
        let pitch = (span.len() * self.channels) as i64;
        let begin = span.start as i64 * (pitch + self.channels as i64);
        let of_image = |image: usize| Baseline { offset: (image * each) as i64 - begin, pitch };
        Baselines {
            images: Table::new(device, (0..self.images).map(of_image).collect()).unwrap(),
            windows: Windows::new(device, vec![Self::window(span, 1)], self.channels).unwrap(),
            values: device.upload(&noise(seed, self.images * each)).unwrap(),
        }
    }

    fn prepare(&self, device: &Device) -> Presenter {
        let Self { channels, presentations, .. } = *self;
        let read = Self::WINDOW.inputs(self.outputs).intersect(self.real);
        let from = Self::window(self.changed, presentations);
        let to = Window {
            read_y: read.start as i32,
            read_x: read.start as i32,
            read_height: read.len() as i32,
            read_width: read.len() as i32,
            offset: Self::BEGIN,
            ..Self::window(self.outputs, presentations)
        };
        let told = |which: usize| Presentation {
            image: (which * 5 % self.images) as u32,
            ..Presentation::default()
        };
        let told: Vec<Presentation> = (0..presentations).map(told).collect();
        Presenter {
            pool: Pool {
                geometry: NodeGeometry::of_map(PerAxis::both(Self::WINDOW)),
                channels,
                rectify: self.rectify,
                to_scale: 0.0,
            },
            presentations: Presentations::of(device, &told).unwrap(),
            baseline: self.baselines(device, read, 1),
            pooled: self.baselines(device, self.outputs, 2),
            inputs: Windows::new(device, vec![from], channels).unwrap(),
            from: device.upload(&noise(3, from.floats(channels))).unwrap(),
            outputs: Windows::new(device, vec![to], channels).unwrap(),
        }
    }
}

impl Presenter {
    /// By one of the kernels.
    fn run<T: DeviceRepr>(&self, device: &Device, kernel: &LoadedKernel, to: &mut CudaSlice<T>) {
        let from = Delta { windows: &self.inputs, values: &self.from };
        let baselines = PoolBaselines { read: &self.baseline, pooled: &self.pooled };
        let to = Output { windows: &self.outputs, values: to };
        self.pool.delta_by(kernel, device, &self.presentations, baselines, from, to).unwrap();
    }

    fn floats(&self) -> usize {
        self.outputs.blocks.ends[1] as usize
    }
}

/// The convolution of three behind a pooling, of whose outputs all change.
struct Convolving {
    filters: DeviceFilters,
    patterns: Patterns,
    floats: usize,
}

impl Convolving {
    fn new(device: &Device, pooling: &Pooling, products: Products) -> Self {
        let conv = Convolution::new(70, 3, 1, 1);
        let weight = noise(4, 70 * 9 * pooling.channels);
        let filters = Filters { weight, bias: vec![0.0; 70] };
        let filters =
            DeviceFilters::multiplied(products, device, &conv, &filters, pooling.channels).unwrap();
        let to = Pooling::window(pooling.outputs, pooling.presentations);
        let window = SlidingWindow { kernel: 3, stride: 1, dilation: 1, padding: 1 };
        let runs = TapRun::all(window, -1, pooling.outputs, pooling.outputs);
        let mut patterns = Vec::new();
        let from = Window { offset: Pooling::BEGIN, ..to };
        filters.patterns((&runs, &runs), &from, &to, &mut patterns);
        let (patterns, items) = filters.together(vec![patterns], &ImageTiles::default()).unwrap();
        let patterns = items.send(&patterns, device).unwrap();
        Self { filters, patterns, floats: to.floats(70) }
    }

    fn run<T: DeviceRepr>(
        &self,
        device: &Device,
        kernel: &LoadedKernel,
        presentations: &Presentations,
        from: &CudaSlice<T>,
    ) -> CudaSlice<f32> {
        let mut to = device.allocate(self.floats).unwrap();
        let buffers = DeltaBuffers { from, to: &mut to };
        let scales = Scales { halves: size_of::<T>() == 2, ..Scales::default() };
        self.filters
            .convolve_deltas_by(
                kernel,
                device,
                &self.patterns,
                presentations,
                None,
                scales,
                buffers,
            )
            .unwrap();
        to
    }
}

/// What both kernels do, one behind the other: as they ship, and with deltas stored in bf16.
fn with_and_without_bf16(device: &Device, pooling: &Pooling) -> [CudaSlice<f32>; 2] {
    let prepared = pooling.prepare(device);
    let convolving = Convolving::new(device, pooling, Products::Bf16);
    let (kernels, told) = (&device.kernels, &prepared.presentations);
    let mut floats = device.allocate::<f32>(prepared.floats()).unwrap();
    prepared.run(device, &kernels.pool_delta_four, &mut floats);
    let pool = variant(device, "bf16_deltas", "lab_pool_to_bf16");
    let product = variant(device, "bf16_deltas", "lab_tap_product_of_bf16");
    let mut halves = device.allocate::<u16>(prepared.floats()).unwrap();
    prepared.run(device, &pool, &mut halves);
    [
        convolving.run(device, &kernels.tap_product_bf16, told, &floats),
        convolving.run(device, &product, told, &halves),
    ]
}

fn bits(device: &Device, values: &CudaSlice<f32>) -> Vec<u32> {
    device.download(values).unwrap().iter().map(|value| value.to_bits()).collect()
}

fn noise(seed: u32, count: usize) -> Vec<f32> {
    TorchStream::new(seed).map(|value| 2.0 * value - 1.0).take(count).collect()
}

/// The first and the second pooling on the way to AlexNet's conv5, in the middle; the same where the
/// map ends; windows of one value.
fn poolings(presentations: usize, images: usize) -> Vec<Pooling> {
    let pooling = |channels, changed, outputs, real| Pooling {
        channels,
        changed,
        outputs,
        real,
        presentations,
        images,
        rectify: true,
    };
    let everywhere = Span::new(0, 100);
    let second = pooling(192, Span::new(3, 11), Span::new(1, 6), everywhere);
    vec![
        pooling(64, Span::new(5, 11), Span::new(2, 6), everywhere),
        second.clone(),
        Pooling { rectify: false, ..second },
        pooling(48, Span::new(6, 9), Span::new(2, 5), Span::new(5, 9)),
        pooling(16, Span::new(2, 3), Span::new(1, 2), everywhere),
        pooling(12, Span::new(6, 9), Span::new(2, 5), Span::new(5, 9)),
        pooling(4, Span::new(2, 3), Span::new(1, 2), everywhere),
    ]
}

/// Those of whole fragments, behind which products on tensor cores can follow.
fn before_products(presentations: usize, images: usize) -> impl Iterator<Item = Pooling> {
    let all = poolings(presentations, images).into_iter();
    all.filter(|pooling| pooling.channels.is_multiple_of(16))
}

#[test]
fn four_channels_a_thread_give_the_same_bits() {
    on_device(module_path!(), "four_channels_a_thread_give_the_same_bits", || {
        let device = Device::open(0).unwrap();
        let kernels = [&device.kernels.pool_delta, &device.kernels.pool_delta_four];
        for pooling in poolings(7, 3) {
            let prepared = pooling.prepare(&device);
            let [one, four] = kernels.map(|kernel| {
                let mut to = device.zeros(prepared.floats()).unwrap();
                prepared.run(&device, kernel, &mut to);
                bits(&device, &to)
            });
            assert!(one == four, "{pooling:?}");
            assert!(one[32..].iter().any(|&bits| bits != 0), "{pooling:?}");
        }
    });
}

#[test]
fn poolings_in_fp16_are_the_rounded_ones() {
    on_device(module_path!(), "poolings_in_fp16_are_the_rounded_ones", || {
        let device = Device::open(0).unwrap();
        let kernel = &device.kernels.pool_delta_four;
        for pooling in poolings(7, 3) {
            let mut prepared = pooling.prepare(&device);
            let mut floats = device.zeros(prepared.floats()).unwrap();
            prepared.run(&device, kernel, &mut floats);
            prepared.pool.to_scale = 64.0;
            let mut halves = device.zeros(prepared.floats().div_ceil(2)).unwrap();
            prepared.run::<f32>(&device, kernel, &mut halves);
            let two = |bits: u32| [bits & 0xffff, bits >> 16];
            let found: Vec<u32> = bits(&device, &halves).into_iter().flat_map(two).collect();
            for (index, float) in device.download(&floats).unwrap().into_iter().enumerate() {
                let expected = u32::from(f16::from_f32(64.0 * float).to_bits());
                assert_eq!(found[index], expected, "{pooling:?}: value {index}");
            }
        }
    });
}

#[test]
fn deltas_in_bf16_give_the_same_bits() {
    const TEST: &str = "deltas_in_bf16_give_the_same_bits";
    on_device(module_path!(), TEST, || {
        let device = Device::open(0).unwrap();
        if !has_tensor_cores(&device, TEST) {
            return;
        }
        for pooling in before_products(7, 3) {
            let [floats, halves] =
                with_and_without_bf16(&device, &pooling).map(|values| bits(&device, &values));
            assert!(floats == halves, "{pooling:?}");
            assert!(floats.iter().any(|&bits| bits != 0), "{pooling:?}");
        }
    });
}

#[test]
fn fragments_give_the_bits_of_any_number_of_channels() {
    const TEST: &str = "fragments_give_the_bits_of_any_number_of_channels";
    on_device(module_path!(), TEST, || {
        let device = Device::open(0).unwrap();
        if !has_tensor_cores(&device, TEST) {
            return;
        }
        let kernels = &device.kernels;
        for pooling in before_products(7, 3) {
            let prepared = pooling.prepare(&device);
            let mut floats = device.allocate::<f32>(prepared.floats()).unwrap();
            prepared.run(&device, &kernels.pool_delta_four, &mut floats);
            let [any, whole] = [
                (Products::AnyTf32, &kernels.tap_product_tf32_any),
                (Products::Tf32, &kernels.tap_product_tf32),
            ]
            .map(|(products, kernel)| {
                let convolving = Convolving::new(&device, &pooling, products);
                let to = convolving.run(&device, kernel, &prepared.presentations, &floats);
                bits(&device, &to)
            });
            assert!(any == whole, "{pooling:?}");
            assert!(any.iter().any(|&bits| bits != 0), "{pooling:?}");
        }
    });
}

/// `--ignored --nocapture` on a machine with a GPU, as `scripts/gpu-check` does.
#[test]
#[ignore = "it measures, and needs a GPU"]
#[allow(clippy::print_stdout, reason = "it reports")]
fn variants_are_timed() {
    const ROUNDS: usize = 20;
    const PRESENTATIONS: usize = 4096;
    if !Gpu::is_real() {
        println!("SKIPPED variants_are_timed: there is no GPU");
        return;
    }
    let device = Device::open(0).unwrap();
    if !has_tensor_cores(&device, "variants_are_timed") {
        return;
    }
    let time = |work: &mut dyn FnMut()| {
        work();
        let rounds = || -> Result<(), CudaError> {
            (0..ROUNDS).for_each(|_| work());
            Ok(())
        };
        let times = device.time_kernels(rounds).unwrap();
        1e6 * times.iter().map(|time| time.seconds).sum::<f64>() / (ROUNDS * PRESENTATIONS) as f64
    };
    let lab = |kernel| variant(&device, "bf16_deltas", kernel);
    let (to_bf16, of_bf16) = (lab("lab_pool_to_bf16"), lab("lab_tap_product_of_bf16"));
    let kernels = &device.kernels;
    for pooling in before_products(PRESENTATIONS, 64) {
        let prepared = pooling.prepare(&device);
        let convolving = Convolving::new(&device, &pooling, Products::Bf16);
        let any = Convolving::new(&device, &pooling, Products::AnyTf32);
        let whole = Convolving::new(&device, &pooling, Products::Tf32);
        let told = &prepared.presentations;
        let mut floats = device.allocate::<f32>(prepared.floats()).unwrap();
        let mut halves = device.allocate::<u16>(prepared.floats()).unwrap();
        let one = time(&mut || prepared.run(&device, &kernels.pool_delta, &mut floats));
        let four = time(&mut || prepared.run(&device, &kernels.pool_delta_four, &mut floats));
        let half = time(&mut || prepared.run(&device, &to_bf16, &mut halves));
        let product = time(&mut || {
            drop(convolving.run(&device, &kernels.tap_product_bf16, told, &floats));
        });
        let of_halves = time(&mut || drop(convolving.run(&device, &of_bf16, told, &halves)));
        let any = time(&mut || {
            drop(any.run(&device, &kernels.tap_product_tf32_any, told, &floats));
        });
        let whole = time(&mut || {
            drop(whole.run(&device, &kernels.tap_product_tf32, told, &floats));
        });
        println!(
            "lab: {} channels, {} × {} outputs, µs a presentation: pool_delta {one:.5}, \
             pool_delta_four {four:.5}, lab_pool_to_bf16 {half:.5}; tap_product_bf16 \
             {product:.5}, lab_tap_product_of_bf16 {of_halves:.5}, tap_product_tf32_any {any:.5}, \
             tap_product_tf32 {whole:.5}",
            pooling.channels,
            pooling.outputs.len(),
            pooling.outputs.len(),
        );
    }
}
