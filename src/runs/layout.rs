//! The names of an output folder's folders and files.

use std::path::{Path, PathBuf};

/// The folder of rankings; and, in that of blocks, of their blocks.
pub const RANKING: &str = "ranking";
/// The folder of maps; and, in that of blocks, of their blocks.
pub const MAPS: &str = "maps";
/// The folder of blocks that are finished but not put together yet.
pub const BLOCKS: &str = "blocks";
/// The folder of plots.
pub const PLOTS: &str = "plots";
/// The report.
pub const REPORT: &str = "report.html";

/// The folder, in an output folder, of the blocks of rankings or of maps.
pub fn blocks(output: &Path, kind: &str) -> PathBuf {
    output.join(BLOCKS).join(kind)
}
