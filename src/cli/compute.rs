//! Method, precision and device.

use clap::Args;
use occlumap::runs::{ComputeSettings, DeviceChoice, Method, Precision};

/// The device.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct DeviceArguments {
    /// Device: cpu; cuda or cuda:N, a GPU listed by `occlumap devices`; several GPUs, as
    /// cuda:0,cuda:1 or cuda:all; auto, the first usable GPU, otherwise the CPU
    #[arg(
        long,
        value_name = "auto|cpu|cuda[:N|:all]",
        default_value = "auto",
        hide_default_value = true
    )]
    pub device: DeviceChoice,
}

/// Method, precision and device.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct ComputeArguments {
    /// Method of presenting occluded images
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Arithmetic of products; sums have at least 32 bits
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
