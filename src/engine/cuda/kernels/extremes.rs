//! `kernels/extremes.cu`: where each unit responds most and least.

use cudarc::driver::{CudaSlice, DeviceRepr, LaunchConfig, PushKernelArg};

use crate::engine::Extremes;
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

const THREADS: u32 = 256;
/// More blocks than any device runs at a time.
const MOST_BLOCKS: u32 = 1 << 16;

mirrored! {
    /// The kernel's numbers.
    struct ExtremesParameters {
        planes: u32,
        area: u32,
    }
}

// SAFETY: a `repr(C)` struct of plain numbers, whose layout the kernel asserts.
unsafe impl DeviceRepr for Extremes {}

/// The extremes of each of so many planes of `area` values, which `responses` begins with.
///
/// # Errors
/// [`CudaError::Shape`] where there are not as many; [`CudaError::Driver`].
pub fn extremes(
    device: &Device,
    responses: &CudaSlice<f32>,
    planes: usize,
    area: usize,
) -> Result<CudaSlice<Extremes>, CudaError> {
    let most = u32::MAX as usize / 2;
    if planes * area > responses.len() || planes * area == 0 || planes.max(area) > most {
        let found = responses.len();
        let problem = format!("{found} responses are no {planes} planes of {area}");
        return Err(CudaError::Shape { kernel: "extremes", problem });
    }
    let mut found = device.allocate(planes)?;
    let parameters = ExtremesParameters { planes: planes as u32, area: area as u32 };
    let grid = LaunchConfig {
        grid_dim: (parameters.planes.min(MOST_BLOCKS), 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    };
    let mut launch = device.stream.launch_builder(&device.kernels.extremes.function);
    launch.arg(&parameters).arg(responses).arg(&mut found);
    // SAFETY: the arguments are the kernel's; it reads `planes * area` responses and writes
    // `planes` extremes, which is how much there is.
    unsafe { device.start("extremes", &mut launch, grid) }?;
    Ok(found)
}

// The kernel asserts the same of its own.
const _: () = assert!(size_of::<Extremes>() == 16);
const _: () = assert!(std::mem::offset_of!(Extremes, max_at) == 4);
const _: () = assert!(std::mem::offset_of!(Extremes, min) == 8);
const _: () = assert!(std::mem::offset_of!(Extremes, min_at) == 12);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_parameters_are_these() {
        ExtremesParameters::check(include_str!("../../../../kernels/extremes.cu"));
    }
}
