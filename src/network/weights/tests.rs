//! Whole files, read through [`read`].

mod caffe;
mod checkpoint;
mod containers;
mod damaged;
mod formats;
mod hostile;
mod torch_archives;

use std::io::Write;

use tempfile::NamedTempFile;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const TINY: [&str; 3] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny/tiny.npz"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny/tiny.safetensors"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny/tiny.pth"),
];

/// The tensors of the tiny net.
fn tiny_names() -> Vec<String> {
    [0, 3, 5, 8]
        .iter()
        .flat_map(|layer| ["weight", "bias"].map(|kind| format!("features.{layer}.{kind}")))
        .collect()
}

/// Reads a file of these bytes.
fn read_bytes(bytes: &[u8], requested: &[&str]) -> Result<Tensors, WeightsError> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let requested: Vec<_> = requested.iter().map(ToString::to_string).collect();
    let read = read(file.path(), &requested);
    if let Err(error) = &read {
        let (message, path) = (error.to_string(), file.path().display().to_string());
        assert!(message.starts_with(&format!("{path}: ")), "{message}");
    }
    read
}

/// The error's message where one is due.
#[track_caller]
fn refusal(bytes: &[u8], requested: &[&str]) -> String {
    match read_bytes(bytes, requested) {
        Err(error) => error.to_string(),
        Ok(tensors) => panic!("accepted: {tensors:?}"),
    }
}

/// A zip archive of these entries.
fn zip_of(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated)
}

/// A `.pth` file of a pickle, and of one storage of three floats: 1, 2, 3.
fn pth_of(pickle: &[u8]) -> Vec<u8> {
    let floats: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    zip_of(
        &[("net/data.pkl", pickle), ("net/byteorder", b"little"), ("net/data/0", &floats)],
        stored(),
    )
}

/// Opcodes that push a tensor of that storage; the numbers are below 128.
fn tensor(class: &str, length: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let mut code = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n".to_vec();
    code.extend(class.as_bytes());
    code.extend(b"\nX\x01\0\0\x000X\x03\0\0\0cpuK");
    code.extend([length, b't', b'Q', b'K', offset]);
    for numbers in [shape, strides] {
        code.push(b'(');
        code.extend(numbers.iter().flat_map(|&number| [b'K', number]));
        code.push(b't');
    }
    code.extend(b"\x89NtR");
    code
}

/// A dict of one item, pickled; `value` is the opcodes that push it.
fn dict_of(key: &str, value: &[u8]) -> Vec<u8> {
    let mut code = b"\x80\x02}X".to_vec();
    code.extend((key.len() as u32).to_le_bytes());
    code.extend(key.as_bytes());
    code.extend(value);
    code.extend(b"s.");
    code
}
