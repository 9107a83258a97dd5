//! Random networks of every layer kind, for property tests.

use occlumap::network::{
    Convolution, Filters, Input, Layer, LayerId, LocalResponseNorm, MaxPool, Model, Network, Op,
};
use occlumap::noise::TorchStream;
use proptest::prelude::*;

/// A piece of a network.
#[derive(Clone, Debug)]
pub enum Block {
    /// One layer.
    Plain(Op),
    /// A 3×3 convolution around which the input is added, or stacked.
    Branch {
        /// How.
        join: Op,
    },
}

/// Any piece.
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
            let padding = if padded { kernel / 2 } else { 0 };
            Block::Plain(Op::MaxPool(MaxPool {
                padding,
                ceil_mode,
                ..MaxPool::new(kernel, stride)
            }))
        },
    );
    let norm = LocalResponseNorm { size: 3, alpha: 0.1, beta: 0.75, k: 1.0 };
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

/// The network of some blocks, ended by a convolution; `None` where groups do not divide.
pub fn network(blocks: &[Block], last: Convolution) -> Option<Network> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut add = |op: Op, extra: Option<Input>| {
        let before = match layers.len() {
            0 => Input::Image,
            id => Input::Layer(LayerId(id - 1)),
        };
        let inputs = extra.into_iter().chain([before]).collect();
        layers.push(Layer { name: format!("layer{}", layers.len()), op, inputs });
        before
    };
    let mut channels = 3;
    for block in blocks {
        match block {
            Block::Plain(op) => {
                if let Op::Conv(conv) = op {
                    channels = conv.out_channels;
                }
                add(op.clone(), None);
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
    add(Op::Conv(last), None);
    Network::new("random", layers).ok()
}

/// Weights around `middle`, up to a half away from it, scaled so that responses neither vanish nor
/// explode. Around 1 they are all positive: a ReLU stops nothing, and no two effects cancel.
pub fn model(network: Network, middle: f32, seed: u32) -> Model {
    let mut stream = TorchStream::new(seed).map(|value| middle - 0.5 + value);
    let filters = network
        .convolutions()
        .map(|(id, conv)| {
            let inputs = network.channels_of(network.layer(id).inputs[0]) / conv.groups;
            let taps = inputs * conv.kernel * conv.kernel;
            // The sum of positive numbers grows with their number, of others with its root.
            let scale = match middle {
                0.0 => 3.0 / (taps as f32).sqrt(),
                _ => 1.0 / taps as f32,
            };
            Filters {
                weight: stream.by_ref().take(conv.out_channels * taps).map(|v| v * scale).collect(),
                bias: stream.by_ref().take(if conv.bias { conv.out_channels } else { 0 }).collect(),
            }
        })
        .collect();
    Model::new(network, filters).expect("filters of the right shapes")
}
