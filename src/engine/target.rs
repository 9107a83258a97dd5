//! A layer that an incremental engine was prepared for: its lineage, and what each step of it
//! needs.

use super::plan::Lineage;
use super::{EngineError, RequestError};
use crate::geometry::{ImageSize, Span};
use crate::network::{Convolution, Filters, LayerId, LocalResponseNorm, Model, Op};

/// What a node of the lineage computes: `P` are a convolution's filters and `U` those of single
/// units, in the order in which the engine reads them.
#[derive(Debug)]
pub(super) enum Step<P, U> {
    Image,
    /// A convolution and, if `rectify`, the ReLU behind it.
    Convolve {
        packed: P,
        rectify: bool,
    },
    /// A ReLU; `elsewhere` if the convolution before it or the pooling behind it does it.
    Relu {
        elsewhere: bool,
    },
    /// A pooling and, if `rectify`, the ReLU before it.
    Pool {
        rectify: bool,
    },
    Normalise(LocalResponseNorm),
    /// Dropout.
    Same,
    Add,
    Concatenate,
    /// The target's own convolution, of which only single units are computed.
    Respond(U),
}

/// A target of the engine.
#[derive(Debug)]
pub(super) struct Target<P, U> {
    pub lineage: Lineage,
    /// A step for each node.
    pub steps: Vec<Step<P, U>>,
    /// Of each node, whether the original image's activations are read while presenting.
    pub kept: Vec<bool>,
    /// Of each node, whether exactly one other reads it: its buffer may be written over.
    pub read_once: Vec<bool>,
}

/// A convolution that leads to a target: its layer, its numbers, its filters and its input
/// channels.
pub(super) type Leading<'m> = (LayerId, &'m Convolution, &'m Filters, usize);

impl<P, U> Target<P, U> {
    /// A target; `pack` reorders the filters of a convolution, `units` those of the target's.
    ///
    /// # Errors
    /// Images too small for one of the layers; what `pack` and `units` return.
    pub fn new(
        model: &Model,
        layer: LayerId,
        image: ImageSize,
        mut pack: impl FnMut(Leading<'_>) -> Result<P, EngineError>,
        mut units: impl FnMut(Leading<'_>) -> Result<U, EngineError>,
    ) -> Result<Self, EngineError> {
        let network = model.network();
        let lineage = Lineage::new(network, layer, image)?;
        let (mut steps, mut readers) = (Vec::new(), vec![0; lineage.nodes().len()]);
        let mut kept = vec![false; lineage.nodes().len()];
        // Occluders are differences to the image.
        kept[0] = true;
        for (place, node) in lineage.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|&input| readers[input] += 1);
            let Some(id) = node.layer else {
                steps.push(Step::Image);
                continue;
            };
            let input = node.inputs[0];
            let channels = lineage.nodes()[input].channels;
            steps.push(match &network.layer(id).op {
                Op::Conv(conv) => {
                    // A model has filters for each of its convolutions.
                    let Some(filters) = model.filters(id) else {
                        let name = network.short_name(id);
                        return Err(RequestError::NoFilters(name).into());
                    };
                    let leading = (id, conv, filters, channels);
                    if id == layer {
                        // The original response is computed from the layer below.
                        kept[input] = true;
                        Step::Respond(units(leading)?)
                    } else {
                        Step::Convolve { packed: pack(leading)?, rectify: false }
                    }
                }
                Op::Relu => {
                    kept[input] = true;
                    Step::Relu { elsewhere: false }
                }
                Op::MaxPool(_) => {
                    kept[place] = true;
                    Step::Pool { rectify: false }
                }
                Op::LocalResponseNorm(norm) => {
                    kept[input] = true;
                    Step::Normalise(norm.clone())
                }
                Op::Dropout => Step::Same,
                Op::Add => Step::Add,
                Op::Concat => Step::Concatenate,
            });
        }
        let read_once = readers.into_iter().map(|readers| readers == 1).collect();
        let mut target = Self { lineage, steps, kept, read_once };
        target.join_relus();
        Ok(target)
    }

    /// Has each ReLU done by a neighbour that has its values at hand, where it has one.
    fn join_relus(&mut self) {
        let nodes = self.lineage.nodes();
        for (place, node) in nodes.iter().enumerate() {
            if !matches!(self.steps[place], Step::Pool { .. }) {
                continue;
            }
            let input = node.inputs[0];
            let joined = self.read_once[input] && matches!(self.steps[input], Step::Relu { .. });
            // A ReLU's own input is kept in any case.
            if joined && self.lineage.shift(input, 0) == 0 {
                self.steps[input] = Step::Relu { elsewhere: true };
                self.steps[place] = Step::Pool { rectify: true };
            } else {
                self.kept[input] = true;
            }
        }
        for (place, node) in nodes.iter().enumerate() {
            let Step::Relu { elsewhere: false } = self.steps[place] else { continue };
            let input = node.inputs[0];
            if let (true, Step::Convolve { rectify, .. }) =
                (self.read_once[input], &mut self.steps[input])
            {
                *rectify = true;
                self.steps[place] = Step::Relu { elsewhere: true };
            }
        }
    }

    /// The node whose original activations a pooling reads.
    pub fn pooled(&self, node: usize) -> usize {
        let input = self.lineage.nodes()[node].inputs[0];
        match self.steps[node] {
            Step::Pool { rectify: true } => self.lineage.nodes()[input].inputs[0],
            _ => input,
        }
    }

    /// The filters of the target's units.
    pub fn unit_filters(&self) -> Option<&U> {
        match self.steps.last() {
            Some(Step::Respond(filters)) => Some(filters),
            _ => None,
        }
    }

    /// Floats of the original image's activations that are kept for backward cones `y` and `x`.
    pub fn kept_floats(&self, y: &[Span], x: &[Span]) -> usize {
        let nodes = self.lineage.nodes().iter().enumerate();
        nodes
            .filter(|&(place, _)| self.kept[place])
            .map(|(place, node)| y[place].len() * x[place].len() * node.channels)
            .sum()
    }
}
