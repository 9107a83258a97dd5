//! Fills of occluders: their checks, and the values of constant ones.

use std::path::Path;

use super::layout::MAPS;
use super::{Context, OcclusionSettings, Ranking, RunError, SweepRun, Task};
use crate::blocks::BlockFolder;
use crate::files::FileError;
use crate::geometry::ImageSize;
use crate::images::ImageFolder;
use crate::maps::{Manifest, StoredSweep, SweepConfiguration, SweepParameters};
use crate::noise::{FillRule, Noise};
use crate::ranking::digests;
use crate::sweep::SweepFill;

impl OcclusionSettings {
    /// Checks that draws differ, where there are several.
    pub(super) fn check_draws(&self) -> Result<(), RunError> {
        let Self { fill, repeats, .. } = *self;
        if repeats > 1 && !fill.is_drawn() {
            return Err(RunError::usage(format!(
                "--repeats {repeats}: with --fill {} every draw presents the same pixels; leave \
                 --repeats out",
                fill.name()
            )));
        }
        Ok(())
    }

    /// Checks the fill against the images; `draws` are those of the seed up to the last that is
    /// presented.
    pub(super) fn check_fill(&self, images: &ImageFolder, draws: usize) -> Result<(), RunError> {
        let others = images.len() - 1;
        match self.fill {
            FillRule::Images if others == 0 => Err(RunError::usage(
                "--fill images: there is one image; expected others, whose pixels fill its \
                 occluders",
            )),
            FillRule::Images if draws > others => Err(RunError::usage(format!(
                "--fill images, {draws} draws (--repeats): each takes another image, and there \
                 are {others} others"
            ))),
            FillRule::Grey if images.grey().is_none() => Err(RunError::usage(format!(
                "--fill grey: with --preprocess {} there is no value that is grey in every image; \
                 use --fill zero or --fill mean",
                images.preprocessing().name()
            ))),
            _ => Ok(()),
        }
    }
}

impl SweepParameters {
    /// The fill of the sweep, on images of `size`, for a network on `channels`.
    ///
    /// # Errors
    /// Noise that no sweep has, or another number of values.
    pub(super) fn sweep_fill(
        &self,
        size: ImageSize,
        channels: usize,
    ) -> Result<SweepFill, RunError> {
        let first: Noise = self.noise.parse()?;
        let draws = (0..self.repeats).filter_map(|draw| first.draw_after(draw)).collect();
        let values = self.fill_values.as_deref().unwrap_or_default();
        if self.fill.is_constant() && values.len() != channels {
            let problem = format!(
                "settings.fill_values: {} values; expected {channels}, one for each channel",
                values.len()
            );
            return Err(FileError::content(Path::new(Manifest::FILE), problem).into());
        }
        Ok(SweepFill::new(self.fill, draws, &rounded(values), size))
    }
}

impl SweepRun<'_> {
    /// The fill of the sweep. Means come from results in the output folder, if these are of the same
    /// images.
    pub(super) fn fill(&self, ranking: &Ranking) -> Result<SweepFill, RunError> {
        let (occlusion, images) = (&self.settings.occlusion, &self.inputs.images);
        if occlusion.fill != FillRule::Mean {
            let values = fill_values(occlusion.fill, images, &self.context)?;
            return Ok(self.fill_of(&values.unwrap_or_default()));
        }
        if let Some(mean) = self.mean.get() {
            return Ok(self.fill_of(mean));
        }
        let found = match self.known_mean(ranking) {
            // Of the images that were ranked, unchanged.
            None => mean(&images.with_digests(ranking.digests.clone()), &self.context)?,
            Some(known) => known,
        };
        // Another thread would have found the same.
        Ok(self.fill_of(self.mean.get_or_init(|| found)))
    }

    /// The fill of the sweep, with these values for a constant one.
    pub(super) fn fill_of(&self, values: &[f32]) -> SweepFill {
        let occlusion = &self.settings.occlusion;
        SweepFill::new(occlusion.fill, occlusion.draws(), values, self.inputs.images.size())
    }

    /// The mean in the configuration of existing results.
    fn known_mean(&self, ranking: &Ranking) -> Option<Vec<f32>> {
        let (output, images) = (&self.output, &self.inputs.images);
        if self.settings.output.force {
            return None;
        }
        let digest = digests::digest(images.names(), &ranking.digests);
        // Unusable results are reported when they are needed.
        let manifest = Manifest::read(output.path()).ok().flatten();
        let blocks = BlockFolder::find(&output.blocks(MAPS)).ok().flatten();
        let blocks = blocks.map(|(_, stored): (BlockFolder, StoredSweep)| stored.configuration);
        let known = |there: &SweepConfiguration| {
            there.settings.fill == FillRule::Mean
                && there.images_sha256 == digest
                && there.images == images.configuration()
        };
        let there = manifest.map(|manifest| manifest.configuration).into_iter().chain(blocks);
        let values = there.filter(known).find_map(|there| there.settings.fill_values)?;
        (values.len() == images.channels()).then(|| rounded(&values))
    }
}

/// Values of a configuration.
fn rounded(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The value of each channel, for a constant fill. The mean takes a pass over all images.
pub(super) fn fill_values(
    fill: FillRule,
    images: &ImageFolder,
    context: &Context<'_>,
) -> Result<Option<Vec<f32>>, RunError> {
    Ok(match fill {
        FillRule::Zero => Some(vec![0.0; images.channels()]),
        FillRule::Grey => images.grey(),
        FillRule::Mean => Some(mean(images, context)?),
        FillRule::Noise | FillRule::Gaussian | FillRule::Blur | FillRule::Images => None,
    })
}

/// Each channel's mean over all pixels of all images, in 64 bits: of each image by itself, then over
/// images in their order.
fn mean(images: &ImageFolder, context: &Context<'_>) -> Result<Vec<f32>, RunError> {
    let (progress, total) = (context.progress(), images.len());
    let task = Task { label: "mean of the images", counted: "images", total: total as u64 };
    let all: Vec<usize> = (0..total).collect();
    let add_up = || {
        images.stream(&all, context.threads(), |stream| -> Result<Vec<f64>, RunError> {
            let mut sums = vec![0.0; images.channels()];
            for image in stream {
                context.check_cancelled()?;
                let values = image?.values;
                for (sum, channel) in sums.iter_mut().zip(values.outer_iter()) {
                    let pixels = channel.iter().fold(0.0, |sum, &value| sum + f64::from(value));
                    *sum += pixels / channel.len() as f64;
                }
                progress.advance(1);
            }
            Ok(sums)
        })
    };
    let (sums, _) = context.track(&task, &progress, add_up)?;
    Ok(sums.into_iter().map(|sum| (sum / total as f64) as f32).collect())
}
