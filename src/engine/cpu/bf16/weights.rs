//! Filters as bf16.

use bytemuck::Zeroable;

use super::deltas::{Channels, Line, Operands, Packing, words};
use super::tiles::SIDE;
use super::{FEWEST, Form, LINE, Order, PAIRS, split_line};
use crate::engine::cpu::product::TILE;
use crate::engine::cpu::weights::Packed;
use crate::network::Convolution;

/// How many bf16 an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::cpu) enum Parts {
    /// `bf16`.
    One,
    /// `bf16x3`: three products of two parts each.
    Two,
}

/// Words of a tile of a line's weights.
pub(super) const TILE_WORDS: usize = PAIRS * TILE;

/// A convolution's filters, `[group][tile][ky][kx][line]`, and of each line in the order of
/// [`Order::Pairs`] `[word][channel of the tile]`, in that of [`Order::Tiles`] `[half of the tile][word][channel]`.
/// Channels beyond a group's last are zero.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Weights {
    high: Vec<Line>,
    low: Vec<Line>,
    pub(super) parts: Parts,
    pub(super) form: Form,
    pub(super) channels: Channels,
    /// Lines of all taps of a tile.
    lines: usize,
}

impl Weights {
    /// Whether a convolution on so many channels has enough of them in each group.
    pub fn suit(conv: &Convolution, channels: usize) -> bool {
        channels / conv.groups >= FEWEST
    }

    /// Bytes of those of a convolution on so many channels.
    pub fn bytes_of(conv: &Convolution, channels: usize, parts: Parts) -> usize {
        let channels = Channels { groups: conv.groups, inputs: channels / conv.groups };
        let tiles = conv.groups * (conv.out_channels / conv.groups).div_ceil(TILE);
        let parts = if parts == Parts::Two { 2 } else { 1 };
        parts * tiles * conv.taps() * channels.lines() * TILE_WORDS * size_of::<u32>()
    }

    /// Rounds filters that are packed as floats.
    pub fn new(packed: &Packed, parts: Parts, form: Form) -> Self {
        let channels = Channels { groups: packed.groups, inputs: packed.inputs };
        let taps = packed.kernel.y * packed.kernel.x;
        let lines = taps * channels.lines();
        let all = packed.groups * packed.tiles * lines * TILE_WORDS / PAIRS;
        let mut high = vec![Line::zeroed(); all];
        let mut low = vec![Line::zeroed(); if parts == Parts::Two { all } else { 0 }];
        {
            let high: &mut [u32] = bytemuck::cast_slice_mut(&mut high);
            let low: &mut [u32] = bytemuck::cast_slice_mut(&mut low);
            let mut first = 0;
            for (group, tile) in packed.all_tiles() {
                for tap in packed.tile(group, tile).chunks_exact(packed.inputs * TILE) {
                    for rows in tap.chunks(LINE * TILE) {
                        for column in 0..TILE {
                            let mut line = [0.0; LINE];
                            for (value, row) in line.iter_mut().zip(rows.chunks_exact(TILE)) {
                                *value = row[column];
                            }
                            let [above, rest] = split_line(&line);
                            put_column(form.order(), &above, column, &mut high[first..]);
                            if parts == Parts::Two {
                                put_column(form.order(), &rest, column, &mut low[first..]);
                            }
                        }
                        first += TILE_WORDS;
                    }
                }
            }
        }
        Self { high, low, parts, form, channels, lines }
    }

    /// How the deltas that are multiplied by them are packed.
    pub(super) fn packing(&self) -> Packing {
        Packing { channels: self.channels, parts: self.parts, order: self.form.order() }
    }

    /// Those of a group's tile; `tiles` is how many a group has.
    pub(super) fn tile(&self, group: usize, tile: usize, tiles: usize) -> Operands<'_> {
        let words = self.lines * TILE_WORDS;
        let first = (group * tiles + tile) * words;
        let low = (self.parts == Parts::Two).then_some(&self.low);
        let of = |lines| &bytemuck::cast_slice::<Line, u32>(lines)[first..first + words];
        Operands { high: of(&self.high), low: low.map(|low| of(low)) }
    }
}

/// Writes a column's parts of a line's tile.
pub(super) fn put_column(order: Order, line: &[u32; LINE], column: usize, tile: &mut [u32]) {
    for (word, value) in words(order, line).into_iter().enumerate() {
        tile[offset_of(order, word, column)] = value;
    }
}

/// Where a word of a column lies among those of a line's tile.
fn offset_of(order: Order, word: usize, column: usize) -> usize {
    match order {
        Order::Pairs => word * TILE + column,
        Order::Tiles => (column / SIDE * PAIRS + word) * SIDE + column % SIDE,
    }
}
