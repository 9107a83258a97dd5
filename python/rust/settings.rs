//! The settings of a run, from the dict that the package makes of a call's arguments.

use std::path::PathBuf;

use occlumap::geometry::{GridPreset, GridRule, ImageSize, OccluderSize, OccluderStride};
use occlumap::images::{ChannelConstants, ImageOptions, ImageSource, Preprocessing};
use occlumap::noise::Noise;
use occlumap::runs::{
    ComputeSettings, InputSettings, OcclusionSettings, OutputSettings, Share, ShareChoice,
    SweepSettings,
};
use pyo3::prelude::*;
use serde_json::Value;

use crate::error::Failure;
use crate::images::{Cause, Images};
use crate::network::Network;

/// Images, and what is done to them.
#[derive(FromPyObject)]
pub struct ImageInput {
    #[pyo3(item)]
    images: Images,
    #[pyo3(item)]
    preprocess: Option<String>,
    #[pyo3(item)]
    mean_std: Option<([f32; 3], [f32; 3])>,
    #[pyo3(item)]
    image_size: Option<(usize, usize)>,
    #[pyo3(item)]
    skip_unreadable: bool,
}

impl ImageInput {
    /// The source of the images, where their exceptions go, and how they are opened.
    pub fn source(self) -> Result<(ImageSource, Cause, ImageOptions<'static>), Failure> {
        let (source, cause) = self.images.source();
        let preprocess = self.preprocess.as_deref().map(str::parse).transpose()?;
        let constants = self.mean_std.map(|(mean, std)| ChannelConstants { mean, std });
        let options = ImageOptions {
            preprocessing: Preprocessing::choose(preprocess, constants)?,
            size: self.image_size.map(|(height, width)| ImageSize::new(height, width)),
            skip_unreadable: self.skip_unreadable,
            ..ImageOptions::default()
        };
        Ok((source, cause, options))
    }
}

/// Network, images and layers.
#[derive(FromPyObject)]
pub struct Input<'py> {
    #[pyo3(item)]
    network: PyRef<'py, Network>,
    #[pyo3(item)]
    images: ImageInput,
    #[pyo3(item)]
    layers: Vec<String>,
    #[pyo3(item)]
    response: String,
    #[pyo3(item)]
    context: String,
}

impl Input<'_> {
    /// The settings, and where exceptions of images go.
    pub fn settings(self) -> Result<(InputSettings, Cause), Failure> {
        let (source, cause, options) = self.images.source()?;
        let mut input = InputSettings::of(self.network.source.clone(), source);
        input.preprocessing = options.preprocessing;
        input.image_size = options.size;
        input.skip_unreadable = options.skip_unreadable;
        input.layers = self.layers;
        input.response = named("response", &self.response)?;
        input.context = named("context", &self.context)?;
        Ok((input, cause))
    }
}

/// Where results go.
#[derive(FromPyObject)]
pub struct Output {
    #[pyo3(item)]
    out: PathBuf,
    #[pyo3(item)]
    force: bool,
    #[pyo3(item)]
    shard: Option<String>,
}

impl Output {
    /// The settings.
    pub fn settings(self) -> Result<OutputSettings, Failure> {
        let share =
            self.shard.map_or(Ok(Share::WHOLE), |shard| shard.parse::<ShareChoice>()?.share())?;
        Ok(OutputSettings { folder: self.out, force: self.force, share })
    }
}

/// How occluders are laid out.
#[derive(FromPyObject)]
pub struct Grid {
    #[pyo3(item("grid"))]
    preset: String,
    #[pyo3(item)]
    occluder_size: Option<usize>,
    #[pyo3(item)]
    occluder_stride: Option<usize>,
    #[pyo3(item)]
    size_divisor: Option<usize>,
    #[pyo3(item)]
    stride_divisor: Option<usize>,
    #[pyo3(item)]
    pub every: usize,
}

impl Grid {
    /// The rule.
    pub fn rule(&self) -> Result<GridRule, Failure> {
        let preset = named::<GridPreset>("grid", &self.preset)?.rule();
        let both = |name: &str| {
            Failure::usage(format!(
                "occluder_{name} and {name}_divisor both say the same; give one"
            ))
        };
        let size = match (self.occluder_size, self.size_divisor) {
            (None, None) => preset.size,
            (Some(pixels), None) => OccluderSize::Pixels(pixels),
            (None, Some(divisor)) => OccluderSize::Divisor(divisor),
            _ => return Err(both("size")),
        };
        let stride = match (self.occluder_stride, self.stride_divisor) {
            (None, None) => preset.stride,
            (Some(pixels), None) => OccluderStride::Pixels(pixels),
            (None, Some(divisor)) => OccluderStride::Divisor(divisor),
            _ => return Err(both("stride")),
        };
        Ok(GridRule { size, stride, lattice: preset.lattice })
    }
}

/// Where occluders go, and what is kept of their effect.
#[derive(FromPyObject)]
pub struct Occlusion {
    #[pyo3(item)]
    grid: Grid,
    #[pyo3(item)]
    deposit: String,
    #[pyo3(item)]
    frame: String,
    #[pyo3(item)]
    fill: String,
    #[pyo3(item)]
    seed: u64,
    #[pyo3(item)]
    repeats: usize,
    #[pyo3(item)]
    mean_over: String,
    #[pyo3(item)]
    statistics: bool,
    #[pyo3(item)]
    moments: bool,
    #[pyo3(item)]
    reliability_curve: bool,
    #[pyo3(item)]
    until_reliable: Option<f64>,
}

impl Occlusion {
    /// The settings.
    pub fn settings(self) -> Result<OcclusionSettings, Failure> {
        Ok(OcclusionSettings {
            grid: self.grid.rule()?,
            every: self.grid.every,
            deposit: named("deposit", &self.deposit)?,
            frame: named("frame", &self.frame)?,
            fill: named("fill", &self.fill)?,
            seed: self.seed,
            repeats: self.repeats,
            mean_over: named("mean_over", &self.mean_over)?,
            statistics: self.statistics,
            moments: self.moments,
            reliability_curve: self.reliability_curve,
            until_reliable: self.until_reliable,
        })
    }
}

/// A choice by its name in files.
pub fn named<T: serde::de::DeserializeOwned>(what: &str, name: &str) -> Result<T, Failure> {
    serde_json::from_value(Value::String(name.into()))
        .map_err(|error| Failure::usage(format!("{what}: {error}")))
}

/// How responses are computed.
#[derive(FromPyObject)]
pub struct Compute {
    #[pyo3(item)]
    device: String,
    #[pyo3(item)]
    method: String,
    #[pyo3(item)]
    precision: String,
}

impl Compute {
    /// The settings.
    pub fn settings(&self) -> Result<ComputeSettings, Failure> {
        Ok(ComputeSettings {
            method: named("method", &self.method)?,
            precision: named("precision", &self.precision)?,
            device: self.device.parse()?,
        })
    }
}

/// A sweep.
#[derive(FromPyObject)]
pub struct Sweep<'py> {
    #[pyo3(item)]
    input: Input<'py>,
    #[pyo3(item)]
    output: Output,
    #[pyo3(item)]
    occlusion: Occlusion,
    #[pyo3(item)]
    compute: Compute,
    /// Side lengths of occluders, each with maps in a folder of its own.
    #[pyo3(item)]
    sizes: Option<Vec<usize>>,
    #[pyo3(item)]
    units: Option<String>,
    #[pyo3(item)]
    batch: Option<usize>,
    #[pyo3(item)]
    memory: Option<u64>,
    #[pyo3(item)]
    verify: u64,
    #[pyo3(item)]
    block: Option<usize>,
    #[pyo3(item)]
    fewer_threads: bool,
}

impl Sweep<'_> {
    /// The settings, and where exceptions of images go.
    pub fn settings(self) -> Result<(SweepSettings, Cause), Failure> {
        let (input, cause) = self.input.settings()?;
        let units = self.units.as_deref().map(str::parse).transpose()?;
        let mut occlusion = self.occlusion.settings()?;
        let grid = occlusion.grid;
        let of_size = |size| GridRule { size: OccluderSize::Pixels(size), ..grid };
        let sizes: Vec<GridRule> =
            self.sizes.unwrap_or_default().into_iter().map(of_size).collect();
        // As the command line does: no size but these is checked against the images.
        occlusion.grid = sizes.first().copied().unwrap_or(grid);
        let settings = SweepSettings {
            input,
            units: units.unwrap_or_default(),
            output: self.output.settings()?,
            sizes,
            occlusion,
            batch: self.batch,
            memory: self.memory,
            fewer_threads: self.fewer_threads,
            verify: self.verify,
            block: self.block,
            compute: self.compute.settings()?,
        };
        Ok((settings, cause))
    }
}

/// The noise of a text such as `philox:0`.
pub fn noise(text: &str) -> Result<Noise, Failure> {
    Ok(text.parse()?)
}
