//! `MobileNetV2`.

use super::{Layers, plain};
use crate::network::{Convolution, Function, Input, Layer, Op};

/// Of each stage: by how much channels are expanded, output channels, blocks, and the first one's stride.
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// torchvision's `MobileNetV2` (Sandler et al. 2018, arXiv 1801.04381).
pub(super) fn mobilenet_v2() -> Vec<Layer> {
    let mut layers = Layers::default();
    let mut channels = 32;
    let mut output = unit(&mut layers, "features.0", plain(channels, 3, 2, 1), Input::Image);
    let mut index = 1;
    for [expansion, outputs, blocks, first_stride] in STAGES {
        for block in 0..blocks {
            let stride = if block == 0 { first_stride } else { 1 };
            let within = |number: usize| format!("features.{index}.conv.{number}");
            let (input, width) = (output, expansion * channels);
            let mut number = 0;
            if expansion > 1 {
                output = unit(&mut layers, &within(number), plain(width, 1, 1, 0), output);
                number += 1;
            }
            let depthwise = Convolution { groups: width, ..plain(width, 3, stride, 1) };
            output = unit(&mut layers, &within(number), depthwise, output);
            let names = [within(number + 1), within(number + 2)];
            output = layers.normalised(names, plain(outputs, 1, 1, 0), output);
            if stride == 1 && channels == outputs {
                output = layers.add(format!("features.{index}.add"), Op::Add, &[input, output]);
            }
            channels = outputs;
            index += 1;
        }
    }
    unit(&mut layers, &format!("features.{index}"), plain(1280, 1, 1, 0), output);
    layers.0
}

/// A convolution, its batch normalisation and `ReLU6`, the parts 0, 1 and 2 of a module.
fn unit(layers: &mut Layers, module: &str, op: Convolution, input: Input) -> Input {
    let names = [0, 1].map(|part| format!("{module}.{part}"));
    let output = layers.normalised(names, op, input);
    let relu6 = Function::Clip { min: Some(0.0), max: Some(6.0) };
    layers.add(format!("{module}.2"), Op::Pointwise(relu6), &[output])
}
