//! What the device is told about jobs.

use std::collections::BTreeMap;

use cudarc::driver::CudaSlice;

use super::classes::JobClasses;
use crate::engine::cuda::kernels::present::DeviceJobs;
use crate::engine::cuda::support::noise_of;
use crate::engine::cuda::tables::layout::DeviceJob;
use crate::engine::cuda::{CudaError, Device};
use crate::engine::order::OnImage;
use crate::engine::{Batch, PlacedJob};
use crate::geometry::Occluder;
use crate::noise::{Fill, Noise, TorchStream};

/// Jobs on the device, and the noise that is not drawn there.
#[derive(Debug)]
pub(super) struct UploadedJobs {
    /// The jobs, class by class.
    pub jobs: DeviceJobs,
    /// The same, by their index in the list.
    pub which: Vec<usize>,
    /// Values of `torch.rand`, one stream after the other.
    pub stream: CudaSlice<f32>,
}

impl UploadedJobs {
    /// Tells of the jobs on some images, sorted by class; the differences of each begin where
    /// `firsts` says.
    ///
    /// # Errors
    /// [`CudaError::Driver`]; [`CudaError::Shape`] of a fill that no kernel draws.
    pub fn new(
        device: &Device,
        images: &[OnImage],
        batch: &Batch<'_>,
        firsts: &[usize],
        classes: &mut JobClasses,
    ) -> Result<Self, CudaError> {
        let channels = batch.images.first().map_or(1, |image| image.values.dim().0);
        let mut number_of = vec![0; batch.images.len()];
        for (number, on_image) in images.iter().enumerate() {
            number_of[on_image.image] = number as u32;
        }
        let which: Vec<usize> =
            classes.classes.iter().flat_map(|class| &class.jobs).copied().collect();
        let (begins, stream) = streams(batch, &which, channels);
        let mut end = 0;
        let tell = |&job: &usize| -> Result<DeviceJob, CudaError> {
            let PlacedJob { image_index, unit, position, fill, occluders, .. } = batch.job(job);
            end = end.max(firsts[job] + occluders.len());
            let (key, draw, stream) = match noise_of(fill)? {
                Noise::Philox { seed, draw } => {
                    ([seed as u32, (seed >> 32) as u32], u32::from(draw), -1)
                }
                Noise::Torch { seed } => {
                    ([seed, 0], 0, begins.get(&seed).copied().unwrap_or_default())
                }
            };
            let (top, left) = occluders.first().map_or((0, 0), |first| (first.top, first.left));
            Ok(DeviceJob {
                stream,
                key,
                image_index,
                draw,
                image: number_of[batch.jobs[job].image],
                unit: unit as u32,
                y: position.0 as i32,
                x: position.1 as i32,
                top: top as i32,
                left: left as i32,
                difference: firsts[job] as u32,
                reserved: 0,
            })
        };
        let told = which.iter().map(tell).collect::<Result<_, _>>()?;
        let squares = std::mem::take(&mut classes.squares);
        let stream = device.upload(&stream)?;
        Ok(Self { jobs: DeviceJobs::new(device, told, squares, end, channels)?, which, stream })
    }
}

/// The values of `torch.rand` that some jobs refer to, and where each seed's begin.
fn streams(batch: &Batch<'_>, which: &[usize], channels: usize) -> (BTreeMap<u32, i64>, Vec<f32>) {
    let values = |occluder: &Occluder| channels * occluder.size.pow(2);
    let end = |occluder: &Occluder| (occluder.index + 1) * values(occluder);
    let mut lengths: BTreeMap<u32, usize> = BTreeMap::new();
    for &job in which {
        let PlacedJob { fill, occluders, .. } = batch.job(job);
        if let Fill::Noise(Noise::Torch { seed }) = fill {
            let length = lengths.entry(seed).or_default();
            *length = occluders.iter().map(end).fold(*length, usize::max);
        }
    }
    let (mut begins, mut stream) = (BTreeMap::new(), Vec::new());
    for (seed, length) in lengths {
        begins.insert(seed, stream.len() as i64);
        stream.extend(TorchStream::new(seed).take(length));
    }
    // There is no memory of no bytes.
    stream.push(0.0);
    (begins, stream)
}
