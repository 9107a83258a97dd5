//! Who claims a block.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A process that claims blocks, as it stands in its claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The machine's name, for people.
    pub host: String,
    /// The process, as the machine numbers it.
    pub process: u32,
    /// The machine and its start, where it tells: processes with the same one run on one kernel,
    /// which knows who of them is alive.
    pub boot: Option<String>,
    /// Tells processes apart that are otherwise alike.
    pub nonce: u64,
}

impl Owner {
    /// This process.
    pub fn this_process() -> Self {
        let line = |path: &str| {
            let text = std::fs::read_to_string(path).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            host: line("/proc/sys/kernel/hostname")
                .or_else(|| std::env::var("HOSTNAME").ok())
                .unwrap_or_else(|| "unknown".into()),
            process: std::process::id(),
            boot: line("/proc/sys/kernel/random/boot_id"),
            nonce: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
                as u64,
        }
    }
}
