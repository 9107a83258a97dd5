//! Tasks that run: signals, GPUs, exit codes.

use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use super::{SLURM, bash, lines, stand_in, words};
use crate::workplace::Workplace;

/// A sweep's script whose program tells when it has begun, and keeps what it has on a signal.
fn with_a_long_program(gpus: &str) -> Workplace {
    let workplace = Workplace::new();
    let program = "trap 'echo \"$BASHPID ${CUDA_VISIBLE_DEVICES-}\" >>told; exit 75' USR1 TERM\n\
                   echo begun >>begun\nwhile true; do sleep 0.02; done";
    stand_in(&workplace, "program", program);
    stand_in(&workplace, "scontrol", "echo \"$*\" >>calls; echo \"JobState=${STATE-RUNNING} \"");
    workplace.succeeds(&format!("{SLURM} --out out --program program --requeues 5 {gpus}"));
    workplace
}

fn signalled(
    workplace: &Workplace,
    mut command: Command,
    processes: usize,
    signal: &str,
) -> Output {
    for name in ["begun", "told", "calls"] {
        let _ = std::fs::remove_file(workplace.path(name));
    }
    let child: Child = command.spawn().unwrap();
    let start = Instant::now();
    while lines(workplace, "begun").len() < processes {
        assert!(start.elapsed() < Duration::from_mins(1), "nothing began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    child.wait_with_output().unwrap()
}

#[test]
fn a_task_whose_time_is_up_saves_what_it_has_and_goes_back_into_the_queue() {
    let workplace = with_a_long_program("");
    let task = || bash(&workplace, "out-slurm/sweep.sbatch");
    let output = signalled(&workplace, task(), 1, "-USR1");
    assert_eq!(output.status.code(), Some(75), "{}", words(&output).1);
    assert_eq!(lines(&workplace, "calls"), ["show job 70_3", "requeue 70_3"]);
    assert_eq!(lines(&workplace, "told").len(), 1);
    // Preempted, with time to save.
    let output = signalled(&workplace, task(), 1, "-TERM");
    assert_eq!(output.status.code(), Some(75));
    assert_eq!(lines(&workplace, "calls").len(), 2);
    // Cancelled, or requeued by somebody else.
    let mut command = task();
    command.env("STATE", "COMPLETING");
    let output = signalled(&workplace, command, 1, "-TERM");
    assert_eq!(output.status.code(), Some(75));
    assert_eq!(lines(&workplace, "calls"), ["show job 70_3"]);
    // Too often.
    let mut command = task();
    command.env("SLURM_RESTART_COUNT", "5");
    let output = signalled(&workplace, command, 1, "-USR1");
    assert_eq!(output.status.code(), Some(75));
    assert!(words(&output).1.contains("requeued 5 times"));
    assert_eq!(lines(&workplace, "calls"), ["show job 70_3"]);
    // The merge is no array.
    let mut command = bash(&workplace, "out-slurm/merge.sbatch");
    command.env_remove("SLURM_ARRAY_JOB_ID").env_remove("SLURM_ARRAY_TASK_ID");
    let output = signalled(&workplace, command, 1, "-USR1");
    assert_eq!(output.status.code(), Some(75));
    assert_eq!(lines(&workplace, "calls"), ["show job 77", "requeue 77"]);
}

#[test]
fn each_gpu_of_a_task_gets_a_process() {
    let workplace = with_a_long_program("--gpus a100:2 --cpus-per-task 9");
    let sweep = String::from_utf8(workplace.read("out-slurm/sweep.sbatch")).unwrap();
    assert!(sweep.contains("#SBATCH --gres=gpu:a100:2\n") && sweep.contains("--threads 4\n"));
    assert!(sweep.contains("#SBATCH --mem=5120M\n"), "{sweep}");
    let merge = String::from_utf8(workplace.read("out-slurm/merge.sbatch")).unwrap();
    assert!(!merge.contains("gres"), "{merge}");
    let mut command = bash(&workplace, "out-slurm/sweep.sbatch");
    command.env("CUDA_VISIBLE_DEVICES", "2,5");
    let output = signalled(&workplace, command, 2, "-USR1");
    assert_eq!(output.status.code(), Some(75), "{}", words(&output).1);
    let mut told: Vec<String> = lines(&workplace, "told");
    told.sort_by_key(|line| line.split_once(' ').unwrap().1.to_owned());
    assert!(told[0].ends_with(" 2") && told[1].ends_with(" 5"), "{told:?}");
    assert_eq!(lines(&workplace, "calls"), ["show job 70_3", "requeue 70_3"]);
    let output = bash(&workplace, "out-slurm/sweep.sbatch").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).1.contains("expected 2 GPUs, found CUDA_VISIBLE_DEVICES="));
}

#[test]
fn the_exit_code_is_that_of_the_process_that_failed() {
    let workplace = Workplace::new();
    let program = "case $CUDA_VISIBLE_DEVICES in 0) exit \"$ZERO\";; *) exit \"$ONE\";; esac";
    stand_in(&workplace, "program", program);
    stand_in(&workplace, "scontrol", "echo JobState=RUNNING");
    workplace.succeeds(&format!("{SLURM} --out out --program program --gpus 2"));
    for (zero, one, code) in [(0, 0, 0), (0, 1, 1), (75, 2, 2), (1, 75, 1), (75, 0, 75)] {
        let mut command = bash(&workplace, "out-slurm/sweep.sbatch");
        command.env("CUDA_VISIBLE_DEVICES", "0,1");
        command.env("ZERO", zero.to_string()).env("ONE", one.to_string());
        assert_eq!(command.output().unwrap().status.code(), Some(code), "{zero} {one}");
    }
}
