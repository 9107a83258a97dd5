//! Names of the folders and files in an output folder.

use std::path::{Path, PathBuf};

/// The folder of rankings, and of their blocks within the folder of blocks.
pub const RANKING: &str = "ranking";
/// The folder of maps, and of their blocks within the folder of blocks.
pub const MAPS: &str = "maps";
/// The folder of finished blocks that are not yet merged.
pub const BLOCKS: &str = "blocks";
/// The folder of plots.
pub const PLOTS: &str = "plots";
/// The report.
pub const REPORT: &str = "report.html";

/// The folder of the blocks of rankings or of maps in an output folder.
pub fn blocks(output: &Path, kind: &str) -> PathBuf {
    output.join(BLOCKS).join(kind)
}
