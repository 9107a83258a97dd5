//! Buffers that nodes share, one after the other.

use super::{Plan, Program, Step};

/// The buffer of each node's deltas. A buffer is held until the last node that reads it is computed.
#[derive(Clone, Debug)]
pub struct Buffers {
    /// The node whose deltas each node's are: its own, or its input's where it only passes them on.
    pub source: Vec<usize>,
    /// The buffer of each node that has its own.
    buffer: Vec<usize>,
    /// How many buffers there are.
    pub count: usize,
}

impl Buffers {
    /// The buffers of a program.
    pub fn new<F, N, U>(program: &Program<F, N, U>) -> Self {
        let nodes = program.subgraph.nodes();
        let mut source: Vec<usize> = Vec::with_capacity(nodes.len());
        for (place, node) in nodes.iter().enumerate() {
            let passes =
                matches!(program.steps[place], Step::Relu { elsewhere: true } | Step::Copy);
            // If nobody else reads the input, its window is no larger than the node's.
            source.push(match node.inputs.first() {
                Some(&input) if passes && program.read_once[input] => source[input],
                _ => place,
            });
        }
        let mut last_read = vec![0; nodes.len()];
        for (&source, &read) in source.iter().zip(&program.last_reads) {
            last_read[source] = read.max(last_read[source]);
        }
        let (mut buffer, mut busy) = (vec![usize::MAX; nodes.len()], Vec::new());
        for place in (0..nodes.len()).filter(|&place| source[place] == place) {
            // A buffer is free once all that read it are computed: not while this one reads it.
            let free = busy.iter().position(|&until| until < place);
            let chosen = free.unwrap_or(busy.len());
            if chosen == busy.len() {
                busy.push(0);
            }
            buffer[place] = chosen;
            busy[chosen] = last_read[place];
        }
        Self { source, buffer, count: busy.len() }
    }

    /// The buffer of a node's deltas.
    pub fn of(&self, node: usize) -> usize {
        self.buffer[self.source[node]]
    }

    /// Values of each buffer for `count` presentations of a plan; `values` are those that a node's
    /// window of so many values takes.
    pub fn sizes(
        &self,
        plan: &Plan<'_>,
        count: usize,
        values: impl Fn(usize, usize) -> usize,
        sizes: &mut [usize],
    ) {
        sizes.fill(0);
        let nodes = plan.subgraph().nodes();
        for place in (0..plan.subgraph().target()).filter(|&place| self.source[place] == place) {
            let taken = values(place, plan.positions(place) * nodes[place].channels * count);
            let size = &mut sizes[self.buffer[place]];
            *size = taken.max(*size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::ImageSize;
    use crate::network::Network;

    #[test]
    fn no_step_writes_over_what_it_or_a_later_one_reads() {
        for (preset, layer) in [("resnet18", "conv20"), ("densenet121", "conv40")] {
            let network = Network::preset(preset).unwrap();
            let target = network.convolution(layer).unwrap();
            let program = Program::new(&network, target, ImageSize::square(224)).unwrap();
            let buffers = Buffers::new(&program);
            // The node whose deltas each buffer holds.
            let mut held = vec![None; buffers.count];
            for (place, node) in program.subgraph.nodes().iter().enumerate() {
                for &input in &node.inputs {
                    assert_eq!(held[buffers.of(input)], Some(buffers.source[input]), "{preset}");
                }
                if place < program.subgraph.target() && buffers.source[place] == place {
                    let buffer = buffers.of(place);
                    assert!(node.inputs.iter().all(|&input| buffers.of(input) != buffer));
                    held[buffer] = Some(place);
                }
            }
            assert!(buffers.count < program.steps.len() / 2, "{preset}: {}", buffers.count);
        }
    }
}
