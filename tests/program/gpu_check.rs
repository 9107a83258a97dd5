//! `scripts/gpu-check` with programs that are played: each part has its time, what is known is written
//! at once, and a part that fails leaves the others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::emulator::say_skipped;

/// The program: maps of bf16 in batches of 5 are other ones, and nothing is measured of fp16.
const OCCLUMAP: &str = r#"#!/bin/sh
command=$1
while [ $# -gt 0 ]; do
    case $1 in --out) out=$2 ;; --json) json=$2 ;; --precision) precision=$2 ;; --batch) batch=$2 ;; esac
    shift
done
case $command in
devices) echo 'cuda:0 a GPU' ;;
sweep)
    mkdir -p "$out/maps"
    [ "$precision$batch" = bf165 ] && echo other >"$out/maps/1.npy" || echo map >"$out/maps/1.npy"
    ;;
bench)
    [ "$precision" = fp16 ] && { echo 'the GPU is busy or lost' >&2; exit 1; }
    kernel='{"microseconds": 2.0}'
    layer='{"layer": "conv2", "rate": 250000.0, "units": 3, "occluders": 4, "kernels": ['$kernel'], "floor": {"share": 0.5}}'
    echo '{"layers": ['$layer'], "seconds": 12.5, "ranking_rate": 20000.0}' >"$json"
    echo 'a table'
    ;;
esac
"#;

/// Tests that never end where they are of goldens, having noted what was known by then.
const TEST_CUDA: &str = r"#!/bin/sh
case $1 in
golden*) cp results.json then.json; sleep 1000 ;;
*) echo 'SKIPPED a_test: no C++ compiler'; echo 'test result: ok. 7 passed; 0 failed' ;;
esac
";

/// Tests of which one fails; variants that are timed.
const TEST_LIB: &str = r"#!/bin/sh
case $* in
*variants_are_timed*) echo 'lab: a variant, 1.07 times as fast' ;;
*) echo 'test result: FAILED. 5 passed; 1 failed'; exit 101 ;;
esac
";

/// Finds something in the first program.
const SANITIZER: &str = r"#!/bin/sh
case $* in
*memcheck*test-lib*) echo '========= ERROR SUMMARY: 2 errors'; exit 86 ;;
*) echo '========= ERROR SUMMARY: 0 errors'; echo 'test result: ok. 1 passed; 0 failed' ;;
esac
";

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder as `scripts/gpu-pack` makes it.
fn packed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/gpu-check");
    program(&at("gpu-check"), &fs::read_to_string(script).unwrap());
    program(&at("occlumap"), OCCLUMAP);
    program(&at("tests/test-cuda"), TEST_CUDA);
    program(&at("tests/test-lib"), TEST_LIB);
    program(&at("bin/compute-sanitizer"), SANITIZER);
    program(&at("bin/nvidia-smi"), "#!/bin/sh\necho 'a GPU, 580.1'\n");
    // Whatever this Python has.
    fs::write(at("bin/torch.py"), "raise ImportError('no torch')").unwrap();
    let names = ["programs.tar.gz", "occlumap", "tests/test-cuda", "tests/test-lib"];
    let packed = Command::new("tar").arg("-czf").args(names).current_dir(folder.path()).status();
    assert!(packed.unwrap().success());
    for name in &names[1..] {
        fs::remove_file(at(name)).unwrap();
    }
    folder
}

fn results(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn parts_of_the_check_of_a_gpu_do_not_stop_each_other() {
    let test = "parts_of_the_check_of_a_gpu_do_not_stop_each_other";
    if Command::new("python3").arg("--version").output().is_err() {
        return say_skipped(test, "no python3");
    }
    let folder = packed();
    let bin = folder.path().join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("python3");
    command.arg(folder.path().join("gpu-check")).args(["--seconds", "30"]);
    command.env("PATH", path).env("PYTHONPATH", &bin).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env_remove("CUDA_HOME").env_remove("CUDA_PATH");
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(!told.contains("Traceback"), "{told}");

    let found = results(&folder.path().join("results.json"));
    let outcomes: Vec<(&str, &str)> = found["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["name"].as_str().unwrap(), step["outcome"].as_str().unwrap()))
        .filter(|(name, _)| {
            !name.starts_with("the same bytes: ") || name.starts_with("the same bytes: bf16")
        })
        .collect();
    let expected = [
        ("devices", "ok"),
        ("goldens of AlexNet", "skipped"),
        ("goldens, against reference and CPU", "out of time"),
        ("tests: lib", "FAILED"),
        ("tests: cuda", "ok"),
        ("a ranking", "ok"),
        ("the same bytes: bf16", "ok"),
        ("the same bytes: bf16", "ok"),
        ("the same bytes: bf16 --batch 1", "ok"),
        ("the same bytes: bf16 --batch 5", "ok"),
        ("the same bytes: bf16 --batch 5", "FAILED"),
        ("bench: incremental, fp32", "ok"),
        ("bench: incremental, tf32", "ok"),
        ("bench: incremental, fp16", "FAILED"),
        ("bench: incremental, bf16", "ok"),
        ("bench: full, fp32", "ok"),
        ("bench: CPU", "ok"),
        ("kernels/lab, timed", "ok"),
        ("PyTorch", "skipped"),
        ("memcheck: lib", "FAILED"),
        ("racecheck: lib", "ok"),
        ("initcheck: lib", "ok"),
        ("memcheck: cuda", "ok"),
        ("racecheck: cuda", "ok"),
        ("initcheck: cuda", "ok"),
    ];
    assert_eq!(outcomes, expected, "{told}");
    // What the last step before the one that never ended had written.
    let then = results(&folder.path().join("then.json"));
    assert_eq!(then["steps"].as_array().unwrap().len(), 2, "{then}");
    let text = fs::read_to_string(folder.path().join("results.txt")).unwrap();
    for line in [
        "a GPU, 580.1",
        "5 passed, 1 failed",
        "skipped: a_test: no C++ compiler",
        "a variant, 1.07 times as fast",
        "2 errors",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let row = |begin: &str| {
        let line =
            text.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{text}"));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(
        row("presentations a second")[1..],
        ["conv2", "all units, seconds", "images ranked a second"]
    );
    assert_eq!(row("incremental, tf32")[1..], ["250,000", "12.5", "20,000"]);
}
