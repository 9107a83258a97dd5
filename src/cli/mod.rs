//! The command line: arguments, progress, messages and exit codes. Only this module prints.
#![allow(
    clippy::doc_markdown,
    reason = "doc comments of arguments are help texts, read as they are"
)]

mod arguments;
mod bench;
mod compare;
mod compute;
mod console;
mod demo;
mod derive;
mod devices;
mod draw;
mod failure;
mod info;
mod map;
mod merge;
mod models;
mod plan;
mod plot;
mod rank;
mod report;
mod run;
mod shell;
mod signals;
mod sizes;
mod slurm;
mod status;
mod summary;
mod sweep;
mod table;
mod terminal;

use std::ffi::OsString;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use occlumap::progress::CancelToken;

use self::failure::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed: a file cannot be used or written, or a verification failed
  2    wrong usage: an argument cannot be used, or a file would be overwritten without --force
  75   stopped by a signal: finished work is kept, and the same command continues
  130  stopped with nothing to keep, or by a second Ctrl-C";

const EXAMPLES: &str = "\
Examples:
  occlumap demo
      the whole job on a built-in network whose receptive fields are known
  occlumap info --model alexnet
      layers, receptive fields and occluders
  occlumap run --model alexnet --weights alexnet.safetensors --images photos/ --out maps/
      the maps of every unit of every convolution
  occlumap plot maps/
      figures and numbers of all maps
  occlumap plan --model alexnet --weights alexnet.safetensors --images photos/ --out maps/
      time, memory and disk of the run above";

/// Maps the receptive field of every unit of a convolutional network with noise occluders.
#[derive(Debug, Parser)]
#[command(name = "occlumap", version, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Rank(rank::Rank),
    Sweep(sweep::Sweep),
    Plan(plan::Plan),
    Slurm(Box<slurm::Slurm>),
    Status(status::Status),
    Merge(merge::Merge),
    Map(map::Map),
    Plot(plot::Plot),
    Report(report::Report),
    Compare(compare::Compare),
    Summary(summary::Summary),
    Derive(derive::Derive),
    Models(models::Models),
    Sizes(sizes::Sizes),
    Draw(draw::Draw),
    Info(info::Info),
    Demo(demo::Demo),
    Devices(devices::Devices),
    Bench(bench::Bench),
    /// Print completions for a shell
    #[command(after_help = "\
Example:
  occlumap completions bash > ~/.local/share/bash-completion/completions/occlumap")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Set by signals.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The token that signals cancel.
fn cancel_token() -> CancelToken {
    Arc::clone(&STOP).into()
}

/// Parses the arguments, beginning with the program's name, runs the command and reports. Returns
/// the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Cli { command } = Cli::parse_from(arguments);
    let outcome = stop_on_signals().and_then(|()| match command {
        Command::Run(command) => command.execute().map_err(Failure::resumable),
        Command::Rank(command) => command.execute().map_err(Failure::resumable),
        Command::Sweep(command) => command.execute().map_err(Failure::resumable),
        Command::Plan(command) => command.execute(),
        Command::Slurm(command) => command.execute(),
        Command::Status(command) => command.execute(),
        Command::Merge(command) => command.execute().map_err(Failure::resumable),
        Command::Map(command) => command.execute(),
        Command::Plot(command) => command.execute(),
        Command::Report(command) => command.execute(),
        Command::Compare(command) => command.execute(),
        Command::Summary(command) => command.execute(),
        Command::Derive(command) => command.execute(),
        Command::Models(command) => command.execute(),
        Command::Sizes(command) => command.execute(),
        Command::Draw(command) => command.execute(),
        Command::Info(command) => command.execute(),
        Command::Demo(command) => command.execute(),
        Command::Devices(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "occlumap", &mut script);
            console::print(&script)
        }
    });
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            console::say(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Makes signals cancel the work; a second Ctrl-C ends the process at once. A signal that was
/// ignored at the start, as SIGHUP under `nohup`, stays ignored.
fn stop_on_signals() -> Result<(), Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};
    let register_all = || -> std::io::Result<()> {
        if !signals::is_ignored(SIGINT) {
            // Registered first: it checks the flag before the flag is set.
            register_conditional_shutdown(SIGINT, i32::from(failure::STOPPED), Arc::clone(&STOP))?;
        }
        // SIGHUP: the terminal is gone. SIGUSR1: clusters send it before a job's time is up.
        #[cfg(unix)]
        let all = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGUSR1];
        #[cfg(not(unix))]
        let all = [SIGINT, SIGTERM];
        for signal in all.into_iter().filter(|&signal| !signals::is_ignored(signal)) {
            register(signal, Arc::clone(&STOP))?;
        }
        Ok(())
    };
    signals::ignore_file_size_signal();
    register_all().map_err(|error| Failure::failed(format!("cannot catch signals: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
