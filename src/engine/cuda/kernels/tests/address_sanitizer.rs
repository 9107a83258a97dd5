//! Kernels under `AddressSanitizer`: what they read and write lies in their buffers.

use cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};

use super::emulator::{Gpu, full_name, is_inside, told};
use crate::engine::Extremes;
use crate::engine::cuda::Device;

/// All tests beside this module, once more.
#[test]
fn every_kernel_stays_in_its_memory() {
    if is_inside() {
        return;
    }
    let Some(gpu) = Gpu::address_sanitizer("every_kernel_stays_in_its_memory") else { return };
    let here = full_name(module_path!(), "");
    let beside = here.trim_end_matches("address_sanitizer::");
    let output = gpu.run(&[], &[beside, "--skip", &here, "--test-threads", "1"]);
    let text = told(&output);
    assert!(output.status.success() && !text.contains(" 0 passed"), "{text}");
}

#[test]
fn a_value_behind_the_last_is_found() {
    const TEST: &str = "a_value_behind_the_last_is_found";
    if is_inside() {
        return read_one_value_too_many();
    }
    let Some(gpu) = Gpu::address_sanitizer(TEST) else { return };
    let output = gpu.run(&[], &[&full_name(module_path!(), TEST), "--exact", "--nocapture"]);
    let text = told(&output);
    assert!(!output.status.success(), "{text}");
    for expected in ["AddressSanitizer", "READ of size 4", "extremes.cu"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// What the launcher would refuse.
fn read_one_value_too_many() {
    #[repr(C)]
    struct Parameters {
        planes: u32,
        area: u32,
    }
    // SAFETY: a `repr(C)` struct of plain numbers.
    unsafe impl DeviceRepr for Parameters {}

    let device = Device::open(0).unwrap();
    let responses = device.upload(&[0.0_f32; 64]).unwrap();
    let mut found = device.allocate::<Extremes>(1).unwrap();
    let parameters = Parameters { planes: 1, area: 65 };
    let mut launch = device.stream.launch_builder(&device.kernels.extremes.function);
    launch.arg(&parameters).arg(&responses).arg(&mut found);
    let grid = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (256, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: none; the emulator ends this process, which is what the test is about.
    unsafe { device.start("extremes", &mut launch, grid) }.unwrap();
}
