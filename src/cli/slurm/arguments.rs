//! Options of Slurm.

use std::ffi::OsString;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
use occlumap::runs::slurm::{Gpus, Line, SlurmSettings, TaskArray, TimeLimit, Word};

use crate::cli::arguments::{at_least_one, size};
use crate::cli::run::Run;

/// Options of Slurm; per task, except for `array`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Slurm")]
pub(super) struct SlurmArguments {
    /// Tasks that share the ranking, then the sweep, in the syntax of sbatch: 0-15, or 0-63%16 for
    /// at most 16 at a time
    #[arg(long, value_name = "TASKS", default_value = "0-15")]
    pub array: TaskArray,
    /// GPUs per task, such as 1 or a100:4; one process for each GPU [default: none]
    #[arg(long, value_name = "[TYPE:]N")]
    pub gpus: Option<Gpus>,
    /// Time limit of a task, such as 4:00:00 or 2-12; two minutes before its end, the task saves
    /// finished work and is requeued [default: the partition's]
    #[arg(long, value_name = "TIME")]
    pub time: Option<TimeLimit>,
    /// Partition [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    pub partition: Option<Word>,
    /// Features that a node must have, such as "a100|h100"
    #[arg(long, value_name = "FEATURES")]
    pub constraint: Option<Word>,
    /// Account to charge
    #[arg(long, value_name = "NAME")]
    pub account: Option<Word>,
    /// Quality of service
    #[arg(long, value_name = "NAME")]
    pub qos: Option<Word>,
    /// Memory of a task, such as 8GiB [default: --memory of each process, plus a quarter]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub mem: Option<ByteSize>,
    /// Processors per task [default: --threads of each process, or 4]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub cpus_per_task: Option<usize>,
    /// Prefix of the jobs' names
    #[arg(long, value_name = "NAME", default_value = "occlumap")]
    pub job_name: Word,
    /// Folder of the scripts [default: OUT-slurm]
    #[arg(long, value_name = "DIR")]
    pub scripts: Option<PathBuf>,
    /// Folder of the logs [default: logs, in the folder of the scripts]
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Further option of sbatch for all jobs, such as --sbatch=--mail-type=FAIL; repeatable
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub sbatch: Vec<Line>,
    /// Shell command at the start of each task, such as "module load cuda"; repeatable
    #[arg(long, value_name = "COMMAND")]
    pub setup: Vec<String>,
    /// Command of the program in a task, such as "apptainer exec --nv occlumap.sif occlumap"
    /// [default: this program, by its path]
    #[arg(long, value_name = "COMMAND")]
    pub program: Option<Line>,
    /// Limit of requeues per task
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub requeues: u32,
    /// Submit the scripts
    #[arg(long)]
    pub submit: bool,
}

impl SlurmArguments {
    /// The settings of the jobs of a run with these options.
    pub fn settings(self, run: &Run, options: Vec<Vec<OsString>>) -> SlurmSettings {
        SlurmSettings {
            options,
            array: self.array,
            gpus: self.gpus,
            time: self.time,
            partition: self.partition,
            constraint: self.constraint,
            account: self.account,
            qos: self.qos,
            memory: self.mem.map(|memory| memory.as_u64()),
            threads: run.common.running.threads,
            processors: self.cpus_per_task,
            job_name: self.job_name,
            scripts: self.scripts,
            logs: self.logs,
            sbatch: self.sbatch,
            setup: self.setup,
            program: self.program,
            requeues: self.requeues,
            force: run.common.force,
            submit: self.submit,
        }
    }
}
