//! Random weights: the work of an engine does not depend on values, as long as responses depend on
//! the image.

use super::{Filters, Model, ModelError, Network, Op};
use crate::noise::TorchStream;

impl Model {
    /// Random weights for a network, the same for the same seed: uniform, of the width that keeps
    /// the spread of responses from layer to layer behind `ReLUs` (He et al. 2015, "Delving Deep into
    /// Rectifiers"); biases are 0.
    ///
    /// # Errors
    /// None: the filters are made for the network.
    pub fn random(network: Network, seed: u32) -> Result<Self, ModelError> {
        let mut stream = TorchStream::new(seed).map(|value| 2.0 * value - 1.0);
        let filters = network
            .parameters()
            .map(|(id, [weights, biases])| {
                let weight = match &network.layer(id).op {
                    Op::Conv(_) => {
                        let taps = weights / network.channels(id);
                        let width = (6.0 / taps as f32).sqrt();
                        stream.by_ref().take(weights).map(|value| value * width).collect()
                    }
                    Op::Prelu => vec![0.25; weights],
                    // Normalisation leaves the spread as it is.
                    _ => vec![1.0; weights],
                };
                Filters { weight, bias: vec![0.0; biases] }
            })
            .collect();
        Self::new(network, filters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_weights_fit_the_network_and_are_the_same_for_a_seed() {
        let model = |seed| Model::random(Network::preset("alexnet").unwrap(), seed).unwrap();
        let (one, same, other) = (model(1), model(1), model(2));
        for (id, conv) in one.network().convolutions() {
            let filters = one.filters(id).unwrap();
            assert_eq!(filters.bias.len(), conv.out_channels);
            assert_eq!(filters.weight, same.filters(id).unwrap().weight);
            assert_ne!(filters.weight, other.filters(id).unwrap().weight);
        }
        // torchvision's AlexNet has 2,469,696 weights and biases before its classifier.
        assert_eq!(one.weights(), 2_469_696);
    }
}
