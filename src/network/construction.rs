//! Networks from layers, each of which is checked as it is added.

use std::collections::HashMap;

use super::description::IMAGE;
use super::{
    Input, KeptFile, LARGEST_FIELD, Layer, LayerId, MAX_IMAGE_CHANNELS, MAX_LAYERS, MAX_NAME,
    MapContext, Network, NetworkError, Op, Origin, RGB, names,
};
use crate::error::ParseError;
use crate::files::needs_escaping;
use crate::geometry::{Axis, AxisProjection, PerAxis};

impl Network {
    /// A network of these layers on images of red, green and blue, in an order in which each layer
    /// comes after its inputs.
    ///
    /// # Errors
    /// Names that are not unique, inputs that do not come before, numbers that do not work
    /// together, and what is not supported.
    pub fn new(name: impl Into<String>, layers: Vec<Layer>) -> Result<Self, NetworkError> {
        Self::with_channels(name, RGB, layers)
    }

    /// As [`Network::new`], on images of `image_channels` channels.
    ///
    /// # Errors
    /// As [`Network::new`]; no channels, or more than [`MAX_IMAGE_CHANNELS`].
    pub fn with_channels(
        name: impl Into<String>,
        image_channels: usize,
        layers: Vec<Layer>,
    ) -> Result<Self, NetworkError> {
        let mut network = Self::empty(name, image_channels)?;
        if layers.len() > MAX_LAYERS {
            let problem = format!("it has {} layers; at most {MAX_LAYERS} are read", layers.len());
            return Err(NetworkError::Description(ParseError(format!(
                "{}: {problem}",
                network.name
            ))));
        }
        for layer in layers {
            network.push(layer)?;
        }
        network.finish()
    }

    /// A network without layers yet.
    pub(super) fn empty(
        name: impl Into<String>,
        image_channels: usize,
    ) -> Result<Self, NetworkError> {
        let name = name.into();
        if let Some(problem) = name_problem(&name) {
            let name = name_start(&name);
            return Err(NetworkError::Description(ParseError(format!(
                "network `{name}`: {problem}"
            ))));
        }
        if !(1..=MAX_IMAGE_CHANNELS).contains(&image_channels) {
            return Err(NetworkError::Description(ParseError(format!(
                "{name}: images of {image_channels} channels; expected 1 to {MAX_IMAGE_CHANNELS}"
            ))));
        }
        Ok(Self {
            name,
            image_channels,
            layers: Vec::new(),
            channels: Vec::new(),
            projections: Vec::new(),
            of_whole_map: Vec::new(),
            by_name: HashMap::new(),
            convolutions: Vec::new(),
            short_names: Vec::new(),
            taps: Vec::new(),
            origin: Origin::default(),
            context: MapContext::Exact,
            onnx_file: KeptFile::default(),
        })
    }

    /// The network, when it has all layers.
    pub(super) fn finish(mut self) -> Result<Self, NetworkError> {
        if self.convolutions.is_empty() {
            let problem = format!("{}: it has no convolution, so no units", self.name);
            return Err(NetworkError::Description(ParseError(problem)));
        }
        self.short_names = names::short_names(&self)?;
        Ok(self)
    }

    pub(super) fn push(&mut self, layer: Layer) -> Result<(), NetworkError> {
        let problem = |problem: String| {
            Err(NetworkError::Layer { layer: name_start(&layer.name).to_owned(), problem })
        };
        if self.layers.len() >= MAX_LAYERS {
            return problem(format!("at most {MAX_LAYERS} layers are read"));
        }
        if layer.name.is_empty() || layer.name == IMAGE {
            return problem("a layer needs a name, other than that of the image".into());
        }
        if let Some(found) = name_problem(&layer.name) {
            return problem(found);
        }
        if self.by_name.contains_key(&layer.name) {
            return problem("another layer has the same name".into());
        }
        if let Some(Input::Layer(LayerId(id))) =
            layer.inputs.iter().copied().find(
                |input| matches!(input, Input::Layer(LayerId(id)) if *id >= self.layers.len()),
            )
        {
            return problem(format!("its input, layer {id}, does not come before it"));
        }
        let inputs: Vec<usize> =
            layer.inputs.iter().map(|&input| self.channels_of(input)).collect();
        let channels = match layer.op.channels(&inputs) {
            Ok(channels) => channels,
            Err(found) => return problem(found.0),
        };
        let of_whole_map = match self.is_whole_map_made(&layer) {
            Ok(made) => made,
            Err(found) => return problem(found.0),
        };
        let window = layer.op.window();
        let along = |axis: Axis| {
            if of_whole_map {
                return Ok(AxisProjection::IMAGE);
            }
            let local = layer.inputs.iter().filter(|&&input| !self.reads_whole_map(input));
            let mut fields = local.map(|&input| match input {
                Input::Image => AxisProjection::IMAGE,
                Input::Layer(LayerId(id)) => self.projections[id].of(axis),
            });
            let first = fields.next().unwrap_or(AxisProjection::IMAGE);
            let joined = fields.try_fold(first, AxisProjection::join);
            joined.map(|joined| joined.through(window.axes.of(axis)))
        };
        let geometry = |source| NetworkError::Geometry { layer: layer.name.clone(), source };
        let projection =
            PerAxis { y: along(Axis::Y).map_err(geometry)?, x: along(Axis::X).map_err(geometry)? };
        // A layer's numbers are below 2^17, so as long as this holds, the next cannot overflow.
        let too_large = |axis: &AxisProjection| axis.step.max(axis.size) > LARGEST_FIELD;
        if let Some(axis) = [projection.y, projection.x].into_iter().find(too_large) {
            return problem(format!(
                "its receptive field of {} pixels in steps of {} is larger than {LARGEST_FIELD}",
                axis.size, axis.step
            ));
        }
        let id = LayerId(self.layers.len());
        if matches!(layer.op, Op::Conv(_)) && !of_whole_map {
            self.convolutions.push(id);
        }
        self.by_name.insert(layer.name.clone(), id);
        self.projections.push(projection);
        self.of_whole_map.push(of_whole_map);
        self.channels.push(channels);
        self.layers.push(layer);
        Ok(())
    }

    /// Whether a layer's values are of the whole map; the error says which of its inputs do not go
    /// together.
    fn is_whole_map_made(&self, layer: &Layer) -> Result<bool, ParseError> {
        let whole: Vec<bool> =
            layer.inputs.iter().map(|&input| self.reads_whole_map(input)).collect();
        match (&layer.op, &whole[..]) {
            (op, _) if op.is_of_whole_map() => Ok(true),
            (Op::Gate(_), [false, true]) => Ok(false),
            (Op::Gate(_), _) => {
                Err("its first input has to have positions in the image, and the second \
                                     to be made of the whole map by a global_avg_pool"
                    .into())
            }
            (_, whole) if whole.iter().all(|&whole| whole) => Ok(true),
            (_, whole) if whole.contains(&true) => {
                Err("it joins what has positions in the image with \
                                                        what the whole map makes; expected a gate"
                    .into())
            }
            _ => Ok(false),
        }
    }
}

/// The problem of a name, if there is one.
fn name_problem(name: &str) -> Option<String> {
    if name.len() > MAX_NAME {
        return Some(format!("its name has {} bytes; at most {MAX_NAME} are read", name.len()));
    }
    needs_escaping(name).then(|| {
        "its name has characters that are not shown (control characters or directions of \
         writing); use letters, digits, dots and underscores"
            .into()
    })
}

/// Whether a layer or a network can have a name.
pub(super) fn usable_name(name: &str) -> bool {
    !name.is_empty() && name_problem(name).is_none()
}

/// The beginning of a name, short enough for a message.
pub(super) fn name_start(name: &str) -> &str {
    match name.char_indices().nth(MAX_NAME / 16) {
        Some((end, _)) if name.len() > MAX_NAME => &name[..end],
        _ => name,
    }
}
