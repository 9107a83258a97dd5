//! `kernels/multiply.cu`: the product of two branches.

use cudarc::driver::PushKernelArg;

use super::node::NodeGeometry;
use super::present::Presentations;
use crate::engine::cuda::loaded::LoadedKernel;
use crate::engine::cuda::tables::layout::{Axes, Baselines, Delta, Origin, Output};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernels' numbers.
    struct MultiplyParameters {
        origin: Origin,
        other_origin: Origin,
        shift: Axes,
        other_shift: Axes,
        channels: i32,
        reserved: i32,
    }
}

/// What a product reads of one of its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a> {
    /// Its baselines.
    pub baseline: &'a Baselines,
    /// Its deltas.
    pub delta: Delta<'a>,
}

/// A product of two inputs of so many channels.
#[derive(Clone, Copy, Debug)]
pub struct Multiply {
    /// Where each input lies.
    pub geometry: [NodeGeometry; 2],
    /// Channels.
    pub channels: usize,
}

impl Multiply {
    fn parameters(&self) -> MultiplyParameters {
        let [one, other] = self.geometry;
        MultiplyParameters {
            origin: one.input,
            other_origin: other.input,
            shift: one.axes(),
            other_shift: other.axes(),
            channels: self.channels as i32,
            reserved: 0,
        }
    }

    /// Writes the product's deltas into `to`; `inputs` are its factors.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn delta(
        &self,
        device: &Device,
        presentations: &Presentations,
        inputs: [Factor<'_>; 2],
        to: Output<'_>,
    ) -> Result<(), CudaError> {
        let &LoadedKernel { name, ref function } = &device.kernels.multiply_delta;
        let Output { windows: outputs, values: to } = to;
        outputs.check(name, self.channels, to)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let parameters = self.parameters();
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&parameters);
        launch.arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
        launch.arg(presentations.device());
        for Factor { baseline, delta: from } in &inputs {
            from.check(name, self.channels)?;
            launch.arg(from.windows.blocks.table.device());
            launch.arg(baseline.images.device()).arg(&baseline.values).arg(from.values);
        }
        launch.arg(to);
        // SAFETY: the arguments are the kernel's; windows lie in their buffers, outside of those of the
        // inputs nothing is read, and their baselines are there as `Baselines` says.
        unsafe { device.start(name, &mut launch, grid) }
    }

    /// Writes the product of original images' activations into `to`.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn baseline(
        &self,
        device: &Device,
        inputs: [&Baselines; 2],
        to: Output<'_>,
    ) -> Result<(), CudaError> {
        let &LoadedKernel { name, ref function } = &device.kernels.multiply_baseline;
        let Output { windows: outputs, values: to } = to;
        outputs.check(name, self.channels, to)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let parameters = self.parameters();
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&parameters);
        launch.arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
        for from in inputs {
            from.windows.check(name, self.channels, &from.values)?;
            launch.arg(from.images.device()).arg(&from.values);
        }
        launch.arg(to);
        // SAFETY: the arguments are the kernel's; windows lie in their buffers, and what an output
        // sees is within the inputs' windows, as backward cones are.
        unsafe { device.start(name, &mut launch, grid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        MultiplyParameters::check(include_str!("../../../../kernels/multiply.cu"));
    }
}
