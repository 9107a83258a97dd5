//! The choice of a device, and what `bench` measures on it.

use super::*;

#[test]
fn a_gpu_that_can_be_used_is_used_and_one_that_cannot_is_told_of() {
    let test = "a_gpu_that_can_be_used_is_used_and_one_that_cannot_is_told_of";
    let Some(gpu) = Gpu::emulated(test) else { return };
    let runs = Runs { gpu, folder: tempfile::tempdir().expect("a folder") };
    let sweep = "run --top 1 --layers conv1 --units 0 --every 5";
    let engine = |out: &str| {
        json::<Value>(&runs.path(out).join("manifest.json"))["configuration"]["engine"].clone()
    };
    // Drivers before the kernels' own CUDA; older than the libraries are those before CUDA 13.
    let built = embedded::compiler().expect("kernels");
    let (old, newer) = if built < 13_000 { ("11080", "525") } else { ("12040", "580") };
    let too_old = "computing on the CPU: the NVIDIA driver supports CUDA 1";
    for (out, played, expected, note) in [
        ("gpu", None, "cuda-incremental", ""),
        ("turing", Some(("EMULATOR_CAPABILITY", "75")), "cuda-incremental", ""),
        ("none", Some(("EMULATOR_DEVICES", "0")), "cpu-incremental", ""),
        ("old", Some(("EMULATOR_DRIVER", old)), "cpu-incremental", too_old),
        (
            "busy",
            Some(("EMULATOR_CONTEXT", "46")),
            "cpu-incremental",
            "another process may be using it",
        ),
        (
            "cudnn",
            Some(("EMULATOR_CUDNN", "80900")),
            "cuda-incremental",
            "ranking on the CPU: cuDNN 9 was not found",
        ),
        (
            "cublas",
            Some(("EMULATOR_CUBLAS", "110400")),
            "cuda-incremental",
            "ranking on the CPU: cuBLAS was not found",
        ),
    ] {
        let played: Vec<_> = played.into_iter().collect();
        let (well, text) = runs.run(sweep, out, &played);
        assert!(well && engine(out) == expected, "{out}: {text}");
        assert!(
            text.contains(note) && (note.is_empty() != text.contains("on the CPU: ")),
            "{out}: {text}"
        );
    }
    for (more, played, code, expected) in [
        ("--device cuda", ("EMULATOR_CONTEXT", "46"), 1, "another process may be using it"),
        ("--device cuda", ("EMULATOR_CUDNN", "80900"), 1, "pip install nvidia-cudnn-cu13"),
        ("--device cuda", ("EMULATOR_CUBLAS", "110400"), 1, "pip install nvidia-cublas"),
        ("--device cuda", ("EMULATOR_DRIVER", old), 1, newer),
        ("--device cuda", ("EMULATOR_DRIVER", "12040"), 1, "580 or newer"),
        ("--device cuda", ("EMULATOR_LAUNCH", "719"), 1, "the GPU failed to start "),
        ("--device cuda", ("EMULATOR_DEVICES", "0"), 1, "finds no GPU"),
        (
            "--device cuda:1",
            ("EMULATOR_DEVICES", "1"),
            2,
            "there is no GPU 1; the only one is GPU 0",
        ),
        (
            "--device cuda:0,cuda:1",
            ("EMULATOR_DEVICES", "1"),
            2,
            "there is no GPU 1; the only one is GPU 0",
        ),
        ("--device cuda:1,cuda:1", ("EMULATOR_DEVICES", "2"), 2, "GPU 1 is named twice"),
        ("--device cuda:all", ("EMULATOR_DEVICES", "0"), 1, "finds no GPU"),
        ("--device cuda --precision tf32", ("EMULATOR_CAPABILITY", "75"), 2, NO_TENSOR_CORES),
        ("--precision fp16", ("EMULATOR_CAPABILITY", "75"), 2, NO_TENSOR_CORES),
        ("--precision bf16", ("EMULATOR_CAPABILITY", "75"), 2, NO_TENSOR_CORES),
        ("--precision tf32", ("EMULATOR_DEVICES", "0"), 2, "none can be used; `occlumap devices`"),
        ("--device cuda", ("EMULATOR_MEMORY", "1000"), 1, "or other processes hold it: "),
    ] {
        let (_, text) = runs.run(&format!("{sweep} {more}"), "refused", &[played]);
        assert!(text.contains(&format!("exit status: {code}")), "{more}: {text}");
        assert!(text.contains(expected), "{more}: {text}\nexpected: {expected}");
        assert!(!runs.path("refused").exists(), "{more}: something was written");
    }
}

#[test]
fn bench_tells_what_share_of_the_floor_each_layer_reaches() {
    let test = "bench_tells_what_share_of_the_floor_each_layer_reaches";
    // Its rates are known: 128 bytes of memory twice a cycle, 2 × 128 multiply-adds a cycle, 1 GHz.
    let Some(gpu) = Gpu::emulated(test) else { return };
    let (bytes, operations) = (256e9, 512e9);
    let folder = tempfile::tempdir().expect("a folder");
    let bench = |more: &str, name: &str| -> (Value, String) {
        let file = folder.path().join(name);
        let mut command = occlumap();
        command.args(["bench", "--model", &Golden::tiny().model, "--image-size", "61x53"]);
        command.args("--layers conv2,conv4 --every 9 --time 0.01 --device cuda --quiet".split(' '));
        command.args(more.split_whitespace()).arg("--json").arg(&file);
        let output = gpu.lend(&mut command).output().expect("the program starts");
        assert!(output.status.success(), "{more}: {}", told(&output));
        (json(&file), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (report, text) = bench("", "incremental.json");
    let (_, third) = text.split_once("floor, µs").expect("a third table");
    for layer in ["conv2", "conv4"] {
        let of_layer = |of: &&Value| of["layer"] == layer;
        let found = report["layers"].as_array().expect("layers").iter().find(of_layer);
        let found = found.expect("the layer");
        let number = |value: &Value| value.as_f64().expect("a number");
        let floor = |name: &str| number(&found["floor"][name]);
        // Kernel by kernel the longer of two times: no less than either sum, no more than both.
        let times =
            [floor("bytes") / bytes, floor("operations") / operations].map(|time| 1e6 * time);
        let (least, most) = (times[0].max(times[1]), times[0] + times[1]);
        let microseconds = floor("microseconds");
        assert!(times.iter().all(|&time| time > 0.0), "{layer}: {times:?}");
        assert!((0.999 * least..=1.001 * most).contains(&microseconds), "{layer}: {microseconds}");
        let share = 1e-6 * microseconds * number(&found["rate"]);
        assert!((floor("share") / share - 1.0).abs() < 1e-9 && share < 1.0, "{layer}: {share}");
        let line = third.lines().find(|line| line.trim_start().starts_with(layer));
        let cells: Vec<&str> = line.expect("a line of the layer").split_whitespace().collect();
        let expected = [
            format!("{:.3}", 1e-6 * floor("operations")),
            format!("{:.1}", 1e-3 * floor("bytes")),
            format!("{microseconds:.4}"),
            format!("{:.1}", 100.0 * floor("share")),
            "%".into(),
        ];
        assert_eq!(cells[1..], expected, "{layer}");
    }
    // What whole images take at the least was not counted.
    let (report, text) = bench("--method full", "full.json");
    assert!(report["layers"][0]["floor"].is_null() && !text.contains("floor"), "{text}");
}
