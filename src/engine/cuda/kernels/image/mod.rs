//! `kernels/image_*.cu`: the layers of whole images, `[image][channel][y][x]`.

pub mod finish;
pub mod function;
pub mod gather;
pub mod join;
pub mod multiply;
pub mod normalise;
pub mod occlude;
pub mod pad;
pub mod pool;
pub mod respond;
pub mod window_sum;

use cudarc::driver::LaunchConfig;

use crate::engine::cuda::CudaError;
use crate::geometry::ImageSize;

/// Threads of a block, as in `kernels/image.cuh`.
const THREADS: u32 = 256;
/// Blocks of a grid at most: more than any device runs at a time. The kernels walk on from there.
const MOST_BLOCKS: usize = 1 << 16;

/// Sizes of a layer's input and output.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of the input.
    pub input: ImageSize,
    /// Of the output.
    pub output: ImageSize,
}

/// Maps of a batch, `[image][channel][area]`.
#[derive(Clone, Copy, Debug)]
pub struct Maps {
    /// Images.
    pub images: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Positions of a channel.
    pub area: usize,
}

impl Maps {
    /// Values of all.
    const fn values(self) -> usize {
        self.images * self.channels * self.area
    }
}

/// A grid for so many elements.
fn grid(elements: usize) -> LaunchConfig {
    let blocks = elements.div_ceil(THREADS as usize).clamp(1, MOST_BLOCKS);
    LaunchConfig {
        grid_dim: (blocks as u32, 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// Checks that buffers are as long as a kernel takes for granted: what, its length, how long it
/// must be at least.
fn check(kernel: &'static str, buffers: &[(&str, usize, usize)]) -> Result<(), CudaError> {
    for &(what, found, needed) in buffers {
        if found < needed {
            let problem = format!("{what} holds {found} values; {needed} are needed");
            return Err(CudaError::Shape { kernel, problem });
        }
        // The kernels count within an image in 32 bits.
        if needed > 1 << 40 {
            let problem = format!("{what} would hold {needed} values, which are too many");
            return Err(CudaError::Shape { kernel, problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_structs_are_these() {
        finish::ImageFinishParameters::check(include_str!(
            "../../../../../kernels/image_finish.cu"
        ));
        let gather = include_str!("../../../../../kernels/image_gather.cu");
        gather::ImageGatherParameters::check(gather);
        gather::Sight::check(gather);
        function::ImageFunctionParameters::check(include_str!(
            "../../../../../kernels/image_function.cu"
        ));
        multiply::ImageMultiplyParameters::check(include_str!(
            "../../../../../kernels/image_multiply.cu"
        ));
        window_sum::ImageWindowSumParameters::check(include_str!(
            "../../../../../kernels/image_window_sum.cu"
        ));
        join::ImageJoinParameters::check(include_str!("../../../../../kernels/image_join.cu"));
        normalise::ImageNormaliseParameters::check(include_str!(
            "../../../../../kernels/image_normalise.cu"
        ));
        let occlude = include_str!("../../../../../kernels/image_occlude.cu");
        occlude::ImageOccludeParameters::check(occlude);
        occlude::ImageCopy::check(occlude);
        pad::ImagePadParameters::check(include_str!("../../../../../kernels/image_pad.cu"));
        pool::ImagePoolParameters::check(include_str!("../../../../../kernels/image_pool.cu"));
        respond::ImageRespondParameters::check(include_str!(
            "../../../../../kernels/image_respond.cu"
        ));
    }

    #[test]
    fn a_buffer_that_is_too_short_is_refused() {
        assert!(check("image_pool", &[("from", 10, 10), ("to", 7, 5)]).is_ok());
        let error = check("image_pool", &[("from", 10, 10), ("to", 4, 5)]).unwrap_err();
        assert_eq!(error.to_string(), "image_pool: to holds 4 values; 5 are needed");
    }
}
