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
    /// The engine asked for.
    pub fn engine(&self) -> Box<dyn Engine> {
        match self.method {
            Method::Incremental => Box::new(CpuEngine::default()),
            Method::Full => Box::new(ReferenceEngine),
        }
    }
}
