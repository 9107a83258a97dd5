//! `kernels/pool.cu`: max-pooling.

use cudarc::driver::{DeviceRepr, PushKernelArg};
use half::f16;

use super::node::NodeGeometry;
use super::present::Presentations;
use crate::engine::cuda::loaded::{Kernels, LoadedKernel};
use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::layout::{Baselines, Delta, Origin, Output, Stencil};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernels' numbers.
    struct PoolParameters {
        input: Origin,
        output: Origin,
        window: Stencil,
        channels: i32,
        rectify: i32,
        to_scale: f32,
        reserved: i32,
    }
}

/// The baselines that a pooling of deltas reads.
#[derive(Clone, Copy, Debug)]
pub struct PoolBaselines<'a> {
    /// Of the node that is read.
    pub read: &'a Baselines,
    /// The pooling's own.
    pub pooled: &'a Baselines,
}

/// A pooling of deltas.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Where the node whose baselines are read and the pooling lie.
    pub geometry: NodeGeometry,
    /// Channels of both.
    pub channels: usize,
    /// Whether the ReLU before it is joined to it; then what is read is that before the ReLU.
    pub rectify: bool,
    /// By what deltas are multiplied before they are rounded to fp16 and written, two in each float; 0
    /// where they are written in 32 bits. Channels have to be a multiple of four.
    pub to_scale: f32,
}

impl Pool {
    fn parameters(&self) -> PoolParameters {
        PoolParameters {
            input: self.geometry.input,
            output: self.geometry.output,
            window: Stencil::new(self.geometry.window, self.geometry.shift),
            channels: self.channels as i32,
            rectify: i32::from(self.rectify),
            to_scale: self.to_scale,
            reserved: 0,
        }
    }

    /// The kernel of deltas of so many channels.
    pub const fn kernel(kernels: &Kernels, channels: usize) -> &LoadedKernel {
        if channels.is_multiple_of(4) { &kernels.pool_delta_four } else { &kernels.pool_delta }
    }

    /// Writes the delta of every maximum into `to`; `from` are the deltas of the node that is
    /// read.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn delta(
        &self,
        device: &Device,
        presentations: &Presentations,
        baselines: PoolBaselines<'_>,
        from: Delta<'_>,
        to: Output<'_>,
    ) -> Result<(), CudaError> {
        let kernel = Self::kernel(&device.kernels, self.channels);
        self.delta_by(kernel, device, presentations, baselines, from, to)
    }

    /// The same by one of the kernels that do it, which writes values of `T`.
    pub(super) fn delta_by<T: DeviceRepr>(
        &self,
        kernel: &LoadedKernel,
        device: &Device,
        presentations: &Presentations,
        baselines: PoolBaselines<'_>,
        from: Delta<'_>,
        to: Output<'_, T>,
    ) -> Result<(), CudaError> {
        let &LoadedKernel { name, ref function } = kernel;
        let PoolBaselines { read, pooled } = baselines;
        let Output { windows: outputs, values: to } = to;
        from.check(name, self.channels)?;
        let size = if self.to_scale == 0.0 { size_of::<T>() } else { size_of::<f16>() };
        let values = to.num_bytes() / size;
        outputs.check_length(name, self.channels, values)?;
        ensure(self.to_scale == 0.0 || self.channels.is_multiple_of(4), name, || {
            format!("{} channels in fp16; expected a multiple of 4", self.channels)
        })?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let parameters = self.parameters();
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&parameters);
        launch.arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
        launch.arg(from.windows.blocks.table.device()).arg(presentations.device());
        launch.arg(read.images.device()).arg(&read.values);
        launch.arg(pooled.images.device()).arg(&pooled.values);
        launch.arg(from.values).arg(to);
        // SAFETY: the arguments are the kernel's; windows lie in their buffers, and what exists of
        // what they read in the baselines, as `Baselines` says.
        unsafe { device.start(name, &mut launch, grid) }
    }

    /// Writes the maxima of original images into `to`.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn baseline(
        &self,
        device: &Device,
        from: &Baselines,
        to: Output<'_>,
    ) -> Result<(), CudaError> {
        let Output { windows: outputs, values: to } = to;
        let &LoadedKernel { name, ref function } = &device.kernels.pool_baseline;
        outputs.check(name, self.channels, to)?;
        from.windows.check(name, self.channels, &from.values)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let parameters = self.parameters();
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&parameters);
        launch.arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
        launch.arg(from.images.device()).arg(&from.values).arg(to);
        // SAFETY: the arguments are the kernel's; windows lie in their buffers, and what exists of
        // what an output sees is within the input's, as backward cones are.
        unsafe { device.start(name, &mut launch, grid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        PoolParameters::check(include_str!("../../../../kernels/pool.cuh"));
    }
}
