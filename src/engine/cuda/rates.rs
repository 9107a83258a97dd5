//! What a GPU can do at most, by what it tells of its clocks and what its maker tells of its cores.

use cudarc::driver::result;
use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::{Device, Precision};
use crate::engine::Rates;

impl Device {
    /// Its rates; `None` where it does not tell its clocks, or its cores are not known.
    pub(in crate::engine) fn rates(&self, precision: Precision) -> Option<Rates> {
        let device = result::device::get(self.info().index as i32).ok()?;
        let ask = |attribute| {
            // SAFETY: the device is one that the driver just gave.
            let value = unsafe { result::device::get_attribute(device, attribute) }.ok()?;
            (value > 0).then_some(f64::from(value))
        };
        let clock = 1e3 * ask(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?;
        let memory_clock = 1e3 * ask(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
        let width = ask(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)? / 8.0;
        let cores = ask(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let multiply_adds = multiply_adds(self.info().capability, precision)?;
        Some(Rates {
            // Twice a cycle.
            bytes: 2.0 * memory_clock * width,
            operations: 2.0 * cores * clock * multiply_adds,
        })
    }
}

/// Multiply-adds of one multiprocessor in a cycle, sums in 32 bits, nothing sparse: NVIDIA's white
/// papers.
fn multiply_adds(capability: (i32, i32), precision: Precision) -> Option<f64> {
    let [fp32, tf32, bf16] = match capability {
        (7, 5) => [64.0, 0.0, 0.0],
        (8, 0) => [64.0, 512.0, 1024.0],
        (8, 6 | 9) | (12, 0) => [128.0, 128.0, 256.0],
        (9, 0) => [128.0, 1024.0, 2048.0],
        (10, 0) => [128.0, 2048.0, 4096.0],
        _ => return None,
    };
    let found = match precision {
        Precision::Fp32 => fp32,
        Precision::Tf32 => tf32,
        Precision::Bf16 => bf16,
    };
    (found > 0.0).then_some(found)
}
