//! Products of matrices, by cuBLAS.

use std::ffi::c_int;
use std::sync::Arc;

use cudarc::cublas::result::{self, CublasError};
use cudarc::cublas::sys;
use cudarc::driver::{CudaContext, DevicePtr, DevicePtrMut};

use crate::engine::cuda::{CudaError, Device, libraries};

/// 32 bits in products and sums, whatever the environment or a newer library would rather do: no
/// TF32, no emulation by shorter numbers.
const ARITHMETIC: sys::cublasComputeType_t = sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_PEDANTIC;
/// What cuBLAS finds best for a shape: the shapes here never depend on a batch.
const ALGORITHM: sys::cublasGemmAlgo_t = sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT;

const FLOAT: sys::cudaDataType = sys::cudaDataType::CUDA_R_32F;

/// For `map_err`: cuBLAS failed to do this.
fn failed(what: &'static str) -> impl Fn(CublasError) -> CudaError {
    move |CublasError(status)| CudaError::Library {
        name: "cuBLAS",
        what,
        status: format!("{status:?}"),
    }
}

/// cuBLAS on a device's stream.
pub struct Cublas {
    handle: sys::cublasHandle_t,
    /// The context in which it was made and must be used and given back.
    context: Arc<CudaContext>,
}

// SAFETY: a handle may be used by any thread, by one at a time; it is not `Sync`.
unsafe impl Send for Cublas {}

impl Cublas {
    /// Opens cuBLAS.
    ///
    /// # Errors
    /// [`CudaError::NoLibrary`], [`CudaError::Library`].
    pub fn open(device: &Device) -> Result<Self, CudaError> {
        libraries::cublas()?;
        device.bind()?;
        let handle = result::create_handle().map_err(failed("start"))?;
        let cublas = Self { handle, context: Arc::clone(device.stream.context()) };
        // SAFETY: the handle is there, and the stream is one of the same library's streams.
        unsafe { result::set_stream(cublas.handle, device.stream.cu_stream().cast()) }
            .map_err(failed("take a stream"))?;
        Ok(cublas)
    }
}

impl Drop for Cublas {
    fn drop(&mut self) {
        // On whatever thread this is, which may work with another device. A failure leaves nothing to
        // be done.
        let _ = self.context.bind_to_thread();
        // SAFETY: the handle was made by `open` and is given back once.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// A product `to[row][column] = Σ left[row][i] · right[i][column]`.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Rows of `left` and `to`.
    pub rows: usize,
    /// Columns of `right` and `to`.
    pub columns: usize,
    /// Columns of `left`, rows of `right`.
    pub depth: usize,
    /// Whether `right` is laid out `[column][i]` instead.
    pub transposed: bool,
    /// Matrices `right` and `to`, one behind the other; `left` is the same for all.
    pub count: usize,
}

impl Product {
    /// Multiplies.
    ///
    /// # Errors
    /// [`CudaError::Shape`], [`CudaError::Library`].
    pub fn run(
        &self,
        device: &Device,
        cublas: &Cublas,
        left: &impl DevicePtr<f32>,
        right: &impl DevicePtr<f32>,
        to: &mut impl DevicePtrMut<f32>,
    ) -> Result<(), CudaError> {
        let Self { rows, columns, depth, transposed, count } = *self;
        let found = [left.len(), right.len(), to.len()];
        let needed = [rows * depth, count * depth * columns, count * rows * columns];
        let longest = rows.max(columns).max(depth).max(count);
        if found.iter().zip(&needed).any(|(found, needed)| found < needed)
            || longest > c_int::MAX as usize
        {
            let problem = format!("buffers of {found:?} values; {needed:?} are needed by {self:?}");
            return Err(CudaError::Shape { kernel: "cuBLAS' product", problem });
        }
        let strides = [depth * columns, rows * columns].map(|values| values as i64);
        let [rows, columns, depth, count] =
            [rows, columns, depth, count].map(|length| length as c_int);
        let (one, zero) = (1.0_f32, 0.0_f32);
        let (left, _left) = left.device_ptr(&device.stream);
        let (right, _right) = right.device_ptr(&device.stream);
        let (to, _to) = to.device_ptr_mut(&device.stream);
        // cuBLAS counts matrices down their columns, so it sees all three transposed, and is asked
        // for `toᵀ = rightᵀ · leftᵀ`.
        let (operation, pitch) = if transposed {
            (sys::cublasOperation_t::CUBLAS_OP_T, depth)
        } else {
            (sys::cublasOperation_t::CUBLAS_OP_N, columns)
        };
        device.timed("cublasGemmStridedBatchedEx", || {
            // SAFETY: the handle is there; the buffers are as long as the shape says, which was
            // just checked.
            unsafe {
                result::gemm_strided_batched_ex(
                    cublas.handle,
                    operation,
                    sys::cublasOperation_t::CUBLAS_OP_N,
                    columns,
                    rows,
                    depth,
                    (&raw const one).cast(),
                    right as *const _,
                    FLOAT,
                    pitch,
                    strides[0],
                    left as *const _,
                    FLOAT,
                    depth,
                    0,
                    (&raw const zero).cast(),
                    to as *mut _,
                    FLOAT,
                    columns,
                    strides[1],
                    count,
                    ARITHMETIC,
                    ALGORITHM,
                )
            }
            .map_err(failed("multiply matrices"))
        })
    }
}
