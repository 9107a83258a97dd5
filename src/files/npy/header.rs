//! The header of a `.npy` array: a Python literal, read strictly.
//!
//! Accepts exactly the headers that NumPy writes for arrays of numbers, including NumPy on Python
//! 2. There is no nesting to recurse into, and products of lengths cannot overflow.

use super::Dtype;
use crate::error::ParseError;

/// Length in bytes of the magic, the version, and the header's length in its longer form.
pub(crate) const PREAMBLE: usize = 12;

/// Limit of the header's length, in bytes: the most of format 1.0, far above the need of arrays of
/// numbers.
pub(crate) const MAX_LENGTH: usize = 1 << 16;

/// The most axes of a NumPy array.
const MAX_AXES: usize = 64;

/// Shape and type of the values after the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Kind of the elements.
    pub dtype: Dtype,
    /// Whether the elements are big-endian.
    pub big_endian: bool,
    /// Whether the first axis runs fastest, and not the last.
    pub fortran: bool,
}

/// Offset of the values in bytes, from the first [`PREAMBLE`] bytes.
pub(crate) fn length(preamble: &[u8]) -> Result<usize, ParseError> {
    let (text, length) = text_range(preamble)
        .ok_or_else(|| String::from("not a .npy file: it does not begin as one"))?;
    let end = text.saturating_add(length);
    if end > MAX_LENGTH {
        return Err(ParseError(format!(
            "its .npy header claims {end} bytes; at most {MAX_LENGTH} are read"
        )));
    }
    Ok(end)
}

/// Start and length of the header's text.
fn text_range(preamble: &[u8]) -> Option<(usize, usize)> {
    let [version, _, a, b, c, d] = *preamble.strip_prefix(b"\x93NUMPY")?.first_chunk()?;
    Some(match version {
        1 => (10, usize::from(u16::from_le_bytes([a, b]))),
        _ => (12, u32::from_le_bytes([a, b, c, d]) as usize),
    })
}

impl Header {
    /// Parses the header at the beginning of `bytes`; [`length`] gives the offset of the values.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let text = text_range(bytes)
            .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?))
            .ok_or_else(|| String::from("cut short in its .npy header"))?;
        let Fields { descr, fortran, shape } =
            std::str::from_utf8(text).ok().and_then(Fields::parse).ok_or_else(|| {
                String::from("its .npy header is not one of plain numbers; save it with numpy.save")
            })?;
        // A zero must not hide an overflow.
        let nonzero = shape.iter().copied().filter(|&length| length > 0);
        if nonzero.clone().try_fold(8_usize, usize::checked_mul).is_none() {
            return Err(ParseError(format!("its shape {shape:?} has more values than any file")));
        }
        let (big_endian, kind) = match descr.split_at_checked(1) {
            Some((">", kind)) => (true, kind),
            Some(("<" | "|" | "=", kind)) => (false, kind),
            _ => (false, descr),
        };
        let dtype = Dtype::ALL.into_iter().find(|dtype| dtype.code() == kind).ok_or_else(|| {
            let names = Dtype::ALL.map(Dtype::name).join(", ");
            format!(
                "its dtype is {descr}; expected one of {names} (convert it with numpy's astype)"
            )
        })?;
        Ok(Self { shape, dtype, big_endian, fortran })
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Length of the values in bytes.
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.size()
    }
}

/// The header's literal, `{'descr': '<f4', 'fortran_order': False, 'shape': (8, 3), }`.
struct Fields<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Vec<usize>,
}

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let after = after.trim_start().strip_prefix(':')?.trim_start();
            let (field, (value, after)) = match key {
                "descr" => (&mut descr, quoted(after)?),
                "shape" => (&mut shape, after.strip_prefix('(')?.split_once(')')?),
                "fortran_order" => {
                    (&mut order, after.split_at(after.find(',').unwrap_or(after.len())))
                }
                _ => return None,
            };
            if field.replace(value).is_some() {
                return None;
            }
            let after = after.trim_start();
            rest = if after.is_empty() { after } else { after.strip_prefix(',')?.trim_start() };
        }
        let fortran = match order?.trim() {
            "True" => true,
            "False" => false,
            _ => return None,
        };
        Some(Self { descr: descr?, fortran, shape: lengths(shape?)? })
    }
}

/// The lengths of a tuple, as they stand between its parentheses.
fn lengths(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    let text = text.strip_suffix(',').unwrap_or(text);
    // Python 2 writes long integers with an `L`.
    let length = |text: &str| {
        let text = text.trim();
        let digits = text.strip_suffix('L').unwrap_or(text);
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let lengths: Vec<usize> = text.split(',').map(length).collect::<Option<_>>()?;
    (lengths.len() <= MAX_AXES).then_some(lengths)
}

/// A string literal at the beginning of the text, and the rest. Python 2 may prefix `u`, Python 3
/// `b`.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(['u', 'b']).unwrap_or(text);
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(text: &str) -> Result<Header, ParseError> {
        let length = (text.len() as u16).to_le_bytes();
        Header::parse(&[b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat())
    }

    fn plain(shape: &[usize], dtype: Dtype) -> Header {
        Header { shape: shape.to_vec(), dtype, big_endian: false, fortran: false }
    }

    #[test]
    fn what_numpy_writes_is_read() {
        for (shape, expected) in
            [("()", &[][..]), ("(3,)", &[3]), ("(8, 3, 5)", &[8, 3, 5]), ("(1, 0)", &[1, 0])]
        {
            let text =
                format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}   \n");
            assert_eq!(header_of(&text).unwrap(), plain(expected, Dtype::F32));
        }
        let other_order = "{'shape':(2, 0),'fortran_order':True,'descr':'>f8'}";
        let expected = Header { big_endian: true, fortran: true, ..plain(&[2, 0], Dtype::F64) };
        assert_eq!(header_of(other_order).unwrap(), expected);
    }

    #[test]
    fn what_numpy_writes_under_python_2_is_read() {
        for text in [
            "{'descr': '<i8', 'fortran_order': False, 'shape': (3L, 24L, 24L), }",
            "{'descr': u'<i8', 'fortran_order': False, 'shape': (3, 24L, 24), }",
            "{u'descr': b'<i8', u'fortran_order': False, u'shape': (3L,24L,24L)}",
            "{\"descr\": \"<i8\", \"fortran_order\": False, \"shape\": (3, 24, 24)}",
        ] {
            assert_eq!(header_of(text), Ok(plain(&[3, 24, 24], Dtype::I64)), "{text}");
        }
    }

    #[test]
    fn every_number_type_has_its_code() {
        for dtype in Dtype::ALL {
            for order in ["<", ">", "|", "=", ""] {
                let code = dtype.code();
                let text = format!(
                    "{{'descr': '{order}{code}', 'fortran_order': False, 'shape': (2,), }}"
                );
                let header = header_of(&text).unwrap();
                assert_eq!((header.dtype, header.big_endian), (dtype, order == ">"));
            }
        }
        let text = "{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }";
        let expected = "its dtype is <c8; expected one of float16, float32, float64, uint8, uint16, \
                        uint32, uint64, int8, int16, int32, int64 (convert it with numpy's astype)";
        assert_eq!(header_of(text).unwrap_err().0, expected);
    }

    #[test]
    fn anything_else_is_refused() {
        let many = format!("({})", "1, ".repeat(65));
        let many = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {many}}}");
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'shape': (4,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': ()}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': ((3,),)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (+3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (L,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3LL,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<é4', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
            &many,
        ] {
            assert!(header_of(text).is_err(), "{text}");
        }
        assert!(header_of(&"(".repeat(60_000)).is_err());
    }
}
