//! The owner of a lease.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A process, as its leases name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// Name of the machine, for messages.
    pub host: String,
    /// Process number on that machine.
    pub process: u32,
    /// Identifier of the machine's kernel since its boot, if the system provides one. Processes
    /// with equal identifiers can ask one kernel which of them are alive.
    pub boot: Option<String>,
    /// Random number that distinguishes otherwise equal processes.
    pub nonce: u64,
}

impl Owner {
    /// The current process.
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
