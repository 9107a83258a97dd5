//! Networks described in a JSON file (`docs/formats.md`).

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::onnx::{OnnxFile, is_onnx};
use super::{Input, Layer, LayerId, MAX_LAYERS, Network, NetworkError, Op, Origin, RGB};
use crate::error::ParseError;
use crate::files::{FileError, read_at_most};
use crate::geometry::ImageSize;

/// The longest description read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// An example of a description, for messages.
const EXAMPLE: &str =
    r#"{"name": "small", "layers": [{"op": "conv", "out_channels": 8, "kernel": 3}]}"#;

/// The name by which a layer takes the image as its input.
pub(super) const IMAGE: &str = "image";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    /// Of the images.
    #[serde(default = "rgb")]
    channels: usize,
    /// The window that the padding of a layer fits.
    only_for: Option<OnlyFor>,
    layers: Vec<Map<String, Value>>,
}

/// A layer whose padding is right for images of one size alone.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct OnlyFor {
    layer: String,
    image_size: [usize; 2],
}

/// Whether a path is that of a file with the name of a weight file.
fn is_weights(path: &Path) -> bool {
    const ENDINGS: [&str; 9] =
        [".pth", ".pt", ".pth.tar", ".ckpt", ".bin", ".safetensors", ".npz", ".caffemodel", ".pkl"];
    let name = path.to_string_lossy().to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending)) && path.is_file()
}

const fn rgb() -> usize {
    RGB
}

impl Network {
    /// The network that a preset's name, or the path of an ONNX file or of a model description stands
    /// for.
    ///
    /// # Errors
    /// Neither a preset nor a readable `.onnx` or `.json` file; a network that does not work.
    pub fn named(model: &str) -> Result<Self, NetworkError> {
        let path = Path::new(model);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            Self::described_in(path)
        } else if is_onnx(path) {
            OnnxFile::open(path).map(OnnxFile::into_network)
        } else if is_weights(path) {
            Err(NetworkError::WeightsAsModel { name: model.to_owned() })
        } else {
            Self::preset(model)
        }
    }

    /// Reads a model description.
    fn described_in(path: &Path) -> Result<Self, NetworkError> {
        let found = |error: FileError| NetworkError::Description(ParseError(error.to_string()));
        let bytes = read_at_most(path, MAX_BYTES).map_err(found)?;
        Self::from_description(&bytes).map_err(|error| {
            let problem = format!("not a model description: {error} (docs/formats.md tells all)");
            found(FileError::content(path, problem))
        })
    }

    /// Builds the network that a JSON text describes.
    ///
    /// # Errors
    /// Text that is no such description, and all of [`Network::new`].
    pub fn from_description(json: &[u8]) -> Result<Self, NetworkError> {
        let Description { name, channels, only_for, layers } =
            serde_json::from_slice(json).map_err(|error| not_described(&error))?;
        if layers.len() > MAX_LAYERS {
            let problem = format!("{} layers; at most {MAX_LAYERS} are read", layers.len());
            return Err(NetworkError::Description(ParseError(problem)));
        }
        let mut named: Vec<Layer> = Vec::with_capacity(layers.len());
        let mut before = HashMap::with_capacity(layers.len());
        for (index, fields) in layers.into_iter().enumerate() {
            let layer = layer(index, fields, &before)?;
            before.entry(layer.name.clone()).or_insert(LayerId(index));
            named.push(layer);
        }
        let mut network = Self::with_channels(name, channels, named)?;
        if let Some(OnlyFor { layer, image_size: [height, width] }) = only_for {
            network.set_origin(Origin {
                image_size: Some(ImageSize::new(height, width)),
                sized_layer: Some(layer),
                ..Origin::default()
            });
        }
        Ok(network)
    }

    /// The network as a model description (`docs/formats.md`), from which
    /// [`Network::from_description`] builds the same network.
    pub fn description(&self) -> Value {
        let layer = |(index, layer): (usize, &Layer)| {
            // Operations are plain data, tagged with their names, which always serialises.
            let op = serde_json::to_value(&layer.op).unwrap_or_default();
            let mut fields = match op {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            fields.insert("name".into(), layer.name.clone().into());
            if layer.inputs != [layer_before(index)] {
                let name = |input: &Input| match *input {
                    Input::Image => IMAGE.to_owned(),
                    Input::Layer(LayerId(id)) => self.layers()[id].name.clone(),
                };
                fields.insert("inputs".into(), layer.inputs.iter().map(name).collect());
            }
            Value::Object(fields)
        };
        let layers: Value = self.own_layers().iter().enumerate().map(layer).collect();
        let mut description = serde_json::json!({ "name": self.name(), "layers": layers });
        if self.image_channels() != RGB {
            description["channels"] = self.image_channels().into();
        }
        if let Origin { sized_layer: Some(layer), image_size: Some(size), .. } = self.origin() {
            let only_for = OnlyFor { layer: layer.clone(), image_size: [size.height, size.width] };
            // Plain data always serialises.
            description["only_for"] = serde_json::to_value(only_for).unwrap_or_default();
        }
        description
    }
}

/// Why a text is no description.
fn not_described(error: &serde_json::Error) -> NetworkError {
    let expected = if error.is_data() {
        format!("expected an object with `name`, a text, and `layers`, a list, such as {EXAMPLE}")
    } else {
        format!("expected JSON such as {EXAMPLE}")
    };
    NetworkError::Description(ParseError(format!("{error}; {expected}")))
}

/// Input of the layer with an index, unless its description names others.
fn layer_before(index: usize) -> Input {
    index.checked_sub(1).map_or(Input::Image, |id| Input::Layer(LayerId(id)))
}

/// The layer with an index in a description; its input is the layer before, unless it names others.
fn layer(
    index: usize,
    mut fields: Map<String, Value>,
    before: &HashMap<String, LayerId>,
) -> Result<Layer, NetworkError> {
    let name = match fields.remove("name") {
        Some(Value::String(name)) => name,
        None => format!("{index}"),
        Some(other) => {
            let problem = format!("its name is {other}; expected a string");
            return Err(NetworkError::Layer { layer: format!("{index}"), problem });
        }
    };
    let wrong = |problem: String| NetworkError::Layer { layer: name.clone(), problem };
    let find = |asked: &str| match before.get(asked) {
        Some(&id) => Ok(Input::Layer(id)),
        None if asked == IMAGE => Ok(Input::Image),
        None => Err(wrong(format!("its input `{asked}` is no layer before it"))),
    };
    let inputs = match fields.remove("inputs") {
        None => vec![layer_before(index)],
        Some(value) => {
            let names: Vec<String> = serde_json::from_value(value)
                .map_err(|error| wrong(format!("its inputs are not a list of names: {error}")))?;
            names.iter().map(|asked| find(asked)).collect::<Result<_, _>>()?
        }
    };
    let op = Op::from_fields(fields).map_err(|error| wrong(error.0))?;
    Ok(Layer { name, op, inputs })
}
