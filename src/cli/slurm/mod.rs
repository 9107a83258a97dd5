//! `occlumap slurm`: a run as jobs of a cluster.

mod arguments;
mod array;
mod line;
mod scripts;
mod shell;

use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use occlumap::files::{FileError, write_atomically};
use occlumap::runs::{self, DeviceChoice};

use self::arguments::SlurmArguments;
use self::line::RunLine;
use self::scripts::{Part, Scripts};
use super::arguments::RunningArguments;
use super::failure::Failure;
use super::run::Run;
use super::terminal::Session;

/// Write, and submit, Slurm jobs that do a `run`
///
/// Takes the options of `run` and checks them as `run` does before it starts. Writes rank.sbatch,
/// an array of tasks that share the ranking; sweep.sbatch, an array that shares the sweep;
/// merge.sbatch, which puts the maps together; and submit.sh, which submits the three. A task whose
/// time is nearly up, or that is preempted, saves finished work and is requeued. Submitting again
/// does what is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap slurm --model alexnet --weights alexnet.safetensors --images photos/ --out out/ \\
      --array 0-31 --time 4:00:00 --partition cpu --cpus-per-task 8 --submit
  occlumap slurm --model vgg16 --weights vgg16.pth --images photos/ --out out/ \\
      --array 0-7 --gpus a100:1 --account vision --setup \"module load cuda\"
  bash out-slurm/submit.sh
  occlumap status out/")]
pub(super) struct Slurm {
    #[command(flatten)]
    line: RunLine,
    #[command(flatten)]
    slurm: SlurmArguments,
}

/// Default number of processors per task.
const PROCESSORS: usize = 4;

impl Slurm {
    pub fn execute(self) -> Result<(), Failure> {
        let Self { line: RunLine { run, options }, slurm } = self;
        if run.common.shard.shard.is_some() {
            return Err(Failure::usage(
                "--shard: tasks of an array find their own shards; leave it out",
            ));
        }
        let force = run.common.force;
        let (out, rank_only) = (run.common.out.clone().unwrap_or_default(), run.rank_only);
        let folder = slurm.scripts.clone().map_or_else(|| beside(&out), Ok)?;
        let logs = slurm.logs.clone().unwrap_or_else(|| folder.join("logs"));
        let all = [Part::Rank, Part::Sweep, Part::Merge];
        let is_needed = |part: &Part| *part != Part::Sweep || !rank_only;
        let parts: Vec<Part> = all.into_iter().filter(is_needed).collect();
        check_folders(&folder, &logs, &out)?;
        let mut names: Vec<String> =
            parts.iter().map(|part| format!("{}.sbatch", part.name())).collect();
        names.push("submit.sh".into());
        if !force {
            check_new(&folder, &names)?;
        }
        if slurm.submit {
            check_sbatch()?;
        }
        let program = if let Some(program) = &slurm.program {
            program.clone().into_bytes()
        } else {
            let path = std::env::current_exe().map_err(|error| {
                Failure::failed(format!("this program's path is not known: {error}"))
            })?;
            shell::quoted(path.as_os_str().as_encoded_bytes())
        };
        let processes = slurm.gpus.as_ref().map_or(1, |gpus| gpus.count);
        let asked = run.common.running.threads;
        let processors =
            slurm.cpus_per_task.unwrap_or(asked.map_or(PROCESSORS, |threads| threads * processes));
        let threads = asked.unwrap_or((processors / processes).max(1));
        check_device(&run, &slurm)?;
        let running = RunningArguments { threads: Some(threads), ..run.common.running };
        let session = Session::start(&running)?;
        let settings = run.settings()?;
        let checked = runs::check(&settings, slurm.asks_for_gpus(), &session.context())?;
        let input = &settings.sweep.input;
        let needed = processes as u64 * checked.memory;
        let memory = slurm.mem.map_or(needed + needed / 4, |memory| memory.as_u64());
        let scripts = Scripts {
            program,
            options: &options,
            ranking: slurm.array.at_most(checked.ranking_blocks),
            processes,
            threads: asked.is_none().then_some(threads),
            processors,
            mebibytes: memory.div_ceil(1 << 20),
            out: &out,
            needed: input.images.path().into_iter().chain(input.model.weights()).collect(),
            slurm: &slurm,
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
        let submit = folder.join("submit.sh");
        session.say(format!("wrote {} into {}", names.join(", "), folder.display()));
        if slurm.submit {
            return submit_all(&submit);
        }
        let submit = shell::quoted(submit.as_os_str().as_encoded_bytes());
        session.say(format!("`bash {}` submits them", String::from_utf8_lossy(&submit)));
        Ok(())
    }
}

/// Checks that tasks have the GPUs that the run uses, and the other way round.
fn check_device(run: &Run, slurm: &SlurmArguments) -> Result<(), Failure> {
    let problem = match (&run.common.compute.device.device, &slurm.gpus) {
        (DeviceChoice::Cpu, Some(_)) => {
            "--device cpu leaves the GPUs of --gpus idle; give one or the other"
        }
        (device @ (DeviceChoice::AllCuda | DeviceChoice::Cuda(_)), _)
            if *device != DeviceChoice::Cuda(vec![0]) =>
        {
            "--device: each process of a task sees its own GPU alone; give cuda, without a number"
        }
        (DeviceChoice::Cuda(_), None) if !slurm.asks_for_gpus() => {
            "--device cuda: tasks get no GPU without --gpus (or --sbatch=OPTION that asks for one)"
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(problem))
}

/// OUT-slurm.
fn beside(out: &Path) -> Result<PathBuf, Failure> {
    match (out.components().next_back(), out.file_name()) {
        (Some(Component::Normal(_)), Some(name)) => {
            let mut name = name.to_owned();
            name.push("-slurm");
            Ok(out.with_file_name(name))
        }
        _ => Err(Failure::usage(format!(
            "{}: has no name to derive the folder of scripts from; give --scripts",
            out.display()
        ))),
    }
}

/// Checks that the folders can be made outside the results, and that Slurm accepts the name of the
/// logs.
fn check_folders(scripts: &Path, logs: &Path, out: &Path) -> Result<(), Failure> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(FileError::read(path));
    let out_path = absolute(out)?;
    for (path, name) in [(scripts, "--scripts"), (logs, "--logs")] {
        let shown = path.display();
        if absolute(path)?.starts_with(&out_path) {
            return Err(Failure::usage(format!(
                "{shown}: is in the folder for the results, {}, which holds nothing else; choose \
                 another {name}",
                out.display()
            )));
        }
        let there = path.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok());
        if let Some(there) = there.filter(|there| !there.is_dir()) {
            let there = there.display();
            return Err(Failure::usage(format!("{there}: is a file; {name} needs a folder")));
        }
        let text = path.as_os_str().as_encoded_bytes();
        if text.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control()) {
            return Err(Failure::usage(format!(
                "{shown:?}: sbatch cannot write logs where a name holds a backslash or a control \
                 character; choose another {name}",
            )));
        }
    }
    Ok(())
}

fn check_new(folder: &Path, names: &[String]) -> Result<(), Failure> {
    for name in names {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(Failure::usage(format!(
                "{}: exists; choose another --scripts, or give --force to replace it",
                path.display()
            )));
        }
    }
    Ok(())
}

fn check_sbatch() -> Result<(), Failure> {
    let found = Command::new("sbatch").arg("--version").stdout(Stdio::null()).status();
    found.map(drop).map_err(|error| {
        Failure::failed(format!(
            "sbatch cannot be started: {error}; without --submit the scripts are written, to be \
             submitted where Slurm is"
        ))
    })
}

/// Runs the script that submits all parts and prints the jobs.
fn submit_all(script: &Path) -> Result<(), Failure> {
    let status = Command::new("bash").arg(script).status();
    let status =
        status.map_err(|error| Failure::failed(format!("bash cannot be started: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "nothing was submitted; the scripts are there, and `bash {}` tries again",
        script.display()
    )))
}
