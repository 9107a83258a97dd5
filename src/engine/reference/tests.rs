use crate::progress::CancelToken;

use ndarray::Array3;

use super::convolve::{Convolve, convolve};
use super::elementwise::normalise;
use super::extremes_of;
use super::pool::Pooling;
use crate::engine::real::Real;
use crate::geometry::{ImageSize, Padding, SlidingWindow};
use crate::network::{Convolution, Filters, LocalResponseNorm, MaxPool, Op};

/// Pseudo-random values on [-1, 1).
fn values(seed: u32, length: usize) -> Vec<f32> {
    crate::noise::TorchStream::new(seed).take(length).map(|value| value * 2.0 - 1.0).collect()
}

/// Convolution by its definition, in f64.
fn by_definition(shape: &Convolve<'_>, filters: &Filters, input: &[f32]) -> Vec<f64> {
    let Convolution { out_channels, groups, .. } = *shape.conv;
    let SlidingWindow { kernel, stride, padding, .. } = shape.conv.window().axes.y;
    let (inputs, units) = (shape.input_channels / groups, out_channels / groups);
    let mut output = Vec::new();
    for unit in 0..out_channels {
        for y in 0..shape.output.height {
            for x in 0..shape.output.width {
                let mut sum = f64::from(filters.bias.get(unit).copied().unwrap_or(0.0));
                for channel in 0..inputs {
                    for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                        let (row, column) = (y * stride + ky, x * stride + kx);
                        let inside = (padding..padding + shape.input.height).contains(&row)
                            && (padding..padding + shape.input.width).contains(&column);
                        if inside {
                            let plane = unit / units * inputs + channel;
                            let value = input[plane * shape.input.area()
                                + (row - padding) * shape.input.width
                                + column
                                - padding];
                            let tap = ((unit * inputs + channel) * kernel + ky) * kernel + kx;
                            sum += f64::from(value) * f64::from(filters.weight[tap]);
                        }
                    }
                }
                output.push(sum);
            }
        }
    }
    output
}

#[test]
fn a_convolution_equals_its_definition() {
    // (channels, height, width), convolution: strides, paddings beyond the kernel, groups,
    // windows that cover the input, one that needs several bands.
    let cases = [
        ((3, 13, 17), Convolution::new(8, 5, 2, 2)),
        ((4, 7, 7), Convolution { groups: 2, ..Convolution::new(6, 3, 1, 1) }),
        ((6, 5, 9), Convolution { groups: 6, bias: false, ..Convolution::new(6, 3, 2, 1) }),
        ((3, 4, 4), Convolution::new(2, 4, 1, 0)),
        ((2, 3, 5), Convolution::new(3, 1, 1, 0)),
        ((2, 3, 5), Convolution::new(3, 1, 3, 2)),
        ((1, 4, 3), Convolution::new(2, 2, 1, 5)),
        ((64, 40, 50), Convolution::new(5, 3, 1, 1)),
        ((3, 30, 31), Convolution::new(4, 11, 4, 2)),
    ];
    for (case, ((channels, height, width), conv)) in cases.into_iter().enumerate() {
        let input_size = ImageSize::new(height, width);
        let output = Op::Conv(conv.clone()).window().output_size(input_size).unwrap();
        let shape = Convolve { conv: &conv, input_channels: channels, input: input_size, output };
        let taps = channels / conv.groups * conv.taps();
        let input = values(case as u32, channels * input_size.area());
        let filters = Filters {
            weight: values(100 + case as u32, conv.out_channels * taps),
            bias: values(200, if conv.bias { conv.out_channels } else { 0 }),
        };
        let expected = by_definition(&shape, &filters, &input);
        let equals = |found: &[f64], tolerance: f64| {
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (found - expected).abs();
                assert!(
                    error < tolerance * taps as f64,
                    "case {case}, {index}: {found} {expected}"
                );
            }
        };
        equals(&convolved::<f32>(&shape, &filters, &input), 1e-6);
        equals(&convolved::<f64>(&shape, &filters, &input), 1e-15);
    }
}

fn convolved<T: Real + Into<f64>>(
    shape: &Convolve<'_>,
    filters: &Filters,
    input: &[f32],
) -> Vec<f64> {
    let mut output = vec![T::from(f32::NAN); shape.conv.out_channels * shape.output.area()];
    convolve(shape, &filters.into(), &T::of(input), &mut output, &mut Vec::new());
    output.into_iter().map(Into::into).collect()
}

#[test]
fn pooling_is_the_maximum_of_what_lies_inside_and_counts_windows_as_pytorch_does() {
    let pooled = |pool: &MaxPool, input: &[f32], size: ImageSize| {
        let output = Op::MaxPool(pool.clone()).window().output_size(size).unwrap();
        let mut found = vec![f32::NAN; output.area()];
        let pooling = Pooling { input, input_size: size, output: &mut found, output_size: output };
        pooling.max(pool.window().axes);
        (output, found)
    };
    // All values negative: padding must not win with a zero.
    let input: Vec<f32> = (0..25).map(|index| -1.0 - index as f32).collect();
    let pool = MaxPool { padding: Padding::all(1), ..MaxPool::new(2, 2) };
    let (size, found) = pooled(&pool, &input, ImageSize::square(5));
    assert_eq!(size, ImageSize::square(3));
    assert_eq!(found, [-1.0, -2.0, -4.0, -6.0, -7.0, -9.0, -16.0, -17.0, -19.0]);

    // torch.nn.MaxPool2d(3, 2, ceil_mode=True) on 6×6 gives 3×3; the last windows are cut.
    let input: Vec<f32> = (0..36).map(|index| index as f32).collect();
    let pool = MaxPool { ceil_mode: true, ..MaxPool::new(3, 2) };
    let (size, found) = pooled(&pool, &input, ImageSize::square(6));
    assert_eq!(size, ImageSize::square(3));
    assert_eq!(found, [14.0, 16.0, 17.0, 26.0, 28.0, 29.0, 32.0, 34.0, 35.0]);

    // A window that would begin in the right padding does not count:
    // torch.nn.MaxPool2d(2, 2, padding=1, ceil_mode=True) on 3×3 gives 2×2.
    let pool = MaxPool { padding: Padding::all(1), ceil_mode: true, ..MaxPool::new(2, 2) };
    let (size, _) = pooled(&pool, &input[..9], ImageSize::square(3));
    assert_eq!(size, ImageSize::square(2));
}

#[test]
fn normalisation_equals_its_formula() {
    let norm = LocalResponseNorm { alpha: 0.5, k: 2.0, ..LocalResponseNorm::over(4) };
    let input = values(1, 7 * 2);
    let mut found = vec![0.0; 14];
    normalise(&norm, &input, 2, &mut found);
    for channel in 0_isize..7 {
        for position in 0..2 {
            // Four channels: two before, itself, one after.
            let sum: f32 = (channel - 2..=channel + 1)
                .filter(|neighbour| (0..7).contains(neighbour))
                .map(|neighbour| input[neighbour as usize * 2 + position].powi(2))
                .sum();
            let index = channel as usize * 2 + position;
            let expected = input[index] / (2.0 + 0.5 / 4.0 * sum).powf(0.75);
            assert!((found[index] - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn extremes_are_at_the_first_of_equal_positions_and_show_a_nan() {
    let found = extremes_of(&[0.0, 2.0, -1.0, 2.0, -1.0]);
    assert_eq!((found.max, found.max_at, found.min, found.min_at), (2.0, 1, -1.0, 2));
    assert!(extremes_of(&[0.0, f32::NAN, 1.0]).max.is_nan());
}

#[test]
fn requests_that_do_not_fit_are_errors() {
    use crate::engine::{
        Batch, Engine, EngineError, Job, PlacedJob, RankingEngine, ReferenceEngine,
    };
    use crate::geometry::Occluder;
    use crate::network::{LayerId, Model, Network};
    use crate::noise::Noise;
    use crate::progress::Progress;

    let json = br#"{"name": "t", "layers": [
        {"name": "c", "op": "conv", "out_channels": 2, "kernel": 3},
        {"name": "r", "op": "relu"}]}"#;
    let network = Network::from_description(json).unwrap();
    let filters = Filters { weight: values(0, 2 * 27), bias: vec![0.0; 2] };
    let model = Model::new(network, vec![filters]).unwrap();
    let size = ImageSize::square(8);
    assert!(matches!(
        ReferenceEngine.prepare(&model, &[LayerId(1)], size),
        Err(EngineError::Request(_))
    ));
    assert!(matches!(
        ReferenceEngine.prepare(&model, &[LayerId(0)], ImageSize::square(2)),
        Err(EngineError::Network(_))
    ));
    let engine = ReferenceEngine.prepare(&model, &[LayerId(0)], size).unwrap();

    let image = Array3::zeros((3, 8, 8));
    let small = Array3::zeros((3, 8, 7));
    let occluder = Occluder { index: 0, top: 6, left: 0, size: 2 };
    let job = PlacedJob {
        image: image.view(),
        image_index: 0,
        unit: 1,
        position: (5, 5),
        occluders: &[occluder],
        fill: Noise::Philox { seed: 0, draw: 0 }.into(),
    };
    let cancel = CancelToken::default();
    let progress = Progress::new(&cancel);
    let refused = |job: PlacedJob<'_>| {
        matches!(
            engine.present(LayerId(0), &[job].into_iter().collect(), &progress),
            Err(EngineError::Request(_))
        )
    };
    assert!(!refused(job));
    assert!(refused(PlacedJob { unit: 2, ..job }));
    assert!(refused(PlacedJob { position: (6, 0), ..job }));
    assert!(refused(PlacedJob { image: small.view(), ..job }));
    assert!(refused(PlacedJob { occluders: &[Occluder { top: 7, ..occluder }], ..job }));
    // What the batch does not have.
    for (image, placement) in [(1, 0), (0, 1)] {
        let mut batch: Batch<'_> = [job].into_iter().collect();
        batch.jobs[0] = Job { image, placement, ..batch.jobs[0] };
        let presented = engine.present(LayerId(0), &batch, &progress);
        assert!(matches!(presented, Err(EngineError::Request(_))));
    }
    assert_eq!(progress.done(), 1);

    cancel.cancel();
    assert!(matches!(
        engine.present(LayerId(0), &[job].into_iter().collect(), &progress),
        Err(EngineError::Stopped)
    ));
    let ranker = ReferenceEngine.ranker(&model, &[LayerId(0)], size).unwrap();
    assert!(matches!(ranker.extremes(&[image.view()], 0, &progress), Err(EngineError::Stopped)));
}

#[test]
fn a_response_that_is_no_number_shows_through_every_layer_after_it() {
    use crate::engine::{
        CpuEngine, Engine, EngineError, PlacedJob, RankingEngine, ReferenceEngine,
    };
    use crate::geometry::Occluder;
    use crate::network::{Model, Network};
    use crate::noise::Noise;
    use crate::progress::Progress;

    // The first convolution overflows, the second has infinity minus infinity; a ReLU or a
    // pooling that drops a NaN would make the third look well.
    let json = br#"{"name": "t", "layers": [
        {"name": "a", "op": "conv", "out_channels": 2, "kernel": 1, "bias": false},
        {"name": "a_relu", "op": "relu"},
        {"name": "b", "op": "conv", "out_channels": 1, "kernel": 1, "bias": false},
        {"name": "b_relu", "op": "relu"},
        {"name": "pool", "op": "max_pool", "kernel": 2, "stride": 2},
        {"name": "c", "op": "conv", "out_channels": 1, "kernel": 1, "bias": false}]}"#;
    let network = Network::from_description(json).unwrap();
    let filters = |weight| Filters { weight, bias: Vec::new() };
    let filters = vec![filters(vec![3e38; 6]), filters(vec![1.0, -1.0]), filters(vec![1.0])];
    let model = Model::new(network, filters).unwrap();
    let size = ImageSize::square(4);
    let last = model.network().convolution("c").unwrap();
    let image = Array3::from_elem((3, 4, 4), 1.0);
    let cancel = CancelToken::default();
    let job = PlacedJob {
        image: image.view(),
        image_index: 7,
        unit: 0,
        position: (0, 0),
        occluders: &[Occluder { index: 0, top: 0, left: 0, size: 1 }],
        fill: Noise::Philox { seed: 0, draw: 0 }.into(),
    };
    let ranker = ReferenceEngine.ranker(&model, &[last], size).unwrap();
    let ranked = ranker.extremes(&[image.view()], 7, &Progress::new(&cancel));
    assert!(matches!(ranked, Err(EngineError::NotFinite { image: 7, .. })));
    for engine in [&ReferenceEngine as &dyn Engine, &CpuEngine::default()] {
        let prepared = engine.prepare(&model, &[last], size).unwrap();
        let presented =
            prepared.present(last, &[job].into_iter().collect(), &Progress::new(&cancel));
        assert!(matches!(presented, Err(EngineError::NotFinite { image: 7, .. })));
    }
}
