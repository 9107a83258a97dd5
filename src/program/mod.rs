//! A network, lowered once for all incremental engines: the steps that lead to a layer, what each of them
//! reads, and which part of the activations an occluder changes *and* a unit depends on. Host
//! geometry, integers only; no engine.
//!
//! A presentation asks for the delta of one unit at one position when a small square of the image
//! changes. At each layer that is the work of a *window*: the positions inside the unit's backward
//! cone (those that can reach it) and inside the occluder's forward cone (those that it can
//! change). Outside of the window every activation is the original image's, or does not matter.
//! Within it only deltas travel, so a convolution needs only the *taps* that meet a changed input.
//! A [`Plan`] lists them as blocks, [`Plan::blocks`].
//!
//! Windows are separable: a [`Span`] of rows times a span of columns, and so
//! are the taps. An [`AxisPlan`] therefore serves all presentations that agree in one axis, and a
//! [`Plan`] is two of them. Where branches join, their windows' bounding box is taken.
//!
//! Spans are relative to the unit's own backward cone ([`Node::origin`]), so that plans of
//! different positions compare equal; through exact gates they are the maps' own
//! ([`Subgraph::through_gates`]). Presentations with equal plans are computed together
//! ([`PlanKey`]).

mod axis;
mod buffers;
mod fields;
mod listing;
pub mod pass;
mod plan;
mod planner;
mod step;
mod subgraph;
mod weights;

#[cfg(test)]
mod tests;

pub use axis::{AxisPlan, Reach, TapRun};
pub use buffers::Buffers;
pub use fields::check_fields;
pub use listing::Row;
pub use plan::{Plan, TapBlock};
pub use planner::{PlanKey, Planner};
pub use step::{Selection, Step};
pub use subgraph::{Node, Subgraph};
pub use weights::{ConvolutionFilters, MissingFilters, Packing};

use crate::geometry::{ImageSize, Span};
use crate::network::{LayerId, Network, NetworkError, WIDE_FLOATS};

/// The way from the image to the units of one layer. `F` are the filters of its convolutions, `N`
/// the numbers of its other layers and `U` the filters of the units, in the order in which an
/// engine reads them; nothing in a program without weights ([`Program::new`]).
#[derive(Clone, Debug)]
pub struct Program<F = (), N = (), U = ()> {
    /// The nodes: the image, then layers, the target last.
    pub subgraph: Subgraph,
    /// The step of each node.
    pub steps: Vec<Step<F, N>>,
    /// Of each node, whether the original image's activations are read while occluders are
    /// presented.
    pub kept: Vec<bool>,
    /// Of each node, whether exactly one other reads it: its buffer may be written over.
    pub read_once: Vec<bool>,
    /// Of each node, the last node that reads it; 0, the image, which reads none, if none does.
    pub last_reads: Vec<usize>,
    /// The filters of the target's units.
    pub units: U,
}

impl Program {
    /// The program of a layer, a convolution, for images of one size; without weights.
    ///
    /// # Errors
    /// Images too small for one of the layers.
    pub fn new(network: &Network, target: LayerId, image: ImageSize) -> Result<Self, NetworkError> {
        let subgraph = Subgraph::new(network, target, image)?;
        let nodes = subgraph.nodes();
        let (mut readers, mut last_reads) = (vec![0; nodes.len()], vec![0; nodes.len()]);
        for (place, node) in nodes.iter().enumerate() {
            for &input in &node.inputs {
                readers[input] += 1;
                last_reads[input] = place;
            }
        }
        let read_once: Vec<bool> = readers.into_iter().map(|readers| readers == 1).collect();
        let step = |node: &Node| match (node.layer, node.inputs.first()) {
            (Some(layer), Some(&input)) => {
                let input = &nodes[input];
                Step::of(network, layer, target, (input.channels, input.size))
            }
            _ => Step::Image,
        };
        let mut steps: Vec<Step> = nodes.iter().map(step).collect();
        step::fuse_relus(&subgraph, &read_once, &mut steps);
        let kept = vec![false; nodes.len()];
        let mut program = Self { kept, subgraph, steps, read_once, last_reads, units: () };
        program.keep_what_is_read();
        Ok(program)
    }

    fn keep_what_is_read(&mut self) {
        for (place, node) in self.subgraph.nodes().iter().enumerate() {
            let reads = self.steps[place].baseline_reads(self.subgraph.through_gates());
            self.kept[place] |= reads.own;
            if reads.inputs {
                node.inputs.iter().for_each(|&input| self.kept[input] = true);
            }
            if let (true, Some(&second)) = (reads.second, node.inputs.get(1)) {
                self.kept[second] = true;
            }
            if matches!(self.steps[place], Step::MaxPool { .. }) {
                let pooled = self.pooled(place);
                self.kept[pooled] = true;
            }
        }
    }
}

impl<F, N, U> Program<F, N, U> {
    /// The node whose original activations a maximum pooling reads.
    pub fn pooled(&self, node: usize) -> usize {
        let input = self.subgraph.nodes()[node].inputs[0];
        match self.steps[node] {
            Step::MaxPool { rectify: true } => self.subgraph.nodes()[input].inputs[0],
            _ => input,
        }
    }

    /// Floats of the original image's activations that are kept for backward cones `y` and `x`. Behind gates
    /// a function's values have 64 bits beside ([`Subgraph::through_gates`]).
    pub fn kept_floats(&self, y: &[Span], x: &[Span]) -> usize {
        let wide = |place: usize| {
            self.subgraph.through_gates() && matches!(self.steps[place], Step::Function(_))
        };
        let nodes = self.subgraph.nodes().iter().enumerate();
        nodes
            .map(|(place, node)| {
                let each =
                    usize::from(self.kept[place]) + if wide(place) { WIDE_FLOATS } else { 0 };
                each * y[place].len() * x[place].len() * node.channels
            })
            .sum()
    }
}
