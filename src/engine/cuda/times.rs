//! How long kernels take, by the device's own clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::CUevent_flags;
use cudarc::driver::{CudaEvent, DriverError};

use super::libraries::elapsed;
use crate::engine::KernelTime;

/// Events that remember when they were passed.
pub(super) const TIMED: CUevent_flags = CUevent_flags::CU_EVENT_DEFAULT;

/// A kernel, and what the stream passed before and after it.
type Timed = (&'static str, CudaEvent, CudaEvent);

/// The kernels that were started while times were taken; none are taken at first, since two events
/// a kernel are not free.
#[derive(Default)]
pub(super) struct Times(Mutex<Option<Vec<Timed>>>);

impl Times {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Timed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether times are taken.
    pub fn are_taken(&self) -> bool {
        self.lock().is_some()
    }

    /// Notes a kernel that was started.
    pub fn took(&self, kernel: &'static str, events: Option<(CudaEvent, CudaEvent)>) {
        if let (Some(times), Some((before, after))) = (self.lock().as_mut(), events) {
            times.push((kernel, before, after));
        }
    }

    /// Begins to take times.
    pub fn begin(&self) {
        *self.lock() = Some(Vec::new());
    }

    /// Takes no more of them, waits for the kernels to be done, and returns their times.
    pub fn end(&self) -> Result<Vec<KernelTime>, DriverError> {
        let mut times: BTreeMap<&'static str, KernelTime> = BTreeMap::new();
        for (name, before, after) in self.lock().take().unwrap_or_default() {
            let time = times.entry(name).or_insert(KernelTime { name, starts: 0, seconds: 0.0 });
            time.starts += 1;
            after.synchronize()?;
            let milliseconds = elapsed(before.cu_event(), after.cu_event()).map_err(DriverError)?;
            time.seconds += f64::from(milliseconds) * 1e-3;
        }
        Ok(times.into_values().collect())
    }
}
