//! An image from an array of a `.npy` file.

use ndarray::{Array3, ArrayD, Axis, Ix3};

use super::Fault;
use crate::files::npy::Values;
use crate::geometry::ImageSize;

/// The array as `[3, height, width]` in C order; `uint8` values as `v / 255`, floats as they are.
///
/// A 3-D array is `[channels, height, width]` if its first axis is 1 or 3 long, else
/// `[height, width, channels]` if its last axis is. A 2-D array is `[height, width]`. One channel
/// becomes three equal ones.
pub(super) fn image_of(values: Values) -> Result<Array3<f32>, Fault> {
    let dtype = values.dtype();
    let values = match values {
        Values::U8(bytes) => bytes.mapv(|v| f32::from(v) / 255.0),
        other => other.into_f32().ok_or(Fault::Dtype(dtype))?,
    };
    let shape = values.shape().to_vec();
    let image = channels_first(values)
        .filter(|image| {
            let (_, height, width) = image.dim();
            [height, width].iter().all(|side| (1..=ImageSize::MAX_SIDE).contains(side))
        })
        .ok_or(Fault::Shape(shape))?;
    Ok(three_channels(image))
}

/// The array with its axes in the order `[channels, height, width]`, of any memory layout.
fn channels_first(array: ArrayD<f32>) -> Option<Array3<f32>> {
    let array = match *array.shape() {
        [_, _] => array.insert_axis(Axis(0)),
        [1 | 3, _, _] => array,
        [_, _, 1 | 3] => array.permuted_axes(vec![2, 0, 1]),
        _ => return None,
    };
    array.into_dimensionality::<Ix3>().ok()
}

fn three_channels(image: Array3<f32>) -> Array3<f32> {
    let (channels, height, width) = image.dim();
    if channels == 3 && image.is_standard_layout() {
        return image;
    }
    Array3::from_shape_fn((3, height, width), |(channel, y, x)| {
        image[[channel.min(channels - 1), y, x]]
    })
}

#[cfg(test)]
mod tests {
    use half::f16;
    use ndarray::{IxDyn, ShapeBuilder};

    use super::*;

    /// A value that names its place.
    fn at(c: usize, y: usize, x: usize) -> f32 {
        (c * 100 + y * 10 + x) as f32
    }

    fn expected(channels: usize) -> Array3<f32> {
        Array3::from_shape_fn((3, 4, 5), |(c, y, x)| at(c.min(channels - 1), y, x))
    }

    #[test]
    fn every_layout_and_order_gives_the_same_image() {
        for fortran in [false, true] {
            let array = |shape: &[usize], value: &dyn Fn(&[usize]) -> f32| {
                let shape = IxDyn(shape).set_f(fortran);
                Values::F32(ArrayD::from_shape_fn(shape, |i| value(ndarray::Dimension::slice(&i))))
            };
            for (values, channels) in [
                (array(&[3, 4, 5], &|i| at(i[0], i[1], i[2])), 3),
                (array(&[4, 5, 3], &|i| at(i[2], i[0], i[1])), 3),
                (array(&[1, 4, 5], &|i| at(i[0], i[1], i[2])), 1),
                (array(&[4, 5, 1], &|i| at(i[2], i[0], i[1])), 1),
                (array(&[4, 5], &|i| at(0, i[0], i[1])), 1),
            ] {
                let image = image_of(values).unwrap();
                assert_eq!(image, expected(channels));
                assert!(image.is_standard_layout());
            }
        }
    }

    #[test]
    fn channels_first_wins_where_both_would_do() {
        let values =
            Values::F32(ArrayD::from_shape_fn(IxDyn(&[3, 4, 3]), |i| at(i[0], i[1], i[2])));
        assert_eq!(image_of(values).unwrap().dim(), (3, 4, 3));
    }

    #[test]
    fn bytes_are_scaled_and_floats_are_not() {
        let bytes = ArrayD::from_shape_vec(IxDyn(&[1, 3]), vec![0_u8, 51, 255]).unwrap();
        let image = image_of(Values::U8(bytes.clone())).unwrap();
        assert_eq!(image.index_axis(Axis(0), 2).as_slice().unwrap(), [0.0, 0.2, 1.0]);
        let floats = [0.0_f32, 51.0, 255.0];
        for values in [
            Values::F16(bytes.mapv(|v| f16::from_f32(f32::from(v)))),
            Values::F32(bytes.mapv(f32::from)),
            Values::F64(bytes.mapv(f64::from)),
        ] {
            let image = image_of(values).unwrap();
            assert_eq!(image.index_axis(Axis(0), 2).as_slice().unwrap(), floats);
        }
    }

    #[test]
    fn shapes_that_are_no_image_are_refused() {
        for shape in [
            &[][..],
            &[5],
            &[2, 4, 5],
            &[4, 3, 5],
            &[1, 3, 4, 5],
            &[3, 0, 5],
            &[0, 5],
            &[1, 1, 65_536],
        ] {
            let error = image_of(Values::F32(ArrayD::zeros(IxDyn(shape)))).unwrap_err();
            assert!(error.to_string().contains(&format!("its shape is {shape:?}")), "{error}");
        }
    }

    #[test]
    fn integers_other_than_bytes_are_refused() {
        for values in [
            Values::I32(ArrayD::zeros(IxDyn(&[3, 4, 5]))),
            Values::I64(ArrayD::zeros(IxDyn(&[3, 4, 5]))),
        ] {
            let dtype = values.dtype();
            let error = image_of(values).unwrap_err();
            assert!(matches!(error, Fault::Dtype(found) if found == dtype), "{error}");
        }
    }
}
