//! Normalisation of groups of channels by their whole maps.

use super::builder::Builder;
use super::recipe::{Recipe, is_all};
use super::value::{Feature, Value};
use crate::error::ParseError;
use crate::network::{Gate, GateJoin, GroupNorm, GroupNormPart, Op};

/// `InstanceNormalization`: of a map by its channels, or of channels in groups, as PyTorch's exporter writes a
/// group normalisation.
pub(super) fn instance_norm(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["epsilon"])?;
    let eps = node.float("epsilon", 1e-5);
    let Value::Bundled { input, groups, map } = builder.value(node, 0)? else {
        let input = builder.planar(node, 0)?;
        let recipe = numbers(builder, index, input)?;
        let groups = builder.channels(input);
        return Normalisation { groups, eps, recipe }.add(builder, index, input).map(Value::Layer);
    };
    for (which, expected) in [(1, 1.0), (2, 0.0)] {
        let numbers = builder.constant(node, which)?;
        if !is_all(&numbers, expected, &mut builder.tensors)? {
            return Err("it has a factor or a shift for each group, not for each channel".into());
        }
    }
    let norm = Normalisation { groups, eps, recipe: Recipe::Ones };
    let input = norm.add(builder, index, input)?;
    Ok(Value::Bundled { input, groups, map })
}

/// `GroupNormalization`, with a factor and a shift for each channel.
pub(super) fn group_norm(builder: &mut Builder<'_>, index: usize) -> Result<Value, ParseError> {
    let node = builder.nodes[index];
    node.check_attributes(&["epsilon", "num_groups", "stash_type"])?;
    let input = builder.planar(node, 0)?;
    let recipe = numbers(builder, index, input)?;
    let groups = usize::try_from(node.int("num_groups", 0)).unwrap_or(0);
    let eps = node.float("epsilon", 1e-5);
    Normalisation { groups, eps, recipe }.add(builder, index, input).map(Value::Layer)
}

/// The weight and the bias of a node, of each channel.
fn numbers(builder: &Builder<'_>, index: usize, input: Feature) -> Result<Recipe, ParseError> {
    let node = builder.nodes[index];
    let (weight, bias) = (builder.constant(node, 1)?, builder.constant(node, 2)?);
    let channels = builder.channels(input);
    if [&weight, &bias].iter().any(|numbers| numbers.shape != [channels]) {
        return Err(ParseError(format!("its numbers are not of {channels} channels")));
    }
    Ok(Recipe::Norm { weight, bias: Some(bias) })
}

/// A normalisation, as layers.
struct Normalisation {
    groups: usize,
    eps: f32,
    recipe: Recipe,
}

impl Normalisation {
    /// Adds the layers of a node: the factors, a product, the shifts, and a sum that has the node's name.
    fn add(
        self,
        builder: &mut Builder<'_>,
        index: usize,
        input: Feature,
    ) -> Result<Feature, ParseError> {
        let Self { groups, eps, recipe } = self;
        let norm = |part| Op::GroupNorm(GroupNorm { groups, eps, part });
        let gate = |join| Op::Gate(Gate { join });
        let factor = norm(GroupNormPart::Factor);
        let factor = builder.part_with_recipe(index, 1, factor, input, recipe.clone())?;
        let scaled = builder.part_of(index, 2, gate(GateJoin::Mul), &[input, factor])?;
        let shift = norm(GroupNormPart::Shift);
        let shift = builder.part_with_recipe(index, 3, shift, input, recipe)?;
        builder.part_of(index, 0, gate(GateJoin::Add), &[scaled, shift])
    }
}
