//! Which instructions multiply.

use std::sync::OnceLock;

use super::deltas::{Operands, words};
use super::product::PairProduct;
use super::weights::{TILE_WORDS, put_column};
use super::{Order, PAIRS, Panel, amx, split_line};
use crate::engine::cpu::product::{Block, Offsets, TILE};
use crate::engine::cpu::simd::Isa;
use crate::noise::TorchStream;

/// The instructions of a product of bf16. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::cpu) enum Form {
    /// `tdpbf16ps` of AMX-BF16, on tiles of 16 × 16 sums.
    Amx,
    /// The same sequence of tile instructions, without the instructions.
    #[cfg(test)]
    Model,
    /// `vdpbf16ps` of AVX512-BF16.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Operands as floats, by these vectors.
    Floats(Isa),
}

impl Form {
    /// The fastest that this machine has, of those that give the bits that they should.
    pub fn detect() -> Self {
        static FOUND: OnceLock<Form> = OnceLock::new();
        *FOUND.get_or_init(|| Self::available()[0])
    }

    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "AMX-BF16",
            #[cfg(test)]
            Self::Model => "a model of AMX-BF16",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX512-BF16",
            Self::Floats(isa) => isa.name(),
        }
    }

    /// The instructions for bf16 that this processor has, the fastest first.
    fn instructions() -> Vec<Self> {
        let mut found = Vec::new();
        if amx::is_available() {
            found.push(Self::Amx);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f") {
            found.push(Self::Avx512);
        }
        found
    }

    /// All that this machine has, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut found = Self::instructions();
        // What rounds in another way than the text of the instruction set says would give other maps.
        let expected = probe(Self::Floats(Isa::Portable));
        found.retain(|&form| probe(form) == expected);
        found.extend(Isa::available().into_iter().map(Self::Floats));
        found
    }

    /// How operands lie.
    pub(super) fn order(self) -> Order {
        match self {
            Self::Amx => Order::Tiles,
            #[cfg(test)]
            Self::Model => Order::Tiles,
            _ => Order::Pairs,
        }
    }

    /// Whether a product computes all tiles of some rows, one after the other: rows are copied for tiles
    /// once.
    pub(super) fn copies_rows(self) -> bool {
        self.order() == Order::Tiles
    }
}

/// Bits of a small product of numbers of many sizes: of every sum some are rounded, and some cancel.
fn probe(form: Form) -> Vec<u32> {
    const LINES: usize = 3;
    const ROWS: usize = 19;
    let mut stream = TorchStream::new(1);
    let mut line = || {
        split_line(&std::array::from_fn(|_| {
            let [value, size] = [(); 2].map(|()| stream.next().unwrap_or(0.5));
            (value - 0.5) * 2_f32.powi((size * 16.0) as i32 - 8)
        }))
    };
    let order = form.order();
    let (mut high, mut low) = (Vec::new(), Vec::new());
    for _ in 0..LINES * ROWS {
        let [first, rest] = line();
        high.extend(words(order, &first));
        low.extend(words(order, &rest));
    }
    let mut weights = [vec![0; LINES * TILE_WORDS], vec![0; LINES * TILE_WORDS]];
    for first in (0..LINES).map(|line| line * TILE_WORDS) {
        for column in 0..TILE {
            for (weights, part) in weights.iter_mut().zip(line()) {
                put_column(order, &part, column, &mut weights[first..]);
            }
        }
    }
    let every = |step: usize| (0..ROWS).map(|row| row * step).collect::<Vec<_>>();
    let (rows, outputs) = (every(LINES * PAIRS), every(TILE));
    let mut sums = vec![0.0; ROWS * TILE];
    PairProduct {
        deltas: Operands { high: &high, low: Some(&low) },
        rows: Offsets::new(&rows),
        blocks: &[Block { input: 0, weights: 0, length: LINES }],
        weights: &[Operands { high: &weights[0], low: Some(&weights[1]) }],
        outputs: Offsets::new(&outputs),
        width: TILE,
        add: false,
        rectify: None,
        isa: Isa::Portable,
    }
    .run(form, &mut Panel::default(), &mut sums);
    sums.into_iter().map(f32::to_bits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_this_machine_gives_the_bits_of_the_portable_one() {
        let expected = probe(Form::Floats(Isa::Portable));
        assert!(expected.iter().any(|&bits| bits != expected[0]));
        let all = [Form::instructions(), Form::available(), vec![Form::Model]].concat();
        for form in all {
            assert_eq!(probe(form), expected, "{form:?}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn instructions_that_this_machine_has_are_taken() {
        let has = is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f");
        assert_eq!(Form::available().contains(&Form::Avx512), has);
    }
}
