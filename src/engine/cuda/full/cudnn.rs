//! Convolutions of whole images, by cuDNN.
//!
//! cudarc's safe wrapper keeps its handle to itself and has no groups, so this is a thin one of
//! our own: a descriptor that is made is given back.

use std::ffi::c_int;
use std::sync::Arc;

use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys;
use cudarc::driver::{CudaContext, CudaSlice, CudaView, CudaViewMut, DevicePtr, DevicePtrMut};

use crate::engine::cuda::kernels::image::Sizes;
use crate::engine::cuda::{CudaError, Device, libraries};
use crate::geometry::SlidingWindow;
use crate::network::Convolution;

/// The algorithm of a layer, whatever the batch: a sum's order must not depend on what a heuristic
/// finds best. Where cuDNN does not have the first for a layer's shape, the second, which it has for
/// every shape.
const ALGORITHMS: [sys::cudnnConvolutionFwdAlgo_t; 2] = [
    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
];
/// 32 bits in products too: no TF32.
const ARITHMETIC: sys::cudnnMathType_t = sys::cudnnMathType_t::CUDNN_FMA_MATH;

const FLOAT: sys::cudnnDataType_t = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
const LAYOUT: sys::cudnnTensorFormat_t = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;

/// For `map_err`: cuDNN failed to do this.
fn failed(what: &'static str) -> impl Fn(CudnnError) -> CudaError {
    move |CudnnError(status)| CudaError::Library {
        name: "cuDNN",
        what,
        status: format!("{status:?}"),
    }
}

/// cuDNN on a device's stream.
pub struct Cudnn {
    handle: sys::cudnnHandle_t,
    /// The context in which it was made and must be used and given back.
    context: Arc<CudaContext>,
}

// SAFETY: a handle may be used by any thread, by one at a time; it is not `Sync`.
unsafe impl Send for Cudnn {}

impl Cudnn {
    /// Opens cuDNN.
    ///
    /// # Errors
    /// [`CudaError::NoLibrary`], [`CudaError::Library`].
    pub fn open(device: &Device) -> Result<Self, CudaError> {
        libraries::cudnn()?;
        device.bind()?;
        let handle = result::create_handle().map_err(failed("start"))?;
        let cudnn = Self { handle, context: Arc::clone(device.stream.context()) };
        // SAFETY: the handle is there, and the stream is one of the same library's streams.
        unsafe { result::set_stream(cudnn.handle, device.stream.cu_stream().cast()) }
            .map_err(failed("take a stream"))?;
        Ok(cudnn)
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        // On whatever thread this is, which may work with another device. A failure leaves nothing to
        // be done.
        let _ = self.context.bind_to_thread();
        // SAFETY: the handle was made by `open` and is given back once.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// The descriptors of one convolution of batches of one size.
pub struct Convolve {
    from: sys::cudnnTensorDescriptor_t,
    filters: sys::cudnnFilterDescriptor_t,
    convolution: sys::cudnnConvolutionDescriptor_t,
    to: sys::cudnnTensorDescriptor_t,
    algorithm: sys::cudnnConvolutionFwdAlgo_t,
    /// Floats that the three buffers must have.
    lengths: [usize; 3],
    /// Bytes that it needs to work in.
    pub workspace: usize,
}

// SAFETY: descriptors may be used by any thread; none changes them after they are made.
unsafe impl Send for Convolve {}

impl Convolve {
    /// A convolution of `batch` images of `channels` channels, from size `input` to `output`.
    ///
    /// # Errors
    /// [`CudaError::Library`].
    pub fn new(
        cudnn: &Cudnn,
        conv: &Convolution,
        (batch, channels): (usize, usize),
        Sizes { input, output }: Sizes,
    ) -> Result<Self, CudaError> {
        let mut made = Self {
            from: std::ptr::null_mut(),
            filters: std::ptr::null_mut(),
            convolution: std::ptr::null_mut(),
            to: std::ptr::null_mut(),
            algorithm: ALGORITHMS[0],
            lengths: [0; 3],
            workspace: 0,
        };
        let window = conv.window().axes;
        let shapes = [
            [batch, channels, input.height, input.width],
            [conv.out_channels, channels / conv.groups, conv.kernel.y, conv.kernel.x],
            [batch, conv.out_channels, output.height, output.width],
        ];
        made.lengths = shapes.map(|shape| shape.iter().product());
        let [from, filters, to] = shapes.map(|shape| shape.map(|length| length as c_int));
        let both =
            |of: fn(SlidingWindow) -> usize| [of(window.y), of(window.x)].map(|n| n as c_int);
        let padding = both(|window| window.padding);
        let stride = both(|window| window.stride);
        let dilation = both(|window| window.dilation);
        let describe = || -> Result<Self, CudnnError> {
            // SAFETY: each descriptor is set right after it was made; `Drop` gives back those
            // that are there, however far this comes.
            unsafe {
                made.from = result::create_tensor_descriptor()?;
                result::set_tensor4d_descriptor(made.from, LAYOUT, FLOAT, from)?;
                made.filters = result::create_filter_descriptor()?;
                result::set_filter4d_descriptor(made.filters, FLOAT, LAYOUT, filters)?;
                made.to = result::create_tensor_descriptor()?;
                result::set_tensor4d_descriptor(made.to, LAYOUT, FLOAT, to)?;
                made.convolution = result::create_convolution_descriptor()?;
                result::set_convolution2d_descriptor(
                    made.convolution,
                    padding[0],
                    padding[1],
                    stride[0],
                    stride[1],
                    dilation[0],
                    dilation[1],
                    sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                    FLOAT,
                )?;
                result::set_convolution_group_count(made.convolution, conv.groups as c_int)?;
                result::set_convolution_math_type(made.convolution, ARITHMETIC)?;
                let workspace = |algorithm| {
                    result::get_convolution_forward_workspace_size(
                        cudnn.handle,
                        made.from,
                        made.filters,
                        made.convolution,
                        made.to,
                        algorithm,
                    )
                    .map(|bytes| (algorithm, bytes))
                };
                let [first, second] = ALGORITHMS;
                (made.algorithm, made.workspace) =
                    workspace(first).or_else(|_| workspace(second))?;
            }
            Ok(made)
        };
        describe().map_err(failed("prepare a convolution"))
    }

    /// Convolves `from` with `filters` into `to`, all as the plain engine lays them out; adds no
    /// bias.
    ///
    /// # Errors
    /// [`CudaError::Shape`], [`CudaError::Library`].
    pub fn run(
        &self,
        device: &Device,
        cudnn: &Cudnn,
        from: &CudaView<'_, f32>,
        filters: &CudaSlice<f32>,
        workspace: &mut CudaSlice<u8>,
        to: &mut CudaViewMut<'_, f32>,
    ) -> Result<(), CudaError> {
        let found = [from.len(), filters.len(), to.len()];
        let fits = found.iter().zip(self.lengths).all(|(&found, needed)| found >= needed);
        if !fits || workspace.len() < self.workspace {
            let (needed, room) = (self.lengths, self.workspace);
            let problem = format!(
                "buffers of {found:?} values and {} bytes; {needed:?} and {room} are needed",
                workspace.len()
            );
            return Err(CudaError::Shape { kernel: "cuDNN's convolution", problem });
        }
        let stream = &device.stream;
        let (one, zero) = (1.0_f32, 0.0_f32);
        let (from, _from) = from.device_ptr(stream);
        let (filters, _filters) = filters.device_ptr(stream);
        let (workspace, _workspace) = workspace.device_ptr_mut(stream);
        let (to, _to) = to.device_ptr_mut(stream);
        device.timed("cudnnConvolutionForward", || {
            // SAFETY: handle and descriptors are there; the buffers are as long as these say,
            // which was just checked.
            unsafe {
                result::convolution_forward(
                    cudnn.handle,
                    (&raw const one).cast(),
                    self.from,
                    from as *const _,
                    self.filters,
                    filters as *const _,
                    self.convolution,
                    self.algorithm,
                    workspace as *mut _,
                    self.workspace,
                    (&raw const zero).cast(),
                    self.to,
                    to as *mut _,
                )
            }
            .map_err(failed("convolve"))
        })
    }
}

impl Drop for Convolve {
    fn drop(&mut self) {
        // SAFETY: those that are there were made by `new` and are given back once. A failure
        // leaves nothing to be done.
        unsafe {
            if !self.from.is_null() {
                let _ = result::destroy_tensor_descriptor(self.from);
            }
            if !self.filters.is_null() {
                let _ = result::destroy_filter_descriptor(self.filters);
            }
            if !self.to.is_null() {
                let _ = result::destroy_tensor_descriptor(self.to);
            }
            if !self.convolution.is_null() {
                let _ = result::destroy_convolution_descriptor(self.convolution);
            }
        }
    }
}
