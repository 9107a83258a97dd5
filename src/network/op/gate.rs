//! Gates: one number for each channel, of the whole map, that every position is joined with.

use serde::{Deserialize, Serialize};

/// Each position of the first input joined with the second, which has one position, made of the whole
/// map by a `global_avg_pool` (squeeze and excitation: Hu et al. 2018, arXiv 1709.01507).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// How.
    #[serde(default)]
    pub join: GateJoin,
}

/// How a gate joins its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateJoin {
    /// Their product.
    #[default]
    Mul,
    /// Their sum.
    Add,
}
