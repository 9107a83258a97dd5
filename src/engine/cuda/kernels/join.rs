//! `kernels/join.cu`: branches added up or stacked.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::parameters::mirrored;
use super::tables::{Change, Originals, Windows};
use crate::engine::cuda::{CudaError, Device};

mirrored! {
    /// The kernels' numbers.
    struct JoinParameters {
        channels: i32,
        part: i32,
        channel: i32,
        shift: i32,
        add: i32,
        reserved: i32,
    }
}

/// One branch, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// Channels of the output.
    pub channels: usize,
    /// Channels of the branch.
    pub part: usize,
    /// Which of the output's is the branch's first.
    pub channel: usize,
    /// Position `p` of the output is `p + shift` of the branch.
    pub shift: isize,
    /// Whether it is added to what is there; else it is written over it.
    pub add: bool,
}

impl Join {
    fn parameters(&self, kernel: &'static str) -> Result<JoinParameters, CudaError> {
        let &Self { channels, part, channel, shift, add } = self;
        if channel + part > channels {
            let problem = format!("channels {channel} to {} of {channels}", channel + part);
            return Err(CudaError::Shape { kernel, problem });
        }
        Ok(JoinParameters {
            channels: channels as i32,
            part: part as i32,
            channel: channel as i32,
            shift: shift as i32,
            add: i32::from(add),
            reserved: 0,
        })
    }

    /// Joins a branch's changes, which are zero outside of its windows, to those in `to`.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn change(
        &self,
        device: &Device,
        from: Change<'_>,
        (outputs, to): (&Windows, &mut CudaSlice<f32>),
    ) -> Result<(), CudaError> {
        let parameters = self.parameters("join_change")?;
        from.check("join_change", self.part)?;
        outputs.check("join_change", self.channels, to)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let mut launch = device.stream.launch_builder(&device.kernels.join_change);
        launch
            .arg(&parameters)
            .arg(outputs.blocks.items.device())
            .arg(outputs.blocks.table.device());
        launch.arg(from.windows.blocks.table.device()).arg(from.values).arg(to);
        // SAFETY: the arguments are the kernel's; windows lie in their buffers, and outside of
        // those of the branch nothing is read.
        unsafe { device.start("join_change", &mut launch, grid) }?;
        Ok(())
    }

    /// Joins a branch's activations of original images to those in `to`.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn original(
        &self,
        device: &Device,
        from: &Originals,
        (outputs, to): (&Windows, &mut CudaSlice<f32>),
    ) -> Result<(), CudaError> {
        let parameters = self.parameters("join_original")?;
        outputs.check("join_original", self.channels, to)?;
        from.windows.check("join_original", self.part, &from.values)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let mut launch = device.stream.launch_builder(&device.kernels.join_original);
        launch
            .arg(&parameters)
            .arg(outputs.blocks.items.device())
            .arg(outputs.blocks.table.device());
        launch.arg(from.images.device()).arg(&from.values).arg(to);
        // SAFETY: the arguments are the kernel's; windows lie in their buffers, and what an output
        // sees is within the branch's windows, as backward cones are.
        unsafe { device.start("join_original", &mut launch, grid) }?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Mirrored;
    use super::*;

    #[test]
    fn the_kernels_struct_is_this() {
        JoinParameters::check(include_str!("../../../../kernels/join.cu"));
    }
}
