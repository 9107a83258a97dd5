//! Arrays of every supported element type.

use half::f16;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use super::header::Header;
use crate::error::ParseError;
use crate::files::Digest;

/// Defines [`Dtype`] and [`Values`]: variant, element type, NumPy's name and code of each.
macro_rules! element_types {
    ($($variant:ident, $element:ty, $name:literal, $code:literal;)*) => {
        /// A supported element type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Dtype {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Dtype {
            /// All element types.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// NumPy's name, such as `float32`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// NumPy's code without the byte order, such as `f4`.
            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Bytes an element.
            pub const fn size(self) -> usize {
                match self { $(Self::$variant => size_of::<$element>(),)* }
            }
        }

        /// An array of any supported element type, in C or Fortran order.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Values {
            $(#[doc = concat!("`", $name, "`")] $variant(ArrayD<$element>),)*
        }

        impl Values {
            /// The array's shape.
            pub fn shape(&self) -> &[usize] {
                match self { $(Self::$variant(array) => array.shape(),)* }
            }

            /// The element type.
            pub fn kind(&self) -> Dtype {
                match self { $(Self::$variant(_) => Dtype::$variant,)* }
            }

            /// The SHA-256 of the elements in C order, as the bytes of a little-endian file.
            pub fn digest(&self) -> Digest {
                match self {
                    $(Self::$variant(array) => match array.as_slice() {
                        Some(elements) if cfg!(target_endian = "little") => {
                            Digest::of(bytemuck::cast_slice(elements))
                        }
                        _ => Digest::of_elements(array.iter().map(|value| value.to_le_bytes())),
                    })*
                }
            }

            /// Decodes the values after a header; there must be as many bytes as the header claims.
            pub(super) fn decode(header: &Header, bytes: &[u8]) -> Result<Self, ParseError> {
                match header.dtype {
                    $(Dtype::$variant => {
                        let (chunks, _) = bytes.as_chunks();
                        let decode = if header.big_endian {
                            <$element>::from_be_bytes
                        } else {
                            <$element>::from_le_bytes
                        };
                        let values = chunks.iter().map(|chunk| decode(*chunk)).collect();
                        let shape = IxDyn(&header.shape).set_f(header.fortran);
                        ArrayD::from_shape_vec(shape, values).map(Self::$variant)
                    })*
                }
                .map_err(|error| ParseError(format!("cannot be decoded: {error}")))
            }
        }
    };
}

element_types! {
    F16, f16, "float16", "f2";
    F32, f32, "float32", "f4";
    F64, f64, "float64", "f8";
    U8, u8, "uint8", "u1";
    U16, u16, "uint16", "u2";
    U32, u32, "uint32", "u4";
    U64, u64, "uint64", "u8";
    I8, i8, "int8", "i1";
    I16, i16, "int16", "i2";
    I32, i32, "int32", "i4";
    I64, i64, "int64", "i8";
}

impl Values {
    /// NumPy's name of the element type.
    pub fn dtype(&self) -> &'static str {
        self.kind().name()
    }

    /// The elements as `f32`, rounded from `f64`; `None` for integers.
    pub fn into_f32(self) -> Option<ArrayD<f32>> {
        match self {
            Self::F16(array) => Some(array.mapv(f16::to_f32)),
            Self::F32(array) => Some(array),
            Self::F64(array) => Some(array.mapv(|value| value as f32)),
            _ => None,
        }
    }

    /// The elements as `f64`, in C order; integers beyond 2⁵³ are rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F16(array) => array.iter().map(|value| value.to_f64()).collect(),
            Self::F32(array) => array.iter().map(|&value| value.into()).collect(),
            Self::F64(array) => array.iter().copied().collect(),
            Self::U8(array) => array.iter().map(|&value| value.into()).collect(),
            Self::U16(array) => array.iter().map(|&value| value.into()).collect(),
            Self::U32(array) => array.iter().map(|&value| value.into()).collect(),
            Self::U64(array) => array.iter().map(|&value| value as f64).collect(),
            Self::I8(array) => array.iter().map(|&value| value.into()).collect(),
            Self::I16(array) => array.iter().map(|&value| value.into()).collect(),
            Self::I32(array) => array.iter().map(|&value| value.into()).collect(),
            Self::I64(array) => array.iter().map(|&value| value as f64).collect(),
        }
    }

    /// The elements as `i64`; `None` unless they are integers. A `uint64` above the largest `i64`
    /// becomes the largest `i64`.
    pub fn into_i64(self) -> Option<ArrayD<i64>> {
        match self {
            Self::U8(array) => Some(array.mapv(i64::from)),
            Self::U16(array) => Some(array.mapv(i64::from)),
            Self::U32(array) => Some(array.mapv(i64::from)),
            Self::U64(array) => Some(array.mapv(|value| value.try_into().unwrap_or(i64::MAX))),
            Self::I8(array) => Some(array.mapv(i64::from)),
            Self::I16(array) => Some(array.mapv(i64::from)),
            Self::I32(array) => Some(array.mapv(i64::from)),
            Self::I64(array) => Some(array),
            Self::F16(_) | Self::F32(_) | Self::F64(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_of_every_type_are_decoded() {
        for dtype in Dtype::ALL {
            let header = |big_endian| Header { shape: vec![2], dtype, big_endian, fortran: false };
            let mut little = vec![0; 2 * dtype.size()];
            // 1 and 2, whatever the type.
            let [one, two]: [Vec<u8>; 2] = match dtype {
                Dtype::F16 => [1.0, 2.0].map(|v| f16::from_f32(v).to_le_bytes().to_vec()),
                Dtype::F32 => [1.0_f32, 2.0].map(|v| v.to_le_bytes().to_vec()),
                Dtype::F64 => [1.0_f64, 2.0].map(|v| v.to_le_bytes().to_vec()),
                _ => [1_u64, 2].map(|v| v.to_le_bytes()[..dtype.size()].to_vec()),
            };
            little[..dtype.size()].copy_from_slice(&one);
            little[dtype.size()..].copy_from_slice(&two);
            let big: Vec<u8> = little
                .chunks(dtype.size())
                .flat_map(|element| element.iter().rev().copied())
                .collect();
            let read = Values::decode(&header(false), &little).unwrap();
            assert_eq!(Values::decode(&header(true), &big).unwrap(), read);
            assert_eq!((read.dtype(), read.shape()), (dtype.name(), &[2][..]));
            assert_eq!(read.to_f64(), [1.0, 2.0]);
            match (read.clone().into_f32(), read.into_i64()) {
                (Some(floats), None) => assert_eq!(floats.as_slice(), Some(&[1.0, 2.0][..])),
                (None, Some(integers)) => assert_eq!(integers.as_slice(), Some(&[1, 2][..])),
                other => panic!("{other:?}"),
            }
        }
    }
}
