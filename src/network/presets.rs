//! Networks known by name, in torchvision's layout.

use super::{Convolution, Input, Layer, LayerId, MaxPool, Network, NetworkError, Op};

/// Names of the presets.
pub const PRESETS: [&str; 5] = ["alexnet", "vgg11", "vgg13", "vgg16", "vgg19"];

impl Network {
    /// The preset called `name`, one of [`PRESETS`].
    ///
    /// # Errors
    /// A name that is none of them.
    pub fn preset(name: &str) -> Result<Self, NetworkError> {
        let ops = match name {
            "alexnet" => alexnet(),
            "vgg11" => vgg([1, 1, 2, 2, 2]),
            "vgg13" => vgg([2, 2, 2, 2, 2]),
            "vgg16" => vgg([2, 2, 3, 3, 3]),
            "vgg19" => vgg([2, 2, 4, 4, 4]),
            _ => {
                return Err(NetworkError::UnknownModel { name: name.into() });
            }
        };
        Self::new(name, chain(ops))
    }
}

/// Layers one after the other, named `features.0`, `features.1`, …
fn chain(ops: Vec<Op>) -> Vec<Layer> {
    let layer = |(place, op): (usize, Op)| Layer {
        name: format!("features.{place}"),
        op,
        inputs: vec![place.checked_sub(1).map_or(Input::Image, |id| Input::Layer(LayerId(id)))],
    };
    ops.into_iter().enumerate().map(layer).collect()
}

/// torchvision's AlexNet, after Krizhevsky 2014, "One weird trick", arXiv 1404.5997.
fn alexnet() -> Vec<Op> {
    let conv =
        |out, kernel, stride, padding| Op::Conv(Convolution::new(out, kernel, stride, padding));
    let pool = || Op::MaxPool(MaxPool::new(3, 2));
    vec![
        conv(64, 11, 4, 2),
        Op::Relu,
        pool(),
        conv(192, 5, 1, 2),
        Op::Relu,
        pool(),
        conv(384, 3, 1, 1),
        Op::Relu,
        conv(256, 3, 1, 1),
        Op::Relu,
        conv(256, 3, 1, 1),
        Op::Relu,
        pool(),
    ]
}

/// torchvision's VGG without batch normalisation (Simonyan and Zisserman 2015, arXiv 1409.1556):
/// five blocks of so many 3×3 convolutions, each block ended by a pooling.
fn vgg(block_lengths: [usize; 5]) -> Vec<Op> {
    let mut ops = Vec::new();
    for (length, channels) in block_lengths.into_iter().zip([64, 128, 256, 512, 512]) {
        for _ in 0..length {
            ops.push(Op::Conv(Convolution::new(channels, 3, 1, 1)));
            ops.push(Op::Relu);
        }
        ops.push(Op::MaxPool(MaxPool::new(2, 2)));
    }
    ops
}
