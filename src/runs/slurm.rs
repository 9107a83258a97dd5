//! A run as jobs of a Slurm cluster: their settings and their scripts.

mod array;
mod folders;
mod scripts;
mod shell;
mod values;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use self::scripts::{Part, Scripts};
use super::{Context, DeviceChoice, RunError, RunSettings, check};
use crate::files::{FileError, write_atomically};

pub use array::TaskArray;
pub use shell::quoted;
pub use values::{Gpus, Line, TimeLimit, Word};

/// Settings of jobs; per task, except for `array`. `None` stands for the cluster's default, unless said
/// otherwise.
#[derive(Clone, Debug)]
pub struct SlurmSettings {
    /// Options of `occlumap run`, each as its words, such as `--top` and `20`: those of the run that the
    /// tasks share, without `--shard`.
    pub options: Vec<Vec<OsString>>,
    /// Tasks that share the ranking, then the sweep.
    pub array: TaskArray,
    /// GPUs; each of several gets a process. `None` for none.
    pub gpus: Option<Gpus>,
    /// Time limit.
    pub time: Option<TimeLimit>,
    /// Partition.
    pub partition: Option<Word>,
    /// Features that a node must have.
    pub constraint: Option<Word>,
    /// Account to charge.
    pub account: Option<Word>,
    /// Quality of service.
    pub qos: Option<Word>,
    /// Memory in bytes; `None` for the limit of the run's memory in each process, plus a quarter.
    pub memory: Option<u64>,
    /// Threads per process; `None` to share the processors.
    pub threads: Option<usize>,
    /// Processors; `None` for one per thread, or 4.
    pub processors: Option<usize>,
    /// Prefix of the jobs' names.
    pub job_name: Word,
    /// Folder of the scripts; `None` for the output folder's name with `-slurm`.
    pub scripts: Option<PathBuf>,
    /// Folder of the logs; `None` for `logs` in the folder of the scripts.
    pub logs: Option<PathBuf>,
    /// Further options of sbatch.
    pub sbatch: Vec<Line>,
    /// Shell commands at the start of each task.
    pub setup: Vec<String>,
    /// Shell command that starts the program; `None` for the path of the running program.
    pub program: Option<Line>,
    /// Limit of requeues per task.
    pub requeues: u32,
    /// Whether scripts of the same names are replaced.
    pub force: bool,
    /// Whether the scripts are to be [submitted](SlurmJobs::submit): Slurm must be there.
    pub submit: bool,
}

/// Default number of processors per task.
const PROCESSORS: usize = 4;

/// The script that submits the others.
const SUBMIT: &str = "submit.sh";

impl SlurmSettings {
    /// Whether tasks have GPUs, by `gpus` or by an option for sbatch.
    fn has_gpus(&self) -> bool {
        self.gpus.is_some() || self.sbatch.iter().any(|option| option.as_str().contains("gpu"))
    }

    /// Processes per task.
    fn processes(&self) -> usize {
        self.gpus.as_ref().map_or(1, |gpus| gpus.count)
    }

    fn processors(&self) -> usize {
        let of_threads = || self.threads.map_or(PROCESSORS, |threads| threads * self.processes());
        self.processors.unwrap_or_else(of_threads)
    }

    /// Threads per process: those of the pool with which the run is checked.
    pub fn threads_per_process(&self) -> usize {
        self.threads.unwrap_or((self.processors() / self.processes()).max(1))
    }

    /// Checks that tasks have the GPUs that the run uses, and the other way round.
    fn check_device(&self, device: &DeviceChoice) -> Result<(), RunError> {
        let problem = match (device, &self.gpus) {
            (DeviceChoice::Cpu, Some(_)) => {
                "--device cpu leaves the GPUs of --gpus idle; give one or the other"
            }
            (device @ (DeviceChoice::AllCuda | DeviceChoice::Cuda(_)), _)
                if *device != DeviceChoice::Cuda(vec![0]) =>
            {
                "--device: each process of a task sees its own GPU alone; give cuda, without a number"
            }
            (DeviceChoice::Cuda(_), None) if !self.has_gpus() => {
                "--device cuda: tasks get no GPU without --gpus (or --sbatch=OPTION that asks for one)"
            }
            _ => return Ok(()),
        };
        Err(RunError::usage(problem))
    }

    /// The command that starts the program, quoted for bash.
    fn program(&self) -> Result<Vec<u8>, RunError> {
        if let Some(program) = &self.program {
            return Ok(program.as_str().as_bytes().to_vec());
        }
        let path = std::env::current_exe()
            .map_err(|error| failed("this program's path is not known", &error))?;
        Ok(quoted(path.as_os_str().as_encoded_bytes()))
    }
}

/// Scripts of jobs, written.
#[derive(Clone, Debug)]
pub struct SlurmJobs {
    /// Folder of the scripts.
    pub folder: PathBuf,
    /// File names of the scripts, the one that submits the others last.
    pub names: Vec<String>,
}

/// Checks everything that [`run`](super::run()) checks before it starts, and writes the scripts of its
/// jobs: of the ranking, of the sweep, of the merge, and one that submits them.
///
/// # Errors
/// As for [`check`]; settings that contradict each other; folders and files that cannot be written.
pub fn slurm(
    settings: &SlurmSettings,
    run: &RunSettings,
    context: &Context<'_>,
) -> Result<SlurmJobs, RunError> {
    let out = &run.sweep.output.folder;
    let folder = settings.scripts.clone().map_or_else(|| folders::beside(out), Ok)?;
    let logs = settings.logs.clone().unwrap_or_else(|| folder.join("logs"));
    let all = [Part::Rank, Part::Sweep, Part::Merge];
    let is_needed = |part: &Part| *part != Part::Sweep || !run.rank_only;
    let parts: Vec<Part> = all.into_iter().filter(is_needed).collect();
    folders::check(&folder, &logs, out)?;
    let names = parts.iter().map(|part| format!("{}.sbatch", part.name()));
    let names: Vec<String> = names.chain([SUBMIT.into()]).collect();
    if !settings.force {
        folders::check_new(&folder, &names)?;
    }
    if settings.submit {
        check_sbatch()?;
    }
    let program = settings.program()?;
    settings.check_device(&run.sweep.compute.device)?;
    let checked = check(run, settings.has_gpus(), context)?;
    let input = &run.sweep.input;
    let needed = settings.processes() as u64 * checked.memory;
    let scripts = Scripts {
        program,
        ranking: settings.array.at_most(checked.ranking_blocks),
        processes: settings.processes(),
        threads: settings.threads.is_none().then(|| settings.threads_per_process()),
        processors: settings.processors(),
        mebibytes: settings.memory.unwrap_or(needed + needed / 4).div_ceil(1 << 20),
        out,
        needed: input.images.path().into_iter().chain(input.model.weights()).collect(),
        slurm: settings,
        folder: folder.clone(),
        logs: logs.clone(),
    };
    for path in [&folder, &logs] {
        std::fs::create_dir_all(path).map_err(FileError::write(path))?;
    }
    let texts = parts.iter().map(|&part| scripts.task(part));
    for (name, text) in names.iter().zip(texts.chain([scripts.submission(&parts)])) {
        write_atomically(&folder.join(name), |file| file.write_all(&text))?;
    }
    Ok(SlurmJobs { folder, names })
}

impl SlurmJobs {
    /// The command that submits the scripts.
    pub fn command(&self) -> String {
        let script = quoted(self.script().as_os_str().as_encoded_bytes());
        format!("bash {}", String::from_utf8_lossy(&script))
    }

    /// Submits the scripts; the jobs are printed to standard output.
    ///
    /// # Errors
    /// A script that fails: nothing is submitted.
    pub fn submit(&self) -> Result<(), RunError> {
        let status = Command::new("bash").arg(self.script()).status();
        let status = status.map_err(|error| failed("bash cannot be started", &error))?;
        if status.success() {
            return Ok(());
        }
        Err(RunError::Slurm(format!(
            "nothing was submitted; the scripts are there, and `{}` tries again",
            self.command()
        )))
    }

    fn script(&self) -> PathBuf {
        self.folder.join(SUBMIT)
    }
}

fn check_sbatch() -> Result<(), RunError> {
    let found = Command::new("sbatch").arg("--version").stdout(Stdio::null()).status();
    found.map(drop).map_err(|error| {
        RunError::Slurm(format!(
            "sbatch cannot be started: {error}; without --submit the scripts are written, to be \
             submitted where Slurm is"
        ))
    })
}

fn failed(problem: &str, error: &std::io::Error) -> RunError {
    RunError::Slurm(format!("{problem}: {error}"))
}
