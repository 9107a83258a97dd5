//! Axes of what has one position: `[1, channels]`, with up to two axes of length 1 behind.

use super::builder::Builder;
use super::error::shown_list;
use super::messages::NodeProto;
use super::value::{Feature, Value};
use super::views::list;
use crate::error::ParseError;

/// A feature of one position with other axes: nothing is computed, but the axes decide what a join
/// with a map means.
///
/// # Errors
/// Axes before the channels, or more than two behind.
pub(super) fn shaped(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node: &NodeProto = builder.nodes[index];
    let (feature, behind) = if let Value::Column(feature) = builder.value(node, 0)? {
        (feature, 1)
    } else {
        let feature = builder.feature(node, 0)?;
        (feature, if feature.channels_last { 0 } else { 2 })
    };
    let behind = match node.op_type.as_str() {
        "Flatten" => matches!(node.int("axis", 1), 0 | 1).then_some(0),
        "Squeeze" => {
            let axes = list(builder, node, "axes", 1)?.unwrap_or_default();
            added(&axes, 2 + behind).and_then(|count| behind.checked_sub(count))
        }
        "Unsqueeze" => {
            let axes = list(builder, node, "axes", 1)?.unwrap_or_default();
            added(&axes, 2 + behind + axes.len()).map(|count| behind + count)
        }
        _ => {
            let shape = list(builder, node, "shape", 1)?.unwrap_or_default();
            axes_behind(&shape, builder.channels(feature)).ok_or_else(|| {
                ParseError(format!(
                    "its shape {} is not `[1, channels]` or `[1, channels, 1, 1]`",
                    shown_list(&shape)
                ))
            })?
        }
        .into(),
    };
    match behind {
        Some(0) => Ok(Value::Layer(Feature { channels_last: true, ..feature })),
        Some(1) => Ok(Value::Column(feature)),
        Some(2) => Ok(Value::Layer(Feature { channels_last: false, ..feature })),
        _ => {
            Err("its axes are not given, lie before the channels, or are more than two behind"
                .into())
        }
    }
}

/// How many axes a list names, where all lie behind the channels and none twice.
fn added(axes: &[i64], rank: usize) -> Option<usize> {
    let rank = rank as i64;
    let mut found: Vec<i64> =
        axes.iter().map(|&axis| if axis < 0 { axis.saturating_add(rank) } else { axis }).collect();
    found.sort_unstable();
    found.dedup();
    let fit = found.len() == axes.len() && found.iter().all(|axis| (2..rank).contains(axis));
    (fit && !axes.is_empty()).then_some(axes.len())
}

/// The axes behind the channels of a new shape; at most one length of it is -1, and 0 keeps one.
fn axes_behind(shape: &[i64], channels: usize) -> Option<usize> {
    let &[batch, found, ref behind @ ..] = shape else { return None };
    let one = |length: &i64| matches!(length, -1..=1);
    let fit = one(&batch) && (found == channels as i64 || matches!(found, -1 | 0));
    let inferred = shape.iter().filter(|&&length| length == -1).count();
    (fit && behind.iter().all(one) && behind.len() <= 2 && inferred <= 1).then_some(behind.len())
}
