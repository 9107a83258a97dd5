//! Libraries that are missing or fail, and kernels that go wrong: an error that says so, and no
//! panic.

use std::sync::Arc;

use occlumap::engine::Engine;
use occlumap::engine::cuda::{CudaEngine, Precision};

use crate::common::emulator::{Gpu, full_name, is_inside, told};
use crate::full;

#[test]
#[allow(clippy::print_stdout, reason = "the test reads it")]
fn what_fails_says_so() {
    const TEST: &str = "what_fails_says_so";
    if is_inside() {
        let [golden, _] = full::networks();
        let full = full::engine();
        let incremental = CudaEngine::new(Arc::clone(&full.device), Precision::Fp32);
        for engine in [&full as &dyn Engine, &incremental] {
            if let Err(error) = full::try_to_present(engine, &golden, 0, 7) {
                println!("\n{}: {error}", engine.name());
            }
        }
        return;
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    for (name, value, expected) in [
        ("EMULATOR_CUBLAS", "110400", "cuBLAS was not found, or is not usable"),
        ("EMULATOR_CUBLAS", "110400", "is of version 11.4; 12 or 13 is needed"),
        ("EMULATOR_CUBLAS_CREATE", "1", "cuBLAS failed to start: CUBLAS_STATUS_NOT_INITIALIZED"),
        ("EMULATOR_CUDNN", "8900", "cuDNN 9 was not found, or is not usable"),
        ("EMULATOR_CUDNN_CREATE", "1001", "cuDNN failed to start: CUDNN_STATUS_NOT_INITIALIZED"),
        ("EMULATOR_PINNED", "1", "the host has no 3145728 bytes of memory that can be pinned"),
        ("EMULATOR_LAUNCH", "719", "cuda-full: the GPU failed to start image_occlude"),
        ("EMULATOR_LAUNCH", "719", "cuda-incremental: the GPU failed to start"),
        ("EMULATOR_LAUNCH", "719", "a kernel went wrong; please report this"),
        // What a kernel does wrong is told later.
        ("EMULATOR_FAULT", "700", "STATUS_EXECUTION_FAILED: a kernel went wrong"),
        ("EMULATOR_FAULT", "700", "cuda-incremental: the GPU failed to"),
        ("EMULATOR_FAULT", "716", "a kernel went wrong; please report this"),
        ("EMULATOR_FAULT", "702", "on a GPU with a display"),
        ("EMULATOR_FAULT", "46", "the GPU is busy or lost"),
        ("EMULATOR_FAULT", "214", "the GPU's memory is damaged"),
        ("EMULATOR_FAULT", "220", "the GPU's hardware failed"),
    ] {
        let name_of_test = full_name(module_path!(), TEST);
        let output = gpu.run(&[(name, value)], &[&name_of_test, "--exact", "--nocapture"]);
        let text = told(&output);
        assert!(output.status.success() && !text.contains("panicked"), "{name}={value}: {text}");
        assert!(text.contains(expected), "{name}={value}: {text}\nexpected: {expected}");
    }
}

#[test]
fn where_cudnn_lacks_the_first_algorithm_the_second_is_used() {
    const TEST: &str = "where_cudnn_lacks_the_first_algorithm_the_second_is_used";
    if is_inside() {
        let [golden, _] = full::networks();
        return full::differences_agree(&golden, 2);
    }
    let Some(gpu) = Gpu::emulated(TEST) else { return };
    let name = full_name(module_path!(), TEST);
    let output = gpu.run(&[("EMULATOR_CUDNN_PRECOMPUTED", "0")], &[&name, "--exact"]);
    assert!(output.status.success(), "{}", told(&output));
}
