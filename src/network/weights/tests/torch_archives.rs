//! Zip archives as `torch.save` writes them: entries that are padded to multiples of 64 bytes, and
//! a ZIP64 end record in every archive, also where none is needed.

use flate2::Crc;

use super::*;

/// A zip archive of stored entries in the folder `stem`, as `torch.save` lays it out.
fn torch_archive(stem: &str, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::<u8>::new(), Vec::<u8>::new());
    for (name, content) in entries {
        let name = format!("{stem}/{name}");
        let mut crc = Crc::new();
        crc.update(content);
        let offset = file.len() as u32;
        // An extra field of the kind `FB` fills up to the next multiple of 64.
        let extra = 4 + (64 - (file.len() + 30 + name.len() + 4) % 64) % 64;
        let sizes = [crc.sum(), content.len() as u32, content.len() as u32].map(u32::to_le_bytes);
        let header = |extra: usize| {
            let lengths = [name.len() as u16, extra as u16].map(u16::to_le_bytes);
            // Version, flags (UTF-8), no compression, no date.
            [&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0][..], &sizes.concat(), &lengths.concat()].concat()
        };
        file.extend(b"PK\x03\x04");
        file.extend(header(extra));
        file.extend(name.as_bytes());
        file.extend(b"FB");
        file.extend((extra as u16 - 4).to_le_bytes());
        file.extend(vec![b'Z'; extra - 4]);
        file.extend(*content);
        directory.extend(b"PK\x01\x02\0\0");
        directory.extend(header(0));
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length) = (file.len() as u64, directory.len() as u64);
    let end = start + length;
    file.extend(directory);
    file.extend(b"PK\x06\x06");
    file.extend(44_u64.to_le_bytes());
    file.extend([0x1e, 3, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let count = entries.len() as u64;
    file.extend([count, count, length, start].map(u64::to_le_bytes).concat());
    file.extend(b"PK\x06\x07\0\0\0\0");
    file.extend(end.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count as u16; 2].map(u16::to_le_bytes).concat());
    file.extend([length as u32, start as u32].map(u32::to_le_bytes).concat());
    file.extend([0, 0]);
    file
}

#[test]
fn archives_saved_under_names_of_any_length_are_read() {
    let pickle = dict_of("w", &tensor("FloatStorage", 3, 0, &[3], &[1]));
    let floats: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    for length in 1..=200 {
        let entries: [(&str, &[u8]); 5] = [
            ("data.pkl", &pickle),
            (".format_version", b"1"),
            ("byteorder", b"little"),
            ("data/0", &floats),
            ("version", b"3\n"),
        ];
        let file = torch_archive(&"n".repeat(length), &entries);
        let tensors = read_bytes(&file, &["w"]).unwrap();
        assert_eq!(tensors.found["w"].data, [1.0, 2.0, 3.0], "a stem of {length} characters");
    }
}

/// Saved by PyTorch 2.15 as `model_best_checkpoint.pth`: a stem of 21 characters, with which the
/// second entry of the directory lies where a reader that starts from the directory's end, and not
/// from the offset that the file tells, takes the first to be.
#[test]
fn a_file_of_pytorch_with_a_stem_of_21_characters_is_read() {
    const PATH: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/weights/model_best_checkpoint.pth");
    let tensors = read(Path::new(PATH), &[]).unwrap();
    assert_eq!(tensors.ignored.len(), 4, "{:?}", tensors.ignored);
    let read = read(Path::new(PATH), &tensors.ignored).unwrap();
    assert_eq!(read.found.len(), 4);
}

#[test]
fn an_archive_of_a_million_entries_is_refused_soon() {
    let name = "a".repeat(8);
    let mut directory = Vec::new();
    for _ in 0..1_000_000 {
        directory.extend(b"PK\x01\x02");
        directory.extend([0; 24]);
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend([0; 16]);
        directory.extend(name.as_bytes());
    }
    let (length, start) = (directory.len() as u32, 4_u32);
    let mut file = b"PK\x03\x04".to_vec();
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff");
    file.extend(length.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    let (message, largest) = allocation::largest(|| refusal(&file, &["w"]));
    assert!(message.contains("more than 262144 entries"), "{message}");
    assert!(largest < 64 << 20, "{largest}");
}
