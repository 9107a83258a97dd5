//! Operations that have a kernel.

use super::CudaError;
use crate::geometry::SlidingWindow;
use crate::network::{LayerId, Network, Op, RGB, Window};

/// The error of a node that no kernel computes: of a network that did not pass [`check_support`].
pub(super) fn no_kernel(node: usize) -> CudaError {
    CudaError::Shape { kernel: "forward pass", problem: format!("no kernel computes node {node}") }
}

/// The window of both axes, of a network that passed [`check_support`].
pub(super) const fn square(window: Window) -> SlidingWindow {
    window.axes.y
}

/// Checks that a network can be computed on a GPU up to `layers`.
///
/// # Errors
/// [`CudaError::Unsupported`], with the first layer that cannot be.
pub fn check_support(network: &Network, layers: &[LayerId]) -> Result<(), CudaError> {
    let unsupported = |id: LayerId, what: String| {
        Err(CudaError::Unsupported { layer: network.layer(id).name.clone(), what })
    };
    let leading = network.leading_to(layers);
    for id in (0..leading.len()).filter(|&id| leading[id]).map(LayerId) {
        let op = &network.layer(id).op;
        if network.image_channels() != RGB {
            let what = format!("images of {} channels, not {RGB}", network.image_channels());
            return unsupported(id, what);
        }
        match op {
            Op::Conv(_) | Op::MaxPool(_) => {
                if op.window().if_square().is_none() {
                    let what = "its window is no square, is dilated, or is padded unevenly";
                    return unsupported(id, what.into());
                }
            }
            Op::Relu | Op::LocalResponseNorm(_) | Op::Dropout | Op::Add | Op::Concat => {}
            _ => return unsupported(id, format!("it is a {}", op.kind())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_kernel_computes_is_told_with_its_layer() {
        let network = Network::from_description(
            br#"{"name": "small", "layers": [
                {"name": "a", "op": "conv", "out_channels": 4, "kernel": 3},
                {"name": "r", "op": "relu"},
                {"name": "b", "op": "conv", "out_channels": 4, "kernel": [3, 1]},
                {"name": "s", "op": "sigmoid"},
                {"name": "c", "op": "conv", "out_channels": 4, "kernel": 3}
            ]}"#,
        )
        .unwrap();
        let problem = |layer| match check_support(&network, &[LayerId(layer)]) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(problem(0), "");
        assert!(problem(2).contains("layer `b`: its window is no square"), "{}", problem(2));
        assert!(problem(4).contains("layer `b`"), "{}", problem(4));
    }
}
