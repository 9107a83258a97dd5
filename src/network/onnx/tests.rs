//! Tests on files that are made here, message by message.

mod arithmetic;
mod ends;
mod gates;
mod graphs;
mod hostile;
mod naming;
mod padding;
mod sizes;
mod tensors;

use std::path::PathBuf;

use prost::Message;
use tempfile::TempDir;

use super::messages::{
    AttributeProto, DimensionProto, EntryProto, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::network::{Filters, LayerId, Model, Network, NetworkError};

/// A file in a folder of its own.
struct File {
    folder: TempDir,
    path: PathBuf,
}

impl File {
    fn of_bytes(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        std::fs::write(&path, bytes).unwrap();
        Self { folder, path }
    }

    fn network(&self) -> Result<Network, NetworkError> {
        Network::named(&self.path.to_string_lossy())
    }

    fn model(&self) -> Model {
        Model::load(self.network().unwrap(), &self.path).unwrap()
    }

    /// The message for a network that does not work.
    fn refused(&self) -> String {
        self.network().unwrap_err().to_string()
    }

    /// The message for weights that do not work.
    fn unreadable(&self) -> String {
        Model::load(self.network().unwrap(), &self.path).unwrap_err().to_string()
    }
}

/// A graph that grows by a node and a tensor at a time; its image is `x`, `[1, 3, 24, 31]`.
#[derive(Clone)]
struct Graph(GraphProto);

impl Graph {
    fn new() -> Self {
        Self::of_image(&[1, 3, 24, 31])
    }

    fn of_image(lengths: &[i64]) -> Self {
        let dim = |&length: &i64| DimensionProto { dim_value: (length > 0).then_some(length) };
        let shape = TensorShapeProto { dim: lengths.iter().map(dim).collect() };
        let tensor_type = Some(TensorTypeProto { elem_type: 1, shape: Some(shape) });
        let input = ValueInfoProto { name: "x".into(), r#type: Some(TypeProto { tensor_type }) };
        Self(GraphProto { input: vec![input], ..GraphProto::default() })
    }

    /// Adds a node of one output.
    fn node(self, op_type: &str, inputs: &[&str], output: &str) -> Self {
        self.with(op_type, inputs, output, &[])
    }

    fn with(
        mut self,
        op_type: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[AttributeProto],
    ) -> Self {
        self.0.node.push(NodeProto {
            op_type: op_type.into(),
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: vec![output.into()],
            attribute: attributes.to_vec(),
            ..NodeProto::default()
        });
        self
    }

    /// Names the last node.
    fn called(mut self, name: &str) -> Self {
        self.0.node.last_mut().unwrap().name = name.into();
        self
    }

    /// The scopes of the last node, as PyTorch's exporter tells them.
    fn in_scopes(mut self, scopes: &str) -> Self {
        let entry = EntryProto { key: "pkg.torch.onnx.name_scopes".into(), value: scopes.into() };
        self.0.node.last_mut().unwrap().metadata_props.push(entry);
        self
    }

    fn tensor(mut self, tensor: TensorProto) -> Self {
        self.0.initializer.push(tensor);
        self
    }

    /// Adds a tensor of values that count up in steps of an eighth.
    fn floats(self, name: &str, shape: &[i64]) -> Self {
        let count: i64 = shape.iter().product();
        let values = (0..count).map(|index| (index % 16) as f32 / 8.0 - 0.75);
        self.tensor(floats(name, shape, values.collect()))
    }

    /// Adds a convolution of `channels` to 4 channels, without a bias and named after its weights.
    fn conv(self, name: &str, channels: i64, input: &str, output: &str) -> Self {
        let weight = format!("{name}.weight");
        self.floats(&weight, &[4, channels, 3, 3]).node("Conv", &[input, &weight], output)
    }

    fn bytes(&self) -> Vec<u8> {
        model(Some(self.0.clone()), 20).encode_to_vec()
    }

    fn file(&self) -> File {
        File::of_bytes(&self.bytes())
    }

    fn network(&self) -> Network {
        self.file().network().unwrap()
    }

    /// The note of a network that ends before a convolution of its file; empty of others.
    fn note(&self) -> String {
        let network = self.network();
        network.origin().note(&network).unwrap_or_default()
    }

    /// The constants of a GELU that is written by its error function.
    fn gelu_numbers(self) -> Self {
        let number = |name, value| floats(name, &[], vec![value]);
        let graph = self.tensor(number("root", 2.0_f32.sqrt()));
        graph.tensor(number("one", 1.0)).tensor(number("half", 0.5))
    }

    /// Adds such a GELU, of the value `of`.
    fn gelu(self, of: &str, output: &str) -> Self {
        self.node("Div", &[of, "root"], "scaled")
            .node("Erf", &["scaled"], "erf")
            .node("Add", &["erf", "one"], "sum")
            .node("Mul", &[of, "sum"], "product")
            .node("Mul", &["product", "half"], output)
    }

    /// Puts the last node into another set of operators.
    fn of_domain(mut self, domain: &str) -> Self {
        self.0.node.last_mut().unwrap().domain = domain.into();
        self
    }
}

fn model(graph: Option<GraphProto>, version: i64) -> ModelProto {
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version }];
    ModelProto { ir_version: 8, graph, opset_import }
}

fn floats(name: &str, shape: &[i64], values: Vec<f32>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: shape.to_vec(),
        data_type: 1,
        float_data: values,
        ..TensorProto::default()
    }
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: 7,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: ints.to_vec(), ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(value), ..AttributeProto::default() }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(value), ..AttributeProto::default() }
}

fn text(name: &str, value: &'static str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        s: Some(value.as_bytes().into()),
        ..AttributeProto::default()
    }
}

/// The layers' names.
fn names(network: &Network) -> Vec<&str> {
    network.layers().iter().map(|layer| layer.name.as_str()).collect()
}

/// The numbers of a layer.
fn filters<'m>(model: &'m Model, name: &str) -> &'m Filters {
    model.filters(model.network().named_layer(name).unwrap()).unwrap()
}

fn id(network: &Network, name: &str) -> LayerId {
    network.named_layer(name).unwrap()
}
