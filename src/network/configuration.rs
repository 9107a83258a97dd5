//! A model, as configurations of jobs have it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Model;
use crate::files::Digest;

/// A model, as configurations of jobs have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfiguration {
    /// The network's name.
    pub name: String,
    /// SHA-256 of the network's layers.
    pub network_sha256: Digest,
    /// SHA-256 of the weight file.
    pub weights_sha256: Digest,
    /// The network's layers, as a model description
    /// ([`Network::description`](super::Network::description)).
    pub description: Value,
}

impl Model {
    /// The model in a configuration.
    pub fn configuration(&self) -> ModelConfiguration {
        let network = self.network();
        ModelConfiguration {
            name: network.name().into(),
            network_sha256: network.digest(),
            weights_sha256: self.digest().clone(),
            description: network.description(),
        }
    }
}
