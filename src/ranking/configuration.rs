//! The configuration of a ranking, and its cut into blocks.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blocks::Stored;
use crate::engine::EngineName;
use crate::files::Digest;
use crate::images::ImageConfiguration;
use crate::network::ModelConfiguration;

/// The contents of a ranking's folder of blocks, beside the blocks.
pub type StoredRanking = Stored<RankingConfiguration, ()>;

/// Everything that determines the bytes of a ranking, and the cut into blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingConfiguration {
    /// Version of the program: versions may round differently.
    pub program: String,
    /// The network and its weights.
    pub model: ModelConfiguration,
    /// The images.
    pub images: ImageConfiguration,
    /// Images per unit, at either end.
    pub top: usize,
    /// The layers.
    pub layers: Vec<RankedLayer>,
    /// Images per block.
    pub block: usize,
}

/// A layer in a [`RankingConfiguration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedLayer {
    /// The layer's short name.
    pub layer: String,
    /// Number of units.
    pub units: usize,
    /// The engine that computes the responses.
    pub engine: EngineName,
}

/// The record of a block of a ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingRecord {
    /// Seconds of computation.
    pub seconds: f64,
    /// The SHA-256 of each image's file.
    pub digests: Vec<Digest>,
}

/// Images that are ranked together and stored in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockImages {
    /// The block's name: the first and the last image, such as `images-0-63`.
    pub name: String,
    /// The images' indices.
    pub images: Range<usize>,
}

/// Limit of the number of blocks. Each block holds the best images of every unit, so few blocks are
/// cheaper, but tasks share blocks.
const BLOCKS: usize = 64;
/// Minimum of images per block.
const IMAGES: usize = 64;
/// Batch size of a GPU, in images: larger blocks are multiples of it. It does not depend on the
/// engine, so any machine can finish the ranking.
const BATCH: usize = 128;

/// Images per block of a ranking of `images`.
pub fn images_a_block(images: usize) -> usize {
    let block = images.div_ceil(BLOCKS).max(IMAGES);
    if block > BATCH { block.next_multiple_of(BATCH) } else { block }
}

impl RankingConfiguration {
    /// The blocks, in the order of their images.
    pub fn blocks(&self) -> Vec<BlockImages> {
        let (images, block) = (self.images.names.len(), self.block.max(1));
        let range = |first: usize| first..(first + block).min(images);
        let named = |images: Range<usize>| BlockImages {
            name: format!("images-{}-{}", images.start, images.end - 1),
            images,
        };
        (0..images).step_by(block).map(range).map(named).collect()
    }

    /// The names of the blocks.
    pub fn names(&self) -> Vec<String> {
        self.blocks().into_iter().map(|block| block.name).collect()
    }

    /// The configuration without its layers: rankings that agree in it can share a folder.
    #[must_use]
    pub fn without_layers(&self) -> Self {
        Self { layers: Vec::new(), ..self.clone() }
    }

    /// The layer with this short name.
    pub fn layer(&self, name: &str) -> Option<&RankedLayer> {
        self.layers.iter().find(|layer| layer.layer == name)
    }

    /// Number of units of each layer.
    pub fn units(&self) -> Vec<usize> {
        self.layers.iter().map(|layer| layer.units).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_few_and_large_ones_are_whole_batches() {
        for (images, block) in [(1, 64), (4096, 64), (5000, 79), (8192, 128), (50_000, 896)] {
            assert_eq!(images_a_block(images), block, "{images}");
        }
        assert!(1_281_167_usize.div_ceil(images_a_block(1_281_167)) <= BLOCKS);
    }
}
