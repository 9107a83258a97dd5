//! The scripts that `occlumap slurm` writes, run by bash with stand-ins for Slurm's commands; a
//! real Slurm runs them in `tests/slurm`.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::workplace::{INPUTS, Workplace, same_trees, tree};

const SLURM: &str = "slurm --model model.json --weights tiny.npz --images images --top 2";

/// Puts a command into the folder `bin`, which stands first in the path of what [`bash`] runs.
fn stand_in(place: &Workplace, name: &str, script: &str) {
    std::fs::create_dir_all(place.path("bin")).unwrap();
    place.write(&format!("bin/{name}"), format!("#!/bin/bash\n{script}\n"));
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path("bin").join(name), executable).unwrap();
}

fn with_stand_ins(place: &Workplace, command: &mut Command) {
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", place.path("bin").display()));
}

/// A script in the workplace, as task 3 of the array 70.
fn bash(place: &Workplace, script: &str) -> Command {
    let mut command = Command::new("bash");
    with_stand_ins(place, &mut command);
    for (name, value) in [("JOB_ID", "77"), ("ARRAY_JOB_ID", "70"), ("ARRAY_TASK_ID", "3")] {
        command.env(format!("SLURM_{name}"), value);
    }
    command.current_dir(place.path("")).arg(script);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn words(output: &Output) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    (out.into_owned(), err.into_owned())
}

fn lines(place: &Workplace, name: &str) -> Vec<String> {
    let bytes = std::fs::read(place.path(name)).unwrap_or_default();
    String::from_utf8(bytes).unwrap().lines().map(Into::into).collect()
}

#[test]
fn names_reach_the_program_as_they_were_given() {
    let place = Workplace::new();
    let (images, out) = ("my \"photos\" $(touch x) `y` #1", "it's 100% \"out\"");
    std::fs::rename(place.path("images"), place.path(images)).unwrap();
    stand_in(&place, "program", "printf '%s\\n' \"$@\"");
    let mut command = place.command("slurm --model model.json --weights tiny.npz --top 2");
    command.args(["--images", images, "--out", out, "--program", "program", "--quiet"]);
    command.args(["--layers", "conv2,conv4", "--mean=-1,0,0.5", "--std", "1,1,1"]);
    command.args(["--setup", "echo 'first'", "--setup", "cd .; echo second"]);
    command.args(["--sbatch=--mail-type=FAIL", "--partition", "a partition"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let scripts = format!("{out}-slurm");
    let task = |part: &str| {
        let output = bash(&place, &format!("{scripts}/{part}.sbatch")).output().unwrap();
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
    assert!(!place.path("x").exists());
    let sweep = String::from_utf8(place.read(&format!("{scripts}/sweep.sbatch"))).unwrap();
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
    let rank = String::from_utf8(place.read(&format!("{scripts}/rank.sbatch"))).unwrap();
    assert!(rank.contains("\n#SBATCH --array=0-0\n"), "{rank}");
}

#[test]
fn the_scripts_do_what_a_run_does() {
    let place = Workplace::new();
    let run = format!("{INPUTS} --top 2 --layers conv4 --every 3 --block 2");
    place.succeeds(&format!("run {run} --out whole --quiet"));
    place.succeeds(&format!("slurm {run} --out out --array 0-1"));
    for (part, task) in [("rank", 0), ("sweep", 0), ("sweep", 1), ("merge", 0)] {
        let mut command = bash(&place, &format!("out-slurm/{part}.sbatch"));
        if part != "merge" {
            let last = if part == "rank" { "0" } else { "1" };
            command.env("SLURM_ARRAY_TASK_ID", format!("{task}"));
            command.env("SLURM_ARRAY_TASK_MIN", "0").env("SLURM_ARRAY_TASK_MAX", last);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{part}: {}", words(&output).1);
    }
    for folder in ["maps", "ranking"] {
        let [out, whole] = ["out", "whole"].map(|out| tree(&place.path(out).join(folder)));
        same_trees(&out, &whole, folder);
    }
    assert!(!place.path("out/blocks").exists());
}

#[test]
fn mistakes_show_before_anything_is_written() {
    let place = Workplace::new();
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
        ("--scripts out/slurm", 2, "in the folder for the results"),
        ("--logs out", 2, "in the folder for the results"),
        ("--scripts tiny.npz/s", 2, "tiny.npz: is a file"),
        ("--scripts a\\b", 2, "backslash"),
    ] {
        place.refuses(&format!("{SLURM} --out out {options}"), code, &[word]);
    }
    place.refuses(&format!("{SLURM} --out ."), 2, &["give --scripts"]);
    let line = SLURM.replace("tiny.npz", "other.npz");
    place.refuses(&format!("{line} --out out"), 1, &["other.npz"]);
    let line = SLURM.replace("--images images", "--images photos");
    place.refuses(&format!("{line} --out out"), 1, &["photos"]);
    // Results of another job.
    place.succeeds(&format!("rank {INPUTS} --top 3 --out out --quiet"));
    place.refuses(
        &format!("{SLURM} --out out"),
        2,
        &[
            "images a unit (--top): 3 there; 2 here",
            "--out; `run`, `rank` and `sweep` with --force start anew",
        ],
    );
    place.refuses(
        &format!("{SLURM} --out images"),
        2,
        &["is not empty", "--out; `run`, `rank` and `sweep` with --force replace"],
    );
    // Scripts that are there.
    place.succeeds(&format!("{SLURM} --out new"));
    place.refuses(&format!("{SLURM} --out new"), 2, &["new-slurm/rank.sbatch: exists", "--force"]);
    place.succeeds(&format!("{SLURM} --out new --array 0-7 --force"));
    let sweep = String::from_utf8(place.read("new-slurm/sweep.sbatch")).unwrap();
    assert!(sweep.contains("--array=0-7\n") && !sweep.contains("--force"), "{sweep}");
}

/// What a `run` would say to it, before it is a task of the cluster that says so.
#[test]
fn another_sweep_in_the_folder_shows_before_anything_is_written() {
    let place = Workplace::new();
    let sweep = "--layers conv4 --every 3 --block 2";
    let run = format!("run {INPUTS} --top 2 {sweep} --device cpu --out out --quiet");
    let slurm = format!("{SLURM} {sweep} --out out --quiet --force");
    let says = |line: &str| words(&place.run(line)).1;
    let as_run_says = |options: &str, word: &str| {
        place.refuses(&format!("{slurm} {options}"), 2, &["out", word, "choose another --out"]);
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
            place.refuses(&format!("{slurm} {options}"), 2, &[cuda]);
        }
    };
    // What another process has left half done.
    place.succeeds(&format!("{run} --shard 1/2"));
    assert!(place.path("out/blocks/maps").exists());
    refuse_all();
    for line in [&slurm, &run] {
        let word = "the layers (--layers), [conv4].swept: null there; [0,1,2,3] here";
        place.refuses(&format!("{line} --units 0-3"), 2, &[word]);
    }
    for options in ["", "--gpus 1", "--device cpu"] {
        place.succeeds(&format!("{slurm} {options}"));
    }
    // Without its ranking, which tasks would make.
    let moved = |from: &str, to: &str| std::fs::rename(place.path(from), place.path(to)).unwrap();
    moved("out/ranking", "kept");
    let refused = "the noise (--seed): philox:0 there; philox:5 here";
    place.refuses(&format!("{slurm} --seed 5"), 2, &[refused]);
    place.succeeds(&slurm);
    moved("kept", "out/ranking");
    // Finished.
    place.succeeds(&run);
    assert!(!place.path("out/blocks").exists());
    refuse_all();
    place.succeeds(&slurm);
    moved("out/ranking", "kept");
    place.refuses(&slurm, 2, &["out/manifest.json: lists maps", "a ranking that is not in"]);
    // A ranking alone is no matter of the maps.
    moved("kept", "out/ranking");
    place.succeeds(&format!("{slurm} --seed 5 --rank-only"));
}

/// A GPU holds the weights itself: its tasks need less of the machine's memory.
#[test]
fn memory_is_that_of_the_device_of_the_tasks() {
    let place = Workplace::new();
    let slurm = format!("{SLURM} --out out --threads 1 --force --quiet");
    let kib = |kib: u32, options: &str| format!("{slurm} --memory {kib}KiB {options}");
    let (mut few, mut enough) = (1 << 10, 1 << 20);
    while few + 1 < enough {
        let middle = u32::midpoint(few, enough);
        if place.run(&kib(middle, "--device cpu")).status.success() {
            enough = middle;
        } else {
            few = middle;
        }
    }
    place.refuses(&kib(few, "--device cpu"), 2, &["--memory", "needs at least"]);
    place.refuses(&kib(few, ""), 2, &["--memory", "needs at least"]);
    for options in ["--gpus 1 --device cuda", "--gpus 1", "--gpus 1 --precision bf16"] {
        place.succeeds(&kib(few, options));
    }
    place.refuses(&kib(1 << 10, "--gpus 1 --device cuda"), 2, &["--memory", "needs at least"]);
}

#[test]
fn parts_are_submitted_one_after_the_other_or_not_at_all() {
    let place = Workplace::new();
    let counter = "echo \"sbatch $*\" >>calls; wc -l <calls";
    stand_in(&place, "scancel", "echo \"scancel $*\" >>calls");
    stand_in(&place, "sbatch", counter);
    let submit = |line: &str| {
        let mut command = place.command(line);
        with_stand_ins(&place, &mut command);
        command.output().unwrap()
    };
    let output = submit(&format!("{SLURM} --out out --submit"));
    let (out, err) = words(&output);
    assert!(output.status.success(), "{err}");
    assert_eq!(out, "rank: job 2\nsweep: job 3\nmerge: job 4\n");
    assert_eq!(
        lines(&place, "calls"),
        [
            "sbatch --version",
            "sbatch --parsable out-slurm/rank.sbatch",
            "sbatch --parsable --dependency=afterany:2 out-slurm/sweep.sbatch",
            "sbatch --parsable --dependency=afterany:3 out-slurm/merge.sbatch",
        ]
    );
    place.remove("calls");
    stand_in(
        &place,
        "sbatch",
        "[[ $* != *merge* ]] || exit 1\necho \"sbatch $*\" >>calls; echo '7;x'",
    );
    let output = bash(&place, "out-slurm/submit.sh").arg("--hold").output().unwrap();
    assert!(!output.status.success());
    let calls = lines(&place, "calls");
    assert!(calls[1].contains("--dependency=afterany:7 --hold"), "{calls:?}");
    assert_eq!(calls[2], "scancel 7 7");
    let output = bash(&place, "../out-slurm/submit.sh").current_dir(place.path("bin")).output();
    let output = output.unwrap();
    assert!(words(&output).1.contains("no images here; submit in the folder"), "{output:?}");
    // Without Slurm nothing is written.
    let mut command = place.command(&format!("{SLURM} --out other --submit"));
    let output = command.env("PATH", place.path("images")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).1.contains("sbatch cannot be started"), "{output:?}");
    assert!(!place.path("other-slurm").exists());
}

/// A sweep's script whose program tells when it has begun, and keeps what it has on a signal.
fn place_with_a_long_program(gpus: &str) -> Workplace {
    let place = Workplace::new();
    let program = "trap 'echo \"$BASHPID ${CUDA_VISIBLE_DEVICES-}\" >>told; exit 75' USR1 TERM\n\
                   echo begun >>begun\nwhile true; do sleep 0.02; done";
    stand_in(&place, "program", program);
    stand_in(&place, "scontrol", "echo \"$*\" >>calls; echo \"JobState=${STATE-RUNNING} \"");
    place.succeeds(&format!("{SLURM} --out out --program program --requeues 5 {gpus}"));
    place
}

fn signalled(place: &Workplace, mut command: Command, processes: usize, signal: &str) -> Output {
    for name in ["begun", "told", "calls"] {
        let _ = std::fs::remove_file(place.path(name));
    }
    let child: Child = command.spawn().unwrap();
    let start = Instant::now();
    while lines(place, "begun").len() < processes {
        assert!(start.elapsed() < Duration::from_mins(1), "nothing began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    child.wait_with_output().unwrap()
}

#[test]
fn a_task_whose_time_is_up_saves_what_it_has_and_goes_back_into_the_queue() {
    let place = place_with_a_long_program("");
    let task = || bash(&place, "out-slurm/sweep.sbatch");
    let output = signalled(&place, task(), 1, "-USR1");
    assert_eq!(output.status.code(), Some(75), "{}", words(&output).1);
    assert_eq!(lines(&place, "calls"), ["show job 70_3", "requeue 70_3"]);
    assert_eq!(lines(&place, "told").len(), 1);
    // Preempted, with time to save.
    let output = signalled(&place, task(), 1, "-TERM");
    assert_eq!(output.status.code(), Some(75));
    assert_eq!(lines(&place, "calls").len(), 2);
    // Cancelled, or requeued by somebody else.
    let mut command = task();
    command.env("STATE", "COMPLETING");
    let output = signalled(&place, command, 1, "-TERM");
    assert_eq!(output.status.code(), Some(75));
    assert_eq!(lines(&place, "calls"), ["show job 70_3"]);
    // Too often.
    let mut command = task();
    command.env("SLURM_RESTART_COUNT", "5");
    let output = signalled(&place, command, 1, "-USR1");
    assert_eq!(output.status.code(), Some(75));
    assert!(words(&output).1.contains("requeued 5 times"));
    assert_eq!(lines(&place, "calls"), ["show job 70_3"]);
    // The merge is no array.
    let mut command = bash(&place, "out-slurm/merge.sbatch");
    command.env_remove("SLURM_ARRAY_JOB_ID").env_remove("SLURM_ARRAY_TASK_ID");
    let output = signalled(&place, command, 1, "-USR1");
    assert_eq!(output.status.code(), Some(75));
    assert_eq!(lines(&place, "calls"), ["show job 77", "requeue 77"]);
}

#[test]
fn each_gpu_of_a_task_gets_a_process() {
    let place = place_with_a_long_program("--gpus a100:2 --cpus-per-task 9");
    let sweep = String::from_utf8(place.read("out-slurm/sweep.sbatch")).unwrap();
    assert!(sweep.contains("#SBATCH --gres=gpu:a100:2\n") && sweep.contains("--threads 4\n"));
    assert!(sweep.contains("#SBATCH --mem=5120M\n"), "{sweep}");
    let merge = String::from_utf8(place.read("out-slurm/merge.sbatch")).unwrap();
    assert!(!merge.contains("gres"), "{merge}");
    let mut command = bash(&place, "out-slurm/sweep.sbatch");
    command.env("CUDA_VISIBLE_DEVICES", "2,5");
    let output = signalled(&place, command, 2, "-USR1");
    assert_eq!(output.status.code(), Some(75), "{}", words(&output).1);
    let mut told: Vec<String> = lines(&place, "told");
    told.sort_by_key(|line| line.split_once(' ').unwrap().1.to_owned());
    assert!(told[0].ends_with(" 2") && told[1].ends_with(" 5"), "{told:?}");
    assert_eq!(lines(&place, "calls"), ["show job 70_3", "requeue 70_3"]);
    let output = bash(&place, "out-slurm/sweep.sbatch").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).1.contains("expected 2 GPUs, found CUDA_VISIBLE_DEVICES="));
}

#[test]
fn the_exit_code_is_that_of_the_process_that_failed() {
    let place = Workplace::new();
    let program = "case $CUDA_VISIBLE_DEVICES in 0) exit \"$ZERO\";; *) exit \"$ONE\";; esac";
    stand_in(&place, "program", program);
    stand_in(&place, "scontrol", "echo JobState=RUNNING");
    place.succeeds(&format!("{SLURM} --out out --program program --gpus 2"));
    for (zero, one, code) in [(0, 0, 0), (0, 1, 1), (75, 2, 2), (1, 75, 1), (75, 0, 75)] {
        let mut command = bash(&place, "out-slurm/sweep.sbatch");
        command.env("CUDA_VISIBLE_DEVICES", "0,1");
        command.env("ZERO", zero.to_string()).env("ONE", one.to_string());
        assert_eq!(command.output().unwrap().status.code(), Some(code), "{zero} {one}");
    }
}

/// Where scripts are written there is no GPU, as a rule.
#[test]
fn gpus_of_the_tasks_are_not_looked_for_here() {
    let place = Workplace::new();
    let options = "--gpus 1 --device cuda --precision bf16";
    let mut command = place.command(&format!("{SLURM} --out out {options}"));
    let output = command.env("CUDA_VISIBLE_DEVICES", "").output().unwrap();
    assert!(output.status.success(), "{}", words(&output).1);
    let sweep = String::from_utf8(place.read("out-slurm/sweep.sbatch")).unwrap();
    assert!(sweep.contains("    --device cuda\n") && sweep.contains("    --precision bf16\n"));
}

#[test]
fn a_ranking_alone_has_no_sweep() {
    let place = Workplace::new();
    place.succeeds(&format!("{SLURM} --out out --rank-only"));
    let folder = tree(&place.path("out-slurm"));
    let names: Vec<PathBuf> = folder.into_keys().collect();
    assert_eq!(names, ["logs", "merge.sbatch", "rank.sbatch", "submit.sh"].map(PathBuf::from));
    let submit = String::from_utf8(place.read("out-slurm/submit.sh")).unwrap();
    assert!(submit.contains("parts=(rank merge)\n"), "{submit}");
}
