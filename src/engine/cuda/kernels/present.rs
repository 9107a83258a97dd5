//! `kernels/present.cu`: presentations, written out from runs of jobs.

use cudarc::driver::{CudaSlice, LaunchConfig, PushKernelArg};

use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::layout::{DeviceJob, Presentation, Run, Square};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::tables::upload::Table;
use crate::engine::cuda::{CudaError, Device};

/// Threads of a block.
const THREADS: usize = 256;

mirrored! {
    /// The kernel's numbers.
    struct PresentParameters {
        count: u32,
        runs: u32,
        channels: u32,
    }
}

/// Jobs on the device.
#[derive(Debug)]
pub struct DeviceJobs {
    /// The jobs.
    pub jobs: Table<DeviceJob>,
    squares: Table<Square>,
    /// One past the last index of a difference.
    end: usize,
    /// Channels of an image.
    channels: usize,
}

impl DeviceJobs {
    /// Copies jobs to the device, and the squares of their grids; their differences end before
    /// `end`, and images have so many channels.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn new(
        device: &Device,
        jobs: Vec<DeviceJob>,
        squares: Vec<Square>,
        end: usize,
        channels: usize,
    ) -> Result<Self, CudaError> {
        let (jobs, squares) = (Table::new(device, jobs)?, Table::new(device, squares)?);
        Ok(Self { jobs, squares, end, channels })
    }

    /// Writes out `count` presentations.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where runs are not theirs; [`CudaError::Driver`].
    pub fn present(
        &self,
        device: &Device,
        runs: Vec<Run>,
        count: usize,
    ) -> Result<Presentations, CudaError> {
        let (jobs, squares) = (self.jobs.length(), self.squares.length());
        let ends = runs.iter().skip(1).map(|run| run.first as usize).chain([count]);
        let fits = |(run, end): (&Run, usize)| {
            let length = end.checked_sub(run.first as usize);
            length.is_some_and(|length| run.job as usize + length <= jobs)
                && (run.square as usize) < squares
        };
        let begins = runs.first().is_some_and(|run| run.first == 0);
        let all = count > 0 && begins && runs.iter().zip(ends).all(fits);
        ensure(all, "present", || {
            format!("{} runs are no {count} presentations of {jobs} jobs", runs.len())
        })?;
        let parameters = PresentParameters {
            count: count as u32,
            runs: runs.len() as u32,
            channels: self.channels as u32,
        };
        let runs = Table::new(device, runs)?;
        let mut table = device.allocate(count)?;
        let grid = LaunchConfig {
            grid_dim: (count.div_ceil(THREADS) as u32, 1, 1),
            block_dim: (THREADS as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = device.stream.launch_builder(&device.kernels.present.function);
        launch.arg(&parameters).arg(runs.device()).arg(self.jobs.device());
        launch.arg(self.squares.device()).arg(&mut table);
        // SAFETY: the arguments are the kernel's; jobs and squares of the runs are there, as was
        // checked above, and every presentation is.
        unsafe { device.start("present", &mut launch, grid) }?;
        Ok(Presentations { table, end: self.end })
    }
}

/// Presentations on the device.
#[derive(Debug)]
pub struct Presentations {
    table: CudaSlice<Presentation>,
    /// One past the last index of a difference.
    end: usize,
}

impl Presentations {
    /// Those of a test.
    #[cfg(test)]
    pub fn of(device: &Device, presentations: &[Presentation]) -> Result<Self, CudaError> {
        let last = presentations.iter().map(|one| one.difference as usize).max();
        let end = last.map_or(0, |last| last + 1);
        Ok(Self { table: device.upload(presentations)?, end })
    }

    /// The device's table.
    pub fn device(&self) -> &CudaSlice<Presentation> {
        &self.table
    }

    /// One past the last index of a difference.
    pub fn end(&self) -> usize {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        PresentParameters::check(include_str!("../../../../kernels/present.cu"));
    }
}
