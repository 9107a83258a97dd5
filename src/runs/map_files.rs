//! Files of one map.

use std::path::PathBuf;

use ndarray::ArrayD;

use super::output::is_same_file;
use super::{RunError, UnitMap, check_file};
use crate::files::npy;

/// Files of one map.
#[derive(Clone, Debug)]
pub struct MapFiles {
    /// The map, float64 `[rf, rf]`.
    pub map: PathBuf,
    /// The signed differences in grid order, float32 `[occluders]`, or `[draws, occluders]` of several
    /// draws.
    pub responses: Option<PathBuf>,
}

impl MapFiles {
    /// Checks that the files can be written.
    ///
    /// # Errors
    /// A file that exists, without `force`; a name without `.npy`; the same name twice.
    pub fn check(&self, force: bool) -> Result<(), RunError> {
        for path in std::iter::once(&self.map).chain(&self.responses) {
            check_file(path, force)?;
            // An array with a picture's ending would be taken for a picture.
            if path.extension().is_some_and(|ending| ending != "npy") {
                let path = path.display();
                return Err(RunError::usage(format!("{path}: expected a name that ends in .npy")));
            }
        }
        if self.responses.as_ref().is_some_and(|responses| is_same_file(responses, &self.map)) {
            return Err(RunError::usage("--out and --responses name the same file"));
        }
        Ok(())
    }

    /// Writes the files.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn write(&self, found: &UnitMap) -> Result<(), RunError> {
        npy::write(&self.map, &found.map)?;
        if let Some(path) = &self.responses {
            let (draws, occluders) = (found.differences.len(), found.placement.occluders.len());
            let shape = if draws == 1 { vec![occluders] } else { vec![draws, occluders] };
            let all = ArrayD::from_shape_vec(shape, found.differences.concat())
                .map_err(|error| RunError::Internal(error.to_string()))?;
            npy::write(path, &all)?;
        }
        Ok(())
    }
}
