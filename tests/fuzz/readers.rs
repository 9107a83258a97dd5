//! The readers, each with valid files to begin with.

mod images;
mod networks;
mod results;
mod weights;

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage};
use ndarray::{Array2, Array3, Array4};
use occlumap::blocks::{Block, BlockFolder, Stored};
use occlumap::engine::EngineName;
use occlumap::files::{Digest, npy};
use occlumap::geometry::ImageSize;
use occlumap::images::{ImageConfiguration, ImageFolder, Preprocessing};
use occlumap::maps::{BlockRecord, Manifest, Payload, SweepAbout, SweepConfiguration};
use occlumap::network::{Model, ModelConfiguration, Network};
use occlumap::ranking::{
    self, Entry, Expected, LayerFiles, RankedLayer, RankingConfiguration, RankingManifest,
    UnitRanking, digests,
};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Bytes that are changed, and what makes a file of them.
pub struct Seed {
    pub bytes: Vec<u8>,
    /// Whether they are JSON, to be changed as such.
    pub json: bool,
    pub pack: Pack,
}

/// A reader: the error is its message.
pub struct Reader {
    pub name: &'static str,
    pub seeds: Vec<Seed>,
    pub read: Read,
    /// Files that are as large as may be, made to take memory and time.
    pub large: Vec<Vec<u8>>,
}

type Pack = Box<dyn Fn(&[u8]) -> Vec<u8>>;

type Read = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// A file as it is.
fn plain(bytes: impl Into<Vec<u8>>) -> Seed {
    Seed { bytes: bytes.into(), json: false, pack: Box::new(<[u8]>::to_vec) }
}

/// A JSON file.
fn text(value: &Value) -> Seed {
    Seed { json: true, ..plain(value.to_string()) }
}

fn packed(bytes: impl Into<Vec<u8>>, pack: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Seed {
    Seed { bytes: bytes.into(), json: false, pack: Box::new(pack) }
}

fn repository(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// All readers; their files lie in `root`.
pub fn all(root: &Path) -> Vec<Reader> {
    [weights::readers(root), images::readers(root), networks::readers(root), results::readers(root)]
        .into_iter()
        .flatten()
        .collect()
}

/// A reader of the file `name` in a folder of its own.
fn of_file(
    reader: &'static str,
    root: &Path,
    name: &str,
    seeds: Vec<Seed>,
    read: impl Fn(&Path) -> Result<(), String> + 'static,
) -> Reader {
    let folder = root.join(reader);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let read = move |bytes: &[u8]| {
        // A file system may write a file to the disk at once if it replaces another.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    };
    Reader { name: reader, seeds, read: Box::new(read), large: Vec::new() }
}

fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// `part` as often as it fits into `length` bytes, between `begin` and `end`.
fn filled(begin: &str, part: &str, length: usize, end: &str) -> Vec<u8> {
    [begin, &part.repeat((length - begin.len() - end.len()) / part.len()), end].concat().into()
}

fn npy_of<T, D>(array: &ndarray::Array<T, D>) -> Vec<u8>
where
    T: npyz::AutoSerialize + Copy,
    D: ndarray::Dimension,
{
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    npy::write(&path, array).unwrap();
    std::fs::read(path).unwrap()
}
