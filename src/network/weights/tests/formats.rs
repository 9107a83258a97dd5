//! The same net in three formats.

use super::*;

#[test]
fn the_three_formats_give_the_same_tensors() {
    let requested = tiny_names();
    let [npz, safetensors, pth] = TINY.map(|path| read(Path::new(path), &requested).unwrap());
    assert_eq!(npz.found.len(), 8);
    assert_eq!(npz.found["features.0.weight"].shape, [8, 3, 5, 5]);
    assert_eq!(npz.found["features.8.bias"].shape, [6]);
    for (name, tensor) in &npz.found {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len(), "{name}");
        assert!(tensor.data.iter().any(|&value| value != 0.0), "{name}");
    }
    assert_eq!(safetensors, npz);
    assert_eq!(pth, npz);
}

#[test]
fn what_is_not_wanted_is_named_and_what_is_missing_is_no_error() {
    for path in TINY {
        let requested = ["0.weight", "features.9.weight"].map(String::from);
        let tensors = read(Path::new(path), &requested).unwrap();
        assert_eq!(tensors.found.keys().collect::<Vec<_>>(), ["0.weight"]);
        let mut expected = tiny_names();
        expected.retain(|name| name != "features.0.weight");
        expected.sort();
        let mut ignored = tensors.ignored;
        ignored.sort();
        assert_eq!(ignored, expected);
    }
}

#[test]
fn prefixes_that_fit_equally_well_are_named() {
    for path in TINY {
        let message = read(Path::new(path), &["bias".into()]).unwrap_err().to_string();
        assert!(message.contains("\"features.0\", \"features.3\""), "{message}");
        assert!(message.contains("--weights-prefix"), "{message}");
    }
}

#[test]
fn tensors_are_those_below_one_prefix() {
    for path in TINY {
        let requested = ["features.0.weight".into(), "0.bias".into()];
        let found = read(Path::new(path), &requested).unwrap().found;
        assert_eq!(found.keys().collect::<Vec<_>>(), ["features.0.weight"]);
        assert_eq!(
            read(Path::new(path), &["0.weight".into(), "0.bias".into()]).unwrap().found.len(),
            2
        );
    }
}

#[test]
fn the_content_counts_and_not_the_extension() {
    for path in TINY {
        let bytes = std::fs::read(path).unwrap();
        let found = read_bytes(&bytes, &["features.0.bias"]).unwrap().found;
        assert_eq!(found["features.0.bias"].shape, [8]);
    }
}

#[test]
fn a_file_that_is_not_there_or_of_another_format_is_refused() {
    let error = read(Path::new("/nowhere/a.pth"), &[]).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/a.pth: cannot be read"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(folder.path(), &[]), Err(WeightsError::File(_))));
    for bytes in [&b""[..], b"P", b"garbage of some length", &[0; 600]] {
        let message = refusal(bytes, &[]);
        assert!(
            message.contains(".npz (numpy.savez), .pth (torch.save) or .caffemodel"),
            "{message}"
        );
    }
}

#[test]
fn the_older_formats_of_torch_save_are_refused_with_advice() {
    let mut tar = [0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    for bytes in [&b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."[..], &tar] {
        let message = refusal(bytes, &[]);
        assert!(message.contains("torch.save(torch.load('old.pth'"), "{message}");
    }
}
