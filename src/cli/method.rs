//! The one place where an engine is chosen.

use clap::{Args, ValueEnum};

use crate::engine::{CpuEngine, Engine, ReferenceEngine};

/// How responses are computed.
#[derive(Debug, Args)]
pub(super) struct MethodArguments {
    /// How occluded images are presented
    #[arg(long, value_enum, default_value_t, help_heading = "Running")]
    method: Method,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Only what an occluder changes, and only as far as the unit depends on it
    #[default]
    Incremental,
    /// Every occluded image whole, by the book
    Full,
}

impl MethodArguments {
    /// Whether images are presented whole.
    pub fn is_full(&self) -> bool {
        self.method == Method::Full
    }

    /// The engine asked for; `activations` bounds, in bytes, what it holds of original images.
    pub fn engine(&self, activations: Option<usize>) -> Box<dyn Engine> {
        match self.method {
            Method::Incremental => {
                let mut engine = CpuEngine::default();
                engine.base_bytes = activations.unwrap_or(engine.base_bytes);
                Box::new(engine)
            }
            Method::Full => Box::new(ReferenceEngine),
        }
    }
}
