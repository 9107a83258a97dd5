//! Options of Slurm.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use super::array::Array;
use crate::cli::arguments::at_least_one;

/// Options of Slurm; per task, except for `array`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Slurm")]
pub(super) struct SlurmArguments {
    /// Tasks that share the ranking, then the sweep, in the syntax of sbatch: 0-15, or 0-63%16 for
    /// at most 16 at a time
    #[arg(long, value_name = "TASKS", default_value = "0-15")]
    pub array: Array,
    /// GPUs per task, such as 1 or a100:4; each of several gets a process [default: none]
    #[arg(long, value_name = "[TYPE:]N", value_parser = gpus)]
    pub gpus: Option<Gpus>,
    /// Time limit of a task, such as 4:00:00 or 2-12; two minutes before its end, the task saves
    /// finished work and is requeued [default: the partition's]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time: Option<String>,
    /// Partition [default: the cluster's]
    #[arg(long, value_name = "NAME", value_parser = word)]
    pub partition: Option<String>,
    /// Features that a node must have, such as "a100|h100"
    #[arg(long, value_name = "FEATURES", value_parser = word)]
    pub constraint: Option<String>,
    /// Account to charge
    #[arg(long, value_name = "NAME", value_parser = word)]
    pub account: Option<String>,
    /// Quality of service
    #[arg(long, value_name = "NAME", value_parser = word)]
    pub qos: Option<String>,
    /// Memory of a task, such as 8GiB [default: --memory of each process, plus a quarter]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub mem: Option<ByteSize>,
    /// Processors per task [default: --threads of each process, or 4]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub cpus_per_task: Option<usize>,
    /// Prefix of the jobs' names
    #[arg(long, value_name = "NAME", default_value = "occlumap", value_parser = word)]
    pub job_name: String,
    /// Folder of the scripts [default: OUT-slurm]
    #[arg(long, value_name = "DIR")]
    pub scripts: Option<PathBuf>,
    /// Folder of the logs [default: logs, in the folder of the scripts]
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Further option of sbatch for all jobs, such as --sbatch=--mail-type=FAIL; repeatable
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true, value_parser = line)]
    pub sbatch: Vec<String>,
    /// Shell command at the start of each task, such as "module load cuda"; repeatable
    #[arg(long, value_name = "COMMAND")]
    pub setup: Vec<String>,
    /// Command of the program in a task, such as "apptainer exec --nv occlumap.sif occlumap"
    /// [default: this program, by its path]
    #[arg(long, value_name = "COMMAND", value_parser = line)]
    pub program: Option<String>,
    /// Limit of requeues per task
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub requeues: u32,
    /// Submit the scripts
    #[arg(long)]
    pub submit: bool,
}

impl SlurmArguments {
    /// Whether tasks have GPUs, by `--gpus` or by an option for sbatch.
    pub fn asks_for_gpus(&self) -> bool {
        self.gpus.is_some() || self.sbatch.iter().any(|option| option.contains("gpu"))
    }
}

/// GPUs per task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gpus {
    pub kind: Option<String>,
    pub count: usize,
}

fn gpus(text: &str) -> Result<Gpus, String> {
    let (kind, count) = match text.rsplit_once(':') {
        Some((kind, count)) => (Some(kind), count),
        None => (None, text),
    };
    let named = |kind: &str| {
        !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    match count.parse() {
        Ok(count) if count > 0 && kind.is_none_or(named) => {
            Ok(Gpus { kind: kind.map(Into::into), count })
        }
        _ => Err("expected a number of at least 1, or a type and a number such as a100:4".into()),
    }
}

fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "expected a size such as 500MiB or 8GiB".into())
}

/// Parses one line, the most that a directive can hold.
fn line(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected something".into()),
        text if text.contains(|c: char| c.is_control()) => Err("expected a single line".into()),
        text => Ok(text.into()),
    }
}

fn word(text: &str) -> Result<String, String> {
    match line(text)? {
        text if text.contains(['\\', '%']) => Err("expected a name without \\ and %".into()),
        text => Ok(text),
    }
}

/// A shorter task would hardly start before the signal that ends it.
const LEAST_MINUTES: u64 = 5;

/// A time in the syntax of sbatch: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S.
fn time(text: &str) -> Result<String, String> {
    let wrong = || "expected a time as sbatch takes it, such as 90, 4:00:00 or 2-12".to_owned();
    let numbers = |text: &str| {
        let numbers = text.split(':').map(|part| part.parse::<u32>().map(u64::from));
        numbers.collect::<Result<Vec<u64>, _>>().map_err(|_| wrong())
    };
    let seconds = match text.split_once('-') {
        Some((days, rest)) => {
            let days: u32 = days.parse().map_err(|_| wrong())?;
            u64::from(days) * 86_400
                + match numbers(rest)?[..] {
                    [hours] => hours * 3600,
                    [hours, minutes] => hours * 3600 + minutes * 60,
                    [hours, minutes, seconds] => hours * 3600 + minutes * 60 + seconds,
                    _ => return Err(wrong()),
                }
        }
        None => match numbers(text)?[..] {
            [minutes] => minutes * 60,
            [minutes, seconds] => minutes * 60 + seconds,
            [hours, minutes, seconds] => hours * 3600 + minutes * 60 + seconds,
            _ => return Err(wrong()),
        },
    };
    if seconds < LEAST_MINUTES * 60 {
        return Err(format!("is too short; a task needs {LEAST_MINUTES} minutes at least"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_sbatch_reads_them() {
        for right in ["5", "90", "5:00", "4:00:00", "2-12", "0-0:5", "1-0:0:0"] {
            assert_eq!(time(right).unwrap(), right);
        }
        for wrong in ["", "4", "4:59", "0:4:00", "1:2:3:4", "1h", "-5", "2-", "1-1:1:1:1"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn gpus_are_a_number_with_or_without_a_type() {
        assert_eq!(gpus("2"), Ok(Gpus { kind: None, count: 2 }));
        assert_eq!(gpus("a100:4"), Ok(Gpus { kind: Some("a100".into()), count: 4 }));
        for wrong in ["", "0", "a100", ":1", "a b:1", "a100:0", "a:b:1"] {
            assert!(gpus(wrong).is_err(), "{wrong}");
        }
    }
}
