//! `occlumap slurm`: a run as jobs of a cluster.

mod arguments;
mod line;

use clap::Args;
use occlumap::runs::slurm::slurm;

use self::arguments::SlurmArguments;
use self::line::RunLine;
use super::arguments::RunningArguments;
use super::failure::Failure;
use super::terminal::Session;

/// Write, and submit, Slurm jobs that do a `run`
///
/// Takes the options of `run` and checks them as `run` does before it starts. Writes rank.sbatch,
/// an array of tasks that share the ranking; sweep.sbatch, an array that shares the sweep;
/// merge.sbatch, which puts the maps together; and submit.sh, which submits the three. A task that is preempted or near its time limit saves finished work and is requeued. Submitting
/// again computes only missing work.
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

impl Slurm {
    pub fn execute(self) -> Result<(), Failure> {
        let Self { line: RunLine { run, options }, slurm: arguments } = self;
        if run.common.shard.shard.is_some() {
            return Err(Failure::usage(
                "--shard: tasks of an array find their own shards; leave it out",
            ));
        }
        let submit = arguments.submit;
        let settings = arguments.settings(&run, options);
        let RunningArguments { quiet, .. } = run.common.running;
        let threads = Some(settings.threads_per_process());
        let session = Session::start(&RunningArguments { threads, quiet })?;
        let jobs = slurm(&settings, &run.settings()?, &session.context())?;
        session.say(format!("wrote {} into {}", jobs.names.join(", "), jobs.folder.display()));
        if submit {
            return Ok(jobs.submit()?);
        }
        session.say(format!("`{}` submits them", jobs.command()));
        Ok(())
    }
}
