//! Limits of memory and threads.

use std::fs;

/// Memory and threads of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// Number of threads.
    pub threads: usize,
    /// Bytes of memory.
    pub memory: u64,
}

/// Requested and available resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// Number of threads.
    pub threads: usize,
    /// Whether fewer threads are acceptable.
    pub fewer_threads: bool,
    /// Requested limit of memory, in bytes.
    pub memory: Option<u64>,
    /// Default limit of memory, in bytes.
    pub usual: u64,
    /// Free memory in bytes, if known.
    pub free: Option<u64>,
}

/// Determines threads and memory. `needs` gives the minimum of memory for a number of threads.
/// Without a requested limit, memory follows the threads up to three quarters of the free memory;
/// beyond that, threads follow the memory.
///
/// # Errors
/// The bytes needed, if no number of threads fits.
pub(super) fn settle(demand: Demand, needs: impl Fn(usize) -> u64) -> Result<Budget, u64> {
    let Demand { threads, fewer_threads, memory, usual, free } = demand;
    let most = free.map_or(u64::MAX, |free| free / 4 * 3);
    let memory = memory.unwrap_or_else(|| needs(threads).clamp(usual.min(most), most));
    let fits = |threads: &usize| needs(*threads) <= memory;
    let fewest = if fewer_threads { 1 } else { threads };
    let threads = (fewest..=threads).rev().find(fits).ok_or_else(|| needs(fewest))?;
    Ok(Budget { threads, memory })
}

/// Free memory for this process, in bytes: of the machine, or of its control group, whichever is
/// less; `None` if the system does not report it.
pub(super) fn free_memory() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let of_machine = || -> Option<u64> {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
    };
    // Every surrounding group may have a limit.
    let of_groups = || -> Option<u64> {
        let text = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mut group = text.lines().find_map(|line| line.strip_prefix("0::"))?.trim();
        let mut least = None;
        loop {
            let folder = format!("/sys/fs/cgroup{group}");
            if let Some(limit) = number(&format!("{folder}/memory.max")) {
                let used = number(&format!("{folder}/memory.current")).unwrap_or(0);
                let left = limit.saturating_sub(used.saturating_sub(reclaimable(&folder)));
                least = Some(least.map_or(left, |least: u64| least.min(left)));
            }
            let Some((parent, _)) = group.rsplit_once('/') else { return least };
            group = parent;
        }
    };
    // Version 1 of control groups.
    let of_old_group = || {
        let folder = "/sys/fs/cgroup/memory";
        let limit = number(&format!("{folder}/memory.limit_in_bytes"))?;
        let used = number(&format!("{folder}/memory.usage_in_bytes"))?;
        Some(limit.saturating_sub(used.saturating_sub(reclaimable(folder))))
    };
    [of_machine(), of_groups(), of_old_group()].into_iter().flatten().min()
}

/// Memory of a control group that the system can reclaim, in bytes: cached files.
fn reclaimable(folder: &str) -> u64 {
    let text = fs::read_to_string(format!("{folder}/memory.stat")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("inactive_file "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::CpuEngine;
    use crate::geometry::ImageSize;
    use crate::network::{LayerId, Model, Network, PRESETS};
    use crate::sweep::MemoryShares;

    const GIB: u64 = 1 << 30;

    fn demand(threads: usize) -> Demand {
        Demand { threads, fewer_threads: true, memory: None, usual: 2 * GIB, free: Some(64 * GIB) }
    }

    #[test]
    fn memory_follows_threads_and_threads_follow_memory() {
        let needs = |threads| (threads as u64 + 4) * GIB / 8;
        let settled = |demand| settle(demand, needs);
        let of = |threads, memory| Ok(Budget { threads, memory });
        assert_eq!(settled(demand(4)), of(4, 2 * GIB));
        assert_eq!(settled(demand(60)), of(60, 8 * GIB));
        // Three quarters of 8 GiB hold 44 threads.
        assert_eq!(settled(Demand { free: Some(8 * GIB), ..demand(60) }), of(44, 6 * GIB));
        assert_eq!(settled(Demand { free: None, ..demand(900) }), of(900, 113 * GIB));
        assert_eq!(settled(Demand { free: Some(GIB), ..demand(60) }), of(2, 3 * GIB / 4));
        assert_eq!(settled(Demand { memory: Some(GIB), ..demand(60) }), of(4, GIB));
        // Contradictory demands.
        let both = Demand { memory: Some(GIB), fewer_threads: false, ..demand(60) };
        assert_eq!(settled(both), Err(8 * GIB));
        assert_eq!(settled(Demand { memory: Some(1), ..demand(9) }), Err(5 * GIB / 8));
    }

    #[test]
    fn every_preset_starts_with_any_number_of_threads() {
        for preset in PRESETS {
            let network = Network::preset(preset).unwrap();
            let layers: Vec<LayerId> = network.convolutions().map(|(id, _)| id).collect();
            let model = Model::random(network, 0).unwrap();
            let needs = |threads| {
                let image = ImageSize::square(227);
                let of = |total| {
                    MemoryShares::of(
                        total,
                        &[&CpuEngine::default()],
                        &model,
                        &layers,
                        image,
                        threads,
                    )
                };
                of(0).unwrap_err().needed as u64
            };
            for threads in [1, 2, 8, 12, 28, 32, 64, 128, 256] {
                for free in [4, 16, 256] {
                    let demand = Demand { free: Some(free * GIB), ..demand(threads) };
                    let found = settle(demand, needs).unwrap();
                    assert!(found.threads >= 1 && found.threads <= threads, "{preset} {threads}");
                    assert!(free < 256 || found.threads == threads, "{preset} {threads}");
                }
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_what_is_free() {
        assert!(free_memory().unwrap() > 1 << 20);
    }
}
