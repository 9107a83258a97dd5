//! Whole images for ranking: the extremes of every unit.

use ndarray::ArrayView3;

use super::Full;
use super::batches::{Workspace, Workspaces};
use super::pass::DevicePass;
use crate::engine::cuda::CudaError;
use crate::engine::cuda::double_buffer::DoubleBuffer;
use crate::engine::cuda::kernels::extremes::extremes;
use crate::engine::cuda::transfer::PendingDownload;
use crate::engine::{EngineError, Extremes, PendingExtremes, check_extremes};
use crate::network::LayerId;
use crate::progress::Progress;

/// Images of a batch, at most: as many as fill a device with images of 227×227 pixels.
const MOST: usize = 128;
/// Bytes of the images of a batch, at most, which the host holds too: fewer larger images fill a device.
const MOST_BYTES: usize = 96 << 20;

/// What a batch of a ranking is computed in.
pub struct Ranking {
    pass: DevicePass,
    feed: DoubleBuffer,
}

impl Workspace for Ranking {
    fn new(full: &Full<'_>, batch: usize) -> Result<Self, CudaError> {
        let pass = full.pass(batch)?;
        let feed = DoubleBuffer::new(&full.device, batch * full.pixels())?;
        Ok(Self { pass, feed })
    }

    fn pass(&self) -> &DevicePass {
        &self.pass
    }

    fn most(full: &Full<'_>) -> usize {
        let bytes = full.pixels() * size_of::<f32>();
        let mut most = MOST;
        while most > 1 && most * bytes > MOST_BYTES {
            most /= 2;
        }
        most
    }

    fn held(rooms: &mut Workspaces) -> &mut Option<Self> {
        rooms.presenting = None;
        &mut rooms.ranking
    }
}

impl Full<'_> {
    /// Has the device begin with the extremes of images, batch after batch, and waits for none.
    pub fn rank<'e>(
        &'e self,
        images: &[ArrayView3<'_, f32>],
        first: usize,
        progress: &'e Progress<'_>,
    ) -> Result<PendingExtremes<'e>, EngineError> {
        let Some(&last) = self.layers.iter().max() else { return Ok(Box::new(|| Ok(Vec::new()))) };
        images.iter().try_for_each(|image| self.images().check(image))?;
        let mut begun = Vec::new();
        self.in_batches(
            images,
            progress,
            |room, batch| self.look(room, batch, last),
            |batch, arriving| {
                begun.push((batch.len(), arriving));
                Ok(())
            },
        )?;
        Ok(Box::new(move || {
            let mut found = Vec::new();
            for (images, arriving) in begun {
                found.extend(self.seen(images, arriving)?);
                progress.advance(images as u64);
            }
            self.check_finite(first, &found)?;
            Ok(found)
        }))
    }

    /// Has the device begin with the extremes of one batch of images: `[image][unit]` of each layer.
    fn look(
        &self,
        room: &mut Ranking,
        images: &[ArrayView3<'_, f32>],
        last: LayerId,
    ) -> Result<Vec<PendingDownload<'_, Extremes>>, CudaError> {
        let Ranking { pass, feed } = room;
        let mut arriving: Vec<Option<PendingDownload<'_, Extremes>>> = Vec::new();
        arriving.resize_with(self.layers.len(), || None);
        // The rest of the batch shows anything, which nobody looks at.
        feed.show(&self.device, images, |shown| {
            let batch = pass.size.batch;
            pass.run(&self.device, shown, last, |id, output| {
                if let Some(index) = self.layers.iter().position(|&layer| layer == id) {
                    let planes = batch * self.model.network().channels(id);
                    let found = extremes(&self.device, output, planes, self.pass.size(id).area())?;
                    arriving[index] = Some(self.device.fetch(&found)?);
                }
                Ok(())
            })
        })?;
        Ok(arriving.into_iter().flatten().collect())
    }

    /// The extremes of so many images, when they are there: `[image][layer][unit]`.
    fn seen(
        &self,
        images: usize,
        arriving: Vec<PendingDownload<'_, Extremes>>,
    ) -> Result<Vec<Vec<Vec<Extremes>>>, CudaError> {
        let of_layers: Vec<Vec<Extremes>> =
            arriving.into_iter().map(PendingDownload::wait).collect::<Result<_, _>>()?;
        let of_image = |image: usize| {
            let layers = self.layers.iter().zip(&of_layers).map(|(&layer, found)| {
                let units = self.model.network().channels(layer);
                found[image * units..(image + 1) * units].to_vec()
            });
            layers.collect()
        };
        Ok((0..images).map(of_image).collect())
    }

    /// Checks what was found in the images from `first` on.
    fn check_finite(&self, first: usize, found: &[Vec<Vec<Extremes>>]) -> Result<(), EngineError> {
        for (image, layers) in found.iter().enumerate() {
            for (&layer, units) in self.layers.iter().zip(layers) {
                check_extremes(self.model.network(), layer, first + image, units)?;
            }
        }
        Ok(())
    }
}
