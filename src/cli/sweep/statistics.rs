//! How often occluders are presented, and what is told about maps beside their means.

use clap::{Args, ValueEnum};

use crate::maps::MeanOver;
use crate::noise::Noise;

/// How sure maps are, and what else is summed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Statistics")]
pub(in crate::cli) struct StatisticsArguments {
    /// Present each occluder R times, each time with other noise, and take the mean: R times the
    /// work for less noise in the maps; asks for --statistics
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = repeats)]
    pub repeats: usize,
    /// Also write, pixel by pixel, the standard error of the mean over images (conv1_max_sem.npy)
    /// and the number of images whose receptive field covers the pixel (conv1_max_counts.npy)
    #[arg(long)]
    pub statistics: bool,
    /// Also write the means of the signed and of the squared differences (conv1_max_signed.npy,
    /// conv1_max_squared.npy)
    #[arg(long)]
    pub moments: bool,
    /// Over which images the mean of a pixel is taken
    #[arg(long, value_enum, default_value_t)]
    pub mean_over: MeanOverName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MeanOverName {
    /// All: images that cut the receptive field count as zeros where it lies outside of them
    #[default]
    Images,
    /// Those in which the receptive field covers the pixel
    Covering,
}

impl From<MeanOverName> for MeanOver {
    fn from(name: MeanOverName) -> Self {
        match name {
            MeanOverName::Images => Self::Images,
            MeanOverName::Covering => Self::Covering,
        }
    }
}

impl StatisticsArguments {
    /// The noise of each time that an occluder is presented.
    pub fn draws(&self, seed: u64) -> Vec<Noise> {
        let first = Noise::Philox { seed, draw: 0 };
        (0..self.repeats).filter_map(|draw| first.draw_after(draw)).collect()
    }

    /// Whether standard errors and counts are to be written.
    pub const fn is_asked_for(&self) -> bool {
        self.statistics || self.repeats > 1
    }
}

/// How often occluders can be presented.
pub(in crate::cli) fn repeats(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=Noise::DRAWS) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {}", Noise::DRAWS)),
    }
}
