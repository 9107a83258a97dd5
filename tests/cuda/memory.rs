//! Too little of the device's memory: less is done at a time, and the bytes are the same.

use std::sync::Arc;

use occlumap::engine::cuda::{CudaEngine, CudaError, Device, Precision};
use occlumap::engine::{Engine, JobResult};

use crate::common::emulator::{Gpu, full_name, is_inside, told};
use crate::full;

/// The emulator's memory, as it is where nothing else is played.
const PLENTY: &str = "8589934592";

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
fn tell_bits(bits: impl Iterator<Item = String>) {
    println!("\noutcome: {}", bits.collect::<Vec<_>>().join(" "));
}

fn tell(presented: &[JobResult]) {
    let all = presented.iter().flat_map(|job| job.differences.iter().chain([&job.response]));
    tell_bits(all.map(|value| format!("{:08x}", value.to_bits())));
}

#[allow(clippy::print_stdout, reason = "the test reads it")]
fn tell_error(error: &dyn std::error::Error) {
    println!("\noutcome: error: {error}");
}

/// Presents; an error of the device is told.
fn present(engine: &dyn Engine) {
    let [golden, _] = full::networks();
    match full::try_to_present(engine, &golden, 0, 7) {
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
    for memory in ["12000000", "6000000", "4000000"] {
        assert!(outcome(&gpu, TEST, &[("EMULATOR_MEMORY", memory)]) == plenty, "{memory} bytes");
    }
    let none = outcome(&gpu, TEST, &[("EMULATOR_MEMORY", "100000")]);
    assert!(none.contains("error: the GPU's memory is too small"), "{none}");
    assert!(none.contains("of 100000 are free"), "{none}");
}

/// Ranks more images than a small device has room for; an error of the device is told.
fn rank() {
    let [golden, _] = full::networks();
    match full::try_to_rank(&full::engine(), &golden, 35, 20) {
        Ok(found) => {
            let all = found.iter().flatten().flatten();
            tell_bits(all.map(|unit| {
                let (max, min) = (unit.max.to_bits(), unit.min.to_bits());
                format!("{max:08x}@{} {min:08x}@{}", unit.max_at, unit.min_at)
            }));
        }
        Err(error) => tell_error(&error),
    }
}

/// Batches of 128, which is more than there are, and of several that do not divide them: also
/// where copies are late or early and kernels late, so that either stream must wait for the other.
#[test]
fn rankings_do_not_depend_on_batches_or_on_when_copies_are_done() {
    const TEST: &str = "rankings_do_not_depend_on_batches_or_on_when_copies_are_done";
    if is_inside() {
        return rank();
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    let plenty = outcome(&gpu, TEST, &[]);
    assert!(!plenty.contains("error"), "{plenty}");
    for memory in ["12000000", "6000000", "4000000"] {
        for lazy in ["0", "1", "2"] {
            let played = [("EMULATOR_MEMORY", memory), ("EMULATOR_LAZY", lazy)];
            assert!(outcome(&gpu, TEST, &played) == plenty, "{played:?}");
        }
    }
    let none = outcome(&gpu, TEST, &[("EMULATOR_MEMORY", "100000")]);
    assert!(none.contains("error: the GPU's memory is too small"), "{none}");
}

#[test]
fn memory_that_runs_out_under_a_ranking_costs_nothing_but_time() {
    const TEST: &str = "memory_that_runs_out_under_a_ranking_costs_nothing_but_time";
    if is_inside() {
        return rank();
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    // Smaller batches, which take the emulator less time.
    let (recovered, failed) = let_allocations_of(&gpu, TEST, "6000000", 5, &[]);
    assert_eq!((recovered, failed), (20, 0));
}

/// Lets one allocation after the other fail, `every` apart: what is found stays the same, or an
/// error tells of memory. How often each.
fn let_allocations_fail(gpu: &Gpu, test: &str, every: usize, accepted: &[&str]) -> (usize, usize) {
    let_allocations_of(gpu, test, PLENTY, every, accepted)
}

/// The same of a device with so much memory.
fn let_allocations_of(
    gpu: &Gpu,
    test: &str,
    memory: &str,
    every: usize,
    accepted: &[&str],
) -> (usize, usize) {
    let memory = ("EMULATOR_MEMORY", memory);
    let plenty = outcome(gpu, test, &[memory]);
    assert!(!plenty.contains("error"), "{plenty}");
    let (mut recovered, mut failed) = (0, 0);
    for allocation in (1..).step_by(every).take(20) {
        let played = [memory, ("EMULATOR_ALLOCATION", &*allocation.to_string())];
        let found = outcome(gpu, test, &played);
        if found == plenty || accepted.contains(&found.as_str()) {
            recovered += 1;
        } else {
            assert!(found.contains("error: ") && found.contains("memory"), "{allocation}: {found}");
            failed += 1;
        }
    }
    (recovered, failed)
}

#[test]
fn memory_that_runs_out_halfway_costs_nothing_but_time() {
    const TEST: &str = "memory_that_runs_out_halfway_costs_nothing_but_time";
    if is_inside() {
        let device = Arc::new(Device::open(0).expect("a device"));
        return present(&CudaEngine::new(device, Precision::Fp32));
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    // From the first weights to the last wave. Weights cannot be had in halves.
    let (recovered, failed) = let_allocations_fail(&gpu, TEST, 9, &[]);
    assert!(recovered >= 5 && failed >= 1, "{recovered} recovered, {failed} failed");
}

#[test]
fn memory_that_runs_out_under_whole_images_costs_nothing_but_time() {
    const TEST: &str = "memory_that_runs_out_under_whole_images_costs_nothing_but_time";
    if is_inside() {
        return present(&full::engine());
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    // Only one fails, so a smaller batch always fits, its weights too.
    let (recovered, failed) = let_allocations_fail(&gpu, TEST, 5, &[]);
    assert_eq!((recovered, failed), (20, 0));
}

#[test]
fn sums_are_the_same_where_memory_runs_out() {
    const TEST: &str = "sums_are_the_same_where_memory_runs_out";
    if is_inside() {
        let device = Arc::new(Device::open(0).expect("a device"));
        let [golden, _] = full::networks();
        return match full::try_to_sum(&CudaEngine::new(device, Precision::Fp32), &golden, 0) {
            Ok(Some(sums)) => tell_bits(sums.iter().map(|sum| format!("{:016x}", sum.to_bits()))),
            Ok(None) => tell_bits(["none".to_owned()].into_iter()),
            Err(error) => tell_error(&error),
        };
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    // Where there is no room for differences the host sums them.
    let (recovered, failed) = let_allocations_fail(&gpu, TEST, 9, &["none"]);
    assert!(recovered >= 5 && failed >= 1, "{recovered} recovered, {failed} failed");
    let allocations = allocations(&gpu, TEST);
    // The last ones are those of the sums.
    let plenty = outcome(&gpu, TEST, &[]);
    for allocation in allocations - 4..=allocations {
        let played = [("EMULATOR_ALLOCATION", &*allocation.to_string())];
        assert_eq!(outcome(&gpu, TEST, &played), plenty, "allocation {allocation}");
    }
}

/// Chunks that copies go through are pinned one by one: without a further one the device is waited for.
#[test]
fn copies_need_one_chunk_of_pinned_memory_and_use_more() {
    const TEST: &str = "copies_need_one_chunk_of_pinned_memory_and_use_more";
    if is_inside() {
        let device = Device::open(0).expect("a device");
        // Four chunks of 3 MiB to the device, and two pieces of 16 MiB back.
        let values: Vec<u32> = (0..5_000_000).collect();
        let there_and_back = || -> Result<bool, CudaError> {
            let mut copy = device.upload(&values[..3_000_000])?;
            let first = device.download(&copy)? == values[..3_000_000];
            copy = device.upload(&values)?;
            Ok(first && device.download(&copy)? == values)
        };
        return match there_and_back() {
            Ok(same) => tell_bits([same.to_string()].into_iter()),
            Err(error) => tell_error(&error),
        };
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    let without = |number: usize| {
        outcome(&gpu, TEST, &[("EMULATOR_PINNED", &*number.to_string()), ("EMULATOR_LAZY", "1")])
    };
    assert_eq!(without(0), "true");
    let none = without(1);
    assert!(none.contains("the host has no 3145728 bytes of memory that can be pinned"), "{none}");
    for chunk in 2..=4 {
        assert_eq!(without(chunk), "true", "chunk {chunk}");
    }
    // The first copy back has 12 MB, which are one piece.
    let none = without(5);
    assert!(none.contains("the host has no 16777216 bytes of memory that can be pinned"), "{none}");
    // More chunks, and the second piece of the second copy back, for which the first makes room.
    for later in 6..=16 {
        assert_eq!(without(later), "true", "allocation {later}");
    }
}

/// How many allocations the test makes on the device.
fn allocations(gpu: &Gpu, test: &str) -> usize {
    let name = full_name(module_path!(), test);
    let output = gpu.run(&[("EMULATOR_ALLOCATION", "-1")], &[&name, "--exact", "--nocapture"]);
    let told = told(&output);
    let count = told.lines().find_map(|line| line.strip_prefix("emulator: allocations: "));
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{told}"))
}
