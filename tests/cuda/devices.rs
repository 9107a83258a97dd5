//! `occlumap devices`: what is there, and every failure with what to do about it.

use crate::common::emulator::{Gpu, told};
use crate::common::occlumap;

/// What the command tells where the emulator plays this; whether it ended well.
fn devices(gpu: &Gpu, played: &[(&str, &str)]) -> (bool, String) {
    let mut command = occlumap();
    command.arg("devices").envs(played.iter().copied());
    let output = gpu.lend(&mut command).output().expect("the program starts");
    (output.status.success(), told(&output))
}

#[test]
fn a_gpu_that_can_be_used_is_shown() {
    let Some(gpu) = Gpu::emulated("a_gpu_that_can_be_used_is_shown") else { return };
    let (well, text) = devices(&gpu, &[]);
    assert!(well, "{text}");
    for expected in ["built with CUDA", "libcuda.so.1, for CUDA 13.0", "cuda:0", "9.10.0"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn memory_that_the_driver_keeps_for_us_is_free() {
    let Some(gpu) = Gpu::emulated("memory_that_the_driver_keeps_for_us_is_free") else { return };
    let [none, some] = ["0", "3000000000"].map(|kept| devices(&gpu, &[("EMULATOR_KEPT", kept)]));
    assert!(none.1.contains(" free"), "{}", none.1);
    assert_eq!(none, some);
}

#[test]
fn every_failure_says_what_to_do() {
    let Some(gpu) = Gpu::emulated("every_failure_says_what_to_do") else { return };
    for (name, value, expected) in [
        ("EMULATOR_DRIVER", "12040", "supports CUDA 12.4"),
        ("EMULATOR_DRIVER", "12040", "580 or newer"),
        ("EMULATOR_DEVICES", "0", "finds no GPU"),
        ("EMULATOR_CONTEXT", "46", "another process may be using it"),
        ("EMULATOR_CONTEXT", "2", "another process may be using it"),
        ("EMULATOR_MODULE", "209", "compute capability 9.0) cannot run the kernels"),
        ("EMULATOR_CUBLAS", "110400", "is of version 11.4; 12 or 13 is needed"),
        ("EMULATOR_CUBLAS", "110400", "pip install nvidia-cublas"),
        ("EMULATOR_CUDNN", "8900", "is of version 8; 9 is needed"),
        ("EMULATOR_CUDNN", "8900", "pip install nvidia-cudnn-cu13"),
    ] {
        let (well, text) = devices(&gpu, &[(name, value)]);
        assert!(!well && text.contains("exit status: 1"), "{name}={value}: {text}");
        assert!(text.contains(expected), "{name}={value}: {text}\nexpected: {expected}");
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn a_machine_without_a_driver_is_told_every_place_that_was_tried() {
    if Gpu::is_real() {
        return;
    }
    let (well, text) = devices(&Gpu::Real, &[("OCCLUMAP_CUDA_LIBRARIES", "/nowhere")]);
    assert!(!well && text.contains("exit status: 1"), "{text}");
    for expected in ["no NVIDIA driver was found", "/nowhere/libcuda.so", "system's loader"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}
