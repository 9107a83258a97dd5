//! Completeness of JPEG files.
//!
//! The decoder fills a missing end with grey and reports success, which would present an image that
//! nobody took. The end marker is therefore looked for first.

const END_OF_IMAGE: u8 = 0xD9;

/// Whether the end marker follows the last scan. Bytes after the end marker are allowed; an end
/// marker inside a segment, such as a thumbnail's, does not count.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((marker, after)) = next_marker(rest) {
        rest = match marker {
            END_OF_IMAGE => return true,
            // Start of image, restarts and TEM have no content.
            0x01 | 0xD0..=0xD8 => after,
            // A segment, with a length that includes its own two bytes. The compressed data behind
            // a scan's header need no length: their only markers are restarts.
            _ => match *after {
                [high, low, ..] => {
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    after.get(length..).unwrap_or_default()
                }
                _ => return false,
            },
        };
    }
    false
}

/// The code of the next marker, and the bytes after it. A 0xFF before 0x00 is data, before 0xFF
/// padding.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let at =
        bytes.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, an application segment of 4 + 2 bytes, a scan with stuffing and a restart, the end.
    fn example(application: [u8; 4]) -> Vec<u8> {
        let [a, b, c, d] = application;
        [
            &[0xFF, 0xD8, 0xFF, 0xE1, 0, 6, a, b, c, d][..],
            &[0xFF, 0xDA, 0, 3, 1, 7, 0xFF, 0x00, 9, 0xFF, 0xD0, 8, 0xFF, 0xFF, 0xD9],
        ]
        .concat()
    }

    #[test]
    fn only_the_last_bytes_make_it_whole() {
        let bytes = example([1, 2, 3, 4]);
        assert!(is_whole(&bytes));
        assert!(is_whole(&[&bytes[..], b"trailer"].concat()));
        for length in 0..bytes.len() {
            assert!(!is_whole(&bytes[..length]), "{length}");
        }
    }

    #[test]
    fn a_thumbnails_end_is_not_the_end() {
        let bytes = example([0xFF, 0xD8, 0xFF, 0xD9]);
        assert!(!is_whole(&bytes[..12]));
        assert!(is_whole(&bytes));
    }
}
