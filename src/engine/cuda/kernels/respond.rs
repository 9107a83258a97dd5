//! `kernels/respond.cu`: one unit, one position.

use cudarc::driver::{CudaSlice, LaunchConfig, PushKernelArg};

use super::node::NodeGeometry;
use super::present::Presentations;
use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::blocks::{Blocks, Extent, Items};
use crate::engine::cuda::tables::layout::DeviceJob;
use crate::engine::cuda::tables::layout::{Axes, Baselines, Pattern, Stencil, Window};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::tables::upload::Table;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::ImageSize;
use crate::network::{Convolution, Filters};
use crate::program::TapRun;

/// Presentations that a block computes: one a warp.
const WARPS: usize = 8;
/// Threads of a block.
const THREADS: u32 = 256;

mirrored! {
    /// The kernels' numbers.
    struct RespondParameters {
        channels: i32,
        inputs: i32,
        outputs: i32,
        reserved: i32,
        window: Stencil,
        size: Axes,
    }
}

/// The filters of a target's units on the device.
#[derive(Debug)]
pub struct DeviceUnits {
    /// `[unit][ky][kx][input channel]`.
    filters: CudaSlice<f32>,
    /// `[unit]`, zeros where there is none.
    bias: CudaSlice<f32>,
    parameters: RespondParameters,
}

impl DeviceUnits {
    /// Copies the filters of a convolution on `channels` input channels.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn new(
        device: &Device,
        conv: &Convolution,
        filters: &Filters,
        channels: usize,
    ) -> Result<Self, CudaError> {
        let (taps, inputs) = (conv.taps(), channels / conv.groups);
        let NodeGeometry { window, shift, .. } = NodeGeometry::of_map(conv.window().axes);
        let mut reordered = Vec::with_capacity(filters.weight.len());
        for filter in filters.weight.chunks_exact(inputs * taps) {
            for tap in 0..taps {
                reordered.extend((0..inputs).map(|input| filter[input * taps + tap]));
            }
        }
        let mut bias = filters.bias.clone();
        bias.resize(conv.out_channels, 0.0);
        let parameters = RespondParameters {
            channels: channels as i32,
            inputs: inputs as i32,
            outputs: (conv.out_channels / conv.groups) as i32,
            reserved: 0,
            window: Stencil::new(window, shift),
            // Of whatever input: known when there is one.
            size: Axes::default(),
        };
        Ok(Self { filters: device.upload(&reordered)?, bias: device.upload(&bias)?, parameters })
    }

    /// The pattern of some presentations that share a plan, from the `first` of `count`.
    pub fn pattern(
        &self,
        (rows, columns): (&TapRun, &TapRun),
        from: &Window,
        (first, count): (u32, u32),
    ) -> Pattern {
        let channels = self.parameters.channels as usize;
        let in_row = from.width as usize * channels;
        let input = rows.input * in_row + columns.input * channels;
        Pattern {
            input: from.offset + input as i64,
            first,
            count,
            input_each: from.each(channels) as i32,
            input_tap_row: in_row as i32 * self.parameters.window.dilation.y,
            rows: 1,
            columns: 1,
            tap_y: rows.tap as i32,
            tap_x: columns.tap as i32,
            taps_y: rows.taps as i32,
            taps_x: columns.taps as i32,
            ..Pattern::default()
        }
    }

    /// What blocks work on of such patterns.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where one begins before its buffer.
    pub fn items(&self, patterns: &[Vec<Pattern>], tiles: &ImageTiles) -> Result<Items, CudaError> {
        let channels = i64::from(self.parameters.channels);
        let column = i64::from(self.parameters.window.dilation.x);
        Items::new(patterns, WARPS, tiles, |pattern| {
            let input = pattern.input
                + i64::from(pattern.count.max(1) - 1) * i64::from(pattern.input_each)
                + i64::from((pattern.taps_y - 1).max(0)) * i64::from(pattern.input_tap_row)
                + (i64::from((pattern.taps_x - 1).max(0)) * column + 1) * channels;
            ensure(pattern.input >= 0, "respond_delta", || format!("inputs of {pattern:?}"))?;
            let last = i64::from(pattern.first) + i64::from(pattern.count);
            let (elements, first) = (pattern.count, pattern.first);
            Ok(Extent { elements, each: 1, first, ends: [input, last] })
        })
    }

    /// Writes the difference of each presentation's response into `differences`, where the presentation
    /// says; `from` has the deltas of the input.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn respond_delta(
        &self,
        device: &Device,
        patterns: &Blocks<Pattern>,
        presentations: &Presentations,
        from: &CudaSlice<f32>,
        differences: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let ([input, last], count) = (patterns.ends, presentations.device().len());
        ensure(input <= from.len() as i64 && last <= count as i64, "respond_delta", || {
            format!("inputs up to {input} of {}, presentations up to {last} of {count}", from.len())
        })?;
        let end = presentations.end();
        ensure(end <= differences.len(), "respond_delta", || {
            format!("differences up to {end} of {}", differences.len())
        })?;
        let Some(grid) = patterns.grid(1, THREADS) else { return Ok(()) };
        let mut launch = device.stream.launch_builder(&device.kernels.respond_delta.function);
        launch.arg(&self.parameters).arg(patterns.items.device()).arg(patterns.table.device());
        launch.arg(presentations.device()).arg(from).arg(&self.filters).arg(differences);
        // SAFETY: the arguments are the kernel's; patterns lie in their buffers, and units are
        // those of the layer, as every job's was checked to be.
        unsafe { device.start("respond_delta", &mut launch, grid) }
    }

    /// The response of each job's unit to its original image; `input` are the baselines of the
    /// target's input, whose maps have `size`.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn respond_baseline(
        &self,
        device: &Device,
        jobs: &Table<DeviceJob>,
        input: &Baselines,
        size: ImageSize,
    ) -> Result<CudaSlice<f32>, CudaError> {
        let parameters = RespondParameters { size: size.into(), ..self.parameters };
        let count = jobs.length();
        let mut responses = device.allocate(count.max(1))?;
        let config = LaunchConfig {
            grid_dim: (count.div_ceil(WARPS) as u32, 1, 1),
            block_dim: (THREADS, 1, 1),
            shared_mem_bytes: 0,
        };
        if count == 0 {
            return Ok(responses);
        }
        let count = count as i32;
        let mut launch = device.stream.launch_builder(&device.kernels.respond_baseline.function);
        launch.arg(&parameters).arg(jobs.device()).arg(&count);
        launch.arg(input.images.device()).arg(&input.values);
        launch.arg(&self.filters).arg(&self.bias).arg(&mut responses);
        // SAFETY: the arguments are the kernel's; jobs lie in the baselines as `Baselines` says,
        // and units are those of the layer, as every job's was checked to be.
        unsafe { device.start("respond_baseline", &mut launch, config) }?;
        Ok(responses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        let source = include_str!("../../../../kernels/respond.cu");
        RespondParameters::check(source);
        assert_eq!(THREADS as usize, 32 * WARPS);
    }
}
