//! Operations that move channels and axes, and compute nothing.

use super::builder::Builder;
use super::constant::Constant;
use super::error::{shown_list, shown_text};
use super::fold::problem;
use super::messages::NodeProto;
use super::value::{Feature, Value};
use crate::error::ParseError;
use crate::geometry::{Border, Padding, PerAxis};
use crate::network::{ChannelShuffle, ChannelSlice, Op, Pad};

/// Whether an axis is that of a feature's channels.
fn is_channels(builder: &Builder<'_>, axis: i64, feature: Feature) -> bool {
    match axis {
        1 => !feature.channels_last || builder.is_of_whole_map(&Value::Layer(feature)),
        -3 => !feature.channels_last,
        _ => feature.channels_last && matches!(axis, 3 | -1),
    }
}

/// An attribute or, since later versions of the operators, an input, of integers.
pub(super) fn list(
    builder: &mut Builder<'_>,
    node: &NodeProto,
    name: &str,
    which: usize,
) -> Result<Option<Vec<i64>>, ParseError> {
    match (node.ints(name), node.input(which)) {
        (Some(list), _) => Ok(Some(list.to_vec())),
        (None, Some(_)) => {
            let constant = builder.constant(node, which)?;
            constant.read_integers(&mut builder.tensors).map(Some).map_err(problem)
        }
        (None, None) => Ok(None),
    }
}

pub(super) fn concat(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let inputs = (0..node.input.len()).map(|which| builder.feature(node, which));
    let inputs = inputs.collect::<Result<Vec<Feature>, _>>()?;
    let axis = node.int("axis", 0);
    if !inputs.iter().all(|&input| is_channels(builder, axis, input)) {
        return Err(ParseError(format!("it joins along axis {axis}; expected the channels")));
    }
    builder.layer(index, Op::Concat, &inputs)
}

pub(super) fn split(builder: &mut Builder<'_>, index: usize) -> Result<Vec<Value>, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["axis", "split", "num_outputs"])?;
    let (input, outputs) = (builder.feature(node, 0)?, node.output.len());
    let channels = builder.channels(input);
    if !is_channels(builder, node.int("axis", 0), input) {
        return Err("it splits along another axis than the channels".into());
    }
    let sizes: Vec<usize> = if let Some(sizes) = list(builder, node, "split", 1)? {
        sizes.iter().filter_map(|&size| usize::try_from(size).ok()).collect()
    } else {
        let each = channels.div_ceil(outputs.max(1));
        let start = |part: usize| (part * each).min(channels);
        (0..outputs).map(|part| start(part + 1) - start(part)).collect()
    };
    let sum = sizes.iter().fold(0_usize, |sum, &size| sum.saturating_add(size));
    if sizes.len() != outputs || sum != channels {
        return Err(ParseError(format!(
            "its parts {} are not the {channels} channels",
            shown_list(&sizes)
        )));
    }
    let mut start = 0;
    let part = |(part, size): (usize, usize)| {
        let slice = ChannelSlice { start, end: start + size };
        start += size;
        builder.part(index, part, Op::Slice(slice), input).map(Value::Layer)
    };
    sizes.into_iter().enumerate().map(part).collect()
}

pub(super) fn slice(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let input = builder.feature(node, 0)?;
    let channels = builder.channels(input) as i64;
    let (starts, ends) = (list(builder, node, "starts", 1)?, list(builder, node, "ends", 2)?);
    let axes = list(builder, node, "axes", 3)?.unwrap_or_else(|| vec![0]);
    let steps = list(builder, node, "steps", 4)?.unwrap_or_else(|| vec![1]);
    let (Some(&[start]), Some(&[end]), [axis], [1]) =
        (starts.as_deref(), ends.as_deref(), &axes[..], &steps[..])
    else {
        return Err("it takes more than a run of channels".into());
    };
    if !is_channels(builder, *axis, input) {
        return Err("it slices along another axis than the channels".into());
    }
    let bound = |end: i64| {
        let end = if end < 0 { end.saturating_add(channels) } else { end };
        end.clamp(0, channels) as usize
    };
    let slice = ChannelSlice { start: bound(start), end: bound(end) };
    builder.layer(index, Op::Slice(slice), &[input])
}

/// Channels in groups, and back: the two ends of a channel shuffle, and of a normalisation of groups.
pub(super) fn reshape(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    if let (Value::Bundled { input, map, .. }, Ok(Value::Shape(of))) =
        (builder.value(node, 0)?, builder.value(node, 1))
        && of == map
    {
        return Ok(Value::Layer(input));
    }
    let shape = list(builder, node, "shape", 1)?.unwrap_or_default();
    let unsupported = || {
        Err("it is supported as part of a channel shuffle or of a group normalisation only".into())
    };
    match (builder.value(node, 0)?, &shape[..]) {
        (Value::Layer(input), &[_, groups, each, _, _]) if !input.channels_last => {
            let channels = builder.channels(input);
            let number = |number: i64| usize::try_from(number).unwrap_or(0);
            match (number(groups), number(each)) {
                (groups, each) if groups.checked_mul(each) == Some(channels) => {
                    Ok(Value::Grouped { input, groups, swapped: false })
                }
                _ => unsupported(),
            }
        }
        (Value::Layer(input), &[_, groups, -1]) if !input.channels_last => {
            let groups = usize::try_from(groups).unwrap_or(0);
            if groups == 0 || !builder.channels(input).is_multiple_of(groups) {
                return unsupported();
            }
            Ok(Value::Bundled { input, groups, map: input })
        }
        (Value::Bundled { input, .. }, &[_, channels, _, _])
            if channels == -1 || channels == builder.channels(input) as i64 =>
        {
            Ok(Value::Layer(input))
        }
        (Value::Grouped { input, groups, swapped: true }, &[_, channels, _, _])
            if channels == -1 || channels == builder.channels(input) as i64 =>
        {
            builder.layer(index, Op::Shuffle(ChannelShuffle { groups }), &[input])
        }
        _ => unsupported(),
    }
}

/// A length of a map's shape: that of its channels, by which exporters split them.
pub(super) fn length(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["axis"])?;
    let (Value::Shape(of), 0) = (builder.value(node, 0)?, node.int("axis", 0)) else {
        return Err("it takes some positions or channels of a map by their numbers".into());
    };
    let which = builder.constant(node, 1)?;
    match which.read_integers(&mut builder.tensors).map_err(problem)?[..] {
        [1 | -3] => {
            let channels = builder.channels(of) as i64;
            Ok(Value::Constant(Constant::integers(which.shape, &[channels])))
        }
        ref axes => Err(ParseError(format!(
            "it takes lengths {} of a map's shape; expected that of its channels, 1",
            shown_list(axes)
        ))),
    }
}

/// The shape of a map, which a group normalisation gives its map back.
pub(super) fn shape(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&[])?;
    builder.planar(node, 0).map(Value::Shape)
}

/// Channels first or last, and the middle of a channel shuffle.
pub(super) fn transpose(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let order = node.ints("perm").unwrap_or_default();
    let turned =
        |input: Feature, channels_last| Ok(Value::Layer(Feature { channels_last, ..input }));
    match (builder.value(node, 0)?, order) {
        (Value::Layer(input), [0, 2, 3, 1]) if !input.channels_last => turned(input, true),
        (Value::Layer(input), [0, 3, 1, 2]) if input.channels_last => turned(input, false),
        (Value::Grouped { input, groups, swapped: false }, [0, 2, 1, 3, 4]) => {
            Ok(Value::Grouped { input, groups, swapped: true })
        }
        _ => Err(ParseError(format!("this order of axes is not supported: {}", shown_list(order)))),
    }
}

/// Zeros around a map, for a convolution behind; values of the map around it.
pub(super) fn pad(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let border = match node.text("mode").unwrap_or("constant") {
        "constant" => None,
        "reflect" => Some(Border::Reflect),
        "edge" => Some(Border::Edge),
        "wrap" => {
            return Err(
                "its mode is `wrap`, which brings pixels from the other end of the image into a \
                        receptive field; expected constant, reflect or edge"
                    .into(),
            );
        }
        other => {
            return Err(ParseError(format!(
                "its mode is `{}`; expected constant, reflect or edge",
                shown_text(other)
            )));
        }
    };
    if let Some(border) = border {
        let input = builder.planar(node, 0)?;
        let padding = padding(builder, node)?;
        if padding == Padding::default() {
            return Ok(Value::Layer(input));
        }
        return builder.layer(index, Op::Pad(Pad { mode: border, padding }), &[input]);
    }
    let (input, before) = builder.padded(node)?;
    let value = match node.input(2) {
        Some(_) => super::operations::number(builder, node, 2)?,
        None => node.float("value", 0.0),
    };
    if value != 0.0 {
        return Err("it pads with another value than 0".into());
    }
    let padding = sum(before, padding(builder, node)?);
    Ok(Value::Padded { input, padding })
}

/// The positions that a `Pad` adds to a map.
fn padding(builder: &mut Builder<'_>, node: &NodeProto) -> Result<Padding, ParseError> {
    if node.input(3).is_some() {
        return Err("it pads along named axes".into());
    }
    let pads = list(builder, node, "pads", 1)?.unwrap_or_default();
    let [0, 0, top, left, 0, 0, bottom, right] = pads[..] else {
        return Err(ParseError(format!(
            "its pads are {}; expected those of height and width",
            shown_list(&pads)
        )));
    };
    let [top, left, bottom, right] = super::window::numbers("pads", &[top, left, bottom, right])?;
    Ok(Padding { before: PerAxis::new(top, left), after: PerAxis::new(bottom, right) })
}

/// Both paddings.
pub(super) fn sum(one: Padding, other: Padding) -> Padding {
    let add = |a: PerAxis<usize>, b: PerAxis<usize>| {
        PerAxis::new(a.y.saturating_add(b.y), a.x.saturating_add(b.x))
    };
    Padding { before: add(one.before, other.before), after: add(one.after, other.after) }
}
