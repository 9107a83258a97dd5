//! Too little of the device's memory: less is done at a time, and the bytes are the same.

use std::sync::Arc;

use occlumap::engine::cuda::{CudaEngine, Device, Precision};
use occlumap::engine::{Engine, Presented};

use crate::emulator::{Gpu, full_name, is_inside, told};
use crate::full;

/// Tells, in a process of its own, the bits of what `present` finds where the emulator plays this,
/// or the error that it ends with.
fn outcome(gpu: &Gpu, test: &str, played: &[(&str, &str)]) -> String {
    let name = full_name(module_path!(), test);
    let output = gpu.run(played, &[&name, "--exact", "--nocapture"]);
    let told = told(&output);
    assert!(output.status.success() && !told.contains("panicked"), "{played:?}: {told}");
    let outcome = told.lines().find_map(|line| line.split_once("outcome: "));
    outcome.unwrap_or_else(|| panic!("{told}")).1.to_owned()
}

#[allow(clippy::print_stdout, reason = "the test reads it")]
fn tell(presented: &[Presented]) {
    let all = presented.iter().flat_map(|job| job.differences.iter().chain([&job.response]));
    let bits: Vec<String> = all.map(|value| format!("{:08x}", value.to_bits())).collect();
    println!("\noutcome: {}", bits.join(" "));
}

#[allow(clippy::print_stdout, reason = "the test reads it")]
fn tell_error(error: &dyn std::error::Error) {
    println!("\noutcome: error: {error}");
}

/// Presents; an error of the device is told.
fn present(engine: &dyn Engine) {
    let [golden, _] = full::networks();
    match full::try_to_present(engine, (&golden, 0), 7) {
        Ok(presented) => tell(&presented),
        Err(error) => tell_error(&error),
    }
}

#[test]
fn whole_images_come_in_smaller_batches() {
    const TEST: &str = "whole_images_come_in_smaller_batches";
    if is_inside() {
        return present(&full::engine());
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    let plenty = outcome(&gpu, TEST, &[]);
    assert!(!plenty.contains("error"), "{plenty}");
    for memory in ["12000000", "3000000", "1000000"] {
        assert!(outcome(&gpu, TEST, &[("EMULATOR_MEMORY", memory)]) == plenty, "{memory} bytes");
    }
    let none = outcome(&gpu, TEST, &[("EMULATOR_MEMORY", "100000")]);
    assert!(none.contains("error: the GPU's memory is too small"), "{none}");
    assert!(none.contains("of 100000 are free"), "{none}");
}

#[test]
fn memory_that_runs_out_halfway_costs_nothing_but_time() {
    const TEST: &str = "memory_that_runs_out_halfway_costs_nothing_but_time";
    if is_inside() {
        let device = Arc::new(Device::open(0).expect("a device"));
        return present(&CudaEngine::new(device, Precision::Fp32));
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    let plenty = outcome(&gpu, TEST, &[]);
    assert!(!plenty.contains("error"), "{plenty}");
    let (mut recovered, mut failed) = (0, 0);
    // From the first weights to the last wave: every allocation may be the one that fails.
    for allocation in (1..).step_by(9).take(20) {
        let played = [("EMULATOR_ALLOCATION", &*allocation.to_string())];
        let found = outcome(&gpu, TEST, &played);
        if found == plenty {
            recovered += 1;
        } else {
            // Weights, and the activations of a single image, cannot be had in halves.
            assert!(found.contains("error: ") && found.contains("memory"), "{allocation}: {found}");
            failed += 1;
        }
    }
    assert!(recovered >= 5 && failed >= 1, "{recovered} recovered, {failed} failed");
}
