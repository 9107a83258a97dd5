//! A network with its weights.

mod error;
mod reading;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

pub use self::error::ModelError;
use self::reading::{filters_of, names, read_tensors, tensor_shapes};
use super::onnx::{OnnxFile, is_onnx};
use super::weights::{self, Tensor, Tensors};
use super::{ChannelScale, LayerId, Network, Op, TensorShape};
use crate::files::{AtomicFile, Digest, DigestWriter, FileError, digest_of, escaped};

/// The numbers that one layer computes with.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters {
    /// Of a convolution `[out_channels, in_channels / groups, kernel, kernel]`, row-major; of any
    /// other layer `[channels]`: slopes of negative values, a batch normalisation's factors, a layer
    /// normalisation's weights.
    pub weight: Vec<f32>,
    /// `[out_channels]`; empty where the layer has none.
    pub bias: Vec<f32>,
}

/// The copy of the network among a file's tensors that was found by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCopy {
    /// Prefix of its names, without the dot; empty if they have none.
    pub prefix: String,
    /// Longer prefixes of further copies.
    pub others: Vec<String>,
}

/// A network with the filters of its convolutions, and the numbers of its other layers.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    filters: BTreeMap<LayerId, Filters>,
    digest: Digest,
    ignored: Vec<String>,
    found_copy: Option<FoundCopy>,
}

impl Model {
    /// Reads the network's weights from `.safetensors`, `.npz` or `.pth`, from an index of
    /// `.safetensors` files, or from the ONNX file that the network is from.
    ///
    /// # Errors
    /// Files that cannot be read; tensors that are missing, misshapen or not finite, or part of the
    /// network and not used.
    pub fn load(network: Network, path: &Path) -> Result<Self, ModelError> {
        Self::load_below(network, path, None)
    }

    /// As [`Model::load`], from tensors whose names begin with `prefix`, where one is given.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_below(
        network: Network,
        path: &Path,
        prefix: Option<&str>,
    ) -> Result<Self, ModelError> {
        let prefix = prefix.map(|prefix| prefix.trim_end_matches('.'));
        if is_onnx(path) {
            return match prefix {
                None => Self::load_onnx(network, path),
                Some(_) => Err(ModelError::Prefix { path: path.to_owned() }),
            };
        }
        let shapes = tensor_shapes(&network);
        let tensors = read_tensors(&network, path, prefix, &shapes)?;
        let found_copy = if prefix.is_none() { Some(FoundCopy::of(&tensors)) } else { None };
        let mut digest = digest_of(path)?;
        for shard in &tensors.shards {
            digest = Digest::of(format!("{digest} {}", digest_of(shard)?).as_bytes());
        }
        if let Some(prefix) = prefix {
            digest = Digest::of(format!("{digest} {prefix}").as_bytes());
        }
        let (filters, ignored) = filters_of(&network, &shapes, tensors, path)?;
        Ok(Self { network, filters, digest, ignored, found_copy }.with_taps())
    }

    /// A model of these tensors, which are looked up by name as those of a weight file are.
    ///
    /// # Errors
    /// Tensors that are missing, misshapen or not finite.
    pub fn of_tensors(
        network: Network,
        tensors: Vec<(String, Tensor)>,
    ) -> Result<Self, ModelError> {
        let (path, shapes) = (Path::new("the weights"), tensor_shapes(&network));
        let tensors = weights::of_named(path, tensors, &names(&shapes))?;
        let found_copy = Some(FoundCopy::of(&tensors));
        let (filters, ignored) = filters_of(&network, &shapes, tensors, path)?;
        let digest = Digest::of(b"");
        Ok(Self { network, filters, digest, ignored, found_copy }.with_digest()?.with_taps())
    }

    /// The same, with the digest of the file that [`save_weights`](Self::save_weights) writes.
    fn with_digest(self) -> Result<Self, ModelError> {
        let mut digest = DigestWriter::default();
        weights::write(&self.tensors(), &mut digest)
            .map_err(FileError::write(Path::new("the weights")))?;
        Ok(Self { digest: digest.finish(), ..self })
    }

    /// Writes the weights as `.safetensors`.
    ///
    /// # Errors
    /// A file that cannot be written; batch normalisation without a weight and a bias of its own,
    /// whose factor no statistics tell to the bit.
    pub fn save_weights(&self, path: &Path) -> Result<(), FileError> {
        let is_plain = |op: &Op| matches!(op, Op::BatchNorm(norm) if !norm.affine);
        if let Some(layer) = self.network.layers().iter().find(|layer| is_plain(&layer.op)) {
            let name = escaped(&layer.name);
            let problem = format!("{name} is a batch normalisation with `affine` false");
            return Err(FileError::content(path, problem));
        }
        let mut file = AtomicFile::create(path)?;
        weights::write(&self.tensors(), &mut file).map_err(FileError::write(path))?;
        file.finish().map(drop)
    }

    /// The tensors, by name, from which the same filters are read again. A batch normalisation is one
    /// of the mean 0 and the variance 1; one without a weight and a bias of its own has its factor and
    /// its shift instead of them, for the digest alone.
    fn tensors(&self) -> BTreeMap<String, (Vec<usize>, Cow<'_, [f32]>)> {
        let mut tensors = BTreeMap::new();
        for (&id, Filters { weight, bias }) in &self.filters {
            let layer = self.network.layer(id);
            for TensorShape { name, shape } in layer.op.tensors(self.network.input_channels(id)) {
                let channels = weight.len();
                let values: Cow<'_, [f32]> = match (name, &layer.op) {
                    ("running_mean", Op::BatchNorm(norm)) if !norm.affine => bias.into(),
                    ("running_var", Op::BatchNorm(norm)) if !norm.affine => weight.into(),
                    ("running_mean", _) => vec![0.0; channels].into(),
                    ("running_var", Op::BatchNorm(norm)) => vec![1.0 - norm.eps; channels].into(),
                    ("bias", _) => bias.into(),
                    _ => weight.into(),
                };
                tensors.insert(format!("{}.{name}", layer.name), (shape, values));
            }
        }
        tensors
    }

    fn load_onnx(network: Network, path: &Path) -> Result<Self, ModelError> {
        let file = match network.onnx_file.take(path) {
            Some(file) => file,
            None => OnnxFile::open(path)?,
        };
        if file.network().digest() != network.digest() {
            let (path, network) = (path.to_owned(), network.name().to_owned());
            return Err(ModelError::Other { path, network });
        }
        let (filters, digest) = file.filters()?;
        let (ignored, found_copy) = (Vec::new(), None);
        Ok(Self { network, filters, digest, ignored, found_copy }.with_taps())
    }

    /// The model with the numbers that no weight file holds: those of the layers that
    /// [`Network::units_of`] added, and those that the network itself tells.
    fn with_taps(mut self) -> Self {
        for &tap in self.network.taps() {
            let weight = vec![1.0; self.network.channels(tap)];
            self.filters.insert(tap, Filters { weight, bias: Vec::new() });
        }
        for (id, layer) in self.network.layers().iter().enumerate() {
            if let Op::Scale(ChannelScale { factors, shifts }) = &layer.op {
                let numbers = Filters { weight: factors.clone(), bias: shifts.clone() };
                self.filters.insert(LayerId(id), numbers);
            }
        }
        self
    }

    /// The model of its network with the layers that [`Network::units_of`] added, or in another context.
    #[must_use]
    pub fn with_network(&self, network: Network) -> Self {
        Self { network, ..self.clone() }.with_taps()
    }

    /// Number of weights and biases.
    pub fn weights(&self) -> usize {
        self.filters.values().map(|filters| filters.weight.len() + filters.bias.len()).sum()
    }

    /// A model of these filters, one for each layer with parameters, in order
    /// ([`Network::parameters`]).
    ///
    /// # Errors
    /// [`ModelError::Filters`]: not as many, or not as long, as the network needs.
    pub fn new(network: Network, filters: Vec<Filters>) -> Result<Self, ModelError> {
        let (ids, expected): (Vec<LayerId>, Vec<[usize; 2]>) = network.parameters().unzip();
        let found: Vec<[usize; 2]> =
            filters.iter().map(|f| [f.weight.len(), f.bias.len()]).collect();
        if found != expected {
            return Err(ModelError::Filters { network: network.name, expected, found });
        }
        let filters = ids.into_iter().zip(filters).collect();
        let (digest, ignored, found_copy) = (Digest::of(b""), Vec::new(), None);
        let model = Self { network, filters, digest, ignored, found_copy };
        Ok(model.with_digest()?.with_taps())
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The filters of a convolution, or the numbers of another layer; `None` where it needs none.
    pub fn filters(&self, id: LayerId) -> Option<&Filters> {
        self.filters.get(&id)
    }

    /// The SHA-256 of the weight file, of an ONNX file with those beside it that hold its tensors; of
    /// weights that were given, of the file that [`save_weights`](Self::save_weights) writes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Names of the file's tensors that the network has no use for: without wrappers and without the
    /// prefix of its own, those of another copy in full.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The copy of the network that was found by its names; `None` if its prefix was given, or of an
    /// ONNX file.
    pub fn found_copy(&self) -> Option<&FoundCopy> {
        self.found_copy.as_ref()
    }
}

impl FoundCopy {
    fn of(tensors: &Tensors) -> Self {
        let prefix = tensors.prefix.trim_end_matches('.').to_owned();
        Self { prefix, others: tensors.others.clone() }
    }
}

impl Filters {
    /// From the tensors of a layer, in the order of [`Op::tensors`].
    fn of_tensors(op: &Op, tensors: Vec<Vec<f32>>) -> Self {
        if let Op::BatchNorm(norm) = op {
            let channels = tensors[0].len();
            let (ones, zeros) = (vec![1.0; channels], vec![0.0; channels]);
            let of = |which: usize| &tensors[which];
            let [weight, bias, mean, var] = if norm.affine {
                [of(0), of(1), of(2), of(3)]
            } else {
                [&ones, &zeros, of(0), of(1)]
            };
            let (weight, bias) = (0..channels)
                .map(|c| norm.factor_and_shift([weight[c], bias[c], mean[c], var[c]]).into())
                .unzip();
            return Self { weight, bias };
        }
        let mut tensors = tensors.into_iter();
        let mut next = || tensors.next().unwrap_or_default();
        Self { weight: next(), bias: next() }
    }
}

impl Network {
    /// The layers that compute with numbers of their own, in order, and how many weights and biases
    /// each has.
    pub fn parameters(&self) -> impl Iterator<Item = (LayerId, [usize; 2])> {
        (0..self.own_layers().len()).map(LayerId).filter_map(|id| {
            let parameters = self.layer(id).op.parameters(self.input_channels(id))?;
            Some((id, parameters))
        })
    }
}
