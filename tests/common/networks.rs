//! Random networks of every layer kind, for property tests.

use occlumap::geometry::{Border, Padding, PerAxis};
use occlumap::network::{
    AveragePool, BatchNorm, ChannelNorm, ChannelShuffle, ChannelSlice, Convolution, Filters,
    Function, Gate, GateJoin, GroupNorm, GroupNormPart, Input, Layer, LayerId, LocalResponseNorm,
    MaxPool, Model, Network, Op, Pad,
};
use occlumap::noise::TorchStream;
use proptest::prelude::*;

/// A piece of a network.
#[derive(Clone, Debug)]
pub enum Block {
    /// One layer.
    Plain(Op),
    /// A convolution of each channel by itself.
    Depthwise(Convolution),
    /// A convolution in two groups, where there are two.
    Grouped(Convolution),
    /// Half of the channels, from the middle on or from the first.
    Half {
        /// Whether from the middle on.
        middle: bool,
    },
    /// The product of the input with itself.
    Square,
    /// Normalisation by the whole map, in two groups, where there are two.
    GroupNorm,
    /// Two groups of channels interleaved, where there are two.
    Shuffle,
    /// The input joined with what a convolution and a sigmoid make of a map's channel means.
    Gate {
        /// How.
        join: GateJoin,
        /// The stride of a convolution of the input whose means those are, rather than the input's own.
        branch: Option<usize>,
    },
    /// A 3×3 convolution around which the input is added, multiplied, or stacked.
    Branch {
        /// How.
        join: Op,
    },
}

/// Any piece that every engine computes.
pub fn block() -> impl Strategy<Value = Block> {
    let conv = (1_usize..4, 1_usize..6, 1_usize..4, 0_usize..3, any::<bool>()).prop_map(
        |(out, kernel, stride, padding, grouped)| {
            let groups = if grouped { 3 } else { 1 };
            let conv = Convolution::new(3 * out, kernel, stride, padding);
            Block::Plain(Op::Conv(Convolution { groups, ..conv }))
        },
    );
    let pool = (1_usize..4, 1_usize..4, any::<bool>(), any::<bool>()).prop_map(
        |(kernel, stride, padded, ceil_mode)| {
            let padding = Padding::all(if padded { kernel / 2 } else { 0 });
            Block::Plain(Op::MaxPool(MaxPool {
                padding,
                ceil_mode,
                ..MaxPool::new(kernel, stride)
            }))
        },
    );
    let norm = LocalResponseNorm { alpha: 0.1, ..LocalResponseNorm::over(3) };
    prop_oneof![
        4 => conv,
        3 => pool,
        1 => Just(Block::Plain(Op::Relu)),
        1 => Just(Block::Plain(Op::Dropout)),
        1 => Just(Block::Plain(Op::LocalResponseNorm(norm))),
        1 => Just(Block::Branch { join: Op::Add }),
        1 => Just(Block::Branch { join: Op::Concat }),
    ]
}

fn pair(values: std::ops::Range<usize>) -> impl Strategy<Value = PerAxis<usize>> {
    (values.clone(), values).prop_map(|(y, x)| PerAxis::new(y, x))
}

/// A convolution whose window need be no square.
pub fn any_convolution(units: usize) -> impl Strategy<Value = Convolution> {
    let padding = (pair(0..3), pair(0..3)).prop_map(|(before, after)| Padding { before, after });
    (1..=units, pair(1..5), pair(1..3), pair(1..3), padding, any::<bool>()).prop_map(
        |(out_channels, kernel, stride, dilation, padding, bias)| Convolution {
            out_channels,
            kernel,
            stride,
            padding,
            groups: 1,
            dilation,
            bias,
        },
    )
}

/// A padding with values of the map.
fn any_padding() -> impl Strategy<Value = Pad> {
    let mode = prop_oneof![3 => Just(Border::Reflect), 1 => Just(Border::Edge)];
    let padding = (pair(0..5), pair(0..5)).prop_map(|(before, after)| Padding { before, after });
    (mode, padding).prop_map(|(mode, padding)| Pad { mode, padding })
}

/// Any piece; gates are computed on the CPU alone.
pub fn any_block() -> impl Strategy<Value = Block> {
    let half = |kernel: PerAxis<usize>, [before, after]: [bool; 2]| {
        let half = |padded: bool, length: usize| if padded { length / 2 } else { 0 };
        let of = |padded| PerAxis::new(half(padded, kernel.y), half(padded, kernel.x));
        Padding { before: of(before), after: of(after) }
    };
    let max = (pair(1..4), pair(1..3), pair(1..3), any::<[bool; 3]>()).prop_map(
        move |(kernel, stride, dilation, [before, after, ceil_mode])| {
            let padding = half(kernel, [before, after]);
            Op::MaxPool(MaxPool { kernel, stride, padding, ceil_mode, dilation })
        },
    );
    let average = (pair(1..4), pair(1..3), any::<[bool; 4]>()).prop_map(
        move |(kernel, stride, [before, after, ceil_mode, count_include_pad])| {
            let padding = half(kernel, [before, after]);
            Op::AvgPool(AveragePool { kernel, stride, padding, ceil_mode, count_include_pad })
        },
    );
    let even_norm =
        LocalResponseNorm { alpha: 0.1, further_after: true, ..LocalResponseNorm::over(4) };
    let function = prop_oneof![
        Just(Function::LeakyRelu { negative_slope: 0.1 }),
        Just(Function::Clip { min: Some(0.0), max: Some(1.5) }),
        Just(Function::Clip { min: Some(-0.5), max: None }),
        Just(Function::Clip { min: None, max: Some(0.5) }),
        Just(Function::Sigmoid),
        Just(Function::Tanh),
        Just(Function::Silu),
        Just(Function::HardSigmoid { alpha: 0.2, beta: 0.5 }),
        Just(Function::HardSwish),
        Just(Function::Elu { alpha: 0.7 }),
        Just(Function::Selu),
        Just(Function::Gelu { tanh: false }),
        Just(Function::Gelu { tanh: true }),
        Just(Function::Mish),
    ];
    prop_oneof![
        4 => any_convolution(6).prop_map(|conv| Block::Plain(Op::Conv(conv))),
        2 => any_convolution(1).prop_map(Block::Depthwise),
        1 => any_convolution(3).prop_map(Block::Grouped),
        2 => max.prop_map(Block::Plain),
        2 => average.prop_map(Block::Plain),
        3 => any_padding().prop_map(|pad| Block::Plain(Op::Pad(pad))),
        3 => function.prop_map(|function| Block::Plain(Op::Pointwise(function))),
        1 => Just(Block::Plain(Op::Relu)),
        1 => Just(Block::Plain(Op::Prelu)),
        1 => Just(Block::Plain(Op::LocalResponseNorm(even_norm))),
        1 => any::<bool>().prop_map(|affine| {
            Block::Plain(Op::BatchNorm(BatchNorm { eps: 1e-5, affine }))
        }),
        1 => Just(Block::Square),
        1 => Just(Block::GroupNorm),
        1 => Just(Block::Plain(Op::ChannelNorm(ChannelNorm { eps: 1e-3 }))),
        1 => any::<bool>().prop_map(|middle| Block::Half { middle }),
        1 => Just(Block::Shuffle),
        2 => (prop_oneof![Just(GateJoin::Mul), Just(GateJoin::Add)], prop::option::of(1_usize..4))
            .prop_map(|(join, branch)| Block::Gate { join, branch }),
        2 => prop_oneof![Just(Op::Add), Just(Op::Mul), Just(Op::Concat)]
            .prop_map(|join| Block::Branch { join }),
    ]
}

/// The network of some blocks on images of so many channels, ended by `last`; `None` where they do not
/// fit.
pub fn network_on(image_channels: usize, blocks: &[Block], last: Op) -> Option<Network> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut add = |op: Op, extra: Option<Input>| {
        let before = match layers.len() {
            0 => Input::Image,
            id => Input::Layer(LayerId(id - 1)),
        };
        // A product has two inputs.
        let twice = (op == Op::Mul && extra.is_none()).then_some(before);
        let inputs = match (&op, extra) {
            (Op::GroupNorm(_), Some(extra)) => vec![extra],
            _ => extra.into_iter().chain(twice).chain([before]).collect(),
        };
        layers.push(Layer { name: format!("layer{}", layers.len()), op, inputs });
        before
    };
    let mut channels = image_channels;
    for block in blocks {
        match block {
            Block::Plain(op) => {
                if let Op::Conv(conv) = op {
                    channels = conv.out_channels;
                }
                add(op.clone(), None);
            }
            Block::Depthwise(conv) => {
                let depthwise =
                    Convolution { out_channels: channels, groups: channels, ..conv.clone() };
                add(Op::Conv(depthwise), None);
            }
            Block::Grouped(conv) => {
                let groups = if channels.is_multiple_of(2) { 2 } else { 1 };
                channels = 2 * conv.out_channels;
                let conv = Convolution { out_channels: channels, groups, ..conv.clone() };
                add(Op::Conv(conv), None);
            }
            Block::Square => {
                add(Op::Mul, None);
            }
            Block::Half { middle } => {
                let half = channels.div_ceil(2);
                let start = if *middle { channels - half } else { 0 };
                channels = half;
                add(Op::Slice(ChannelSlice { start, end: start + half }), None);
            }
            Block::Shuffle => {
                let groups = if channels.is_multiple_of(2) { 2 } else { 1 };
                add(Op::Shuffle(ChannelShuffle { groups }), None);
            }
            Block::GroupNorm => {
                let groups = if channels.is_multiple_of(2) { 2 } else { 1 };
                let part = |part| Op::GroupNorm(GroupNorm { groups, eps: 1e-3, part });
                let gate = |join| Op::Gate(Gate { join });
                let map = add(part(GroupNormPart::Factor), None);
                add(gate(GateJoin::Mul), Some(map));
                let scaled = add(part(GroupNormPart::Shift), Some(map));
                add(gate(GateJoin::Add), Some(scaled));
            }
            Block::Gate { join, branch } => {
                let branch = branch.map(|stride| {
                    let conv = Convolution::new(channels.div_ceil(2), 3, stride, 1);
                    add(Op::Conv(conv), None)
                });
                let mean_of = add(Op::GlobalAvgPool, None);
                let map = branch.unwrap_or(mean_of);
                add(Op::Conv(Convolution::new(channels, 1, 1, 0)), None);
                add(Op::Pointwise(Function::Sigmoid), None);
                add(Op::Gate(Gate { join: *join }), Some(map));
            }
            Block::Branch { join } => {
                let before = add(Op::Conv(Convolution::new(channels, 3, 1, 1)), None);
                add(join.clone(), Some(before));
                if *join == Op::Concat {
                    channels *= 2;
                }
            }
        }
    }
    add(last, None);
    Network::with_channels("random", image_channels, layers).ok()
}

/// Weights around `middle`, up to a half away from it, scaled so that responses neither vanish nor
/// explode. Around 1 they are all positive: a ReLU stops nothing, and no two effects cancel.
pub fn model(network: Network, middle: f32, seed: u32) -> Model {
    let mut stream = TorchStream::new(seed).map(|value| middle - 0.5 + value);
    let mut numbers = |count: usize| stream.by_ref().take(count).collect::<Vec<f32>>();
    let filters = network
        .parameters()
        .map(|(id, [weights, biases])| {
            let taps = match network.layer(id).op {
                Op::Conv(_) => weights / network.channels(id),
                _ => 1,
            };
            // The sum of positive numbers grows with their number, of others with its root.
            let scale = match (taps, middle) {
                (1, _) => 1.5,
                (taps, 0.0) => 3.0 / (taps as f32).sqrt(),
                (taps, _) => 1.0 / taps as f32,
            };
            let weight = numbers(weights).into_iter().map(|value| value * scale).collect();
            Filters { weight, bias: numbers(biases) }
        })
        .collect();
    Model::new(network, filters).expect("filters of the right shapes")
}
