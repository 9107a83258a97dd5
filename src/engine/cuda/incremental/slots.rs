//! Which buffer holds which node's changes, and how.

use crate::engine::cuda::kernels::tap_product::Scales;
use crate::engine::plan::Plan;
use crate::engine::target::{Step, Target};

/// Buffers that nodes share, one after the other: a node's changes are held until the last that
/// reads them is computed.
#[derive(Debug)]
pub(super) struct Slots {
    /// The node whose changes each node's are: its own, or, where a node has nothing to do, those
    /// of its input.
    pub shown: Vec<usize>,
    /// The slot of each node that has its own.
    of: Vec<usize>,
    /// How many slots there are.
    pub count: usize,
    /// By what the changes of each node are multiplied before they are rounded to fp16, where products in
    /// fp16 read them.
    pub scales: Vec<f32>,
    /// Of each node, whether its changes are rounded to fp16 where they are written.
    pub halves: Vec<bool>,
}

/// Values between the beginnings of windows: a multiple of what is read at once.
const ALIGNED: usize = 32;

impl Slots {
    /// The slots of a target.
    pub fn new<P, U>(target: &Target<P, U>) -> Self {
        let nodes = target.lineage.nodes();
        let mut shown: Vec<usize> = Vec::with_capacity(nodes.len());
        let mut last_read = vec![0; nodes.len()];
        for (place, node) in nodes.iter().enumerate() {
            let passes = matches!(target.steps[place], Step::Relu { elsewhere: true } | Step::Same);
            // If nobody else reads the input, its window is no larger than the node's.
            let shows = match node.inputs.first() {
                Some(&input) if passes && target.read_once[input] => shown[input],
                _ => place,
            };
            shown.push(shows);
            node.inputs.iter().for_each(|&input| last_read[shown[input]] = place);
        }
        let (mut of, mut busy) = (vec![usize::MAX; nodes.len()], Vec::new());
        for place in (0..nodes.len()).filter(|&place| shown[place] == place) {
            // A buffer is free once all that read it are computed: not while this one reads it.
            let free = busy.iter().position(|&until| until < place);
            let slot = free.unwrap_or(busy.len());
            if slot == busy.len() {
                busy.push(0);
            }
            of[place] = slot;
            busy[slot] = last_read[place];
        }
        let count = busy.len();
        Self { shown, of, count, scales: vec![1.0; nodes.len()], halves: vec![false; nodes.len()] }
    }

    /// The slot in which a node's changes are.
    pub fn of(&self, node: usize) -> usize {
        self.of[self.shown[node]]
    }

    /// What a kernel is told of how a node's changes are stored: the scale of those in fp16, 0 of those in
    /// 32 bits.
    pub fn stored(&self, node: usize) -> f32 {
        let shown = self.shown[node];
        if self.halves[shown] { self.scales[shown] } else { 0.0 }
    }

    /// How a convolution reads the changes of its input, and writes those of its node.
    pub fn of_convolution(&self, input: usize, node: usize) -> Scales {
        let shown = self.shown[input];
        Scales { from: self.scales[shown], halves: self.halves[shown], to: self.stored(node) }
    }

    /// Floats that a group of `count` presentations takes of each slot, and of all.
    pub fn floats(&self, plan: &Plan<'_>, count: usize, of_slot: &mut [usize]) -> usize {
        of_slot.fill(0);
        let nodes = plan.lineage().nodes();
        for place in (0..plan.lineage().target()).filter(|&place| self.shown[place] == place) {
            let values = plan.positions(place) * nodes[place].channels * count;
            let slot = &mut of_slot[self.of[place]];
            let floats = aligned(values) / if self.halves[place] { 2 } else { 1 };
            *slot = floats.max(*slot);
        }
        of_slot.iter().sum()
    }
}

/// The next place where a window may begin.
pub(super) fn aligned(values: usize) -> usize {
    values.next_multiple_of(ALIGNED)
}
