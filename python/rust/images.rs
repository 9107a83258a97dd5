//! Images that Python gives.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use half::f16;
use ndarray::ArrayD;
use numpy::{Element, IntoPyArray, PyArray4, PyArrayDyn, PyArrayMethods};
use occlumap::engine::EngineError;
use occlumap::files::npy::Values;
use occlumap::geometry::ImageSize;
use occlumap::images::{ImageFolder, ImageReader, ImageSource, RawImage};
use pyo3::prelude::*;

use crate::error::Failure;
use crate::geometry::zeros;
use crate::settings::ImageInput;
use crate::work::Work;

/// Where images come from: a path, a list of paths, or an object that reads them.
#[derive(FromPyObject)]
pub enum Images {
    /// A folder, a list or a batch.
    Path(String),
    /// Files.
    Files(Vec<String>),
    /// An object of `occlumap._images`.
    Reader(Reader),
}

/// An object that reads images.
#[derive(FromPyObject)]
pub struct Reader {
    #[pyo3(attribute)]
    name: String,
    #[pyo3(attribute)]
    count: usize,
    #[pyo3(attribute)]
    pictures: bool,
    #[pyo3(attribute)]
    read: Py<PyAny>,
}

/// The exception with which an image could not be read, where there was one.
#[derive(Clone, Default)]
pub struct Cause(Arc<Mutex<Option<PyErr>>>);

impl Cause {
    /// An error, caused by the exception.
    pub fn of(&self, py: Python<'_>, error: PyErr) -> PyErr {
        let cause = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if cause.is_some() && error.cause(py).is_none() {
            error.set_cause(py, cause);
        }
        error
    }
}

impl Images {
    /// The source of the images, and where their exceptions go.
    pub fn source(self) -> (ImageSource, Cause) {
        let cause = Cause::default();
        let source = match self {
            Self::Path(path) => path.into(),
            Self::Files(files) => ImageSource::Files(files),
            Self::Reader(reader) => {
                ImageSource::Reader(Arc::new(PythonReader { reader, cause: cause.clone() }))
            }
        };
        (source, cause)
    }
}

/// Images that Python reads, one at a time, under the interpreter's lock.
struct PythonReader {
    reader: Reader,
    cause: Cause,
}

impl fmt::Debug for PythonReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PythonReader").field(&self.reader.name).finish()
    }
}

impl ImageReader for PythonReader {
    fn name(&self) -> &str {
        &self.reader.name
    }

    fn len(&self) -> usize {
        self.reader.count
    }

    fn has_pictures(&self) -> bool {
        self.reader.pictures
    }

    fn read(&self, index: usize) -> Result<RawImage, String> {
        Python::attach(|py| {
            let image = self.reader.read.call1(py, (index,));
            let image = image.map_err(|raised| {
                let message = raised.to_string();
                let mut first = self.cause.0.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(raised);
                message
            })?;
            let values = values(image.bind(py))?;
            if self.reader.pictures { picture(values) } else { Ok(RawImage::Array(values)) }
        })
    }
}

/// Some images as a network of this many channels is shown them, `float32 [n, channels, height, width]`,
/// by default all; and the names of all there are.
#[pyfunction]
pub fn load_images(
    py: Python<'_>,
    images: ImageInput,
    indices: Option<Vec<usize>>,
    channels: usize,
    work: Work,
) -> PyResult<(Bound<'_, PyArray4<f32>>, Vec<String>)> {
    let (source, cause, mut options) = images.source()?;
    options.channels = Some(channels);
    let loaded = work.run(py, |context| {
        let images = ImageFolder::open_source(&source, &options)?;
        let indices = indices.unwrap_or_else(|| (0..images.len()).collect());
        let ImageSize { height, width } = images.size();
        let mut loaded = zeros([indices.len(), channels, height, width])?;
        images.stream(&indices, context.threads(), |stream| {
            for (image, mut slot) in stream.zip(loaded.outer_iter_mut()) {
                slot.assign(&image?.values);
                if context.observer.cancel_token().is_cancelled() {
                    return Err(Failure::from(EngineError::Stopped));
                }
            }
            Ok(())
        })?;
        Ok((loaded, images.names().to_vec()))
    });
    let (loaded, names) = loaded.map_err(|error| cause.of(py, error))?;
    Ok((loaded.into_pyarray(py), names))
}

/// A picture from an array `uint8 [height, width, 3]`.
fn picture(values: Values) -> Result<RawImage, String> {
    let shape = values.shape().to_vec();
    match (values, &shape[..]) {
        (Values::U8(array), &[height, width, 3]) => {
            let rgb = array.as_standard_layout().into_owned().into_raw_vec_and_offset().0;
            Ok(RawImage::Picture { size: ImageSize::new(height, width), rgb })
        }
        (other, _) => Err(format!(
            "it is a {} array of shape {shape:?}; expected a picture, uint8 [height, width, 3]",
            other.dtype()
        )),
    }
}

/// A copy of an array of any element type that is read.
fn values(array: &Bound<'_, PyAny>) -> Result<Values, String> {
    fn copy<T: Element + Clone>(
        array: &Bound<'_, PyAny>,
        values: impl FnOnce(ArrayD<T>) -> Values,
    ) -> Option<Values> {
        let array = array.cast::<PyArrayDyn<T>>().ok()?;
        Some(values(array.try_readonly().ok()?.as_array().to_owned()))
    }
    copy(array, Values::F32)
        .or_else(|| copy::<u8>(array, Values::U8))
        .or_else(|| copy::<f64>(array, Values::F64))
        .or_else(|| copy::<f16>(array, Values::F16))
        .or_else(|| copy::<u16>(array, Values::U16))
        .or_else(|| copy::<u32>(array, Values::U32))
        .or_else(|| copy::<u64>(array, Values::U64))
        .or_else(|| copy::<i8>(array, Values::I8))
        .or_else(|| copy::<i16>(array, Values::I16))
        .or_else(|| copy::<i32>(array, Values::I32))
        .or_else(|| copy::<i64>(array, Values::I64))
        .ok_or_else(|| {
            let found = array.getattr("dtype").map_or_else(
                |_| format!("an object of type {}", array.get_type()),
                |dtype| format!("an array of dtype {dtype}"),
            );
            format!("it is {found}; expected an array of floats or integers")
        })
}
