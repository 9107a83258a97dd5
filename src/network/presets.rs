//! Networks known by name, in torchvision's layout or Caffe's.

mod caffe;
mod densenet;
mod googlenet;
mod mobilenet;

use self::caffe::First;
use self::densenet::densenet;
use self::googlenet::googlenet;
use self::mobilenet::mobilenet_v2;
use super::{BatchNorm, Convolution, Input, Layer, LayerId, MaxPool, Network, NetworkError, Op};
use crate::geometry::Padding;

/// Names of the presets.
pub const PRESETS: [&str; 25] = [
    "alexnet",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19_bn",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "squeezenet1_0",
    "squeezenet1_1",
    "mobilenet_v2",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "googlenet",
    "caffe-alexnet",
    "caffenet",
    "places-alexnet",
];

impl Network {
    /// The preset called `name`, one of [`PRESETS`].
    ///
    /// # Errors
    /// A name that is none of them.
    pub fn preset(name: &str) -> Result<Self, NetworkError> {
        let vgg = |lengths| chain(vgg(lengths, name.ends_with("_bn")));
        let layers = match name {
            "alexnet" => chain(alexnet()),
            "vgg11" | "vgg11_bn" => vgg([1, 1, 2, 2, 2]),
            "vgg13" | "vgg13_bn" => vgg([2, 2, 2, 2, 2]),
            "vgg16" | "vgg16_bn" => vgg([2, 2, 3, 3, 3]),
            "vgg19" | "vgg19_bn" => vgg([2, 2, 4, 4, 4]),
            "resnet18" => resnet(Block::Basic, [2, 2, 2, 2]),
            "resnet34" => resnet(Block::Basic, [3, 4, 6, 3]),
            "resnet50" => resnet(Block::Bottleneck, [3, 4, 6, 3]),
            "resnet101" => resnet(Block::Bottleneck, [3, 4, 23, 3]),
            "resnet152" => resnet(Block::Bottleneck, [3, 8, 36, 3]),
            "squeezenet1_0" => squeezenet(Convolution::new(96, 7, 2, 0), [3, 7]),
            "squeezenet1_1" => squeezenet(Convolution::new(64, 3, 2, 0), [2, 4]),
            "mobilenet_v2" => mobilenet_v2(),
            "densenet121" => densenet(32, 64, [6, 12, 24, 16]),
            "densenet161" => densenet(48, 96, [6, 12, 36, 24]),
            "densenet169" => densenet(32, 64, [6, 12, 32, 32]),
            "densenet201" => densenet(32, 64, [6, 12, 48, 32]),
            "googlenet" => googlenet(),
            "caffe-alexnet" => caffe::alexnet(First::Norm),
            "caffenet" | "places-alexnet" => caffe::alexnet(First::Pool),
            _ => {
                return Err(NetworkError::UnknownModel { name: name.into() });
            }
        };
        Self::new(name, layers)
    }
}

/// Layers one after the other, named `features.0`, `features.1`, …
fn chain(ops: Vec<Op>) -> Vec<Layer> {
    let layer = |(index, op): (usize, Op)| Layer {
        name: format!("features.{index}"),
        op,
        inputs: vec![index.checked_sub(1).map_or(Input::Image, |id| Input::Layer(LayerId(id)))],
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

/// torchvision's VGG (Simonyan and Zisserman 2015, arXiv 1409.1556): five blocks of this many 3×3
/// convolutions, each block ended by a pooling.
fn vgg(block_lengths: [usize; 5], normalised: bool) -> Vec<Op> {
    let mut ops = Vec::new();
    for (length, channels) in block_lengths.into_iter().zip([64, 128, 256, 512, 512]) {
        for _ in 0..length {
            ops.push(Op::Conv(Convolution::new(channels, 3, 1, 1)));
            if normalised {
                ops.push(Op::BatchNorm(BatchNorm { eps: 1e-5, affine: true }));
            }
            ops.push(Op::Relu);
        }
        ops.push(Op::MaxPool(MaxPool::new(2, 2)));
    }
    ops
}

/// A network that grows by layers with names.
#[derive(Default)]
struct Layers(Vec<Layer>);

impl Layers {
    fn add(&mut self, name: impl Into<String>, op: Op, inputs: &[Input]) -> Input {
        self.0.push(Layer { name: name.into(), op, inputs: inputs.to_vec() });
        Input::Layer(LayerId(self.0.len() - 1))
    }

    /// A convolution and its batch normalisation.
    fn normalised(&mut self, [conv, norm]: [String; 2], op: Convolution, input: Input) -> Input {
        let output = self.add(conv, Op::Conv(op), &[input]);
        self.norm(norm, output)
    }

    /// A batch normalisation.
    fn norm(&mut self, name: String, input: Input) -> Input {
        self.add(name, Op::BatchNorm(BatchNorm { eps: 1e-5, affine: true }), &[input])
    }
}

/// A convolution without a bias.
const fn plain(outputs: usize, kernel: usize, stride: usize, padding: usize) -> Convolution {
    Convolution { bias: false, ..Convolution::new(outputs, kernel, stride, padding) }
}

/// A residual block.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3 and 1×1, the last with four times the channels.
    Bottleneck,
}

/// torchvision's `ResNet` (He et al. 2016, arXiv 1512.03385): four stages of this many blocks; the stride
/// of a bottleneck is in its 3×3 convolution.
fn resnet(block: Block, stages: [usize; 4]) -> Vec<Layer> {
    let mut layers = Layers::default();
    let stem = plain(64, 7, 2, 3);
    let output = layers.normalised(["conv1".into(), "bn1".into()], stem, Input::Image);
    let output = layers.add("relu", Op::Relu, &[output]);
    let pool = MaxPool { padding: Padding::all(1), ..MaxPool::new(3, 2) };
    let mut output = layers.add("maxpool", Op::MaxPool(pool), &[output]);
    let mut channels = 64;
    for (stage, (blocks, width)) in stages.into_iter().zip([64, 128, 256, 512]).enumerate() {
        for index in 0..blocks {
            let stride = if index == 0 && stage > 0 { 2 } else { 1 };
            let outputs = if block == Block::Basic { width } else { 4 * width };
            let within = |name: &str| format!("layer{}.{index}.{name}", stage + 1);
            let convolutions = match block {
                Block::Basic => {
                    vec![plain(width, 3, stride, 1), plain(width, 3, 1, 1)]
                }
                Block::Bottleneck => {
                    vec![plain(width, 1, 1, 0), plain(width, 3, stride, 1), plain(outputs, 1, 1, 0)]
                }
            };
            let input = output;
            for (number, conv) in convolutions.into_iter().enumerate() {
                if number > 0 {
                    // The module is one, and used several times.
                    let again = if number > 1 { format!("_{}", number - 1) } else { String::new() };
                    output = layers.add(within("relu") + &again, Op::Relu, &[output]);
                }
                let names = ["conv", "bn"].map(|kind| within(&format!("{kind}{}", number + 1)));
                output = layers.normalised(names, conv, output);
            }
            let mut shortcut = input;
            if stride > 1 || channels != outputs {
                let names = ["downsample.0", "downsample.1"].map(within);
                shortcut = layers.normalised(names, plain(outputs, 1, stride, 0), input);
            }
            output = layers.add(within("add"), Op::Add, &[output, shortcut]);
            let last = if block == Block::Basic { "relu_1" } else { "relu_2" };
            output = layers.add(within(last), Op::Relu, &[output]);
            channels = outputs;
        }
    }
    layers.0
}

/// torchvision's `SqueezeNet` (Iandola et al. 2016, arXiv 1602.07360): eight fire modules, with poolings
/// behind the first layers and at the indices `pools` among the others.
fn squeezenet(first: Convolution, pools: [usize; 2]) -> Vec<Layer> {
    let mut layers = Layers::default();
    let pool = || Op::MaxPool(MaxPool { ceil_mode: true, ..MaxPool::new(3, 2) });
    let mut output = layers.add("features.0", Op::Conv(first), &[Input::Image]);
    output = layers.add("features.1", Op::Relu, &[output]);
    output = layers.add("features.2", pool(), &[output]);
    let mut index = 3;
    for (fire, width) in [16, 16, 32, 32, 48, 48, 64, 64].into_iter().enumerate() {
        let within = |name: &str| format!("features.{index}.{name}");
        let mut conv = |name: &str, op: Convolution, input: Input| {
            let output = layers.add(within(name), Op::Conv(op), &[input]);
            layers.add(within(&format!("{name}_activation")), Op::Relu, &[output])
        };
        let squeezed = conv("squeeze", Convolution::new(width, 1, 1, 0), output);
        let small = conv("expand1x1", Convolution::new(4 * width, 1, 1, 0), squeezed);
        let large = conv("expand3x3", Convolution::new(4 * width, 3, 1, 1), squeezed);
        output = layers.add(within("concat"), Op::Concat, &[small, large]);
        index += 1;
        if pools.contains(&(fire + 1)) {
            output = layers.add(format!("features.{index}"), pool(), &[output]);
            index += 1;
        }
    }
    output = layers.add("classifier.1", Op::Conv(Convolution::new(1000, 1, 1, 0)), &[output]);
    layers.add("classifier.2", Op::Relu, &[output]);
    layers.0
}
