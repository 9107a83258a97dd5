//! Receptive fields, occluders and their noise.

use ndarray::{Array2, Array4, ArrayView2, Axis};
use numpy::{IntoPyArray, PyArray4, PyReadonlyArray2, PyReadonlyArray3};
use occlumap::geometry::{ImageSize, LayerGeometry, Occluder, PixelBox, Placement};
use occlumap::noise::{Fill, Noise};
use occlumap::runs::ChosenLayers;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::Failure;
use crate::network::Network;
use crate::settings::{Grid, noise as parse_noise};

/// Where the occluders of one position go.
pub fn placement<'py>(py: Python<'py>, placement: &Placement) -> PyResult<Bound<'py, PyDict>> {
    let Placement { rf, pixels, frame, occluders } = placement;
    let dict = PyDict::new(py);
    dict.set_item("size", rf)?;
    let corners = |pixels: &PixelBox| (pixels.y_min, pixels.x_min, pixels.y_max, pixels.x_max);
    dict.set_item("box", pixels.as_ref().map(corners))?;
    dict.set_item("frame", (frame.y, frame.x))?;
    let table = Array2::from_shape_fn((occluders.len(), 4), |(row, column)| {
        let Occluder { index, top, left, size } = occluders[row];
        [index, top, left, size][column] as i64
    });
    dict.set_item("occluders", table.into_pyarray(py))?;
    Ok(dict)
}

/// The receptive field of a position on a layer, and its occluders.
#[pyfunction]
pub fn receptive_field<'py>(
    py: Python<'py>,
    network: &Network,
    layer: &str,
    position: Option<(usize, usize)>,
    image_size: (usize, usize),
    grid: Grid,
) -> PyResult<Bound<'py, PyDict>> {
    let image = ImageSize::new(image_size.0, image_size.1);
    let found = || -> Result<(LayerGeometry, (usize, usize), Placement), Failure> {
        let chosen = ChosenLayers::of(network.graph().clone(), &[layer.to_owned()])?;
        let (graph, id) = (&chosen.network, chosen.layers[0]);
        let geometry = LayerGeometry::new(graph, id, image, grid.rule()?, grid.every)?;
        let output = geometry.output;
        let (y, x) = position.unwrap_or((output.height / 2, output.width / 2));
        geometry.check_position(layer, y, x)?;
        let placed = geometry.placement(y, x)?;
        Ok((geometry, (y, x), placed))
    };
    let (geometry, position, placed) = found()?;
    let dict = placement(py, &placed)?;
    dict.set_item("position", position)?;
    let step = geometry.projection.step;
    dict.set_item("step", (step.y, step.x))?;
    dict.set_item("output", (geometry.output.height, geometry.output.width))?;
    Ok(dict)
}

/// The most values of an array of noise or of occluded images: 16 GiB of them.
const MOST_VALUES: usize = 1 << 32;

/// Occluders from rows of index, top, left and size, all of one size.
fn occluders(rows: ArrayView2<'_, i64>) -> Result<Vec<Occluder>, Failure> {
    let number = |value: i64| {
        usize::try_from(value).ok().filter(|&value| value <= ImageSize::MAX_SIDE * 1024)
    };
    let occluder =
        |row: ndarray::ArrayView1<'_, i64>| match row.iter().copied().map(number).collect() {
            Some::<Vec<usize>>(numbers) => match numbers[..] {
                [index, top, left, size] if size > 0 => Ok(Occluder { index, top, left, size }),
                _ => Err(Failure::usage("occluders: expected rows of index, top, left and size")),
            },
            None => Err(Failure::usage(format!("occluders: {row} has a number out of range"))),
        };
    let occluders: Vec<Occluder> = rows.outer_iter().map(occluder).collect::<Result<_, _>>()?;
    if let Some(other) = occluders.iter().find(|other| other.size != occluders[0].size) {
        let (first, other) = (occluders[0].size, other.size);
        return Err(Failure::usage(format!(
            "occluders: sizes {first} and {other}; expected one size"
        )));
    }
    Ok(occluders)
}

/// An array of a size that memory may hold.
pub fn zeros(shape: [usize; 4]) -> Result<Array4<f32>, Failure> {
    let values = shape.iter().try_fold(1_usize, |all, &length| all.checked_mul(length));
    if values.is_none_or(|values| values > MOST_VALUES) {
        return Err(Failure::usage(format!(
            "an array of shape {shape:?} has more than {MOST_VALUES} values; give fewer occluders"
        )));
    }
    Ok(Array4::zeros(shape))
}

/// The noise of occluders, `float32 [occluders, channels, size, size]`.
#[pyfunction]
pub fn noise<'py>(
    py: Python<'py>,
    noise: &str,
    image: u32,
    occluders: PyReadonlyArray2<'py, i64>,
    channels: usize,
) -> PyResult<Bound<'py, PyArray4<f32>>> {
    let noise: Noise = parse_noise(noise)?;
    let occluders = self::occluders(occluders.as_array())?;
    if channels == 0 {
        return Err(Failure::usage("channels is 0; expected at least 1").into());
    }
    let size = occluders.first().map_or(0, |occluder| occluder.size);
    let mut values = zeros([occluders.len(), channels, size, size])?;
    py.detach(|| {
        let patches = Fill::from(noise).patches(image, channels, &occluders);
        let mut drawn = Vec::new();
        for (which, mut patch) in values.outer_iter_mut().enumerate() {
            patches.draw(which, &mut drawn);
            patch.iter_mut().zip(&drawn).for_each(|(value, &drawn)| *value = drawn);
        }
    });
    Ok(values.into_pyarray(py))
}

/// An image `float32 [channels, height, width]` as it is presented, once with each occluder.
#[pyfunction]
pub fn occlude<'py>(
    py: Python<'py>,
    pixels: PyReadonlyArray3<'py, f32>,
    noise: &str,
    image: u32,
    occluders: PyReadonlyArray2<'py, i64>,
) -> PyResult<Bound<'py, PyArray4<f32>>> {
    let noise: Noise = parse_noise(noise)?;
    let occluders = self::occluders(occluders.as_array())?;
    let pixels = pixels.as_array();
    let (channels, height, width) = pixels.dim();
    let is_outside = |occluder: &&Occluder| {
        occluder.top + occluder.size > height || occluder.left + occluder.size > width
    };
    if channels == 0 {
        return Err(Failure::usage("an image without channels").into());
    }
    if let Some(Occluder { top, left, size, .. }) = occluders.iter().find(is_outside) {
        return Err(Failure::usage(format!(
            "an occluder of {size} pixels at {top},{left} reaches past the image of \
             {height}×{width}"
        ))
        .into());
    }
    let mut presented = zeros([occluders.len(), channels, height, width])?;
    for mut image in presented.axis_iter_mut(Axis(0)) {
        image.assign(&pixels);
    }
    py.detach(|| {
        let patches = Fill::from(noise).patches(image, channels, &occluders);
        for (which, mut image) in presented.axis_iter_mut(Axis(0)).enumerate() {
            if let Some(values) = image.as_slice_mut() {
                patches.occlude(which, values, width);
            }
        }
    });
    Ok(presented.into_pyarray(py))
}
