//! `DenseNet`.

use super::{Layers, plain};
use crate::geometry::Padding;
use crate::network::{AveragePool, Input, Layer, MaxPool, Op};

/// torchvision's `DenseNet` (Huang et al. 2017, arXiv 1608.06993): four blocks of this many layers, each of
/// which adds `growth` channels to all that come before it.
pub(super) fn densenet(growth: usize, stem: usize, blocks: [usize; 4]) -> Vec<Layer> {
    let mut layers = Layers::default();
    let names = ["conv0", "norm0"].map(|name| format!("features.{name}"));
    let output = layers.normalised(names, plain(stem, 7, 2, 3), Input::Image);
    let output = layers.add("features.relu0", Op::Relu, &[output]);
    let pool = MaxPool { padding: Padding::all(1), ..MaxPool::new(3, 2) };
    let mut output = layers.add("features.pool0", Op::MaxPool(pool), &[output]);
    let mut channels = stem;
    for (block, count) in blocks.into_iter().enumerate() {
        for index in 0..count {
            let module = format!("features.denseblock{}", block + 1);
            let within = |name: &str| format!("{module}.denselayer{}.{name}", index + 1);
            let mut added = output;
            for (number, conv) in [plain(4 * growth, 1, 1, 0), plain(growth, 3, 1, 1)]
                .into_iter()
                .enumerate()
                .map(|(index, conv)| (index + 1, conv))
            {
                added = layers.norm(within(&format!("norm{number}")), added);
                added = layers.add(within(&format!("relu{number}")), Op::Relu, &[added]);
                added = layers.add(within(&format!("conv{number}")), Op::Conv(conv), &[added]);
            }
            let again = if index > 0 { format!("_{index}") } else { String::new() };
            output = layers.add(format!("{module}.concat{again}"), Op::Concat, &[output, added]);
            channels += growth;
        }
        if block + 1 < blocks.len() {
            let within = |name: &str| format!("features.transition{}.{name}", block + 1);
            channels /= 2;
            output = layers.norm(within("norm"), output);
            output = layers.add(within("relu"), Op::Relu, &[output]);
            output = layers.add(within("conv"), Op::Conv(plain(channels, 1, 1, 0)), &[output]);
            output = layers.add(within("pool"), Op::AvgPool(AveragePool::new(2, 2)), &[output]);
        }
    }
    output = layers.norm("features.norm5".into(), output);
    layers.add("relu", Op::Relu, &[output]);
    layers.0
}
