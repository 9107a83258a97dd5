//! Disks that are full, or cannot be written.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::workplace::{RUN, messages, same_results_in, start, workplace};
use crate::common::say_skipped;
use crate::workplace::{Workplace, tree};

/// A small file system of its own. It needs root; a test that cannot have it says so.
struct Disk(PathBuf);

impl Disk {
    fn mount(test: &str, path: PathBuf, kib: u64) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let size = format!("size={kib}k");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "occlumap-test"])
            .arg(&path)
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        say_skipped(test, "no tmpfs can be mounted here; it needs root");
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn run(workplace: &Workplace, out: &Path) -> (Option<i32>, String) {
    let line = format!("{RUN} --out {}", out.display());
    let output = start(workplace, &line).wait_with_output().unwrap();
    (output.status.code(), messages(&output))
}

#[test]
fn a_disk_that_is_full_at_any_point_is_told_and_loses_nothing() {
    let workplace = workplace();
    let pages = |content: &Option<Vec<u8>>| {
        content.as_ref().map_or(0, |bytes| bytes.len().div_ceil(4096) as u64)
    };
    let kib: u64 = 4 * tree(&workplace.path("whole")).values().map(pages).sum::<u64>();
    let points = 24;
    let mut full = 0;
    for point in 1..=points {
        let path = workplace.path(format!("disk-{point}"));
        let Some(disk) = Disk::mount("full disks", path.clone(), kib * point / (points + 1)) else {
            return;
        };
        let out = path.join("out");
        let (code, told) = run(&workplace, &out);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("No space left on device"), "{told}");
        assert!(told.contains(&path.display().to_string()), "{told}");
        let finished = |name: &&PathBuf| name.extension().is_some_and(|kind| kind == "block");
        let before: Vec<PathBuf> = tree(&path).keys().filter(finished).cloned().collect();
        // Once more does no harm, and neither does room.
        assert_eq!(run(&workplace, &out).0, Some(1));
        for name in before {
            let ranked = name.to_string_lossy().contains("ranking");
            assert!(ranked || path.join(&name).exists(), "{}", name.display());
        }
        disk.remount("size=64m");
        let (code, told) = run(&workplace, &out);
        assert_eq!(code, Some(0), "{told}");
        same_results_in(&workplace, &out);
        full += 1;
    }
    eprintln!("full disks: {full} points; told, nothing lost, equal results");
    assert!(full >= 20);
}

#[test]
fn a_disk_that_cannot_be_written_is_told_and_stays_as_it_is() {
    let workplace = workplace();
    let path = workplace.path("disk");
    let Some(disk) = Disk::mount("read-only disks", path.clone(), 64 << 10) else { return };
    let out = path.join("out");
    let shard = format!("{RUN} --shard 1/2 --quiet --out {}", out.display());
    workplace.succeeds(&shard);
    disk.remount("ro");
    let before = tree(&path);
    let (code, told) = run(&workplace, &out);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("cannot be written: Read-only file system"), "{told}");
    let merge = workplace.run(&format!("merge {}", out.display()));
    assert_eq!(merge.status.code(), Some(1), "{}", messages(&merge));
    assert!(workplace.run(&format!("status {}", out.display())).status.success());
    assert!(tree(&path) == before);
    disk.remount("rw");
    let (code, told) = run(&workplace, &out);
    assert_eq!(code, Some(0), "{told}");
    same_results_in(&workplace, &out);
    eprintln!("read-only disks: told, nothing changed, and afterwards equal results");
}
