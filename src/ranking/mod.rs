//! The images that drive each unit most and least.

pub mod block;
mod configuration;
pub mod digests;
mod file;
mod manifest;
mod merge;
mod top_k;

use std::path::PathBuf;

use thiserror::Error;

use crate::blocks::BlockError;
use crate::engine::Extremes;
use crate::error::{ErrorKind, HasKind};
use crate::files::{Digest, FileError, escaped, shown};

pub use configuration::{
    BlockImages, RankedLayer, RankingConfiguration, RankingRecord, StoredRanking, images_a_block,
};
pub use file::{Expected, LayerFiles};
pub use manifest::RankingManifest;
pub use merge::merge_ranking;
pub use top_k::TopK;

/// Errors of rankings.
#[derive(Debug, Error)]
pub enum RankingError {
    /// A ranking file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An error of a ranking's blocks.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A ranking made for something else.
    #[error(
        "{}: made for {what} {}; this sweep has {}; rank again",
        shown(path),
        escaped(found),
        escaped(expected)
    )]
    MadeForOther {
        /// The file or folder.
        path: PathBuf,
        /// The differing property.
        what: &'static str,
        /// Its value in the ranking.
        found: String,
        /// Its value in the sweep.
        expected: String,
    },
}

impl HasKind for RankingError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Block(error) => error.kind(),
            Self::MadeForOther { .. } => ErrorKind::Input,
        }
    }
}

/// One image in a unit's ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The image's index.
    pub image: u32,
    /// The flat position `y * width + x` of the response on the layer's output.
    pub position: u32,
    /// The response; `None` if the ranking file has no responses.
    pub response: Option<f32>,
}

/// A unit's images, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitRanking {
    /// The images with the largest responses, and the positions.
    pub top: Vec<Entry>,
    /// The images with the smallest responses, and the positions.
    pub bottom: Vec<Entry>,
}

/// One end of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The largest responses.
    Top,
    /// The smallest responses.
    Bottom,
}

impl Side {
    /// Both ends, in the order of sweeping.
    pub const BOTH: [Self; 2] = [Self::Top, Self::Bottom];

    /// `max` or `min`, as in the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Top => "max",
            Self::Bottom => "min",
        }
    }
}

impl UnitRanking {
    /// The images at one end, best first.
    pub fn side(&self, side: Side) -> &[Entry] {
        match side {
            Side::Top => &self.top,
            Side::Bottom => &self.bottom,
        }
    }
}

/// The ranking of one layer, per unit.
pub type LayerRanking = Vec<UnitRanking>;

/// The SHA-256 of the swept part of a layer's ranking: image and position of the first `top`
/// entries of each of `units`, from either end.
pub fn swept_digest(ranking: &[UnitRanking], units: &[usize], top: usize) -> Digest {
    let mut bytes = Vec::new();
    for &unit in units {
        for side in Side::BOTH {
            for Entry { image, position, .. } in ranking[unit].side(side).iter().take(top) {
                bytes.extend(image.to_le_bytes());
                bytes.extend(position.to_le_bytes());
            }
        }
    }
    Digest::of(&bytes)
}

/// Collects the best `n` images of every unit of a layer. Memory grows with units × `n`, not with
/// images.
#[derive(Debug)]
pub struct Collector {
    top: Vec<TopK>,
    bottom: Vec<TopK>,
}

impl Collector {
    /// A collector for `units` units.
    pub fn new(units: usize, n: usize) -> Self {
        Self { top: vec![TopK::new(n); units], bottom: vec![TopK::new(n); units] }
    }

    /// Adds an image. Images come in the order of their indices: of equal responses, the earlier
    /// image stays ahead.
    pub fn add(&mut self, image: u32, units: &[Extremes]) {
        for (unit, extremes) in units.iter().enumerate() {
            self.top[unit].push(extremes.max, image, extremes.max_at);
            // The smallest response is the largest negated one; negation is exact.
            self.bottom[unit].push(-extremes.min, image, extremes.min_at);
        }
    }

    /// Adds the ranking of later images.
    pub fn add_ranking(&mut self, ranking: &LayerRanking) {
        for (unit, ranked) in ranking.iter().enumerate() {
            for Entry { image, position, response } in &ranked.top {
                self.top[unit].push(response.unwrap_or(f32::NAN), *image, *position);
            }
            for Entry { image, position, response } in &ranked.bottom {
                self.bottom[unit].push(-response.unwrap_or(f32::NAN), *image, *position);
            }
        }
    }

    /// The ranking of the images added.
    pub fn finish(self) -> LayerRanking {
        let bottom = |best: TopK| {
            let negate = |entry: Entry| Entry { response: entry.response.map(|r| -r), ..entry };
            best.into_entries().into_iter().map(negate).collect()
        };
        self.top
            .into_iter()
            .zip(self.bottom)
            .map(|(top, low)| UnitRanking { top: top.into_entries(), bottom: bottom(low) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extremes(max: f32, min: f32, image: u32) -> Vec<Extremes> {
        vec![Extremes { max, max_at: image * 10, min, min_at: image * 10 + 1 }]
    }

    #[test]
    fn images_are_ranked_from_both_ends_and_ties_go_to_the_earlier_one() {
        let mut collector = Collector::new(1, 3);
        let responses = [(1.0, -1.0), (3.0, 0.5), (3.0, -1.0), (2.0, -4.0), (3.0, -1.0)];
        for (image, (max, min)) in responses.into_iter().enumerate() {
            collector.add(image as u32, &extremes(max, min, image as u32));
        }
        let ranking = collector.finish();
        let images = |entries: &[Entry]| -> Vec<(u32, u32, f32)> {
            entries.iter().map(|e| (e.image, e.position, e.response.unwrap())).collect()
        };
        assert_eq!(images(&ranking[0].top), [(1, 10, 3.0), (2, 20, 3.0), (4, 40, 3.0)]);
        assert_eq!(images(&ranking[0].bottom), [(3, 31, -4.0), (0, 1, -1.0), (2, 21, -1.0)]);
    }

    #[test]
    fn rankings_of_parts_make_the_ranking_of_all() {
        let responses =
            [(1.0, 0.0), (3.0, -0.0), (3.0, -1.0), (2.0, -4.0), (3.0, -1.0), (0.0, 0.0)];
        let all = |range: std::ops::Range<usize>| {
            let mut collector = Collector::new(1, 3);
            for image in range {
                let (max, min) = responses[image];
                collector.add(image as u32, &extremes(max, min, image as u32));
            }
            collector.finish()
        };
        for cut in 1..5 {
            let mut joined = Collector::new(1, 3);
            joined.add_ranking(&all(0..cut));
            joined.add_ranking(&all(cut..6));
            assert_eq!(joined.finish(), all(0..6), "{cut}");
        }
    }
}
