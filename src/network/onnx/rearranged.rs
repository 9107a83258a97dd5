//! Integers joined, cut and put in another order: an older exporter computes the numbers of a padding so.

use super::arithmetic::{order_of_axes, source, steps};
use super::constant::{Constant, Tensors};
use super::fold::{from_start, integers, problem};
use super::messages::NodeProto;
use super::tensor::check_few;
use crate::error::ParseError;

/// Integers that a `Concat`, `Slice` or `Transpose` rearranges.
///
/// # Errors
/// Numbers that do not work; more integers than are read.
pub(super) fn rearranged(
    node: &NodeProto,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let Some(first) = inputs.first() else { return Err("it has no input".into()) };
    // A tensor of no values may have axes beyond counting.
    for &length in inputs.iter().flat_map(|input| &input.shape) {
        check_few(length).map_err(problem)?;
    }
    match node.op_type.as_str() {
        "Concat" => joined(node, inputs, tensors),
        "Slice" => cut(node, inputs, tensors),
        _ => {
            let values = integers(first, tensors)?;
            let order = order_of_axes(node, first.shape.len())?;
            let from = steps(&first.shape);
            let shape: Vec<usize> = order.iter().map(|&axis| first.shape[axis]).collect();
            let steps: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
            Ok(picked(&values, shape, |index, shape| source(index, shape, &steps)))
        }
    }
}

/// Values of a tensor of this shape, each from the index that `from` gives.
fn picked(values: &[i64], shape: Vec<usize>, from: impl Fn(usize, &[usize]) -> usize) -> Constant {
    let count = if values.is_empty() { 0 } else { shape.iter().product() };
    let values: Vec<i64> = (0..count).map(|index| values[from(index, &shape)]).collect();
    Constant::integers(shape, &values)
}

fn joined(
    node: &NodeProto,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let mut shape = inputs[0].shape.clone();
    let axis = from_start(&[node.int("axis", 0)], shape.len())?[0];
    let (mut parts, mut sum) = (Vec::new(), 0);
    shape[axis] = 0;
    for input in inputs {
        let alike = input.shape.len() == shape.len()
            && (0..shape.len()).all(|other| other == axis || input.shape[other] == shape[other]);
        if !alike {
            return Err("its inputs have shapes that do not go together".into());
        }
        shape[axis] = shape[axis].saturating_add(input.shape[axis]);
        let values = integers(input, tensors)?;
        sum += values.len();
        check_few(sum).map_err(problem)?;
        if !values.is_empty() {
            let each: usize = input.shape[axis..].iter().product();
            parts.push((values, each));
        }
    }
    let mut values = Vec::with_capacity(sum);
    let outer = if parts.is_empty() { 0 } else { shape[..axis].iter().product() };
    for outer in 0..outer {
        for (part, each) in &parts {
            values.extend_from_slice(&part[outer * each..][..*each]);
        }
    }
    Ok(Constant::integers(shape, &values))
}

fn cut(
    node: &NodeProto,
    inputs: &[Constant],
    tensors: &mut Tensors,
) -> Result<Constant, ParseError> {
    let input = &inputs[0];
    let mut list = |name: &str, which: usize| match (node.ints(name), inputs.get(which)) {
        (Some(list), _) => Ok(Some(list.to_vec())),
        (None, Some(constant)) => integers(constant, tensors).map(Some),
        (None, None) => Ok(None),
    };
    let (starts, ends) = (list("starts", 1)?, list("ends", 2)?);
    let (axes, by) = (list("axes", 3)?, list("steps", 4)?);
    let (Some(starts), Some(ends)) = (starts, ends) else {
        return Err("it has no starts or ends".into());
    };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let by = by.unwrap_or_else(|| vec![1; starts.len()]);
    let axes = from_start(&axes, input.shape.len())?;
    if [ends.len(), axes.len(), by.len()] != [starts.len(); 3] || by.contains(&0) {
        return Err("its starts, ends, axes and steps do not go together".into());
    }
    let values = integers(input, tensors)?;
    let mut kept: Vec<Vec<usize>> =
        input.shape.iter().map(|&length| (0..length).collect()).collect();
    for (((axis, start), end), step) in axes.into_iter().zip(starts).zip(ends).zip(by) {
        kept[axis] = indices(input.shape[axis], [start, end, step]);
    }
    let shape: Vec<usize> = kept.iter().map(Vec::len).collect();
    let steps = steps(&input.shape);
    Ok(picked(&values, shape, |mut index, shape| {
        let mut from = 0;
        for axis in (0..shape.len()).rev() {
            from += kept[axis][index % shape[axis]] * steps[axis];
            index /= shape[axis];
        }
        from
    }))
}

/// The indices of an axis of `length` from `start` on to before `end`; both may be counted from the axis' end.
fn indices(length: usize, [start, end, step]: [i64; 3]) -> Vec<usize> {
    let length = length as i64;
    let from_start = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let (start, end) = (from_start(start), from_start(end));
    let is_before = |index: i64, end: i64| if step > 0 { index < end } else { index > end };
    let (mut index, end) = if step > 0 {
        (start.clamp(0, length), end.clamp(0, length))
    } else {
        (start.min(length - 1), end.max(-1))
    };
    let mut found = Vec::new();
    while is_before(index, end) && (0..length).contains(&index) {
        found.push(index as usize);
        index = index.saturating_add(step);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_those_of_numpys_slices() {
        let least = -i64::MAX;
        for (bounds, expected) in [
            ([0, i64::MAX, 1], &[0, 1, 2, 3, 4][..]),
            ([-1, least, -1], &[4, 3, 2, 1, 0]),
            ([1, -1, 2], &[1, 3]),
            ([9, 0, -2], &[4, 2]),
            ([3, 3, 1], &[]),
            ([least, 2, 1], &[0, 1]),
            ([i64::MAX, 0, 1], &[]),
        ] {
            assert_eq!(indices(5, bounds), expected, "{bounds:?}");
        }
        assert_eq!(indices(0, [-1, least, -1]), [] as [usize; 0]);
    }
}
