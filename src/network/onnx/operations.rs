//! The operations that are read: what each node becomes.

use super::builder::Builder;
use super::constant::Constant;
use super::messages::NodeProto;
use super::recipe::{Affine, Recipe, is_per_channel};
use super::tensor::{is_float, type_name};
use super::value::{Feature, Value};
use super::window::{self, NodeWindow};
use super::{functions, group, is_standard, views};
use crate::error::ParseError;
use crate::geometry::{ImageSize, Padding, PerAxis};
use crate::network::{
    AveragePool, BatchNorm, ChannelNorm, Convolution, Function, LocalResponseNorm, MaxPool, Op,
};

/// Whether a node hands its first input on as it is.
pub(super) fn is_same(node: &NodeProto) -> bool {
    let same = match node.op_type.as_str() {
        "Identity" | "Dropout" => true,
        "Cast" => is_float(node.int("to", 0)),
        _ => false,
    };
    same && is_standard(&node.domain)
}

/// The value of each output of a node that depends on the image: one layer, mostly.
///
/// # Errors
/// The part that is not supported.
pub(super) fn translate(builder: &mut Builder<'_>, index: usize) -> Result<Vec<Value>, ParseError> {
    let node = builder.nodes[index];
    if !is_standard(&node.domain) {
        return Err("the operation is not one of ONNX's own".into());
    }
    let one = match node.op_type.as_str() {
        "Split" => return views::split(builder, index),
        "Conv" => convolution(builder, index),
        "MatMul" => matrix(builder, index),
        "BatchNormalization" => batch_norm(builder, index),
        "Relu" => one_input(builder, index, Op::Relu, &[]),
        "MaxPool" => max_pool(builder, index),
        "AveragePool" => average_pool(builder, index),
        "LRN" => local_response_norm(builder, index),
        "LayerNormalization" => layer_norm(builder, index),
        "PRelu" => prelu(builder, index),
        "Add" | "Sum" | "Sub" | "Mul" | "Div" => arithmetic(builder, index),
        "Neg" => {
            let input = builder.feature(node, 0)?;
            negative(builder, index, 0, input).map(Value::Layer)
        }
        "Pow" => power(builder, index),
        "Concat" => views::concat(builder, index),
        "Slice" => views::slice(builder, index),
        "Reshape" => views::reshape(builder, index),
        "Transpose" => views::transpose(builder, index),
        "Pad" => views::pad(builder, index),
        "Shape" => views::shape(builder, index),
        "Gather" => views::length(builder, index),
        _ if is_same(node) => builder.value(node, 0),
        "Cast" => Err(ParseError(format!(
            "it casts to type {}; expected float16, bfloat16, float32 or float64",
            type_name(node.int("to", 0))
        ))),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => Ok(Value::Pooled),
        "ReduceMean" | "ReduceMax" | "ReduceSum" if builder.reduces_space(node)? => {
            Ok(Value::Pooled)
        }
        "InstanceNormalization" => group::instance_norm(builder, index),
        "GroupNormalization" => group::group_norm(builder, index),
        "MeanVarianceNormalization" => {
            Err("it normalises by the whole map, so a receptive field would be the image".into())
        }
        "Resize" | "Upsample" => Err("it puts positions between those of its input, so that \
             receptive fields would not move by one step from position to position"
            .into()),
        "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear"
        | "QLinearConv"
        | "ConvInteger" => Err("quantised networks are not supported; export it in float32".into()),
        _ => match functions::of(builder, index)? {
            Some((function, known)) => one_input(builder, index, Op::Pointwise(function), known),
            None => Err("the operation is not supported".into()),
        },
    };
    one.map(|value| vec![value])
}

/// A layer of one input that works on each position by itself; `known` are the attributes that `op`
/// was read from.
fn one_input(
    builder: &mut Builder<'_>,
    index: usize,
    op: Op,
    known: &[&str],
) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(known)?;
    let feature = builder.feature(node, 0)?;
    builder.layer(index, op, &[feature])
}

fn convolution(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&[&window::ATTRIBUTES[..], &["group"]].concat())?;
    let (input, padded) = builder.padded(node)?;
    let weight = builder.constant(node, 1)?;
    let bias = node.input(2).map(|_| builder.constant(node, 2)).transpose()?;
    let [out_channels, inputs, ref kernel @ ..] = weight.shape[..] else {
        return Err(ParseError(format!("its weights have shape {:?}", weight.shape)));
    };
    let &[height, width] = kernel else {
        let axes = kernel.len();
        return Err(ParseError(format!("it slides along {axes} axes; expected height and width")));
    };
    let kernel = PerAxis::new(height, width);
    let size = builder.size(input).map(|size| padded_size(size, padded));
    let NodeWindow { kernel, stride, padding, dilation, .. } =
        builder.window(index, Some(kernel), size)?;
    let groups = usize::try_from(node.int("group", 1)).unwrap_or(0);
    let found = builder.channels(input);
    if groups.checked_mul(inputs) != Some(found) {
        return Err(ParseError(format!(
            "its weights {:?} in {groups} groups do not fit its input of {found} channels",
            weight.shape
        )));
    }
    if bias.as_ref().is_some_and(|bias| bias.shape != [out_channels]) {
        return Err(ParseError(format!("its bias is not of {out_channels} values")));
    }
    let padding = views::sum(padding, padded);
    let bias_there = bias.is_some();
    let op =
        Convolution { out_channels, kernel, stride, padding, groups, dilation, bias: bias_there };
    builder.with_recipe(index, Op::Conv(op), input, Recipe::Convolution { weight, bias })
}

/// The size of a map with zeros around it.
fn padded_size(size: ImageSize, padding: Padding) -> ImageSize {
    let Padding { before, after } = padding;
    ImageSize::new(
        size.height.saturating_add(before.y).saturating_add(after.y),
        size.width.saturating_add(before.x).saturating_add(after.x),
    )
}

/// A matrix on each position's channels, where those are last.
fn matrix(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let (input, weight) = (builder.feature(node, 0)?, builder.constant(node, 1)?);
    if !input.channels_last {
        return Err("it multiplies the columns of the map".into());
    }
    let [inputs, outputs] = weight.shape[..] else {
        return Err(ParseError(format!("its matrix has shape {:?}", weight.shape)));
    };
    if inputs != builder.channels(input) {
        return Err(ParseError(format!(
            "its matrix has {inputs} rows, and its input {} channels",
            builder.channels(input)
        )));
    }
    let op = Convolution { bias: false, ..Convolution::new(outputs, 1, 1, 0) };
    builder.with_recipe(index, Op::Conv(op), input, Recipe::Matrix { weight, bias: None })
}

fn batch_norm(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["epsilon", "momentum", "spatial", "training_mode", "is_test"])?;
    if node.int("training_mode", 0) != 0 || node.int("spatial", 1) != 1 {
        return Err("it normalises by the batch; export the network in evaluation mode".into());
    }
    let affine = Affine::BatchNorm {
        scale: builder.constant(node, 1)?,
        shift: builder.constant(node, 2)?,
        mean: builder.constant(node, 3)?,
        variance: builder.constant(node, 4)?,
        epsilon: node.float("epsilon", 1e-5),
    };
    // A value of one position may have lost its axes: `[1, channels]`.
    let flat = builder.is_of_whole_map(&builder.value(node, 0)?);
    let input = if flat { builder.feature(node, 0)? } else { builder.planar(node, 0)? };
    with_affine(builder, index, input, affine)
}

/// The sum or product of branches; or arithmetic with a constant for each channel.
fn arithmetic(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["axis", "broadcast"])?;
    let op_type = node.op_type.as_str();
    let features = |builder: &Builder<'_>| {
        let inputs = (0..node.input.len()).map(|which| builder.feature(node, which));
        inputs.collect::<Result<Vec<Feature>, _>>()
    };
    if let Some(which) = (0..node.input.len()).find(|&which| builder.constant(node, which).is_ok())
        && node.input.len() == 2
    {
        let constant = builder.constant(node, which)?;
        let input = builder.feature(node, 1 - which)?;
        if let Some(affine) = Affine::of_constant(op_type, which, constant.clone()) {
            return with_affine(builder, index, input, affine);
        }
        // A constant divided by a map.
        let input = reciprocal(builder, index, input)?;
        return with_affine(builder, index, input, Affine::Multiply(constant));
    }
    match op_type {
        "Add" | "Sum" => {
            let inputs = features(builder)?;
            builder.layer(index, Op::Add, &inputs)
        }
        "Mul" => {
            let inputs = features(builder)?;
            match functions::times_sigmoid(builder, &inputs) {
                Some(input) => builder.layer(index, Op::Pointwise(Function::Silu), &[input]),
                None => builder.layer(index, Op::Mul, &inputs),
            }
        }
        "Sub" => {
            let [plus, minus] = features(builder)?[..] else {
                return Err("it has not two inputs".into());
            };
            let negative = negative(builder, index, 1, minus)?;
            builder.layer(index, Op::Add, &[plus, negative])
        }
        _ => {
            let [above, below] = features(builder)?[..] else {
                return Err("it has not two inputs".into());
            };
            let below = reciprocal(builder, index, below)?;
            builder.layer(index, Op::Mul, &[above, below])
        }
    }
}

/// `-x`, as a part of a node.
fn negative(
    builder: &mut Builder<'_>,
    index: usize,
    part: usize,
    input: Feature,
) -> Result<Feature, ParseError> {
    let affine = Affine::Multiply(Constant::filled(Vec::new(), -1.0));
    let op = Op::BatchNorm(BatchNorm { eps: 0.0, affine: true });
    builder.part_with_recipe(index, part, op, input, Recipe::Affine(affine))
}

/// `1 / x`, as a part of a node.
fn reciprocal(
    builder: &mut Builder<'_>,
    index: usize,
    input: Feature,
) -> Result<Feature, ParseError> {
    builder.part(index, 1, Op::Pointwise(Function::Reciprocal), input)
}

/// A power: the square, the root and the reciprocal.
fn power(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let exponent = number(builder, node, 1)?;
    let input = builder.feature(node, 0)?;
    if exponent == 1.0 {
        return Ok(Value::Layer(input));
    }
    if exponent == 2.0 {
        return builder.layer(index, Op::Mul, &[input, input]);
    }
    let function = match exponent {
        0.5 => Function::Sqrt,
        -1.0 => Function::Reciprocal,
        _ => {
            return Err(ParseError(format!(
                "its exponent is {exponent}; expected 2, 1/2, 1 or -1"
            )));
        }
    };
    builder.layer(index, Op::Pointwise(function), &[input])
}

/// A factor and a shift for each channel: of a convolution without a bias the bias, else a batch
/// normalisation.
pub(super) fn with_affine(
    builder: &mut Builder<'_>,
    index: usize,
    input: Feature,
    affine: Affine,
) -> Result<Value, ParseError> {
    let channels = builder.channels(input);
    if !affine.fits(channels, input.channels_last) {
        return Err(ParseError(format!(
            "its constant has neither one number for each of {channels} channels nor one for all"
        )));
    }
    if let Affine::Add(bias) = &affine
        && bias.len() == Some(channels)
        && builder.add_bias(index, input, bias)
    {
        return Ok(Value::Layer(input));
    }
    let eps = match affine {
        Affine::BatchNorm { epsilon, .. } => epsilon,
        _ => 0.0,
    };
    let op = Op::BatchNorm(BatchNorm { eps, affine: true });
    builder.with_recipe(index, op, input, Recipe::Affine(affine))
}

fn max_pool(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let input = builder.planar(node, 0)?;
    let NodeWindow { kernel, stride, padding, dilation, ceil_mode, .. } =
        builder.window(index, None, builder.size(input))?;
    let op = Op::MaxPool(MaxPool { kernel, stride, padding, ceil_mode, dilation });
    one_input(builder, index, op, &[&window::ATTRIBUTES[..], &["storage_order"]].concat())
}

fn average_pool(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let input = builder.planar(node, 0)?;
    let NodeWindow { kernel, stride, padding, dilation, ceil_mode, .. } =
        builder.window(index, None, builder.size(input))?;
    if dilation != PerAxis::both(1) {
        return Err("its dilation is not supported".into());
    }
    let count_include_pad = node.int("count_include_pad", 0) != 0;
    let op = Op::AvgPool(AveragePool { kernel, stride, padding, ceil_mode, count_include_pad });
    one_input(builder, index, op, &[&window::ATTRIBUTES[..], &["count_include_pad"]].concat())
}

fn local_response_norm(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    builder.planar(node, 0)?;
    let size = usize::try_from(node.int("size", 0)).unwrap_or(0);
    let op = Op::LocalResponseNorm(LocalResponseNorm {
        size,
        alpha: node.float("alpha", 1e-4),
        beta: node.float("beta", 0.75),
        k: node.float("bias", 1.0),
        // PyTorch takes the one before.
        further_after: size.is_multiple_of(2),
    });
    one_input(builder, index, op, &["size", "alpha", "beta", "bias"])
}

/// Layer normalisation of each position's channels, where those are last.
fn layer_norm(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["axis", "epsilon", "stash_type"])?;
    let input = builder.feature(node, 0)?;
    if !input.channels_last || !matches!(node.int("axis", -1), -1 | 3) {
        return Err("it normalises by more than the channels of a position".into());
    }
    let (weight, bias) =
        (builder.constant(node, 1)?, node.input(2).map(|_| builder.constant(node, 2)).transpose()?);
    let channels = builder.channels(input);
    if [Some(&weight), bias.as_ref()].into_iter().flatten().any(|value| value.shape != [channels]) {
        return Err(ParseError(format!("its weights are not of {channels} channels")));
    }
    let op = Op::ChannelNorm(ChannelNorm { eps: node.float("epsilon", 1e-5) });
    builder.with_recipe(index, op, input, Recipe::Norm { weight, bias })
}

fn prelu(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    let (input, slopes) = (builder.feature(node, 0)?, builder.constant(node, 1)?);
    let channels = builder.channels(input);
    if !is_per_channel(&slopes, channels, input.channels_last) {
        return Err(ParseError(format!("its slopes are not one for each of {channels} channels")));
    }
    builder.with_recipe(index, Op::Prelu, input, Recipe::Slopes(slopes))
}

/// A constant of one value.
pub(super) fn number(
    builder: &mut Builder<'_>,
    node: &NodeProto,
    which: usize,
) -> Result<f32, ParseError> {
    let constant: Constant = builder.constant(node, which)?;
    if constant.len() != Some(1) {
        return Err(ParseError(format!("its input {which} is not one number")));
    }
    let values = constant.read(&mut builder.tensors).map_err(super::fold::problem)?;
    Ok(values.data[0])
}
