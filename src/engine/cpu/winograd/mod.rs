//! Convolutions with fewer multiplications than taps: Toom and Cook's, in Winograd's form.
//!
//! A window of an axis is a short correlation, `y[o] = Σ_t w[t] x[o + t]`, and a correlation of `k`
//! taps with `m` outputs (or, turned around, `n` inputs) needs `m + k - 1` (or `n + k - 1`)
//! multiplications: the inputs become as many values by a fixed matrix, each is multiplied by a
//! value of the weights, and another matrix makes the outputs. Both axes together need the product
//! of their numbers, and the multiplications of all channels are one matrix product for each pair
//! of values. S. Winograd, "Arithmetic complexity of computations", 1980; A. Lavin and S. Gray,
//! "Fast algorithms for convolutional neural networks", CVPR 2016.
//!
//! `points` has the matrices, `axis` chooses the form of one axis of a plan, `form` that of a
//! plan, `weights` transforms weights, `combine` adds up lines, and `run` computes.

mod axis;
mod combine;
mod form;
mod points;
mod run;
mod weights;

pub(super) use form::Form;
pub(super) use run::{Scratch, Winograd};
pub(super) use weights::Transformed;
