//! Reduced precision on the CPU: verified, in shards, and kept apart from others.

use occlumap::engine::cpu::Precision;
use serde_json::Value;

use crate::workplace::{INPUTS, Workplace};

#[test]
fn a_run_in_bf16x3_or_bf16_is_verified_in_shards_the_same_and_kept_apart() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --every 5 --device cpu --quiet");
    workplace.succeeds(&format!("{run} --out fp32"));
    let maps = |out: &str| {
        ["conv2", "conv3", "conv4"]
            .map(|layer| workplace.read(&format!("{out}/maps/{layer}_max.npy")))
    };
    for (name, precision) in [("bf16x3", Precision::Bf16x3), ("bf16", Precision::Bf16)] {
        let run = format!("{run} --precision {name}");
        workplace.succeeds(&format!("{run} --verify 60 --out {name}"));
        let manifest: Value =
            serde_json::from_slice(&workplace.read(&format!("{name}/manifest.json"))).unwrap();
        assert_eq!(manifest["configuration"]["engine"], format!("cpu-incremental-{name}"));
        for (convolutions, layer) in ["conv1", "conv2", "conv3", "conv4"].into_iter().enumerate() {
            let verified = &manifest["layers"][layer]["verified"];
            assert_eq!(verified["passed"], true, "{name} {layer}: {verified}");
            let tolerance = precision.limits(convolutions).largest;
            assert_eq!(verified["tolerance"].as_f64(), Some(tolerance), "{name} {layer}");
        }
        // The ranking is that of 32 bits.
        for layer in ["conv2", "conv4"] {
            let ranking = |out: &str| workplace.read(&format!("{out}/ranking/{layer}.npy"));
            assert_eq!(ranking(name), ranking("fp32"), "{name} {layer}");
        }
        assert_ne!(maps(name), maps("fp32"), "{name}");
        for shard in ["1/2", "2/2"] {
            workplace.succeeds(&format!(
                "{run} --threads 1 --batch 3 --block 2 --shard {shard} --out {name}-shards"
            ));
        }
        workplace.succeeds(&format!("{run} --threads 1 --batch 3 --block 2 --out {name}-shards"));
        assert_eq!(maps(&format!("{name}-shards")), maps(name), "{name}");
        let engines = format!("cpu-incremental there; cpu-incremental-{name} here");
        workplace.refuses(&format!("{run} --out fp32"), 2, &["--precision", &engines]);
    }
}

#[test]
fn plan_and_bench_know_reduced_precision() {
    let workplace = Workplace::new();
    let says = |line: &str| {
        let output = workplace.run(line);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let plan =
        says(&format!("plan {INPUTS} --top 2 --device cpu --precision bf16 --out out --quiet"));
    assert!(plan.contains("conv4"), "{plan}");
    let bench = "bench --model model.json --image-size 61x53 --time 0.01 --device cpu --quiet";
    for (options, engine) in [("fp32", "cpu-incremental"), ("bf16x3", "cpu-incremental-bf16x3")] {
        let bench = says(&format!("{bench} --precision {options}"));
        let (_, instructions) = bench.split_once(&format!("{engine} on cpu by ")).expect(&bench);
        let known = ["AMX-BF16", "AVX512-BF16", "AVX-512", "AVX2", "portable vectors"];
        assert!(known.iter().any(|known| instructions.starts_with(known)), "{bench}");
    }
}
