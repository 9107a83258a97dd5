//! The format of a file, by its first bytes.

use std::io::{self, Read, Seek, SeekFrom};

/// The formats that are distinguished.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    Safetensors,
    /// `.npz` or `.pth`.
    Zip,
    /// Recognised, to be refused with advice.
    LegacyTorch {
        kind: &'static str,
        advice: &'static str,
    },
    Unknown,
}

/// Where a tar archive says that it is one, and how.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// Looks at the first bytes, and leaves the file at its start.
pub(super) fn of(file: &mut (impl Read + Seek)) -> io::Result<Format> {
    let mut start = Vec::new();
    let length = TAR_MAGIC.0 + TAR_MAGIC.1.len();
    file.by_ref().take(length as u64).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(of_start(&start))
}

fn of_start(start: &[u8]) -> Format {
    // A safetensors header is JSON, after its length in eight bytes. No header takes 2^48 bytes,
    // so two of them are zero, which sets it apart from a pickle.
    if start.get(6..9) == Some(b"\0\0{") {
        return Format::Safetensors;
    }
    // The second is how a zip archive without entries begins.
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Format::Zip;
    }
    if matches!(start, [0x80, 2..=5, ..]) {
        return Format::LegacyTorch {
            kind: "a pickle outside a zip archive (torch.save before PyTorch 1.6 wrote these)",
            advice: "save it again with a current PyTorch: python -c \"import torch; \
                     torch.save(torch.load('old.pth', map_location='cpu'), 'new.pth')\", \
                     or as .safetensors",
        };
    }
    if start.get(TAR_MAGIC.0..) == Some(TAR_MAGIC.1) {
        return Format::LegacyTorch {
            kind: "a tar archive (torch.save before PyTorch 0.1.10 wrote these)",
            advice: "if you trust it, save it again with a current PyTorch: python -c \"import \
                     torch; torch.save(torch.load('old.pth', map_location='cpu', \
                     weights_only=False), 'new.pth')\", or as .safetensors",
        };
    }
    Format::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safetensors_header_whose_length_looks_like_a_pickle_is_still_one() {
        // 640 bytes: 0x80 0x02.
        assert_eq!(of_start(b"\x80\x02\0\0\0\0\0\0{\"a\""), Format::Safetensors);
    }

    #[test]
    fn formats_that_are_not_read_are_told_apart() {
        // The magic number with which PyTorch's first pickle begins.
        let pickle = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
        assert!(matches!(of_start(pickle), Format::LegacyTorch { .. }));
        let mut tar = [0; 262];
        tar[257..].copy_from_slice(b"ustar");
        assert!(matches!(of_start(&tar), Format::LegacyTorch { .. }));
        for start in [&b""[..], b"P", b"\x93NUMPY\x01\x00", b"{\"a\": 1}", b"<html>"] {
            assert_eq!(of_start(start), Format::Unknown);
        }
    }
}
