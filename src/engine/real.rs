//! The arithmetic that the plain engine computes in.
#![allow(clippy::inline_always, reason = "part of the innermost operations of pooling")]

use std::borrow::Cow;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// `f32` or `f64`.
pub(crate) trait Real:
    Copy
    + PartialOrd
    + Default
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + Send
    + Sync
    + 'static
{
    const NEG_INFINITY: Self;

    /// Values of this type; `f32` are not copied.
    fn of(values: &[f32]) -> Cow<'_, [Self]>;
    fn powf(self, exponent: Self) -> Self;
    fn is_nan(self) -> bool;
    /// The nearest `f32`.
    fn rounded(self) -> f32;
    /// The value in 64 bits.
    fn wide(self) -> f64;
    /// The nearest value of this type.
    fn nearest(value: f64) -> Self;
}

impl Real for f32 {
    const NEG_INFINITY: Self = Self::NEG_INFINITY;

    fn of(values: &[f32]) -> Cow<'_, [Self]> {
        Cow::Borrowed(values)
    }

    fn powf(self, exponent: Self) -> Self {
        self.powf(exponent)
    }

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn rounded(self) -> f32 {
        self
    }

    fn wide(self) -> f64 {
        self.into()
    }

    fn nearest(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    const NEG_INFINITY: Self = Self::NEG_INFINITY;

    fn of(values: &[f32]) -> Cow<'_, [Self]> {
        values.iter().map(|&value| Self::from(value)).collect()
    }

    fn powf(self, exponent: Self) -> Self {
        self.powf(exponent)
    }

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn rounded(self) -> f32 {
        self as f32
    }

    fn wide(self) -> f64 {
        self
    }

    fn nearest(value: f64) -> Self {
        value
    }
}
