//! torchvision's `GoogLeNet`.

use super::{Layers, plain};
use crate::geometry::{Padding, PerAxis};
use crate::network::{BatchNorm, ChannelScale, Convolution, Input, Layer, MaxPool, Op};

/// The first step of torchvision's pretrained network on images (`transform_input`): from its usual mean
/// and deviation of each channel to 1/2 and 1/2.
fn transform() -> ChannelScale {
    let (means, deviations) = ([0.485_f64, 0.456, 0.406], [0.229_f64, 0.224, 0.225]);
    ChannelScale {
        factors: deviations.map(|deviation| (deviation / 0.5) as f32).to_vec(),
        shifts: means.map(|mean| ((mean - 0.5) / 0.5) as f32).to_vec(),
    }
}

/// torchvision's `GoogLeNet` (Szegedy et al. 2015, arXiv 1409.4842, with batch normalisation, and 3×3
/// convolutions for the paper's 5×5): nine inception modules.
pub(super) fn googlenet() -> Vec<Layer> {
    let mut layers = Layers::default();
    let image = layers.add("transform_input", Op::Scale(transform()), &[Input::Image]);
    let output = unit(&mut layers, "conv1", plain(64, 7, 2, 3), image);
    let output = layers.add("maxpool1", pool(3), &[output]);
    let output = unit(&mut layers, "conv2", plain(64, 1, 1, 0), output);
    let output = unit(&mut layers, "conv3", plain(192, 3, 1, 1), output);
    let mut output = layers.add("maxpool2", pool(3), &[output]);
    for (name, widths) in [
        ("3a", [64, 96, 128, 16, 32, 32]),
        ("3b", [128, 128, 192, 32, 96, 64]),
        ("4a", [192, 96, 208, 16, 48, 64]),
        ("4b", [160, 112, 224, 24, 64, 64]),
        ("4c", [128, 128, 256, 24, 64, 64]),
        ("4d", [112, 144, 288, 32, 64, 64]),
        ("4e", [256, 160, 320, 32, 128, 128]),
        ("5a", [256, 160, 320, 32, 128, 128]),
        ("5b", [384, 192, 384, 48, 128, 128]),
    ] {
        match name {
            "4a" => output = layers.add("maxpool3", pool(3), &[output]),
            "5a" => output = layers.add("maxpool4", pool(2), &[output]),
            _ => {}
        }
        output = inception(&mut layers, &format!("inception{name}"), widths, output);
    }
    layers.0
}

/// Four branches: 1×1; 1×1 and 3×3, twice; a pooling and 1×1.
fn inception(layers: &mut Layers, module: &str, widths: [usize; 6], input: Input) -> Input {
    let [single, narrow, wide, narrower, less_wide, pooled] = widths;
    let within = |name: &str| format!("{module}.{name}");
    let first = unit(layers, &within("branch1"), plain(single, 1, 1, 0), input);
    let mut pair = |branch: &str, [narrow, wide]: [usize; 2]| {
        let part = |part: usize| within(&format!("{branch}.{part}"));
        let output = unit(layers, &part(0), plain(narrow, 1, 1, 0), input);
        unit(layers, &part(1), plain(wide, 3, 1, 1), output)
    };
    let second = pair("branch2", [narrow, wide]);
    let third = pair("branch3", [narrower, less_wide]);
    let around = MaxPool {
        padding: Padding::all(1),
        stride: PerAxis::both(1),
        ceil_mode: true,
        ..MaxPool::new(3, 1)
    };
    let output = layers.add(within("branch4.0"), Op::MaxPool(around), &[input]);
    let fourth = unit(layers, &within("branch4.1"), plain(pooled, 1, 1, 0), output);
    layers.add(within("concat"), Op::Concat, &[first, second, third, fourth])
}

/// A convolution, its batch normalisation and its ReLU.
fn unit(layers: &mut Layers, module: &str, conv: Convolution, input: Input) -> Input {
    let named = |part: &str| format!("{module}.{part}");
    let output = layers.add(named("conv"), Op::Conv(conv), &[input]);
    let norm = Op::BatchNorm(BatchNorm { eps: 1e-3, affine: true });
    let output = layers.add(named("bn"), norm, &[output]);
    layers.add(named("relu"), Op::Relu, &[output])
}

fn pool(kernel: usize) -> Op {
    Op::MaxPool(MaxPool { ceil_mode: true, ..MaxPool::new(kernel, 2) })
}
