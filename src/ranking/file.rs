//! Files of rankings: the reference's index arrays, and the responses beside them.

use std::path::{Path, PathBuf};

use ndarray::{Array3, Ix3};

use super::{Entry, LayerRanking, RankingError, UnitRanking};
use crate::files::{FileError, npy, shown};

/// The two files of one layer's ranking in a folder.
#[derive(Clone, Debug)]
pub struct LayerFiles {
    indices: PathBuf,
    responses: PathBuf,
}

/// Bounds of a layer's ranking.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Number of units.
    pub units: usize,
    /// Number of positions of the layer's output.
    pub positions: usize,
    /// Number of images.
    pub images: usize,
}

impl LayerFiles {
    /// The files of the layer with this short name.
    pub fn new(folder: &Path, layer: &str) -> Self {
        Self {
            indices: folder.join(format!("{layer}.npy")),
            responses: folder.join(format!("{layer}_responses.npy")),
        }
    }

    /// Writes the index array, `int64 [units, n, 4]` as the reference does, and the responses,
    /// `float32 [units, n, 2]`.
    pub fn write(&self, ranking: &LayerRanking) -> Result<(), RankingError> {
        let n = ranking.first().map_or(0, |unit| unit.top.len());
        let side = |unit: usize, column: usize| {
            if column == 0 { &ranking[unit].top } else { &ranking[unit].bottom }
        };
        let indices = Array3::from_shape_fn((ranking.len(), n, 4), |(unit, rank, column)| {
            let entry = side(unit, column / 2)[rank];
            i64::from(if column % 2 == 0 { entry.image } else { entry.position })
        });
        let responses = Array3::from_shape_fn((ranking.len(), n, 2), |(unit, rank, column)| {
            side(unit, column)[rank].response.unwrap_or(f32::NAN)
        });
        npy::write(&self.indices, &indices)?;
        Ok(npy::write(&self.responses, &responses)?)
    }

    /// Reads a ranking of this program or of the reference, which has no responses.
    ///
    /// # Errors
    /// Files that cannot be read, arrays of another shape or type, indices out of range.
    pub fn read(&self, expected: Expected) -> Result<LayerRanking, RankingError> {
        let path = &self.indices;
        let indices = npy::read(path)?;
        let dtype = indices.dtype();
        let Some(indices) = indices.into_i64() else {
            return Err(wrong(path, format!("its dtype is {dtype}; expected int64")));
        };
        let indices = shaped(path, indices, expected.units, 4)?;
        let n = indices.dim().1;
        let responses = self.read_responses(expected.units, n)?;
        for ((unit, rank, column), &index) in indices.indexed_iter() {
            let (what, end) = match column % 2 {
                0 => ("image", expected.images),
                _ => ("position", expected.positions),
            };
            if index < 0 || index as u64 >= end as u64 {
                return Err(wrong(
                    path,
                    format!(
                        "[{unit}, {rank}, {column}] is {what} {index}; expected 0 to {}. Was the \
                         ranking made for other layers or images?",
                        end - 1
                    ),
                ));
            }
        }
        let entries = |unit: usize, side: usize| -> Vec<Entry> {
            let entry = |rank: usize| Entry {
                image: indices[[unit, rank, 2 * side]] as u32,
                position: indices[[unit, rank, 2 * side + 1]] as u32,
                response: responses.as_ref().map(|responses| responses[[unit, rank, side]]),
            };
            (0..n).map(entry).collect()
        };
        let unit = |unit| UnitRanking { top: entries(unit, 0), bottom: entries(unit, 1) };
        Ok((0..expected.units).map(unit).collect())
    }

    fn read_responses(&self, units: usize, n: usize) -> Result<Option<Array3<f32>>, RankingError> {
        let path = &self.responses;
        if !path.exists() {
            return Ok(None);
        }
        let values = npy::read(path)?;
        let dtype = values.dtype();
        let Some(array) = values.into_f32() else {
            return Err(wrong(path, format!("its dtype is {dtype}; expected float32")));
        };
        let array = shaped(path, array, units, 2)?;
        if let Some(((unit, rank, side), value)) =
            array.indexed_iter().find(|(_, value)| !value.is_finite())
        {
            let problem = format!("[{unit}, {rank}, {side}] is {value}; expected finite numbers");
            return Err(wrong(path, problem));
        }
        if array.dim().1 != n {
            let (found, indices) = (array.dim().1, shown(&self.indices));
            let problem = format!("it holds {found} images a unit; {indices} holds {n}");
            return Err(wrong(path, problem));
        }
        Ok(Some(array))
    }
}

fn wrong(path: &Path, problem: String) -> RankingError {
    FileError::content(path, problem).into()
}

/// The array as `[units, n, columns]`, with `n` at least 1.
fn shaped<T>(
    path: &Path,
    array: ndarray::ArrayD<T>,
    units: usize,
    columns: usize,
) -> Result<Array3<T>, RankingError> {
    let shape = array.shape().to_vec();
    if shape.len() != 3 || shape[0] != units || shape[1] == 0 || shape[2] != columns {
        return Err(wrong(
            path,
            format!(
                "its shape is {shape:?}; expected [{units}, N, {columns}] for a layer of {units} \
                 units"
            ),
        ));
    }
    array.into_dimensionality::<Ix3>().map_err(|error| wrong(path, error.to_string()))
}
