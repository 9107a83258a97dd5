//! The scripts that `occlumap slurm` writes, run by bash with stand-ins for Slurm's commands; a
//! real Slurm runs them in `tests/slurm`.

mod tasks;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::workplace::{INPUTS, Workplace, same_trees, tree};

const SLURM: &str = "slurm --model model.json --weights tiny.npz --images images --top 2";

/// Puts a command into the folder `bin`, which stands first in the path of what [`bash`] runs.
fn stand_in(workplace: &Workplace, name: &str, script: &str) {
    std::fs::create_dir_all(workplace.path("bin")).unwrap();
    workplace.write(&format!("bin/{name}"), format!("#!/bin/bash\n{script}\n"));
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(workplace.path("bin").join(name), executable).unwrap();
}

fn with_stand_ins(workplace: &Workplace, command: &mut Command) {
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", workplace.path("bin").display()));
}

/// A script in the workplace, as task 3 of the array 70.
fn bash(workplace: &Workplace, script: &str) -> Command {
    let mut command = Command::new("bash");
    with_stand_ins(workplace, &mut command);
    for (name, value) in [("JOB_ID", "77"), ("ARRAY_JOB_ID", "70"), ("ARRAY_TASK_ID", "3")] {
        command.env(format!("SLURM_{name}"), value);
    }
    command.current_dir(workplace.path("")).arg(script);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn words(output: &Output) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    (out.into_owned(), err.into_owned())
}

fn lines(workplace: &Workplace, name: &str) -> Vec<String> {
    let bytes = std::fs::read(workplace.path(name)).unwrap_or_default();
    String::from_utf8(bytes).unwrap().lines().map(Into::into).collect()
}

#[test]
fn names_reach_the_program_as_they_were_given() {
    let workplace = Workplace::new();
    let (images, out) = ("my \"photos\" $(touch x) `y` #1", "it's 100% \"out\"");
    std::fs::rename(workplace.path("images"), workplace.path(images)).unwrap();
    stand_in(&workplace, "program", "printf '%s\\n' \"$@\"");
    let mut command = workplace.command("slurm --model model.json --weights tiny.npz --top 2");
    command.args(["--images", images, "--out", out, "--program", "program", "--quiet"]);
    command.args(["--layers", "conv2,conv4", "--mean=-1,0,0.5", "--std", "1,1,1"]);
    command.args(["--setup", "echo 'first'", "--setup", "cd .; echo second"]);
    command.args(["--sbatch=--mail-type=FAIL", "--partition", "a partition"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let scripts = format!("{out}-slurm");
    let task = |part: &str| {
        let output = bash(&workplace, &format!("{scripts}/{part}.sbatch")).output().unwrap();
        let (out, err) = words(&output);
        assert!(output.status.success(), "{err}");
        out.lines().map(String::from).collect::<Vec<_>>()
    };
    let given = [
        "--model",
        "model.json",
        "--weights",
        "tiny.npz",
        "--images",
        images,
        "--layers",
        "conv2,conv4",
        "--top",
        "2",
        "--mean=-1,0,0.5",
        "--std",
        "1,1,1",
        "--out",
        out,
        "--quiet",
        "--threads",
        "4",
        "--shard",
        "slurm",
    ];
    let mut expected: Vec<&str> = [&["first", "second", "run"], &given[..]].concat();
    expected.sort_unstable();
    let mut found = task("sweep");
    assert_eq!(found[..3], ["first", "second", "run"]);
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(task("rank")[2..6], ["run", "--rank-only", "--shard", "slurm"]);
    assert_eq!(task("merge"), ["first", "second", "merge", out]);
    assert!(!workplace.path("x").exists());
    let sweep = String::from_utf8(workplace.read(&format!("{scripts}/sweep.sbatch"))).unwrap();
    for directive in [
        "--array=0-15",
        "--partition=\"a partition\"",
        "--mail-type=FAIL",
        "--output=\"it's 100%% \\\"out\\\"-slurm/logs/sweep-%A_%a.log\"",
        "--mem=2560M",
        "--requeue",
        "--signal=B:USR1@120",
    ] {
        assert!(sweep.contains(&format!("\n#SBATCH {directive}\n")), "no {directive} in {sweep}");
    }
    // Four images are one block of a ranking.
    let rank = String::from_utf8(workplace.read(&format!("{scripts}/rank.sbatch"))).unwrap();
    assert!(rank.contains("\n#SBATCH --array=0-0\n"), "{rank}");
}

#[test]
fn the_scripts_do_what_a_run_does() {
    let workplace = Workplace::new();
    let run = format!("{INPUTS} --top 2 --layers conv4 --every 3 --block 2");
    workplace.succeeds(&format!("run {run} --out whole --quiet"));
    workplace.succeeds(&format!("slurm {run} --out out --array 0-1"));
    for (part, task) in [("rank", 0), ("sweep", 0), ("sweep", 1), ("merge", 0)] {
        let mut command = bash(&workplace, &format!("out-slurm/{part}.sbatch"));
        if part != "merge" {
            let last = if part == "rank" { "0" } else { "1" };
            command.env("SLURM_ARRAY_TASK_ID", format!("{task}"));
            command.env("SLURM_ARRAY_TASK_MIN", "0").env("SLURM_ARRAY_TASK_MAX", last);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{part}: {}", words(&output).1);
    }
    for folder in ["maps", "ranking"] {
        let [out, whole] = ["out", "whole"].map(|out| tree(&workplace.path(out).join(folder)));
        same_trees(&out, &whole, folder);
    }
    assert!(!workplace.path("out/blocks").exists());
}

#[test]
fn mistakes_show_before_anything_is_written() {
    let workplace = Workplace::new();
    for (options, code, word) in [
        ("--layers conv9", 2, "conv9"),
        ("--units 0-99", 2, "has no unit"),
        ("--occluder-size 999", 2, "larger"),
        ("--memory 1KiB", 2, "--memory 1"),
        ("--array 16", 2, "for 16 tasks, give 0-15"),
        ("--time 1", 2, "too short"),
        ("--gpus a100", 2, "a100:4"),
        ("--gpus 1 --device cpu", 2, "idle"),
        ("--gpus 2 --device cuda:1", 2, "without a number"),
        ("--gpus 2 --device cuda:all", 2, "without a number"),
        ("--device cuda", 2, "no GPU without --gpus"),
        ("--precision bf16 --method full --gpus 1", 2, "go with --method incremental"),
        ("--shard 1/2", 2, "find their own shards"),
        ("--shard slurm", 2, "find their own shards"),
        ("--scripts out/slurm", 2, "in the folder for the results"),
        ("--logs out", 2, "in the folder for the results"),
        ("--scripts tiny.npz/s", 2, "tiny.npz: is a file"),
        ("--scripts a\\b", 2, "backslash"),
    ] {
        workplace.refuses(&format!("{SLURM} --out out {options}"), code, &[word]);
    }
    workplace.refuses(&format!("{SLURM} --out ."), 2, &["give --scripts"]);
    let line = SLURM.replace("tiny.npz", "other.npz");
    workplace.refuses(&format!("{line} --out out"), 1, &["other.npz"]);
    let line = SLURM.replace("--images images", "--images photos");
    workplace.refuses(&format!("{line} --out out"), 1, &["photos"]);
    // Results of another job.
    workplace.succeeds(&format!("rank {INPUTS} --top 3 --out out --quiet"));
    workplace.refuses(
        &format!("{SLURM} --out out"),
        2,
        &[
            "images a unit (--top): 3 there; 2 here",
            "--out; `run`, `rank` and `sweep` with --force start anew",
        ],
    );
    workplace.refuses(
        &format!("{SLURM} --out images"),
        2,
        &["is not empty", "choose another --out, or replace files of the same names with --force"],
    );
    // Scripts that are there.
    workplace.succeeds(&format!("{SLURM} --out new"));
    workplace.refuses(
        &format!("{SLURM} --out new"),
        2,
        &["new-slurm/rank.sbatch: exists", "--force"],
    );
    workplace.succeeds(&format!("{SLURM} --out new --array 0-7 --force"));
    let sweep = String::from_utf8(workplace.read("new-slurm/sweep.sbatch")).unwrap();
    assert!(sweep.contains("--array=0-7\n") && !sweep.contains("--force"), "{sweep}");
}

/// What a `run` would say to it, before it is a task of the cluster that says so.
#[test]
fn another_sweep_in_the_folder_shows_before_anything_is_written() {
    let workplace = Workplace::new();
    let sweep = "--layers conv4 --every 3 --block 2";
    let run = format!("run {INPUTS} --top 2 {sweep} --device cpu --out out --quiet");
    let slurm = format!("{SLURM} {sweep} --out out --quiet --force");
    let says = |line: &str| words(&workplace.run(line)).1;
    let as_run_says = |options: &str, word: &str| {
        workplace.refuses(&format!("{slurm} {options}"), 2, &["out", word, "choose another --out"]);
        assert_eq!(says(&format!("{slurm} {options}")), says(&format!("{run} {options}")));
    };
    let refuse_all = || {
        as_run_says("--seed 5", "the noise (--seed): philox:0 there; philox:5 here");
        as_run_says(
            "--method direct",
            "the engine (--method, --precision, --device): cpu-incremental there; cpu-direct here",
        );
        // Those of the tasks, too.
        let cuda = "cpu-incremental there; cuda-incremental-tf32 here";
        for options in ["--gpus 1 --precision tf32", "--sbatch=--gpus=1 --precision tf32"] {
            workplace.refuses(&format!("{slurm} {options}"), 2, &[cuda]);
        }
    };
    // What another process has left half done.
    workplace.succeeds(&format!("{run} --shard 1/2"));
    assert!(workplace.path("out/blocks/maps").exists());
    refuse_all();
    for line in [&slurm, &run] {
        let word = "the layers (--layers), [conv4].swept: null there; [0,1,2,3] here";
        workplace.refuses(&format!("{line} --units 0-3"), 2, &[word]);
    }
    for options in ["", "--gpus 1", "--device cpu"] {
        workplace.succeeds(&format!("{slurm} {options}"));
    }
    // Without its ranking, which tasks would make.
    let moved =
        |from: &str, to: &str| std::fs::rename(workplace.path(from), workplace.path(to)).unwrap();
    moved("out/ranking", "kept");
    let refused = "the noise (--seed): philox:0 there; philox:5 here";
    workplace.refuses(&format!("{slurm} --seed 5"), 2, &[refused]);
    workplace.succeeds(&slurm);
    moved("kept", "out/ranking");
    // Finished.
    workplace.succeeds(&run);
    assert!(!workplace.path("out/blocks").exists());
    refuse_all();
    workplace.succeeds(&slurm);
    moved("out/ranking", "kept");
    workplace.refuses(&slurm, 2, &["out/manifest.json: lists maps", "a ranking that is not in"]);
    // A ranking alone is no matter of the maps.
    moved("kept", "out/ranking");
    workplace.succeeds(&format!("{slurm} --seed 5 --rank-only"));
}

/// A GPU holds the weights itself: its tasks need less of the machine's memory.
#[test]
fn memory_is_that_of_the_device_of_the_tasks() {
    let workplace = Workplace::new();
    let slurm = format!("{SLURM} --out out --threads 1 --force --quiet");
    let kib = |kib: u32, options: &str| format!("{slurm} --memory {kib}KiB {options}");
    let (mut few, mut enough) = (1 << 10, 1 << 20);
    while few + 1 < enough {
        let middle = u32::midpoint(few, enough);
        if workplace.run(&kib(middle, "--device cpu")).status.success() {
            enough = middle;
        } else {
            few = middle;
        }
    }
    workplace.refuses(&kib(few, "--device cpu"), 2, &["--memory", "needs at least"]);
    workplace.refuses(&kib(few, ""), 2, &["--memory", "needs at least"]);
    for options in ["--gpus 1 --device cuda", "--gpus 1", "--gpus 1 --precision bf16"] {
        workplace.succeeds(&kib(few, options));
    }
    workplace.refuses(&kib(1 << 10, "--gpus 1 --device cuda"), 2, &["--memory", "needs at least"]);
}

#[test]
fn parts_are_submitted_one_after_the_other_or_not_at_all() {
    let workplace = Workplace::new();
    let counter = "echo \"sbatch $*\" >>calls; wc -l <calls";
    stand_in(&workplace, "scancel", "echo \"scancel $*\" >>calls");
    stand_in(&workplace, "sbatch", counter);
    let submit = |line: &str| {
        let mut command = workplace.command(line);
        with_stand_ins(&workplace, &mut command);
        command.output().unwrap()
    };
    let output = submit(&format!("{SLURM} --out out --submit"));
    let (out, err) = words(&output);
    assert!(output.status.success(), "{err}");
    assert_eq!(out, "rank: job 2\nsweep: job 3\nmerge: job 4\n");
    assert_eq!(
        lines(&workplace, "calls"),
        [
            "sbatch --version",
            "sbatch --parsable out-slurm/rank.sbatch",
            "sbatch --parsable --dependency=afterany:2 out-slurm/sweep.sbatch",
            "sbatch --parsable --dependency=afterany:3 out-slurm/merge.sbatch",
        ]
    );
    workplace.remove("calls");
    stand_in(
        &workplace,
        "sbatch",
        "[[ $* != *merge* ]] || exit 1\necho \"sbatch $*\" >>calls; echo '7;x'",
    );
    let output = bash(&workplace, "out-slurm/submit.sh").arg("--hold").output().unwrap();
    assert!(!output.status.success());
    let calls = lines(&workplace, "calls");
    assert!(calls[1].contains("--dependency=afterany:7 --hold"), "{calls:?}");
    assert_eq!(calls[2], "scancel 7 7");
    let output =
        bash(&workplace, "../out-slurm/submit.sh").current_dir(workplace.path("bin")).output();
    let output = output.unwrap();
    assert!(words(&output).1.contains("no images here; submit in the folder"), "{output:?}");
    // Without Slurm nothing is written.
    let mut command = workplace.command(&format!("{SLURM} --out other --submit"));
    let output = command.env("PATH", workplace.path("images")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).1.contains("sbatch cannot be started"), "{output:?}");
    assert!(!workplace.path("other-slurm").exists());
}

/// Where scripts are written there is no GPU, as a rule.
#[test]
fn gpus_of_the_tasks_are_not_looked_for_here() {
    let workplace = Workplace::new();
    let options = "--gpus 1 --device cuda --precision bf16";
    let mut command = workplace.command(&format!("{SLURM} --out out {options}"));
    let output = command.env("CUDA_VISIBLE_DEVICES", "").output().unwrap();
    assert!(output.status.success(), "{}", words(&output).1);
    let sweep = String::from_utf8(workplace.read("out-slurm/sweep.sbatch")).unwrap();
    assert!(sweep.contains("    --device cuda\n") && sweep.contains("    --precision bf16\n"));
}

#[test]
fn a_ranking_alone_has_no_sweep() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{SLURM} --out out --rank-only"));
    let folder = tree(&workplace.path("out-slurm"));
    let names: Vec<PathBuf> = folder.into_keys().collect();
    assert_eq!(names, ["logs", "merge.sbatch", "rank.sbatch", "submit.sh"].map(PathBuf::from));
    let submit = String::from_utf8(workplace.read("out-slurm/submit.sh")).unwrap();
    assert!(submit.contains("parts=(rank merge)\n"), "{submit}");
}
