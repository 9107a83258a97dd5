//! Text of the scripts.

use std::path::{Path, PathBuf};

use super::shell::{directive, quoted};
use super::{SlurmSettings, TaskArray, TimeLimit, Word};
use crate::VERSION;

/// A job; each starts after the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Rank,
    Sweep,
    Merge,
}

/// Contents of the scripts.
pub(super) struct Scripts<'a> {
    pub slurm: &'a SlurmSettings,
    /// Folders of the scripts and of the logs.
    pub folder: PathBuf,
    pub logs: PathBuf,
    /// The program, quoted for bash.
    pub program: Vec<u8>,
    /// Tasks of the ranking, which may have fewer blocks than the sweep has tasks.
    pub ranking: TaskArray,
    /// Processes per task and threads per process, unless the options say otherwise.
    pub processes: usize,
    pub threads: Option<usize>,
    /// Processors and MiB per task.
    pub processors: usize,
    pub mebibytes: u64,
    pub out: &'a Path,
    /// Files that must exist when the scripts are submitted.
    pub needed: Vec<&'a Path>,
}

const SIGNALS: &str = include_str!("parts/signals.sh");
const PROCESSES: &str = include_str!("parts/processes.sh");
const SUBMIT: &str = include_str!("parts/submit.sh");

/// Seconds between the signal and the end of a task's time. Slurm may be a minute late.
const NOTICE: u32 = 120;

impl Part {
    /// Name of the script, the job and its logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rank => "rank",
            Self::Sweep => "sweep",
            Self::Merge => "merge",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Rank => "Ranks: each task its part, then what others have not begun.",
            Self::Sweep => "Sweeps: each task its part, then what others have not begun.",
            Self::Merge => "Puts together what the tasks have computed, or lists what is missing.",
        }
    }
}

/// Text with paths that may not be UTF-8.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn line(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.0.extend(text.as_ref());
        self.0.push(b'\n');
        self
    }

    /// Appends a name, `=` and a word quoted for bash.
    fn set(&mut self, name: &str, word: &[u8]) -> &mut Self {
        self.line([name.as_bytes(), b"=", &quoted(word)].concat())
    }

    fn directive(&mut self, name: &str, word: impl AsRef<[u8]>) -> &mut Self {
        self.line([&b"#SBATCH --"[..], name.as_bytes(), b"=", &directive(word.as_ref())].concat())
    }
}

impl<'a> Scripts<'a> {
    /// The script of a part.
    pub fn task(&self, part: Part) -> Vec<u8> {
        let mut text = Text::default();
        text.line("#!/bin/bash");
        text.line(format!("# {} Written by occlumap {VERSION};", part.about()));
        text.line("# to be submitted in the folder in which it was written.");
        self.directives(part, &mut text);
        text.line("").line(SIGNALS);
        if !self.slurm.setup.is_empty() {
            for command in &self.slurm.setup {
                text.line(command);
            }
            text.line("");
        }
        self.command(part, &mut text);
        text.0.extend(PROCESSES.as_bytes());
        text.0
    }

    fn directives(&self, part: Part, text: &mut Text) {
        let slurm = self.slurm;
        text.directive("job-name", format!("{}-{}", slurm.job_name.as_str(), part.name()));
        let array = match part {
            Part::Rank => Some(&self.ranking),
            Part::Sweep => Some(&slurm.array),
            Part::Merge => None,
        };
        if let Some(array) = array {
            text.directive("array", array.to_string());
        }
        // Name of the part, number of the job, number of the task.
        let number = if array.is_some() { "%A_%a" } else { "%j" };
        let log = format!("{}-{number}.log", part.name());
        let logs = self.logs.as_os_str().as_encoded_bytes();
        let mut path = Vec::with_capacity(logs.len());
        for &byte in logs {
            path.extend(std::iter::repeat_n(byte, if byte == b'%' { 2 } else { 1 }));
        }
        text.directive("output", [&path[..], b"/", log.as_bytes()].concat());
        text.line("#SBATCH --open-mode=append");
        text.line("#SBATCH --requeue");
        text.line(format!("#SBATCH --signal=B:USR1@{NOTICE}"));
        text.line("#SBATCH --nodes=1").line("#SBATCH --ntasks=1");
        if part == Part::Merge {
            // A merge holds one block at a time.
            text.line("#SBATCH --cpus-per-task=1").line("#SBATCH --mem=1024M");
        } else {
            text.directive("cpus-per-task", self.processors.to_string());
            text.directive("mem", format!("{}M", self.mebibytes));
            if let Some(gpus) = &slurm.gpus {
                text.directive("gres", format!("gpu:{gpus}"));
            }
        }
        let word = |word: &'a Option<Word>| word.as_ref().map(Word::as_str);
        for (name, value) in [
            ("time", slurm.time.as_ref().map(TimeLimit::as_str)),
            ("partition", word(&slurm.partition)),
            ("constraint", word(&slurm.constraint)),
            ("account", word(&slurm.account)),
            ("qos", word(&slurm.qos)),
        ] {
            if let Some(value) = value {
                text.directive(name, value);
            }
        }
        for option in &slurm.sbatch {
            text.line(format!("#SBATCH {}", option.as_str()));
        }
    }

    fn command(&self, part: Part, text: &mut Text) {
        let processes = if part == Part::Merge { 1 } else { self.processes };
        text.set("processes_a_task", processes.to_string().as_bytes());
        text.set("requeues", self.slurm.requeues.to_string().as_bytes());
        text.line([&b"program=("[..], &self.program, b")"].concat());
        if part == Part::Merge {
            let out = quoted(self.out.as_os_str().as_encoded_bytes());
            text.line([&b"command=(\"${program[@]}\" merge "[..], &out, b")"].concat());
        } else {
            text.line("command=(");
            let rank = if part == Part::Rank { " --rank-only" } else { "" };
            text.line(format!("    \"${{program[@]}}\" run{rank} --shard slurm"));
            for option in &self.slurm.options {
                let words = option.iter().map(|word| quoted(word.as_encoded_bytes()));
                text.line([&b"    "[..], &words.collect::<Vec<_>>().join(&b' ')].concat());
            }
            if let Some(threads) = self.threads {
                let threads = match processes {
                    1 => format!("\"${{SLURM_CPUS_PER_TASK:-{threads}}}\""),
                    _ => threads.to_string(),
                };
                text.line(format!("    --threads {threads}"));
            }
            text.line(")");
        }
        text.line("");
    }

    /// The script that submits `parts`.
    pub fn submission(&self, parts: &[Part]) -> Vec<u8> {
        let mut text = Text::default();
        let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
        text.line("#!/bin/bash");
        text.line(format!("# Submits {}, each after the one before it.", names.join(", ")));
        text.line(format!("# Written by occlumap {VERSION}; options go to sbatch."));
        text.line("set -eo pipefail").line("");
        text.set("scripts", self.folder.as_os_str().as_encoded_bytes());
        text.line(format!("parts=({})", names.join(" ")));
        let needed: Vec<Vec<u8>> =
            self.needed.iter().map(|path| quoted(path.as_os_str().as_encoded_bytes())).collect();
        text.line([&b"needed=("[..], &needed.join(&b' '), b")"].concat()).line("");
        text.0.extend(SUBMIT.as_bytes());
        text.0
    }
}
