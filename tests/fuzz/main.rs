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
use std::time::{Duration, Instant};

use mutation::Random;
use readers::Reader;
use watchdog::Watchdog;

/// The most memory that an input may take, in bytes.
const MOST_MEMORY: usize = 1 << 30;

/// The longest that an input may take.
const LONGEST: Duration = Duration::from_secs(5);

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
    let place = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for reader in readers::all(place.path()) {
        if only.as_ref().is_none_or(|only| *only == reader.name) {
            failed.extend(try_reader(&reader, &effort, &folder));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Tries a reader; the error names the first input that fails, and how.
fn try_reader(reader: &Reader, effort: &Effort, folder: &Path) -> Option<String> {
    let start = Instant::now();
    let mut random = Random::new(effort.seed);
    let (mut inputs, mut accepted, mut largest, mut longest) = (0_u64, 0_u64, 0, Duration::ZERO);
    let watchdog = Watchdog::start(reader.name, folder, LONGEST);
    loop {
        let done = match effort.inputs {
            Some(most) => inputs >= most,
            None => start.elapsed().as_secs_f64() >= effort.seconds,
        };
        if done {
            break;
        }
        let seed = &reader.seeds[random.below(reader.seeds.len())];
        // Each seed first as it is.
        let unchanged = reader.seeds.get(inputs as usize);
        let bytes = match unchanged {
            Some(seed) => (seed.pack)(&seed.bytes),
            None => (seed.pack)(&mutation::mutate(seed, &reader.seeds, &mut random)),
        };
        watchdog.watch(&bytes);
        allocator::reset();
        let begun = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| (reader.read)(&bytes)));
        let (took, peak) = (begun.elapsed(), allocator::peak());
        watchdog.rest();
        let problem = match &read {
            Err(_) => Some("panics".to_owned()),
            Ok(Err(message)) if unchanged.is_some() => {
                Some(format!("is valid, refused: {message}"))
            }
            Ok(Err(message)) if occlumap::files::needs_escaping(message) => {
                Some(format!("message that acts on a terminal: {message:?}"))
            }
            _ if took > LONGEST => Some(format!("takes {took:?}")),
            _ if peak > MOST_MEMORY => Some(format!("takes {peak} bytes")),
            _ => None,
        };
        if let Some(problem) = problem {
            let path = keep(folder, reader.name, &bytes);
            return Some(format!("{}, input {inputs}: {problem}: {}", reader.name, path.display()));
        }
        inputs += 1;
        accepted += u64::from(matches!(read, Ok(Ok(()))));
        largest = largest.max(peak);
        longest = longest.max(took);
    }
    println!(
        "{}: {inputs} inputs, {accepted} of them accepted, in {:.0} s; at most {:.1} MiB and {:.3} s",
        reader.name,
        start.elapsed().as_secs_f64(),
        largest as f64 / f64::from(1 << 20),
        longest.as_secs_f64()
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
