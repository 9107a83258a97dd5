//! What a ranking's blocks depend on, and how the ranking is cut into blocks.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blocks::Stored;
use crate::engine::EngineName;
use crate::files::Digest;
use crate::images::ImageConfiguration;
use crate::network::ModelConfiguration;

/// What a folder of a ranking's blocks keeps about its job.
pub type StoredRanking = Stored<RankingConfiguration, ()>;

/// Everything that the bytes of a ranking depend on, and how it is cut into blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingConfiguration {
    /// The program's version: another may round differently.
    pub program: String,
    /// The network and its weights.
    pub model: ModelConfiguration,
    /// The images.
    pub images: ImageConfiguration,
    /// Images a unit, at either end.
    pub top: usize,
    /// The layers.
    pub layers: Vec<RankedLayer>,
    /// Images a block.
    pub block: usize,
}

/// A layer in a [`RankingConfiguration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedLayer {
    /// The layer's short name.
    pub layer: String,
    /// Its units.
    pub units: usize,
    /// The engine that computes the responses.
    pub engine: EngineName,
}

/// What is told about a block of a ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingRecord {
    /// Seconds that it took.
    pub seconds: f64,
    /// The SHA-256 of each image's file.
    pub digests: Vec<Digest>,
}

/// Images that are ranked together and kept in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockImages {
    /// The block's name: the first and the last image, such as `images-0-63`.
    pub name: String,
    /// The images' indices.
    pub images: Range<usize>,
}

/// Most blocks of a ranking: each holds the best images of every unit, so few are better, but for
/// the tasks that share them.
const BLOCKS: usize = 64;
/// Fewest images of a block.
const IMAGES: usize = 64;
/// Images that a GPU ranks at a time, whatever part of them it gets: larger blocks are multiples.
/// The number does not depend on the engine, so that any machine can finish the ranking.
const BATCH: usize = 128;

/// Images a block of a ranking of `images`.
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

    /// The configuration of the same ranking without any layer: rankings with equal ones can be
    /// kept in one folder.
    #[must_use]
    pub fn without_layers(&self) -> Self {
        Self { layers: Vec::new(), ..self.clone() }
    }

    /// The layer of a short name.
    pub fn layer(&self, name: &str) -> Option<&RankedLayer> {
        self.layers.iter().find(|layer| layer.layer == name)
    }

    /// Units of each layer.
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
