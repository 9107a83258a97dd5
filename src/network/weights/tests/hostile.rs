//! Files made to do harm.

use super::*;

/// `os.system('touch …')`
fn touch(path: &Path) -> Vec<u8> {
    let command = format!("touch {}", path.display());
    let mut code = b"cos\nsystem\n(X".to_vec();
    code.extend((command.len() as u32).to_le_bytes());
    code.extend(command.as_bytes());
    code.extend(b"tR");
    code
}

#[test]
fn a_call_of_a_strange_function_is_never_made_and_refused_only_where_it_matters() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("touched");
    let mut beside = b"\x80\x02}(X\x04\0\0\0evil".to_vec();
    beside.extend(touch(&target));
    beside.extend(b"}bX\x01\0\0\0w");
    beside.extend(tensor("FloatStorage", 3, 0, &[3], &[1]));
    beside.extend(b"u.");
    let tensors = read_bytes(&pth_of(&beside), &["w"]).unwrap();
    assert_eq!(tensors.found["w"].data, [1.0, 2.0, 3.0]);
    assert!(tensors.ignored.is_empty());

    let instead = dict_of("w", &touch(&target));
    let message = refusal(&pth_of(&instead), &["w"]);
    assert!(message.contains("tensor \"w\"") && message.contains("`os.system`"), "{message}");
    assert!(read_bytes(&pth_of(&instead), &["v"]).unwrap().found.is_empty());

    // As the storage's class, and as what is pickled.
    let mut class = tensor("FloatStorage", 3, 0, &[3], &[1]);
    let offset = class.windows(18).position(|w| w == b"torch\nFloatStorage").unwrap();
    class.splice(offset..offset + 18, *b"os\nsystem");
    assert!(refusal(&pth_of(&dict_of("w", &class)), &["w"]).contains("os.system"));
    let whole = [b"\x80\x02", touch(&target).as_slice(), b"."].concat();
    let message = refusal(&pth_of(&whole), &["w"]);
    assert!(message.contains("os.system") && message.contains("state_dict()"), "{message}");

    assert!(!target.exists());
}

#[test]
fn names_cannot_write_to_the_terminal() {
    let message = refusal(&pth_of(&dict_of("\x1b[2J.w", b"cos\nsys\x1btem\n)R")), &["w"]);
    assert!(!message.contains('\x1b'), "{message:?}");
}

#[test]
fn views_must_lie_in_the_storage_and_the_storage_in_the_file() {
    for (class, length, offset, shape, strides, why) in [
        ("FloatStorage", 3, 1, &[3][..], &[1][..], "beyond its storage of 3"),
        ("FloatStorage", 3, 0, &[2, 2], &[2, 1], "beyond its storage of 3"),
        ("FloatStorage", 2, 0, &[2], &[1], "expected 8"),
        ("FloatStorage", 4, 0, &[4], &[1], "has 12 bytes; expected 16"),
        ("DoubleStorage", 3, 0, &[3], &[1], "has 12 bytes; expected 24"),
        ("FloatStorage", 3, 0, &[3], &[1, 1], "differ in length"),
        ("FloatStorage", 3, 0, &[127; 12], &[0; 12], "more than the"),
        ("FloatStorage", 3, 0, &[127; 5], &[0; 5], "more than the"),
        ("FloatStorage", 3, 0, &[127, 127, 127, 10], &[0; 4], "repeats"),
    ] {
        let code = tensor(class, length, offset, shape, strides);
        let message = refusal(&pth_of(&dict_of("w", &code)), &["w"]);
        assert!(message.contains("tensor \"w\"") && message.contains(why), "{message}");
        assert!(read_bytes(&pth_of(&dict_of("w", &code)), &[]).unwrap().ignored == ["w"]);
    }
}

#[test]
fn a_pickle_nested_deeply_or_in_itself_is_walked_and_dropped() {
    let deep = format!("{}{}.", "]".repeat(500_000), "a".repeat(499_999)).into_bytes();
    assert_eq!(read_bytes(&pth_of(&deep), &["w"]).unwrap(), Tensors::default());
    let own = b"\x80\x02}q\x00X\x01\0\0\0ah\x00s.";
    assert_eq!(read_bytes(&pth_of(own), &["w"]).unwrap(), Tensors::default());
}

#[test]
fn a_pickle_that_names_more_than_it_holds_is_refused() {
    // Sixteen lists, each holding the one before 255 times.
    let mut code = b"\x80\x02]q\x00".to_vec();
    for level in 1..16_u8 {
        code.extend(b"](");
        code.extend([b'h', level - 1].repeat(255));
        code.extend([b'e', b'q', level]);
    }
    code.push(b'.');
    assert!(refusal(&pth_of(&code), &["w"]).contains("too many things to name"));
}

#[test]
fn headers_that_claim_huge_arrays_allocate_nothing() {
    let header =
        br#"{"w":{"dtype":"F32","shape":[1125899906842624],"data_offsets":[0,4503599627370496]}}"#;
    for length in [header.len() as u64, 1 << 40, 8_388_600] {
        let mut file = length.to_le_bytes().to_vec();
        file.extend(header);
        assert!(refusal(&file, &["w"]).contains("damaged or cut short"));
    }
    for shape in ["(1152921504606846976,)", "(4294967296, 4294967296, 4294967296)", "(268435456,)"]
    {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut array = b"\x93NUMPY\x01\x00".to_vec();
        array.extend((header.len() as u16).to_le_bytes());
        array.extend(header.as_bytes());
        let message = refusal(&zip_of(&[("w.npy", &array)], stored()), &["w"]);
        assert!(message.contains("tensor \"w\""), "{message}");
    }
}

#[test]
fn an_entry_that_unpacks_to_more_than_its_tensor_needs_is_left_unread() {
    let zeros = vec![0; 64 << 20];
    let header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  \n";
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header);
    array.extend(&zeros);
    let bomb = zip_of(&[("w.npy", &array)], deflated());
    let (message, largest) = allocation::largest(|| refusal(&bomb, &["w"]));
    assert!(message.contains("claims 12 bytes"), "{message}");
    assert!(largest < 1 << 20, "{largest}");

    let code = dict_of("w", &tensor("FloatStorage", 3, 0, &[3], &[1]));
    let bomb = zip_of(&[("net/data.pkl", &code), ("net/data/0", &zeros)], deflated());
    let (message, largest) = allocation::largest(|| refusal(&bomb, &["w"]));
    assert!(message.contains("13 or more bytes; expected 12"), "{message}");
    assert!(largest < 1 << 20, "{largest}");
}
