//! A network, lowered once for all engines: the steps that lead to a layer, what each of them
//! reads, and which part of the activations an occluder changes *and* a unit depends on. Host
//! geometry, integers only; no engine.
//!
//! A [`Pass`] is of whole images, for the plain engine and the full method on a GPU. A [`Program`] is of
//! deltas, for the incremental engines.
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
mod node;
mod pass;
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
pub use node::Node;
pub use pass::Pass;
pub use plan::{Plan, TapBlock};
pub use planner::{PlanKey, Planner};
pub use step::{Selection, Step};
pub use subgraph::Subgraph;
pub use weights::{ConvolutionFilters, MissingFilters, Packing};

use node::{Lowered, Reads};

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
        let Lowered { nodes, mut steps } = Lowered::new(network, &[target], image)?;
        let Reads { once: read_once, last: last_reads } = Reads::of(&nodes);
        step::split_convolutions(&nodes, &mut steps);
        let subgraph = Subgraph::of(network, target, nodes);
        step::fuse_into_poolings(&subgraph, &read_once, &mut steps);
        step::fuse_into_convolutions(subgraph.nodes(), &read_once, &mut steps);
        let kept = vec![false; steps.len()];
        let mut program = Self { kept, subgraph, steps, read_once, last_reads, units: () };
        program.keep_what_is_read();
        Ok(program)
    }

    fn keep_what_is_read(&mut self) {
        for (index, node) in self.subgraph.nodes().iter().enumerate() {
            let reads = self.steps[index].baseline_reads(self.subgraph.through_gates());
            self.kept[index] |= reads.own;
            if reads.inputs {
                node.inputs.iter().for_each(|&input| self.kept[input] = true);
            }
            if let (true, Some(&second)) = (reads.second, node.inputs.get(1)) {
                self.kept[second] = true;
            }
            if self.steps[index].reads_whole_windows() {
                let pooled = self.pooled(index);
                self.kept[pooled] = true;
            }
        }
    }
}

impl<F, N, U> Program<F, N, U> {
    /// The node whose original activations a maximum pooling reads.
    pub fn pooled(&self, node: usize) -> usize {
        let input = self.subgraph.nodes()[node].inputs[0];
        if self.steps[node].rectifies_input() {
            self.subgraph.nodes()[input].inputs[0]
        } else {
            input
        }
    }

    /// Floats of the original image's activations that are kept for backward cones `y` and `x`, values in 64
    /// bits ([`Step::is_wide`]) included.
    pub fn kept_floats(&self, y: &[Span], x: &[Span]) -> usize {
        let through_gates = self.subgraph.through_gates();
        let nodes = self.subgraph.nodes().iter().enumerate();
        nodes
            .map(|(index, node)| {
                let wide = if self.steps[index].is_wide(through_gates) { WIDE_FLOATS } else { 0 };
                let each = usize::from(self.kept[index]) + wide;
                each * y[index].len() * x[index].len() * node.channels
            })
            .sum()
    }
}
