//! Kernels that compute a node element by element from one input: all have the same arguments.

use cudarc::driver::{CudaSlice, DeviceRepr, LaunchArgs, PushKernelArg};

use super::present::Presentations;
use crate::engine::cuda::loaded::LoadedKernel;
use crate::engine::cuda::tables::layout::{Axes, Baselines, Delta, Origin, Output};
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{Axis, PerAxis, SlidingWindow};
use crate::network::Filters;

/// The numbers of a layer on the device.
#[derive(Debug)]
pub struct DeviceNumbers {
    weight: CudaSlice<f32>,
    /// As many as there are channels.
    bias: CudaSlice<f32>,
}

impl DeviceNumbers {
    /// Copies the numbers of a layer of so many channels; a bias that is missing is zeros.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn new(device: &Device, numbers: &Filters, channels: usize) -> Result<Self, CudaError> {
        let mut bias = numbers.bias.clone();
        bias.resize(channels.max(1), 0.0);
        Ok(Self { weight: device.upload(&numbers.weight)?, bias: device.upload(&bias)? })
    }
}

/// Where a node and its input lie: their origins, and the window that the node slides over the
/// input.
#[derive(Clone, Copy, Debug)]
pub struct NodeGeometry {
    /// The input's origin.
    pub input: Origin,
    /// The node's.
    pub output: Origin,
    /// The window.
    pub window: PerAxis<SlidingWindow>,
    /// Output `o` sees inputs from `o * stride + shift` on.
    pub shift: PerAxis<isize>,
}

impl NodeGeometry {
    /// That of a whole map, whose coordinates begin at 0.
    pub fn of_map(window: PerAxis<SlidingWindow>) -> Self {
        let shift = PerAxis::from_fn(|axis: Axis| -(window.of(axis).padding as isize));
        Self { input: Origin::default(), output: Origin::default(), window, shift }
    }

    /// The shift as kernels read it.
    pub fn axes(&self) -> Axes {
        Axes::of(self.shift)
    }
}

/// A pair of kernels with the numbers of one node.
pub struct NodeKernel<'a, P> {
    /// The kernel of deltas and that of original images.
    pub kernels: [&'a LoadedKernel; 2],
    /// The node's numbers.
    pub parameters: P,
    /// Channels of the input and of the node.
    pub channels: [usize; 2],
    /// The numbers of its channels.
    pub numbers: Option<&'a DeviceNumbers>,
}

/// A node that is computed element by element from one input.
pub trait NodeLaunch {
    /// Writes the node's deltas into `to`; `baseline` are the input's, where the kernel reads them.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    fn delta(
        &self,
        device: &Device,
        presentations: &Presentations,
        baseline: Option<&Baselines>,
        from: Delta<'_>,
        to: Output<'_>,
    ) -> Result<(), CudaError>;

    /// Writes the node's activations of original images into `to`.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    fn baseline(&self, device: &Device, from: &Baselines, to: Output<'_>) -> Result<(), CudaError>;
}

/// A pointer to nothing.
pub(super) const NOTHING: u64 = 0;

/// Adds the numbers of channels to a kernel's arguments, or pointers to nothing.
pub(super) fn push_numbers<'l>(launch: &mut LaunchArgs<'l>, numbers: Option<&'l DeviceNumbers>) {
    match numbers {
        Some(DeviceNumbers { weight, bias }) => launch.arg(weight).arg(bias),
        None => launch.arg(&NOTHING).arg(&NOTHING),
    };
}

/// Adds baselines to a kernel's arguments, or pointers to nothing.
pub(super) fn push_baselines<'l>(launch: &mut LaunchArgs<'l>, baselines: Option<&'l Baselines>) {
    match baselines {
        Some(Baselines { images, values, .. }) => launch.arg(images.device()).arg(values),
        None => launch.arg(&NOTHING).arg(&NOTHING),
    };
}

impl<P: DeviceRepr> NodeLaunch for NodeKernel<'_, P> {
    fn delta(
        &self,
        device: &Device,
        presentations: &Presentations,
        baseline: Option<&Baselines>,
        from: Delta<'_>,
        to: Output<'_>,
    ) -> Result<(), CudaError> {
        let [&LoadedKernel { name, ref function }, _] = self.kernels;
        let Output { windows: outputs, values: to } = to;
        from.check(name, self.channels[0])?;
        outputs.check(name, self.channels[1], to)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&self.parameters);
        launch.arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
        launch.arg(from.windows.blocks.table.device()).arg(presentations.device());
        push_baselines(&mut launch, baseline);
        push_numbers(&mut launch, self.numbers);
        launch.arg(from.values).arg(to);
        // SAFETY: the arguments are those of every kernel of this kind; windows lie in their buffers,
        // what an output sees of the input's windows is looked up in them, and in the input's
        // baselines as `Baselines` says.
        unsafe { device.start(name, &mut launch, grid) }
    }

    fn baseline(&self, device: &Device, from: &Baselines, to: Output<'_>) -> Result<(), CudaError> {
        let [_, &LoadedKernel { name, ref function }] = self.kernels;
        let Output { windows: outputs, values: to } = to;
        outputs.check(name, self.channels[1], to)?;
        from.windows.check(name, self.channels[0], &from.values)?;
        let Some(grid) = outputs.grid() else { return Ok(()) };
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&self.parameters);
        launch.arg(outputs.blocks.items.device()).arg(outputs.blocks.table.device());
        launch.arg(from.images.device());
        push_numbers(&mut launch, self.numbers);
        launch.arg(&from.values).arg(to);
        // SAFETY: the arguments are those of every kernel of this kind; windows lie in their buffers,
        // and what exists of what an output sees is within the input's, as backward cones are.
        unsafe { device.start(name, &mut launch, grid) }
    }
}
