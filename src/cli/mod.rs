//! The command line: arguments, progress, messages and exit codes. Only this module prints.
#![allow(
    clippy::doc_markdown,
    reason = "doc comments of arguments are help texts, read as they are"
)]

mod arguments;
mod console;
mod demo;
mod failure;
mod info;
mod inputs;
mod map;
mod method;
mod output;
mod plan;
mod progress;
mod rank;
mod run;
mod sweep;
mod table;
mod threads;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::failure::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed: an image, a weight file or a ranking is not usable, or could not be written
  2    wrong usage: an argument is not usable, or would overwrite something without --force
  130  stopped by Ctrl-C or SIGTERM; finished layers are kept";

const EXAMPLES: &str = "\
Examples:
  occlumap demo
      the whole job on a built-in network whose receptive fields are known
  occlumap info --model alexnet
      layers, receptive fields and occluders
  occlumap run --model alexnet --weights alexnet.safetensors --images photos/ --out maps/
      the maps of every unit of every convolution
  occlumap plan --model alexnet --weights alexnet.safetensors --images photos/ --out maps/
      how long that would take, and how much room";

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
    Map(map::Map),
    Info(info::Info),
    Demo(demo::Demo),
    /// Print completions for a shell
    #[command(after_help = "\
Example:
  occlumap completions bash > ~/.local/share/bash-completion/completions/occlumap")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Set by Ctrl-C; the work looks at it between presentations.
static STOP: AtomicBool = AtomicBool::new(false);

/// Parses the arguments, runs the command and reports.
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let outcome = stop_on_signals().and_then(|()| match command {
        Command::Run(command) => command.execute(),
        Command::Rank(command) => command.execute(),
        Command::Sweep(command) => command.execute(),
        Command::Plan(command) => command.execute(),
        Command::Map(command) => command.execute(),
        Command::Info(command) => command.execute(),
        Command::Demo(command) => command.execute(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "occlumap", &mut script);
            console::print(&script)
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::say(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Ctrl-C and SIGTERM ask the work to stop; a second one ends the program at once.
fn stop_on_signals() -> Result<(), Failure> {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(failure::STOPPED));
        }
    };
    Ok(ctrlc::set_handler(handler).context("cannot catch Ctrl-C")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
