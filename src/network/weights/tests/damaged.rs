//! The tiny net's files, cut short or with bytes changed: whatever is read then, nothing panics
//! or takes much memory.

use super::*;

/// Far below what a claimed length would take, well above what files of 12 kB need.
const MAX_ALLOCATION: usize = 4 << 20;

/// Reads the file as `change` leaves it, for every offset in it that is a multiple of `step`.
/// Returns how many of the files were refused, and of how many.
fn mutate(path: &str, step: usize, change: impl Fn(&mut Vec<u8>, usize)) -> (usize, usize) {
    let original = std::fs::read(path).unwrap();
    let names = tiny_names();
    let requested: Vec<_> = names.iter().map(String::as_str).collect();
    let (mut refused, mut tried) = (0, 0);
    for offset in (0..original.len()).step_by(step) {
        let mut bytes = original.clone();
        change(&mut bytes, offset);
        let (read, largest) = allocation::largest(|| read_bytes(&bytes, &requested));
        assert!(largest < MAX_ALLOCATION, "{path}, byte {offset}: {largest} bytes at once");
        refused += usize::from(read.is_err());
        tried += 1;
    }
    (refused, tried)
}

#[test]
fn every_file_cut_short_is_refused() {
    for path in TINY {
        let (refused, tried) = mutate(path, 7, Vec::truncate);
        assert_eq!(refused, tried, "{path}");
    }
}

#[test]
fn a_changed_bit_does_no_harm() {
    for path in TINY {
        let (refused, tried) = mutate(path, 3, |bytes, offset| bytes[offset] ^= 1 << (offset % 8));
        assert!(refused > 0 && tried > 3000, "{path}: {refused} of {tried}");
    }
}

#[test]
fn a_byte_set_to_the_largest_does_no_harm() {
    for path in TINY {
        let (refused, tried) = mutate(path, 5, |bytes, offset| bytes[offset] = 0xff);
        assert!(refused > 0 && tried > 1800, "{path}: {refused} of {tried}");
    }
}

#[test]
fn several_bytes_changed_at_once_do_no_harm() {
    for path in TINY {
        let (refused, _) = mutate(path, 11, |bytes, offset| {
            // A multiplicative congruential generator: the same offsets in every run.
            let mut state = offset as u64 + 1;
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 24) as u8;
            }
        });
        assert!(refused > 0, "{path}");
    }
}

/// The entries of a zip archive.
fn entries(path: &str) -> Vec<(String, Vec<u8>)> {
    let zip = zipped::Zipped::open(std::fs::File::open(path).unwrap()).unwrap();
    let names = zip.names().to_vec();
    names
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name, zip.whole(at, 1 << 20).unwrap()))
        .collect()
}

#[test]
fn changes_that_the_checksums_agree_with_do_no_harm() {
    // All of the pickle; the headers of the arrays.
    for (path, ending) in [(TINY[2], "data.pkl"), (TINY[0], "0.weight.npy")] {
        let original = entries(path);
        let changed = original.iter().position(|(name, _)| name.ends_with(ending)).unwrap();
        let length = original[changed].1.len().min(741);
        let names = tiny_names();
        let requested: Vec<_> = names.iter().map(String::as_str).collect();
        let mut refused = 0;
        for (offset, value) in
            (0..length).flat_map(|at| [0, 1, b'.', b'(', 0x80, 0xff].map(|v| (at, v)))
        {
            let mut entries = original.clone();
            entries[changed].1[offset] = value;
            let entries: Vec<_> = entries.iter().map(|(n, c)| (n.as_str(), c.as_slice())).collect();
            let file = zip_of(&entries, stored());
            let (read, largest) = allocation::largest(|| read_bytes(&file, &requested));
            assert!(largest < MAX_ALLOCATION, "{path}, byte {offset} = {value}: {largest}");
            refused += usize::from(read.is_err());
        }
        assert!(refused > 200, "{path}: {refused}");
    }
}
