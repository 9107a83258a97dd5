//! A small sweep with many blocks, and its undisturbed results.

use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use occlumap::noise::philox4x32_10;

use crate::workplace::{Workplace, same_trees, tree};

/// A ranking of four blocks and a sweep of eighteen, in less than a second.
pub const RUN: &str = "run --model model.json --weights tiny.npz --images images --top 4 \
                       --layers conv2,conv4 --every 5 --block 1 --threads 1";

/// A workplace with 256 images, and an undisturbed run in `whole/`.
pub fn workplace() -> Workplace {
    let workplace = Workplace::new();
    for image in 4..256 {
        workplace.copy(&format!("images/{}.npy", image % 4), &format!("images/{image}.npy"));
    }
    workplace.succeeds(&format!("{RUN} --out whole --quiet"));
    workplace
}

/// The results are those of the undisturbed run, to the byte, and nothing else is left.
pub fn same_results(workplace: &Workplace, out: &str) {
    same_results_in(workplace, &workplace.path(out));
}

pub fn same_results_in(workplace: &Workplace, out: &Path) {
    for folder in ["maps", "ranking"] {
        let [found, whole] = [out, &workplace.path("whole")].map(|out| tree(&out.join(folder)));
        same_trees(&found, &whole, folder);
    }
    let [found, whole] = [out, &workplace.path("whole")].map(tree);
    assert!(found.keys().eq(whole.keys()), "{:?}", found.keys());
    let manifest: serde_json::Value = crate::common::json(&out.join("manifest.json"));
    assert_eq!(manifest["complete"], true);
}

/// How long a run takes that nobody disturbs, at this moment.
pub fn undisturbed(workplace: &Workplace) -> Duration {
    let start = Instant::now();
    workplace.succeeds(&format!("{RUN} --out undisturbed --quiet"));
    let time = start.elapsed();
    std::fs::remove_dir_all(workplace.path("undisturbed")).unwrap();
    time
}

pub fn copy_folder(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-r").args([from, to]).status().unwrap();
    assert!(copied.success());
}

pub fn start(workplace: &Workplace, line: &str) -> Child {
    let mut command = workplace.command(line);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

pub fn messages(output: &Output) -> String {
    let messages = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!messages.contains("panicked at"), "{messages}");
    messages
}

/// The names of the blocks that are finished.
pub fn blocks(out: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["ranking", "maps"] {
        let Ok(entries) = std::fs::read_dir(out.join("blocks").join(kind)) else { continue };
        // The folder may be removed while it is listed.
        let paths = entries.flatten().map(|entry| entry.path());
        let blocks = paths.filter(|path| path.extension().is_some_and(|kind| kind == "block"));
        found.extend(blocks.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()));
    }
    found.sort();
    found
}

pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_mins(1), "no {what} after a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Numbers that look random, the same each time.
pub struct Dice(u32);

impl Dice {
    pub fn new(seed: u32) -> Self {
        Self(seed << 16)
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        f64::from(self.below(1 << 16)) / f64::from(1 << 16)
    }

    pub fn below(&mut self, end: u32) -> u32 {
        self.0 += 1;
        philox4x32_10([self.0, 0, 0, 0], [0, 0])[0] % end
    }
}
