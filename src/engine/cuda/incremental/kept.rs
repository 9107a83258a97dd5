//! Differences that stay on the device until they are summed.

use std::ops::Range;

use cudarc::driver::CudaSlice;

use super::Incremental;
use super::presenting::OutputBuffers;
use crate::engine::cuda::CudaError;
use crate::engine::cuda::kernels::deposit::deposit;
use crate::engine::deposit::{MapSums, Summation, SummedImage};
use crate::engine::{Batch, EngineError, JobResult, Kept, PlacedJob, RequestError};
use crate::network::LayerId;
use crate::progress::Progress;

/// Room for differences of presentations to a layer.
pub(super) struct KeptDifferences<'a> {
    engine: &'a Incremental<'a>,
    layer: LayerId,
    differences: CudaSlice<f32>,
    /// How many there may be.
    length: usize,
    /// The jobs of the differences, for the message of one that is not finite.
    jobs: Vec<JobDifferences>,
}

/// A job's differences.
struct JobDifferences {
    differences: Range<usize>,
    response: f32,
    unit: usize,
    image: usize,
}

impl<'a> KeptDifferences<'a> {
    /// Room for so many; `None` where the device has no memory for them, or they are more than a
    /// presentation's index can tell.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn new(
        engine: &'a Incremental<'a>,
        layer: LayerId,
        length: usize,
    ) -> Result<Option<Self>, CudaError> {
        if u32::try_from(length).is_err() || length * size_of::<f32>() > engine.memory()? / 4 {
            return Ok(None);
        }
        // There is no memory of no bytes. An occluder that cannot reach its unit is never
        // presented: its difference is 0 from the beginning.
        match engine.engine.device.zeros(length.max(1)) {
            Ok(differences) => {
                Ok(Some(Self { engine, layer, differences, length, jobs: Vec::new() }))
            }
            Err(error) if error.is_out_of_memory() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl KeptDifferences<'_> {
    /// Sums some of the maps; where the device's memory is too small for all of them at a time, in
    /// halves.
    fn sums(
        &self,
        asked: &Summation,
        maps: &[Vec<SummedImage>],
    ) -> Result<Vec<MapSums>, CudaError> {
        match deposit(&self.engine.engine.device, asked, maps, &self.differences) {
            Err(error) if error.is_out_of_memory() && maps.len() > 1 => {
                let (some, others) = maps.split_at(maps.len() / 2);
                let mut sums = self.sums(asked, some)?;
                sums.extend(self.sums(asked, others)?);
                Ok(sums)
            }
            sums => sums,
        }
    }

    /// Presents jobs and hands their differences over; where there is no room for those of all at a
    /// time, in halves.
    ///
    /// # Errors
    /// As [`Presenter::present`](crate::engine::Presenter::present).
    pub fn presented(
        engine: &Incremental<'_>,
        layer: LayerId,
        batch: &Batch<'_>,
        progress: &Progress<'_>,
    ) -> Result<Vec<JobResult>, EngineError> {
        let (mut firsts, mut length) = (Vec::with_capacity(batch.jobs.len()), 0);
        for job in batch.placed() {
            firsts.push(length);
            length += job.occluders.len();
        }
        let Some(mut kept) = KeptDifferences::new(engine, layer, length)? else {
            let jobs = batch.jobs.len();
            if jobs < 2 {
                return Err(engine.too_large(length * size_of::<f32>()));
            }
            let mut presented = Self::presented(engine, layer, &batch.part(0..jobs / 2), progress)?;
            let others = batch.part(jobs / 2..jobs);
            presented.extend(Self::presented(engine, layer, &others, progress)?);
            return Ok(presented);
        };
        let responses = kept.present(batch, &firsts, progress)?;
        let all = engine.engine.device.download(&kept.differences)?;
        kept.check(&all)?;
        let of_job = |((&first, job), response): ((&usize, PlacedJob<'_>), f32)| {
            let differences = all[first..first + job.occluders.len()].to_vec();
            JobResult { response, differences }
        };
        Ok(firsts.iter().zip(batch.placed()).zip(responses).map(of_job).collect())
    }

    /// The first difference that is not finite, in the order of their presentation.
    fn check(&self, all: &[f32]) -> Result<(), EngineError> {
        for JobDifferences { differences, response, unit, image } in &self.jobs {
            let occluded = all[differences.clone()].iter().map(|difference| response + difference);
            if let Some(value) = occluded.into_iter().find(|value| !value.is_finite()) {
                let network = self.engine.model.network();
                return Err(EngineError::NotFinite {
                    layer: network.short_name(self.layer),
                    unit: *unit,
                    image: *image,
                    value,
                    arithmetic: self.engine.engine.precision.arithmetic(),
                });
            }
        }
        Ok(())
    }
}

impl Kept for KeptDifferences<'_> {
    fn clear(&mut self) -> Result<(), EngineError> {
        self.jobs.clear();
        Ok(self.engine.engine.device.clear(&mut self.differences)?)
    }

    fn present(
        &mut self,
        batch: &Batch<'_>,
        firsts: &[usize],
        progress: &Progress<'_>,
    ) -> Result<Vec<f32>, EngineError> {
        let presenting = self.engine.presenting(self.layer, batch, progress)?;
        let fits =
            |(job, first): (PlacedJob<'_>, &usize)| first + job.occluders.len() <= self.length;
        if firsts.len() != batch.jobs.len() || !batch.placed().zip(firsts).all(fits) {
            let wanted = batch.presentations();
            return Err(RequestError::Room { wanted, room: self.length }.into());
        }
        let mut responses = vec![0.0; batch.jobs.len()];
        let differences = &mut self.differences;
        presenting.all(&mut OutputBuffers { differences, firsts, responses: &mut responses })?;
        let whose = |((job, &first), &response): ((PlacedJob<'_>, &usize), &f32)| JobDifferences {
            differences: first..first + job.occluders.len(),
            response,
            unit: job.unit,
            image: job.image_index as usize,
        };
        self.jobs.extend(batch.placed().zip(firsts).zip(&responses).map(whose));
        Ok(responses)
    }

    fn sum(&self, asked: &Summation) -> Result<Vec<MapSums>, EngineError> {
        let sums = self.sums(asked, &asked.maps)?;
        // Sums of what is not finite are not either.
        let finite = |map: &MapSums| map.absolute_squared.iter().all(|value| value.is_finite());
        if !sums.iter().all(finite) {
            self.check(&self.engine.engine.device.download(&self.differences)?)?;
        }
        Ok(sums)
    }
}
