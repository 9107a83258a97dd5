//! Filters in the order in which the engine reads them.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::bf16::{self, Form, Parts};
use super::nonzero::LONGEST;
use super::product::{Block, TILE};
use super::winograd::Transformed;
use crate::geometry::PerAxis;
use crate::network::{Convolution, Filters};

/// The weights of one input channel of a tap. A vector of them never crosses a cache line, which
/// would take twice as long to read.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(128))]
struct Row([f32; TILE]);

/// A convolution's filters for [`Product`](super::product::Product) and
/// [`SparseProduct`](super::sparse::SparseProduct).
#[derive(Debug)]
pub(super) struct Packed {
    /// `[group][tile][ky][kx][input channel]`; channels beyond the group's last are zero. Behind
    /// them are as many rows as a list of deltas may point into.
    weights: Vec<Row>,
    /// `[group][tile][TILE]`.
    bias: Vec<[f32; TILE]>,
    /// Tiles of a group.
    pub tiles: usize,
    /// Input channels of a group.
    pub inputs: usize,
    /// Output channels of a group.
    pub outputs: usize,
    pub groups: usize,
    pub kernel: PerAxis<usize>,
    /// Inputs between neighbouring taps.
    pub dilation: PerAxis<usize>,
    /// Whether only deltas that are not zero are multiplied: where many are zero, unless groups have so few
    /// outputs that their few sums would wait for each other.
    pub sparse: bool,
    transformed: Option<Transformed>,
    bf16: Option<bf16::Weights>,
}

/// How the deltas of a convolution are computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arithmetic {
    /// Whether many of the deltas that it is computed from are zero.
    pub sparse: bool,
    /// Whether it is computed tap by tap, rather than with fewer multiplications where that is faster.
    pub direct: bool,
    /// The parts of bf16 operands, and what multiplies them; `None` for floats.
    pub bf16: Option<(Parts, Form)>,
}

/// Positions that rows of a product lie on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Positions of a row of the input.
    pub width: usize,
    /// Values of a position.
    pub channels: usize,
    /// Rows of weights of a tap.
    pub rows: usize,
}

impl Packed {
    /// Packs the filters of a convolution on `channels` input channels.
    pub fn new(
        conv: &Convolution,
        filters: &Filters,
        channels: usize,
        Arithmetic { sparse, direct, bf16 }: Arithmetic,
    ) -> Self {
        let Convolution { out_channels, kernel, groups, dilation, .. } = *conv;
        let (inputs, outputs) = (channels / groups, out_channels / groups);
        let narrow = groups > 1 && outputs < 2 * TILE;
        let tiles = outputs.div_ceil(TILE);
        let taps = conv.taps();
        let rows = groups * tiles * taps * inputs;
        let mut weights = vec![Row::zeroed(); rows + LONGEST];
        let mut bias = vec![[0.0; TILE]; groups * tiles];
        for channel in 0..out_channels {
            let (group, within) = (channel / outputs, channel % outputs);
            let (tile, lane) = (group * tiles + within / TILE, within % TILE);
            bias[tile][lane] = filters.bias.get(channel).copied().unwrap_or(0.0);
            let filter = &filters.weight[channel * inputs * taps..][..inputs * taps];
            let packed = &mut weights[tile * taps * inputs..][..taps * inputs];
            for (index, &value) in filter.iter().enumerate() {
                let (input, tap) = (index / taps, index % taps);
                packed[tap * inputs + input].0[lane] = value;
            }
        }
        let bf16 = bf16.filter(|_| bf16::Weights::suit(conv, channels));
        let direct = direct || bf16.is_some();
        let transformed = Transformed::of(conv, rows * TILE).filter(|_| !direct);
        let mut packed = Self {
            weights,
            bias,
            tiles,
            inputs,
            outputs,
            groups,
            kernel,
            dilation,
            sparse: sparse && !narrow,
            transformed,
            bf16: None,
        };
        packed.bf16 = bf16.map(|(parts, form)| bf16::Weights::new(&packed, parts, form));
        packed
    }

    /// The weights of products in bf16, if deltas are multiplied in that.
    pub fn bf16(&self) -> Option<&bf16::Weights> {
        self.bf16.as_ref()
    }

    /// The weights at the points of forms with fewer multiplications, if there may be any.
    pub fn transformed(&self) -> Option<&Transformed> {
        self.transformed.as_ref()
    }

    /// The weights of a group's tile, `[ky][kx][input channel][TILE]`.
    pub fn tile(&self, group: usize, tile: usize) -> &[f32] {
        &self.tiles_from(group, tile)[..self.tile_length()]
    }

    /// As [`tile`](Self::tile), with those of all tiles behind it.
    pub fn tiles_from(&self, group: usize, tile: usize) -> &[f32] {
        let first = (group * self.tiles + tile) * self.tile_length();
        &bytemuck::cast_slice(&self.weights)[first..]
    }

    /// Floats of a tile's weights.
    pub fn tile_length(&self) -> usize {
        self.kernel.y * self.kernel.x * self.inputs * TILE
    }

    /// The biases of a group's tile.
    pub fn bias(&self, group: usize, tile: usize) -> &[f32; TILE] {
        &self.bias[group * self.tiles + tile]
    }

    /// The first output channel of a group's tile, and how many there are.
    pub fn channels(&self, group: usize, tile: usize) -> (usize, usize) {
        let first = tile * TILE;
        (group * self.outputs + first, (self.outputs - first).min(TILE))
    }

    /// How many kernel rows of a tile's weights have at most so many floats; at least one.
    pub fn kernel_rows_of(&self, floats: usize) -> usize {
        (floats / (self.kernel.x * self.inputs * TILE)).clamp(1, self.kernel.y)
    }

    /// The taps of some kernel rows, as [`Block::weights`] counts them.
    pub fn taps_of_rows(&self, rows: Range<usize>) -> Range<usize> {
        let row = self.kernel.x * self.inputs;
        rows.start * row..rows.end * row
    }

    /// Every tile of every group.
    pub fn all_tiles(&self) -> impl Iterator<Item = (usize, usize)> {
        let tiles = self.tiles;
        (0..self.groups).flat_map(move |group| (0..tiles).map(move |tile| (group, tile)))
    }

    /// The tiles of every group in equal runs of at most `limit`: the group, the first tile, and
    /// how many there are.
    pub fn runs_of_tiles(&self, limit: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (tiles, runs) = (self.tiles, self.tiles.div_ceil(limit));
        (0..self.groups).flat_map(move |group| {
            (0..runs).map(move |run| {
                let (first, end) = (tiles * run / runs, tiles * (run + 1) / runs);
                (group, first, end - first)
            })
        })
    }

    /// The positions of an input of so many columns, of floats.
    pub fn grid(&self, width: usize) -> Grid {
        Grid { width, channels: self.groups * self.inputs, rows: self.inputs }
    }

    /// Appends the blocks of a rectangle of taps, each axis given as its first tap and their
    /// number. The rows that the blocks are for begin where the first tap meets the group's first
    /// channel.
    pub fn blocks(
        &self,
        (y, rows): (usize, usize),
        (x, columns): (usize, usize),
        Grid { width, channels, rows: of_tap }: Grid,
        blocks: &mut Vec<Block>,
    ) {
        // A kernel row is one run; with groups or gaps between taps each tap has its own.
        let one_run = self.groups == 1 && self.dilation.x == 1;
        let (runs, taps) = if one_run { (1, columns) } else { (columns, 1) };
        for (row, run) in (0..rows).flat_map(|row| (0..runs).map(move |run| (row, run))) {
            blocks.push(Block {
                input: (row * self.dilation.y * width + run * self.dilation.x) * channels,
                weights: ((y + row) * self.kernel.x + x + run) * of_tap,
                length: taps * of_tap,
            });
        }
    }
}

/// The filters of a target's units, each `[ky][kx][input channel]`, as activations lie.
#[derive(Debug)]
pub(super) struct UnitFilters {
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// Input channels of a group.
    pub inputs: usize,
    taps: usize,
    outputs: usize,
}

impl UnitFilters {
    /// Reorders the filters of a convolution on `channels` input channels.
    pub fn new(conv: &Convolution, filters: &Filters, channels: usize) -> Self {
        let (taps, inputs) = (conv.taps(), channels / conv.groups);
        let mut weights = Vec::with_capacity(filters.weight.len());
        for filter in filters.weight.chunks_exact(inputs * taps) {
            for tap in 0..taps {
                weights.extend((0..inputs).map(|input| filter[input * taps + tap]));
            }
        }
        let bias = filters.bias.clone();
        Self { weights, bias, inputs, taps, outputs: conv.out_channels / conv.groups }
    }

    /// A unit's filter.
    pub fn of(&self, unit: usize) -> &[f32] {
        &self.weights[unit * self.taps * self.inputs..][..self.taps * self.inputs]
    }

    /// A unit's bias.
    pub fn bias(&self, unit: usize) -> f32 {
        self.bias.get(unit).copied().unwrap_or(0.0)
    }

    /// The first input channel that a unit sees.
    pub fn first_input(&self, unit: usize) -> usize {
        unit / self.outputs * self.inputs
    }
}
