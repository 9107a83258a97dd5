//! Buffers that nodes share, one after the other.

use super::{Node, Plan, Program};

/// The buffer of each node's values. A buffer is held until the last node that reads it is computed.
#[derive(Clone, Debug)]
pub struct Buffers {
    /// The node whose buffer each node's values are in: its own, or its input's.
    pub source: Vec<usize>,
    /// The buffer of each node that has its own.
    buffer: Vec<usize>,
    /// Number of buffers.
    pub count: usize,
}

impl Buffers {
    /// The buffers of a program's deltas. A node that only passes them on has those of its input.
    pub fn new<F, N, U>(program: &Program<F, N, U>) -> Self {
        // If nobody else reads the input, its window is no larger than the node's.
        let is_shared =
            |node: usize, input: usize| program.steps[node].passes_on() && program.read_once[input];
        Self::shared(program.subgraph.nodes(), &program.last_reads, 0, is_shared)
    }

    /// The buffers of the nodes from `first` on; `is_shared` says of a node and its first input whether
    /// they have one.
    pub(super) fn shared(
        nodes: &[Node],
        last_reads: &[usize],
        first: usize,
        is_shared: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut source: Vec<usize> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            source.push(match node.inputs.first() {
                Some(&input) if is_shared(index, input) => source[input],
                _ => index,
            });
        }
        let mut held_until = vec![0; source.len()];
        for (&source, &read) in source.iter().zip(last_reads) {
            held_until[source] = read.max(held_until[source]);
        }
        let (mut buffer, mut busy) = (vec![usize::MAX; source.len()], Vec::new());
        for index in (first..source.len()).filter(|&index| source[index] == index) {
            // A buffer is free once all that read it are computed: not while this one reads it.
            let free = busy.iter().position(|&until| until < index);
            let chosen = free.unwrap_or(busy.len());
            if chosen == busy.len() {
                busy.push(0);
            }
            buffer[index] = chosen;
            busy[chosen] = held_until[index];
        }
        Self { source, buffer, count: busy.len() }
    }

    /// The buffer of a node's values.
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
        for node in (0..plan.subgraph().target()).filter(|&node| self.source[node] == node) {
            let taken = values(node, plan.positions(node) * nodes[node].channels * count);
            let size = &mut sizes[self.buffer[node]];
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
            for (index, node) in program.subgraph.nodes().iter().enumerate() {
                for &input in &node.inputs {
                    assert_eq!(held[buffers.of(input)], Some(buffers.source[input]), "{preset}");
                }
                if index < program.subgraph.target() && buffers.source[index] == index {
                    let buffer = buffers.of(index);
                    assert!(node.inputs.iter().all(|&input| buffers.of(input) != buffer));
                    held[buffer] = Some(index);
                }
            }
            assert!(buffers.count < program.steps.len() / 2, "{preset}: {}", buffers.count);
        }
    }
}
