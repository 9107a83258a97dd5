//! A pass of whole images through the layers that lead to some targets: which buffer each layer
//! reads and writes.

use crate::network::{Input, LayerId, Network};

/// Where a step finds an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The image.
    Image,
    /// A buffer.
    Buffer(usize),
}

/// One layer's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassStep {
    /// The layer.
    pub layer: LayerId,
    /// Its inputs.
    pub inputs: Vec<Source>,
    /// The buffer it writes; where `in_place`, the one that it reads.
    pub output: usize,
    /// Whether it writes over its input.
    pub in_place: bool,
}

/// The steps that lead to `targets`, and nothing else. A buffer is used again as soon as its
/// last reader is done: VGG's 26 activations need two buffers.
pub fn schedule(network: &Network, targets: &[LayerId]) -> Vec<PassStep> {
    let layers = network.layers();
    let needed = network.leading_to(targets);
    // 0 for what nobody reads: the first layer reads the image.
    let mut last_reader = vec![0; layers.len()];
    for (id, layer) in layers.iter().enumerate().filter(|&(id, _)| needed[id]) {
        for input in &layer.inputs {
            if let Input::Layer(LayerId(source)) = *input {
                last_reader[source] = id;
            }
        }
    }

    let mut steps = Vec::new();
    let mut buffer_of = vec![usize::MAX; layers.len()];
    let mut free: Vec<usize> = Vec::new();
    let mut buffers = 0;
    for (id, layer) in layers.iter().enumerate().filter(|&(id, _)| needed[id]) {
        let inputs: Vec<Source> = layer
            .inputs
            .iter()
            .map(|input| match *input {
                Input::Image => Source::Image,
                Input::Layer(LayerId(source)) => Source::Buffer(buffer_of[source]),
            })
            .collect();
        let mut done: Vec<usize> = layer
            .inputs
            .iter()
            .filter_map(|input| match *input {
                Input::Layer(LayerId(source)) if last_reader[source] == id => {
                    Some(buffer_of[source])
                }
                _ => None,
            })
            .collect();
        done.sort_unstable();
        done.dedup();
        let in_place = layer.op.is_pointwise() && done.len() == 1;
        let output = if in_place {
            done[0]
        } else {
            let output = free.pop().unwrap_or_else(|| {
                buffers += 1;
                buffers - 1
            });
            free.append(&mut done);
            output
        };
        // A target that nobody reads gives its buffer back at once: its values are looked at
        // right after its step.
        buffer_of[id] = output;
        if last_reader[id] == 0 {
            free.push(output);
        }
        steps.push(PassStep { layer: LayerId(id), inputs, output, in_place });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_needs_two_buffers() {
        for preset in ["alexnet", "vgg11", "vgg19", "vgg16_bn"] {
            let network = Network::preset(preset).unwrap();
            let (last, _) = network.convolutions().last().unwrap();
            let steps = schedule(&network, &[last]);
            assert_eq!(steps.len(), last.0 + 1);
            assert_eq!(steps.iter().map(|step| step.output).max(), Some(1), "{preset}");
            assert!(steps.iter().all(|step| {
                step.in_place == step.inputs.contains(&Source::Buffer(step.output))
            }));
        }
    }

    #[test]
    fn a_branch_keeps_what_it_reads_later() {
        let network = Network::from_description(
            br#"{"name": "branch", "layers": [
                {"name": "a", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
                {"name": "r", "op": "relu"},
                {"name": "b", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
                {"name": "sum", "op": "add", "inputs": ["a", "b"]},
                {"name": "unused", "op": "relu", "inputs": ["a"]},
                {"name": "c", "op": "conv", "out_channels": 2, "kernel": 1, "inputs": ["sum"]}
            ]}"#,
        )
        .unwrap();
        let target = network.convolution("c").unwrap();
        let steps = schedule(&network, &[target]);
        let names: Vec<&str> =
            steps.iter().map(|step| network.layer(step.layer).name.as_str()).collect();
        assert_eq!(names, ["a", "r", "b", "sum", "c"]);
        assert!(!steps[1].in_place, "`a` is read again by the sum");
        let Source::Buffer(a) = steps[3].inputs[0] else { panic!("`sum` reads a layer") };
        assert_eq!(a, steps[0].output);
        assert!(steps[1..3].iter().all(|step| step.output != a));
    }
}
