//! Activations of an original image.

use super::gate::Moments;
use crate::geometry::Span;

/// Activations of a rectangle of positions, `[y][x][channel]`.
#[derive(Debug, Default)]
pub(super) struct Activations<T = f32> {
    y: isize,
    x: isize,
    width: usize,
    pub channels: usize,
    pub values: Vec<T>,
}

impl<T: Clone + Default> Activations<T> {
    pub fn new(y: Span, x: Span, channels: usize) -> Self {
        let values = vec![T::default(); y.len() * x.len() * channels];
        Self { y: y.start, x: x.start, width: x.len(), channels, values }
    }

    /// The channels of `count` positions of row `y`, from column `x` on.
    pub fn row(&self, y: isize, x: isize, count: usize) -> &[T] {
        let position = (y - self.y) as usize * self.width + (x - self.x) as usize;
        &self.values[position * self.channels..][..count * self.channels]
    }

    /// The channels of a position.
    pub fn at(&self, y: isize, x: isize) -> &[T] {
        self.row(y, x, 1)
    }
}

/// The activations of one image, computed once for all its jobs.
///
/// Each value's bits depend on the image and the network alone: convolutions are tap products
/// ([`Product`](super::product::Product)) over zero-padded windows, so it does not matter which window was asked for.
#[derive(Debug)]
pub(super) struct Baseline {
    pub nodes: Vec<Activations>,
    /// Of each normalisation of groups, those of its input.
    pub moments: Vec<Vec<Moments>>,
    /// Of each function of single values that costs much or is presented over whole maps, its values in 64
    /// bits: presenting would compute them again and again.
    pub wide: Vec<Option<Activations<f64>>>,
}

impl Baseline {
    /// The activations of a node that the target keeps.
    pub fn node(&self, node: usize) -> &Activations {
        &self.nodes[node]
    }

    /// Moments of the groups that a node normalises.
    pub fn moments(&self, node: usize) -> &[Moments] {
        &self.moments[node]
    }
}
