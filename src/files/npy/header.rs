//! The header of a `.npy` array, read strictly before the general parser sees it.
//!
//! The header is a Python literal. The general parser takes any literal: it recurses as deeply as
//! the literal is nested, and multiplies lengths before they are checked. Here only what
//! `numpy.save` writes for plain numbers passes, for which neither can go wrong.

/// Length in bytes of the magic, the version, and the header's length in its longer form.
pub(crate) const PREAMBLE: usize = 12;

/// The longest header read: the most that format 1.0 can have, far more than plain numbers need.
const MAX_LENGTH: usize = 1 << 16;

/// What the header says of the values that follow it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Bytes per element.
    pub element_size: usize,
}

/// Where the values begin, by the first [`PREAMBLE`] bytes.
pub(crate) fn length(preamble: &[u8]) -> Result<usize, String> {
    let (text, length) = text_range(preamble)
        .ok_or_else(|| String::from("not a .npy file: it does not begin as one"))?;
    let end = text.saturating_add(length);
    if end > MAX_LENGTH {
        return Err(format!("its .npy header claims {end} bytes; at most {MAX_LENGTH} are read"));
    }
    Ok(end)
}

/// Where the header's text begins, and how long it is.
fn text_range(preamble: &[u8]) -> Option<(usize, usize)> {
    let [version, _, a, b, c, d] = *preamble.strip_prefix(b"\x93NUMPY")?.first_chunk()?;
    Some(match version {
        1 => (10, usize::from(u16::from_le_bytes([a, b]))),
        _ => (12, u32::from_le_bytes([a, b, c, d]) as usize),
    })
}

impl Header {
    /// Reads the header, at the beginning of `bytes`; where the values begin, [`length`] tells.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = text_range(bytes)
            .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?))
            .ok_or_else(|| String::from("cut short in its .npy header"))?;
        let fields = std::str::from_utf8(text).ok().and_then(Fields::parse).ok_or_else(|| {
            String::from("its .npy header is not one of plain numbers; save it with numpy.save")
        })?;
        // The parser multiplies from either end: not even a zero may hide an overflow.
        let nonzero = fields.shape.iter().filter(|&&length| length > 0);
        nonzero
            .copied()
            .try_fold(8_usize, usize::checked_mul)
            .ok_or_else(|| format!("its shape {:?} has more values than any file", fields.shape))?;
        let element_size = element_size(fields.descr).ok_or_else(|| {
            format!(
                "its dtype is {}; expected float16, float32, float64, uint8, int32 or int64 \
                 (convert it with numpy's astype)",
                fields.descr.escape_debug()
            )
        })?;
        Ok(Self { shape: fields.shape, element_size })
    }
}

/// The size of a number such as `<f4`; of no other kind.
fn element_size(descr: &str) -> Option<usize> {
    let kind = descr.trim_start_matches(['<', '>', '|', '=']);
    let size = kind.strip_prefix(['f', 'i', 'u'])?;
    matches!(size, "1" | "2" | "4" | "8").then(|| size.parse().ok())?
}

/// The header's literal, `{'descr': '<f4', 'fortran_order': False, 'shape': (8, 3), }`.
struct Fields<'a> {
    descr: &'a str,
    shape: Vec<usize>,
}

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = enclosed(rest, '\'', '\'')?;
            let after = after.trim_start().strip_prefix(':')?.trim_start();
            let (field, (value, after)) = match key {
                "descr" => (&mut descr, enclosed(after, '\'', '\'')?),
                "shape" => (&mut shape, enclosed(after, '(', ')')?),
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
        matches!(order?.trim(), "True" | "False").then_some(())?;
        let lengths = shape?.trim().trim_end_matches(',');
        let shape = if lengths.is_empty() {
            Vec::new()
        } else {
            lengths.split(',').map(|length| length.trim().parse().ok()).collect::<Option<_>>()?
        };
        Some(Self { descr: descr?, shape })
    }
}

/// What stands between `open`, with which the text begins, and the next `close`; and the rest.
fn enclosed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    text.strip_prefix(open)?.split_once(close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(text: &str) -> Result<Header, String> {
        let length = (text.len() as u16).to_le_bytes();
        Header::parse(&[b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat())
    }

    #[test]
    fn what_numpy_writes_is_read() {
        for (shape, expected) in [("()", vec![]), ("(3,)", vec![3]), ("(8, 3, 5)", vec![8, 3, 5])] {
            let text =
                format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}   \n");
            let header = header_of(&text).unwrap();
            assert_eq!(header, Header { shape: expected, element_size: 4 });
        }
        let other_order = "{'shape':(2, 0),'fortran_order':True,'descr':'>f8'}";
        let expected = Header { shape: vec![2, 0], element_size: 8 };
        assert_eq!(header_of(other_order).unwrap(), expected);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'shape': (4,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': ()}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': ((3,),)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
        ] {
            assert!(header_of(text).is_err(), "{text}");
        }
        assert!(header_of(&"(".repeat(60_000)).is_err());
    }
}
