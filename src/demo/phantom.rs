//! The network whose receptive fields are known: a retina of two layers, and a residual block
//! (`demo::block`) beside the second.
//!
//! - `conv1`, 15×15 in steps of 2: each filter a Gaussian profile. Two come in pairs, ON and OFF:
//!   the second is the first with its sign turned.
//! - A ReLU and a max-pooling, 2×2 in steps of 2.
//! - `conv2`, 7×7: each unit reads one pair, the ON map with Gaussian weights and the OFF map with
//!   their negatives. As `relu(z) - relu(-z) = z`, the ReLU cuts nothing off, and the unit is
//!   linear but for the pooling, which passes on one of four neighbours. Its field is then a
//!   Gaussian too: offsets add up, and so do covariances.
//! - The last unit of each layer is silent: all its weights are zero.
//!
//! No layer but the block's pads its input, so no other field is cut off by the image's border.

use ndarray::{Array4, ArrayD, ArrayViewMut3};
use serde_json::{Value, json};

use super::block;
use crate::geometry::{AxisProjection, SlidingWindow};
use crate::network::RGB;
use crate::report::Gaussian;

const CONV1_KERNEL: usize = 15;
const CONV1_STRIDE: usize = 2;
const POOL: usize = 2;
const CONV2_KERNEL: usize = 7;

/// A profile inside a kernel, in taps.
pub(super) struct Profile {
    /// Of its centre from the kernel's: y, x.
    pub offset: [f64; 2],
    /// Standard deviations along the long and the short axis.
    pub widths: [f64; 2],
    /// Of the long axis, in degrees.
    pub angle: f64,
}

impl Profile {
    /// The profile in a kernel of this many taps a side; `(0, 0)` is the first tap.
    fn in_kernel(&self, kernel: usize) -> Gaussian {
        let middle = (kernel as f64 - 1.0) / 2.0;
        let [y, x] = self.offset;
        Gaussian::oriented([middle + y, middle + x], self.widths, self.angle)
    }
}

/// A unit of `conv1`.
pub(super) struct First {
    sign: f64,
    /// Weights of red, green and blue.
    colour: [f64; RGB],
    pub profile: Profile,
}

/// A unit of `conv2`.
struct Second {
    /// The pair of `conv1` that it reads: the unit ON; the one after it is OFF.
    pair: usize,
    profile: Profile,
}

impl Second {
    const fn new(pair: usize, offset: [f64; 2], widths: [f64; 2], angle: f64) -> Self {
        Self { pair, profile: Profile { offset, widths, angle } }
    }
}

const TILTED: Profile = Profile { offset: [-1.5, 2.0], widths: [2.2, 1.3], angle: 30.0 };
const ROUND: Profile = Profile { offset: [1.8, -0.8], widths: [1.8, 1.8], angle: 0.0 };
const NARROW: Profile = Profile { offset: [0.8, -1.6], widths: [2.5, 1.0], angle: 120.0 };

const WARM: [f64; RGB] = [1.0, 0.8, 0.5];
const GREEN: [f64; RGB] = [0.6, 1.0, -0.7];
const BLUE: [f64; RGB] = [-0.5, 0.4, 1.0];

pub(super) const FIRST: [Option<First>; 6] = [
    Some(First { sign: 1.0, colour: WARM, profile: TILTED }),
    Some(First { sign: -1.0, colour: WARM, profile: TILTED }),
    Some(First { sign: 1.0, colour: GREEN, profile: ROUND }),
    Some(First { sign: -1.0, colour: GREEN, profile: ROUND }),
    Some(First { sign: 1.0, colour: BLUE, profile: NARROW }),
    None,
];

const SECOND: [Option<Second>; 6] = [
    Some(Second::new(0, [-0.5, 0.7], [1.2, 0.6], 60.0)),
    Some(Second::new(2, [1.0, -0.5], [0.9, 0.9], 0.0)),
    Some(Second::new(0, [0.5, -1.0], [1.1, 0.6], 150.0)),
    Some(Second::new(2, [-0.5, -0.6], [1.2, 0.6], 100.0)),
    Some(Second::new(2, [-0.6, 0.9], [1.0, 0.7], 0.0)),
    None,
];

/// The network as a model description.
pub fn description() -> String {
    let retina = [
        json!({
            "name": "conv1", "op": "conv", "out_channels": FIRST.len(),
            "kernel": CONV1_KERNEL, "stride": CONV1_STRIDE, "bias": false,
        }),
        json!({ "name": "relu1", "op": "relu" }),
        json!({ "name": "pool1", "op": "max_pool", "kernel": POOL, "stride": POOL }),
        json!({
            "name": "conv2", "op": "conv", "out_channels": SECOND.len(),
            "kernel": CONV2_KERNEL, "bias": false,
        }),
    ];
    let layers: Vec<Value> = retina.into_iter().chain(block::layers()).collect();
    let description = json!({ "name": "phantom", "layers": layers });
    format!("{description:#}\n")
}

/// The tensors by name, those of convolutions first and in order: `[units, channels, kernel, kernel]`.
/// Each filter's squares sum to 1, but for the silent ones.
pub fn weights() -> Vec<(&'static str, ArrayD<f32>)> {
    let retina = retina().map(|(name, filters)| (name, filters.into_dyn()));
    retina.into_iter().chain(block::weights()).collect()
}

fn retina() -> [(&'static str, Array4<f32>); 2] {
    let shape = (FIRST.len(), RGB, CONV1_KERNEL, CONV1_KERNEL);
    let conv1 = Array4::from_shape_fn(shape, |(unit, channel, y, x)| {
        FIRST[unit].as_ref().map_or(0.0, |First { sign, colour, profile }| {
            sign * colour[channel] * profile.in_kernel(CONV1_KERNEL).value(y as f64, x as f64)
        })
    });
    let mut conv2 = Array4::zeros((SECOND.len(), FIRST.len(), CONV2_KERNEL, CONV2_KERNEL));
    for (unit, filter) in SECOND.iter().zip(conv2.outer_iter_mut()) {
        if let Some(Second { pair, profile }) = unit {
            filters_of_pair(profile, *pair, 1.0, filter);
        }
    }
    [("conv1.weight", normalized(conv1)), ("conv2.weight", normalized(conv2))]
}

/// Writes a profile into the channel ON of a filter `[channel, y, x]`, and its negative into OFF.
pub(super) fn filters_of_pair(
    profile: &Profile,
    pair: usize,
    sign: f64,
    mut filter: ArrayViewMut3<'_, f64>,
) {
    let profile = profile.in_kernel(filter.len_of(ndarray::Axis(1)));
    for (channel, sign) in [(pair, sign), (pair + 1, -sign)] {
        let mut taps = filter.index_axis_mut(ndarray::Axis(0), channel);
        for ((y, x), tap) in taps.indexed_iter_mut() {
            *tap = sign * profile.value(y as f64, x as f64);
        }
    }
}

pub(super) fn normalized(mut filters: Array4<f64>) -> Array4<f32> {
    for mut filter in filters.outer_iter_mut() {
        let norm = filter.iter().map(|value| value * value).sum::<f64>().sqrt();
        if norm > 0.0 {
            filter /= norm;
        }
    }
    filters.mapv(|value| value as f32)
}

/// The field of every unit of each convolution, in pixels of its map; `None` for the silent units.
pub fn truths() -> [Vec<Option<Gaussian>>; 4] {
    let first = |unit: &First| unit.profile.in_kernel(CONV1_KERNEL);
    let conv1 = FIRST.iter().map(|unit| unit.as_ref().map(first)).collect();
    let conv2 = SECOND.iter().map(|unit| {
        let unit = unit.as_ref()?;
        Some(composed(&FIRST[unit.pair].as_ref()?.profile, &unit.profile, CONV2_KERNEL))
    });
    let [block, readout] = block::truths();
    [conv1, conv2.collect(), block, readout]
}

/// The field of `second`, in a kernel of this many taps a side, over a map that `first` made and that was
/// pooled.
///
/// A position of the pooled map stands for any of [`POOL`]² neighbours, `CONV1_STRIDE` pixels
/// apart: on average for their middle, which is the window's, with their variance.
pub(super) fn composed(first: &Profile, second: &Profile, kernel: usize) -> Gaussian {
    let window = |kernel, stride| SlidingWindow { kernel, stride, ..SlidingWindow::SINGLE };
    let pooled = AxisProjection::IMAGE
        .through(window(CONV1_KERNEL, CONV1_STRIDE))
        .through(window(POOL, POOL));
    let step = pooled.step as f64;
    let field = pooled.through(window(kernel, 1)).size;
    let pooling = (POOL.pow(2) as f64 - 1.0) / 12.0 * CONV1_STRIDE.pow(2) as f64;
    let (inner, outer) = (first.in_kernel(CONV1_KERNEL), second.in_kernel(kernel));
    let middle = (field as f64 - 1.0) / 2.0;
    Gaussian {
        y: middle + first.offset[0] + step * second.offset[0],
        x: middle + first.offset[1] + step * second.offset[1],
        yy: inner.yy + step * step * outer.yy + pooling,
        xx: inner.xx + step * step * outer.xx + pooling,
        yx: inner.yx + step * step * outer.yx,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Convolution, Network, Op};

    #[test]
    fn the_description_fits_the_weights() {
        let network = Network::from_description(description().as_bytes()).unwrap();
        let fields: Vec<usize> =
            network.convolutions().map(|(id, _)| network.projection(id).size).collect();
        assert_eq!(fields, [15, 41, 33, 33]);
        for ((id, convolution), (name, tensor)) in network.convolutions().zip(weights()) {
            let layer = network.layer(id);
            assert_eq!(format!("{}.weight", layer.name), name);
            let Convolution { out_channels, kernel, .. } = *convolution;
            let inputs = network.channels_of(layer.inputs[0]);
            assert_eq!(tensor.shape(), [out_channels, inputs, kernel.y, kernel.x]);
        }
        assert_eq!(network.layers()[1].op, Op::Relu);
    }

    #[test]
    fn off_is_on_with_its_sign_turned_and_the_silent_are_zero() {
        let [(_, conv1), (_, conv2)] = retina();
        let unit = |unit| conv1.index_axis(ndarray::Axis(0), unit).to_owned();
        for second in SECOND.iter().flatten() {
            assert_eq!(unit(second.pair), -unit(second.pair + 1));
        }
        for filters in [&conv1, &conv2] {
            let norms: Vec<f32> =
                filters.outer_iter().map(|f| f.iter().map(|v| v * v).sum::<f32>()).collect();
            let (silent, others) = norms.split_last().unwrap();
            assert_eq!(*silent, 0.0);
            assert!(others.iter().all(|norm| (norm - 1.0).abs() < 1e-5));
        }
    }

    #[test]
    fn every_profile_lies_inside_its_kernel_to_two_and_a_half_widths() {
        let inside = |profile: &Profile, kernel: usize| {
            let half = kernel as f64 / 2.0;
            let Gaussian { yy, xx, .. } = profile.in_kernel(kernel);
            let [y, x] = profile.offset;
            assert!(y.abs() + 2.5 * yy.sqrt() <= half, "y {y} {}", yy.sqrt());
            assert!(x.abs() + 2.5 * xx.sqrt() <= half, "x {x} {}", xx.sqrt());
        };
        FIRST.iter().flatten().for_each(|unit| inside(&unit.profile, CONV1_KERNEL));
        SECOND.iter().flatten().for_each(|unit| inside(&unit.profile, CONV2_KERNEL));
        block::profiles().for_each(|profile| inside(profile, block::KERNEL));
    }

    /// The field of each `conv2` unit from the weights themselves, with pooling as a mean.
    #[test]
    fn the_composed_field_is_that_of_the_composed_weights() {
        let [(_, conv1), (_, conv2)] = retina();
        let [_, truths, ..] = truths();
        for (unit, truth) in truths.iter().enumerate() {
            let Some(truth) = truth else { continue };
            let mut map = ndarray::Array2::<f64>::zeros((41, 41));
            for ((channel, qy, qx), &outer) in
                conv2.index_axis(ndarray::Axis(0), unit).indexed_iter()
            {
                for ((colour, ky, kx), &inner) in
                    conv1.index_axis(ndarray::Axis(0), channel).indexed_iter()
                {
                    for (py, px) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
                        if colour == 1 {
                            map[[4 * qy + py + ky, 4 * qx + px + kx]] += f64::from(outer * inner);
                        }
                    }
                }
            }
            let found = Gaussian::of_map(&map.view()).unwrap();
            assert!(
                (found.y - truth.y).abs() < 0.1 && (found.x - truth.x).abs() < 0.1,
                "{unit}: {found:?} {truth:?}"
            );
            for (found, truth) in found.widths().iter().zip(truth.widths()) {
                assert!((found / truth - 1.0).abs() < 0.05, "{unit}: {found} {truth}");
            }
        }
    }
}
