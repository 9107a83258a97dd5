//! The phantom's residual block: the pooled map, plus a convolution of it with batch normalisation.
//!
//! - `block.conv`, 5×5 padded by 2: of a pair, both channels read ON with Gaussian weights and OFF with
//!   their negatives, as `conv2` does; the second is the first with its sign turned.
//! - `block.bn`: a factor for each channel, which makes the two paths count alike. One pair's is negative,
//!   and turns its filters' sign.
//! - `block.add`: the pooled map and the normalised one.
//! - `conv4`, 1×1: ON less OFF of a pair. What the block adds to ON it takes from OFF, so the unit is
//!   `z + (f + f') k * z`, of the pair's `z`, its filter `k` and its factors `f` and `f'`: the field is a
//!   mixture of two Gaussians, that of `z` and that of `k * z`, by their masses.

use ndarray::{Array4, ArrayD};
use serde_json::{Value, json};

use super::phantom::{FIRST, Profile, composed, filters_of_pair, normalized};
use crate::network::BatchNorm;
use crate::report::Gaussian;

/// Taps of a side of the block's filters; half of them are padding.
pub(super) const KERNEL: usize = 5;

/// A pair's path through the block.
struct Path {
    /// The pair of `conv1`: the channel ON; the one after it is OFF.
    pair: usize,
    profile: Profile,
    /// Of ON and of OFF: weight, bias, mean and variance of the normalisation.
    norms: [[f32; 4]; 2],
}

const PATHS: [Path; 2] = [
    Path {
        pair: 0,
        profile: Profile { offset: [-0.9, 0.4], widths: [0.8, 0.6], angle: 0.0 },
        norms: [[0.72, 0.1, 0.3, 6.25], [0.48, -0.2, -0.1, 2.25]],
    },
    Path {
        pair: 2,
        profile: Profile { offset: [0.4, 0.9], widths: [0.8, 0.6], angle: 90.0 },
        norms: [[-0.9, 0.0, -0.2, 4.0], [-0.6, 0.3, 0.1, 2.25]],
    },
];

/// The profiles of the block's filters.
#[cfg(test)]
pub(super) fn profiles() -> impl Iterator<Item = &'static Profile> {
    PATHS.iter().map(|path| &path.profile)
}

/// Of channels that no path goes through.
const NORM: [f32; 4] = [1.5, 0.2, 0.1, 0.5];

const BATCH_NORM: BatchNorm = BatchNorm { eps: 1e-5, affine: true };

impl Path {
    /// The factors of ON and OFF.
    fn factors(&self) -> [f64; 2] {
        self.norms.map(|norm| f64::from(BATCH_NORM.factor_and_shift(norm)[0]))
    }

    /// The sign of both factors.
    fn sign(&self) -> f64 {
        self.factors()[0].signum()
    }
}

/// The block's layers, and `conv4`.
pub(super) fn layers() -> [Value; 4] {
    [
        json!({
            "name": "block.conv", "op": "conv", "out_channels": FIRST.len(), "kernel": KERNEL,
            "padding": KERNEL / 2, "bias": false, "inputs": ["pool1"],
        }),
        json!({ "name": "block.bn", "op": "batch_norm", "eps": BATCH_NORM.eps }),
        json!({ "name": "block.add", "op": "add", "inputs": ["pool1", "block.bn"] }),
        json!({
            "name": "conv4", "op": "conv", "out_channels": PATHS.len() + 1, "kernel": 1,
            "bias": false,
        }),
    ]
}

/// The filters of `block.conv`.
fn convolution() -> Array4<f32> {
    let mut filters = Array4::zeros((FIRST.len(), FIRST.len(), KERNEL, KERNEL));
    for path in &PATHS {
        for (unit, sign) in [(path.pair, path.sign()), (path.pair + 1, -path.sign())] {
            filters_of_pair(
                &path.profile,
                path.pair,
                sign,
                filters.index_axis_mut(ndarray::Axis(0), unit),
            );
        }
    }
    normalized(filters)
}

/// The filters of `conv4`.
fn readout() -> Array4<f32> {
    let mut filters = Array4::zeros((PATHS.len() + 1, FIRST.len(), 1, 1));
    for (unit, path) in PATHS.iter().enumerate() {
        filters[[unit, path.pair, 0, 0]] = 1.0;
        filters[[unit, path.pair + 1, 0, 0]] = -1.0;
    }
    normalized(filters)
}

/// The tensors by name, those of convolutions first.
pub(super) fn weights() -> Vec<(&'static str, ArrayD<f32>)> {
    let norm = |which: usize| {
        let of_channel = |channel: usize| {
            let path = PATHS.iter().find(|path| path.pair == channel / 2 * 2);
            path.map_or(NORM, |path| path.norms[channel % 2])[which]
        };
        ndarray::Array1::from_shape_fn(FIRST.len(), of_channel).into_dyn()
    };
    vec![
        ("block.conv.weight", convolution().into_dyn()),
        ("conv4.weight", readout().into_dyn()),
        ("block.bn.weight", norm(0)),
        ("block.bn.bias", norm(1)),
        ("block.bn.running_mean", norm(2)),
        ("block.bn.running_var", norm(3)),
    ]
}

/// The fields of the units of `block.conv` and of `conv4`.
pub(super) fn truths() -> [Vec<Option<Gaussian>>; 2] {
    let filters = convolution();
    let under = |path: &Path, profile: &Profile| {
        FIRST[path.pair].as_ref().map(|first| composed(&first.profile, profile, KERNEL))
    };
    let convolution = (0..FIRST.len()).map(|unit| {
        let path = PATHS.iter().find(|path| path.pair == unit / 2 * 2)?;
        under(path, &path.profile)
    });
    let readout = PATHS.iter().map(|path| {
        let alone = under(path, &Profile { offset: [0.0, 0.0], widths: [0.0, 0.0], angle: 0.0 })?;
        let filter = filters.slice(ndarray::s![path.pair, path.pair, .., ..]);
        let taps: f64 = filter.iter().copied().map(f64::from).sum();
        let mass = path.factors().iter().sum::<f64>() * taps;
        let through = under(path, &path.profile)?;
        Some(mixture(&[Part { mass: 1.0, field: alone }, Part { mass, field: through }]))
    });
    [convolution.collect(), readout.chain([None]).collect()]
}

/// A part of a mixture.
struct Part {
    mass: f64,
    field: Gaussian,
}

/// Mean and covariance of a mixture of two fields by their masses.
fn mixture(parts: &[Part; 2]) -> Gaussian {
    let total: f64 = parts.iter().map(|part| part.mass).sum();
    let mean = |of: &dyn Fn(&Gaussian) -> f64| {
        parts.iter().map(|part| part.mass / total * of(&part.field)).sum::<f64>()
    };
    let (y, x) = (mean(&|field| field.y), mean(&|field| field.x));
    Gaussian {
        y,
        x,
        yy: mean(&|field| field.yy + (field.y - y).powi(2)),
        xx: mean(&|field| field.xx + (field.x - x).powi(2)),
        yx: mean(&|field| field.yx + (field.y - y) * (field.x - x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paths_count_and_the_normalisation_decides_how_much() {
        let filters = convolution();
        for path in &PATHS {
            let filter = filters.slice(ndarray::s![path.pair, path.pair, .., ..]);
            let taps: f64 = filter.iter().copied().map(f64::from).sum();
            let mass = path.factors().iter().sum::<f64>() * taps;
            assert!((0.5..2.0).contains(&mass), "{mass}");
            // Without the factors the block's path would be most of the field.
            assert!((2.0 * taps).abs() > 2.0 * mass, "{taps}");
        }
        assert!(PATHS[0].sign() > 0.0 && PATHS[1].sign() < 0.0);
    }

    #[test]
    fn a_mixture_has_the_moments_of_its_parts_together() {
        let part = |mass: f64, y: f64, x: f64| Part {
            mass,
            field: Gaussian { y, x, yy: 4.0, xx: 3.0, yx: 0.5 },
        };
        let mixed = mixture(&[part(1.0, 10.0, 12.0), part(3.0, 14.0, 10.0)]);
        assert_eq!((mixed.y, mixed.x), (13.0, 10.5));
        assert_eq!((mixed.yy, mixed.xx, mixed.yx), (7.0, 3.75, -1.0));
    }
}
