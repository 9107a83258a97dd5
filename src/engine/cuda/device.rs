//! A GPU that is ready to work.

use std::fmt;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUmemPool_attribute, CUresult};
use cudarc::driver::{
    CudaContext, CudaEvent, CudaSlice, CudaStream, DevicePtr, DeviceRepr, DriverError, LaunchArgs,
    LaunchConfig, result,
};

use super::error::Call;
use super::loaded::Kernels;
use super::times::{TIMED, Times};
use super::transfer::{DownloadPool, Part, PendingDownload, Staging, bytes};
use super::{CudaError, embedded, libraries};
use crate::engine::KernelTime;

/// What a GPU tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number, as in `cuda:0`.
    pub index: usize,
    /// Its name, such as `NVIDIA H200`.
    pub name: String,
    /// Its compute capability, major and minor.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: usize,
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cuda:{} ({})", self.index, self.name)
    }
}

/// Bytes of memory that was given back which the driver keeps for what is asked for next, at most: what
/// waves and original images take. Otherwise it hands them to the system whenever somebody waits, and
/// gets them again for the next wave.
const KEPT: u64 = 4 << 30;

/// A GPU with a stream to work on and all kernels loaded.
///
/// All work of a device goes to one stream, so it is done in the order in which it was asked for,
/// and memory may be given back as soon as nothing more is asked of it. The copies of a ranking's images
/// alone have a stream of their own.
pub struct Device {
    info: DeviceInfo,
    pub(in crate::engine) stream: Arc<CudaStream>,
    pub(in crate::engine) kernels: Kernels,
    times: Times,
    pub(super) staging: Staging,
    returns: DownloadPool,
}

impl Device {
    /// What the GPUs of this machine tell of themselves.
    ///
    /// # Errors
    /// No driver, one that is too old, or no GPU.
    pub fn list() -> Result<Vec<DeviceInfo>, CudaError> {
        (0..initialise()?).map(info).collect()
    }

    /// Opens a GPU. Every kernel is loaded and found, so that nothing is missing later.
    ///
    /// # Errors
    /// Everything but [`CudaError::NoLibrary`], [`CudaError::Shape`] and
    /// [`CudaError::OutOfMemory`].
    pub fn open(index: usize) -> Result<Self, CudaError> {
        let built = embedded::compiler()?;
        let count = initialise()?;
        if index >= count {
            return Err(CudaError::NoSuchDevice { index, count });
        }
        let info = info(index)?;
        let busy = |error: DriverError| CudaError::Busy {
            index,
            name: info.name.clone(),
            source: error.into(),
        };
        let context = CudaContext::new(index).map_err(busy)?;
        // SAFETY: all work goes to one stream, in order, but for copies of images to be ranked, whose
        // stream has events of its own (`double_buffer.rs`): there is nothing left for others to order.
        unsafe { context.disable_event_tracking() };
        // Without it the work takes longer, and nothing else.
        let _ = keep_memory(&context);
        let stream = context.new_stream().map_err(busy)?;
        let kernels = Kernels::load(&context).map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => busy(error),
            _ => CudaError::Incompatible {
                index,
                name: info.name.clone(),
                capability: info.capability,
                built,
                source: error.into(),
            },
        })?;
        let (staging, returns) = (Staging::new(Arc::clone(&stream)), DownloadPool::default());
        Ok(Self { info, stream, kernels, times: Times::default(), staging, returns })
    }

    /// What it tells of itself.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Bytes of memory that nobody uses, those included that the driver keeps for us.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn free_memory(&self) -> Result<usize, CudaError> {
        let context = self.stream.context();
        let free = context.mem_get_info().and_then(|(free, _)| Ok(free + kept_memory(context)?));
        free.map_err(CudaError::driver("tell how much memory is free"))
    }

    /// Memory for `length` values. What is in it is not known: everything must be written before
    /// it is read.
    ///
    /// # Errors
    /// [`CudaError::Driver`], out of memory too.
    pub fn allocate<T: DeviceRepr>(&self, length: usize) -> Result<CudaSlice<T>, CudaError> {
        // SAFETY: every launcher writes all of what it was given to write before anything reads
        // it; the emulator fills fresh memory with NaN, so that one that does not shows.
        unsafe { self.stream.alloc(length) }.map_err(CudaError::driver("allocate memory"))
    }

    /// Memory for `length` numbers, zeros all.
    ///
    /// # Errors
    /// As [`Device::allocate`].
    pub(in crate::engine) fn zeros(&self, length: usize) -> Result<CudaSlice<f32>, CudaError> {
        let mut zeros = self.allocate(length)?;
        self.clear(&mut zeros)?;
        Ok(zeros)
    }

    /// Makes all numbers zeros.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub(in crate::engine) fn clear(&self, numbers: &mut CudaSlice<f32>) -> Result<(), CudaError> {
        self.stream.memset_zeros(numbers).map_err(CudaError::driver("clear memory"))
    }

    /// A copy of `values` on the device, as soon as all work asked for before is done; they may be
    /// changed at once.
    ///
    /// # Errors
    /// As [`Device::allocate`].
    pub fn upload<T: DeviceRepr>(&self, values: &[T]) -> Result<CudaSlice<T>, CudaError> {
        let copy = self.allocate(values.len())?;
        let to = copy.device_ptr(&self.stream).0;
        // SAFETY: as much memory was just allocated.
        unsafe { self.staging.copy(&[Part { offset: 0, source: bytes(values) }], to) }?;
        Ok(copy)
    }

    /// Starts a kernel.
    ///
    /// # Safety
    /// The arguments are the kernel's, and what it reads and writes with them is there.
    ///
    /// # Errors
    /// [`CudaError::Launch`].
    pub(in crate::engine) unsafe fn start(
        &self,
        kernel: &'static str,
        launch: &mut LaunchArgs<'_>,
        grid: LaunchConfig,
    ) -> Result<(), CudaError> {
        if self.times.are_taken() {
            launch.record_kernel_launch(TIMED);
        }
        // SAFETY: the caller's promise.
        let events = unsafe { launch.launch(grid) }
            .map_err(|error| CudaError::Launch { kernel, source: error.into() })?;
        self.times.took(kernel, events);
        Ok(())
    }

    /// Has a library start a kernel on the stream, under the name of the library's function.
    ///
    /// # Errors
    /// Those of `start`; [`CudaError::Driver`].
    pub(in crate::engine) fn timed(
        &self,
        function: &'static str,
        start: impl FnOnce() -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let event = || {
            if !self.times.are_taken() {
                return Ok(None);
            }
            let event = self.stream.record_event(Some(TIMED));
            event.map(Some).map_err(CudaError::driver("take the time"))
        };
        let before = event()?;
        start()?;
        self.times.took(function, before.zip(event()?));
        Ok(())
    }

    /// Runs `work`, and tells how long each kernel took that it started, by the device's clock:
    /// in the order of their names.
    ///
    /// # Errors
    /// Those of `work`; [`CudaError::Driver`].
    pub fn time_kernels<E: From<CudaError>>(
        &self,
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<Vec<KernelTime>, E> {
        self.times.begin();
        let done = work();
        let times = self.times.end();
        done?;
        Ok(times.map_err(CudaError::driver("tell the time"))?)
    }

    /// Makes the calling thread work with this device.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn bind(&self) -> Result<(), CudaError> {
        let context = self.stream.context();
        context.bind_to_thread().map_err(CudaError::driver("be worked with by another thread"))
    }

    /// A copy of what is on the device, as soon as all work asked for before is done.
    ///
    /// # Errors
    /// [`CudaError::Driver`]: failures of kernels show here too; [`CudaError::NotPinned`].
    pub fn download<T: DeviceRepr + Default + Clone>(
        &self,
        values: &CudaSlice<T>,
    ) -> Result<Vec<T>, CudaError> {
        self.returns.download(&self.stream, values)
    }

    /// What is reached when all work asked for before is done. Who waits for it leaves the
    /// processor to those who make tables.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub(in crate::engine) fn mark(&self) -> Result<CudaEvent, CudaError> {
        self.stream
            .record_event(Some(sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC))
            .map_err(CudaError::driver("mark its work"))
    }

    /// Waits until the device is so far.
    ///
    /// # Errors
    /// [`CudaError::Driver`]: failures of kernels show here too.
    #[expect(clippy::unused_self, reason = "a mark is of this device")]
    pub(in crate::engine) fn reach(&self, mark: &CudaEvent) -> Result<(), CudaError> {
        mark.synchronize().map_err(CudaError::driver("finish its work"))
    }

    /// Has what is on the device copied to the host as soon as all work asked for before is done,
    /// and does not wait for it.
    ///
    /// # Errors
    /// [`CudaError::Driver`], [`CudaError::NotPinned`].
    pub(in crate::engine) fn fetch<T: DeviceRepr + Clone>(
        &self,
        values: &CudaSlice<T>,
    ) -> Result<PendingDownload<'_, T>, CudaError> {
        self.returns.copy(&self.stream, values)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Device").field(&self.info).finish()
    }
}

/// The pool that the driver keeps memory in, where it has one.
fn pool(context: &CudaContext) -> Result<Option<sys::CUmemoryPool>, DriverError> {
    if !context.has_async_alloc() {
        return Ok(None);
    }
    let mut pool = std::ptr::null_mut();
    // SAFETY: the context's device has pools.
    unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, context.cu_device()) }.result()?;
    Ok(Some(pool))
}

/// Has the driver keep some of the memory that is given back.
fn keep_memory(context: &CudaContext) -> Result<(), DriverError> {
    let Some(pool) = pool(context)? else { return Ok(()) };
    let (threshold, mut kept) = (CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, KEPT);
    // SAFETY: the attribute is a number of 64 bits.
    unsafe { sys::cuMemPoolSetAttribute(pool, threshold, (&raw mut kept).cast()) }.result()
}

/// Bytes that the driver keeps at the moment.
fn kept_memory(context: &CudaContext) -> Result<usize, DriverError> {
    let Some(pool) = pool(context)? else { return Ok(0) };
    let bytes = |attribute| {
        let mut bytes = 0_u64;
        // SAFETY: the attribute is a number of 64 bits.
        unsafe { sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut bytes).cast()) }.result()?;
        Ok(bytes)
    };
    let reserved = bytes(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
    Ok(reserved.saturating_sub(bytes(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?)
        as usize)
}

/// Starts the driver, and counts the devices.
fn initialise() -> Result<usize, CudaError> {
    let driver = libraries::driver()?;
    // Cubins run on any driver of the same major version, whatever its minor.
    if let Ok(built) = embedded::compiler() {
        let needed = built / 1000 * 1000;
        // A stub has no version at all.
        if driver.version != 0 && driver.version < needed {
            return Err(CudaError::DriverTooOld { found: driver.version, built, needed });
        }
    }
    let count = result::init().and_then(|()| result::device::get_count());
    match count.map_err(Call::from) {
        Ok(0) | Err(Call(CUresult::CUDA_ERROR_NO_DEVICE)) => Err(CudaError::NoDevice),
        Ok(count) => Ok(count as usize),
        Err(Call(CUresult::CUDA_ERROR_STUB_LIBRARY)) => Err(CudaError::Stub),
        Err(source) => Err(CudaError::Driver { what: "start", source }),
    }
}

fn info(index: usize) -> Result<DeviceInfo, CudaError> {
    use cudarc::driver::sys::CUdevice_attribute as Attribute;
    let ask = || -> Result<DeviceInfo, DriverError> {
        let device = result::device::get(index as i32)?;
        // SAFETY: the device is one that the driver just gave.
        let (major, minor, memory) = unsafe {
            (
                result::device::get_attribute(
                    device,
                    Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                )?,
                result::device::get_attribute(
                    device,
                    Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                )?,
                result::device::total_mem(device)?,
            )
        };
        let name = result::device::get_name(device)?;
        Ok(DeviceInfo { index, name, capability: (major, minor), memory })
    };
    ask().map_err(CudaError::driver("describe itself"))
}
