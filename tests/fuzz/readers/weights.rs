//! Weight files.

use occlumap::network::weights;

use super::*;

pub(super) fn readers(root: &Path) -> Vec<Reader> {
    vec![
        Reader { large: large_headers(), ..weight_files("safetensors", root, safetensors()) },
        weight_files("npz", root, npz()),
        Reader { large: large_pickles(), ..weight_files("pth", root, pth()) },
        of_weights("caffemodel", root, "weights.caffemodel", caffe_models()),
    ]
}

fn weight_files(reader: &'static str, root: &Path, seeds: Vec<Seed>) -> Reader {
    of_weights(reader, root, "weights", seeds)
}

/// A reader of weight files of a name.
fn of_weights(reader: &'static str, root: &Path, name: &str, seeds: Vec<Seed>) -> Reader {
    of_file(reader, root, name, seeds, |path| {
        let wanted = ["features.0.weight", "features.0.bias"].map(String::from);
        let read = weights::read(path, &wanted).map_err(message)?;
        // The others too, whatever they are.
        let _ = weights::read(path, &read.ignored);
        Ok(())
    })
}

/// Networks of Caffe, in its three formats.
fn caffe_models() -> Vec<Seed> {
    let field = |tag: u32, content: &[u8]| {
        let key = tag << 3 | 2;
        let key = if key < 128 { vec![key as u8] } else { vec![key as u8 | 128, (key >> 7) as u8] };
        [&key[..], &[content.len() as u8], content].concat()
    };
    let shape = field(7, &field(1, &[2, 3, 1, 1]));
    let old_shape = [8, 2, 16, 3, 24, 1, 32, 1];
    let data = field(5, &[0; 24]);
    let bias = [field(7, &field(1, &[2])), field(8, &[0; 16])].concat();
    let layer = |[name, blobs]: [u32; 2], shape: &[u8]| {
        let weight = field(blobs, &[shape, &data].concat());
        [field(name, b"features.0"), weight, field(blobs, &bias)].concat()
    };
    vec![
        plain(field(100, &layer([1, 7], &shape))),
        plain(field(2, &layer([4, 6], &old_shape))),
        plain(field(2, &field(1, &layer([1, 50], &old_shape)))),
    ]
}

fn safetensors() -> Vec<Seed> {
    let header = json!({
        "__metadata__": { "format": "pt" },
        "features.0.weight": { "dtype": "F32", "shape": [2, 3, 1, 1], "data_offsets": [0, 24] },
        "features.0.bias": { "dtype": "F16", "shape": [2], "data_offsets": [24, 28] },
        "count": { "dtype": "I64", "shape": [], "data_offsets": [28, 36] },
    });
    let file =
        |header: &[u8]| [&(header.len() as u64).to_le_bytes()[..], header, &[0; 36]].concat();
    let whole = file(header.to_string().as_bytes());
    vec![
        plain(whole),
        Seed { json: true, ..packed(header.to_string(), file) },
        plain(repository("tests/golden/tiny/tiny.safetensors")),
    ]
}

fn large_headers() -> Vec<Vec<u8>> {
    const LENGTH: usize = 8 << 20;
    let tensor = r#""w":{"dtype":"F32","shape":["#;
    [
        filled(&format!("{{{tensor}"), "0,", LENGTH, "0],\"data_offsets\":[0,0]}}"),
        filled("{", r#""":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#, LENGTH, "\"a\":0}"),
        filled(r#"{"__metadata__":{"#, r#""a":"","#, LENGTH, "\"b\":\"\"}}"),
        filled(r#"{"w":"#, r#"{"a":"#, LENGTH, "}}"),
    ]
    .map(|header| [&(header.len() as u64).to_le_bytes()[..], &header].concat())
    .into()
}

fn large_pickles() -> Vec<Vec<u8>> {
    let operations: [&[u8]; 9] =
        [b"N", b"]", b"(", b"N\x94", b"]\x94", b"NNR", b"N\x85", b"]N0a0", b"cos\nsystem\n\x94"];
    let pickle = |operation: &[u8]| {
        let pickle = operation.repeat((64 << 20) / operation.len());
        zip_of(&[("net/data.pkl".to_owned(), pickle)], CompressionMethod::Deflated)
    };
    operations.map(pickle).into()
}

fn zip_of(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in entries {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn entries_of(path: &str) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(Cursor::new(repository(path))).unwrap();
    (0..zip.len())
        .map(|entry| {
            let mut entry = zip.by_index(entry).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

/// Archives in which one entry is changed before it is packed.
fn repacked(path: &str, ending: &str, method: CompressionMethod) -> Seed {
    let entries = entries_of(path);
    let at = entries.iter().position(|(name, _)| name.ends_with(ending)).unwrap();
    packed(entries[at].1.clone(), move |content| {
        let mut entries = entries.clone();
        entries[at].1 = content.to_vec();
        zip_of(&entries, method)
    })
}

fn npz() -> Vec<Seed> {
    const TINY: &str = "tests/golden/tiny/tiny.npz";
    let array = npy_of(&Array2::<f32>::ones((2, 3)));
    let small = [("features.0.bias.npy".to_owned(), array), ("a.txt".into(), b"a".to_vec())];
    vec![
        plain(zip_of(&small, CompressionMethod::Stored)),
        plain(zip_of(&small, CompressionMethod::Deflated)),
        repacked(TINY, "0.weight.npy", CompressionMethod::Stored),
        repacked(TINY, "0.bias.npy", CompressionMethod::Deflated),
    ]
}

fn pth() -> Vec<Seed> {
    const TINY: &str = "tests/golden/tiny/tiny.pth";
    const CHECKPOINT: &str = "tests/data/weights/checkpoint.pth";
    vec![
        plain(repository("tests/data/weights/model_best_checkpoint.pth")),
        repacked(TINY, "data.pkl", CompressionMethod::Stored),
        repacked(CHECKPOINT, "data.pkl", CompressionMethod::Stored),
        repacked("tests/data/weights/checkpoint_p5.pth", "data.pkl", CompressionMethod::Stored),
    ]
}
