//! A network with gates that depend on the whole map.

/// The description of a network with squeeze and excitation, then a normalisation of groups: two gates
/// that depend on the whole map. Convolutions are `stem`, `squeeze`, `excite`, `mid` and `last`.
pub fn gated(image_channels: usize) -> String {
    format!(
        r#"{{"name": "gated", "channels": {image_channels}, "layers": [
            {{"name": "stem", "op": "conv", "out_channels": 6, "kernel": 3, "stride": 2, "padding": 1}},
            {{"name": "bn", "op": "batch_norm"}},
            {{"name": "act", "op": "silu"}},
            {{"name": "pool", "op": "global_avg_pool"}},
            {{"name": "squeeze", "op": "conv", "out_channels": 2, "kernel": 1}},
            {{"name": "relu", "op": "relu"}},
            {{"name": "excite", "op": "conv", "out_channels": 6, "kernel": 1}},
            {{"name": "sigmoid", "op": "sigmoid"}},
            {{"name": "gate", "op": "gate", "inputs": ["act", "sigmoid"]}},
            {{"name": "mid", "op": "conv", "out_channels": 6, "kernel": 3}},
            {{"name": "factor", "op": "group_norm", "groups": 3, "part": "factor"}},
            {{"name": "scaled", "op": "gate", "inputs": ["mid", "factor"]}},
            {{"name": "shift", "op": "group_norm", "groups": 3, "part": "shift", "inputs": ["mid"]}},
            {{"name": "normed", "op": "gate", "join": "add", "inputs": ["scaled", "shift"]}},
            {{"name": "last", "op": "conv", "out_channels": 5, "kernel": 3}}
        ]}}"#
    )
}
