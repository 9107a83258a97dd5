//! `kernels/functions.cuh`: functions of single values.

use crate::engine::cuda::tables::mirrored::mirrored;
use crate::network::Function;

mirrored! {
    /// A function's numbers.
    pub struct FunctionParameters {
        kind: i32,
        a: f32,
        b: f32,
        reserved: i32,
    }
}

impl FunctionParameters {
    /// `max(x, 0)`.
    pub const RELU: Self = Self::of_kind(0);
    /// A factor and a shift a channel.
    pub const SCALE: Self = Self::of_kind(13);
    /// A slope a channel, for negative values.
    pub const SLOPE: Self = Self::of_kind(14);

    const fn of_kind(kind: i32) -> Self {
        Self { kind, a: 0.0, b: 0.0, reserved: 0 }
    }

    /// Those of a function.
    pub fn new(function: Function) -> Self {
        let with = |kind, a, b| Self { kind, a, b, reserved: 0 };
        match function {
            Function::LeakyRelu { negative_slope } => with(1, negative_slope, 0.0),
            Function::Clip { min, max } => {
                with(2, min.unwrap_or(f32::NEG_INFINITY), max.unwrap_or(f32::INFINITY))
            }
            Function::Sigmoid => Self::of_kind(3),
            Function::Tanh => Self::of_kind(4),
            Function::Silu => Self::of_kind(5),
            Function::HardSigmoid { alpha, beta } => with(6, alpha, beta),
            Function::HardSwish => Self::of_kind(7),
            Function::Elu { alpha } => with(8, alpha, 0.0),
            Function::Selu => Self::of_kind(9),
            Function::Gelu { tanh: false } => Self::of_kind(10),
            Function::Gelu { tanh: true } => Self::of_kind(11),
            Function::Mish => Self::of_kind(12),
            Function::Reciprocal => Self::of_kind(15),
            Function::Sqrt => Self::of_kind(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        FunctionParameters::check(include_str!("../../../../kernels/functions.cuh"));
    }
}
