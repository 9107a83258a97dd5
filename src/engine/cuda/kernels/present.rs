//! `kernels/present.cu`: presentations, written out from runs of jobs.

use cudarc::driver::{CudaSlice, LaunchConfig, PushKernelArg};

use super::parameters::mirrored;
use super::parcel::Table;
use super::tables::{Presentation, ensure};
use crate::engine::cuda::{CudaError, Device};

/// Threads of a block.
const THREADS: usize = 256;

mirrored! {
    /// One unit at one position of one image: what its presentations have in common.
    pub struct DeviceJob {
        /// Torch's noise: where its stream begins; else -1.
        pub stream: i64,
        /// Philox's key: the seed, low word first.
        pub key: [u32; 2],
        /// The image's index in its folder, which Philox counts.
        pub image_index: u32,
        /// Which draw of the noise.
        pub draw: u32,
        /// Place of the image among the originals.
        pub image: u32,
        /// The unit.
        pub unit: u32,
        /// Its row on the target's output.
        pub y: i32,
        /// Its column.
        pub x: i32,
        /// The row of pixels that the squares of its grid are relative to.
        pub top: i32,
        /// The column.
        pub left: i32,
        /// Place of the difference of its first occluder.
        pub difference: u32,
        /// Nothing.
        pub reserved: u32,
    }

    /// An occluder of a grid.
    pub struct Square {
        /// Its first row, relative to a job's.
        pub top: i32,
        /// Its first column, likewise.
        pub left: i32,
        /// Its side.
        pub size: u32,
        /// Its place in the grid's order, by which torch's noise is found.
        pub index: u32,
    }

    /// The same occluder in front of neighbouring jobs: presentations up to the next run's first.
    pub struct Run {
        /// The first presentation.
        pub first: u32,
        /// Its job.
        pub job: u32,
        /// Its occluder, among the squares of all grids.
        pub square: u32,
        /// The same within its job.
        pub number: u32,
    }

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
    /// One past the last place of a difference.
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
        (end, channels): (usize, usize),
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
        let mut launch = device.stream.launch_builder(&device.kernels.present);
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
    /// One past the last place of a difference.
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

    /// One past the last place of a difference.
    pub fn end(&self) -> usize {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Mirrored;
    use super::*;

    #[test]
    fn the_kernels_structs_are_these() {
        let jobs = include_str!("../../../../kernels/jobs.cuh");
        DeviceJob::check(jobs);
        Square::check(jobs);
        Run::check(jobs);
        PresentParameters::check(include_str!("../../../../kernels/present.cu"));
    }
}
