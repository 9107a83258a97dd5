//! Arithmetic with constants: weights that a graph standardises before it convolves with them.

use super::constant::{Constant, Tensors};
use super::fold::{axes, from_start, problem};
use super::messages::NodeProto;
use super::tensor::check_few;
use crate::error::ParseError;

/// Results of a node of constants: of floats in float64, each result rounded to float32, of integers
/// exactly; `None` of another operation.
pub(super) fn compute(
    node: &NodeProto,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Option<Result<Constant, ParseError>> {
    let pair = |function: fn(f64, f64) -> f64| function;
    let single = |function: fn(f64) -> f64| function;
    if let [a, b] = inputs
        && a.is_of_integers(tensors)
        && b.is_of_integers(tensors)
    {
        return integer_pairs(&node.op_type, [a, b], tensors);
    }
    Some(match (node.op_type.as_str(), inputs) {
        ("Add", [a, b]) => pairs(pair(|a, b| a + b), [a, b], tensors),
        ("Sub", [a, b]) => pairs(pair(|a, b| a - b), [a, b], tensors),
        ("Mul", [a, b]) => pairs(pair(|a, b| a * b), [a, b], tensors),
        ("Div", [a, b]) => pairs(pair(|a, b| a / b), [a, b], tensors),
        ("Pow", [a, b]) => pairs(pair(f64::powf), [a, b], tensors),
        ("Sqrt", [a]) => each(single(f64::sqrt), a, tensors),
        ("Neg", [a]) => each(single(|a| -a), a, tensors),
        ("Reciprocal", [a]) => each(single(|a| 1.0 / a), a, tensors),
        ("ReduceMean", [a, ..]) => mean(node, a, inputs, tensors),
        ("Transpose", [a]) => transposed(node, a, tensors),
        ("BatchNormalization", [x, numbers @ ..]) => batch_norm(node, x, numbers, tensors),
        _ => return None,
    })
}

/// Arithmetic with integers of one shape, or one of which is a single number, as exporters compute the bounds
/// of slices of channels; `None` of another operation.
fn integer_pairs(
    op_type: &str,
    inputs: [&Constant; 2],
    tensors: &mut Tensors,
) -> Option<Result<Constant, ParseError>> {
    let function: fn(i64, i64) -> Option<i64> = match op_type {
        "Add" => i64::checked_add,
        "Sub" => i64::checked_sub,
        "Mul" => i64::checked_mul,
        "Div" => i64::checked_div,
        _ => return None,
    };
    let mut read = |which: usize| -> Result<Vec<i64>, ParseError> {
        let values = inputs[which].read_integers(tensors).map_err(problem)?;
        tensors.count_computed(Some(values.len()))?;
        Ok(values)
    };
    let mut compute = || -> Result<Constant, ParseError> {
        let [a, b] = [read(0)?, read(1)?];
        let [of_a, of_b] = inputs.map(|input| &input.shape);
        let shape = match (of_a, of_b) {
            (of_a, of_b) if of_a == of_b || (b.len() == 1 && of_b.len() <= of_a.len()) => of_a,
            (of_a, of_b) if a.len() == 1 && of_a.len() <= of_b.len() => of_b,
            _ => {
                return Err(ParseError(format!(
                    "its integers are of shapes {of_a:?} and {of_b:?}"
                )));
            }
        };
        let at = |values: &[i64], index: usize| match values {
            [one] => Some(*one),
            all => all.get(index).copied(),
        };
        let value = |index| function(at(&a, index)?, at(&b, index)?);
        let values: Option<Vec<i64>> = (0..shape.iter().product()).map(value).collect();
        let values = values.ok_or("the result of its integers is none")?;
        Ok(Constant::integers(shape.clone(), &values))
    };
    Some(compute())
}

/// The values of a constant, where what is made of them fits the bound of the file.
fn read(constant: &Constant, tensors: &mut Tensors) -> Result<Vec<f32>, ParseError> {
    tensors.count_computed(constant.len())?;
    constant.read(tensors).map(|tensor| tensor.data).map_err(problem)
}

fn each(
    function: fn(f64) -> f64,
    input: &Constant,
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let values = read(input, tensors)?;
    let values: Vec<f32> = values.iter().map(|&value| function(value.into()) as f32).collect();
    Ok(Constant::floats(input.shape.clone(), &values))
}

/// A function of the values of two constants, whose axes of length 1 are repeated.
fn pairs(
    function: fn(f64, f64) -> f64,
    inputs: [&Constant; 2],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let shape = broadcast(inputs.map(|input| &input.shape[..]))?;
    let result = Constant::filled(shape.clone(), 0.0);
    tensors.count_computed(result.len())?;
    let [a, b] = [read(inputs[0], tensors)?, read(inputs[1], tensors)?];
    let steps = inputs.map(|input| steps_within(&input.shape, shape.len()));
    let values: Vec<f32> = (0..result.len().unwrap_or(0))
        .map(|index| {
            let [x, y] = [0, 1].map(|which| source(index, &shape, &steps[which]));
            function(a[x].into(), b[y].into()) as f32
        })
        .collect();
    Ok(Constant::floats(shape, &values))
}

/// The values of a constant, repeated along axes of length 1 and along new ones before its first.
pub(super) fn expanded(
    input: &Constant,
    shape: &[usize],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let shape = broadcast([&input.shape, shape])?;
    if shape == input.shape {
        return Ok(input.clone());
    }
    let result = Constant::filled(shape.clone(), 0.0);
    tensors.count_computed(result.len())?;
    let count = result.len().unwrap_or(0);
    let steps = steps_within(&input.shape, shape.len());
    let sources = (0..count).map(|index| source(index, &shape, &steps));
    if input.is_of_integers(tensors) {
        check_few(count).map_err(problem)?;
        let values = input.read_integers(tensors).map_err(problem)?;
        let values: Vec<i64> = sources.map(|from| values[from]).collect();
        return Ok(Constant::integers(shape, &values));
    }
    let values = read(input, tensors)?;
    let values: Vec<f32> = sources.map(|from| values[from]).collect();
    Ok(Constant::floats(shape, &values))
}

/// The length of an axis of a tensor of this shape within one of `rank` axes: 1 of those before its first.
fn length_within(shape: &[usize], axis: usize, rank: usize) -> usize {
    (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
}

/// The shape that two tensors have together, whose axes of length 1 are repeated.
fn broadcast(shapes: [&[usize]; 2]) -> Result<Vec<usize>, ParseError> {
    let rank = shapes.map(<[usize]>::len).into_iter().max().unwrap_or(0);
    let length = |axis: usize| match shapes.map(|shape| length_within(shape, axis, rank)) {
        [a, b] if a == b || b == 1 => Ok(a),
        [1, b] => Ok(b),
        [a, b] => Err(ParseError(format!("its inputs have {a} and {b} values along an axis"))),
    };
    (0..rank).map(length).collect()
}

/// [`steps`] of a tensor of this shape within one of `rank` axes.
fn steps_within(shape: &[usize], rank: usize) -> Vec<usize> {
    let lengths: Vec<usize> = (0..rank).map(|axis| length_within(shape, axis, rank)).collect();
    steps(&lengths)
}

/// How far apart neighbours along each axis of a tensor lie; 0 along those of length 1.
pub(super) fn steps(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; shape.len()];
    let mut step = 1_usize;
    for (axis, &length) in shape.iter().enumerate().rev() {
        steps[axis] = if length == 1 { 0 } else { step };
        // A tensor of no values may have axes beyond counting.
        step = step.saturating_mul(length);
    }
    steps
}

/// Where in a tensor of these steps the value at `index` of a tensor of `shape` comes from.
pub(super) fn source(mut index: usize, shape: &[usize], steps: &[usize]) -> usize {
    let mut from = 0;
    for (&length, &step) in shape.iter().zip(steps).rev() {
        from += index % length * step;
        index /= length;
    }
    from
}

/// The mean along some axes; along all if none are given.
fn mean(
    node: &NodeProto,
    input: &Constant,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let rank = input.shape.len();
    let is_given = node.attribute("axes").is_some() || inputs.len() > 1;
    let axes = if is_given { from_start(&axes(node, inputs, tensors)?, rank)? } else { Vec::new() };
    if axes.is_empty() && node.int("noop_with_empty_axes", 0) != 0 {
        return Ok(input.clone());
    }
    let is_taken = |axis: usize| axes.is_empty() || axes.contains(&axis);
    let kept: Vec<usize> =
        (0..rank).map(|axis| if is_taken(axis) { 1 } else { input.shape[axis] }).collect();
    let values = read(input, tensors)?;
    let result = Constant::filled(kept.clone(), 0.0);
    tensors.count_computed(result.len())?;
    let count = result.len().unwrap_or(0);
    let (mut sums, steps) = (vec![0.0_f64; count], steps(&kept));
    for (index, &value) in values.iter().enumerate() {
        sums[source(index, &input.shape, &steps)] += f64::from(value);
    }
    let of_each = values.len() as f64 / count as f64;
    let means: Vec<f32> = sums.into_iter().map(|sum| (sum / of_each) as f32).collect();
    let shape = if node.int("keepdims", 1) != 0 {
        kept
    } else {
        (0..rank).filter(|&axis| !is_taken(axis)).map(|axis| input.shape[axis]).collect()
    };
    Ok(Constant::floats(shape, &means))
}

/// The order of axes that a `Transpose` of a tensor of `rank` axes makes.
pub(super) fn order_of_axes(node: &NodeProto, rank: usize) -> Result<Vec<usize>, ParseError> {
    let reversed: Vec<i64> = (0..rank as i64).rev().collect();
    let order = from_start(node.ints("perm").unwrap_or(&reversed), rank)?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(ParseError(format!("its order of axes does not fit a tensor of {rank} axes")));
    }
    Ok(order)
}

fn transposed(
    node: &NodeProto,
    input: &Constant,
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let order = order_of_axes(node, input.shape.len())?;
    let (values, from) = (read(input, tensors)?, steps(&input.shape));
    let shape: Vec<usize> = order.iter().map(|&axis| input.shape[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
    let values: Vec<f32> =
        (0..values.len()).map(|index| values[source(index, &shape, &steps)]).collect();
    Ok(Constant::floats(shape, &values))
}

/// Batch normalisation along axis 1: by the statistics given or, in training, by the values' own.
fn batch_norm(
    node: &NodeProto,
    input: &Constant,
    numbers: &[Constant],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let channels = input.shape.get(1).copied().unwrap_or(0);
    let [scale, shift, mean, variance] = numbers else {
        return Err("it has not five inputs".into());
    };
    let mut list = |constant: &Constant| match read(constant, tensors)? {
        values if values.len() == channels => Ok(values.into_iter().map(f64::from).collect()),
        _ => Err(ParseError(format!("its numbers are not of {channels} channels"))),
    };
    let (scale, shift): (Vec<f64>, Vec<f64>) = (list(scale)?, list(shift)?);
    let (mut means, mut variances): (Vec<f64>, Vec<f64>) = (list(mean)?, list(variance)?);
    let values = read(input, tensors)?;
    let lengths = input.shape.iter().skip(2);
    let area = lengths.fold(1_usize, |area, &length| area.saturating_mul(length));
    let channel = |index: usize| index / area.max(1) % channels.max(1);
    if node.int("training_mode", 0) != 0 {
        let of_each = values.len() as f64 / channels as f64;
        means.fill(0.0);
        variances.fill(0.0);
        for (index, &value) in values.iter().enumerate() {
            means[channel(index)] += f64::from(value) / of_each;
        }
        for (index, &value) in values.iter().enumerate() {
            let channel = channel(index);
            variances[channel] += (f64::from(value) - means[channel]).powi(2) / of_each;
        }
    }
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let normalised = |(index, &value): (usize, &f32)| {
        let c = channel(index);
        let factor = scale[c] / (variances[c] + epsilon).sqrt();
        ((f64::from(value) - means[c]) * factor + shift[c]) as f32
    };
    let values: Vec<f32> = values.iter().enumerate().map(normalised).collect();
    Ok(Constant::floats(input.shape.clone(), &values))
}
