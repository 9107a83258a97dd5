//! Whether receptive fields hold every pixel that reaches a unit.

use super::Subgraph;
use crate::geometry::{Axis, ImageSize, PerAxis, Span};
use crate::network::{LayerId, MapContext, Network, NetworkError};

/// Checks that no pixel outside of its receptive field reaches a `position` `(y, x)` of a layer, or any
/// without one, on images of one size. What a padding mirrors may lie further inside than the windows
/// behind it see.
///
/// # Errors
/// [`NetworkError::OutsideField`], with the first such position; images too small for the layer.
pub fn check_fields(
    network: &Network,
    layer: LayerId,
    image: ImageSize,
    position: Option<(usize, usize)>,
) -> Result<(), NetworkError> {
    // Of gates the field is that of the local path.
    let local = network.clone().with_context(MapContext::Frozen);
    let subgraph = Subgraph::new(&local, layer, image)?;
    if subgraph.nodes().iter().all(|node| node.border.is_none()) {
        return Ok(());
    }
    let projection = network.projection(layer);
    let output = subgraph.nodes()[subgraph.target()].size;
    for axis in Axis::BOTH {
        let positions = match position {
            Some((y, x)) => Span::at(PerAxis::new(y, x).of(axis)),
            None => Span::whole(axis.of(output)),
        };
        for position in positions.start as usize..positions.end as usize {
            let field = projection.field(position, position);
            let first = PerAxis::new(field.y, field.x).of(axis);
            let field = Span::new(first, first + field.size as isize);
            let pixels = subgraph.backward(axis, Span::at(position))[0];
            if !field.covers(pixels) {
                let layer = network.layer(network.tapped(layer)).name.clone();
                return Err(NetworkError::OutsideField {
                    layer,
                    image,
                    axis,
                    position,
                    pixels,
                    field: field.intersect(Span::whole(axis.of(image))),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, side: usize) -> Result<(), NetworkError> {
        let json = format!(r#"{{"name": "padded", "layers": [{json}]}}"#);
        let network = Network::from_description(json.as_bytes()).unwrap();
        let (target, _) = network.convolutions().last().unwrap();
        check_fields(&network, target, ImageSize::square(side), None)
    }

    #[test]
    fn windows_of_an_odd_length_with_half_of_it_as_padding_see_their_own_fields() {
        let windows = [(3, 1), (3, 2), (5, 1), (7, 2)];
        for ((mode, side), (one, other)) in
            (16..24).flat_map(|side| [("reflect", side), ("edge", side)]).flat_map(|of| {
                let pairs = windows.iter().flat_map(|&one| windows.map(|other| (one, other)));
                pairs.map(move |pair| (of, pair))
            })
        {
            let padded = |(kernel, stride): (usize, usize)| {
                format!(
                    r#"{{"op": "pad", "mode": "{mode}", "padding": {}}},
                       {{"op": "conv", "out_channels": 1, "kernel": {kernel}, "stride": {stride}}},"#,
                    kernel / 2
                )
            };
            let last = r#"{"op": "conv", "out_channels": 1, "kernel": 3, "padding": 1}"#;
            check(&(padded(one) + &padded(other) + last), side).unwrap();
        }
    }

    #[test]
    fn a_window_as_wide_as_what_is_mirrored_sees_its_own_field_and_a_narrower_one_more() {
        let blur = |kernel: usize, padding: &str, mode: &str| {
            format!(
                r#"{{"op": "pad", "mode": "{mode}", "padding": {padding}}},
                   {{"op": "conv", "out_channels": 1, "kernel": {kernel}, "stride": 2}}"#
            )
        };
        for side in 8..14 {
            check(&blur(3, "1", "reflect"), side).unwrap();
            check(&blur(5, "2", "reflect"), side).unwrap();
            check(&blur(4, "[1, 1, 2, 2]", "edge"), side).unwrap();
            check(&blur(3, "2", "edge"), side).unwrap();
        }
        // The last of 12 pixels is seen with one beyond; of 13 with two, of which one is mirrored
        // to before the window.
        check(&blur(4, "[1, 1, 2, 2]", "reflect"), 12).unwrap();
        let error = check(&blur(4, "[1, 1, 2, 2]", "reflect"), 13).unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer `1` cannot be mapped on images of 13×13: by a padding with values of the map, row 6 of \
             its output depends on rows 10 to 12, and its receptive field has rows 11 to 12; use images of \
             another size, or map other layers"
        );
        // A field that lies wholly in the padding.
        let error = check(&blur(1, "2", "edge"), 13).unwrap_err().to_string();
        assert!(error.contains("its receptive field has no rows"), "{error}");
        // A layer behind sees enough.
        let behind = r#", {"op": "conv", "out_channels": 1, "kernel": 3, "padding": 1}"#;
        check(&(blur(4, "[1, 1, 2, 2]", "reflect") + behind), 13).unwrap();
    }
}
