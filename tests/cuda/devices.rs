//! `occlumap devices`: what is there, and every failure with what to do about it.

use std::fs;
use std::path::Path;

use occlumap::engine::cuda::embedded;
use occlumap::engine::cuda::version;

use crate::common::emulator::{CUDA_12, Gpu, say_skipped, told};
use crate::common::{Golden, occlumap};

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
    for expected in [
        "built with CUDA",
        "libcuda.so.1, for CUDA 13.0",
        "cuda:0",
        "libcublas.so.13, 13.0.0 of CUDA 13, for driver 580 or newer",
        "libcudnn.so.9, 9.10.0 of CUDA 13, for driver 580 or newer",
    ] {
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
    let built = embedded::compiler().unwrap();
    let (old, newer) = if built < 13_000 { ("11080", "525") } else { ("12040", "580") };
    for (name, value, expected) in [
        ("EMULATOR_DRIVER", old, format!("supports CUDA {}", version(old.parse().unwrap()))),
        ("EMULATOR_DRIVER", old, format!("({newer} or newer); update the driver")),
    ] {
        fails(&gpu, name, value, &expected);
    }
    for (name, value, expected) in [
        ("EMULATOR_DEVICES", "0", "finds no GPU"),
        ("EMULATOR_CONTEXT", "46", "another process may be using it"),
        ("EMULATOR_CONTEXT", "2", "another process may be using it"),
        ("EMULATOR_CONTEXT", "101", "cannot be used"),
        ("EMULATOR_INIT", "999", "often the modules of the driver are not loaded"),
        ("EMULATOR_INIT", "803", "the driver was updated while it was loaded; restart"),
        ("EMULATOR_INIT", "802", "nvidia-fabricmanager"),
        ("EMULATOR_INIT", "34", "the CUDA toolkit's stub"),
        ("EMULATOR_MODULE", "209", "compute capability 9.0) cannot run the kernels"),
        ("EMULATOR_CUBLAS", "110400", "is of version 11.4; 12 or 13 is needed"),
        ("EMULATOR_CUBLAS", "110400", "pip install nvidia-cublas"),
        ("EMULATOR_CUDNN", "8900", "is of version 8; 9 is needed"),
        ("EMULATOR_CUDNN", "8900", "pip install nvidia-cudnn-cu13"),
        // Those of CUDA 13 are all that the loader knows.
        ("EMULATOR_DRIVER", "12090", "is of CUDA 13, which needs driver 580 or newer"),
        ("EMULATOR_DRIVER", "12090", "libcublas.so.13: is of CUDA 13, which needs driver 580"),
        ("EMULATOR_DRIVER", "12090", "pip install nvidia-cublas-cu12"),
        ("EMULATOR_DRIVER", "12090", "pip install nvidia-cudnn-cu12"),
    ] {
        fails(&gpu, name, value, expected);
    }
}

/// The command fails, and tells this.
fn fails(gpu: &Gpu, name: &str, value: &str, expected: &str) {
    let (well, text) = devices(gpu, &[(name, value)]);
    assert!(!well && text.contains("exit status: 1"), "{name}={value}: {text}");
    assert!(text.contains(expected), "{name}={value}: {text}\nexpected: {expected}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn devices_that_are_hidden_are_told_with_what_hides_them() {
    let Some(gpu) = Gpu::emulated("devices_that_are_hidden_are_told_with_what_hides_them") else {
        return;
    };
    let (well, text) = devices(&gpu, &[("EMULATOR_DEVICES", "0"), ("CUDA_VISIBLE_DEVICES", "7")]);
    let expected =
        "the NVIDIA driver finds no GPU (CUDA_VISIBLE_DEVICES is `7`); check `nvidia-smi`";
    assert!(!well && text.contains(expected), "{text}");
}

/// A machine with a driver and nothing else.
#[test]
#[cfg(unix)]
fn libraries_that_are_not_there_are_told_with_every_place_and_a_command() {
    let test = "libraries_that_are_not_there_are_told_with_every_place_and_a_command";
    let Some(Gpu::Emulated(emulator)) = Gpu::emulated(test) else { return };
    // The loader and the program look there too, and no variable turns that off.
    let system = [
        "/usr/local/cuda/lib64",
        "/usr/local/nvidia/lib64",
        "/usr/lib/wsl/lib",
        "/usr/lib/x86_64-linux-gnu",
    ];
    let there = |name: &&str| system.iter().any(|folder| Path::new(folder).join(name).exists());
    if let Some(name) =
        ["libcublas.so", "libcublas.so.13", "libcudnn.so", "libcudnn.so.9"].into_iter().find(there)
    {
        return say_skipped(test, &format!("the system has {name}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let (driver, empty) = (folder.path().join("driver"), folder.path().join("empty"));
    for folder in [&driver, &empty] {
        fs::create_dir(folder).unwrap();
    }
    let library = "libcuda.so.1";
    std::os::unix::fs::symlink(emulator.join(library), driver.join(library)).unwrap();
    let mut command = occlumap();
    command.arg("devices").env("LD_LIBRARY_PATH", &driver).env("OCCLUMAP_CUDA_LIBRARIES", &empty);
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH"] {
        command.env_remove(variable);
    }
    let text = told(&command.output().unwrap());
    assert!(text.contains("exit status: 1") && text.contains("cuda:0"), "{text}");
    for expected in [
        "cuBLAS was not found, or is not usable: tried libcublas.so (system's loader): not known",
        "cuDNN 9 was not found, or is not usable: tried libcudnn.so (system's loader): not known",
        "/empty/libcublas.so.13 (OCCLUMAP_CUDA_LIBRARIES): not there",
        "/empty/libcudnn.so.9 (OCCLUMAP_CUDA_LIBRARIES): not there",
        "`pip install nvidia-cublas` in the active environment",
        "`pip install nvidia-cudnn-cu13` in the active environment",
    ] {
        assert!(text.contains(expected), "{text}\nexpected: {expected}");
    }
}

/// Of libraries of two generations those are taken that the driver runs, both of the same.
#[test]
#[cfg(unix)]
fn libraries_of_a_generation_that_the_driver_runs_are_taken() {
    let test = "libraries_of_a_generation_that_the_driver_runs_are_taken";
    let Some(gpu) = Gpu::emulated(test) else { return };
    let Gpu::Emulated(emulator) = &gpu else { return };
    if embedded::compiler().unwrap() >= 13_000 {
        return say_skipped(test, "kernels of CUDA 13 run on no driver of CUDA 12");
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let link = |from: &str, to: &str| {
        fs::create_dir_all(at(to).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(emulator.join(from), at(to)).unwrap();
    };
    link("libcuda.so.1", "driver/libcuda.so.1");
    link("libcublas.so.13", "13/libcublas.so.13");
    link("libcudnn.so.9", "13/libcudnn.so.9");
    link("libcublas.so.13", "half/libcublas.so.13");
    link(&format!("{CUDA_12}/libcublas.so.12"), "12/libcublas.so.12");
    link(&format!("{CUDA_12}/libcudnn.so.9"), "12/libcudnn.so.9");
    for (driver, folders, taken) in [
        ("13000", "12:13", "13"),
        ("13000", "12", "12"),
        ("12000", "12", "12"),
        ("12090", "13:12", "12"),
        // Of CUDA 13 there is no cuDNN.
        ("13000", "half:12", "12"),
    ] {
        let folders: Vec<_> = folders.split(':').map(at).collect();
        let mut command = occlumap();
        gpu.lend(command.arg("devices"))
            .env("LD_LIBRARY_PATH", at("driver"))
            .env("OCCLUMAP_CUDA_LIBRARIES", std::env::join_paths(&folders).unwrap())
            .env("EMULATOR_DRIVER", driver);
        let text = told(&command.output().unwrap());
        assert!(text.contains("exit status: 0"), "{driver} {folders:?}: {text}");
        for (library, number) in [("cublas", taken), ("cudnn", "9")] {
            let expected = format!("{taken}/lib{library}.so.{number}, ");
            assert!(text.contains(&expected), "{driver} {folders:?}: {text}\n{expected}");
        }
        assert_eq!(text.matches(&format!("of CUDA {taken}, for driver")).count(), 2, "{text}");
    }
}

#[test]
fn what_no_kernel_computes_goes_to_the_cpu_unless_a_gpu_is_asked_for() {
    let test = "what_no_kernel_computes_goes_to_the_cpu_unless_a_gpu_is_asked_for";
    let Some(gpu) = Gpu::emulated(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.json");
    let json = r#"{"name": "small", "layers": [
        {"name": "a", "op": "conv", "out_channels": 2, "kernel": 3},
        {"name": "mean", "op": "global_avg_pool"},
        {"name": "s", "op": "sigmoid"},
        {"name": "g", "op": "gate", "join": "mul", "inputs": ["a", "s"]},
        {"op": "conv", "out_channels": 2, "kernel": 1}
    ]}"#;
    fs::write(&model, json).unwrap();
    let bench = |device: &str| {
        let mut command = occlumap();
        command.args(["bench", "--time", "0.01", "--image-size", "20", "--device", device]);
        let output = gpu.lend(command.arg("--model").arg(&model)).output().unwrap();
        told(&output)
    };
    let auto = bench("auto");
    let expected = "computing on the CPU: no GPU kernel computes layer `mean`";
    assert!(auto.contains("exit status: 0") && auto.contains(expected), "{auto}");
    let cuda = bench("cuda");
    assert!(cuda.contains("exit status: 2") && cuda.contains("use --device cpu"), "{cuda}");
}

#[test]
fn fills_other_than_noise_go_to_the_cpu_unless_a_gpu_is_asked_for() {
    let test = "fills_other_than_noise_go_to_the_cpu_unless_a_gpu_is_asked_for";
    let Some(gpu) = Gpu::emulated(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let map = |arguments: &str| {
        let mut command = occlumap();
        command.arg("map").args(Golden::tiny().arguments().split_whitespace());
        command.args(["--layer", "conv2", "--unit", "1", "--image", "0", "--position", "4,4"]);
        command.args(arguments.split_whitespace()).args(["--force", "--out"]);
        told(&gpu.lend(command.arg(folder.path().join("map.npy"))).output().unwrap())
    };
    for fill in ["gaussian", "zero", "blur", "images"] {
        let auto = map(&format!("--fill {fill}"));
        let problem = format!("no kernel fills occluders as --fill {fill} does");
        let expected = format!("note: presenting on the CPU: {problem}");
        assert!(auto.contains("exit status: 0") && auto.contains(&expected), "{auto}");
        for method in ["incremental", "full"] {
            let cuda = map(&format!("--fill {fill} --device cuda --method {method}"));
            let expected = format!("{problem}; use --device cpu");
            assert!(cuda.contains("exit status: 2") && cuda.contains(&expected), "{cuda}");
        }
        let tf32 = map(&format!("--fill {fill} --precision tf32"));
        assert!(tf32.contains("exit status: 2"), "{tf32}");
    }
    assert!(map("--fill noise --device cuda").contains("exit status: 0"));
    // Ranking has no occluders.
    let out = folder.path().join("out");
    let mut run = occlumap();
    run.arg("run").args(Golden::tiny().arguments().split_whitespace());
    run.args(["--layers", "conv2", "--top", "2", "--every", "4", "--fill", "zero", "--out"]);
    let run = told(&gpu.lend(run.arg(&out)).output().unwrap());
    assert!(run.contains("exit status: 0"), "{run}");
    let engine = |path: &str| {
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join(path)).unwrap()).unwrap();
        manifest["configuration"].clone()
    };
    let (ranking, maps) = (engine("ranking/ranking.json"), engine("manifest.json"));
    assert_eq!(ranking["layers"][0]["engine"], "cuda-full", "{ranking}");
    assert_eq!(maps["engine"], "cpu-incremental", "{maps}");
}

#[test]
fn a_machine_without_a_driver_is_told_every_path_that_was_tried() {
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
