//! How the numbers of a layer come from a file's tensors.

use super::constant::{Constant, Tensors};
use super::fold::problem;
use crate::error::ParseError;
use crate::network::Filters;
use crate::network::weights::TensorProblem;

/// The tensors that a layer's numbers are made of.
#[derive(Clone, Debug)]
pub(super) enum Recipe {
    /// Of a convolution.
    Convolution {
        /// `[out_channels, in_channels / groups, height, width]`.
        weight: Constant,
        /// `[out_channels]`.
        bias: Option<Constant>,
    },
    /// Of a convolution of one tap.
    Matrix {
        /// `[in_channels, out_channels]`.
        weight: Constant,
        /// `[out_channels]`.
        bias: Option<Constant>,
    },
    /// Of a batch normalisation.
    Affine(Affine),
    /// Of a `PReLU`: a slope for each channel, or one.
    Slopes(Constant),
    /// Of a normalisation without a weight and a bias of its own: ones and zeros.
    Ones,
    /// Of a layer normalisation, or of one of groups.
    Norm {
        /// `[channels]`.
        weight: Constant,
        /// `[channels]`.
        bias: Option<Constant>,
    },
}

/// A multiplication and an addition, per channel.
#[derive(Clone, Debug)]
pub(super) enum Affine {
    /// `(x - mean) / sqrt(variance + epsilon) * scale + shift`.
    BatchNorm {
        scale: Constant,
        shift: Constant,
        mean: Constant,
        variance: Constant,
        epsilon: f32,
    },
    Add(Constant),
    Subtract(Constant),
    /// `constant - x`.
    SubtractFrom(Constant),
    Multiply(Constant),
    Divide(Constant),
}

impl Affine {
    /// The operation on one constant, its input `which`, that `op_type` stands for.
    pub fn of_constant(op_type: &str, which: usize, constant: Constant) -> Option<Self> {
        Some(match (op_type, which) {
            ("Add" | "Sum", _) => Self::Add(constant),
            ("Mul", _) => Self::Multiply(constant),
            ("Sub", 1) => Self::Subtract(constant),
            ("Sub", 0) => Self::SubtractFrom(constant),
            ("Div", 1) => Self::Divide(constant),
            _ => return None,
        })
    }

    /// Whether its constants have a value for each of this many channels, or one for all.
    pub fn fits(&self, channels: usize, channels_last: bool) -> bool {
        match self {
            Self::BatchNorm { scale, shift, mean, variance, .. } => {
                [scale, shift, mean, variance].iter().all(|values| values.shape == [channels])
            }
            Self::Add(value)
            | Self::Subtract(value)
            | Self::SubtractFrom(value)
            | Self::Multiply(value)
            | Self::Divide(value) => is_per_channel(value, channels, channels_last),
        }
    }

    /// Factor and shift of each channel.
    fn factors(
        &self,
        channels: usize,
        tensors: &mut Tensors,
    ) -> Result<Vec<(f64, f64)>, ParseError> {
        let mut read = |constant: &Constant| -> Result<Vec<f64>, ParseError> {
            Ok(each(constant, channels, tensors)?.into_iter().map(f64::from).collect())
        };
        Ok(match self {
            Self::BatchNorm { scale, shift, mean, variance, epsilon } => {
                let (scale, shift) = (read(scale)?, read(shift)?);
                let (mean, variance) = (read(mean)?, read(variance)?);
                let epsilon = f64::from(*epsilon);
                (0..channels)
                    .map(|channel| {
                        let scale = scale[channel] / (variance[channel] + epsilon).sqrt();
                        (scale, shift[channel] - mean[channel] * scale)
                    })
                    .collect()
            }
            Self::Add(value) => read(value)?.into_iter().map(|value| (1.0, value)).collect(),
            Self::Subtract(value) => read(value)?.into_iter().map(|value| (1.0, -value)).collect(),
            Self::SubtractFrom(value) => {
                read(value)?.into_iter().map(|value| (-1.0, value)).collect()
            }
            Self::Multiply(value) => read(value)?.into_iter().map(|value| (value, 0.0)).collect(),
            Self::Divide(value) => {
                read(value)?.into_iter().map(|value| (1.0 / value, 0.0)).collect()
            }
        })
    }
}

/// Whether a constant has a value for each channel, or one for all: `[1, channels, 1, 1]`, or
/// `[1, 1, 1, channels]` where channels are last; the first axes may be left out.
pub(super) fn is_per_channel(value: &Constant, channels: usize, channels_last: bool) -> bool {
    let rest: Vec<usize> = value.shape.iter().copied().skip_while(|&length| length == 1).collect();
    let each = if channels_last { rest == [channels] } else { rest == [channels, 1, 1] };
    value.shape.len() <= 4 && (rest.is_empty() || each)
}

/// The values of a constant; all of them finite, those of a node's attribute too.
fn values(constant: &Constant, tensors: &mut Tensors) -> Result<Vec<f32>, ParseError> {
    let values = constant.read(tensors).map_err(problem)?.data;
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            let value = values[index].into();
            Err(problem(TensorProblem::NotFinite { index, value }))
        }
        None => Ok(values),
    }
}

/// Whether all values of a constant are one number.
pub(super) fn is_all(
    constant: &Constant,
    number: f32,
    tensors: &mut Tensors,
) -> Result<bool, ParseError> {
    Ok(values(constant, tensors)?.iter().all(|&value| value == number))
}

/// A value for each channel.
fn each(
    constant: &Constant,
    channels: usize,
    tensors: &mut Tensors,
) -> Result<Vec<f32>, ParseError> {
    let values = values(constant, tensors)?;
    Ok(if values.len() == 1 { vec![values[0]; channels] } else { values })
}

impl Recipe {
    /// Where the bias is, of what may have one.
    pub fn bias(&mut self) -> Option<&mut Option<Constant>> {
        match self {
            Self::Convolution { bias, .. } | Self::Matrix { bias, .. } => Some(bias),
            _ => None,
        }
    }

    /// The tensor that a message names.
    pub fn main(&self) -> Option<&Constant> {
        Some(match self {
            Self::Ones => return None,
            Self::Convolution { weight, .. }
            | Self::Matrix { weight, .. }
            | Self::Norm { weight, .. }
            | Self::Slopes(weight) => weight,
            Self::Affine(affine) => match affine {
                Affine::BatchNorm { scale: value, .. }
                | Affine::Add(value)
                | Affine::Subtract(value)
                | Affine::SubtractFrom(value)
                | Affine::Multiply(value)
                | Affine::Divide(value) => value,
            },
        })
    }

    /// The numbers of a layer of this many output channels.
    ///
    /// # Errors
    /// Tensors that cannot be read, or are not of finite floats.
    pub fn filters(&self, channels: usize, tensors: &mut Tensors) -> Result<Filters, ParseError> {
        let mut read = |constant: &Constant| values(constant, tensors);
        match self {
            Self::Convolution { weight, bias } => {
                let bias = bias.as_ref().map(&mut read).transpose()?;
                Ok(Filters { weight: read(weight)?, bias: bias.unwrap_or_default() })
            }
            Self::Matrix { weight, bias } => {
                let bias = bias.as_ref().map(&mut read).transpose()?;
                let values = read(weight)?;
                let column = |output| values.iter().skip(output).step_by(channels).copied();
                let weight = (0..channels).flat_map(column).collect();
                Ok(Filters { weight, bias: bias.unwrap_or_default() })
            }
            Self::Norm { weight, bias } => {
                let bias = bias.as_ref().map(&mut read).transpose()?;
                let bias = bias.unwrap_or_else(|| vec![0.0; channels]);
                Ok(Filters { weight: read(weight)?, bias })
            }
            Self::Ones => Ok(Filters { weight: vec![1.0; channels], bias: vec![0.0; channels] }),
            Self::Slopes(slopes) => {
                Ok(Filters { weight: each(slopes, channels, tensors)?, bias: Vec::new() })
            }
            Self::Affine(affine) => {
                let factors = affine.factors(channels, tensors)?;
                let unfit =
                    |&(a, b): &(f64, f64)| !(a as f32).is_finite() || !(b as f32).is_finite();
                if let Some((factor, shift)) = factors.iter().copied().find(|pair| unfit(pair)) {
                    return Err(ParseError(format!(
                        "a channel's factor is {factor} and its shift {shift}; expected finite \
                         numbers in the range of float32"
                    )));
                }
                let (weight, bias) = factors.into_iter().map(|(a, b)| (a as f32, b as f32)).unzip();
                Ok(Filters { weight, bias })
            }
        }
    }
}
