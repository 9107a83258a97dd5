//! What is finished stays, and what is left beside it goes.

use std::process::Child;
use std::time::SystemTime;

use super::workplace::{RUN, copy_folder, messages, same_results, start, workplace};
use crate::workplace::{Workplace, tree};

/// When each file of the results was written.
fn times(workplace: &Workplace) -> Vec<SystemTime> {
    let files = tree(&workplace.path("out")).into_iter().filter(|(_, content)| content.is_some());
    let path = |name| workplace.path("out").join(name);
    files.map(|(name, _)| path(name).metadata().unwrap().modified().unwrap()).collect()
}

fn run_again(workplace: &Workplace) {
    let output = start(workplace, &format!("{RUN} --out out")).wait_with_output().unwrap();
    let told = messages(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("ranking: already complete"), "{told}");
    assert!(told.contains("already complete"), "{told}");
}

#[test]
fn what_is_finished_is_not_made_again_by_any_number_of_processes() {
    let workplace = workplace();
    copy_folder(&workplace.path("whole"), &workplace.path("out"));
    let before = times(&workplace);
    let running: Vec<Child> =
        (0..8).map(|_| start(&workplace, &format!("{RUN} --out out"))).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        let told = messages(&output);
        assert!(output.status.success() && told.contains("already complete"), "{told}");
    }
    same_results(&workplace, "out");
    assert_eq!(times(&workplace), before);
}

#[test]
fn what_a_process_leaves_that_is_killed_at_its_very_end_is_removed() {
    let workplace = workplace();
    workplace.succeeds(&format!("{RUN} --shard 1/1 --out blocks --quiet"));
    // All blocks of the ranking, which whoever computes the last would put together.
    for (shard, out) in [("1/2", "ranked"), ("2/2", "other")] {
        workplace
            .succeeds(&format!("rank --shard {shard} --out {out} --quiet {}", ranking_of(RUN)));
    }
    copy_folder(
        &workplace.path("other/blocks/ranking/."),
        &workplace.path("ranked/blocks/ranking"),
    );
    copy_folder(&workplace.path("whole"), &workplace.path("out"));
    let before = times(&workplace);
    let litter = [
        "blocks/maps/.occlumap-a1.tmp",
        "blocks/maps/merge.lease-0",
        "blocks/ranking/merge.lease-0",
        "blocks/ranking.removed-7-0/images-0-63.block",
        "blocks/maps.removed-7/conv2-0-0.block",
        "blocks/.occlumap-a2.tmp",
        "blocks/images.sha256",
    ];
    for name in litter {
        std::fs::create_dir_all(workplace.path("out/blocks")).unwrap();
        if name.starts_with("blocks/maps/") {
            copy_folder(&workplace.path("blocks/blocks/maps"), &workplace.path("out/blocks/maps"));
        }
        if name.starts_with("blocks/ranking/") {
            copy_folder(
                &workplace.path("ranked/blocks/ranking"),
                &workplace.path("out/blocks/ranking"),
            );
        }
        let file = workplace.path("out").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, dead()).unwrap();
        run_again(&workplace);
        same_results(&workplace, "out");
        assert_eq!(times(&workplace), before, "{name}");
    }
    // One that was killed while it wrote the manifest.
    workplace.write("blocks/.occlumap-a3.tmp", "half of a manif");
    workplace.succeeds("merge blocks --quiet");
    same_results(&workplace, "blocks");
    eprintln!("leftovers: {} kinds, each removed; nothing made again", litter.len() + 1);
}

/// The first line of a lease, whose process is of this boot and dead.
fn dead() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let owner = serde_json::json!({
        "host": "here", "process": 1, "boot": boot.trim(), "nonce": 0,
    });
    format!("{owner}\n")
}

/// The arguments of a run that its ranking depends on.
fn ranking_of(run: &str) -> String {
    let run = run.trim_start_matches("run ");
    run.replace("--every 5", "").replace("--block 1", "")
}
