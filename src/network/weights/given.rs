//! Tensors of the calling program.

use super::element::count;
use super::{Source, Tensor, TensorProblem};

/// Named tensors.
pub(super) struct Given(pub Vec<(String, Tensor)>);

impl Source for Given {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, entry: usize) -> &str {
        &self.0[entry].0
    }

    /// Takes a tensor out: each is asked for once.
    fn tensor(&mut self, entry: usize) -> Result<Tensor, TensorProblem> {
        let nothing = Tensor { shape: Vec::new(), data: Vec::new() };
        let tensor = std::mem::replace(&mut self.0[entry].1, nothing);
        let (found, expected) = (tensor.data.len(), count(&tensor.shape)?);
        if found != expected {
            return Err(TensorProblem::content(format!(
                "it has {found} elements; its shape {:?} has {expected}",
                tensor.shape
            )));
        }
        match tensor.data.iter().position(|value| !value.is_finite()) {
            Some(index) => {
                let value = tensor.data[index].into();
                Err(TensorProblem::NotFinite { index, value })
            }
            None => Ok(tensor),
        }
    }
}
