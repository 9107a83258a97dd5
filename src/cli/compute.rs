//! How and where responses are computed.

use clap::Args;
use occlumap::runs::{ComputeSettings, DeviceChoice, Method, Precision};

/// Where the work is done.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct DeviceArguments {
    /// Where to compute: cpu; cuda or cuda:N, a GPU that `occlumap devices` shows; several, as
    /// cuda:0,cuda:1, or cuda:all; auto, the first GPU that can be used, or else the CPU
    #[arg(
        long,
        value_name = "auto|cpu|cuda[:N|:all]",
        default_value = "auto",
        hide_default_value = true
    )]
    pub device: DeviceChoice,
}

/// How responses are computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct ComputeArguments {
    /// How occluded images are presented
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Arithmetic of products; sums have at least 32 bits in each
    #[arg(long, value_enum, default_value_t)]
    pub precision: Precision,
    #[command(flatten)]
    pub device: DeviceArguments,
}

impl ComputeArguments {
    /// The settings of these arguments.
    pub fn settings(&self) -> ComputeSettings {
        let Self { method, precision, device: DeviceArguments { device } } = self;
        ComputeSettings { method: *method, precision: *precision, device: device.clone() }
    }
}
