//! Groups of arguments that several commands share.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use super::failure::Failure;
use occlumap::geometry::{GridPreset, GridRule, ImageSize, OccluderSize, OccluderStride};
use occlumap::images::{ChannelConstants, Preprocessing};
use occlumap::network::{MapContext, PRESETS, Response};
use occlumap::noise::Noise;
use occlumap::runs::{InputSettings, ModelSource, RunError, Share, ShareChoice};

/// Help of `--model`, with all presets.
fn model_help() -> String {
    format!(
        "Path of an ONNX file (.onnx) or of a model description (.json), or a preset: {}",
        PRESETS.join(", ")
    )
}

/// The network.
#[derive(Debug, Args)]
pub(super) struct NetworkArguments {
    /// The path of an ONNX file or of a model description, or the name of a preset.
    #[arg(long, value_name = "NAME|FILE", help = model_help())]
    pub model: String,
}

/// The network with its weights.
#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    #[command(flatten)]
    pub network: NetworkArguments,
    /// Weights: .safetensors, an index of such files (.index.json), .npz, .caffemodel, or .pth as written by
    /// torch.save [default: those in the ONNX file]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Prefix of the tensors' names, such as model_ema, in a file with several copies of the network
    #[arg(long, value_name = "PREFIX", requires = "weights")]
    pub weights_prefix: Option<String>,
}

/// The images and their preprocessing.
#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    /// Images: a folder of pictures, or of 0.npy, 1.npy, …; a folder of folders of pictures; a list
    /// of files (.txt), one path per line; an array of images (.npy)
    #[arg(long, value_name = "DIR")]
    pub images: PathBuf,
    /// Preprocessing of pixel values: none, imagenet (torchvision's resize, crop, mean and std),
    /// unit (0 to 1 becomes -1 to 1) or standardize (each image minus its mean, over its std)
    /// [default: none for .npy, imagenet for pictures]
    #[arg(long, value_name = "NAME")]
    pub preprocess: Option<Preprocessing>,
    /// Means of red, green and blue to subtract from pixel values in [0, 1]; with --preprocess
    /// imagenet, after its resize and crop
    #[arg(
        long,
        value_name = "R,G,B",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true
    )]
    #[arg(requires = "std")]
    pub mean: Vec<f32>,
    /// Standard deviations of red, green and blue to divide by
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1, requires = "mean")]
    pub std: Vec<f32>,
    /// Size of the images: 227, or HEIGHTxWIDTH. imagenet crops to it; otherwise the images must
    /// have it [default: that of the ONNX file, else of the first image; 224 for imagenet]
    #[arg(long, value_name = "SIZE")]
    pub image_size: Option<ImageSize>,
    /// Leave out images that cannot be read, and print their number; reads every image once more
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl ImageArguments {
    /// The requested preprocessing.
    pub fn preprocessing(&self) -> Result<Option<Preprocessing>, Failure> {
        let three = |name: &str, values: &[f32]| {
            <[f32; 3]>::try_from(values).map_err(|_| {
                let found = values.len();
                Failure::usage(format!("--{name} has {found} numbers; expected 3: R,G,B"))
            })
        };
        let constants = if self.mean.is_empty() {
            None
        } else {
            Some(ChannelConstants {
                mean: three("mean", &self.mean)?,
                std: three("std", &self.std)?,
            })
        };
        Ok(Preprocessing::choose(self.preprocess, constants)?)
    }
}

/// The layers.
#[derive(Debug, Args)]
pub(super) struct LayerArguments {
    /// Layers or modules, such as features.0 or layer1.0, or convolutions by number, such as
    /// conv1,conv3 [default: all convolutions]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    pub layers: Vec<String>,
    /// Responses of a convolution's units: its own, or those of the batch normalisation behind it
    #[arg(long, value_enum, default_value_t)]
    pub response: Response,
}

/// Occluders, and the part of the map to which their effect is added.
#[derive(Debug, Args)]
#[command(next_help_heading = "Occluders")]
pub(super) struct OccluderArguments {
    /// Grid of occluders
    #[arg(long, value_enum, default_value_t)]
    pub grid: GridPreset,
    /// Side of an occluder in pixels [reference: RF / 10; zhou: 11]. `run`, `sweep` and `plan` take several,
    /// 7,11,15: maps of each go to OUT/size7, …, and `occlumap sizes OUT` extrapolates them
    #[arg(long, value_name = "PIXELS", value_delimiter = ',', num_args = 1)]
    #[arg(conflicts_with = "size_divisor")]
    pub occluder_size: Vec<usize>,
    /// Distance between occluders in pixels, one for all sizes or one for each [reference: size / 2; zhou: 3]
    #[arg(long, value_name = "PIXELS", value_delimiter = ',', num_args = 1)]
    #[arg(conflicts_with = "stride_divisor")]
    pub occluder_stride: Vec<usize>,
    /// Side of an occluder as a part of the RF: RF / N; takes several, as --occluder-size does
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1)]
    pub size_divisor: Vec<usize>,
    /// Distance between occluders as a part of their size: size / N
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1)]
    pub stride_divisor: Vec<usize>,
    /// Present every N-th occluder of the grid only
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub every: usize,
}

impl OccluderArguments {
    /// The requested rule, of a command that takes one.
    pub fn rule(&self) -> Result<GridRule, Failure> {
        let rules = self.rules()?;
        match rules[..] {
            [rule] => Ok(rule),
            _ => Err(Failure::usage(format!(
                "occluders of {} sizes; expected one: `run`, `sweep` and `plan` take several",
                rules.len()
            ))),
        }
    }

    /// The requested rules, at least one.
    pub fn rules(&self) -> Result<Vec<GridRule>, Failure> {
        let pixels = self.occluder_size.iter().copied().map(OccluderSize::Pixels);
        let divisors = self.size_divisor.iter().copied().map(OccluderSize::Divisor);
        let sizes: Vec<OccluderSize> = pixels.chain(divisors).collect();
        let pixels = self.occluder_stride.iter().copied().map(OccluderStride::Pixels);
        let divisors = self.stride_divisor.iter().copied().map(OccluderStride::Divisor);
        let strides: Vec<OccluderStride> = pixels.chain(divisors).collect();
        Ok(self.grid.rules(&sizes, &strides)?)
    }
}

/// Threads and messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct RunningArguments {
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "T", value_parser = threads)]
    pub threads: Option<usize>,
    /// Print errors only
    #[arg(long, short)]
    pub quiet: bool,
}

/// Parses a number of at least 1.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".into()),
        Ok(number) => Ok(number),
    }
}

/// Parses a size in bytes.
pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "expected a size such as 500MiB or 4GiB".into())
}

/// Far more than useful; many more take minutes to start or bring the machine down.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=MOST_THREADS) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {MOST_THREADS}")),
    }
}

/// Parses a number of draws.
pub(super) fn repeats(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=Noise::DRAWS) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {}", Noise::DRAWS)),
    }
}

/// The process's share of the work.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct ShardArguments {
    /// Part I of N of the work; `occlumap merge` puts the parts of all processes together. `slurm`: the
    /// part of this task of a Slurm array, then blocks that no task has begun [default: all of the
    /// work]
    #[arg(long, value_name = "I/N|slurm", conflicts_with = "force")]
    pub shard: Option<ShareChoice>,
}

impl ShardArguments {
    /// The share of a process with these arguments.
    pub fn share(&self) -> Result<Share, RunError> {
        self.shard.map_or(Ok(Share::WHOLE), ShareChoice::share)
    }
}

impl ModelArguments {
    /// The settings of these arguments.
    pub fn input(
        self,
        images: ImageArguments,
        layers: LayerArguments,
    ) -> Result<InputSettings, Failure> {
        let preprocessing = images.preprocessing()?;
        Ok(InputSettings {
            model: ModelSource::files(self.network.model, self.weights)?,
            weights_prefix: self.weights_prefix,
            images: images.images.into(),
            preprocessing,
            image_size: images.image_size,
            skip_unreadable: images.skip_unreadable,
            response: layers.response,
            context: MapContext::Exact,
            layers: layers.layers,
        })
    }
}
