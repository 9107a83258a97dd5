//! The tap product against sums in 64 bits, in every precision.

use half::{bf16, f16};

use super::super::present::Presentations;
use super::super::tap_product::{DeltaBuffers, DeviceFilters, Rectify, Scales};
use super::emulator::{has_tensor_cores, on_device};
use crate::engine::cuda::tables::layout::{
    Baseline, Baselines, Origin, Presentation, Window, Windows,
};
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::tables::upload::Table;
use crate::engine::cuda::{Device, Precision};
use crate::geometry::{SlidingWindow, Span};
use crate::network::{Convolution, Filters};
use crate::noise::TorchStream;
use crate::program::TapRun;

/// By what deltas in fp16 are multiplied.
const SCALE: f32 = 16.0;

/// A convolution of deltas.
struct Problem {
    conv: Convolution,
    channels: usize,
    windows: Vec<Changed>,
    rectify: bool,
}

/// Of some presentations the window `inputs` × `inputs` of a map changes, and of the outputs the window
/// `outputs` × `outputs` is wanted.
#[derive(Clone, Copy)]
struct Changed {
    inputs: Span,
    outputs: Span,
    presentations: usize,
}

/// An operand as a precision sees it.
fn operand(precision: Precision, value: f32) -> f64 {
    match precision {
        Precision::Fp32 => f64::from(value),
        Precision::Tf32 => f64::from(f32::from_bits((value.to_bits() + 0x1000) & !0x1fff)),
        Precision::Fp16 => f16::from_f32(SCALE * value).to_f64() / f64::from(SCALE),
        Precision::Bf16 => bf16::from_f32(value).to_f64(),
    }
}

/// The precision in which the products of so many channels are, where this one is asked for.
fn multiplied(asked: Precision, channels: usize) -> Precision {
    let whole = channels.is_multiple_of(16);
    let halves = matches!(asked, Precision::Fp16 | Precision::Bf16);
    if halves && !whole { Precision::Tf32 } else { asked }
}

fn noise(seed: u32, count: usize) -> Vec<f32> {
    TorchStream::new(seed).map(|value| 2.0 * value - 1.0).take(count).collect()
}

impl Problem {
    fn filters(&self) -> Filters {
        let taps = self.conv.taps() * self.channels / self.conv.groups;
        let weight = noise(1, self.conv.out_channels * taps);
        Filters { weight, bias: noise(2, self.conv.out_channels) }
    }

    /// The sum of one output channel at one position, and the sum of what it is made of.
    fn sum(
        &self,
        (filters, deltas, inputs_changed): (&Filters, &[f32], Span),
        (which, y, x, channel): (usize, isize, isize, usize),
        operand: impl Fn(f32) -> f64,
    ) -> (f64, f64) {
        let Convolution { out_channels, groups, .. } = self.conv;
        let SlidingWindow { kernel, stride, padding, .. } = window(&self.conv);
        let side = inputs_changed.len();
        let (inputs, outputs) = (self.channels / groups, out_channels / groups);
        let (mut sum, mut size) = (0.0, 0.0);
        for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
            let row = y * stride as isize - padding as isize + ky as isize - inputs_changed.start;
            let column =
                x * stride as isize - padding as isize + kx as isize - inputs_changed.start;
            let inside = |at: isize| (0..side as isize).contains(&at);
            if !inside(row) || !inside(column) {
                continue;
            }
            let offset = ((which * side + row as usize) * side + column as usize) * self.channels;
            for input in 0..inputs {
                let weight =
                    filters.weight[((channel * inputs + input) * kernel + ky) * kernel + kx];
                let delta = deltas[offset + channel / outputs * inputs + input];
                let product = operand(weight) * operand(delta);
                sum += product;
                size += product.abs();
            }
        }
        (sum, size)
    }

    /// Windows of so many channels, one behind the other.
    fn windows(&self, span: fn(&Changed) -> Span, channels: usize) -> Vec<Window> {
        let (mut first, mut offset) = (0, 0);
        let window = |changed: &Changed| {
            let (span, count) = (span(changed), changed.presentations as u32);
            let window = Window {
                offset: offset as i64,
                y: span.start as i32,
                x: span.start as i32,
                height: span.len() as i32,
                width: span.len() as i32,
                first,
                count,
                ..Window::default()
            };
            first += count;
            offset += window.floats(channels).next_multiple_of(32);
            window
        };
        self.windows.iter().map(window).collect()
    }

    fn agrees(&self, device: &Device, asked: Precision) {
        let Self { conv, channels, windows, rectify } = self;
        let from = self.windows(|changed| changed.inputs, *channels);
        let to = self.windows(|changed| changed.outputs, conv.out_channels);
        let weights = self.filters();
        let filters = DeviceFilters::new(device, conv, &weights, *channels, asked).unwrap();
        let of_window = |(changed, (from, to)): (&Changed, (&Window, &Window))| {
            let begin = -(window(conv).padding as isize);
            let runs = TapRun::all(window(conv), begin, changed.outputs, changed.inputs);
            let mut patterns = Vec::new();
            filters.patterns((&runs, &runs), from, to, &mut patterns);
            patterns
        };
        let patterns = windows.iter().zip(from.iter().zip(&to)).map(of_window).collect();
        let (patterns, items) = filters.together(patterns, &ImageTiles::default()).unwrap();
        let patterns = items.send(&patterns, device).unwrap();
        let precision = multiplied(asked, channels / conv.groups);
        let end = |windows: &[Window], channels: usize| {
            windows.last().map_or(0, |last| last.offset as usize + last.floats(channels))
        };
        let deltas = noise(3, end(&from, *channels));
        // Every presentation sees the same original image.
        let all = windows.iter().map(|changed| changed.outputs);
        let all = all.reduce(Span::hull).unwrap();
        let before = noise(4, all.len() * all.len() * conv.out_channels);
        let pitch = all.len() * conv.out_channels;
        let offset = |y: isize, x: isize| {
            (y - all.start) as usize * pitch + (x - all.start) as usize * conv.out_channels
        };
        let start = all.start as i64 * (pitch + conv.out_channels) as i64;
        let side = all.len() as i32;
        let at = all.start as i32;
        let window =
            Window { y: at, x: at, height: side, width: side, count: 1, ..Window::default() };
        let baseline = Baseline { offset: -start, pitch: pitch as i64 };
        let baselines = Baselines {
            images: Table::new(device, vec![baseline]).unwrap(),
            windows: Windows::new(device, vec![window], conv.out_channels).unwrap(),
            values: device.upload(&before).unwrap(),
        };
        let presentations = windows.iter().map(|changed| changed.presentations).sum();
        let table =
            Presentations::of(device, &vec![Presentation::default(); presentations]).unwrap();
        let rectifies =
            rectify.then_some(Rectify { origin: Origin::default(), baselines: &baselines });
        let device_deltas = device.upload(&deltas).unwrap();
        let mut found = device.allocate(end(&to, conv.out_channels)).unwrap();
        let buffers = DeltaBuffers { from: &device_deltas, to: &mut found };
        let scales = Scales { from: SCALE, ..Scales::default() };
        filters.convolve_deltas(device, &patterns, &table, rectifies, scales, buffers).unwrap();
        let found = device.download(&found).unwrap();
        if precision == Precision::Fp16 {
            // The same of deltas that were stored in fp16, and deltas that are.
            let halves = device.upload(&halves(&deltas)).unwrap();
            for stored in [0.0, SCALE / 2.0] {
                let scales = Scales { from: SCALE, halves: true, to: stored };
                let mut again = device.zeros(found.len()).unwrap();
                let buffers = DeltaBuffers { from: &halves, to: &mut again };
                filters
                    .convolve_deltas(device, &patterns, &table, rectifies, scales, buffers)
                    .unwrap();
                let again = device.download(&again).unwrap();
                for window in &to {
                    let begin = window.offset as usize;
                    for index in begin..begin + window.floats(conv.out_channels) {
                        let (value, expected) = if stored == 0.0 {
                            (again[index].to_bits(), found[index].to_bits())
                        } else {
                            let two = again[index / 2].to_bits();
                            let expected = f16::from_f32(stored * found[index]).to_bits();
                            (two >> (16 * (index % 2)) & 0xffff, u32::from(expected))
                        };
                        assert_eq!(value, expected, "{conv:?}: value {index} of {stored}");
                    }
                }
            }
        }
        for (changed, (from, to)) in windows.iter().zip(from.iter().zip(&to)) {
            let Changed { inputs, outputs, .. } = *changed;
            let deltas = &deltas[from.offset as usize..][..from.floats(*channels)];
            let found = &found[to.offset as usize..][..to.floats(conv.out_channels)];
            for (index, &found) in found.iter().enumerate() {
                let (position, channel) = (index / conv.out_channels, index % conv.out_channels);
                let (row, x) = (position / outputs.len(), position % outputs.len());
                let (which, y) = (row / outputs.len(), row % outputs.len());
                let (y, x) = (outputs.start + y as isize, outputs.start + x as isize);
                let at = (which, y, x, channel);
                let operand = |value| operand(precision, value);
                let (mut sum, size) = self.sum((&weights, deltas, inputs), at, operand);
                if *rectify {
                    let z = f64::from(before[offset(y, x) + channel]);
                    sum = (z + sum).max(0.0) - z.max(0.0);
                }
                let error = (f64::from(found) - sum).abs();
                let allowed = 1e-6 * size.max(0.1);
                assert!(error <= allowed, "{asked:?} {conv:?} {at:?}: {found}, expected {sum}");
            }
        }
    }
}

/// Values in fp16, two in each float.
fn halves(values: &[f32]) -> Vec<f32> {
    let half = |value: f32| u32::from(f16::from_f32(SCALE * value).to_bits());
    let pair = |two: &[f32]| half(two[0]) | half(two.get(1).copied().unwrap_or(0.0)) << 16;
    values.chunks(2).map(|two| f32::from_bits(pair(two))).collect()
}

const POINT: Span = Span { start: 0, end: 1 };

fn window(conv: &Convolution) -> SlidingWindow {
    conv.window().axes.y
}

fn all_agree(precision: Precision) {
    let device = Device::open(0).unwrap();
    if precision != Precision::Fp32 && !has_tensor_cores(&device, &format!("{precision:?}")) {
        return;
    }
    let groups = |groups, conv| Convolution { groups, ..conv };
    let problems = [
        // Rows over several blocks, columns that are no whole block.
        (Convolution::new(70, 3, 1, 1), 64, Span::new(2, 6), Span::new(1, 7), 5, true),
        // The first layer: runs of 33 values, which no vector divides.
        (Convolution::new(64, 11, 4, 2), 3, Span::new(20, 29), Span::new(3, 8), 3, false),
        (groups(2, Convolution::new(132, 3, 1, 1)), 8, Span::new(4, 7), Span::new(3, 8), 2, true),
        (groups(3, Convolution::new(9, 3, 2, 1)), 15, Span::new(4, 9), Span::new(2, 5), 4, false),
        // A single output of each of many presentations.
        (Convolution::new(33, 3, 1, 0), 20, Span::new(5, 6), Span::new(5, 6), 70, true),
        (Convolution::new(32, 3, 1, 0), 16, Span::new(5, 6), Span::new(5, 6), 300, false),
        // Runs of three, two and one tap that end within a step; columns over several blocks.
        (Convolution::new(200, 3, 1, 1), 24, Span::new(2, 6), Span::new(1, 7), 9, true),
        (Convolution::new(161, 3, 1, 1), 48, Span::new(2, 6), Span::new(1, 7), 3, false),
        (Convolution::new(8, 1, 1, 0), 8, Span::new(2, 6), Span::new(2, 6), 3, true),
        // Groups of whole fragments.
        (groups(2, Convolution::new(132, 3, 1, 1)), 32, Span::new(4, 7), Span::new(3, 8), 6, true),
        (groups(3, Convolution::new(99, 5, 2, 2)), 48, Span::new(4, 9), Span::new(1, 6), 4, false),
    ];
    for (conv, channels, inputs, outputs, presentations, rectify) in problems {
        let windows = vec![Changed { inputs, outputs, presentations }];
        Problem { conv, channels, windows, rectify }.agrees(&device, precision);
    }
    // Blocks with rows of several windows, from the middle of one on; windows as wide and wider; one
    // with rows for several blocks. Then so many rows that blocks are not shared.
    let changed = |inputs, outputs, presentations| Changed { inputs, outputs, presentations };
    let (narrow, shifted) =
        ((Span::new(2, 5), Span::new(2, 5)), (Span::new(3, 6), Span::new(2, 6)));
    let wide = (Span::new(2, 8), Span::new(1, 9));
    let windows: Vec<Changed> = [
        (narrow, 3),
        (shifted, 1),
        (narrow, 150),
        (wide, 2),
        (narrow, 1),
        (shifted, 30),
        (wide, 5),
    ]
    .map(|((inputs, outputs), count)| changed(inputs, outputs, count))
    .to_vec();
    let point = Span::new(2, 3);
    let full = vec![changed(point, point, 2048), changed(point, point, 2200)];
    for (windows, channels, outputs) in [(&windows, 32, 40), (&windows, 5, 3), (&full, 16, 4)] {
        let conv = Convolution::new(outputs, 3, 1, 1);
        let windows = windows.clone();
        Problem { conv, channels, windows, rectify: true }.agrees(&device, precision);
    }
}

#[test]
fn fp32_products_agree() {
    on_device(module_path!(), "fp32_products_agree", || all_agree(Precision::Fp32));
}

#[test]
fn tf32_products_agree() {
    on_device(module_path!(), "tf32_products_agree", || all_agree(Precision::Tf32));
}

#[test]
fn fp16_products_agree() {
    on_device(module_path!(), "fp16_products_agree", || all_agree(Precision::Fp16));
}

/// Also where a ReLU would make 0 of an infinity.
#[test]
fn what_fp16_cannot_hold_is_no_number() {
    const TEST: &str = "what_fp16_cannot_hold_is_no_number";
    on_device(module_path!(), TEST, || {
        let device = Device::open(0).unwrap();
        if !has_tensor_cores(&device, TEST) {
            return;
        }
        let conv = Convolution::new(8, 1, 1, 0);
        let weights = Filters { weight: vec![-1.0; 8 * 16], bias: Vec::new() };
        let filters = DeviceFilters::new(&device, &conv, &weights, 16, Precision::Fp16).unwrap();
        let point = Window { height: 1, width: 1, count: 1, ..Window::default() };
        let (run, mut patterns) = (TapRun::all(window(&conv), 0, POINT, POINT), Vec::new());
        filters.patterns((&run, &run), &point, &point, &mut patterns);
        let (patterns, items) = filters.together(vec![patterns], &ImageTiles::default()).unwrap();
        let patterns = items.send(&patterns, &device).unwrap();
        let baselines = Baselines {
            images: Table::new(&device, vec![Baseline { offset: 0, pitch: 8 }]).unwrap(),
            windows: Windows::new(&device, vec![point], 8).unwrap(),
            values: device.upload(&[-1.0; 8]).unwrap(),
        };
        let table = Presentations::of(&device, &[Presentation::default()]).unwrap();
        let scales = Scales { from: SCALE, ..Scales::default() };
        for (largest, is_number) in [(65504.0 / SCALE, true), (65536.0 / SCALE, false)] {
            let from = device.upload(&[largest; 16]).unwrap();
            let mut to = device.zeros(8).unwrap();
            let rectify = Some(Rectify { origin: Origin::default(), baselines: &baselines });
            let buffers = DeltaBuffers { from: &from, to: &mut to };
            filters.convolve_deltas(&device, &patterns, &table, rectify, scales, buffers).unwrap();
            let found = device.download(&to).unwrap();
            let expected = |value: &f32| if is_number { *value == 0.0 } else { value.is_nan() };
            assert!(found.iter().all(expected), "{largest}: {found:?}");
        }
    });
}

#[test]
fn bf16_products_agree() {
    on_device(module_path!(), "bf16_products_agree", || all_agree(Precision::Bf16));
}
