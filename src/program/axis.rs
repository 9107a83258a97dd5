//! One axis of a plan: per node, the span that an occluder changes and that reaches the position.

use super::Subgraph;
use crate::geometry::{Axis, SlidingWindow, Span};

/// What of one node matters, in its relative coordinates ([`Node::origin`](super::Node::origin)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reach {
    /// Positions that the occluder can change and that can reach the target's position.
    pub changed: Span,
    /// Of a node that reads whole windows: the inputs of its changed positions that exist. Of a padding
    /// whose changed positions reach past its input: all of the input, whose ends they depend on.
    pub read: Span,
}

/// A run of neighbouring output positions whose windows meet the changed inputs with the same
/// taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapRun {
    /// The first output, counted from the start of the node's changed span.
    pub output: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// First tap of the window that meets a changed input.
    pub tap: usize,
    /// Number of taps that do.
    pub taps: usize,
    /// The input that this tap of the first output meets, counted from the start of the input's
    /// changed span. For the next output it is the convolution's stride further on, for the next
    /// tap its dilation.
    pub input: usize,
}

impl TapRun {
    /// The runs of `outputs`, of which each sees inputs from `output * stride + shift` on, and of
    /// those only `inputs`. An output that sees none of them has no taps.
    pub fn all(window: SlidingWindow, shift: isize, outputs: Span, inputs: Span) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for (output, position) in (outputs.start..outputs.end).enumerate() {
            let first = position * window.stride as isize + shift;
            let (tap, taps) = window.taps(first, inputs);
            let input = match taps {
                0 => 0,
                _ => (first + (tap * window.dilation) as isize - inputs.start) as usize,
            };
            match runs.last_mut() {
                Some(run) if run.tap == tap && run.taps == taps => run.outputs += 1,
                _ => runs.push(Self { output, outputs: 1, tap, taps, input }),
            }
        }
        runs
    }
}

/// One axis of a plan. Equal reaches mean equal work, wherever on the map it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisPlan {
    reaches: Vec<Reach>,
    runs: Vec<Vec<TapRun>>,
}

impl AxisPlan {
    pub(super) fn new(subgraph: &Subgraph, axis: Axis, reaches: Vec<Reach>) -> Self {
        let runs =
            (0..reaches.len()).map(|node| tap_runs(subgraph, axis, &reaches, node)).collect();
        Self { reaches, runs }
    }

    /// What matters of a node.
    pub fn reach(&self, node: usize) -> Reach {
        self.reaches[node]
    }

    /// The taps of a convolution, in the order of its outputs; empty for any other node.
    pub fn runs(&self, node: usize) -> &[TapRun] {
        &self.runs[node]
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let runs = self.runs.iter().map(|runs| runs.capacity() * size_of::<TapRun>());
        size_of_val(&self.reaches[..]) + size_of_val(&self.runs[..]) + runs.sum::<usize>()
    }

    /// Taps of a convolution over all its changed outputs.
    pub fn taps(&self, node: usize) -> usize {
        self.runs[node].iter().map(|run| run.outputs * run.taps).sum()
    }
}

/// The forward cone of `occluded`, a span of the image, inside the backward cone `cone` of a
/// target position.
pub(super) fn reaches(
    subgraph: &Subgraph,
    axis: Axis,
    cone: &[Span],
    position: usize,
    occluded: Span,
) -> Vec<Reach> {
    let mut changed: Vec<Span> = Vec::with_capacity(cone.len());
    let mut reaches = Vec::with_capacity(cone.len());
    for (node, &needed) in subgraph.nodes().iter().zip(cone) {
        let here = match node.layer {
            None => occluded,
            // Joined branches: the hull of what they change; all that a changed gate joins.
            Some(_) => node
                .local_inputs()
                .iter()
                .enumerate()
                .map(|(which, &input)| match (node.is_gate, which) {
                    (true, 1) if !changed[input].is_empty() => needed,
                    _ => {
                        let length = axis.of(subgraph.nodes()[input].size);
                        node.outputs_of(axis, changed[input], length, needed)
                    }
                })
                .fold(Span::EMPTY, Span::hull),
        };
        let here = here.intersect(needed);
        let read = match node.inputs.first() {
            Some(&input) => {
                let source = &subgraph.nodes()[input];
                let (length, seen) = (axis.of(source.size), node.window.of(axis).inputs(here));
                let read = match node.border {
                    Some(_) if !Span::whole(length).covers(seen) => Span::whole(length),
                    None if node.reads_whole_windows => node.inputs_of(axis, here, length),
                    _ => Span::EMPTY,
                };
                read.shifted(-source.origin(axis, position))
            }
            None => Span::EMPTY,
        };
        changed.push(here);
        reaches.push(Reach { changed: here.shifted(-node.origin(axis, position)), read });
    }
    reaches
}

fn tap_runs(subgraph: &Subgraph, axis: Axis, reaches: &[Reach], index: usize) -> Vec<TapRun> {
    let node = &subgraph.nodes()[index];
    let outputs = reaches[index].changed;
    if node.groups.is_none() || outputs.is_empty() {
        return Vec::new();
    }
    let inputs = reaches[node.inputs[0]].changed;
    TapRun::all(node.window.of(axis), subgraph.shift(index, 0).of(axis), outputs, inputs)
}
