//! What a GPU can do at most, by what it tells of its clocks and what its maker tells of its cores.

use cudarc::driver::result;
use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::{Device, DeviceInfo, Precision};
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
        let multiply_adds = multiply_adds(self.info(), precision)?;
        Some(Rates {
            // Twice a cycle.
            bytes: 2.0 * memory_clock * width,
            operations: 2.0 * cores * clock * multiply_adds,
        })
    }
}

/// Multiply-adds of one multiprocessor in a cycle, sums in 32 bits, nothing sparse: NVIDIA's white
/// papers. Of chips that are sold under several names, those called `GeForce` have tensor cores that add
/// up in 32 bits at half the rate of the others.
fn multiply_adds(device: &DeviceInfo, precision: Precision) -> Option<f64> {
    let [fp32, tf32, half] = match device.capability {
        (7, 5) => [64.0, 0.0, 0.0],
        (8, 0) => [64.0, 512.0, 1024.0],
        (8, 6 | 9) | (12, 0) if device.name.contains("GeForce") => [128.0, 128.0, 256.0],
        (8, 6 | 9) | (12, 0) => [128.0, 256.0, 512.0],
        (9, 0) => [128.0, 1024.0, 2048.0],
        (10, 0) => [128.0, 2048.0, 4096.0],
        _ => return None,
    };
    let found = match precision {
        Precision::Fp32 => fp32,
        Precision::Tf32 => tf32,
        Precision::Fp16 | Precision::Bf16 => half,
    };
    (found > 0.0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TFLOP/s, dense, of public data sheets: with their multiprocessors at their clock in GHz.
    #[test]
    fn rates_are_those_of_data_sheets() {
        for (name, capability, multiprocessors, clock, [fp32, tf32, half]) in [
            ("NVIDIA A100-SXM4-80GB", (8, 0), 108.0, 1.41, [19.5, 156.0, 312.0]),
            ("NVIDIA H100 80GB HBM3", (9, 0), 132.0, 1.83, [61.8, 494.7, 989.4]),
            ("NVIDIA A40", (8, 6), 84.0, 1.74, [37.4, 74.8, 149.7]),
            ("NVIDIA GeForce RTX 3090", (8, 6), 82.0, 1.695, [35.6, 35.6, 71.0]),
            ("NVIDIA L40", (8, 9), 142.0, 2.49, [90.5, 181.0, 362.1]),
            ("NVIDIA GeForce RTX 4090", (8, 9), 128.0, 2.52, [82.6, 82.6, 165.2]),
        ] {
            let device = DeviceInfo { index: 0, name: name.into(), capability, memory: 0 };
            for (precision, expected) in
                [(Precision::Fp32, fp32), (Precision::Tf32, tf32), (Precision::Fp16, half)]
            {
                let found =
                    2e-3 * multiprocessors * clock * multiply_adds(&device, precision).unwrap();
                assert!((found / expected - 1.0).abs() < 0.01, "{name} {precision:?}: {found}");
            }
        }
        let turing =
            DeviceInfo { index: 0, name: "Tesla T4".into(), capability: (7, 5), memory: 0 };
        assert_eq!(multiply_adds(&turing, Precision::Bf16), None);
    }
}
