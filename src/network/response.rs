//! From which of a convolution and its batch normalisation responses are taken.

use serde::{Deserialize, Serialize};

use super::{Input, LayerId, Network, Op};

/// From where the responses of a convolution's units are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// From the convolution itself, before any batch normalisation.
    #[default]
    Conv,
    /// From the batch normalisation that reads the convolution, where there is one.
    Bn,
}

impl Network {
    /// The layer from which responses of layer `id` are taken; of any other than a convolution itself.
    pub fn responding(&self, id: LayerId, response: Response) -> LayerId {
        if response == Response::Conv || !matches!(self.layer(id).op, Op::Conv(_)) {
            return id;
        }
        let reads = |&norm: &LayerId| {
            let layer = self.layer(norm);
            matches!(layer.op, Op::BatchNorm(_))
                && layer.inputs == [Input::Layer(id)]
                && !self.origin().arithmetic.contains(&norm)
        };
        (0..self.own_layers().len()).map(LayerId).find(reads).unwrap_or(id)
    }

    /// The note on the choice of a response if an exporter may have folded batch
    /// normalisations into convolutions; `None` of other networks.
    pub fn folding_note(&self) -> Option<String> {
        if !self.origin().may_be_folded {
            return None;
        }
        Some(format!(
            "note: exporters of ONNX files fold batch normalisations into convolutions, without a trace: \
             responses of {} may be the normalised ones; a negative factor exchanges the top and the bottom \
             images of a unit",
            self.name()
        ))
    }
}
