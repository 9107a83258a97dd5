//! Maxima as PyTorch takes them: a NaN wins and stays, so that it shows in the response.
//! `f32::max` would drop it, and a network that overflowed would look well.
#![allow(clippy::inline_always, reason = "the innermost operation of ReLU and pooling")]

use super::real::Real;

/// `max(value, 0)`.
#[inline(always)]
pub(super) fn positive<T: Real>(value: T) -> T {
    let zero = T::from(0.0);
    if value < zero { zero } else { value }
}

/// The larger of a maximum so far and a value.
#[inline(always)]
pub(super) fn max_nan<T: Real>(largest: T, value: T) -> T {
    if value > largest || value.is_nan() { value } else { largest }
}
