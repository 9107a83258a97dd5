//! `occlumap status`: progress of the work in an output folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{HumanCount, HumanDuration};
use occlumap::error::ErrorKind;
use occlumap::files::{escaped, shown};
use occlumap::runs::{self, Stage};

use super::arguments::RunningArguments;
use super::console;
use super::failure::Failure;
use super::table::table;
use super::terminal::Session;

/// Show the progress of the work in an output folder
///
/// Reads every block, so damaged ones are found. Prints blocks done, in work, missing and damaged,
/// the rate of all processes together, and the time left. The block of a killed process counts as missing if the process ran on this machine, otherwise as
/// in work until another process takes it over.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap status out/
  occlumap status out/ --json")]
pub(super) struct Status {
    /// Output folder
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also read every finished file, and fail if one has changed since it was written
    #[arg(long)]
    check: bool,
}

impl Status {
    pub fn execute(self) -> Result<(), Failure> {
        let session = Session::start(&RunningArguments { threads: None, quiet: true })?;
        let status = runs::status(&self.out, &session.context())?;
        let text = if self.json {
            let text = serde_json::to_string_pretty(&status);
            text.map_err(|error| Failure::failed(error.to_string()))? + "\n"
        } else {
            in_words(&status, &self.out)
        };
        console::print(text.as_bytes())?;
        if !self.check {
            return Ok(());
        }
        let errors = runs::check_files(&self.out, &session.context())?;
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        match lines.len() {
            0 => Ok(()),
            _ => Err(Failure::Error(ErrorKind::Input, lines.join("\n"))),
        }
    }
}

fn in_words(status: &runs::Status, out: &Path) -> String {
    let out = shown(out);
    let (what, counted) = match status.stage {
        Stage::Complete => return format!("{out}: complete\n"),
        Stage::Ranked => {
            return format!(
                "{out}: the ranking is complete; there are no maps; if no process is at work, \
                 `occlumap sweep` makes them, or the same `occlumap run` again\n"
            );
        }
        Stage::Stopped => {
            return format!("{out}: incomplete; nothing of the missing part is kept\n");
        }
        Stage::Ranking => ("", "images"),
        Stage::Maps => ("layer", "presentations"),
    };
    let mut rows =
        vec![[what, "blocks", "done", "in work", "missing", "damaged", counted].map(String::from)];
    for (name, part) in &status.parts {
        rows.push([
            name.clone(),
            part.blocks.to_string(),
            part.done.to_string(),
            part.in_work.to_string(),
            part.missing.to_string(),
            part.damaged.len().to_string(),
            format!("{} of {}", HumanCount(part.amount_done), HumanCount(part.amount)),
        ]);
    }
    let mut text = table(&rows, 1);
    // Writing to a string cannot fail.
    for damaged in status.parts.values().flat_map(|part| &part.damaged) {
        let damaged = escaped(damaged);
        let _ = writeln!(text, "damaged: {damaged}; it will be computed again");
    }
    if let Some(rate) = status.rate {
        let _ = writeln!(text, "{rate:.0} {counted} a second{}", left(status));
    }
    if status.parts.values().all(|part| part.done == part.blocks) {
        let _ = if status.merging {
            writeln!(text, "all blocks are there; a process puts them together")
        } else {
            writeln!(
                text,
                "all blocks are there; if no process is at work, `occlumap merge {out}` puts them \
                 together, or the same command again"
            )
        };
    }
    text
}

/// The time left, as a line goes on with it.
fn left(status: &runs::Status) -> String {
    if let Some(left) = status.seconds_left {
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        return format!("; {} left", HumanDuration(left));
    }
    let unknown = status.parts.iter().filter(|(_, part)| part.is_unknown());
    let names: Vec<&str> = unknown.map(|(name, _)| name.as_str()).collect();
    match names.len() {
        0 => String::new(),
        _ => format!("; no block of {} is finished: time left unknown", escaped(&names.join(", "))),
    }
}
