//! Containers that are accepted and refused.

use super::*;

/// A `.npy` file of three numbers.
fn npy(descr: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (3,), }}\n");
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    array.extend(bytes);
    array
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn simple_pickle() -> Vec<u8> {
    dict_of("w", &tensor("FloatStorage", 3, 0, &[3], &[1]))
}

#[test]
fn compressed_entries_are_read() {
    let floats: Vec<u8> = [1.0_f32, -2.0, 3.5].iter().flat_map(|v| v.to_le_bytes()).collect();
    let npz = zip_of(&[("w.npy", &npy("<f4", &floats))], deflated());
    let pth = zip_of(&[("data.pkl", &simple_pickle()), ("data/0", &floats)], deflated());
    for file in [npz, pth] {
        assert_eq!(read_bytes(&file, &["w"]).unwrap().found["w"].data, [1.0, -2.0, 3.5]);
    }
}

#[test]
fn npz_arrays_of_halves_doubles_and_the_other_byte_order_are_read() {
    let doubles: Vec<u8> = [0.1_f64, 1.0, 2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
    let halves: Vec<u8> = [0x2e66_u16, 0x3c00, 0x4000].map(u16::to_le_bytes).concat();
    let file =
        zip_of(&[("d.npy", &npy(">f8", &doubles)), ("h.npy", &npy("<f2", &halves))], stored());
    let found = read_bytes(&file, &["d", "h"]).unwrap().found;
    assert_eq!(found["d"].data, [0.1, 1.0, 2.0]);
    assert_eq!(found["h"].data, [0.099_975_586, 1.0, 2.0]);
}

#[test]
fn integers_are_refused_only_when_wanted() {
    let numbers = [[1_u8, 0, 0, 0, 0, 0, 0, 0]; 3].concat();
    let header = r#"{"n":{"dtype":"I64","shape":[3],"data_offsets":[0,24]}}"#;
    let pickle = dict_of("n", &tensor("LongStorage", 3, 0, &[3], &[1]));
    for file in [
        zip_of(&[("n.npy", &npy("<i8", &numbers))], stored()),
        safetensors(header, &numbers),
        zip_of(&[("a/data.pkl", &pickle), ("a/data/0", &numbers)], stored()),
    ] {
        assert_eq!(read_bytes(&file, &["w"]).unwrap().ignored, ["n"]);
        let message = refusal(&file, &["n"]);
        assert!(message.contains("tensor \"n\"") && message.contains("expected"), "{message}");
    }
}

#[test]
fn other_numpy_types_are_refused_by_name() {
    for descr in ["<c16", "<U10", "|O", "|b1", "<f1"] {
        let message = refusal(&zip_of(&[("w.npy", &npy(descr, &[0; 48]))], stored()), &["w"]);
        assert!(message.contains("tensor \"w\""), "{message}");
    }
}

#[test]
fn values_that_are_not_finite_are_refused_in_every_format() {
    let floats: Vec<u8> =
        [1.0, f32::NEG_INFINITY, f32::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
    let header = r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
    let doubles: Vec<u8> = [1.0_f64, 1e39, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for (file, value) in [
        (zip_of(&[("w.npy", &npy("<f4", &floats))], stored()), "-inf"),
        (zip_of(&[("w.npy", &npy("<f8", &doubles))], stored()), "1e39"),
        (safetensors(header, &floats), "-inf"),
        (zip_of(&[("a/data.pkl", &simple_pickle()), ("a/data/0", &floats)], stored()), "-inf"),
    ] {
        let message = refusal(&file, &["w"]);
        assert!(message.contains(&format!("\"w\": its element 1 is {value}")), "{message}");
    }
}

#[test]
fn a_big_endian_pth_is_refused() {
    let entries: [(&str, &[u8]); 2] = [("a/data.pkl", &simple_pickle()), ("a/byteorder", b"big")];
    assert!(refusal(&zip_of(&entries, stored()), &["w"]).contains("little-endian"));
}

#[test]
fn a_zip_archive_of_something_else_is_refused() {
    for (entries, why) in [
        (&[][..], "neither .npy arrays"),
        (&[("readme.txt", &b"a"[..])], "neither .npy arrays"),
        (&[("a/data.pkl", b"."), ("b/data.pkl", b".")], "more than one data.pkl"),
        (&[("a/data.pkl", b"."), ("a/constants.pkl", b".")], "TorchScript"),
    ] {
        let message = refusal(&zip_of(entries, stored()), &["w"]);
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_storage_that_is_not_there_is_named() {
    let file = zip_of(&[("net/data.pkl", &simple_pickle())], stored());
    assert!(refusal(&file, &["w"]).contains("zip entry \"net/data/0\" is not in the archive"));
}

#[test]
fn an_encrypted_entry_is_refused_with_advice() {
    let mut file = zip_of(&[("w.npy", &npy("<f4", &[0; 12]))], stored());
    // Bit 0 of the flags, in the entry's own header and in the directory's.
    for (magic, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let offset = file.windows(4).position(|w| w == magic).unwrap();
        file[offset + flags] |= 1;
    }
    let message = refusal(&file, &["w"]);
    assert!(message.contains("encrypted") && message.contains("w.npy"), "{message}");
}

#[test]
fn a_wrong_checksum_is_found() {
    let mut file = zip_of(&[("a/data.pkl", &simple_pickle()), ("a/data/0", &[0; 12])], stored());
    let offset = file.windows(12).position(|w| w == [0; 12]).unwrap();
    file[offset + 2] = 1;
    let message = refusal(&file, &["w"]);
    assert!(message.contains("a/data/0") && message.contains("checksum"), "{message}");
}

#[test]
fn a_safetensors_header_must_describe_the_file() {
    for (header, data) in [
        (r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}"#, 12),
        (r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}"#, 16),
        (r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[12,0]}}"#, 12),
        (r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0),
        (r#"{"w":{"dtype":"F31","shape":[3],"data_offsets":[0,12]}}"#, 12),
        (r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, 11),
        (r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, 13),
        (r#"{"w":"#, 0),
    ] {
        let message = refusal(&safetensors(header, &vec![0; data]), &["w"]);
        assert!(message.contains("safetensors header"), "{message}");
    }
}

/// A file of one float under each name: 1, 2, ….
fn floats_named(names: &[&str]) -> Vec<u8> {
    let header: Vec<String> = (names.iter().enumerate())
        .map(|(index, name)| {
            let [start, end] = [4 * index, 4 * index + 4];
            format!(
                r#""{name}": {{"dtype": "F32", "shape": [1], "data_offsets": [{start}, {end}]}}"#
            )
        })
        .collect();
    let header = format!("{{{}}}", header.join(", "));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend((1..=names.len()).flat_map(|value| (value as f32).to_le_bytes()));
    file
}

#[test]
fn exact_names_and_those_with_wrappers_are_not_mixed() {
    let requested = ["a.weight", "b.weight"];
    let values = |names: &[&str]| -> Vec<f32> {
        let found = read_bytes(&floats_named(names), &requested).unwrap().found;
        requested.iter().map(|name| found[*name].data[0]).collect()
    };
    // One copy, wrapped in part.
    assert_eq!(values(&["a.weight", "module.b.weight"]), [1.0, 2.0]);
    // Two copies, of which one is whole and exact.
    let two = ["module.a.weight", "a.weight", "module.b.weight", "b.weight"];
    assert_eq!(values(&two), [2.0, 4.0]);
    assert_eq!(values(&two[..2].iter().chain(&two[3..]).copied().collect::<Vec<_>>()), [2.0, 3.0]);
    // The exact copy lacks a tensor, which the other one has.
    let message = refusal(&floats_named(&two[..3]), &requested);
    assert!(message.contains("\"module.a.weight\" and \"a.weight\" are the same"), "{message}");
}

#[test]
fn further_copies_are_told() {
    let names = ["ema.a.weight", "ema.b.weight", "a.weight", "b.weight"];
    let found = read_bytes(&floats_named(&names), &["a.weight", "b.weight"]).unwrap();
    assert_eq!((found.prefix.as_str(), found.others), ("", vec!["ema".to_owned()]));
}
