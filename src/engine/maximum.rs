//! Maxima as PyTorch takes them: a NaN wins and stays, so that it shows in the response.
//! `f32::max` would drop it, and a network that overflowed would look well.
#![allow(clippy::inline_always, reason = "the innermost operation of ReLU and pooling")]

/// `max(value, 0)`.
#[inline(always)]
pub(super) fn positive(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// The larger of a maximum so far and a value.
#[inline(always)]
pub(super) fn larger(largest: f32, value: f32) -> f32 {
    if value > largest || value.is_nan() { value } else { largest }
}
