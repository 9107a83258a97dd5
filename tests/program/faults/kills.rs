//! `kill -9` at any moment.

use std::process::Child;
use std::time::{Duration, Instant};

use super::workplace::{Dice, RUN, blocks, same_results, start, undisturbed, workplace};
use crate::workplace::Workplace;

const KILLS: usize = 100;

/// Lets a process run for a random time, and kills it if it is not done; whether it was killed.
fn killed(mut child: Child, dice: &mut Dice, most: Duration) -> bool {
    let (start, time) = (Instant::now(), most.mul_f64(dice.share()));
    while start.elapsed() < time && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    if let Some(status) = child.try_wait().unwrap() {
        assert!(status.success(), "{status}");
        return false;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn a_run_that_is_killed_again_and_again_loses_no_block() {
    let workplace = workplace();
    let mut dice = Dice::new(1);
    let (mut kills, mut finished, mut blocks_kept) = (0, 0, 0);
    while kills < KILLS {
        let mut most = undisturbed(&workplace) / 2;
        let mut before: Vec<String> = Vec::new();
        loop {
            let was_killed =
                killed(start(&workplace, &format!("{RUN} --out out")), &mut dice, most);
            // However busy the machine becomes, it gets there.
            most = most.mul_f64(1.05);
            let after = blocks(&workplace.path("out"));
            // Those of the ranking go when it is put together, and all when the maps are.
            let ranked = workplace.path("out/ranking/ranking.json").exists();
            let merged = !workplace.path("out/blocks/maps").exists();
            let lost = before.iter().filter(|name| {
                let gone = if name.starts_with("images") { ranked } else { merged };
                !after.contains(name) && !gone
            });
            assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new());
            kills += usize::from(was_killed);
            blocks_kept += usize::from(was_killed && !after.is_empty());
            if !was_killed {
                break;
            }
            before = after;
        }
        same_results(&workplace, "out");
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
        finished += 1;
    }
    eprintln!(
        "kill -9: {kills} times, {blocks_kept} of them with blocks; {finished} equal results"
    );
    assert!(blocks_kept > KILLS / 4);
}

#[test]
fn shards_that_are_killed_give_the_same_maps() {
    let workplace = workplace();
    let mut dice = Dice::new(2);
    for (shards, threads) in [(3, 2), (16, 1)] {
        let kills = killed_shards(&workplace, shards, threads, &mut dice);
        workplace.succeeds("merge out --quiet");
        same_results(&workplace, "out");
        eprintln!("kill -9: {shards} shards on {threads} threads, {kills} kills; equal results");
        assert!(kills > 0);
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
    }
}

/// Starts shards in random order, four at a time, and kills them at random until all are done.
fn killed_shards(workplace: &Workplace, shards: u32, threads: u32, dice: &mut Dice) -> usize {
    let run = RUN.replace("--threads 1", &format!("--threads {threads}"));
    let mut left: Vec<u32> = (1..=shards).collect();
    // A shard takes but a part of that.
    let (mut kills, mut most) = (0, undisturbed(workplace) / 4);
    while !left.is_empty() {
        let running: Vec<(u32, Child)> = (0..4.min(left.len()))
            .map(|_| {
                let shard = left.swap_remove(dice.below(left.len() as u32) as usize);
                (shard, start(workplace, &format!("{run} --shard {shard}/{shards} --out out")))
            })
            .collect();
        for (shard, child) in running {
            if killed(child, dice, most) {
                kills += 1;
                left.push(shard);
            }
        }
        most = most.mul_f64(1.1);
    }
    kills
}
