//! The network whose receptive fields are known: a retina of two layers.
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
//! No layer pads its input, so no field is cut off by the image's border.

use ndarray::Array4;
use serde_json::json;

use crate::geometry::{AxisProjection, SlidingWindow};
use crate::network::RGB;
use crate::report::Gaussian;

const CONV1_KERNEL: usize = 15;
const CONV1_STRIDE: usize = 2;
const POOL: usize = 2;
const CONV2_KERNEL: usize = 7;

/// A profile inside a kernel, in taps.
struct Profile {
    /// Of its centre from the kernel's, (y, x).
    offset: (f64, f64),
    /// Standard deviations along the long and the short axis.
    widths: [f64; 2],
    /// Of the long axis, in degrees.
    angle: f64,
}

impl Profile {
    /// The profile in a kernel of so many taps a side; `(0, 0)` is the first tap.
    fn in_kernel(&self, kernel: usize) -> Gaussian {
        let middle = (kernel as f64 - 1.0) / 2.0;
        let (y, x) = self.offset;
        Gaussian::oriented((middle + y, middle + x), self.widths, self.angle)
    }
}

/// A unit of `conv1`.
struct First {
    sign: f64,
    /// How much it sees of red, green and blue.
    colour: [f64; RGB],
    profile: Profile,
}

/// A unit of `conv2`.
struct Second {
    /// The pair of `conv1` that it reads: the unit ON; the one after it is OFF.
    pair: usize,
    profile: Profile,
}

impl Second {
    const fn new(pair: usize, offset: (f64, f64), widths: [f64; 2], angle: f64) -> Self {
        Self { pair, profile: Profile { offset, widths, angle } }
    }
}

const TILTED: Profile = Profile { offset: (-1.5, 2.0), widths: [2.2, 1.3], angle: 30.0 };
const ROUND: Profile = Profile { offset: (1.8, -0.8), widths: [1.8, 1.8], angle: 0.0 };
const NARROW: Profile = Profile { offset: (0.8, -1.6), widths: [2.5, 1.0], angle: 120.0 };

const WARM: [f64; RGB] = [1.0, 0.8, 0.5];
const GREEN: [f64; RGB] = [0.6, 1.0, -0.7];
const BLUE: [f64; RGB] = [-0.5, 0.4, 1.0];

const FIRST: [Option<First>; 6] = [
    Some(First { sign: 1.0, colour: WARM, profile: TILTED }),
    Some(First { sign: -1.0, colour: WARM, profile: TILTED }),
    Some(First { sign: 1.0, colour: GREEN, profile: ROUND }),
    Some(First { sign: -1.0, colour: GREEN, profile: ROUND }),
    Some(First { sign: 1.0, colour: BLUE, profile: NARROW }),
    None,
];

const SECOND: [Option<Second>; 6] = [
    Some(Second::new(0, (-0.5, 0.7), [1.2, 0.6], 60.0)),
    Some(Second::new(2, (1.0, -0.5), [0.9, 0.9], 0.0)),
    Some(Second::new(0, (0.5, -1.0), [1.1, 0.6], 150.0)),
    Some(Second::new(2, (-0.5, -0.6), [1.2, 0.6], 100.0)),
    Some(Second::new(2, (-0.6, 0.9), [1.0, 0.7], 0.0)),
    None,
];

/// The network as a model description.
pub fn description() -> String {
    let description = json!({
        "name": "phantom",
        "layers": [
            {
                "name": "conv1", "op": "conv", "out_channels": FIRST.len(),
                "kernel": CONV1_KERNEL, "stride": CONV1_STRIDE, "bias": false,
            },
            { "name": "relu1", "op": "relu" },
            { "name": "pool1", "op": "max_pool", "kernel": POOL, "stride": POOL },
            {
                "name": "conv2", "op": "conv", "out_channels": SECOND.len(),
                "kernel": CONV2_KERNEL, "bias": false,
            },
        ],
    });
    format!("{description:#}\n")
}

/// The weights, by tensor name: `[units, channels, kernel, kernel]`. Each filter's squares sum to
/// 1, but for the silent ones.
pub fn weights() -> [(&'static str, Array4<f32>); 2] {
    let shape = (FIRST.len(), RGB, CONV1_KERNEL, CONV1_KERNEL);
    let conv1 = Array4::from_shape_fn(shape, |(unit, channel, y, x)| {
        FIRST[unit].as_ref().map_or(0.0, |First { sign, colour, profile }| {
            sign * colour[channel] * profile.in_kernel(CONV1_KERNEL).value(y as f64, x as f64)
        })
    });
    let shape = (SECOND.len(), FIRST.len(), CONV2_KERNEL, CONV2_KERNEL);
    let conv2 = Array4::from_shape_fn(shape, |(unit, channel, y, x)| {
        SECOND[unit].as_ref().map_or(0.0, |Second { pair, profile }| {
            let value = profile.in_kernel(CONV2_KERNEL).value(y as f64, x as f64);
            if channel == *pair {
                value
            } else if channel == pair + 1 {
                -value
            } else {
                0.0
            }
        })
    });
    [("conv1.weight", normalized(conv1)), ("conv2.weight", normalized(conv2))]
}

fn normalized(mut filters: Array4<f64>) -> Array4<f32> {
    for mut filter in filters.outer_iter_mut() {
        let norm = filter.iter().map(|value| value * value).sum::<f64>().sqrt();
        if norm > 0.0 {
            filter /= norm;
        }
    }
    filters.mapv(|value| value as f32)
}

/// The field of every unit of `conv1` and of `conv2`, in pixels of its map; `None` for the silent
/// units.
pub fn truths() -> [Vec<Option<Gaussian>>; 2] {
    let first = |unit: &First| unit.profile.in_kernel(CONV1_KERNEL);
    let conv1 = FIRST.iter().map(|unit| unit.as_ref().map(first)).collect();
    let conv2 = SECOND.iter().map(|unit| {
        let unit = unit.as_ref()?;
        Some(composed(&FIRST[unit.pair].as_ref()?.profile, &unit.profile))
    });
    [conv1, conv2.collect()]
}

/// The field of `second` over a map that `first` made and that was pooled.
///
/// A position of the pooled map stands for any of [`POOL`]² neighbours, `CONV1_STRIDE` pixels
/// apart: on average for their middle, which is the window's, with their variance.
fn composed(first: &Profile, second: &Profile) -> Gaussian {
    let window = |kernel, stride| SlidingWindow { kernel, stride, ..SlidingWindow::SINGLE };
    let pooled = AxisProjection::IMAGE
        .through(window(CONV1_KERNEL, CONV1_STRIDE))
        .through(window(POOL, POOL));
    let step = pooled.step as f64;
    let field = pooled.through(window(CONV2_KERNEL, 1)).size;
    let pooling = (POOL.pow(2) as f64 - 1.0) / 12.0 * CONV1_STRIDE.pow(2) as f64;
    let (inner, outer) = (first.in_kernel(CONV1_KERNEL), second.in_kernel(CONV2_KERNEL));
    let middle = (field as f64 - 1.0) / 2.0;
    Gaussian {
        y: middle + first.offset.0 + step * second.offset.0,
        x: middle + first.offset.1 + step * second.offset.1,
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
        assert_eq!(fields, [15, 41]);
        for ((id, convolution), (name, tensor)) in network.convolutions().zip(weights()) {
            let layer = network.layer(id);
            assert_eq!(format!("{}.weight", layer.name), name);
            let Convolution { out_channels, kernel, .. } = *convolution;
            let inputs = network.channels_of(layer.inputs[0]);
            assert_eq!(tensor.shape(), [out_channels, inputs, kernel.y, kernel.x]);
        }
        assert!(matches!(network.layers()[1].op, Op::Relu));
    }

    #[test]
    fn off_is_on_with_its_sign_turned_and_the_silent_are_zero() {
        let [(_, conv1), (_, conv2)] = weights();
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
            let (y, x) = profile.offset;
            assert!(y.abs() + 2.5 * yy.sqrt() <= half, "y {y} {}", yy.sqrt());
            assert!(x.abs() + 2.5 * xx.sqrt() <= half, "x {x} {}", xx.sqrt());
        };
        FIRST.iter().flatten().for_each(|unit| inside(&unit.profile, CONV1_KERNEL));
        SECOND.iter().flatten().for_each(|unit| inside(&unit.profile, CONV2_KERNEL));
    }

    /// The field of each `conv2` unit from the weights themselves, with pooling as a mean.
    #[test]
    fn the_composed_field_is_that_of_the_composed_weights() {
        let [(_, conv1), (_, conv2)] = weights();
        let [_, truths] = truths();
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
