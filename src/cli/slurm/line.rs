//! The options of `run` as given, for an equivalent command line.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::cli::run::Run;

/// A `run`, with its options as given.
#[derive(Debug)]
pub(super) struct RunLine {
    pub run: Run,
    /// The given options, except for those with another meaning in a script; each as its words,
    /// such as `--top` and `20`.
    pub options: Vec<Vec<OsString>>,
}

/// Options that do not concern tasks.
const OWN: [&str; 3] = ["force", "rank_only", "shard"];

impl FromArgMatches for RunLine {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let run = Run::from_arg_matches(matches)?;
        let command = Run::augment_args(Command::new("run"));
        let mut options = Vec::new();
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let given = matches.value_source(id) == Some(ValueSource::CommandLine);
            let Some(name) = argument.get_long().filter(|_| given && !OWN.contains(&id)) else {
                continue;
            };
            let name = OsString::from(format!("--{name}"));
            if !argument.get_action().takes_values() {
                options.push(vec![name]);
                continue;
            }
            // A list is one word.
            let delimiter = argument.get_value_delimiter().unwrap_or(',').to_string();
            let values: Vec<OsString> =
                matches.get_raw(id).unwrap_or_default().map(OsString::from).collect();
            let value = values.join(OsStr::new(&delimiter));
            if value.as_encoded_bytes().starts_with(b"-") {
                let mut word = name;
                word.push("=");
                word.push(value);
                options.push(vec![word]);
            } else {
                options.push(vec![name, value]);
            }
        }
        Ok(Self { run, options })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RunLine {
    fn augment_args(command: Command) -> Command {
        // The description of `run` does not apply here.
        let about = command.get_about().cloned().unwrap_or_default();
        let long_about = command.get_long_about().cloned().unwrap_or_default();
        let after_help = command.get_after_help().cloned().unwrap_or_default();
        Run::augment_args(command)
            .about(about)
            .long_about(long_about)
            .after_help(after_help)
            .mut_arg("force", |force| {
                force.help("Replace scripts of the same names; results are left as they are")
            })
            // Tasks of an array know their shard.
            .mut_arg("shard", |shard| shard.hide(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Vec<Vec<String>> {
        let command = RunLine::augment_args(Command::new("slurm"));
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        let line = RunLine::from_arg_matches(&matches).unwrap();
        let words = |words: Vec<OsString>| {
            words.into_iter().map(|word| word.into_string().unwrap()).collect()
        };
        line.options.into_iter().map(words).collect()
    }

    /// Any option of `run`: parsing the generated line gives the same line.
    #[test]
    fn what_was_given_is_passed_on() {
        let line = "slurm --model alexnet --weights w.npz --images photos --out o --top=7 \
                    --layers conv3,conv1 --units 0-3,9 --mean=-1,0,0.5 --std 1,1,1 -q \
                    --memory 3GiB --method direct";
        let given = options(line);
        let has = |words: &[&str]| given.iter().any(|option| option == words);
        assert!(has(&["--top", "7"]) && has(&["--layers", "conv3,conv1"]), "{given:?}");
        assert!(has(&["--mean=-1,0,0.5"]) && has(&["--quiet"]) && has(&["--units", "0-3,9"]));
        assert_eq!(given.len(), 12, "{given:?}");
        let again: Vec<String> = given.concat();
        assert_eq!(options(&format!("slurm {}", again.join(" "))), given);
    }

    #[test]
    fn what_a_script_says_itself_is_left_out() {
        let line = "slurm --model m --weights w --images i --out o --force --rank-only";
        assert_eq!(options(line).len(), 4);
    }
}
