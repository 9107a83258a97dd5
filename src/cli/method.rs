//! The one place where an engine is chosen.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use crate::engine::{CpuEngine, Engine, Float64Engine, ReferenceEngine};

/// How responses are computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct MethodArguments {
    /// How occluded images are presented
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Arithmetic: f64 goes with --method full, to tell how much the others round
    #[arg(long, value_enum, default_value_t)]
    precision: Precision,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Only what an occluder changes, and only as far as the unit depends on it
    #[default]
    Incremental,
    /// As incremental, without forms that need fewer multiplications: slower, rounds less, takes
    /// less memory
    Direct,
    /// Every occluded image whole, by the book
    Full,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Precision {
    /// 32-bit floats, as PyTorch computes
    #[default]
    F32,
    /// 64-bit floats
    F64,
}

impl MethodArguments {
    /// Whether images are presented whole.
    pub fn is_full(&self) -> bool {
        self.method == Method::Full
    }

    /// The engine asked for; `activations` bounds, in bytes, what it holds of original images.
    ///
    /// # Errors
    /// A precision that the method does not have.
    pub fn engine(&self, activations: Option<usize>) -> Result<Box<dyn Engine>, Failure> {
        match (self.method, self.precision) {
            (Method::Incremental | Method::Direct, Precision::F32) => {
                let mut engine = CpuEngine::default();
                engine.direct = self.method == Method::Direct;
                engine.base_bytes = activations.unwrap_or(engine.base_bytes);
                Ok(Box::new(engine))
            }
            (Method::Full, Precision::F32) => Ok(Box::new(ReferenceEngine)),
            (Method::Full, Precision::F64) => Ok(Box::new(Float64Engine)),
            (Method::Incremental | Method::Direct, Precision::F64) => Err(Failure::usage(
                "--precision f64 goes with --method full; the other methods have f32",
            )),
        }
    }
}
