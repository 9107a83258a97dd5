//! `kernels/join.cu`: branches added up or stacked, and channels in another order.

use super::node::{NodeGeometry, NodeKernel};
use crate::engine::cuda::tables::layout::Axes;
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::program::Selection;

mirrored! {
    /// The kernels' numbers.
    pub struct JoinParameters {
        channels: i32,
        inputs: i32,
        channel: i32,
        part: i32,
        start: i32,
        groups: i32,
        each: i32,
        add: i32,
        shift: Axes,
    }
}

/// One branch, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// Channels of the output.
    pub channels: usize,
    /// Channels of the branch.
    pub inputs: usize,
    /// The first channel of the output that is the branch's.
    pub channel: usize,
    /// The channels of the branch.
    pub selection: Selection,
    /// Whether the branch is added to what is there; else it is written over it.
    pub add: bool,
}

impl Join {
    /// Joins a branch, whose deltas are zero outside of its windows.
    ///
    /// # Errors
    /// [`CudaError::Shape`] of channels that are not there.
    pub fn kernel(
        self,
        device: &Device,
        geometry: NodeGeometry,
    ) -> Result<NodeKernel<'_, JoinParameters>, CudaError> {
        let Self { channels, inputs, channel, selection, add } = self;
        let Selection { start, groups, each } = selection;
        let (part, kernels) = (selection.channels(), &device.kernels);
        if channel + part > channels || start + part > inputs {
            let problem = format!(
                "channels {channel} to {} of {channels} from {start} on of {inputs}",
                channel + part
            );
            return Err(CudaError::Shape { kernel: "join", problem });
        }
        Ok(NodeKernel {
            kernels: [&kernels.join_delta, &kernels.join_baseline],
            parameters: JoinParameters {
                channels: channels as i32,
                inputs: inputs as i32,
                channel: channel as i32,
                part: part as i32,
                start: start as i32,
                groups: groups as i32,
                each: each as i32,
                add: i32::from(add),
                shift: geometry.axes(),
            },
            channels: [inputs, channels],
            numbers: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_struct_is_this() {
        JoinParameters::check(include_str!("../../../../kernels/join.cu"));
    }
}
