//! Values that do not depend on the image.

use std::collections::HashSet;
use std::sync::Arc;

use super::external::ExternalFiles;
use super::messages::TensorProto;
use super::tensor::check_few;
use crate::error::ParseError;
use crate::network::weights::{MAX_ELEMENTS, Tensor, TensorProblem};

/// The most values of a tensor that one number stands for in the file.
const MAX_FILLED: usize = 1 << 26;

/// A tensor whose values may still be in the file.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// Those of the tensor of this index.
    Stored(usize),
    /// One value everywhere.
    Filled(f32),
    Floats(Arc<[f32]>),
    Integers(Arc<[i64]>),
}

/// The tensors of a file.
#[derive(Debug)]
pub(super) struct Tensors {
    /// Initialisers, and the values of `Constant` nodes.
    pub stored: Vec<TensorProto>,
    pub external: ExternalFiles,
    /// How many values may still be read and made by arithmetic with constants.
    computable: usize,
}

/// How many values arithmetic with constants may read and make, for each float that the file has room for.
const COMPUTED_A_FLOAT: usize = 16;

/// As many may be read and made in any case.
const COMPUTED_ALWAYS: usize = 1 << 20;

impl Tensors {
    /// The tensors of a file of `length` bytes.
    pub const fn new(stored: Vec<TensorProto>, external: ExternalFiles, length: usize) -> Self {
        let computable = length / size_of::<f32>() * COMPUTED_A_FLOAT + COMPUTED_ALWAYS;
        Self { stored, external, computable }
    }

    /// Counts values that are read or made by arithmetic with constants.
    ///
    /// # Errors
    /// More than the file's length allows.
    pub fn count_computed(&mut self, values: Option<usize>) -> Result<(), ParseError> {
        match values.and_then(|values| self.computable.checked_sub(values)) {
            Some(left) => {
                self.computable = left;
                Ok(())
            }
            None => Err(
                "it takes more arithmetic with constants than a file of this length may ask for"
                    .into(),
            ),
        }
    }
}

impl Constant {
    /// The tensor of index `index`.
    pub fn stored(tensors: &Tensors, index: usize) -> Result<Self, TensorProblem> {
        Ok(Self { shape: tensors.stored[index].shape()?, values: Values::Stored(index) })
    }

    /// The same value everywhere.
    pub const fn filled(shape: Vec<usize>, value: f32) -> Self {
        Self { shape, values: Values::Filled(value) }
    }

    /// Floats; a shape of no axes where there is one, alone.
    pub fn floats(shape: Vec<usize>, values: &[f32]) -> Self {
        Self { shape, values: Values::Floats(values.into()) }
    }

    /// Integers.
    pub fn integers(shape: Vec<usize>, values: &[i64]) -> Self {
        Self { shape, values: Values::Integers(values.into()) }
    }

    /// How many values there are; `None` where they are too many to count.
    pub fn len(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))
    }

    /// The same values in another shape of as many.
    pub fn reshaped(&self, shape: Vec<usize>) -> Option<Self> {
        let reshaped = Self { shape, values: self.values.clone() };
        (reshaped.len().is_some() && reshaped.len() == self.len()).then_some(reshaped)
    }

    /// The tensor's name in the file; empty where it has none.
    pub fn name<'t>(&self, tensors: &'t Tensors) -> &'t str {
        match self.values {
            Values::Stored(index) => &tensors.stored[index].name,
            _ => "",
        }
    }

    /// Whether its values stand in the file for it alone; `seen` are the tensors that others used.
    pub fn is_first_use(&self, seen: &mut HashSet<usize>) -> bool {
        matches!(self.values, Values::Stored(index) if seen.insert(index))
    }

    /// Whether its values are integers.
    pub fn is_of_integers(&self, tensors: &Tensors) -> bool {
        match self.values {
            Values::Stored(index) => matches!(tensors.stored[index].data_type, 6 | 7),
            Values::Filled(_) | Values::Floats(_) => false,
            Values::Integers(_) => true,
        }
    }

    /// The values as floats.
    pub fn read(&self, tensors: &mut Tensors) -> Result<Tensor, TensorProblem> {
        let shape = self.shape.clone();
        let data = match &self.values {
            Values::Stored(index) => {
                let Tensors { stored, external, .. } = tensors;
                stored[*index].floats(external)?.data
            }
            Values::Filled(value) => {
                let most = MAX_FILLED.min(MAX_ELEMENTS);
                let count = self.len().filter(|&count| count <= most).ok_or_else(|| {
                    let problem = format!("its shape {shape:?} has more than {most} values");
                    TensorProblem::content(problem)
                })?;
                vec![*value; count]
            }
            Values::Floats(values) => values.to_vec(),
            Values::Integers(_) => {
                return Err(TensorProblem::content("its values are integers; expected floats"));
            }
        };
        Ok(Tensor { shape, data })
    }

    /// The values as integers.
    pub fn read_integers(&self, tensors: &mut Tensors) -> Result<Vec<i64>, TensorProblem> {
        match &self.values {
            Values::Stored(index) => {
                let Tensors { stored, external, .. } = tensors;
                stored[*index].integers(external)
            }
            Values::Integers(values) => {
                check_few(values.len())?;
                Ok(values.to_vec())
            }
            _ => Err(TensorProblem::content("its values are floats; expected integers")),
        }
    }
}
