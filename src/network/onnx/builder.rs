//! A network that grows node by node.

use std::collections::{BTreeMap, HashMap};

use super::constant::{Constant, Tensors};
use super::error::shown_text;
use super::fold::{fold, problem};
use super::gate::gate;
use super::gelu::{Gelus, gelu, numbers};
use super::messages::NodeProto;
use super::names::Names;
use super::operations::{is_same, translate};
use super::recipe::Recipe;
use super::value::{Feature, Outcome, Value};
use super::window::NodeWindow;
use crate::error::ParseError;
use crate::geometry::{ImageSize, Padding, PerAxis};
use crate::network::{Input, Layer, LayerId, Network, Op};

/// The state while nodes are read, each after its inputs.
pub(super) struct Builder<'a> {
    pub nodes: Vec<&'a NodeProto>,
    pub names: Names,
    pub network: Network,
    pub tensors: Tensors,
    pub recipes: BTreeMap<LayerId, Recipe>,
    pub values: HashMap<&'a str, Value>,
    pub gelus: Gelus,
    /// The output sizes of layers, for images of the file's size.
    sizes: Vec<Option<ImageSize>>,
    /// Nodes whose padding is that for images of the file's size alone.
    pub sized: Vec<usize>,
    /// The node that makes each value.
    pub makers: HashMap<&'a str, usize>,
    /// Nodes that made what the whole image makes, before it was known that a gate reads it.
    pub of_gates: Vec<usize>,
    /// How many nodes read a value, under this or another name.
    readers: HashMap<&'a str, usize>,
    /// The first name of a value that has several.
    first_names: HashMap<&'a str, &'a str>,
}

impl<'a> Builder<'a> {
    /// A builder that knows the graph's inputs and initialisers, `values`.
    pub fn new(
        network: Network,
        nodes: Vec<&'a NodeProto>,
        names: Names,
        mut tensors: Tensors,
        values: HashMap<&'a str, Value>,
    ) -> Self {
        let mut first_names: HashMap<&str, &str> = HashMap::new();
        let (mut readers, mut makers) = (HashMap::new(), HashMap::new());
        for (index, node) in nodes.iter().enumerate() {
            makers.extend(node.output.iter().map(|output| (output.as_str(), index)));
            for input in &node.input {
                let first = first_names.get(input.as_str()).copied().unwrap_or(input);
                if !is_same(node) {
                    *readers.entry(first).or_insert(0) += 1;
                } else if let Some(output) = node.output.first() {
                    first_names.insert(output, first);
                }
            }
        }
        let gelus = Gelus::of(&nodes, &numbers(&nodes, &values, &mut tensors));
        Self {
            nodes,
            names,
            network,
            tensors,
            recipes: BTreeMap::new(),
            values,
            gelus,
            sizes: Vec::new(),
            sized: Vec::new(),
            makers,
            of_gates: Vec::new(),
            readers,
            first_names,
        }
    }

    /// Reads the node of this index.
    ///
    /// # Errors
    /// An input that is no value of the graph.
    pub fn add(&mut self, index: usize) -> Result<Outcome, ParseError> {
        let node = self.nodes[index];
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            inputs.push(self.values.get(name.as_str()).ok_or_else(|| {
                ParseError(format!(
                    "node `{}`: its input `{name}` is no value of the graph",
                    self.names.of(index)
                ))
            })?);
        }
        let behind = inputs.iter().find_map(|value| match value {
            Value::Behind(node) => Some(*node),
            _ => None,
        });
        let pooled = inputs.iter().any(|value| self.is_of_whole_map(value));
        let placed = inputs.iter().any(|value| match value {
            Value::Layer(_) => !self.is_of_whole_map(value),
            Value::Padded { .. }
            | Value::Grouped { .. }
            | Value::Bundled { .. }
            | Value::Shape(_) => true,
            _ => false,
        });
        let (values, outcome) = if self.gelus.inner.contains(&index) {
            (vec![], Outcome::Done)
        } else if let Some(x) = self.gelus.inputs.get(&index)
            && let Some(x) = self.values.get(x.as_str()).cloned()
        {
            gelu(self, index, &x)
        } else if let Some(before) = behind {
            (vec![Value::Behind(before); node.output.len()], Outcome::Behind)
        } else if pooled && (!placed || node.op_type == "Expand") {
            // An `Expand` may take the shape of a map.
            (vec![Value::Pooled; node.output.len()], Outcome::Pooled)
        } else if pooled && matches!(node.op_type.as_str(), "Mul" | "Add") {
            translated(gate(self, index).map(|value| vec![value]))
        } else if pooled {
            let problem = "it joins what has positions in the image and what the whole image makes, \
                           so a receptive field would be the image";
            translated(Err(problem.into()))
        } else if placed {
            translated(translate(self, index))
        } else {
            let unfolded = inputs.iter().find_map(|value| match value {
                Value::Unfolded(maker) => Some(*maker),
                _ => None,
            });
            let inputs = inputs.iter().map(|&value| match value {
                Value::Constant(constant) => Some(constant.clone()),
                _ => None,
            });
            let folded = match inputs.collect::<Option<Vec<_>>>() {
                Some(inputs) => fold(node, &inputs, &mut self.tensors).ok(),
                None => None,
            };
            let unfolded = Value::Unfolded(unfolded.unwrap_or(index));
            (vec![folded.map_or(unfolded, Value::Constant)], Outcome::Done)
        };
        for (number, output) in node.output.iter().enumerate() {
            let value = values.get(number).cloned().unwrap_or(Value::Behind(index));
            self.values.insert(output, value);
        }
        Ok(outcome)
    }

    /// Whether a value is of the whole map: one that is not looked at before a gate reads it, or
    /// layers that a gate reads.
    pub fn is_of_whole_map(&self, value: &Value) -> bool {
        match value {
            Value::Pooled | Value::Column(_) => true,
            Value::Layer(feature) => self.network.reads_whole_map(feature.input),
            _ => false,
        }
    }

    /// The value of an input of a node.
    pub fn value(&self, node: &NodeProto, which: usize) -> Result<Value, ParseError> {
        let value = node.input(which).and_then(|name| self.values.get(name));
        value.cloned().ok_or_else(|| ParseError(format!("it has no input {which}")))
    }

    /// An input of a node that is a layer's output.
    pub fn feature(&self, node: &NodeProto, which: usize) -> Result<Feature, ParseError> {
        match self.value(node, which)? {
            Value::Layer(feature) => Ok(feature),
            Value::Padded { .. } => Err(ParseError(format!(
                "its input {which} is padded, which is supported before convolutions only"
            ))),
            Value::Grouped { .. } | Value::Bundled { .. } => Err(ParseError(format!(
                "its input {which} has its channels in groups, which is supported in a channel \
                 shuffle or a group normalisation only"
            ))),
            Value::Shape(_) => Err(ParseError(format!(
                "its input {which} is a shape, of which the number of channels alone is supported"
            ))),
            Value::Column(_) => Err(ParseError(format!(
                "its input {which} is `[1, channels, 1]`; expected `[1, channels, 1, 1]` or `[1, channels]`"
            ))),
            Value::Unfolded(maker) => Err(self.not_computed(which, maker)),
            _ => Err(ParseError(format!("its input {which} does not depend on the image"))),
        }
    }

    /// An input of a node that is a layer's output with its channels first.
    pub fn planar(&self, node: &NodeProto, which: usize) -> Result<Feature, ParseError> {
        match self.feature(node, which)? {
            feature if feature.channels_last => {
                Err("its input has the channels last, and no Transpose before".into())
            }
            feature => Ok(feature),
        }
    }

    /// The first input of a node, and the zeros around it.
    pub fn padded(&self, node: &NodeProto) -> Result<(Feature, Padding), ParseError> {
        match self.value(node, 0)? {
            Value::Padded { input, padding } if !input.channels_last => Ok((input, padding)),
            _ => Ok((self.planar(node, 0)?, Padding::all(0))),
        }
    }

    /// An input of a node that does not depend on the image.
    pub fn constant(&self, node: &NodeProto, which: usize) -> Result<Constant, ParseError> {
        match self.value(node, which)? {
            Value::Constant(constant) => Ok(constant),
            Value::Unfolded(maker) => Err(self.not_computed(which, maker)),
            _ => Err(ParseError(format!("its input {which} depends on the image"))),
        }
    }

    /// The problem of a node's input that node `maker` makes of constants.
    fn not_computed(&self, which: usize, maker: usize) -> ParseError {
        ParseError(format!(
            "its input {which} is made by node `{}`, {} of constants, which is not computed",
            self.names.of(maker),
            shown_text(&self.nodes[maker].op_type)
        ))
    }

    /// The window of a node, whose input has size `input`.
    pub fn window(
        &mut self,
        index: usize,
        kernel: Option<PerAxis<usize>>,
        input: Option<ImageSize>,
    ) -> Result<NodeWindow, ParseError> {
        let window = NodeWindow::of(self.nodes[index], kernel, input)?;
        if window.fits_one_size {
            self.sized.push(index);
        }
        Ok(window)
    }

    /// Channels of a layer's output.
    pub fn channels(&self, feature: Feature) -> usize {
        self.network.channels_of(feature.input)
    }

    /// Size of a layer's output, for images of the file's size, where it tells one.
    pub fn size(&self, feature: Feature) -> Option<ImageSize> {
        match feature.input {
            Input::Image => self.network.origin().image_size,
            Input::Layer(LayerId(id)) => self.sizes[id],
        }
    }

    /// Adds a layer, named as its node.
    pub fn layer(&mut self, index: usize, op: Op, inputs: &[Feature]) -> Result<Value, ParseError> {
        self.part_of(index, 0, op, inputs).map(Value::Layer)
    }

    /// Adds one of a node's layers.
    pub fn part(
        &mut self,
        index: usize,
        part: usize,
        op: Op,
        input: Feature,
    ) -> Result<Feature, ParseError> {
        self.part_of(index, part, op, &[input])
    }

    /// Adds one of a node's layers, of several inputs.
    pub fn part_of(
        &mut self,
        index: usize,
        part: usize,
        op: Op,
        inputs: &[Feature],
    ) -> Result<Feature, ParseError> {
        let Some(&first) = inputs.first() else { return Err("it has no input".into()) };
        let channels_last = first.channels_last;
        if inputs.iter().any(|input| input.channels_last != channels_last) {
            return Err("some of its inputs have the channels last, and others first".into());
        }
        let name = self.names.of_part(index, part);
        let window = op.window();
        let begin = format!("layer `{name}`: ");
        let layer = Layer { name, op, inputs: inputs.iter().map(|input| input.input).collect() };
        self.network.push(layer).map_err(|error| {
            let problem = error.to_string();
            ParseError(problem.strip_prefix(&begin).unwrap_or(&problem).to_owned())
        })?;
        self.sizes.push(self.size(first).and_then(|size| window.output_size(size)));
        let input = Input::Layer(LayerId(self.network.layers().len() - 1));
        Ok(Feature { input, channels_last })
    }

    /// Adds a layer that computes with numbers.
    pub fn with_recipe(
        &mut self,
        index: usize,
        op: Op,
        input: Feature,
        recipe: Recipe,
    ) -> Result<Value, ParseError> {
        self.part_with_recipe(index, 0, op, input, recipe).map(Value::Layer)
    }

    /// Adds one of a node's layers, which computes with numbers.
    pub fn part_with_recipe(
        &mut self,
        index: usize,
        part: usize,
        op: Op,
        input: Feature,
        recipe: Recipe,
    ) -> Result<Feature, ParseError> {
        let feature = self.part(index, part, op, input)?;
        if let Input::Layer(id) = feature.input {
            self.recipes.insert(id, recipe);
        }
        Ok(feature)
    }

    /// Makes an added constant the bias of the convolution before node `index`, where that has none
    /// and nothing else reads its output; returns whether it did.
    pub fn add_bias(&mut self, index: usize, input: Feature, bias: &Constant) -> bool {
        let Input::Layer(id) = input.input else { return false };
        let of_input = |name: &&String| matches!(self.values.get(name.as_str()), Some(Value::Layer(found)) if *found == input);
        let Some(name) = self.nodes[index].input.iter().find(of_input) else { return false };
        let first = self.first_names.get(name.as_str()).copied().unwrap_or(name);
        let is_own = |&maker: &usize| {
            matches!(self.nodes[maker].op_type.as_str(), "Conv" | "MatMul" | "Gemm")
        };
        let alone =
            self.makers.get(first).is_some_and(is_own) && self.readers.get(first) == Some(&1);
        let Op::Conv(conv) = self.network.layer(id).op.clone() else { return false };
        match self.recipes.get_mut(&id).and_then(Recipe::bias) {
            Some(free @ None) if alone => *free = Some(bias.clone()),
            _ => return false,
        }
        self.network.set_op(id, Op::Conv(crate::network::Convolution { bias: true, ..conv }));
        true
    }

    /// Whether a reduction takes height and width together.
    pub fn reduces_space(&mut self, node: &NodeProto) -> Result<bool, ParseError> {
        let axes = self.reduced_axes(node)?;
        if axes.is_empty() {
            return match node.int("noop_with_empty_axes", 0) {
                0 => Ok(true),
                _ => Err("it has noop_with_empty_axes and no axes, which is not supported".into()),
            };
        }
        let has = |axis: i64| axes.contains(&axis) || axes.contains(&(axis - 4));
        let first = if self.feature(node, 0)?.channels_last { 1 } else { 2 };
        Ok(has(first) && has(first + 1))
    }

    /// Whether a reduction takes height and width together, and nothing else.
    pub fn reduces_only_space(&mut self, node: &NodeProto) -> Result<bool, ParseError> {
        let axes = self.reduced_axes(node)?;
        Ok(axes.len() == 2 && self.reduces_space(node)?)
    }

    fn reduced_axes(&mut self, node: &NodeProto) -> Result<Vec<i64>, ParseError> {
        Ok(match (node.ints("axes"), node.input(1)) {
            (Some(axes), _) => axes.to_vec(),
            (None, None) => Vec::new(),
            (None, Some(_)) => {
                let constant = self.constant(node, 1)?;
                constant.read_integers(&mut self.tensors).map_err(problem)?
            }
        })
    }
}

/// The values of a node's outputs, and its result.
pub(super) fn translated(values: Result<Vec<Value>, ParseError>) -> (Vec<Value>, Outcome) {
    match values {
        Ok(values) if matches!(values[..], [Value::Pooled]) => (values, Outcome::Pooled),
        Ok(values) => (values, Outcome::Done),
        Err(ParseError(problem)) => (vec![], Outcome::Unsupported(problem)),
    }
}
