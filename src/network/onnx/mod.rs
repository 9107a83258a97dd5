//! Networks from ONNX files: layers, their names, and the weights in the file or beside it.
//!
//! The file is not trusted: what it claims is checked before it is believed, nothing outside of its
//! folder is read, and what it makes the program allocate is bounded by its own length.

mod arithmetic;
mod attributes;
mod bounds;
mod builder;
mod constant;
mod error;
mod external;
mod fold;
mod functions;
mod gate;
mod gelu;
mod graph;
mod group;
mod messages;
mod names;
mod operations;
mod rearranged;
mod recipe;
mod single;
mod tensor;
#[cfg(test)]
mod tests;
mod value;
mod views;
mod window;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use prost::Message;
use prost::bytes::Bytes;

use self::bounds::check;
use self::builder::Builder;
use self::constant::{Constant, Tensors};
use self::external::ExternalFiles;
use self::graph::{image_input, in_order};
use self::messages::{GraphProto, ModelProto, NodeProto};
use self::names::Names;
use self::recipe::{Affine, Recipe};
use self::value::{Feature, Outcome, Value};
use super::weights::WeightsError;
use super::{Filters, Input, LayerId, Network, NetworkError, Op, Origin, RGB, usable_name};
use crate::error::ParseError;
use crate::files::{Digest, FileError, digest_of, read_at_most};

pub(super) use error::NodeList;
pub use error::{OnnxError, UnsupportedNode};

/// The longest file that is read: protobuf allows no longer message.
const MAX_BYTES: u64 = 2 << 30;

/// The oldest version of the operators that is read.
const OLDEST_OPERATORS: i64 = 7;

/// Whether a path is that of an ONNX file, by its ending.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// A network of an ONNX file, whose weights are still in the file.
#[derive(Debug)]
pub(super) struct OnnxFile {
    path: PathBuf,
    /// The file's content, which its tensors are parts of.
    bytes: Bytes,
    network: Network,
    recipes: BTreeMap<LayerId, Recipe>,
    tensors: Tensors,
}

impl OnnxFile {
    /// Reads a file's graph.
    ///
    /// Nodes that are not supported end the network before them, and are in its [`Origin`]; what
    /// follows the last convolution is left out where it is not supported.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or has no convolution that can be mapped.
    pub fn open(path: &Path) -> Result<Self, NetworkError> {
        let content = |ParseError(problem)| OnnxError::File(FileError::content(path, problem));
        let bytes = Bytes::from(read_at_most(path, MAX_BYTES).map_err(OnnxError::File)?);
        let mut graph = decode(bytes.clone()).map_err(content)?;
        let input = image_input(&graph).map_err(content)?;
        let stored = std::mem::take(&mut graph.initializer);
        let order = in_order(&graph.node).map_err(content)?;
        let stored_names: Vec<String> = stored.iter().map(|tensor| tensor.name.clone()).collect();
        let tensors = Tensors::new(stored, ExternalFiles::beside(path), bytes.len());
        let mut values = HashMap::new();
        let image = Feature { input: Input::Image, channels_last: input.channels_last };
        values.insert(&input.name[..], Value::Layer(image));
        for (index, name) in stored_names.iter().enumerate() {
            let constant = Constant::stored(&tensors, index)
                .map_err(|problem| content(fold::problem(problem)))?;
            values.insert(name, Value::Constant(constant));
        }
        let names = Names::new(&order);
        let mut network = Network::empty(name_of(path), input.channels.unwrap_or(RGB))?;
        network.set_origin(Origin { image_size: input.size, ..Origin::default() });
        let mut builder = Builder::new(network, order, names, tensors, values);
        let outcomes = (0..builder.nodes.len()).map(|index| builder.add(index));
        let mut outcomes = outcomes.collect::<Result<Vec<_>, _>>().map_err(content)?;
        for &index in &builder.of_gates {
            outcomes[index] = Outcome::Done;
        }
        let (unsupported, behind) = left_out(&builder, &outcomes);
        let done = |&&index: &&usize| matches!(outcomes[index], Outcome::Done);
        let sized_layer = builder.sized.iter().find(done).map(|&index| builder.names.of(index));
        let sized_layer = sized_layer.map(str::to_owned);
        let Builder { mut network, recipes, tensors, .. } = builder;
        if !network.layers().iter().any(|layer| matches!(layer.op, Op::Conv(_))) {
            return Err(if unsupported.is_empty() {
                content("it has no convolution, so no units".into()).into()
            } else {
                OnnxError::Unsupported { path: path.to_owned(), nodes: unsupported }.into()
            });
        }
        let is_norm = |recipe: &Recipe| matches!(recipe, Recipe::Affine(Affine::BatchNorm { .. }));
        let is_arithmetic =
            |recipe: &Recipe| matches!(recipe, Recipe::Affine(_)) && !is_norm(recipe);
        let arithmetic = recipes.iter().filter(|(_, recipe)| is_arithmetic(recipe));
        network.set_origin(Origin {
            image_size: input.size,
            sized_layer,
            unsupported,
            left_out: behind,
            may_be_folded: !recipes.values().any(is_norm),
            arithmetic: arithmetic.map(|(&id, _)| id).collect(),
        });
        let network = network.finish()?;
        Ok(Self { path: path.to_owned(), bytes, network, recipes, tensors })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network, which keeps the file until its weights are read.
    pub fn into_network(self) -> Network {
        let network = self.network.clone();
        network.onnx_file.keep(self);
        network
    }

    /// The filters of all convolutions, and the digest of all that they were read from.
    ///
    /// # Errors
    /// Tensors that cannot be read, are not of floats, or hold what is not finite.
    pub fn filters(mut self) -> Result<(BTreeMap<LayerId, Filters>, Digest), WeightsError> {
        let path = &self.path;
        let of = |tensor: &str, ParseError(problem): ParseError| WeightsError::Tensor {
            path: path.clone(),
            tensor: crate::files::escaped(tensor).to_string(),
            problem,
        };
        let mut filters = BTreeMap::new();
        let (mut seen, mut copied) = (HashSet::new(), 0_usize);
        for (id, recipe) in &self.recipes {
            let main = recipe.main();
            let name = match main.map_or("", |main| main.name(&self.tensors)) {
                "" => self.network.layer(*id).name.clone(),
                name => name.to_owned(),
            };
            if let Some(main) = main
                && !main.is_first_use(&mut seen)
            {
                copied = copied.saturating_add(main.len().unwrap_or(usize::MAX));
            }
            if copied > MAX_COPIES {
                let problem = format!(
                    "with it the convolutions have more than the {MAX_COPIES} weights that are \
                     read without standing in the file for each of them"
                );
                return Err(of(&name, problem.into()));
            }
            let found = recipe.filters(self.network.channels(*id), &mut self.tensors);
            let found = found.map_err(|problem| of(&name, problem))?;
            let inputs = self.network.input_channels(*id);
            let lengths = Some([found.weight.len(), found.bias.len()]);
            if lengths != self.network.layer(*id).op.parameters(inputs) {
                return Err(of(&name, "its values are not as many as its layer needs".into()));
            }
            filters.insert(*id, found);
        }
        let beside = self.tensors.external.paths(&self.tensors.stored);
        let beside = beside.map_err(|problem| of("", fold::problem(problem)))?;
        let mut digest = Digest::of(&self.bytes);
        for file in beside {
            digest = Digest::of(format!("{digest} {}", digest_of(&file)?).as_bytes());
        }
        Ok((filters, digest))
    }
}

/// A file whose graph became a network, and whose weights were not read yet; shared by copies of the network.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptFile(Arc<Mutex<Option<OnnxFile>>>);

impl KeptFile {
    fn keep(&self, file: OnnxFile) {
        // Values that are not kept are read again.
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(file);
        }
    }

    /// Takes out the file at `path`.
    pub fn take(&self, path: &Path) -> Option<OnnxFile> {
        self.0.lock().ok()?.take_if(|file| file.path == path)
    }
}

/// The most weights of all convolutions that do not stand in the file once for each of them.
const MAX_COPIES: usize = 1 << 26;

/// The graph in a file's bytes.
fn decode(bytes: Bytes) -> Result<GraphProto, ParseError> {
    check(&bytes)?;
    let model = ModelProto::decode(bytes)
        .map_err(|error| format!("damaged, cut short or no ONNX file: {error}"))?;
    let Some(graph) = model.graph else {
        return Err("it has no graph; expected an ONNX file".into());
    };
    let operators = model.opset_import.iter().find(|set| is_standard(&set.domain));
    match operators.map_or(1, |set| set.version) {
        OLDEST_OPERATORS.. => Ok(graph),
        older => Err(ParseError(format!(
            "its operators are of version {older}; expected {OLDEST_OPERATORS} or newer: convert \
             it with onnx.version_converter"
        ))),
    }
}

/// Whether a set of operators is ONNX's own.
fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// A network's name: the file's, without its ending.
fn name_of(path: &Path) -> String {
    let name = path.file_stem().map_or("network".into(), |name| name.to_string_lossy());
    if usable_name(&name) { name.into_owned() } else { "network".into() }
}

/// The nodes that are not supported and that a convolution lies behind, and the names of all nodes
/// that are not mapped.
fn left_out(builder: &Builder<'_>, outcomes: &[Outcome]) -> (Vec<UnsupportedNode>, Vec<String>) {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in builder.nodes.iter().enumerate() {
        makers.extend(node.output.iter().map(|output| (&output[..], index)));
    }
    let mut leads = vec![false; outcomes.len()];
    for (index, node) in builder.nodes.iter().enumerate().rev() {
        let stopped = matches!(outcomes[index], Outcome::Unsupported(_) | Outcome::Behind);
        leads[index] |= node.op_type == "Conv" && stopped;
        if leads[index] {
            for maker in node.input.iter().filter_map(|name| makers.get(name.as_str())) {
                leads[*maker] = true;
            }
        }
    }
    let (mut unsupported, mut behind) = (Vec::new(), Vec::new());
    for (index, outcome) in outcomes.iter().enumerate() {
        let name = builder.names.of(index);
        match outcome {
            Outcome::Done => continue,
            Outcome::Unsupported(problem) if leads[index] => unsupported.push(UnsupportedNode {
                name: name.to_owned(),
                operation: operation(builder.nodes[index]),
                problem: problem.clone(),
            }),
            _ => {}
        }
        behind.push(name.to_owned());
    }
    (unsupported, behind)
}

fn operation(node: &NodeProto) -> String {
    if is_standard(&node.domain) {
        return node.op_type.clone();
    }
    format!("{} of {}", node.op_type, node.domain)
}
