//! Images from the arrays of `.npy` files.

use half::f16;
use ndarray::{Array3, ArrayD, Axis, Ix3};

use super::Fault;
use crate::files::npy::Values;
use crate::geometry::ImageSize;
use crate::network::RGB;

/// Limit of an array's pixels: above it, 3 channels of `f32` take more than 800 MB.
pub(super) const MOST_PIXELS: usize = 1 << 26;

/// An image from an array.
#[derive(Debug)]
pub(super) struct FromArray {
    /// `[channels, height, width]` in C order.
    pub image: Array3<f32>,
    /// Whether the values were integers and are now from 0 to 1.
    pub scaled: bool,
}

/// The array as an image: `uint8` values as `v / 255`, `uint16` as `v / 65535`, other integers
/// (from 0 to 255) as `v / 255`, floats unchanged.
///
/// A 3-D array is `[channels, height, width]` if its first axis has the network's channels, else
/// `[height, width, channels]` if its last axis has them. A 2-D array is `[height, width]`. One
/// channel becomes three equal ones for a network on red, green and blue.
pub(super) fn image_of(values: Values, channels: usize) -> Result<FromArray, Fault> {
    check_shape(values.shape(), channels)?;
    let shape = values.shape().to_vec();
    let (values, scaled) = floats(values)?;
    let image = channels_first(values, channels).ok_or(Fault::Shape { shape, channels })?;
    Ok(FromArray { image: all_channels(image, channels), scaled })
}

/// Checks that an array of this shape is an image, before it is read or converted.
pub(super) fn check_shape(shape: &[usize], channels: usize) -> Result<(), Fault> {
    let unfit = || Fault::Shape { shape: shape.to_vec(), channels };
    let (height, width) = match *shape {
        [height, width] if is_image(1, channels) => (height, width),
        [first, height, width] if is_image(first, channels) => (height, width),
        [height, width, last] if is_image(last, channels) => (height, width),
        _ => return Err(unfit()),
    };
    let sides = 1..=ImageSize::MAX_SIDE;
    if !sides.contains(&height) || !sides.contains(&width) {
        return Err(unfit());
    }
    // As many values as the largest RGB image.
    if (height * width).saturating_mul(channels.div_ceil(RGB)) > MOST_PIXELS {
        return Err(Fault::Pixels(shape.to_vec()));
    }
    Ok(())
}

/// Whether an array with `found` channels suits a network with `channels`: one channel also serves
/// as red, green and blue.
const fn is_image(found: usize, channels: usize) -> bool {
    found == channels || found == 1 && channels == RGB
}

/// The values as floats, and whether they were integers.
fn floats(values: Values) -> Result<(ArrayD<f32>, bool), Fault> {
    let dtype = values.dtype();
    let integers = match values {
        Values::U8(bytes) => return Ok((bytes.mapv(|v| f32::from(v) / 255.0), true)),
        Values::U16(words) => {
            let highest = words.iter().copied().max().unwrap_or(0);
            if (1..=255).contains(&highest) {
                return Err(Fault::Depth(highest.into()));
            }
            return Ok((words.mapv(|v| f32::from(v) / 65535.0), true));
        }
        Values::F16(array) => return Ok((array.mapv(f16::to_f32), false)),
        Values::F32(array) => return Ok((array, false)),
        Values::F64(array) => return Ok((array.mapv(|v| v as f32), false)),
        // All other types are integers.
        other => other.into_i64().unwrap_or_default(),
    };
    let lowest = integers.iter().copied().min().unwrap_or(0);
    let highest = integers.iter().copied().max().unwrap_or(0);
    if lowest < 0 || highest > 255 {
        return Err(Fault::Integers { dtype, lowest, highest });
    }
    Ok((integers.mapv(|v| v as f32 / 255.0), true))
}

/// The array with its axes in the order `[channels, height, width]`, of any memory layout.
fn channels_first(array: ArrayD<f32>, channels: usize) -> Option<Array3<f32>> {
    let array = match *array.shape() {
        [_, _] => array.insert_axis(Axis(0)),
        [first, _, _] if is_image(first, channels) => array,
        [_, _, last] if is_image(last, channels) => array.permuted_axes(vec![2, 0, 1]),
        _ => return None,
    };
    array.into_dimensionality::<Ix3>().ok()
}

fn all_channels(image: Array3<f32>, channels: usize) -> Array3<f32> {
    let (found, height, width) = image.dim();
    if found == channels && image.is_standard_layout() {
        return image;
    }
    Array3::from_shape_fn((channels, height, width), |(channel, y, x)| {
        image[[channel.min(found - 1), y, x]]
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{IxDyn, ShapeBuilder};

    use super::*;

    /// A value that encodes its position.
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
                let image = image_of(values, 3).unwrap().image;
                assert_eq!(image, expected(channels));
                assert!(image.is_standard_layout());
            }
        }
    }

    #[test]
    fn channels_first_wins_where_both_would_do() {
        let values =
            Values::F32(ArrayD::from_shape_fn(IxDyn(&[3, 4, 3]), |i| at(i[0], i[1], i[2])));
        assert_eq!(image_of(values, 3).unwrap().image.dim(), (3, 4, 3));
    }

    #[test]
    fn integers_are_scaled_and_floats_are_not() {
        let bytes = ArrayD::from_shape_vec(IxDyn(&[1, 3]), vec![0_u8, 51, 255]).unwrap();
        for (values, expected, scaled) in [
            (Values::U8(bytes.clone()), [0.0, 0.2, 1.0], true),
            (Values::I8(bytes.mapv(|v| (v / 2) as i8)), [0.0, 25.0 / 255.0, 127.0 / 255.0], true),
            (Values::U16(bytes.mapv(|v| u16::from(v) * 257)), [0.0, 0.2, 1.0], true),
            (Values::I16(bytes.mapv(i16::from)), [0.0, 0.2, 1.0], true),
            (Values::U32(bytes.mapv(u32::from)), [0.0, 0.2, 1.0], true),
            (Values::I32(bytes.mapv(i32::from)), [0.0, 0.2, 1.0], true),
            (Values::U64(bytes.mapv(u64::from)), [0.0, 0.2, 1.0], true),
            (Values::I64(bytes.mapv(i64::from)), [0.0, 0.2, 1.0], true),
            (Values::F16(bytes.mapv(|v| f16::from_f32(f32::from(v)))), [0.0, 51.0, 255.0], false),
            (Values::F32(bytes.mapv(f32::from)), [0.0, 51.0, 255.0], false),
            (Values::F64(bytes.mapv(f64::from)), [0.0, 51.0, 255.0], false),
        ] {
            let found = image_of(values, 3).unwrap();
            assert_eq!(found.image.index_axis(Axis(0), 2).as_slice().unwrap(), expected);
            assert_eq!(found.scaled, scaled);
        }
    }

    #[test]
    fn integers_that_are_no_pixels_are_refused() {
        let error = |values| image_of(values, 3).unwrap_err().to_string();
        let array =
            |values: [i64; 2]| ArrayD::from_shape_vec(IxDyn(&[1, 2]), values.into()).unwrap();
        let words = array([0, 255]).mapv(|v| v as u16);
        assert!(
            error(Values::U16(words)).contains("its highest is 255; if they count from 0 to 255")
        );
        assert!(image_of(Values::U16(ArrayD::zeros(IxDyn(&[3, 24, 24]))), 3).is_ok());
        let message = error(Values::I64(array([-1, 256])));
        assert!(
            message.contains("int64 and its values range from -1 to 256; expected 0 to"),
            "{message}"
        );
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
            let error = image_of(Values::F32(ArrayD::zeros(IxDyn(shape))), 3).unwrap_err();
            assert!(error.to_string().contains(&format!("its shape is {shape:?}")), "{error}");
        }
        let error = check_shape(&[3, 9000, 9000], 3).unwrap_err().to_string();
        assert!(error.contains("more than the"), "{error}");
    }
}
