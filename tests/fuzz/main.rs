//! Every reader of files that somebody else may have made, on millions of damaged ones: none may
//! panic, take more than 5 seconds or more than 1 GiB, or say something that acts on a terminal.
//!
//! Inputs are valid files that are changed: bits, bytes, lengths, parts that are cut out, doubled or
//! put into one another, numbers and texts of JSON, and what lies inside of archives and behind
//! checksums, which are computed anew. The same seed gives the same inputs.
//!
//! Without more, each reader gets a second. `OCCLUMAP_FUZZ_SECONDS` gives each so many seconds,
//! `OCCLUMAP_FUZZ_INPUTS` so many inputs, whatever the time; `OCCLUMAP_FUZZ_READER` names one reader,
//! `OCCLUMAP_FUZZ_SEED` another seed. An input that fails is kept in `OCCLUMAP_FUZZ_FOLDER`, or a
//! folder `fuzz` of the target folder, and named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "shown where it is asked for: how much was tried")]

mod allocator;
mod mutation;
mod readers;
mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mutation::Random;
use readers::Reader;
use watchdog::Watchdog;

/// The most memory that an input may take, in bytes.
const MOST_MEMORY: usize = 1 << 30;

/// The longest that an input may take.
const LONGEST: Duration = Duration::from_secs(5);

/// After which a reader counts as hanging, also on a machine that has other work.
const HANGING: Duration = Duration::from_mins(1);

/// How long this thread has computed, where the system tells, so that other work of the machine
/// does not count; else the time.
fn computed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split(' ').next()?.parse().ok());
    told.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// How much is tried.
struct Effort {
    seconds: f64,
    inputs: Option<u64>,
    seed: u64,
}

fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok().map(|text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`; expected a number"))
    })
}

#[test]
fn no_input_harms_a_reader() {
    let effort = Effort {
        seconds: number("OCCLUMAP_FUZZ_SECONDS").unwrap_or(1.0),
        inputs: number("OCCLUMAP_FUZZ_INPUTS").map(|inputs| inputs as u64),
        seed: number("OCCLUMAP_FUZZ_SEED").map_or(1, |seed| seed as u64),
    };
    let folder = std::env::var_os("OCCLUMAP_FUZZ_FOLDER")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz"), PathBuf::from);
    let only = std::env::var("OCCLUMAP_FUZZ_READER").ok();
    let root = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for reader in readers::all(root.path()) {
        if only.as_ref().is_none_or(|only| *only == reader.name) {
            failed.extend(try_reader(&reader, &effort, &folder));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What was tried of a reader.
struct Trial<'a> {
    reader: &'a Reader,
    watchdog: Watchdog,
    folder: &'a Path,
    inputs: u64,
    accepted: u64,
    largest: usize,
    longest: Duration,
}

impl Trial<'_> {
    /// Tries an input, which is valid or may be anything; the answer names it if it fails, and how.
    fn input(&mut self, bytes: &[u8], valid: bool) -> Option<String> {
        self.watchdog.watch(bytes);
        allocator::reset();
        let begun = computed();
        let read = catch_unwind(AssertUnwindSafe(|| (self.reader.read)(bytes)));
        let (took, peak) = (computed().saturating_sub(begun), allocator::peak());
        self.watchdog.rest();
        let problem = match &read {
            Err(_) => Some("panics".to_owned()),
            Ok(Err(message)) if valid => Some(format!("is valid, refused: {message}")),
            Ok(Err(message)) if occlumap::files::needs_escaping(message) => {
                Some(format!("message that acts on a terminal: {message:?}"))
            }
            _ if took > LONGEST => Some(format!("takes {took:?}")),
            _ if peak > MOST_MEMORY => Some(format!("takes {peak} bytes")),
            _ => None,
        };
        self.inputs += 1;
        self.accepted += u64::from(matches!(read, Ok(Ok(()))));
        self.largest = self.largest.max(peak);
        self.longest = self.longest.max(took);
        problem.map(|problem| {
            let (name, path) = (self.reader.name, keep(self.folder, self.reader.name, bytes));
            format!("{name}, input {}: {problem}: {}", self.inputs, path.display())
        })
    }
}

/// Tries a reader; the answer names the first input that fails, and how.
fn try_reader(reader: &Reader, effort: &Effort, folder: &Path) -> Option<String> {
    let watchdog = Watchdog::start(reader.name, folder, HANGING);
    let (inputs, accepted, largest, longest) = (0, 0, 0, Duration::ZERO);
    let mut trial = Trial { reader, watchdog, folder, inputs, accepted, largest, longest };
    for seed in &reader.seeds {
        let failed = trial.input(&(seed.pack)(&seed.bytes), true);
        if failed.is_some() {
            return failed;
        }
    }
    for bytes in &reader.large {
        let failed = trial.input(bytes, false);
        if failed.is_some() {
            return failed;
        }
    }
    let (start, mut random) = (Instant::now(), Random::new(effort.seed));
    let done = |inputs: u64| match effort.inputs {
        Some(most) => inputs >= most,
        None => start.elapsed().as_secs_f64() >= effort.seconds,
    };
    while !done(trial.inputs) {
        let seed = &reader.seeds[random.below(reader.seeds.len())];
        let bytes = (seed.pack)(&mutation::mutate(seed, &reader.seeds, &mut random));
        let failed = trial.input(&bytes, false);
        if failed.is_some() {
            return failed;
        }
    }
    println!(
        "{}: {} inputs, {} of them accepted, in {:.0} s; at most {:.1} MiB and {:.3} s",
        reader.name,
        trial.inputs,
        trial.accepted,
        start.elapsed().as_secs_f64(),
        trial.largest as f64 / f64::from(1 << 20),
        trial.longest.as_secs_f64()
    );
    None
}

/// Keeps an input that fails.
fn keep(folder: &Path, reader: &str, bytes: &[u8]) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let digest = occlumap::files::Digest::of(bytes).to_string();
    let path = folder.join(format!("{reader}-{}", &digest[..16]));
    std::fs::write(&path, bytes).unwrap();
    path
}
